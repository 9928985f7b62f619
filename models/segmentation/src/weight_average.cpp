#include "weight_average.h"

#include <algorithm>

namespace furrow::segmentation {

void update_average(UNet& average, const UNet& network, double decay, std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const double t = static_cast<double>(step);
  const double share = 1.0 - std::min(decay, (1.0 + t) / (10.0 + t));
  const auto update = [share](const auto& to, const auto& from) {
    for (const auto& item : to) {
      const torch::Tensor& source = *from.find(item.key());
      if (source.is_floating_point()) {
        item.value().lerp_(source, share);
      } else {
        item.value().copy_(source);
      }
    }
  };
  update(average->named_parameters(), network->named_parameters());
  update(average->named_buffers(), network->named_buffers());
}

}  // namespace furrow::segmentation
