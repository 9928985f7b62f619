#pragma once

#include <optional>
#include <vector>

#include <furrow/geo/crs/crs.h>
#include <furrow/labelling/campaign.h>
#include <furrow/labelling/scoreboard.h>

namespace furrow::labelling {

/// Moves shapes of one site into a planar frame in metres (see score_campaign for which). Not thread-safe.
class MetricFrame {
 public:
  /// @param crs   of the shapes
  /// @throws geo::CrsError  the cell cannot be projected
  MetricFrame(const geo::Crs& crs, const geo::MultiPolygon& cell, ScoreMode mode);

  [[nodiscard]] geo::MultiPolygon apply(geo::MultiPolygon shape) const;
  [[nodiscard]] std::vector<LabelledPolygon> apply(const std::vector<LabelledPolygon>& polygons) const;

 private:
  void scale(geo::Ring& ring) const;

  std::optional<geo::CoordinateTransform> m_transform;
  double m_scale = 1.0;
};

}  // namespace furrow::labelling
