#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/raster/raster.h>
#include <furrow/geo/vector/box_index.h>

namespace furrow::geo {

/// Polygons in pixel coordinates of a grid, burned by the rules of GDAL's rasteriser (see dataset_labels.h),
/// so that windows equal that part of the whole grid.
class GdalBurn {
 public:
  /// @throws GeometryError  a vertex is not finite or absurdly far away
  GdalBurn(std::span<const MultiPolygon> polygons, const Grid& grid);

  [[nodiscard]] bool empty() const { return m_parts.empty(); }

  /// Sets the pixels whose centre a polygon holds to value_of(position of the polygon), in the polygons'
  /// order.
  template <class T, class ValueOf>
  void fill(const Window& window, Raster<T>& out, const ValueOf& value_of) const {
    for_each_strip(window, [&](const Window& strip, const std::vector<std::size_t>& parts) {
      for (const std::size_t p : parts) {
        const T value = value_of(m_parts[p].polygon);
        fill_part(m_parts[p], strip, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
          T* line = &out.at(0, row - window.row);
          std::fill(line + (begin - window.col), line + (end - window.col), value);
        });
      }
    });
  }

  /// Sets every pixel that an outline runs through.
  template <class T>
  void outlines(const Window& window, Raster<T>& out, T value) const {
    for_each_strip(window, [&](const Window& strip, const std::vector<std::size_t>& parts) {
      for (const std::size_t p : parts) {
        touch_part(m_parts[p], strip, [&](std::int64_t row, std::int64_t col) {
          out.at(col - window.col, row - window.row) = value;
        });
      }
    });
  }

 private:
  struct Part {
    std::vector<Ring> rings;  ///< (col, row)
    std::size_t polygon = 0;
  };

  template <class Work>
  void for_each_strip(const Window& window, const Work& work) const {
    constexpr std::int64_t kRows = 128;
    const std::int64_t strips = (window.height + kRows - 1) / kRows;
    // Isolated: a waiting thread must not start one of the caller's other tasks.
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(std::int64_t{0}, strips, [&](std::int64_t i) {
        const Window strip = intersection({window.col, window.row + i * kRows, window.width, kRows}, window);
        const auto edge = [](std::int64_t v) { return static_cast<double>(v); };
        work(strip, m_index->query({edge(strip.col - 1), edge(strip.row - 1), edge(strip.end_col() + 1),
                                    edge(strip.end_row() + 1)}));
      });
    });
  }

  template <class Paint>
  void fill_part(const Part& part, const Window& strip, const Paint& paint) const;
  template <class Touch>
  void touch_part(const Part& part, const Window& strip, const Touch& touch) const;

  std::int64_t m_width;
  std::int64_t m_height;
  std::vector<Part> m_parts;
  std::unique_ptr<BoxIndex> m_index;
};

namespace gdal_burn {

/// Where the edges of a polygon cross the rows' centre lines of a strip: first columns, by row.
class Crossings {
 public:
  explicit Crossings(const Window& strip)
      : m_strip(strip), m_cols(static_cast<std::size_t>(strip.height)), m_first(strip.height) {}

  void add(Point a, Point b);

  template <class Paint>
  void paint(const Paint& paint) {
    for (std::int64_t r = m_first; r < m_end; ++r) {
      auto& cols = m_cols[static_cast<std::size_t>(r)];
      std::ranges::sort(cols);
      for (std::size_t k = 0; k + 1 < cols.size(); k += 2) span(r, cols[k], cols[k + 1], paint);
      cols.clear();
    }
    for (const auto& level : m_level) span(level.row, level.begin, level.end, paint);
  }

 private:
  struct Level {
    std::int64_t row;
    std::int64_t begin;
    std::int64_t end;
  };
  template <class Paint>
  void span(std::int64_t row, std::int64_t begin, std::int64_t end, const Paint& paint) const {
    begin = std::max(begin, m_strip.col);
    end = std::min(end, m_strip.end_col());
    if (begin < end) paint(m_strip.row + row, begin, end);
  }

  Window m_strip;
  std::vector<std::vector<std::int64_t>> m_cols;
  std::vector<Level> m_level;  ///< sides that lie exactly on a centre line
  std::int64_t m_first;
  std::int64_t m_end = 0;
};

/// Part of a side inside the grid, from left to right.
struct Walk {
  Point at;
  double end_x = 0.0;
  double slope = 0.0;
};

/// The sides that GDAL takes for upright or level: a block of pixels.
struct Touched {
  bool block = false;
  std::int64_t first_col = 0;
  std::int64_t last_col = -1;
  std::int64_t first_row = 0;
  std::int64_t last_row = -1;
  Walk walk;
};

[[nodiscard]] Touched touched_by(Point a, Point b, std::int64_t width, std::int64_t height);
/// Goes on to the next pixel.
void step(Walk& walk);

}  // namespace gdal_burn

template <class Paint>
void GdalBurn::fill_part(const Part& part, const Window& strip, const Paint& paint) const {
  gdal_burn::Crossings crossings(strip);
  for (const Ring& ring : part.rings) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      crossings.add(i == 0 ? ring.back() : ring[i - 1], ring[i]);
    }
  }
  crossings.paint(paint);
}

template <class Touch>
void GdalBurn::touch_part(const Part& part, const Window& strip, const Touch& touch) const {
  const auto touch_inside = [&](std::int64_t row, std::int64_t col) {
    if (row >= strip.row && row < strip.end_row() && col >= strip.col && col < strip.end_col()) {
      touch(row, col);
    }
  };
  for (const Ring& ring : part.rings) {
    for (std::size_t i = 1; i < ring.size(); ++i) {
      const double low = std::min(ring[i - 1].y, ring[i].y);
      const double high = std::max(ring[i - 1].y, ring[i].y);
      if (high < static_cast<double>(strip.row - 1) || low > static_cast<double>(strip.end_row() + 1))
        continue;
      gdal_burn::Touched touched = gdal_burn::touched_by(ring[i - 1], ring[i], m_width, m_height);
      if (touched.block) {
        for (std::int64_t row = std::max(touched.first_row, strip.row);
             row <= std::min(touched.last_row, strip.end_row() - 1); ++row) {
          for (std::int64_t col = std::max(touched.first_col, strip.col);
               col <= std::min(touched.last_col, strip.end_col() - 1); ++col) {
            touch(row, col);
          }
        }
        continue;
      }
      for (auto& walk = touched.walk; walk.at.x >= 0.0 && walk.at.x < walk.end_x; gdal_burn::step(walk)) {
        touch_inside(static_cast<std::int64_t>(std::floor(walk.at.y)),
                     static_cast<std::int64_t>(std::floor(walk.at.x)));
      }
    }
  }
}

}  // namespace furrow::geo
