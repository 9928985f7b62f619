#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/raster/raster.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::test {

/// Writes a GeoTIFF with GDAL itself, stored as the creation options say (BLOCKXSIZE=64, COMPRESS=LZW, ...).
template <class T>
void write_geotiff(const std::string& path, const geo::Grid& grid, const geo::Raster<T>& pixels,
                   const std::vector<std::string>& creation_options);

/// A GeoTIFF of two uint16 bands, nodata 0, with data in the blocks of `block` pixels on its diagonal and no
/// bytes for all others.
void write_sparse_geotiff(const std::string& path, const geo::Grid& grid, int block);

/// All bands of a window as GDAL itself reads them.
[[nodiscard]] geo::Raster<double> gdal_values(const std::string& path, const geo::Window& window);

enum class Burn { kFill, kOutlines };

/// Burns polygons (or their outlines, all touched) into `out` with GDAL's own rasteriser: a reference that
/// shares no code with the library. values: one per polygon.
void gdal_burn(geo::Raster<std::uint32_t>& out, const geo::Grid& grid,
               std::span<const geo::MultiPolygon> polygons, std::span<const double> values, Burn burn);

/// What GDALPolygonize (4 neighbours) makes of the labels that are not 0, each polygon with its label; in
/// pixels, (col, row). Labels stay below 2^31.
[[nodiscard]] std::vector<std::pair<std::uint32_t, geo::Polygon>> gdal_polygons(
    const geo::Raster<std::uint32_t>& labels);

/// Three classes by the published steps of agroimpacts/lacunalabels, written down once more with GEOS' own
/// buffers and GDAL's rasteriser, array after array as there.
[[nodiscard]] geo::Raster<std::uint8_t> lacuna_reference(std::span<const geo::MultiPolygon> polygons,
                                                         const geo::Grid& grid);

/// Fields, then outlines, as fieldsoftheworld/ftw-dataset-tools burns them.
[[nodiscard]] geo::Raster<std::uint32_t> ftw_reference(std::span<const geo::MultiPolygon> polygons,
                                                       std::span<const double> values, const geo::Grid& grid,
                                                       std::uint32_t background, std::uint32_t outline);

}  // namespace furrow::test
