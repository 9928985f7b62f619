#pragma once

#include <cstdint>

#include <torch/torch.h>

#include <furrow/geo/raster/grid.h>

namespace furrow::segmentation {

/// The same values, channels last, with the strides of a tensor that is not part of another one. A view of
/// some rows of one image is one piece of memory and counts as such, but its stride from image to image is
/// that of the whole, and oneDNN takes it at its word: wrong results, found with LibTorch 1.13. Copies only
/// where the values do not lie so.
[[nodiscard]] torch::Tensor in_one_piece(const torch::Tensor& x);

/// The maximum of each 2 x 2 pixels. Torch's own pooling copies a part of a larger tensor first, and notes
/// down where each maximum was.
[[nodiscard]] torch::Tensor pooled(const torch::Tensor& x);

/// The skip and, behind it, the level below at twice its size: what torch::pixel_shuffle and torch::cat give,
/// written once and only where it is wanted.
/// @param both  [N, joined_channels(), wanted.height, wanted.width]
/// @param skip  covers `wanted`
/// @param up  covers `given` at half the size, [N, 4 channels, ...], the four pixels of each one after the
/// other
void join_into(const torch::Tensor& both, const torch::Tensor& skip, const torch::Tensor& up,
               const geo::Window& given, const geo::Window& wanted);
[[nodiscard]] std::int64_t joined_channels(const torch::Tensor& skip, const torch::Tensor& up);

}  // namespace furrow::segmentation
