#include <furrow/geo/raster/rasterize.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

// Vertices live on a lattice of 1/65536 pixel. A window moves them by whole pixels, so that whatever is
// computed from their differences is the same in every window, also for centres that lie exactly on an
// outline.
constexpr int kLatticeBits = 16;
constexpr std::int64_t kOne = std::int64_t{1} << kLatticeBits;
constexpr std::int64_t kHalf = kOne / 2;
constexpr double kFarthestPx = 1099511627776.0;  // 2^40: products of differences still fit 128 bits
constexpr double kSlackPx = 1e-6;                // so that rounding does not decide about ties in distance
constexpr std::int64_t kStripRows = 64;
__extension__ using Wide = __int128;

struct LatticePoint {
  std::int64_t x = 0;
  std::int64_t y = 0;
};

/// One side of a ring, in lattice units. `part` numbers the polygons of all multi-polygons in their order.
struct Edge {
  LatticePoint a;
  LatticePoint b;
  std::uint32_t part = 0;
};

/// The pixels a strip task works on: rows [row, row + height), columns [col, col + width).
struct Strip {
  std::int64_t col = 0;
  std::int64_t row = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

/// Half the boundary width measured in pixels' own units: |(dx * x, dy * y)| <= half.
struct Reach {
  double x = 1.0;  ///< units per column
  double y = 1.0;  ///< units per row
  double half = 0.0;
};

std::int64_t floor_div(std::int64_t n, std::int64_t d) {
  return n / d - static_cast<std::int64_t>(n % d != 0 && (n < 0) != (d < 0));
}

/// floor(a * b / d) without overflow, d > 0.
std::int64_t mul_div_floor(std::int64_t a, std::int64_t b, std::int64_t d) {
  constexpr std::int64_t kSmall = std::int64_t{1} << 31;
  if (a > -kSmall && a < kSmall && b > -kSmall && b < kSmall) return floor_div(a * b, d);
  const Wide n = static_cast<Wide>(a) * b;
  const Wide q = n / d;
  return static_cast<std::int64_t>(n % d != 0 && n < 0 ? q - 1 : q);
}

/// The number of pixel centres at or before a lattice coordinate: centre c lies at c + 1/2.
std::int64_t centres_until(std::int64_t v) {
  return ((v - kHalf) >> kLatticeBits) + 1;
}

class EdgeTable {
 public:
  /// Takes the edges that can matter for `grid` with a margin of `margin_rows` above and below.
  EdgeTable(std::span<const MultiPolygon> polygons, const Grid& grid, std::int64_t margin_rows)
      : m_grid(grid), m_margin(margin_rows) {
    const GeoTransform& t = grid.transform;
    (void)t.to_pixel({t.x0, t.y0});  // throws when there is no inverse, also without polygons
    for (std::size_t i = 0; i < polygons.size(); ++i) {
      for (const Polygon& polygon : polygons[i]) add(polygon, i);
    }
    make_strips();
  }

  [[nodiscard]] std::int64_t strips() const { return (m_grid.height + kStripRows - 1) / kStripRows; }
  [[nodiscard]] Strip strip(std::int64_t index, std::int64_t margin) const {
    const std::int64_t row = index * kStripRows;
    return {-margin, row - margin, m_grid.width + 2 * margin,
            std::min(kStripRows, m_grid.height - row) + 2 * margin};
  }
  /// Positions of the edges of a strip and its margin, in the order of the polygons.
  [[nodiscard]] std::span<const std::uint32_t> edges_of(std::int64_t index) const {
    const auto begin = m_offsets[static_cast<std::size_t>(index)];
    return std::span(m_sorted).subspan(begin, m_offsets[static_cast<std::size_t>(index) + 1] - begin);
  }
  [[nodiscard]] const Edge& edge(std::uint32_t position) const { return m_edges[position]; }
  [[nodiscard]] std::uint32_t polygon_of(std::uint32_t part) const { return m_polygon_of[part]; }

