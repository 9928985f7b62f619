#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <furrow/geo/raster/statistics.h>

namespace furrow::test {

/// Statistics by their definition: all values sorted.
/// @param values  at least one
inline geo::ValueStatistics slow_statistics(std::vector<double> values, std::span<const double> percentiles) {
  std::ranges::sort(values);
  geo::ValueStatistics s;
  s.pixels = std::ssize(values);
  s.min = values.front();
  s.max = values.back();
  for (const double percent : percentiles) {
    const double rank = percent / 100.0 * static_cast<double>(values.size() - 1);
    const auto i = static_cast<std::size_t>(rank);
    const double next = values[std::min(i + 1, values.size() - 1)];
    s.percentiles.push_back(values[i] + (rank - std::floor(rank)) * (next - values[i]));
  }
  long double sum = 0;
  for (const double v : values) sum += static_cast<long double>(v);
  const long double mean = sum / static_cast<long double>(values.size());
  long double squares = 0;
  for (const double v : values)
    squares += (static_cast<long double>(v) - mean) * (static_cast<long double>(v) - mean);
  s.mean = static_cast<double>(mean);
  s.sd = static_cast<double>(std::sqrt(squares / static_cast<long double>(values.size())));
  return s;
}

}  // namespace furrow::test
