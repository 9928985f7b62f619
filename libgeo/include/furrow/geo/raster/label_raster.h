#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/rasterize.h>

namespace furrow::geo {

/// Polygons over a grid, rasterised window by window: every window equals that part of the whole raster.
/// Only the polygons near a window are touched (R-tree). Thread-safe once constructed.
class WindowRasterizer {
 public:
  /// @param polygons  in the grid's CRS
  /// @throws InvalidArgument, CrsError  as boundary_reach_px
  WindowRasterizer(std::vector<MultiPolygon> polygons, const Grid& grid,
                   const BoundaryOptions& boundary = {});
  ~WindowRasterizer();
  WindowRasterizer(WindowRasterizer&&) noexcept;

  /// As rasterize_labels, rasterize_extent and rasterize_instances; windows may reach over the grid's border.
  /// @throws GeometryError
  [[nodiscard]] Raster<std::uint8_t> labels(const Window& window) const;
  [[nodiscard]] Raster<std::uint8_t> extent(const Window& window) const;
  [[nodiscard]] Raster<std::uint32_t> instances(const Window& window) const;
  /// True when a polygon's box meets the window.
  [[nodiscard]] bool touches(const Window& window) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

enum class LabelKind {
  kLabels,    ///< uint8: 0 background, 1 interior, 2 boundary
  kExtent,    ///< uint8: 0 background, 1 field
  kInstances  ///< uint32: position of the polygon + 1, 0 = none (nodata)
};

struct LabelRasterOptions {
  LabelKind kind = LabelKind::kLabels;
  BoundaryOptions boundary;  ///< for kLabels
  /// Pixels whose centre lies outside these polygons become kIgnore (then also nodata); not for kInstances.
  std::optional<std::vector<MultiPolygon>> known_area = std::nullopt;
};

struct LabelRasterReport {
  std::int64_t background_px = 0;
  std::int64_t interior_px = 0;  ///< of any field, for kExtent and kInstances
  std::int64_t boundary_px = 0;
  std::int64_t ignored_px = 0;
};

/// Writes a label raster (COG with class names and colours) of any size: windows of whole blocks, one in
/// memory at a time, each rasterised in parallel. Instance values are positions in `polygons` + 1. The file
/// appears whole or not at all.
/// @throws IoError, GeometryError, InvalidArgument, CrsError, Cancelled
LabelRasterReport write_label_raster(const std::filesystem::path& path, std::vector<MultiPolygon> polygons,
                                     const Grid& grid, const LabelRasterOptions& options, bool overwrite,
                                     ExecContext& exec);

}  // namespace furrow::geo
