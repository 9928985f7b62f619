#pragma once

#include <torch/script.h>

namespace furrow::segmentation {

/// Makes an imported TorchScript network quicker without changing what it computes (up to rounding): freezes
/// it (weights become constants, batch normalisation goes into convolutions), then replaces every transposed
/// convolution of 2 x 2 with stride 2, without padding, groups or dilation, by a 1 x 1 convolution and a
/// pixel shuffle on the same weights: on CPUs LibTorch computes transposed convolutions several times slower.
/// A network that cannot be frozen comes back as it was.
/// @param module  in evaluation mode
[[nodiscard]] torch::jit::Module faster_script(const torch::jit::Module& module);

/// The second half alone, on a frozen graph. @returns number of convolutions replaced
int replace_transposed_convolutions(torch::jit::Graph& graph);

}  // namespace furrow::segmentation
