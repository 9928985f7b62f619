#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/assessment/block_accuracy.h>
#include <furrow/assessment/field_quality.h>
#include <furrow/assessment/isotonic.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

/// A field of which it is known whether it matches a true one.
struct KnownField {
  double raw = 0.0;  ///< FieldConfidence::raw
  bool matched = false;
  std::int64_t block = 0;  ///< fields of one block err together
};

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

/// How predicted probabilities and what is observed agree among fields of similar probability.
struct ReliabilityBin {
  double low = 0.0;  ///< of the predicted probability
  double high = 0.0;
  std::int64_t fields = 0;
  double predicted = 0.0;   ///< mean
  double observed = 0.0;    ///< share with a match
  Interval observed_range;  ///< 95 %: from the lower to the upper of Wilson's interval (1927) and that of the
                            ///< block bootstrap, which is too short in a bin of few fields
};

struct Reliability {
  std::int64_t fields = 0;
  std::int64_t matched = 0;
  std::int64_t blocks = 0;
  std::vector<ReliabilityBin>
      bins;                 ///< of BlockCounts::kBins, neighbours joined until ten fields are in each
  double brier = 0.0;       ///< mean of (p - outcome)^2; 0 is perfect
  Interval brier_range;     ///< 95 %
  double base_brier = 0.0;  ///< of one probability for all: the share with a match
  double ece = 0.0;         ///< expected calibration error: mean |predicted - observed| over the bins
  Interval ece_range;       ///< 95 %; the draws' own noise makes it lie high when fields are few
};

/// Intervals come from bootstrap_blocks; NaN with fewer than two blocks.
/// @param predicted  one probability per field, 0..1
/// @throws geo::InvalidArgument  no field, or another number of probabilities
[[nodiscard]] Reliability reliability_of(std::span<const KnownField> fields,
                                         std::span<const double> predicted, std::int64_t draws,
                                         std::uint64_t seed);

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
