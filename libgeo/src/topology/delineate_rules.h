#pragma once

#include <cstdint>

#include <furrow/geo/topology/delineate.h>

namespace furrow::geo::detail {

/// @throws InvalidArgument  an option out of range
void check_options(const DelineateOptions& options);

/// In steps of the score, from which on a score reaches the threshold.
[[nodiscard]] int score_level(double threshold);

/// 1 where a pixel may belong to a field.
[[nodiscard]] Raster<std::uint8_t> field_mask(const ScoreMap& scores, const DelineateOptions& options);

/// Copies the mask: its connected pieces are the fields.
[[nodiscard]] Raster<std::uint32_t> as_labels(const Raster<std::uint8_t>& mask);

/// kUnknownInstance where there are no scores.
/// @param above  rows that `valid` has above the first of `labels`
void mark_unknown(Raster<std::uint32_t>& labels, const Raster<std::uint8_t>& valid, std::int64_t above);

/// What is too small: as applied, at least 5 px.
[[nodiscard]] double min_area_m2(const DelineateOptions& options, const PixelAreas& areas);
[[nodiscard]] CleanRules clean_rules(const DelineateOptions& options, const PixelAreas& areas);

}  // namespace furrow::geo::detail
