#pragma once

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

/// Twice the size: channel (2 i + j) * channels + c of `up` goes to channel c of pixels (2 row + i, 2 col +
/// j) of the window `given`; of them the window `wanted` goes to `target`.
void shuffle_into(torch::Tensor target, const torch::Tensor& up, const geo::Window& given,
                  const geo::Window& wanted);

}  // namespace furrow::segmentation
