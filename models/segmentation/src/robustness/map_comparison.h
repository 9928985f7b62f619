#pragma once

#include <cstdint>
#include <span>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>
#include <furrow/geo/vector/geometry.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/robustness.h>

namespace furrow::segmentation {

/// Background, interior, boundary.
inline constexpr std::size_t kMapClasses = 3;

/// What a model, or the truth, says about one window. All of the window's size.
struct WindowMap {
  geo::Raster<float> scores;          ///< [3, rows, cols]; empty for the truth
  geo::Raster<std::uint8_t> classes;  ///< the most probable one; kIgnore where invalid; empty for the truth
  geo::Raster<std::uint8_t> extent;   ///< 1 in fields; 0 where invalid
  geo::Raster<std::uint32_t> fields;  ///< numbers; kUnknownInstance where invalid
  std::int64_t valid_pixels = 0;
};

/// Classes, extent and fields as `predict` and `delineate` give them: scores in steps of 1/200, the model's
/// thresholds.
/// @param grid  of the window
[[nodiscard]] WindowMap make_map(const geo::Raster<float>& scores, const geo::Raster<std::uint8_t>& valid,
                                 const geo::Grid& grid, const ModelSpec& spec, geo::ExecContext& exec);

/// Fields by pixel centre.
[[nodiscard]] WindowMap reference_map(std::span<const geo::MultiPolygon> reference,
                                      const geo::Raster<std::uint8_t>& valid, const geo::Grid& grid);

/// Extent and fields only.
[[nodiscard]] MapAgreement compare_fields(const WindowMap& a, const WindowMap& b);
/// Everything.
[[nodiscard]] MapAgreement compare_maps(const WindowMap& a, const WindowMap& b);

}  // namespace furrow::segmentation
