#include <furrow/geo/raster/normalise.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

/// Percentiles of values at hand, whose order changes.
double percentile(std::vector<float>& values, double percent) {
  const double rank = percent / 100.0 * static_cast<double>(values.size() - 1);
  const auto below = std::next(values.begin(), static_cast<std::ptrdiff_t>(std::floor(rank)));
  std::ranges::nth_element(values, below);
  const auto low = static_cast<double>(*below);
  const double share = rank - std::floor(rank);
  if (share == 0.0) return low;
  const auto high = static_cast<double>(*std::ranges::min_element(std::next(below), values.end()));
  return low + share * (high - low);
}

BandStatistics statistics_of(std::vector<float>& values, const Normalisation& how) {
  BandStatistics result;
  result.count = std::ssize(values);
  if (values.empty()) return result;
  const auto n = static_cast<double>(values.size());
  const auto sum_of = [&](const auto& term) {
    return std::accumulate(values.begin(), values.end(), 0.0,
                           [&](double sum, float v) { return sum + term(static_cast<double>(v)); });
  };
  result.mean = sum_of([](double v) { return v; }) / n;
  result.sd = std::sqrt(sum_of([&](double v) { return (v - result.mean) * (v - result.mean); }) / n);
  result.low = percentile(values, how.low_percentile);
  result.high = percentile(values, how.high_percentile);
  return result;
}

void check_percentiles(const Normalisation& how) {
  if (how.low_percentile >= 0.0 && how.low_percentile < how.high_percentile && how.high_percentile <= 100.0)
    return;
  throw InvalidArgument(concat("percentiles must satisfy 0 <= low < high <= 100, got ", how.low_percentile,
                               " and ", how.high_percentile));
}

void check_mask(std::span<const std::uint8_t> valid, const Raster<float>& pixels) {
  if (valid.empty() || std::ssize(valid) == pixels.pixels()) return;
  throw InvalidArgument(
      concat("a mask of ", valid.size(), " pixels does not fit ", pixels.pixels(), " pixels"));
}

/// How a band is rescaled: (value - offset) / width, clipped to [0, 1] when asked; a width of 0 gives 0.
struct Rescaling {
  double offset = 0.0;
  double width = 1.0;
  bool clip = false;
};

Rescaling rescaling_of(const Normalisation& how, std::span<const BandStatistics> statistics, int band) {
  if (how.method == NormaliseMethod::kDivide) return {0.0, how.divisor, false};
  const BandStatistics& s = statistics[how.per_band ? static_cast<std::size_t>(band) : 0];
  if (how.method == NormaliseMethod::kZScore) return {s.mean, s.sd, false};
  return {s.low, s.high - s.low, true};
}

void rescale(std::span<float> values, const Rescaling& by, std::span<const std::uint8_t> valid) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    double scaled = 0.0;
    if ((valid.empty() || valid[k] != 0) && std::isfinite(values[k]) && by.width != 0.0) {
      scaled = (static_cast<double>(values[k]) - by.offset) / by.width;
      if (by.clip) scaled = std::clamp(scaled, 0.0, 1.0);
    }
    values[k] = static_cast<float>(scaled);
  }
}

}  // namespace

namespace {

StatisticsOptions statistics_wanted(std::span<const int> bands, const Normalisation& how) {
  check_percentiles(how);
  return {{bands.begin(), bands.end()}, how.per_band, {how.low_percentile, how.high_percentile}};
}

std::vector<BandStatistics> band_statistics(const std::vector<ValueStatistics>& all) {
  std::vector<BandStatistics> result;
  for (const ValueStatistics& s : all) {
    result.push_back(s.pixels == 0
                         ? BandStatistics{}
                         : BandStatistics{s.percentiles[0], s.percentiles[1], s.mean, s.sd, s.pixels});
  }
  return result;
}

}  // namespace

