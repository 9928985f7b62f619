#pragma once

#include <optional>
#include <vector>

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::segmentation {

/// Which part of an image is scored. What is given is cut with one another and with the image.
struct SceneArea {
  std::optional<geo::Window> window;  ///< in pixels of the image
  /// All pixels that it touches. Between two CRSs its sides are taken at 21 points each.
  std::optional<geo::Box> bbox;
  geo::Crs bbox_crs;  ///< empty = the image's
  /// Only pixels whose centre lies in one of these get scores; the network sees what lies around all the
  /// same.
  std::vector<geo::MultiPolygon> cutline;
  geo::Crs cutline_crs;
};

/// A SceneArea on the grid of an image.
struct AreaOnGrid {
  geo::Window window;                      ///< empty: the image lies outside
  std::vector<geo::MultiPolygon> cutline;  ///< in the image's CRS; empty = all of the window
};

/// @throws geo::CrsError  the image or the cutline has no CRS, or no transformation leads from one to the
/// other
[[nodiscard]] AreaOnGrid place_area(const SceneArea& area, const geo::Grid& image);

}  // namespace furrow::segmentation
