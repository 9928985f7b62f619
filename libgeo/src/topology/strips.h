#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

namespace furrow::geo::detail {

/// Rows [begin, end) that one task works on.
struct Strip {
  std::int64_t index = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

inline constexpr std::int64_t kStripRows = 64;

/// Cuts the rows [first, end) into strips. The cut never changes a result, only how work is shared out.
inline std::vector<Strip> make_strips(std::int64_t first, std::int64_t end) {
  std::vector<Strip> strips;
  for (std::int64_t row = first; row < end; row += kStripRows) {
    strips.push_back({static_cast<std::int64_t>(strips.size()), row, std::min(end, row + kStripRows)});
  }
  return strips;
}
inline std::vector<Strip> make_strips(std::int64_t rows) {
  return make_strips(0, rows);
}

/// Calls work(strip) for every strip, in parallel.
template <class Work>
void for_each_strip(const std::vector<Strip>& strips, const Work& work) {
  tbb::parallel_for(std::size_t{0}, strips.size(), [&](std::size_t i) { work(strips[i]); });
}

/// Calls work(i) for the position of every pixel, in parallel.
template <class Raster, class Work>
void for_each_pixel(const Raster& raster, const Work& work) {
  for_each_strip(make_strips(raster.height()), [&](const Strip& strip) {
    const auto end = static_cast<std::size_t>(strip.end * raster.width());
    for (auto i = static_cast<std::size_t>(strip.begin * raster.width()); i < end; ++i) work(i);
  });
}

}  // namespace furrow::geo::detail
