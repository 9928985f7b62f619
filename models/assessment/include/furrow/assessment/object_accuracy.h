#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::assessment {

struct ObjectOptions {
  double min_iou = 0.5;                     ///< a match needs more overlap than this; in (0, 1)
  std::optional<geo::MultiPolygon> region;  ///< same CRS as the polygons; nullopt = everywhere
};

/// How many fields were found as fields.
struct ObjectAccuracy {
  std::int64_t reference = 0;  ///< reference fields that count
  std::int64_t predicted = 0;  ///< predicted fields that count
  std::int64_t found = 0;      ///< counted reference fields with a match
  std::int64_t correct = 0;    ///< counted predicted fields with a match
  double mean_matched_iou = std::numeric_limits<double>::quiet_NaN();

  [[nodiscard]] double precision() const;  ///< correct / predicted; NaN without predicted fields
  [[nodiscard]] double recall() const;     ///< found / reference; NaN without reference fields
  [[nodiscard]] double f1()
      const;  ///< harmonic mean; 0 when one of them is 0 or undefined, NaN without any field
};

/// Which fields count and which have a match, one entry per field.
struct ObjectMatches {
  std::vector<char> predicted_counts;
  std::vector<char> predicted_matched;
  std::vector<char> reference_counts;
  std::vector<char> reference_matched;
  std::vector<double> reference_iou;  ///< of the match; 0 without one
};

/// Matches fields one to one by intersection over union (largest total IoU) and counts.
///
/// A field counts when at least half of its area lies in the region; it may be matched by a field that does
/// not count, so the region's border costs nothing on either side.
/// @param predicted, reference  valid polygons in one planar CRS
/// @throws geo::InvalidArgument when min_iou lies outside (0, 1)
/// Parallel inside; the same for any number of threads.
[[nodiscard]] ObjectMatches match_objects(std::span<const geo::MultiPolygon> predicted,
                                          std::span<const geo::MultiPolygon> reference,
                                          const ObjectOptions& options);

/// The counts of match_objects.
[[nodiscard]] ObjectAccuracy assess_objects(std::span<const geo::MultiPolygon> predicted,
                                            std::span<const geo::MultiPolygon> reference,
                                            const ObjectOptions& options);

}  // namespace furrow::assessment
