#include <furrow/segmentation/precision.h>

namespace furrow::segmentation {

bool processor_has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace furrow::segmentation
