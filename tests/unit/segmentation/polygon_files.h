#pragma once

#include <string>
#include <vector>

#include <furrow/geo/vector/layer_writer.h>

#include "training_windows.h"

/// Polygon files over the grid of test::utm_grid, drawn in its pixels.
namespace furrow::segmentation::testing_scene {

/// One part without holes from pixel corners {col, row}, not closed.
inline geo::MultiPolygon in_pixels(const std::vector<geo::Point>& corners,
                                   const geo::Grid& grid = test::utm_grid(1, 1)) {
  geo::MultiPolygon shape(1);
  for (const geo::Point& corner : corners) shape[0].shell.push_back(grid.transform.to_world(corner));
  shape[0].shell.push_back(shape[0].shell.front());
  return shape;
}

inline geo::MultiPolygon box_in_pixels(double col, double row, double end_col, double end_row) {
  return in_pixels({{col, row}, {end_col, row}, {end_col, end_row}, {col, end_row}});
}

/// Writes polygons, given in EPSG:32632, in another CRS.
inline std::string write_polygons(const test::TemporaryFolder& folder, const std::string& name,
                                  const std::vector<geo::MultiPolygon>& polygons,
                                  const std::string& crs = "EPSG:32632") {
  geo::Layer layer = test::layer_of({}, crs);
  const geo::CoordinateTransform transform(test::utm_grid(1, 1).crs, layer.crs);
  for (const geo::MultiPolygon& polygon : polygons) {
    geo::Feature feature;
    feature.geometry = transform.apply(polygon);
    layer.features.push_back(std::move(feature));
  }
  geo::write_layer(layer, folder / name, true);
  return (folder / name).string();
}

}  // namespace furrow::segmentation::testing_scene
