#include <furrow/segmentation/torch_version.h>

#ifdef FURROW_WITH_TORCH
#include <torch/version.h>
#endif

namespace furrow::segmentation {

std::string torch_version() {
#ifdef FURROW_WITH_TORCH
  return TORCH_VERSION;
#else
  return {};
#endif
}

}  // namespace furrow::segmentation
