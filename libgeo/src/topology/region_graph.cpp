#include <algorithm>
#include <numeric>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/topology/regions.h>

#include "basins.h"
#include "region_sums.h"
#include "strips.h"

namespace furrow::geo {
namespace {

/// Stands for background while pieces are labelled, so that it is a label like others.
constexpr std::uint32_t kBackgroundLabel = kOutsideInstance - 1U;

Raster<std::uint32_t> with_background(const Raster<std::uint32_t>& labels) {
  Raster<std::uint32_t> out(labels.width(), labels.height());
  detail::for_each_strip(detail::make_strips(labels.height()), [&](const detail::Strip& strip) {
    for (auto i = static_cast<std::size_t>(strip.begin * labels.width());
         i < static_cast<std::size_t>(strip.end * labels.width()); ++i) {
      out.data()[i] = labels.data()[i] == 0 ? kBackgroundLabel : labels.data()[i];
    }
  });
  return out;
}

}  // namespace

RegionsByStrips::RegionsByStrips(std::int64_t width, std::int64_t height, const PixelAreas& areas)
    : m_width(width), m_height(height), m_areas(areas), m_parent(1, 0), m_label(1, 0), m_stats(1) {}

Raster<std::uint32_t> RegionsByStrips::add(const Raster<std::uint32_t>& labels,
                                           const Raster<std::uint8_t>& boundary, ExecContext& exec) {
  if (labels.width() != m_width || boundary.pixels() != labels.pixels() ||
      m_next_row + labels.height() > m_height) {
    throw InvalidArgument("rows of labels that do not fit the raster");
  }
  LabelledRaster found = label_components(with_background(labels), Connectivity::kFour, exec);
  Raster<std::uint32_t>& pieces = found.labels;
  const auto first = static_cast<std::uint32_t>(m_parent.size() - 1);
  if (m_parent.size() + found.count >= kBackgroundLabel) {
    throw InvalidArgument(
        "the scores fall into more than 2^32 pieces; raise the cut or the extent threshold");
  }
  const auto for_each_pixel = [&](const auto& work) {
    detail::for_each_strip(detail::make_strips(labels.height()), [&](const detail::Strip& strip) {
      const auto end = static_cast<std::size_t>(strip.end * m_width);
      for (auto i = static_cast<std::size_t>(strip.begin * m_width); i < end; ++i) work(i);
    });
  };
  for_each_pixel([&](std::size_t i) {
    if (labels.data()[i] == kUnknownInstance) pieces.data()[i] = kUnknownInstance;
  });
  const auto stats = region_stats(pieces, found.count, m_areas, {m_next_row, m_height}, exec);
  m_stats.insert(m_stats.end(), stats.begin() + 1, stats.end());
  for (SharedEdge edge : shared_edges(pieces, boundary, m_areas, m_next_row, exec)) {
    edge.a += first;
    edge.b += first;
    m_edges.push_back(edge);
  }
  for (std::uint32_t i = 1; i <= found.count; ++i) {
    const std::int64_t at = stats[i].first_pixel - m_next_row * m_width;
    m_label.push_back(labels.data()[static_cast<std::size_t>(at)]);
    m_parent.push_back(first + i);
  }
  for_each_pixel([&](std::size_t i) {
    if (pieces.data()[i] != kUnknownInstance) pieces.data()[i] += first;
  });
  join_rows(pieces, boundary);
  m_next_row += labels.height();
  return std::move(pieces);
}

void RegionsByStrips::join_rows(const Raster<std::uint32_t>& pieces, const Raster<std::uint8_t>& boundary) {
  const std::int64_t side = m_areas.side_along_row(m_next_row);
  for (std::size_t col = 0; col < m_last_pieces.size(); ++col) {
    const std::uint32_t above = m_last_pieces[col];
    const std::uint32_t below = pieces.data()[col];
    if (above == kUnknownInstance || below == kUnknownInstance) {
      if (above != kUnknownInstance) m_stats[above].touches_unknown = true;
      if (below != kUnknownInstance) m_stats[below].touches_unknown = true;
    } else if (m_label[above] == m_label[below]) {
      const std::uint32_t a = detail::find(m_parent, above);
      const std::uint32_t b = detail::find(m_parent, below);
      m_parent[std::max(a, b)] = std::min(a, b);
      m_stats[above].along_rows -= 2 * side;  // counted as outline of both
    } else {
      const std::int64_t strength = std::max(m_last_boundary[col], boundary.data()[col]);
      // Along a row the same two meet again and again.
      if (!m_edges.empty() && m_edges.back().a == above && m_edges.back().b == below) {
        detail::add_edge(m_edges.back(), {0, 0, 1, strength, side, 0});
      } else {
        m_edges.push_back({above, below, 1, strength, side, 0});
      }
    }
  }
  const auto width = static_cast<std::ptrdiff_t>(m_width);
  m_last_pieces.assign(pieces.data().end() - width, pieces.data().end());
  m_last_boundary.assign(boundary.data().end() - width, boundary.data().end());
}

RegionGraph RegionsByStrips::number_regions(std::vector<std::uint32_t>& region_of_piece) {
  // The root of a region is its lowest piece, so its statistics are complete once all pieces have been added.
  std::vector<std::uint32_t> roots;
  for (std::uint32_t i = 1; i < m_parent.size(); ++i) {
    const std::uint32_t root = detail::find(m_parent, i);
    if (root == i) {
      roots.push_back(i);
      continue;
    }
    detail::add_stats(m_stats[root], m_stats[i]);
  }
  std::ranges::sort(roots, {}, [&](std::uint32_t root) {
    return std::pair(m_label[root] == 0, m_stats[root].first_pixel);
  });
  RegionGraph graph;
  graph.stats.resize(1);
  region_of_piece.assign(m_parent.size(), 0);
  for (const std::uint32_t root : roots) {
    region_of_piece[root] = static_cast<std::uint32_t>(graph.stats.size());
    graph.stats.push_back(m_stats[root]);
    if (m_label[root] != 0) ++graph.fields;
  }
  for (std::uint32_t i = 1; i < m_parent.size(); ++i) region_of_piece[i] = region_of_piece[m_parent[i]];
  return graph;
}

RegionGraph RegionsByStrips::finish(std::vector<std::uint32_t>& region_of_piece) {
  if (m_next_row != m_height) throw InvalidArgument("the regions lack rows");
  RegionGraph graph = number_regions(region_of_piece);
  m_stats = {};
  m_label = {};
  m_parent = {};
  graph.edges = std::move(m_edges);
  detail::merge_edges(graph.edges, region_of_piece);
  return graph;
}

namespace {

/// The owners of regions while they are cleaned: a field, or 0.
class Cleaner {
 public:
  explicit Cleaner(const RegionGraph& graph) : m_graph(graph) {
    m_result.field.resize(graph.stats.size(), 0);
    std::iota(m_result.field.begin(), m_result.field.begin() + graph.fields + 1, std::uint32_t{0});
  }

