#include "resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace furrow::segmentation {
namespace {

using geo::Raster;

struct Tap {
  std::int64_t position = 0;
  double weight = 0.0;
};

std::int64_t nearest(const AxisMap& axis, std::int64_t i, std::int64_t extent) {
  const double centre = axis.begin + (static_cast<double>(i) + 0.5) * axis.step;
  return std::clamp(static_cast<std::int64_t>(std::floor(centre)), std::int64_t{0}, extent - 1);
}

std::vector<std::vector<Tap>> taps_of(const AxisMap& axis, std::int64_t extent) {
  const double reach = std::max(1.0, axis.step);
  std::vector<std::vector<Tap>> taps(static_cast<std::size_t>(axis.size));
  for (std::int64_t i = 0; i < axis.size; ++i) {
    const double centre = axis.begin + (static_cast<double>(i) + 0.5) * axis.step;
    const auto first = static_cast<std::int64_t>(std::floor(centre - reach));
    const auto last = static_cast<std::int64_t>(std::ceil(centre + reach));
    for (std::int64_t j = first; j <= last; ++j) {
      const double weight = 1.0 - std::abs(static_cast<double>(j) + 0.5 - centre) / reach;
      if (weight <= 0.0) continue;
      taps[static_cast<std::size_t>(i)].push_back({std::clamp(j, std::int64_t{0}, extent - 1), weight});
    }
  }
  return taps;
}

/// Weighted mean of one band over the valid pixels, else over all.
float mean_at(const Raster<float>& from, const Raster<std::uint8_t>& valid, int band,
              const std::vector<Tap>& cols, const std::vector<Tap>& rows) {
  double sum[2]{};
  double weights[2]{};
  for (const Tap& y : rows) {
    for (const Tap& x : cols) {
      const double weight = y.weight * x.weight;
      const double value = weight * static_cast<double>(from.at(x.position, y.position, band));
      const int use = valid.at(x.position, y.position) != 0 ? 1 : 0;
      sum[use] += value;
      weights[use] += weight;
    }
  }
  const double value = weights[1] > 0.0 ? sum[1] / weights[1] : sum[0] / weights[0];
  return static_cast<float>(value);
}

}  // namespace

Raster<float> resample(const Raster<float>& from, const Raster<std::uint8_t>& valid, const AxisMap& cols,
                       const AxisMap& rows) {
  const auto col_taps = taps_of(cols, from.width());
  const auto row_taps = taps_of(rows, from.height());
  Raster<float> to(cols.size, rows.size, from.bands());
  for (int band = 0; band < from.bands(); ++band) {
    for (std::int64_t row = 0; row < rows.size; ++row) {
      for (std::int64_t col = 0; col < cols.size; ++col) {
        to.at(col, row, band) = mean_at(from, valid, band, col_taps[static_cast<std::size_t>(col)],
                                        row_taps[static_cast<std::size_t>(row)]);
      }
    }
  }
  return to;
}

Raster<std::uint8_t> resample_nearest(const Raster<std::uint8_t>& from, const AxisMap& cols,
                                      const AxisMap& rows) {
  Raster<std::uint8_t> to(cols.size, rows.size, from.bands());
  for (int band = 0; band < from.bands(); ++band) {
    for (std::int64_t row = 0; row < rows.size; ++row) {
      const std::int64_t y = nearest(rows, row, from.height());
      for (std::int64_t col = 0; col < cols.size; ++col)
        to.at(col, row, band) = from.at(nearest(cols, col, from.width()), y, band);
    }
  }
  return to;
}

}  // namespace furrow::segmentation