std::vector<BandStatistics> scene_statistics(std::span<const RasterReader* const> scenes,
                                             std::span<const int> bands, const Normalisation& how,
                                             ExecContext& exec) {
  return band_statistics(raster_statistics(scenes, statistics_wanted(bands, how), exec));
}

std::vector<BandStatistics> scene_statistics(std::span<const std::string> paths, std::span<const int> bands,
                                             const Normalisation& how, ExecContext& exec) {
  return band_statistics(raster_statistics(paths, statistics_wanted(bands, how), exec));
}

std::vector<BandStatistics> scene_statistics(const RasterReader& reader, std::span<const int> bands,
                                             const Normalisation& how, ExecContext& exec) {
  const RasterReader* const scene = &reader;
  return scene_statistics({&scene, 1}, bands, how, exec);
}

std::vector<BandStatistics> chip_statistics(const Raster<float>& pixels, const Normalisation& how,
                                            std::span<const std::uint8_t> valid) {
  check_percentiles(how);
  check_mask(valid, pixels);
  std::vector<std::uint8_t> counts(static_cast<std::size_t>(pixels.pixels()), 1);
  for (std::size_t k = 0; k < valid.size(); ++k) counts[k] = valid[k];
  for (int b = 0; b < pixels.bands(); ++b) {
    for (std::size_t k = 0; k < counts.size(); ++k)
      if (!std::isfinite(pixels.band(b)[k])) counts[k] = 0;
  }
  std::vector<BandStatistics> result;
  std::vector<float> values;
  for (int b = 0; b < pixels.bands(); ++b) {
    for (std::size_t k = 0; k < counts.size(); ++k)
      if (counts[k] != 0) values.push_back(pixels.band(b)[k]);
    if (!how.per_band && b + 1 < pixels.bands()) continue;
    result.push_back(statistics_of(values, how));
    values.clear();
  }
  if (!how.per_band) result.front().count /= pixels.bands();
  return result;
}

Normalisation stored_normalisation(const StatisticsFile& file, Normalisation how) {
  check_percentiles(how);
  how.scope = NormaliseScope::kStored;
  how.per_band = file.per_band;
  const auto place = [&](double percent) {
    const auto it = std::ranges::find(file.percentiles, percent);
    if (it != file.percentiles.end()) return static_cast<std::size_t>(it - file.percentiles.begin());
    std::vector<std::string> known;
    for (const double p : file.percentiles) known.push_back(readable(p));
    throw InvalidArgument(concat("the stored statistics lack percentile ", readable(percent),
                                 " (they have: ", join(known, ", "), "); compute them again with it"));
  };
  const std::size_t low = place(how.low_percentile);
  const std::size_t high = place(how.high_percentile);
  how.stored.clear();
  for (const ValueStatistics& s : file.statistics) {
    how.stored.push_back(
        s.pixels == 0 ? BandStatistics{}
                      : BandStatistics{s.percentiles[low], s.percentiles[high], s.mean, s.sd, s.pixels});
  }
  return how;
}

void normalise(Raster<float>& pixels, const Normalisation& how, std::span<const BandStatistics> statistics,
               std::span<const std::uint8_t> valid) {
  check_mask(valid, pixels);
  const std::size_t wanted = how.per_band ? static_cast<std::size_t>(pixels.bands()) : 1;
  if (how.method != NormaliseMethod::kDivide && statistics.size() != wanted) {
    throw InvalidArgument(concat("normalising ", pixels.bands(), " bands needs ", wanted, " statistics, got ",
                                 statistics.size()));
  }
  if (how.method == NormaliseMethod::kDivide && (how.divisor == 0.0 || !std::isfinite(how.divisor))) {
    throw InvalidArgument(concat("the divisor must be a number other than 0, got ", how.divisor));
  }
  for (int b = 0; b < pixels.bands(); ++b) rescale(pixels.band(b), rescaling_of(how, statistics, b), valid);
}

}  // namespace furrow::geo