 private:
  [[nodiscard]] LatticePoint snap(Point world, std::size_t polygon) const {
    const Point p = m_grid.transform.to_pixel(world);
    if (!(std::abs(p.x) < kFarthestPx && std::abs(p.y) < kFarthestPx)) {
      throw GeometryError(
          concat("polygon ", polygon + 1, " has a vertex (", world.x, ", ", world.y,
                 ") that is not finite or absurdly far from the raster; check its coordinates"));
    }
    return {std::llround(p.x * static_cast<double>(kOne)), std::llround(p.y * static_cast<double>(kOne))};
  }

  void add(const Polygon& polygon, std::size_t index) {
    const std::size_t before = m_edges.size();
    add_ring(polygon.shell, index);
    for (const Ring& hole : polygon.holes) add_ring(hole, index);
    if (m_edges.size() == before) return;
    m_polygon_of.push_back(static_cast<std::uint32_t>(index));
    if (m_edges.size() > std::numeric_limits<std::uint32_t>::max()) {
      throw InvalidArgument("more than 4 billion vertices in one window; rasterise smaller windows");
    }
  }

  void add_ring(const Ring& ring, std::size_t index) {
    if (ring.empty()) return;
    const auto part = static_cast<std::uint32_t>(m_polygon_of.size());
    LatticePoint before = snap(ring.back(), index);
    for (const Point& p : ring) {
      const LatticePoint here = snap(p, index);
      const bool moves = here.x != before.x || here.y != before.y;
      if (moves && last_strip(before, here) >= first_strip(before, here))
        m_edges.push_back({before, here, part});
      before = here;
    }
  }

  [[nodiscard]] std::int64_t first_strip(const LatticePoint& a, const LatticePoint& b) const {
    const std::int64_t row = (std::min(a.y, b.y) >> kLatticeBits) - m_margin - 1;
    return std::max<std::int64_t>(0, floor_div(row, kStripRows));
  }
  [[nodiscard]] std::int64_t last_strip(const LatticePoint& a, const LatticePoint& b) const {
    const std::int64_t row = (std::max(a.y, b.y) >> kLatticeBits) + m_margin + 1;
    return std::min(strips() - 1, floor_div(row, kStripRows));
  }

  void make_strips() {
    m_offsets.assign(static_cast<std::size_t>(strips()) + 1, 0);
    const auto for_each_strip = [&](const Edge& e, const auto& work) {
      const std::int64_t last = last_strip(e.a, e.b);
      for (std::int64_t s = first_strip(e.a, e.b); s <= last; ++s) work(static_cast<std::size_t>(s));
    };
    for (const Edge& e : m_edges) for_each_strip(e, [&](std::size_t s) { ++m_offsets[s + 1]; });
    for (std::size_t s = 1; s < m_offsets.size(); ++s) m_offsets[s] += m_offsets[s - 1];
    m_sorted.resize(m_offsets.back());
    std::vector<std::size_t> next(m_offsets.begin(), m_offsets.end() - 1);
    for (std::size_t i = 0; i < m_edges.size(); ++i) {
      for_each_strip(m_edges[i], [&](std::size_t s) { m_sorted[next[s]++] = static_cast<std::uint32_t>(i); });
    }
  }

  const Grid& m_grid;
  std::int64_t m_margin;
  std::vector<Edge> m_edges;
  std::vector<std::uint32_t> m_polygon_of;  ///< by part
  std::vector<std::size_t> m_offsets;
  std::vector<std::uint32_t> m_sorted;
};

/// Fills one strip, part after part: `paint(row, first column, end column, polygon)`, all relative to the
/// strip.
class Filler {
 public:
  Filler(const EdgeTable& table, const Strip& strip)
      : m_table(table), m_strip(strip), m_crossings(static_cast<std::size_t>(strip.height)) {}

  template <class Paint>
  void fill(std::span<const std::uint32_t> edges, const Paint& paint) {
    for (std::size_t i = 0; i < edges.size();) {
      const std::uint32_t part = m_table.edge(edges[i]).part;
      m_first = m_strip.height;
      m_end = 0;
      for (; i < edges.size() && m_table.edge(edges[i]).part == part; ++i) cross(m_table.edge(edges[i]));
      paint_rows(m_table.polygon_of(part), paint);
    }
  }

