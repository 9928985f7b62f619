#include <furrow/geo/topology/regions.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>

#include <furrow/geo/core/error.h>
#include <furrow/geo/topology/watershed.h>

#include "pair_map.h"
#include "region_sums.h"
#include "strips.h"

namespace furrow::geo {

PixelAreas::PixelAreas(const Grid& grid) {
  const GeodesicMeasure measure(grid.crs);
  // A run of pixels along the row: the area of a single small pixel would lose digits.
  const double run = static_cast<double>(std::clamp<std::int64_t>(grid.width, 1, 64));
  const double left = 0.5 * (static_cast<double>(grid.width) - run);
  std::vector<double> area_m2(static_cast<std::size_t>(grid.height));
  std::vector<double> along_row_m;
  std::vector<double> along_column_m;
  const auto corner = [&](double col, double r) { return grid.transform.to_world({col, r}); };
  for (std::int64_t row = 0; row <= grid.height; ++row) {
    const auto y = static_cast<double>(row);
    along_row_m.push_back(measure.distance_m(corner(left, y), corner(left + run, y)) / run);
    if (row == grid.height) break;
    const double middle = left + 0.5 * run;
    along_column_m.push_back(measure.distance_m(corner(middle, y), corner(middle, y + 1.0)));
    const Polygon strip{{corner(left, y), corner(left + run, y), corner(left + run, y + 1.0),
                         corner(left, y + 1.0), corner(left, y)},
                        {}};
    area_m2[static_cast<std::size_t>(row)] = measure.area_m2({strip}) / run;
  }
  set(area_m2);
  for (const double length : along_row_m) m_along_rows.push_back(std::llround(length_from_m(length)));
  for (const double length : along_column_m) m_along_columns.push_back(std::llround(length_from_m(length)));
}

PixelAreas::PixelAreas(std::int64_t rows, double pixel_m2) {
  set(std::vector<double>(static_cast<std::size_t>(rows), pixel_m2));
  const std::int64_t side = std::llround(length_from_m(std::sqrt(pixel_m2)));
  m_along_rows.assign(static_cast<std::size_t>(rows) + 1, side);
  m_along_columns.assign(static_cast<std::size_t>(rows), side);
}

void PixelAreas::set(const std::vector<double>& area_m2) {
  // About a million units a pixel: sums over 2^32 pixels still fit, and no pixel is off by more than a
  // millionth.
  const double middle = area_m2.empty() ? 1.0 : area_m2[area_m2.size() / 2];
  if (!(middle > 0.0)) throw InvalidArgument("the raster's pixels have no area on the ground");
  m_unit_m2 = middle / 1048576.0;
  m_rows.reserve(area_m2.size());
  for (const double a : area_m2) m_rows.push_back(std::llround(a / m_unit_m2));
  if (m_rows.empty()) m_rows.push_back(1048576);
}

std::int64_t PixelAreas::from_m2(double area_m2) const {
  const double units = area_m2 / m_unit_m2;
  return units >= 9e18 ? std::int64_t{9'000'000'000'000'000'000} : std::llround(units);
}

double PixelAreas::length_to_m(double units) const {
  return units * std::sqrt(m_unit_m2 / static_cast<double>(kSquaresPerUnit));
}

double PixelAreas::length_from_m(double length_m) const {
  return length_m / std::sqrt(m_unit_m2 / static_cast<double>(kSquaresPerUnit));
}

double equivalent_width(const RegionStats& region) {
  if (region.area <= 0) return 0.0;
  const double area = static_cast<double>(region.area) * static_cast<double>(PixelAreas::kSquaresPerUnit);
  const auto h = static_cast<double>(region.along_rows);
  const auto v = static_cast<double>(region.along_columns);
  const double q = 0.25 * (h * h + v * v);
  const double r = 0.25 * h * v;
  const double root = std::sqrt(std::max(0.0, 0.25 * q * q - 4.0 * area * (r - area)));
  const double turn = std::clamp(2.0 * (r - area) / (0.5 * q + root), 0.0, 1.0);
  const double squares = std::max(q - 2.0 * area * turn, 2.0 * area);  // of both sides
  return 2.0 * area / (std::sqrt(squares + 2.0 * area) + std::sqrt(squares - 2.0 * area));
}

std::vector<RegionStats> region_stats(const Raster<std::uint32_t>& instances, std::uint32_t count,
                                      const PixelAreas& areas, const RowsInRaster& at, ExecContext& exec) {
  exec.check_cancelled();
  const std::int64_t width = instances.width();
  const std::int64_t rows = instances.height();
  const auto strips = detail::make_strips(rows);
  std::vector<std::unordered_map<std::uint32_t, RegionStats>> parts(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    auto& part = parts[static_cast<std::size_t>(strip.index)];
    for (std::int64_t row = strip.begin; row < strip.end; ++row) {
      const std::uint32_t* here = instances.data().data() + row * width;
      for (std::int64_t col = 0; col < width;) {
        const std::uint32_t label = here[col];
        const std::int64_t begin = col;
        while (col < width && here[col] == label) ++col;
        if (!is_field(label)) continue;
        RegionStats& stats = part[label];
        const std::int64_t y = at.first + row;
        if (stats.pixels == 0) stats.first_pixel = y * width + begin;
        stats.pixels += col - begin;
        stats.area += (col - begin) * areas.row(y);
        stats.touches_edge |= begin == 0 || col == width || y == 0 || y + 1 == at.total;
        bool unknown = (begin > 0 && here[begin - 1] == kUnknownInstance) ||
                       (col < width && here[col] == kUnknownInstance);
        for (std::int64_t k = begin; k < col && !unknown && !stats.touches_unknown; ++k) {
          unknown = (row > 0 && here[k - width] == kUnknownInstance) ||
                    (row + 1 < rows && here[k + width] == kUnknownInstance);
        }
        stats.touches_unknown |= unknown;
        const auto sides = [&](bool in_memory, std::int64_t offset) {
          if (!in_memory) return col - begin;
          std::int64_t differ = 0;
          for (std::int64_t k = begin; k < col; ++k) differ += here[k + offset] != label ? 1 : 0;
          return differ;
        };
        stats.along_rows += sides(row > 0, -width) * areas.side_along_row(y) +
                            sides(row + 1 < rows, width) * areas.side_along_row(y + 1);
        stats.along_columns += 2 * areas.side_along_column(y);
      }
    }
  });
  std::vector<RegionStats> all(static_cast<std::size_t>(count) + 1);
  for (const auto& part : parts) {
    for (const auto& [label, stats] : part) {
      detail::add_stats(all[label], stats);
    }
  }
  return all;
}

