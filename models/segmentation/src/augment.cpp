#include "augment.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <furrow/geo/raster/rasterize.h>

namespace furrow::segmentation {
namespace {

template <class T>
geo::Raster<T> turned_raster(const geo::Raster<T>& from, int turn) {
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

Patch cut_square(const Patch& block, std::int64_t col, std::int64_t row, std::int64_t side) {
  Patch patch(side, side, block.pixels.bands(), block.targets.bands());
  if (!block.numbers.empty()) patch.numbers = geo::Raster<std::int64_t>(side, side, 1, -1);
  copy(block,
       {col, row, std::min(side, block.pixels.width() - col), std::min(side, block.pixels.height() - row)},
       patch, 0, 0);
  return patch;
}

/// Pixel centres of a square of `to` pixels in one of `from` pixels.
class Stretch {
 public:
  Stretch(std::int64_t from, std::int64_t to)
      : m_from(from), m_step(static_cast<double>(from) / static_cast<double>(to)) {}

  [[nodiscard]] std::int64_t nearest(std::int64_t i) const {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(centre(i))), 0, m_from - 1);
  }

  /// All bands of one pixel whose nearest source pixel is valid.
  void interpolate(const Patch& patch, std::int64_t col, std::int64_t row, Patch& result) const {
    const std::array<Tap, 2> across = taps(col);
    const std::array<Tap, 2> down = taps(row);
    for (int band = 0; band < patch.pixels.bands(); ++band) {
      double sum = 0.0;
      double weights = 0.0;
      for (const Tap& y : down) {
        for (const Tap& x : across) {
          if (patch.valid.at(x.position, y.position) == 0) continue;
          sum += x.weight * y.weight * static_cast<double>(patch.pixels.at(x.position, y.position, band));
          weights += x.weight * y.weight;
        }
      }
      result.pixels.at(col, row, band) = static_cast<float>(sum / weights);
    }
  }

 private:
  struct Tap {
    std::int64_t position;
    double weight;
  };
  [[nodiscard]] double centre(std::int64_t i) const { return (static_cast<double>(i) + 0.5) * m_step; }
  [[nodiscard]] std::array<Tap, 2> taps(std::int64_t i) const {
    const double place = std::clamp(centre(i) - 0.5, 0.0, static_cast<double>(m_from - 1));
    const auto low = static_cast<std::int64_t>(std::floor(place));
    const double share = place - static_cast<double>(low);
    return {{{low, 1.0 - share}, {std::min(low + 1, m_from - 1), share}}};
  }

  std::int64_t m_from;
  double m_step;
};

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
  return cut_square(block, col, row, side);
}

Patch window_with(const Patch& block, std::int64_t side, std::uint8_t label, std::int64_t rank,
                  geo::Random& random) {
  const std::vector<std::uint8_t>& labels = block.labels.data();
  std::size_t at = 0;
  for (std::int64_t before = 0; at + 1 < labels.size(); ++at) {
    if (labels[at] == label && before++ == rank) break;
  }
  const auto start = [&](std::int64_t pixel, std::int64_t length) {
    const std::int64_t first = std::max<std::int64_t>(0, pixel - side + 1);
    const std::int64_t last = std::clamp<std::int64_t>(length - side, 0, pixel);
    return first + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(last - first + 1)));
  };
  const auto width = block.labels.width();
  const std::int64_t col = start(static_cast<std::int64_t>(at) % width, width);
  const std::int64_t row = start(static_cast<std::int64_t>(at) / width, block.labels.height());
  return cut_square(block, col, row, side);
}

Patch resized(const Patch& patch, std::int64_t side) {
  const std::int64_t from = patch.labels.width();
  const Stretch stretch(from, side);
  Patch result(side, side, patch.pixels.bands(), patch.targets.bands());
  if (!patch.numbers.empty()) result.numbers = geo::Raster<std::int64_t>(side, side);
  for (std::int64_t row = 0; row < side; ++row) {
    for (std::int64_t col = 0; col < side; ++col) {
      const std::int64_t x = stretch.nearest(col);
      const std::int64_t y = stretch.nearest(row);
      result.valid.at(col, row) = patch.valid.at(x, y);
      result.labels.at(col, row) = patch.labels.at(x, y);
      result.weights.at(col, row) = patch.weights.at(x, y);
      for (int c = 0; c < patch.targets.bands(); ++c)
        result.targets.at(col, row, c) = patch.targets.at(x, y, c);
      if (!result.numbers.empty()) result.numbers.at(col, row) = patch.numbers.at(x, y);
      if (patch.valid.at(x, y) != 0) stretch.interpolate(patch, col, row, result);
    }
  }
  return result;
}

void swap_halves(Patch& patch) {
  std::vector<float>& values = patch.pixels.data();
  std::swap_ranges(values.begin(), values.begin() + std::ssize(values) / 2,
                   values.begin() + std::ssize(values) / 2);
}

geo::Raster<float> turned(const geo::Raster<float>& raster, int turn) {
  return turned_raster(raster, turn);
}

Patch turned(const Patch& patch, int turn) {
  Patch result;
  result.pixels = turned_raster(patch.pixels, turn);
  result.valid = turned_raster(patch.valid, turn);
  result.labels = turned_raster(patch.labels, turn);
  result.weights = turned_raster(patch.weights, turn);
  result.targets = turned_raster(patch.targets, turn);
  if (!patch.numbers.empty()) result.numbers = turned_raster(patch.numbers, turn);
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
