#pragma once

#include <list>
#include <mutex>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// A polygon file, read once for each CRS that images have. Thread-safe.
class PolygonLayer {
 public:
  explicit PolygonLayer(PolygonSource source) : m_source(std::move(source)) {}

  [[nodiscard]] const std::string& path() const noexcept { return m_source.path; }
  /// The polygons whose boxes meet a part of a grid, in the grid's CRS and the order of the file.
  /// @throws geo::IoError, geo::CrsError, geo::GeometryError  as geo::read_layer
  [[nodiscard]] std::vector<geo::MultiPolygon> near(const geo::Grid& grid, const geo::Window& window);

 private:
  struct InCrs {
    geo::Crs crs;
    std::vector<geo::MultiPolygon> polygons;
    geo::BoxIndex index;
  };
  const InCrs& in_crs(const geo::Crs& crs);

  PolygonSource m_source;
  std::mutex m_mutex;
  std::list<InCrs> m_read;  ///< one for each CRS so far; entries stay where they are
};

}  // namespace furrow::segmentation