double SharedEdge::mean_score() const {
  return static_cast<double>(strength) / (static_cast<double>(sides) * kScoreLevels);
}

std::vector<SharedEdge> shared_edges(const Raster<std::uint32_t>& instances,
                                     const Raster<std::uint8_t>& boundary, const PixelAreas& areas,
                                     std::int64_t first_row, ExecContext& exec) {
  exec.check_cancelled();
  const std::int64_t width = instances.width();
  const std::int64_t rows = instances.height();
  const auto strips = detail::make_strips(rows);
  std::vector<detail::PairMap<SharedEdge>> parts(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    auto& part = parts[static_cast<std::size_t>(strip.index)];
    const auto& label = instances.data();
    const auto look = [&](std::size_t i, std::size_t k, std::int64_t along_row, std::int64_t along_column) {
      if (label[i] == label[k] || !is_field(label[i]) || !is_field(label[k])) return;
      bool is_new = false;
      const std::int64_t strength = std::max(boundary.data()[i], boundary.data()[k]);
      detail::add_edge(part.at(label[i], label[k], is_new), {0, 0, 1, strength, along_row, along_column});
    };
    for (std::int64_t row = strip.begin; row < strip.end; ++row) {
      const std::int64_t below = areas.side_along_row(first_row + row + 1);
      const std::int64_t beside = areas.side_along_column(first_row + row);
      for (std::int64_t col = 0; col < width; ++col) {
        const auto i = static_cast<std::size_t>(row * width + col);
        if (col + 1 < width) look(i, i + 1, 0, beside);
        if (row + 1 < rows) look(i, i + static_cast<std::size_t>(width), below, 0);
      }
    }
  });
  std::vector<SharedEdge> all;
  for (auto& part : parts) {
    for (const auto& entry : part.entries()) {
      all.push_back(entry.value);
      all.back().a = entry.a;
      all.back().b = entry.b;
    }
  }
  detail::merge_edges(all);
  return all;
}

namespace {

/// The neighbourhood of instances while they absorb each other.
class Absorber {
 public:
  Absorber(std::vector<RegionStats> stats, std::span<const SharedEdge> edges, const SizeRules& rules)
      : m_rules(rules), m_stats(std::move(stats)), m_neighbours(m_stats.size()) {
    m_result.target.resize(m_stats.size());
    m_result.rejects.resize(1);
    std::iota(m_result.target.begin(), m_result.target.end(), std::uint32_t{0});
    // Who is large enough never looks for a neighbour.
    const auto matters = [&](const SharedEdge& edge) {
      return edge.b < m_stats.size() && (is_small(edge.a) || is_small(edge.b));
    };
    m_edges.reserve(static_cast<std::size_t>(std::ranges::count_if(edges, matters)));
    if (m_edges.capacity() >= kOutsideInstance) throw InvalidArgument("too many small instances to clean up");
    for (const auto& edge : edges) {
      if (!matters(edge)) continue;
      const auto place = static_cast<std::uint32_t>(m_edges.size());
      m_neighbours[edge.a][edge.b] = m_neighbours[edge.b][edge.a] = place;
      m_edges.push_back(edge);
    }
  }