 private:
  /// Notes where an edge crosses the rows' centre lines; a line through the upper end counts, the lower one
  /// does not.
  void cross(const Edge& e) {
    if (e.a.y == e.b.y) return;
    const LatticePoint& top = e.a.y < e.b.y ? e.a : e.b;
    const LatticePoint& bottom = e.a.y < e.b.y ? e.b : e.a;
    // First row with centre >= top, first with centre >= bottom.
    const std::int64_t begin = std::max(centres_until(top.y - 1) - m_strip.row, std::int64_t{0});
    const std::int64_t end = std::min(centres_until(bottom.y - 1) - m_strip.row, m_strip.height);
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t y = (r + m_strip.row) * kOne + kHalf;
      const std::int64_t x = top.x + mul_div_floor(bottom.x - top.x, y - top.y, bottom.y - top.y);
      const std::int64_t col = std::clamp(centres_until(x) - m_strip.col, std::int64_t{0}, m_strip.width);
      m_crossings[static_cast<std::size_t>(r)].push_back(col);
    }
    if (begin < end) {
      m_first = std::min(m_first, begin);
      m_end = std::max(m_end, end);
    }
  }

  template <class Paint>
  void paint_rows(std::uint32_t polygon, const Paint& paint) {
    for (std::int64_t r = m_first; r < m_end; ++r) {
      auto& cols = m_crossings[static_cast<std::size_t>(r)];
      std::ranges::sort(cols);
      for (std::size_t k = 0; k + 1 < cols.size(); k += 2) {
        if (cols[k] < cols[k + 1]) paint(r, cols[k], cols[k + 1], polygon);
      }
      cols.clear();
    }
  }

  const EdgeTable& m_table;
  Strip m_strip;
  std::vector<std::vector<std::int64_t>> m_crossings;
  std::int64_t m_first = 0;
  std::int64_t m_end = 0;
};

struct Interval {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double a, double b) {
    low = std::min(low, a);
    high = std::max(high, b);
  }
};

/// The points within `half` of the segment (0,0)-(dx,dy).
class NearSegment {
 public:
  NearSegment(double dx, double dy, double half)
      : m_dx(dx), m_dy(dy), m_half(half), m_length(std::hypot(dx, dy)) {}

  /// Where they lie on the horizontal line at height v.
  [[nodiscard]] Interval at(double v) const {
    Interval near;
    add_circle(near, v, 0.0, 0.0);
    add_circle(near, v, m_dx, m_dy);
    // Between the ends: |cross product| <= half * length and 0 <= dot product <= length^2.
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    const auto limit = [&](double a, double b) {
      low = std::max(low, std::min(a, b));
      high = std::min(high, std::max(a, b));
    };
    if (m_dy != 0.0) {
      limit((m_dx * v - m_half * m_length) / m_dy, (m_dx * v + m_half * m_length) / m_dy);
    } else if (std::abs(v) > m_half) {
      return near;
    }
    if (m_dx != 0.0) {
      limit(-m_dy * v / m_dx, (m_length * m_length - m_dy * v) / m_dx);
    } else if (m_dy * v < 0.0 || m_dy * v > m_length * m_length) {
      return near;
    }
    if (low <= high) near.include(low, high);
    return near;
  }

 private:
  void add_circle(Interval& near, double v, double x, double y) const {
    const double rest = m_half * m_half - (v - y) * (v - y);
    if (rest < 0.0) return;
    const double reach = std::sqrt(rest);
    near.include(x - reach, x + reach);
  }

  double m_dx;
  double m_dy;
  double m_half;
  double m_length;
};

