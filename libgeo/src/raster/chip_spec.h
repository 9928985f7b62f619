#pragma once

#include <optional>
#include <vector>

#include <furrow/geo/raster/chip_source.h>

namespace furrow::geo {

/// Works out what chips look like that are cut from some scenes: see ChipSource::spec.
/// @throws IoError
[[nodiscard]] RasterSpec make_chip_spec(const std::vector<ChipSource::Layer>& layers,
                                        const ChipSourceOptions& options);

/// NaN is the same as NaN.
[[nodiscard]] bool same_nodata(const std::optional<double>& a, const std::optional<double>& b);

}  // namespace furrow::geo
