#include "augment.h"

#include <algorithm>
#include <cmath>

#include <furrow/geo/raster/rasterize.h>

namespace furrow::segmentation {
namespace {

template <class T>
geo::Raster<T> turned(const geo::Raster<T>& from, int turn) {
  const std::int64_t width = from.width();
  const std::int64_t height = from.height();
  const bool swaps = turn % 2 == 1;
  geo::Raster<T> to(swaps ? height : width, swaps ? width : height, from.bands());
  for (int band = 0; band < from.bands(); ++band) {
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t col = 0; col < width; ++col) {
        const std::int64_t x = turn >= 4 ? width - 1 - col : col;
        switch (turn % 4) {
          case 0:
            to.at(x, row, band) = from.at(col, row, band);
            break;
          case 1:
            to.at(height - 1 - row, x, band) = from.at(col, row, band);
            break;
          case 2:
            to.at(width - 1 - x, height - 1 - row, band) = from.at(col, row, band);
            break;
          default:
            to.at(row, width - 1 - x, band) = from.at(col, row, band);
            break;
        }
      }
    }
  }
  return to;
}

/// Where a window of `side` starts in `length` pixels.
std::int64_t random_start(std::int64_t length, std::int64_t side, geo::Random& random) {
  return length <= side
             ? 0
             : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(length - side + 1)));
}

bool any_labelled(const Patch& block, std::int64_t col, std::int64_t row, std::int64_t side) {
  const std::int64_t end_row = std::min(row + side, block.labels.height());
  const std::int64_t end_col = std::min(col + side, block.labels.width());
  for (std::int64_t r = row; r < end_row; ++r) {
    const std::uint8_t* line = &block.labels.at(0, r);
    if (std::any_of(line + col, line + end_col, [](std::uint8_t label) { return label != geo::kIgnore; }))
      return true;
  }
  return false;
}

/// Copies a window of all bands to (to_col, to_row) of another raster.
template <class T>
void copy(const geo::Raster<T>& from, const geo::Window& window, geo::Raster<T>& to, std::int64_t to_col,
          std::int64_t to_row) {
  for (int band = 0; band < from.bands(); ++band) {
    for (std::int64_t row = 0; row < window.height; ++row) {
      std::copy_n(&from.at(window.col, window.row + row, band), window.width,
                  &to.at(to_col, to_row + row, band));
    }
  }
}

void copy(const Patch& from, const geo::Window& window, Patch& to, std::int64_t col, std::int64_t row) {
  copy(from.pixels, window, to.pixels, col, row);
  copy(from.valid, window, to.valid, col, row);
  copy(from.labels, window, to.labels, col, row);
  copy(from.weights, window, to.weights, col, row);
  copy(from.targets, window, to.targets, col, row);
  copy(from.numbers, window, to.numbers, col, row);
}

Patch cut(const Patch& block, std::int64_t col, std::int64_t row, std::int64_t side) {
  Patch patch(side, side, block.pixels.bands(), block.targets.bands());
  if (!block.numbers.empty()) patch.numbers = geo::Raster<std::int64_t>(side, side, 1, -1);
  copy(block,
       {col, row, std::min(side, block.pixels.width() - col), std::min(side, block.pixels.height() - row)},
       patch, 0, 0);
  return patch;
}

}  // namespace

Patch::Patch(std::int64_t width, std::int64_t height, int bands, int target_classes)
    : pixels(width, height, bands),
      valid(width, height),
      labels(width, height, 1, geo::kIgnore),
      weights(width, height),
      targets(width, height, target_classes) {}

void Patch::place(const Patch& piece, std::int64_t col, std::int64_t row) {
  copy(piece, {0, 0, piece.pixels.width(), piece.pixels.height()}, *this, col, row);
}

Patch random_window(const Patch& block, std::int64_t side, geo::Random& random) {
  constexpr int kTries = 8;
  std::int64_t col = 0;
  std::int64_t row = 0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    col = random_start(block.pixels.width(), side, random);
    row = random_start(block.pixels.height(), side, random);
    if (any_labelled(block, col, row, side)) break;
  }
  return cut(block, col, row, side);
}

Patch turned(const Patch& patch, int turn) {
  Patch result;
  result.pixels = turned(patch.pixels, turn);
  result.valid = turned(patch.valid, turn);
  result.labels = turned(patch.labels, turn);
  result.weights = turned(patch.weights, turn);
  result.targets = turned(patch.targets, turn);
  if (!patch.numbers.empty()) result.numbers = turned(patch.numbers, turn);
  return result;
}

void augment(Patch& patch, bool unit_range, geo::Random& random) {
  patch = turned(patch, static_cast<int>(random.below(8)));
  // All numbers are drawn whether used or not, so that one switch does not change the others.
  const bool use_gain = random.chance(0.5);
  const bool use_gamma = random.chance(0.5) && unit_range;
  const bool use_noise = random.chance(0.5);
  const double gain = std::exp(random.uniform(std::log(0.67), std::log(1.5)));
  const double gamma = std::exp(random.uniform(std::log(0.5), std::log(2.0)));
  const double sd = random.uniform(0.0, 0.03);
  if (!use_gain && !use_gamma && !use_noise) return;
  for (int band = 0; band < patch.pixels.bands(); ++band) {
    const auto values = patch.pixels.band(band);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (patch.valid.data()[i] == 0) continue;
      auto value = static_cast<double>(values[i]);
      if (use_gain) value *= gain;
      if (use_gamma) value = std::pow(std::max(value, 0.0), gamma);
      if (use_noise) value += random.normal(0.0, sd);
      if (unit_range) value = std::clamp(value, 0.0, 1.0);
      values[i] = static_cast<float>(value);
    }
  }
}

}  // namespace furrow::segmentation