/// Paints the pixels of a strip whose centres lie within reach of an edge: `paint(row, first column, end
/// column)`, relative to the strip.
template <class Paint>
void burn_edge(const Edge& e, const Reach& reach, const Strip& strip, const Paint& paint) {
  const auto px = [](std::int64_t v) { return static_cast<double>(v) / static_cast<double>(kOne); };
  const auto rows = static_cast<std::int64_t>(std::ceil(reach.half / reach.y)) + 1;
  const std::int64_t begin =
      std::max((std::min(e.a.y, e.b.y) >> kLatticeBits) - rows - strip.row, std::int64_t{0});
  const std::int64_t end =
      std::min((std::max(e.a.y, e.b.y) >> kLatticeBits) + rows + 1 - strip.row, strip.height);
  const NearSegment segment(px(e.b.x - e.a.x) * reach.x, px(e.b.y - e.a.y) * reach.y, reach.half);
  // The column of the first end apart from the rest: what is rounded is the same in every window.
  const std::int64_t base = ((e.a.x - kHalf) >> kLatticeBits) - strip.col;
  const double rest = px((e.a.x - kHalf) & (kOne - 1));
  for (std::int64_t r = begin; r < end; ++r) {
    const Interval near = segment.at(px((r + strip.row) * kOne + kHalf - e.a.y) * reach.y);
    if (near.low > near.high) continue;
    const double low = std::ceil(rest + near.low / reach.x);
    const double high = std::floor(rest + near.high / reach.x);
    const std::int64_t first = std::max(base + static_cast<std::int64_t>(low), std::int64_t{0});
    const std::int64_t last = std::min(base + static_cast<std::int64_t>(high), strip.width - 1);
    if (first <= last) paint(r, first, last + 1);
  }
}

/// True when a neighbour belongs to an earlier polygon and is not boundary yet, so that this pixel has to
/// give way.
bool touches_earlier(const std::vector<std::uint32_t>& instances, const std::vector<std::uint8_t>& boundary,
                     std::int64_t at, std::int64_t width) {
  const std::uint32_t own = instances[static_cast<std::size_t>(at)];
  for (const std::int64_t row : {-width, std::int64_t{0}, width}) {
    for (const std::int64_t col : {-1, 0, 1}) {
      const auto there = static_cast<std::size_t>(at + row + col);
      if (instances[there] != 0 && instances[there] < own && boundary[there] == 0) return true;
    }
  }
  return false;
}

Reach reach_of(const Grid& grid, const BoundaryOptions& boundary) {
  const double width = boundary.width_m.value_or(boundary.width_px);
  if (!(width >= 0.0) || !std::isfinite(width)) {
    throw InvalidArgument(concat("the boundary width must be 0 or more, got ", width));
  }
  Point size{1.0, 1.0};
  if (boundary.width_m) size = boundary.pixel_size_m ? *boundary.pixel_size_m : grid.pixel_size_m();
  if (!(size.x > 0.0 && size.y > 0.0 && std::isfinite(size.x) && std::isfinite(size.y))) {
    throw InvalidArgument(concat("a pixel of ", size.x, " x ", size.y, " m has no boundary width in metres"));
  }
  const double smaller = std::min(size.x, size.y);
  if (width / smaller > kFarthestPx)
    throw InvalidArgument(concat("a boundary width of ", width, " is absurd"));
  return {size.x, size.y, 0.5 * width + kSlackPx * smaller};
}

/// True when the boundary alone keeps touching fields apart, so that the touching rule never applies: centres
/// of neighbouring pixels are sqrt(2) pixels apart at most. Where two such pixels show different fields, an
/// outline of one of them runs between the centres, within half of that distance of the nearer one.
bool boundary_separates(const Reach& reach) {
  constexpr double kEnough = 0.71;  // a little more than sqrt(2) / 2
  return reach.half >= kEnough * std::max(reach.x, reach.y);
}

/// Interiors, then the boundary over them.
void label_strip_in_place(const EdgeTable& table, std::int64_t index, const Reach& reach,
                          Raster<std::uint8_t>& labels) {
  const Strip strip = table.strip(index, 0);
  const auto edges = table.edges_of(index);
  const auto paint = [&](std::int64_t row, std::int64_t begin, std::int64_t end, std::uint8_t label) {
    std::uint8_t* line = &labels.data()[static_cast<std::size_t>((strip.row + row) * strip.width)];
    std::fill(line + begin, line + end, label);
  };
  Filler(table, strip)
      .fill(edges, [&](std::int64_t row, std::int64_t begin, std::int64_t end, std::uint32_t /*polygon*/) {
        paint(row, begin, end, kInterior);
      });
  for (const std::uint32_t e : edges) {
    burn_edge(table.edge(e), reach, strip, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
      paint(row, begin, end, kBoundary);
    });
  }
}

