#include <furrow/assessment/reliability.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

constexpr std::int64_t kLeastInBin = 10;

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

std::string reliability_csv(std::span<const NamedReliability> all) {
  const auto cell = [](double value) { return std::isnan(value) ? std::string() : geo::concat(value); };
  std::string text = "confidence,low,high,fields,predicted,observed,observed_low,observed_high\n";
  for (const NamedReliability& named : all) {
    for (const ReliabilityBin& bin : named.reliability.bins) {
      text += geo::concat(named.of, ",", bin.low, ",", bin.high, ",", bin.fields, ",", bin.predicted, ",",
                          bin.observed, ",", cell(bin.observed_range.low), ",", cell(bin.observed_range.high),
                          "\n");
    }
  }
  return text;
}

}  // namespace furrow::assessment