  CleanResult run(const CleanRules& rules) {
    fill_holes(rules.largest_hole);
    absorb(rules.size);
    // What was rejected inside a field left a hole.
    if (m_result.rejects.size() > 1) fill_holes(rules.largest_hole);
    number_fields();
    number_rejects();
    return std::move(m_result);
  }

 private:
  /// A piece of background and what surrounds it.
  struct Hole {
    std::int64_t area = 0;
    std::int64_t pixels = 0;  ///< that were in no instance
    std::uint32_t field = 0;  ///< the first one met
    bool enclosed = true;     ///< by that field alone
  };

  void fill_holes(std::int64_t largest) {
    std::vector<std::uint32_t>& owner = m_result.field;
    std::vector<std::uint32_t> piece(owner.size());  // of background
    std::iota(piece.begin(), piece.end(), std::uint32_t{0});
    for (const SharedEdge& edge : m_graph.edges) {
      if (owner[edge.a] != 0 || owner[edge.b] != 0) continue;
      const std::uint32_t a = detail::find(piece, edge.a);
      const std::uint32_t b = detail::find(piece, edge.b);
      piece[std::max(a, b)] = std::min(a, b);
    }
    std::vector<Hole> holes(owner.size());
    for (std::uint32_t i = 1; i < owner.size(); ++i) {
      if (owner[i] != 0) continue;
      Hole& hole = holes[detail::find(piece, i)];
      const RegionStats& stats = m_graph.stats[i];
      hole.area += stats.area;
      const bool is_rejected = !m_result.reject.empty() && m_result.reject[i] != 0;
      if (!is_rejected) hole.pixels += stats.pixels;
      if (stats.touches_edge || stats.touches_unknown) hole.enclosed = false;
    }
    for (const SharedEdge& edge : m_graph.edges) {
      if ((owner[edge.a] == 0) == (owner[edge.b] == 0)) continue;
      const std::uint32_t field = std::max(owner[edge.a], owner[edge.b]);
      Hole& hole = holes[detail::find(piece, owner[edge.a] == 0 ? edge.a : edge.b)];
      if (hole.field == 0) hole.field = field;
      if (hole.field != field) hole.enclosed = false;
    }
    for (std::uint32_t i = 1; i < owner.size(); ++i) {
      if (owner[i] != 0) continue;
      const std::uint32_t root = detail::find(piece, i);
      const Hole& hole = holes[root];
      if (!hole.enclosed || hole.field == 0 || hole.area >= largest) continue;
      owner[i] = hole.field;
      if (i != root) continue;
      ++m_result.holes;
      m_result.hole_pixels += hole.pixels;
    }
  }

