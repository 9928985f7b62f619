#include <furrow/geo/topology/delineation_sweep.h>

#include <utility>

#include "delineate_rules.h"
#include "strips.h"

namespace furrow::geo {

DelineationSweep::DelineationSweep(const ScoreMap& scores, const PixelAreas& areas, double lowest_cut)
    : m_scores(scores), m_areas(areas), m_lowest_cut(detail::score_level(lowest_cut)) {}

Raster<std::uint32_t> DelineationSweep::split(const DelineateOptions& options, ExecContext& exec) {
  if (options.mode == SplitMode::kInstances) return m_scores.instances;
  const Raster<std::uint8_t> mask = detail::field_mask(m_scores, options);
  if (options.mode == SplitMode::kComponents) return detail::as_labels(mask);
  const int extent = detail::score_level(options.extent_threshold);
  if (!m_hierarchy || extent != m_extent_level) {
    m_hierarchy.reset();
    m_hierarchy.emplace(m_scores.boundary, mask, m_lowest_cut, exec);
    m_extent_level = extent;
  }
  return m_hierarchy->cut(detail::score_level(options.cut)).labels;
}

SceneRegions DelineationSweep::regions(const DelineateOptions& options, ExecContext& exec) {
  detail::check_options(options);
  SceneRegions result;
  if (m_scores.valid.empty()) return result;
  Raster<std::uint32_t> labels = split(options, exec);
  detail::mark_unknown(labels, m_scores.valid, 0);
  RegionsByStrips regions(labels.width(), labels.height(), m_areas);
  result.region = regions.add(labels, m_scores.boundary, exec);
  std::vector<std::uint32_t> region_of_piece;
  result.graph = regions.finish(region_of_piece);
  detail::for_each_pixel(result.region, [&](std::size_t i) {
    std::uint32_t& piece = result.region.data()[i];
    if (piece != kUnknownInstance) piece = region_of_piece[piece];
  });
  return result;
}

std::vector<std::uint32_t> DelineationSweep::fields(const RegionGraph& graph,
                                                    const DelineateOptions& options) const {
  if (graph.stats.empty()) return {};
  return clean_regions(graph, detail::clean_rules(options, m_areas)).field;
}

}  // namespace furrow::geo
