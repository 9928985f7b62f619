#pragma once

#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// The bands that `wanted` names, 0-based, in that order; empty = all. Each name is
///   - a number, from 1,
///   - a band's description ("B04", "ndvi"), whatever its case,
///   - a colour interpretation ("red"), whatever its case,
///   - a Sentinel-2 band or its STAC common name, where the other one is there: "red" finds "B04", "B04"
///   finds
///     "red" ("B4" is the same as "B04" only as a description: other sensors count their bands differently).
/// The first rule that finds exactly one band decides.
/// @throws IoError  no such band, or several; with the names that are there
[[nodiscard]] std::vector<int> choose_bands(const RasterReader& raster, std::span<const std::string> wanted);

}  // namespace furrow::geo
