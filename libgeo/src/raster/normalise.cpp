#include <furrow/geo/raster/normalise.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

constexpr std::int64_t kWindowValues = std::int64_t{4} << 20;
// All values of 8- and 16-bit integers, signed or not.
constexpr double kLowestSmall = -32768.0;
constexpr std::size_t kSmallValues = 32768 + 65536;
constexpr std::size_t kBins = 65536;

/// How often each bin occurs: one histogram per statistic. Integers, so that sums do not depend on their
/// order.
using Histograms = std::vector<std::vector<std::int64_t>>;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  std::int64_t count = 0;
};

/// Sums over one window, relative to the statistic's minimum.
struct Sums {
  double sum = 0.0;
  double squares = 0.0;
};

/// Windows of whole blocks, about four million values each.
std::vector<Window> reading_windows(const RasterReader& reader, std::size_t bands) {
  const Grid& grid = reader.grid();
  const std::int64_t pixels = std::max(std::int64_t{1}, kWindowValues / static_cast<std::int64_t>(bands));
  const auto whole_blocks = [](std::int64_t wanted, std::int64_t block, std::int64_t size) {
    return std::min(size, std::max(std::int64_t{1}, wanted / block) * block);
  };
  const std::int64_t width = whole_blocks(1024, reader.block_width(), grid.width);
  const std::int64_t height = whole_blocks(pixels / width, reader.block_height(), grid.height);
  std::vector<Window> windows;
  for (std::int64_t row = 0; row < grid.height; row += height) {
    for (std::int64_t col = 0; col < grid.width; col += width) {
      windows.push_back(intersection({col, row, width, height}, grid.window()));
    }
  }
  return windows;
}

bool is_small_integer(PixelType type) {
  return type == PixelType::kUint8 || type == PixelType::kInt8 || type == PixelType::kUint16 ||
         type == PixelType::kInt16;
}

/// One run over the valid values of a raster, in windows.
class Scan {
 public:
  Scan(const RasterReader& reader, std::span<const int> bands, bool per_band, ExecContext& exec)
      : m_reader(reader),
        m_bands(bands),
        m_per_band(per_band),
        m_exec(exec),
        m_windows(reading_windows(reader, bands.size())) {}

  [[nodiscard]] std::size_t statistics() const { return m_per_band ? m_bands.size() : 1; }
  [[nodiscard]] std::size_t windows() const { return m_windows.size(); }

  /// Reads every window in parallel and calls `visit(window, statistic, values, valid)` for each band.
  template <class Visit>
  void run(const char* label, const Visit& visit) const {
    Progress progress(m_exec, label, std::ssize(m_windows));
    // Isolated: a waiting thread must not start one of the caller's other tasks.
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(std::size_t{0}, m_windows.size(), [&](std::size_t i) {
        const Raster<double> pixels = m_reader.read<double>(m_windows[i], m_bands);
        const std::vector<std::uint8_t> valid = valid_pixels(m_windows[i], pixels);
        for (int b = 0; b < pixels.bands(); ++b) {
          visit(i, m_per_band ? static_cast<std::size_t>(b) : 0, pixels.band(b), valid);
        }
        progress.advance();
      });
    });
  }

 private:
  [[nodiscard]] std::vector<std::uint8_t> valid_pixels(const Window& window,
                                                       const Raster<double>& pixels) const {
    Raster<std::uint8_t> valid = m_reader.read_valid(window, m_bands);
    for (int b = 0; b < pixels.bands(); ++b) {
      const auto values = pixels.band(b);
      for (std::size_t k = 0; k < values.size(); ++k) {
        if (!std::isfinite(values[k])) valid.data()[k] = 0;
      }
    }
    return std::move(valid.data());
  }

  const RasterReader& m_reader;
  std::span<const int> m_bands;
  bool m_per_band;
  ExecContext& m_exec;
  std::vector<Window> m_windows;
};

