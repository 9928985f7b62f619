#pragma once

#include <optional>
#include <vector>

#include <torch/torch.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/training_data.h>

#include "feature_reference.h"
#include "folded_unet.h"

namespace furrow::segmentation {

/// Features of a window: activations of the deepest encoder level, averaged over its cells, each by the share
/// of its pixels that hold data (are not 0 in all bands).
/// @param window  [1, bands, side, side] float, normalised; sides are multiples of the network's stride
/// @return        [width of the deepest level]; empty when fewer than half of the pixels hold data
[[nodiscard]] std::vector<float> window_features(const FoldedUNet& network, const torch::Tensor& window);

/// Passes windows of the training part, as they are in the scenes, and of the validation part through a
/// network and keeps what the shift of a scene is measured by. At most 2048 and 1024 windows, by their seeds
/// or evenly. The statistics are of training windows; samples come from validation windows, or from both
/// parts where fewer than 256 validate.
/// Leaves LibTorch with one thread in the calling thread.
/// @return  nullopt when fewer than 8 windows hold enough data, or none that trains
/// @throws geo::Cancelled
[[nodiscard]] std::optional<FeatureReference> training_features(const FoldedUNet& network,
                                                                const TrainingData& data,
                                                                geo::ExecContext& exec);

}  // namespace furrow::segmentation
