#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "task.h"

namespace furrow::segmentation {

/// Weights for WinogradTask, 4 times as many floats.
/// @param weights  [out_channels, in_channels, 3, 3]
/// @throws InvalidArgument  channels that are no multiples of kWinogradChannels
[[nodiscard]] std::vector<float> winograd_weights(std::span<const float> weights, std::int64_t out_channels,
                                                  std::int64_t in_channels);

/// Winograd's minimal filtering F(4 x 4, 3 x 3) (Winograd 1980; Lavin & Gray, CVPR 2016): 36 multiplications
/// where a direct convolution needs 144. With the interpolation points 0, +-sqrt(1/2), +-sqrt(2) and infinity
/// it rounds about as a direct convolution in float32 does; with Lavin and Gray's 0, +-1, +-2 and infinity
/// errors are four times as large.
///
/// @return  the kernels that this processor can run, the quickest first; none where it has neither AVX2 nor
///          AVX-512. Thread-safe, as the kernels are.
[[nodiscard]] const std::vector<WinogradKernel>& winograd_kernels();

}  // namespace furrow::segmentation