  AbsorbResult run() {
    std::set<std::pair<std::int64_t, std::uint32_t>> small;
    for (std::uint32_t i = 1; i < m_stats.size(); ++i) {
      if (m_stats[i].pixels > 0 && is_small(i)) small.emplace(m_stats[i].area, i);
    }
    while (!small.empty()) {
      const std::uint32_t label = small.begin()->second;
      small.erase(small.begin());
      const std::uint32_t into = longest_neighbour(label);
      if (into == 0 || !(edge(label, into).mean_score() < m_rules.weak_below)) {
        reject(label, into);
        continue;
      }
      const bool was_small = small.erase({m_stats[into].area, into}) == 1;
      absorb(label, into);
      if (was_small && is_small(into)) small.emplace(m_stats[into].area, into);
    }
    follow_chains();
    return std::move(m_result);
  }

 private:
  /// Or narrow.
  [[nodiscard]] bool is_small(std::uint32_t label) const {
    return m_stats[label].area < m_rules.min_area ||
           (m_rules.min_width > 0.0 && equivalent_width(m_stats[label]) < m_rules.min_width);
  }

  [[nodiscard]] const SharedEdge& edge(std::uint32_t label, std::uint32_t other) const {
    return m_edges[m_neighbours[label].at(other)];
  }
  /// The one with the longest common edge; 0 without neighbour.
  [[nodiscard]] std::uint32_t longest_neighbour(std::uint32_t label) const {
    std::uint32_t best = 0;
    std::int64_t sides = 0;
    for (const auto& [other, place] : m_neighbours[label]) {
      if (m_edges[place].sides > sides) {
        best = other;
        sides = m_edges[place].sides;
      }
    }
    return best;
  }
  /// @param beside  its longest_neighbour
  void reject(std::uint32_t label, std::uint32_t beside) {
    const bool large = m_stats[label].area >= m_rules.min_area;
    Reject rejected{large ? RejectReason::kNarrow : RejectReason::kSmall, m_stats[label], {}};
    if (beside != 0) rejected.edge_score = edge(label, beside).mean_score();
    m_rejected.emplace_back(label, static_cast<std::uint32_t>(m_result.rejects.size()));
    m_result.rejects.push_back(rejected);
    for (const auto& [other, place] : m_neighbours[label]) m_neighbours[other].erase(label);
    m_neighbours[label].clear();
  }
  void absorb(std::uint32_t label, std::uint32_t into) {
    detail::add_stats(m_stats[into], m_stats[label]);
    detail::drop_edge(m_stats[into], edge(label, into));
    for (const auto& [other, place] : m_neighbours[label]) {
      m_neighbours[other].erase(label);
      if (other == into) continue;
      const auto [joined, is_new] = m_neighbours[into].try_emplace(other, place);
      if (is_new) {
        m_neighbours[other][into] = place;
      } else {
        detail::add_edge(m_edges[joined->second], m_edges[place]);
      }
    }
    m_neighbours[label].clear();
    m_result.target[label] = into;
    ++m_result.absorbed;
  }
  /// A chain of absorptions ends at its last member, a field or a reject.
  void follow_chains() {
    m_result.reject.assign(m_stats.size(), 0);
    for (const auto& [label, place] : m_rejected) m_result.reject[label] = place;
    std::vector<std::uint32_t>& target = m_result.target;
    for (std::uint32_t i = 1; i < target.size(); ++i) {
      std::uint32_t last = i;
      while (target[last] != last) last = target[last];
      target[i] = last;
      m_result.reject[i] = m_result.reject[last];
    }
    for (std::uint32_t i = 1; i < target.size(); ++i) {
      if (m_result.reject[i] != 0) target[i] = 0;
    }
  }

  SizeRules m_rules;
  std::vector<RegionStats> m_stats;
  std::vector<SharedEdge> m_edges;
  std::vector<std::map<std::uint32_t, std::uint32_t>> m_neighbours;  ///< with the place of the common edge
  std::vector<std::pair<std::uint32_t, std::uint32_t>> m_rejected;   ///< label and place
  AbsorbResult m_result;
};

}  // namespace

AbsorbResult absorb_small(std::vector<RegionStats> stats, std::span<const SharedEdge> edges,
                          const SizeRules& rules) {
  return Absorber(std::move(stats), edges, rules).run();
}

}  // namespace furrow::geo