/// Counts values into `bins` bins: `bin_of(statistic, value)`.
template <class BinOf, class Also>
Histograms count_values(const Scan& scan, const char* label, std::size_t bins, const BinOf& bin_of,
                        const Also& also) {
  tbb::enumerable_thread_specific<Histograms> local(
      [&] { return Histograms(scan.statistics(), std::vector<std::int64_t>(bins, 0)); });
  scan.run(label, [&](std::size_t window, std::size_t s, std::span<const double> values,
                      const std::vector<std::uint8_t>& valid) {
    auto& histogram = local.local()[s];
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (valid[k] == 0) continue;
      ++histogram[bin_of(s, values[k])];
      also(window, s, values[k]);
    }
  });
  Histograms total(scan.statistics(), std::vector<std::int64_t>(bins, 0));
  for (const Histograms& part : local) {
    for (std::size_t s = 0; s < part.size(); ++s) {
      std::ranges::transform(part[s], total[s], total[s].begin(), std::plus<>{});
    }
  }
  return total;
}

/// The value at `percent` of the way through sorted values; `value_at(bin, rank in the bin, bin's count)`.
template <class ValueAt>
double percentile(const std::vector<std::int64_t>& histogram, std::int64_t count, double percent,
                  const ValueAt& value_at) {
  const auto at_rank = [&](std::int64_t rank) {
    std::size_t bin = 0;
    for (; rank >= histogram[bin]; ++bin) rank -= histogram[bin];
    return value_at(bin, rank, histogram[bin]);
  };
  const double rank = percent / 100.0 * static_cast<double>(count - 1);
  const auto below = static_cast<std::int64_t>(std::floor(rank));
  const double low = at_rank(below);
  const double share = rank - static_cast<double>(below);
  return share == 0.0 ? low : low + share * (at_rank(std::min(below + 1, count - 1)) - low);
}

/// Exact, from one histogram of all possible values.
BandStatistics of_small_integers(const std::vector<std::int64_t>& histogram, const Normalisation& how) {
  BandStatistics result;
  result.count = std::accumulate(histogram.begin(), histogram.end(), std::int64_t{0});
  if (result.count == 0) return result;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < histogram.size(); ++i) sum += static_cast<std::int64_t>(i) * histogram[i];
  const double mean = static_cast<double>(sum) / static_cast<double>(result.count);
  double squares = 0.0;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    const double off = static_cast<double>(i) - mean;
    squares += off * off * static_cast<double>(histogram[i]);
  }
  const auto value_at = [](std::size_t bin, std::int64_t, std::int64_t) {
    return static_cast<double>(bin) + kLowestSmall;
  };
  result.mean = mean + kLowestSmall;
  result.sd = std::sqrt(squares / static_cast<double>(result.count));
  result.low = percentile(histogram, result.count, how.low_percentile, value_at);
  result.high = percentile(histogram, result.count, how.high_percentile, value_at);
  return result;
}

std::vector<BandStatistics> small_integer_statistics(const Scan& scan, const Normalisation& how) {
  const Histograms histograms = count_values(
      scan, "statistics", kSmallValues,
      [](std::size_t, double value) { return static_cast<std::size_t>(value - kLowestSmall); },
      [](std::size_t, std::size_t, double) {});
  std::vector<BandStatistics> result;
  for (const auto& histogram : histograms) result.push_back(of_small_integers(histogram, how));
  return result;
}

std::vector<Range> value_ranges(const Scan& scan) {
  tbb::enumerable_thread_specific<std::vector<Range>> local(scan.statistics());
  scan.run("range of values", [&](std::size_t, std::size_t s, std::span<const double> values,
                                  const std::vector<std::uint8_t>& valid) {
    Range& range = local.local()[s];
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (valid[k] == 0) continue;
      range.low = std::min(range.low, values[k]);
      range.high = std::max(range.high, values[k]);
      ++range.count;
    }
  });
  std::vector<Range> total(scan.statistics());
  for (const auto& part : local) {
    for (std::size_t s = 0; s < part.size(); ++s) {
      total[s].low = std::min(total[s].low, part[s].low);
      total[s].high = std::max(total[s].high, part[s].high);
      total[s].count += part[s].count;
    }
  }
  return total;
}

