#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/writer.h>

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
  /// The smallest window that holds the grid and all of every polygon whose box meets it, and one pixel more
  /// on each side.
  /// @throws InvalidArgument  when that is absurdly large
  [[nodiscard]] Window surroundings() const;
  /// True when a polygon's box meets the window.
  [[nodiscard]] bool touches(const Window& window) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

enum class LabelKind {
  kLabels,        ///< uint8: 0 background, 1 interior, 2 boundary
  kExtent,        ///< uint8: 0 background, 1 field
  kInstances,     ///< uint32: number of the polygon, 0 = none (nodata)
  kBoundaryMask,  ///< uint8: 1 where kLabels has boundary, else 0
  kDistance,      ///< float32: distance to the nearest pixel that is not of the same field, 0 outside fields
  kIgnoreMask     ///< uint8: 1 inside the known area, kIgnore outside
};

/// Whose rules: the suite's own, or those of a published dataset (see dataset_labels.h).
enum class LabelProfile {
  kFurrow,
  kLacuna,  ///< kLabels only
  kFtw      ///< kLabels, kExtent (two classes) and kInstances
};

enum class DistanceUnit {
  kPixels,
  kMetres,   ///< by the ground size of the grid's centre pixel
  kPerField  ///< measured in metres where the grid has a CRS and divided by the largest distance of the field
};

struct LabelRasterOptions {
  LabelKind kind = LabelKind::kLabels;
  LabelProfile profile = LabelProfile::kFurrow;
  BoundaryOptions boundary = {};  ///< for kLabels and kBoundaryMask of the suite's own profile
  DistanceUnit distance = DistanceUnit::kPixels;
  /// Pixels whose centre lies outside these polygons become kIgnore (then also nodata); for kLabels, kExtent
  /// and kBoundaryMask of the suite's own profile, and needed by kIgnoreMask.
  std::optional<std::vector<MultiPolygon>> known_area = std::nullopt;
  /// For kInstances: the value of each polygon, at least 1; empty = position + 1.
  std::vector<std::uint32_t> ids = {};
  bool presence_only = false;  ///< for kFtw: background is 3 (unknown)
  Compression compression = Compression::kDeflate;
  bool cog = true;  ///< cloud-optimised, with overviews; false: plain tiled GeoTIFF
  /// For kLacuna: int16 where there is no polygon at all, as the published files have it; else always uint8.
  bool published_types = false;
};

struct LabelRasterReport {
  std::int64_t background_px = 0;
  std::int64_t interior_px = 0;  ///< of any field; for kIgnoreMask those inside the known area
  std::int64_t boundary_px = 0;
  std::int64_t ignored_px = 0;
};

/// Writes a label raster (GeoTIFF with class names and colours) of any size: windows of whole blocks, one in
/// memory at a time, each rasterised in parallel. Distances see whole fields, also where these reach over the
/// grid's border, so that a chip equals that part of the scene. The file appears whole or not at all.
/// @throws IoError, GeometryError, InvalidArgument (options that do not fit the kind), CrsError, Cancelled
LabelRasterReport write_label_raster(const std::filesystem::path& path, std::vector<MultiPolygon> polygons,
                                     const Grid& grid, const LabelRasterOptions& options, bool overwrite,
                                     ExecContext& exec);

}  // namespace furrow::geo
