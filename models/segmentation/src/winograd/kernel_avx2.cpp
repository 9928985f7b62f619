#include <immintrin.h>

#include "kernel_run.h"
#include "kernels.h"

namespace furrow::segmentation {
namespace {

struct Vectors {
  using Lanes = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kRows = 6;  ///< with two vectors each: 12 of 16 registers hold sums
  static constexpr int kPanels = 1;
  static Lanes splat(float x) { return _mm256_set1_ps(x); }
  static Lanes load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Lanes x) { _mm256_storeu_ps(to, x); }
  /// a * b + c, rounded once.
  static Lanes fused(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
};

}  // namespace

WinogradKernel winograd_avx2() {
  return WinogradRun<Vectors>::kernel("AVX2");
}

}  // namespace furrow::segmentation
