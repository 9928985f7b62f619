#include <furrow/assessment/confidence_calibration.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <furrow/assessment/object_accuracy.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::assessment {
namespace {

// Fields with the overall share that are added to every block of the curve.
constexpr double kPriorFields = 2.0;
constexpr std::size_t kParts = 10;

std::vector<geo::MultiPolygon> shapes_in(const geo::Layer& layer, const geo::Crs& crs) {
  const geo::CoordinateTransform transform(layer.crs, crs);
  std::vector<geo::MultiPolygon> shapes;
  for (const geo::Feature& feature : layer.features) shapes.push_back(transform.apply(feature.geometry));
  return shapes;
}

std::int64_t block_of(geo::Point centre, const geo::Grid& grid, std::int64_t block_px) {
  const geo::Point pixel = grid.transform.to_pixel(centre);
  const auto at = [&](double value, std::int64_t length) {
    return static_cast<std::int64_t>(std::clamp(value, 0.0, static_cast<double>(length - 1))) / block_px;
  };
  const std::int64_t columns = (grid.width + block_px - 1) / block_px;
  return at(pixel.y, grid.height) * columns + at(pixel.x, grid.width);
}

/// Every block's value drawn towards `share`, pooled again where values then descend.
std::vector<IsotonicBlock> drawn_together(const std::vector<IsotonicBlock>& blocks, double share) {
  std::vector<WeightedPoint> points;
  for (const IsotonicBlock& b : blocks) {
    const double weight = b.weight + kPriorFields;
    points.push_back({b.first_x, (b.value * b.weight + share * kPriorFields) / weight, weight});
  }
  std::vector<IsotonicBlock> drawn = fit_isotonic(points);
  for (IsotonicBlock& block : drawn) {
    const auto last = std::ranges::find(blocks, block.last_x, &IsotonicBlock::first_x);
    block.last_x = last->last_x;
  }
  return drawn;
}

}  // namespace

std::vector<KnownField> known_fields(const geo::Layer& fields, const FieldConfidences& confidences,
                                     const KnownTruth& truth) {
  if (truth.block_px < 1)
    throw geo::InvalidArgument(geo::concat("blocks need a side of at least one pixel, got ", truth.block_px));
  const geo::Grid& grid = confidences.grid;
  ObjectOptions options;
  options.min_iou = truth.min_iou;
  if (truth.region != nullptr) options.region = geo::union_all(shapes_in(*truth.region, grid.crs));
  const ObjectMatches matches =
      match_objects(shapes_in(fields, grid.crs), shapes_in(truth.reference, grid.crs), options);
  std::vector<KnownField> known;
  for (std::size_t i = 0; i < confidences.fields.size(); ++i) {
    const FieldConfidence& field = confidences.fields[i];
    if (!field.whole || std::isnan(field.raw) || matches.predicted_counts[i] == 0) continue;
    known.push_back(
        {field.raw, matches.predicted_matched[i] != 0, block_of(field.centre, grid, truth.block_px)});
  }
  return known;
}

ConfidenceCalibration fit_confidence(std::span<const KnownField> fields, double min_iou) {
  const auto n = static_cast<std::int64_t>(fields.size());
  if (n < kLeastKnownFields) {
    throw geo::InvalidArgument(geo::concat(
        "only ", n, " fields can be used to calibrate confidence (whole, with scores, in the region); ",
        kLeastKnownFields, " are needed; give a larger scene"));
  }
  std::vector<WeightedPoint> points;
  std::int64_t matched = 0;
  for (const KnownField& field : fields) {
    points.push_back({field.raw, field.matched ? 1.0 : 0.0, 1.0});
    matched += static_cast<std::int64_t>(field.matched);
  }
  // One match and one failure more: fields that all match do not make certain that others will.
  const double share = static_cast<double>(matched + 1) / static_cast<double>(n + 2);
  std::vector<geo::Point> knots;
  for (const IsotonicBlock& block : drawn_together(fit_isotonic(points), share)) {
    knots.push_back({block.first_x, block.value});
    if (block.last_x > block.first_x) knots.push_back({block.last_x, block.value});
  }
  return {MonotoneCurve(std::move(knots)), n, matched, min_iou};
}

std::vector<double> held_out_probabilities(std::span<const KnownField> fields, double min_iou) {
  // Blocks in an order that has nothing to do with their place.
  std::map<std::pair<std::uint64_t, std::int64_t>, std::size_t> parts;
  for (const KnownField& field : fields)
    parts[{geo::stable_hash(geo::concat("block ", field.block)), field.block}] = 0;
  const std::size_t count = std::min(kParts, parts.size());
  if (count < 2) return {};
  std::map<std::int64_t, std::size_t> part_of;
  std::size_t next = 0;
  for (const auto& [key, unused] : parts) part_of[key.second] = next++ % count;

  std::vector<double> predicted(fields.size());
  for (std::size_t part = 0; part < count; ++part) {
    std::vector<KnownField> others;
    std::ranges::copy_if(fields, std::back_inserter(others),
                         [&](const KnownField& field) { return part_of.at(field.block) != part; });
    if (static_cast<std::int64_t>(others.size()) < kLeastKnownFields) return {};
    const ConfidenceCalibration calibration = fit_confidence(others, min_iou);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (part_of.at(fields[i].block) == part) predicted[i] = calibration.curve.at(fields[i].raw);
    }
  }
  return predicted;
}

}  // namespace furrow::assessment