/// The same with the touching rule, which looks at neighbours and at whose pixels they are.
void label_strip_with_touching_rule(const EdgeTable& table, std::int64_t index, const Reach& reach,
                                    Raster<std::uint8_t>& labels) {
  const Strip strip = table.strip(index, 1);
  const auto edges = table.edges_of(index);
  const auto pixels = static_cast<std::size_t>(strip.width * strip.height);
  std::vector<std::uint32_t> instances(pixels, 0);
  std::vector<std::uint8_t> boundary(pixels, 0);
  Filler(table, strip)
      .fill(edges, [&](std::int64_t row, std::int64_t begin, std::int64_t end, std::uint32_t polygon) {
        const auto line = instances.begin() + row * strip.width;
        std::fill(line + begin, line + end, polygon + 1);
      });
  for (const std::uint32_t e : edges) {
    burn_edge(table.edge(e), reach, strip, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
      const auto line = boundary.begin() + row * strip.width;
      std::fill(line + begin, line + end, std::uint8_t{1});
    });
  }
  for (std::int64_t row = 1; row + 1 < strip.height; ++row) {
    for (std::int64_t col = 1; col + 1 < strip.width; ++col) {
      const std::int64_t at = row * strip.width + col;
      const auto i = static_cast<std::size_t>(at);
      std::uint8_t label = kBackground;
      if (boundary[i] != 0) {
        label = kBoundary;
      } else if (instances[i] != 0) {
        label = touches_earlier(instances, boundary, at, strip.width) ? kBoundary : kInterior;
      }
      labels.at(col - 1, row - 1 + index * kStripRows) = label;
    }
  }
}

template <class Work>
void for_each_strip(const EdgeTable& table, const Work& work) {
  // Isolated: a waiting thread must not start one of the caller's other tasks.
  tbb::this_task_arena::isolate([&] { tbb::parallel_for(std::int64_t{0}, table.strips(), work); });
}

template <class T, class ValueOf>
Raster<T> fill_polygons(std::span<const MultiPolygon> polygons, const Grid& grid, const ValueOf& value_of) {
  Raster<T> out(grid.width, grid.height);
  if (grid.window().empty()) return out;
  const EdgeTable table(polygons, grid, 0);
  for_each_strip(table, [&](std::int64_t index) {
    const Strip strip = table.strip(index, 0);
    Filler(table, strip)
        .fill(table.edges_of(index),
              [&](std::int64_t row, std::int64_t begin, std::int64_t end, std::uint32_t polygon) {
                const auto line = out.data().begin() + (strip.row + row) * strip.width;
                std::fill(line + begin, line + end, value_of(polygon));
              });
  });
  return out;
}

}  // namespace

Point boundary_reach_px(const Grid& grid, const BoundaryOptions& boundary) {
  const Reach reach = reach_of(grid, boundary);
  return {std::ceil(reach.half / reach.x) + 1.0, std::ceil(reach.half / reach.y) + 1.0};
}

Raster<std::uint8_t> rasterize_extent(std::span<const MultiPolygon> polygons, const Grid& grid) {
  return fill_polygons<std::uint8_t>(polygons, grid, [](std::uint32_t) { return kInterior; });
}

Raster<std::uint32_t> rasterize_instances(std::span<const MultiPolygon> polygons, const Grid& grid) {
  return fill_polygons<std::uint32_t>(polygons, grid, [](std::uint32_t polygon) { return polygon + 1; });
}

Raster<std::uint8_t> rasterize_labels(std::span<const MultiPolygon> polygons, const Grid& grid,
                                      const BoundaryOptions& boundary) {
  const Reach reach = reach_of(grid, boundary);
  if (boundary.width_m.value_or(boundary.width_px) == 0.0) return rasterize_extent(polygons, grid);
  Raster<std::uint8_t> labels(grid.width, grid.height);
  if (grid.window().empty()) return labels;
  const auto margin = static_cast<std::int64_t>(std::ceil(reach.half / reach.y)) + 1;
  const EdgeTable table(polygons, grid, margin);
  const auto label_strip = boundary_separates(reach) ? label_strip_in_place : label_strip_with_touching_rule;
  for_each_strip(table, [&](std::int64_t index) { label_strip(table, index, reach, labels); });
  return labels;
}

}  // namespace furrow::geo
