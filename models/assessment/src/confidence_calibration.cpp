#include <furrow/assessment/confidence_calibration.h>

#include <algorithm>
#include <cmath>
#include <functional>
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
constexpr std::int64_t kLeastInBin = 10;

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

std::vector<BlockCounts> counts_of(std::span<const KnownField> fields, std::span<const double> predicted) {
  std::map<std::int64_t, BlockCounts> blocks;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    BlockCounts& block = blocks[fields[i].block];
    const auto bin = static_cast<std::size_t>(
        std::clamp(predicted[i] * BlockCounts::kBins, 0.0, static_cast<double>(BlockCounts::kBins - 1)));
    const double error = predicted[i] - (fields[i].matched ? 1.0 : 0.0);
    ++block.scored;
    ++block.bin_pixels[bin];
    block.bin_score[bin] += predicted[i];
    block.bin_correct[bin] += static_cast<std::int64_t>(fields[i].matched);
    block.squared_error += error * error;
  }
  std::vector<BlockCounts> list;
  for (const auto& [place, block] : blocks) list.push_back(block);
  return list;
}

/// Bins [first, end) of BlockCounts as one.
struct BinSum {
  std::size_t first = 0;
  std::size_t end = 0;
  std::int64_t fields = 0;
  double predicted = 0.0;
  std::int64_t matched = 0;

  BinSum(const BlockCounts& counts, std::size_t first_bin, std::size_t end_bin)
      : first(first_bin), end(end_bin) {
    for (std::size_t b = first; b < end; ++b) {
      fields += counts.bin_pixels[b];
      predicted += counts.bin_score[b];
      matched += counts.bin_correct[b];
    }
  }
  /// NaN without fields.
  [[nodiscard]] double observed() const { return static_cast<double>(matched) / static_cast<double>(fields); }
};

/// Neighbouring bins joined, from the left, until each has kLeastInBin fields; what remains joins the last.
std::vector<BinSum> joined_bins(const BlockCounts& counts) {
  std::vector<BinSum> bins;
  std::size_t first = 0;
  for (std::size_t end = 1; end <= BlockCounts::kBins; ++end) {
    const BinSum bin(counts, first, end);
    if (bin.fields < kLeastInBin) continue;
    bins.push_back(bin);
    first = end;
  }
  if (bins.empty()) return {BinSum(counts, 0, BlockCounts::kBins)};
  bins.back() = BinSum(counts, bins.back().first, BlockCounts::kBins);
  return bins;
}

/// Mean over the fields of |predicted - observed| of their bin.
double calibration_error(const BlockCounts& counts, std::span<const BinSum> bins) {
  double sum = 0.0;
  for (const BinSum& bin : bins) {
    const BinSum here(counts, bin.first, bin.end);
    sum += std::abs(static_cast<double>(here.matched) - here.predicted);
  }
  return sum / static_cast<double>(counts.scored);
}

/// Wilson's 95 % score interval of a share.
Interval wilson(double share, double n) {
  constexpr double kZ = 1.959963984540054;
  const double z2 = kZ * kZ / n;
  const double centre = (share + 0.5 * z2) / (1.0 + z2);
  const double half = kZ / (1.0 + z2) * std::sqrt(share * (1.0 - share) / n + 0.25 * z2 / n);
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

ReliabilityBin reliability_bin(const BinSum& bin, const Interval& drawn) {
  constexpr double kWidth = 1.0 / static_cast<double>(BlockCounts::kBins);
  const auto n = static_cast<double>(bin.fields);
  Interval range = wilson(bin.observed(), n);
  // Written so that NaN, an interval that could not be drawn, changes nothing.
  if (drawn.low < range.low) range.low = drawn.low;
  if (drawn.high > range.high) range.high = drawn.high;
  return {static_cast<double>(bin.first) * kWidth,
          static_cast<double>(bin.end) * kWidth,
          bin.fields,
          bin.predicted / n,
          bin.observed(),
          range};
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

Reliability reliability_of(std::span<const KnownField> fields, std::span<const double> predicted,
                           std::int64_t draws, std::uint64_t seed) {
  if (fields.empty() || fields.size() != predicted.size())
    throw geo::InvalidArgument("reliability needs known fields, and one probability for each");
  const std::vector<BlockCounts> blocks = counts_of(fields, predicted);
  BlockCounts sum;
  for (const BlockCounts& block : blocks) sum += block;
  const std::vector<BinSum> bins = joined_bins(sum);
  std::vector<std::function<double(const BlockCounts&)>> figures{
      &BlockCounts::brier, [&](const BlockCounts& counts) { return calibration_error(counts, bins); }};
  for (const BinSum& bin : bins) {
    figures.emplace_back([first = bin.first, end = bin.end](const BlockCounts& counts) {
      return BinSum(counts, first, end).observed();
    });
  }
  const std::vector<Interval> ranges = bootstrap_blocks(blocks, figures, draws, seed);
  Reliability result;
  result.fields = sum.scored;
  for (const KnownField& field : fields) result.matched += static_cast<std::int64_t>(field.matched);
  result.blocks = static_cast<std::int64_t>(blocks.size());
  const double share = static_cast<double>(result.matched) / static_cast<double>(result.fields);
  result.brier = sum.brier();
  result.brier_range = ranges[0];
  result.base_brier = share * (1.0 - share);
  result.ece = calibration_error(sum, bins);
  result.ece_range = ranges[1];
  for (std::size_t b = 0; b < bins.size(); ++b)
    result.bins.push_back(reliability_bin(bins[b], ranges[2 + b]));
  return result;
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
