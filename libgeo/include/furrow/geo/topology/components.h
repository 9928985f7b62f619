#pragma once

#include <cstdint>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>

namespace furrow::geo {

/// Instance rasters hold 1..n for fields, 0 where there is none, and this where nothing is known (nodata).
inline constexpr std::uint32_t kUnknownInstance = 0xFFFFFFFFU;
/// What tracing sees beyond the raster's border. Never stored in a raster.
inline constexpr std::uint32_t kOutsideInstance = 0xFFFFFFFEU;

/// True for the numbers of fields: not 0, not kUnknownInstance, not kOutsideInstance.
[[nodiscard]] constexpr bool is_field(std::uint32_t instance) noexcept {
  return instance - 1U < kOutsideInstance - 1U;
}

enum class Connectivity { kFour, kEight };

struct LabelledRaster {
  Raster<std::uint32_t> labels;  ///< 0, or 1..count
  std::uint32_t count = 0;
};

/// Numbers the connected pieces of equal non-zero values.
///
/// Method: union-find over runs of equal pixels in strips of rows, then along the seams between strips
/// (Rosenfeld and Pfaltz 1966; by runs He, Chao and Suzuki 2008).
///
/// @param values  shape [1, rows, cols]; 0 is background and gets label 0; neighbours connect when their
/// values are
///                equal
/// @return        same shape; pieces numbered 1..count by their first pixel in row-major order
/// @throws InvalidArgument  2^32 - 2 pixels or more
/// Units: pixels. Memory: 16 bytes per run of equal pixels beside the result. Same result for any number of
/// threads.
[[nodiscard]] LabelledRaster label_components(const Raster<std::uint8_t>& values, Connectivity connectivity,
                                              ExecContext& exec);
/// The same for instance numbers: an instance of several pieces becomes several. Pixels of kUnknownInstance
/// get 0.
[[nodiscard]] LabelledRaster label_components(const Raster<std::uint32_t>& values, Connectivity connectivity,
                                              ExecContext& exec);

/// Renumbers labels to 1..count by first appearance in row-major order; 0 and kUnknownInstance stay as they
/// are.
/// @param largest  the largest label in use
/// @return         count
std::uint32_t renumber_by_first_pixel(Raster<std::uint32_t>& labels, std::uint32_t largest);

}  // namespace furrow::geo
