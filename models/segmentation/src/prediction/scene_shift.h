#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/segmentation/dataset_shift.h>

namespace furrow::segmentation {

/// Windows that stand for a scene: one at a random but always equal place in each cell of a grid over it, so
/// that none overlap. An eighth of the windows that the scene has room for, but at least 16, where there is
/// room, and about `most` at most; none in a scene smaller than a window.
[[nodiscard]] std::vector<geo::Window> sample_windows(std::int64_t width, std::int64_t height,
                                                      std::int64_t window_px, std::int64_t most);

/// Measures how far a scene lies from a model's training. Reads the sampled windows only. The result does not
/// depend on threads.
/// @param bands       of the image (0-based) in the model's order; empty = all
/// @param statistics  of the scene, or stored with the model, as normalise() takes them
/// @return            nullopt when no window holds data in half of its pixels or more
/// @throws geo::IoError, geo::ModelError, geo::Cancelled
[[nodiscard]] std::optional<SceneShift> measure_shift(const geo::RasterReader& reader,
                                                      std::span<const int> bands,
                                                      const geo::Normalisation& how,
                                                      std::span<const geo::BandStatistics> statistics,
                                                      const ShiftCheck& check, geo::ExecContext& exec);

/// A warning when a scene lies beyond `limit`; else, or when it could not be measured, a line of information.
void report_shift(const std::string& image, const std::optional<SceneShift>& shift, double limit);

/// FURROW_SHIFT_DISTANCE, FURROW_SHIFT_QUANTILE and FURROW_SHIFT_WINDOWS; nothing without a measurement.
[[nodiscard]] std::map<std::string, std::string> shift_metadata(const std::optional<SceneShift>& shift);

}  // namespace furrow::segmentation
