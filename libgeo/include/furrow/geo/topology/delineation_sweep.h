#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/watershed.h>

namespace furrow::geo {

/// The regions of a scene before they are cleaned.
struct SceneRegions {
  Raster<std::uint32_t> region;  ///< of each pixel, by RegionGraph; kUnknownInstance without scores
  RegionGraph graph;
};

/// Delineates one scene with many settings and shares the work: settings with one extent threshold share the
/// watershed, whose basins are only joined further for another cut; settings that differ in what is cleaned
/// share the regions. Fields are those of `delineate_instances`.
///
/// Memory: about 32 bytes per pixel. Not thread-safe; uses threads inside.
class DelineationSweep {
 public:
  /// @param scores, areas  must outlive this
  /// @param lowest_cut     0..1; no setting has a lower one
  DelineationSweep(const ScoreMap& scores, const PixelAreas& areas, double lowest_cut);

  /// Quickest when settings with one extent threshold come one after the other.
  /// @throws InvalidArgument  options out of range; a cut below the lowest
  [[nodiscard]] SceneRegions regions(const DelineateOptions& options, ExecContext& exec);

  /// By region of the graph: its field, 1..n by first pixel, or 0.
  [[nodiscard]] std::vector<std::uint32_t> fields(const RegionGraph& graph,
                                                  const DelineateOptions& options) const;

 private:
  [[nodiscard]] Raster<std::uint32_t> split(const DelineateOptions& options, ExecContext& exec);

  const ScoreMap& m_scores;
  const PixelAreas& m_areas;
  int m_lowest_cut;
  int m_extent_level = -1;  ///< that `m_hierarchy` was made for
  std::optional<WatershedHierarchy> m_hierarchy;
};

}  // namespace furrow::geo