BandStatistics of_bins(const std::vector<std::int64_t>& histogram, const Range& range, const Sums& sums,
                       const Normalisation& how) {
  BandStatistics result;
  result.count = range.count;
  if (range.count == 0) return result;
  const auto n = static_cast<double>(range.count);
  const double mean = sums.sum / n;
  result.mean = range.low + mean;
  result.sd = std::sqrt(std::max(0.0, sums.squares / n - mean * mean));
  const double step = (range.high - range.low) / static_cast<double>(kBins);
  // Values are spread evenly over their bin.
  const auto value_at = [&](std::size_t bin, std::int64_t rank, std::int64_t in_bin) {
    const double share = (static_cast<double>(rank) + 0.5) / static_cast<double>(in_bin);
    return range.low + step * (static_cast<double>(bin) + share);
  };
  const auto value = [&](double percent) {
    if (percent == 0.0) return range.low;
    if (percent == 100.0) return range.high;
    return percentile(histogram, range.count, percent, value_at);
  };
  result.low = value(how.low_percentile);
  result.high = value(how.high_percentile);
  return result;
}

std::vector<BandStatistics> general_statistics(const Scan& scan, const Normalisation& how) {
  const std::vector<Range> ranges = value_ranges(scan);
  // One place per window and statistic: the sums are added in the order of the windows, whoever made them.
  std::vector<Sums> parts(scan.windows() * scan.statistics());
  const Histograms histograms = count_values(
      scan, "statistics", kBins,
      [&](std::size_t s, double value) {
        const double share = (value - ranges[s].low) / (ranges[s].high - ranges[s].low);
        return share > 0.0 ? std::min(kBins - 1, static_cast<std::size_t>(share * static_cast<double>(kBins)))
                           : 0;
      },
      [&](std::size_t window, std::size_t s, double value) {
        Sums& sums = parts[window * scan.statistics() + s];
        const double off = value - ranges[s].low;
        sums.sum += off;
        sums.squares += off * off;
      });
  std::vector<BandStatistics> result;
  for (std::size_t s = 0; s < scan.statistics(); ++s) {
    Sums sums;
    for (std::size_t window = 0; window < scan.windows(); ++window) {
      sums.sum += parts[window * scan.statistics() + s].sum;
      sums.squares += parts[window * scan.statistics() + s].squares;
    }
    result.push_back(of_bins(histograms[s], ranges[s], sums, how));
  }
  return result;
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

std::vector<BandStatistics> scene_statistics(const RasterReader& reader, std::span<const int> bands,
                                             const Normalisation& how, ExecContext& exec) {
  if (!(how.low_percentile >= 0.0 && how.low_percentile < how.high_percentile &&
        how.high_percentile <= 100.0)) {
    throw InvalidArgument(concat("percentiles must satisfy 0 <= low < high <= 100, got ", how.low_percentile,
                                 " and ", how.high_percentile));
  }
  std::vector<int> chosen(bands.begin(), bands.end());
  if (chosen.empty()) {
    chosen.resize(static_cast<std::size_t>(reader.bands()));
    std::iota(chosen.begin(), chosen.end(), 0);
  }
  const Scan scan(reader, chosen, how.per_band, exec);
  const bool small =
      std::ranges::all_of(chosen, [&](int b) { return is_small_integer(reader.band(b).type); });
  auto result = small ? small_integer_statistics(scan, how) : general_statistics(scan, how);
  if (!how.per_band) result.front().count /= std::ssize(chosen);
  return result;
}

void normalise(Raster<float>& pixels, const Normalisation& how, std::span<const BandStatistics> statistics,
               std::span<const std::uint8_t> valid) {
  if (!valid.empty() && std::ssize(valid) != pixels.pixels()) {
    throw InvalidArgument(
        concat("a mask of ", valid.size(), " pixels does not fit ", pixels.pixels(), " pixels"));
  }
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