  void absorb(const SizeRules& rules) {
    AbsorbResult small = absorb_small(owned_stats(m_graph.fields), m_graph.edges, rules);
    m_result.absorbed = small.absorbed;
    m_result.rejects = std::move(small.rejects);
    for (const std::uint32_t owner : m_result.field) m_result.reject.push_back(small.reject[owner]);
    for (std::uint32_t& owner : m_result.field) owner = small.target[owner];
  }

  [[nodiscard]] std::vector<RegionStats> owned_stats(std::uint32_t largest) const {
    std::vector<RegionStats> stats(static_cast<std::size_t>(largest) + 1);
    for (std::size_t i = 1; i < m_result.field.size(); ++i) {
      if (m_result.field[i] != 0) detail::add_stats(stats[m_result.field[i]], m_graph.stats[i]);
    }
    for (const SharedEdge& edge : m_graph.edges) {
      const std::uint32_t owner = m_result.field[edge.a];
      if (owner != 0 && owner == m_result.field[edge.b]) detail::drop_edge(stats[owner], edge);
    }
    return stats;
  }

  /// Numbers fields by first pixel, and says what is known of them.
  void number_fields() {
    const std::vector<RegionStats> stats = owned_stats(m_graph.fields);
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 1; i < stats.size(); ++i) {
      if (stats[i].pixels > 0) order.push_back(i);
    }
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return stats[i].first_pixel; });
    std::vector<std::uint32_t> number(stats.size(), 0);
    m_result.stats.resize(1);
    for (const std::uint32_t i : order) {
      number[i] = static_cast<std::uint32_t>(m_result.stats.size());
      m_result.stats.push_back(stats[i]);
    }
    for (std::uint32_t& owner : m_result.field) owner = number[owner];
    // Most edges are inside a field or beside nothing by now: never a copy of all.
    for (SharedEdge edge : m_graph.edges) {
      const auto [a, b] = std::minmax(m_result.field[edge.a], m_result.field[edge.b]);
      if (a == b || a == 0) continue;
      edge.a = a;
      edge.b = b;
      m_result.edges.push_back(edge);
    }
    detail::merge_edges(m_result.edges);
  }

  /// Numbers by first pixel what was rejected and has not been filled as a hole since.
  void number_rejects() {
    std::vector<std::uint32_t> order;
    std::vector<bool> stays(m_result.rejects.size(), false);
    for (std::size_t i = 0; i < m_result.reject.size(); ++i) {
      const std::uint32_t place = m_result.reject[i];
      if (place == 0 || m_result.field[i] != 0 || stays[place]) continue;
      stays[place] = true;
      order.push_back(place);
    }
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return m_result.rejects[i].stats.first_pixel; });
    std::vector<std::uint32_t> number(m_result.rejects.size(), 0);
    std::vector<Reject> rejects(1);
    for (const std::uint32_t i : order) {
      number[i] = static_cast<std::uint32_t>(rejects.size());
      rejects.push_back(m_result.rejects[i]);
    }
    m_result.rejects = std::move(rejects);
    for (std::uint32_t& place : m_result.reject) place = number[place];
  }

  const RegionGraph& m_graph;
  CleanResult m_result;
};

}  // namespace

CleanResult clean_regions(const RegionGraph& graph, const CleanRules& rules) {
  return Cleaner(graph).run(rules);
}

}  // namespace furrow::geo
