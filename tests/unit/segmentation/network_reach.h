#pragma once

#include <algorithm>

#include <torch/torch.h>

#include "unet.h"

namespace furrow::segmentation::testing_network {

/// How far from a changed pixel (in columns or rows) the answer of a network changes, measured on noise of 96
/// px with a pixel at each of four neighbouring places.
inline int measured_reach(UNet& network) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor image = torch::randn({1, network->options.bands, 96, 96});
  const torch::Tensor before = network->forward(image);
  int reached = 0;
  for (int phase = 0; phase < 4; ++phase) {
    const std::int64_t at = 48 + phase;
    torch::Tensor changed = image.clone();
    changed[0][0][at][at] += 1000.0;
    const torch::Tensor touched = torch::nonzero((network->forward(changed) - before)[0].abs().sum(0));
    reached = std::max(reached, static_cast<int>((touched - at).abs().max().item<std::int64_t>()));
  }
  return reached;
}

}  // namespace furrow::segmentation::testing_network
