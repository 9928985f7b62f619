#include <furrow/assessment/object_accuracy.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/matching.h>

#include "ratios.h"

namespace furrow::assessment {
namespace {

/// Which polygons have at least half of their area inside the region.
std::vector<char> counted(std::span<const geo::MultiPolygon> shapes,
                          const std::optional<geo::MultiPolygon>& region) {
  std::vector<char> counts(shapes.size(), 1);
  if (!region) return counts;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const double inside = geo::intersection_area(shapes[i], *region);
    counts[i] = static_cast<char>(inside >= 0.5 * geo::area(shapes[i]) && inside > 0.0);
  }
  return counts;
}

}  // namespace

double ObjectAccuracy::precision() const {
  return ratio(correct, predicted);
}
double ObjectAccuracy::recall() const {
  return ratio(found, reference);
}

double ObjectAccuracy::f1() const {
  return f1_of(correct, predicted, found, reference);
}

ObjectMatches match_objects(std::span<const geo::MultiPolygon> predicted,
                            std::span<const geo::MultiPolygon> reference, const ObjectOptions& options) {
  if (!(options.min_iou > 0.0 && options.min_iou < 1.0)) {
    throw geo::InvalidArgument("the least IoU of a match must lie between 0 and 1");
  }
  ObjectMatches result{counted(predicted, options.region), std::vector<char>(predicted.size()),
                       counted(reference, options.region), std::vector<char>(reference.size()),
                       std::vector<double>(reference.size())};
  // More than the threshold, not equal to it: two halves of a field are no match.
  const double least = std::nextafter(options.min_iou, 1.0);
  for (const auto& match : geo::match_one_to_one(geo::overlaps(predicted, reference), least)) {
    result.predicted_matched[match.a] = 1;
    result.reference_matched[match.b] = 1;
    result.reference_iou[match.b] = match.iou;
  }
  return result;
}

ObjectAccuracy assess_objects(std::span<const geo::MultiPolygon> predicted,
                              std::span<const geo::MultiPolygon> reference, const ObjectOptions& options) {
  const ObjectMatches matches = match_objects(predicted, reference, options);
  ObjectAccuracy result;
  result.predicted = std::ranges::count(matches.predicted_counts, 1);
  result.reference = std::ranges::count(matches.reference_counts, 1);
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    if (matches.predicted_counts[i] != 0 && matches.predicted_matched[i] != 0) ++result.correct;
  }
  double iou_sum = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (matches.reference_counts[i] == 0 || matches.reference_matched[i] == 0) continue;
    ++result.found;
    iou_sum += matches.reference_iou[i];
  }
  if (result.found > 0) result.mean_matched_iou = iou_sum / static_cast<double>(result.found);
  return result;
}

}  // namespace furrow::assessment
