#include "resize_features.h"

namespace furrow::segmentation {
namespace {

/// Rows (or columns) of a window that lie `phase` (0 or 1) beyond an even one, as pixels of the level below.
struct HalfRows {
  HalfRows(std::int64_t given, std::int64_t wanted, std::int64_t size, std::int64_t phase)
      : first((phase + wanted - given) % 2),
        below((first + wanted - given) / 2),
        count((size - first + 1) / 2) {}
  std::int64_t first;  ///< in the window wanted
  std::int64_t below;  ///< the same, in the level below
  std::int64_t count;
};

/// Twice the size: channel (2 i + j) * channels + c of `up` goes to channel c of pixels (2 row + i, 2 col +
/// j) of the window `given`; of them the window `wanted` goes to `target`.
void shuffle_into(torch::Tensor target, const torch::Tensor& up, const geo::Window& given,
                  const geo::Window& wanted) {
  const std::int64_t channels = target.size(1);
  for (std::int64_t phase = 0; phase < 4; ++phase) {
    const HalfRows rows(given.row, wanted.row, wanted.height, phase / 2);
    const HalfRows cols(given.col, wanted.col, wanted.width, phase % 2);
    target.slice(2, rows.first, wanted.height, 2)
        .slice(3, cols.first, wanted.width, 2)
        .copy_(up.narrow(1, phase * channels, channels)
                   .narrow(2, rows.below, rows.count)
                   .narrow(3, cols.below, cols.count));
  }
}

}  // namespace

torch::Tensor in_one_piece(const torch::Tensor& x) {
  const torch::Tensor y = x.contiguous(torch::MemoryFormat::ChannelsLast);
  if (y.size(0) != 1) return y;
  const std::int64_t row = y.size(3) * y.size(1);
  return y.as_strided(y.sizes(), {y.size(2) * row, 1, row, y.size(1)}, y.storage_offset());
}

torch::Tensor pooled(const torch::Tensor& x) {
  const auto of = [&](std::int64_t row, std::int64_t col) {
    return x.slice(2, row, x.size(2), 2).slice(3, col, x.size(3), 2);
  };
  torch::Tensor most = torch::maximum(of(0, 0), of(0, 1));
  const torch::Tensor below = torch::maximum(of(1, 0), of(1, 1));
  return torch::maximum_out(most, most, below);
}

std::int64_t joined_channels(const torch::Tensor& skip, const torch::Tensor& up) {
  return skip.size(1) + up.size(1) / 4;
}

void join_into(const torch::Tensor& both, const torch::Tensor& skip, const torch::Tensor& up,
               const geo::Window& given, const geo::Window& wanted) {
  const std::int64_t skipped = skip.size(1);
  both.narrow(1, 0, skipped).copy_(skip);
  shuffle_into(both.narrow(1, skipped, up.size(1) / 4), up, given, wanted);
}

}  // namespace furrow::segmentation
