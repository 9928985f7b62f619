#include <immintrin.h>

#include "kernel_run.h"
#include "kernels.h"

namespace furrow::segmentation {
namespace {

struct Vectors {
  using Lanes = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kRows = 12;  ///< with two vectors each: 24 of 32 registers hold sums
  static constexpr int kPanels = 2;
  static Lanes splat(float x) { return _mm512_set1_ps(x); }
  static Lanes load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Lanes x) { _mm512_storeu_ps(to, x); }
  /// a * b + c, rounded once.
  static Lanes fused(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
};

}  // namespace

WinogradKernel winograd_avx512() {
  return WinogradRun<Vectors>::kernel("AVX-512");
}

}  // namespace furrow::segmentation
