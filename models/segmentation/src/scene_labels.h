#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/raster/label_raster.h>

#include "aligned_raster.h"

namespace furrow::segmentation {

/// The labels of a scene, from a raster or from polygons that are rasterised window by window. Thread-safe.
class SceneLabels {
 public:
  SceneLabels(AlignedRaster raster, const geo::Grid& image);
  /// @param path      of the polygons, for messages
  /// @param polygons  those near the image, in its CRS
  SceneLabels(std::string path, std::vector<geo::MultiPolygon> polygons, const geo::Grid& image,
              const geo::BoundaryOptions& boundary);

  /// Ignores what lies outside of the polygons (by pixel centre): only these were mapped.
  void limit_to(std::vector<geo::MultiPolygon> area, const geo::Grid& image);

  [[nodiscard]] const std::string& path() const noexcept { return m_path; }
  /// The part of the image that can have labels; may be empty.
  [[nodiscard]] const geo::Window& extent() const noexcept { return m_extent; }
  /// 0, 1, 2 and 255: unknown (3), nodata, outside.
  /// @throws geo::IoError  cannot be read, or values that are no labels (listed)
  [[nodiscard]] geo::Raster<std::uint8_t> read(const geo::Window& window) const;

 private:
  std::string m_path;
  geo::Window m_extent;
  std::optional<AlignedRaster> m_raster;
  std::optional<geo::WindowRasterizer> m_polygons;
  std::optional<geo::WindowRasterizer> m_area;
};

}  // namespace furrow::segmentation
