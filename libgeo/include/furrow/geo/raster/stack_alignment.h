#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/chip_source.h>
#include <furrow/geo/raster/image_shift.h>

namespace furrow::geo {

/// One layer of a stack against the first one.
struct LayerShift {
  std::optional<ImageShift> measured;  ///< on the stack's grid, as georeferenced; unset = nothing to compare
  std::optional<ImageShift> left;      ///< after the correction; unset = not corrected
};

/// Measures how far the layers of a stack lie off its first layer on the stack's grid, and takes out what is
/// significant when `correct` is set, by moving the layer's scenes (ChipScene::move).
///
/// Looks at the common area, or at 16 windows of 512 pixels spread over it where it is larger than 2048
/// pixels a side, and at the first four bands that both layers have. See estimate_shift for the method.
/// @return one per layer; nothing is measured for the first
/// @throws as ChipSource
[[nodiscard]] std::vector<LayerShift> align_layers(std::vector<ChipSource::Layer>& layers, const Grid& grid,
                                                   const ChipSourceOptions& options, bool correct,
                                                   ExecContext& exec);

/// Writes images.csv: layer (from 1), name, path, date, crs, shift_col_px, shift_row_px (content lies that
/// far right of and below the first image's), shift_error_px, patches, aligned (1 = taken out), left_col_px,
/// left_row_px, left_error_px. Cells are empty where nothing was measured.
/// @throws IoError
void write_image_catalogue(const std::vector<ChipSource::Layer>& layers,
                           const std::vector<LayerShift>& shifts, const std::filesystem::path& folder);

}  // namespace furrow::geo
