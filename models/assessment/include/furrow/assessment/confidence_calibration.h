#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <furrow/assessment/field_quality.h>
#include <furrow/assessment/isotonic.h>
#include <furrow/assessment/reliability.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

struct KnownTruth {
  const geo::Layer& reference;         ///< true fields, any CRS
  const geo::Layer* region = nullptr;  ///< where they are complete, any CRS; null = everywhere
  double min_iou = 0.5;                ///< a match has more than this
  std::int64_t block_px = 64;          ///< side of the blocks, in pixels of the score raster
};

/// The fields that calibration can use: not cut by the raster's edge or nodata, with a raw confidence, and
/// with at least half of their area in the region. Matched one to one as match_objects, with all fields.
/// @param fields  the features that `confidences` came from
/// @throws geo::InvalidArgument  min_iou outside (0, 1), block_px < 1; geo::CrsError, geo::GeometryError
[[nodiscard]] std::vector<KnownField> known_fields(const geo::Layer& fields,
                                                   const FieldConfidences& confidences,
                                                   const KnownTruth& truth);

struct ConfidenceCalibration {
  MonotoneCurve curve;  ///< from raw confidence to the probability of a match
  std::int64_t fields = 0;
  std::int64_t matched = 0;
  double min_iou = 0.5;
};

/// Fewer known fields say nothing.
inline constexpr std::int64_t kLeastKnownFields = 30;

/// Fits the probability of a match as a non-decreasing function of the raw confidence.
///
/// Method: isotonic regression (fit_isotonic; for calibration Zadrozny & Elkan 2002), then each block's share
/// is drawn towards the overall share as if two more fields with that share stood in it, so that a block of a
/// few fields does not promise certainty; what then descends is pooled again. Between blocks the curve is
/// straight.
/// @throws geo::InvalidArgument  fewer than kLeastKnownFields fields
[[nodiscard]] ConfidenceCalibration fit_confidence(std::span<const KnownField> fields, double min_iou);

/// Probabilities of fields from calibrations that did not see their block: blocks are dealt into ten parts
/// (fewer with fewer blocks), each left out in turn.
/// @return one per field; empty when there is one block only, or too few fields remain without a part
[[nodiscard]] std::vector<double> held_out_probabilities(std::span<const KnownField> fields, double min_iou);

/// Schema "furrow/confidence/1"; identical calibrations give identical text, numbers come back to the bit.
/// @param held_out  its Brier score and calibration error are noted too; null = unknown
[[nodiscard]] std::string to_json(const ConfidenceCalibration& calibration, const Reliability* held_out);
/// @param where  file, for messages
/// @throws geo::InvalidArgument  not such a text, with what is wrong in it
[[nodiscard]] ConfidenceCalibration calibration_from_json(const std::string& text, const std::string& where);

}  // namespace furrow::assessment
