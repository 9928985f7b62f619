#include <furrow/geo/topology/watershed.h>

#include <algorithm>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "basins.h"
#include "strips.h"

namespace furrow::geo {
namespace {

void check(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask, int cut_level) {
  if (boundary.width() != mask.width() || boundary.height() != mask.height()) {
    throw InvalidArgument("boundary scores and mask differ in size");
  }
  if (cut_level < 1 || cut_level > kScoreLevels) {
    throw InvalidArgument(concat("the cut must be 1..", kScoreLevels, " score levels, got ", cut_level));
  }
  if (boundary.pixels() >= static_cast<std::int64_t>(kOutsideInstance)) {
    throw InvalidArgument(
        concat("a raster of ", mask.width(), " x ", mask.height(), " px is too large to split at once"));
  }
}

/// basin + first + 1 for the rows [begin, end), 0 outside the mask.
Raster<std::uint32_t> number_pixels(const std::vector<detail::Index>& basin, std::int64_t width,
                                    std::int64_t begin, std::int64_t end, std::uint32_t first) {
  Raster<std::uint32_t> labels(width, end - begin);
  detail::for_each_strip(detail::make_strips(end - begin), [&](const detail::Strip& strip) {
    for (std::int64_t i = strip.begin * width; i < strip.end * width; ++i) {
      const detail::Index found = basin[static_cast<std::size_t>(i + begin * width)];
      if (found != detail::kNone) labels.data()[static_cast<std::size_t>(i)] = found + first + 1;
    }
  });
  return labels;
}

}  // namespace

LabelledRaster watershed(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                         int cut_level, ExecContext& exec) {
  check(boundary, mask, cut_level);
  if (mask.empty()) return {Raster<std::uint32_t>(mask.width(), mask.height()), 0};
  const detail::BlockBasins basins =
      detail::block_basins(boundary, mask, {0, mask.height(), 0, true, true}, cut_level, exec);
  LabelledRaster result{number_pixels(basins.of_pixel, mask.width(), 0, mask.height(), 0), 0};
  result.count =
      renumber_by_first_pixel(result.labels, static_cast<std::uint32_t>(basins.graph.floor.size()));
  return result;
}

WatershedHierarchy::WatershedHierarchy(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                                       int lowest_cut, ExecContext& exec)
    : m_width(mask.width()), m_height(mask.height()), m_lowest_cut(lowest_cut) {
  check(boundary, mask, lowest_cut);
  if (!mask.empty()) {
    m_basins = std::make_unique<detail::WholeBasins>(detail::whole_basins(boundary, mask, lowest_cut, exec));
  }
}
WatershedHierarchy::~WatershedHierarchy() = default;
WatershedHierarchy::WatershedHierarchy(WatershedHierarchy&&) noexcept = default;
WatershedHierarchy& WatershedHierarchy::operator=(WatershedHierarchy&&) noexcept = default;

LabelledRaster WatershedHierarchy::cut(int cut_level) const {
  if (cut_level < m_lowest_cut || cut_level > kScoreLevels) {
    throw InvalidArgument(
        concat("the cut must be ", m_lowest_cut, "..", kScoreLevels, " score levels, got ", cut_level));
  }
  LabelledRaster result{Raster<std::uint32_t>(m_width, m_height), 0};
  if (m_basins == nullptr) return result;
  detail::BasinGraph graph = m_basins->graph;
  const std::vector<detail::Index> group = detail::join_below(graph, cut_level);
  detail::for_each_strip(detail::make_strips(m_height), [&](const detail::Strip& strip) {
    const auto end = static_cast<std::size_t>(strip.end * m_width);
    for (auto i = static_cast<std::size_t>(strip.begin * m_width); i < end; ++i) {
      const detail::Index basin = m_basins->of_pixel[i];
      if (basin != detail::kNone) result.labels.data()[i] = group[basin] + 1;
    }
  });
  result.count = renumber_by_first_pixel(result.labels, static_cast<std::uint32_t>(group.size()));
  return result;
}

WatershedByStrips::WatershedByStrips(std::int64_t width, std::int64_t height, int cut_level)
    : m_width(width), m_height(height), m_cut_level(cut_level) {
  if (cut_level < 1 || cut_level > kScoreLevels) {
    throw InvalidArgument(concat("the cut must be 1..", kScoreLevels, " score levels, got ", cut_level));
  }
}
WatershedByStrips::~WatershedByStrips() = default;

struct WatershedByStrips::Frontier {
  std::vector<detail::BasinPass> passes;  ///< from basins along the last row, ends by node
  std::vector<std::uint32_t> nodes;       ///< along the last row
  std::vector<detail::Height> heights;
};

Raster<std::uint32_t> WatershedByStrips::add(const Raster<std::uint8_t>& boundary,
                                             const Raster<std::uint8_t>& mask, std::int64_t rows,
                                             ExecContext& exec) {
  check(boundary, mask, m_cut_level);
  const std::int64_t above = std::min(kMargin, m_next_row);
  const std::int64_t below = std::min(kMargin, m_height - m_next_row - rows);
  if (rows < 1 || below < 0 || mask.width() != m_width || mask.height() != above + rows + below) {
    throw InvalidArgument(concat("rows ", m_next_row, " to ", m_next_row + rows, " of a raster of ", m_width,
                                 " x ", m_height, " px need ", above, " rows above and ",
                                 std::max<std::int64_t>(below, 0), " below"));
  }
  const bool is_last = m_next_row + rows == m_height;
  detail::BlockBasins block = detail::block_basins(
      boundary, mask, {above, above + rows, m_next_row - above, m_next_row == 0, is_last}, m_cut_level, exec);
  const std::size_t first = m_parent.size();
  if (first + block.graph.floor.size() >= kOutsideInstance) {
    throw InvalidArgument("the boundary scores fall into more than 2^32 basins; raise the cut");
  }
  for (std::size_t i = 0; i < block.graph.floor.size(); ++i) {
    m_parent.push_back(static_cast<std::uint32_t>(first + i));
  }
  m_floor.insert(m_floor.end(), block.graph.floor.begin(), block.graph.floor.end());
  Raster<std::uint32_t> nodes =
      number_pixels(block.of_pixel, m_width, above, above + rows, static_cast<std::uint32_t>(first));
  std::vector<detail::BasinPass> passes = std::move(block.graph.passes);
  for (auto& p : passes) {
    p.a += static_cast<std::uint32_t>(first);
    p.b += static_cast<std::uint32_t>(first);
  }
  join(std::move(passes), nodes, block.first_row, std::move(block.last_row), is_last);
  m_next_row += rows;
  return nodes;
}

void WatershedByStrips::join(std::vector<detail::BasinPass> passes, const Raster<std::uint32_t>& nodes,
                             const std::vector<detail::Height>& first_row,
                             std::vector<detail::Height> last_row, bool is_last) {
  if (m_frontier) {
    passes.insert(passes.end(), m_frontier->passes.begin(), m_frontier->passes.end());
    for (std::int64_t col = 0; col < m_width; ++col) {
      const auto i = static_cast<std::size_t>(col);
      if (m_frontier->nodes[i] == 0) continue;
      for (std::int64_t k = std::max<std::int64_t>(0, col - 1); k < std::min(m_width, col + 2); ++k) {
        const std::uint32_t below = nodes.at(k, 0);
        if (below == 0) continue;
        passes.push_back({detail::pass_over(m_frontier->heights[i],
                                            static_cast<std::uint64_t>((m_next_row - 1) * m_width + col),
                                            first_row[static_cast<std::size_t>(k)],
                                            static_cast<std::uint64_t>(m_next_row * m_width + k)),
                          m_frontier->nodes[i] - 1, below - 1});
      }
    }
  }
  std::vector<std::uint32_t> last(nodes.data().end() - m_width, nodes.data().end());
  contract_nodes(passes, is_last ? std::vector<std::uint32_t>{} : last);
  m_frontier = std::make_unique<Frontier>(Frontier{std::move(passes), std::move(last), std::move(last_row)});
}

void WatershedByStrips::contract_nodes(std::vector<detail::BasinPass>& passes,
                                       std::vector<std::uint32_t> open) {
  // The nodes at hand, as a graph of their own.
  std::vector<std::uint32_t> ends;
  for (auto& p : passes) {
    p.a = detail::find(m_parent, p.a);
    p.b = detail::find(m_parent, p.b);
    ends.push_back(p.a);
    ends.push_back(p.b);
  }
  const auto sort_unique = [](std::vector<std::uint32_t>& v) {
    std::ranges::sort(v);
    v.erase(std::unique(v.begin(), v.end()), v.end());
  };
  sort_unique(ends);
  sort_unique(open);
  const auto place = [&](std::uint32_t node) {
    return static_cast<detail::Index>(std::ranges::lower_bound(ends, node) - ends.begin());
  };
  detail::BasinGraph graph;
  for (const std::uint32_t node : ends) graph.floor.push_back(m_floor[node]);
  graph.open.resize(ends.size(), 0);
  for (const std::uint32_t label : open) {
    if (label == 0) continue;
    const std::uint32_t node = detail::find(m_parent, label - 1);
    const detail::Index at = place(node);
    if (at < ends.size() && ends[at] == node) graph.open[at] = 1;
  }
  graph.passes = std::move(passes);
  for (auto& p : graph.passes) {
    p.a = place(p.a);
    p.b = place(p.b);
  }
  const std::vector<detail::Index> group = detail::contract(graph, m_cut_level);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    m_parent[ends[i]] = ends[group[i]];
    m_floor[ends[i]] = graph.floor[i];
  }
  passes = std::move(graph.passes);
  for (auto& p : passes) {
    p.a = ends[p.a];
    p.b = ends[p.b];
  }
}

std::vector<std::uint32_t> WatershedByStrips::fields() {
  if (m_next_row != m_height) throw InvalidArgument("the watershed lacks rows");
  std::vector<std::uint32_t> field(m_parent.size() + 1, 0);
  for (std::uint32_t i = 0; i < m_parent.size(); ++i) field[i + 1] = detail::find(m_parent, i) + 1;
  return field;
}

}  // namespace furrow::geo
