#include <furrow/geo/raster/statistics.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kWindowValues = std::int64_t{4} << 20;
// All values of 8- and 16-bit integers, signed or not.
constexpr std::int64_t kLowestSmall = -32768;
constexpr std::size_t kSmallValues = 32768 + 65536;
constexpr std::size_t kBins = 65536;

__extension__ using Wide = __int128;

/// How often each bin occurs; empty until the first count.
using Histogram = std::vector<std::int64_t>;

void add_to(Histogram& total, const Histogram& part) {
  if (total.size() < part.size()) total.resize(part.size());
  for (std::size_t i = 0; i < part.size(); ++i) total[i] += part[i];
}

/// A sum of doubles that does not depend on their order: exact, an integer for each binary exponent.
class ExactSum {
 public:
  void add(double value, std::int64_t times = 1) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto exponent = static_cast<std::size_t>(bits >> 52 & 0x7FF);
    const std::uint64_t hidden = exponent == 0 ? 0 : std::uint64_t{1} << 52;
    const Wide mantissa = static_cast<Wide>((bits & 0xFFFFFFFFFFFFF) | hidden) * times;
    m_parts[exponent] += bits >> 63 != 0 ? -mantissa : mantissa;
  }
  void merge(const ExactSum& other) {
    for (std::size_t e = 0; e < m_parts.size(); ++e) m_parts[e] += other.m_parts[e];
  }
  [[nodiscard]] double over(std::int64_t count) const {
    if (m_parts.back() != 0) return std::numeric_limits<double>::infinity();  // a square beyond all doubles
    long double sum = 0.0L;
    for (std::size_t e = 0; e < m_parts.size(); ++e) {
      if (m_parts[e] == 0) continue;
      const int power = std::max(static_cast<int>(e), 1) - 1075;
      sum += std::ldexp(static_cast<long double>(m_parts[e]), power);
    }
    return static_cast<double>(sum / static_cast<long double>(count));
  }

 private:
  std::array<Wide, 2048> m_parts{};
};

/// 32 bits that sort as the values do: the float32 that is nearest.
std::uint32_t key_of(double value) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  const float single = static_cast<float>(std::clamp(value, -kLargest, kLargest)) + 0.0F;  // -0 becomes 0
  const auto bits = std::bit_cast<std::uint32_t>(single);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

double value_of(std::uint32_t key) {
  return static_cast<double>(std::bit_cast<float>((key & 0x80000000U) != 0 ? key & 0x7FFFFFFFU : ~key));
}

double small_value(std::size_t bin) {
  return static_cast<double>(static_cast<std::int64_t>(bin) + kLowestSmall);
}

/// What the first pass counts for one statistic. Parts of any division of the pixels merge to the same whole.
struct FirstPass {
  Histogram small;   ///< 8- and 16-bit integers by value
  Histogram coarse;  ///< others by the upper half of their key
  ExactSum sum;      ///< of the others
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();

  /// @param values  float or double
  void add_small(const auto& values, std::span<const std::uint8_t> valid) {
    if (small.empty()) small.resize(kSmallValues);
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (valid[k] != 0)
        ++small[static_cast<std::size_t>(static_cast<std::int64_t>(values[k]) - kLowestSmall)];
    }
  }
  void add_other(double value) {
    if (coarse.empty()) coarse.resize(kBins);
    ++coarse[key_of(value) >> 16];
    sum.add(value);
    min = std::min(min, value);
    max = std::max(max, value);
  }
  void merge(const FirstPass& other) {
    add_to(small, other.small);
    add_to(coarse, other.coarse);
    sum.merge(other.sum);
    min = std::min(min, other.min);
    max = std::max(max, other.max);
  }
};

/// What the second pass counts for one statistic: of those values only that the first could not settle.
struct SecondPass {
  std::vector<Histogram> fine;  ///< by slot (one for each upper half of interest): bins of the lower half
  ExactSum squares;             ///< of deviations from the mean

  void merge(const SecondPass& other) {
    if (fine.size() < other.fine.size()) fine.resize(other.fine.size());
    for (std::size_t slot = 0; slot < other.fine.size(); ++slot) add_to(fine[slot], other.fine[slot]);
    squares.merge(other.squares);
  }
};

/// One statistic between the passes and at the end.
class Distribution {
 public:
  Distribution(const FirstPass& pass, std::span<const double> percentiles) : m_small(pass.small) {
    ExactSum sum = pass.sum;
    m_result.min = pass.min;
    m_result.max = pass.max;
    m_coarse = pass.coarse;
    m_has_other = !m_coarse.empty();
    m_coarse.resize(kBins);
    for (std::size_t bin = 0; bin < m_small.size(); ++bin) {
      if (m_small[bin] == 0) continue;
      const double value = small_value(bin);
      sum.add(value, m_small[bin]);
      m_coarse[key_of(value) >> 16] += m_small[bin];
      m_result.min = std::min(m_result.min, value);
      m_result.max = std::max(m_result.max, value);
    }
    m_result.pixels = std::accumulate(m_coarse.begin(), m_coarse.end(), std::int64_t{0});
    m_result.percentiles.assign(percentiles.begin(), percentiles.end());
    if (m_result.pixels == 0) return;
    m_result.mean = sum.over(m_result.pixels);
    for (const double percent : percentiles) {
      for (const std::int64_t rank : {rank_below(percent), rank_above(percent)}) {
        const auto [upper, before] = bin_of(m_coarse, rank);
        if (m_slots[upper] != kNone) continue;
        m_slots[upper] = static_cast<std::int32_t>(m_before.size());
        m_before.push_back(before);
      }
    }
  }

  [[nodiscard]] bool has_other() const { return m_has_other; }

  void add_other(SecondPass& pass, double value) const {
    const double off = value - m_result.mean;
    pass.squares.add(off * off);
    count_fine(pass, key_of(value), 1);
  }

  /// @param pass  of all rasters; with nothing in it where all are small integers
  [[nodiscard]] ValueStatistics finish(SecondPass pass) const {
    ValueStatistics result = m_result;
    if (result.pixels == 0) {
      result.min = result.max = result.mean = result.sd = kNan;
      std::ranges::fill(result.percentiles, kNan);
      return result;
    }
    for (std::size_t bin = 0; bin < m_small.size(); ++bin) {
      if (m_small[bin] == 0) continue;
      const double value = small_value(bin);
      const double off = value - result.mean;
      pass.squares.add(off * off, m_small[bin]);
      count_fine(pass, key_of(value), m_small[bin]);
    }
    result.sd = std::sqrt(pass.squares.over(result.pixels));
    for (double& p : result.percentiles) p = percentile(p, pass);
    return result;
  }

 private:
  static constexpr std::int32_t kNone = -1;

  /// The bin that holds a rank, and how many values lie before it.
  static std::pair<std::size_t, std::int64_t> bin_of(const Histogram& histogram, std::int64_t rank) {
    std::int64_t before = 0;
    std::size_t bin = 0;
    for (; before + histogram[bin] <= rank; ++bin) before += histogram[bin];
    return {bin, before};
  }

  void count_fine(SecondPass& pass, std::uint32_t key, std::int64_t times) const {
    const std::int32_t slot = m_slots[key >> 16];
    if (slot == kNone) return;
    pass.fine.resize(m_before.size());
    Histogram& fine = pass.fine[static_cast<std::size_t>(slot)];
    if (fine.empty()) fine.resize(kBins);
    fine[key & 0xFFFFU] += times;
  }

  [[nodiscard]] double exact_rank(double percent) const {
    return percent / 100.0 * static_cast<double>(m_result.pixels - 1);
  }
  [[nodiscard]] std::int64_t rank_below(double percent) const {
    return static_cast<std::int64_t>(std::floor(exact_rank(percent)));
  }
  [[nodiscard]] std::int64_t rank_above(double percent) const {
    return std::min(rank_below(percent) + 1, m_result.pixels - 1);
  }

  [[nodiscard]] double at_rank(std::int64_t rank, const SecondPass& pass) const {
    const auto upper = static_cast<std::uint32_t>(bin_of(m_coarse, rank).first);
    const auto slot = static_cast<std::size_t>(m_slots[upper]);
    const auto lower = static_cast<std::uint32_t>(bin_of(pass.fine[slot], rank - m_before[slot]).first);
    return std::clamp(value_of(upper << 16 | lower), m_result.min, m_result.max);
  }

  [[nodiscard]] double percentile(double percent, const SecondPass& pass) const {
    if (percent == 0.0) return m_result.min;
    if (percent == 100.0) return m_result.max;
    const double low = at_rank(rank_below(percent), pass);
    const double share = exact_rank(percent) - std::floor(exact_rank(percent));
    return share == 0.0 ? low : low + share * (at_rank(rank_above(percent), pass) - low);
  }

  Histogram m_small;
  Histogram m_coarse;  ///< of all values
  bool m_has_other = false;
  /// Upper halves of keys to look into: their place in SecondPass::fine, and the number of values before
  /// them.
  std::vector<std::int32_t> m_slots = std::vector<std::int32_t>(kBins, kNone);
  std::vector<std::int64_t> m_before;
  ValueStatistics m_result;
};

bool is_small_integer(PixelType type) {
  return type == PixelType::kUint8 || type == PixelType::kInt8 || type == PixelType::kUint16 ||
         type == PixelType::kInt16;
}

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
    for (std::int64_t col = 0; col < grid.width; col += width)
      windows.push_back(intersection({col, row, width, height}, grid.window()));
  }
  return windows;
}

/// 1 where all bands are valid and finite.
std::vector<std::uint8_t> valid_pixels(const RasterReader& reader, const Window& window,
                                       std::span<const int> bands, const Raster<double>& pixels) {
  Raster<std::uint8_t> valid = reader.read_valid(window, bands);
  for (int b = 0; b < pixels.bands(); ++b) {
    const auto values = pixels.band(b);
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (!std::isfinite(values[k])) valid.data()[k] = 0;
    }
  }
  return std::move(valid.data());
}

/// The rasters, opened when their turn comes.
struct Source {
  std::size_t count = 0;
  std::function<std::shared_ptr<const RasterReader>(std::size_t)> open;
};

/// Runs over all valid values of the rasters, in parallel.
class Scan {
 public:
  Scan(const Source& source, const StatisticsOptions& options, ExecContext& exec)
      : m_source(source), m_options(options), m_exec(exec) {
    if (source.count == 0) throw InvalidArgument("statistics need at least one raster");
    for (const double p : options.percentiles) {
      if (!(p >= 0.0 && p <= 100.0)) throw InvalidArgument(concat("percentiles lie in 0..100, got ", p));
    }
    const auto first = source.open(0);
    m_bands = options.bands;
    if (m_bands.empty()) {
      m_bands.resize(static_cast<std::size_t>(first->bands()));
      std::iota(m_bands.begin(), m_bands.end(), 0);
    }
    m_first = first->path();
  }

  [[nodiscard]] std::size_t statistics() const { return m_options.per_band ? m_bands.size() : 1; }
  [[nodiscard]] std::int64_t bands() const { return std::ssize(m_bands); }

  /// Calls `visit(statistic, is_small, values, valid)` for each band of each window. Rasters that
  /// `skip_small` leaves out hold small integers only.
  template <class Visit>
  void run(const char* label, bool skip_small, const Visit& visit) const {
    if (m_source.count == 1) return run_one(label, visit);
    Progress progress(m_exec, label, static_cast<std::int64_t>(m_source.count));
    // Isolated: a waiting thread must not start one of the caller's other tasks.
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(std::size_t{0}, m_source.count, [&](std::size_t i) {
        const auto reader = m_source.open(i);
        check_bands(*reader);
        if (!(skip_small && all_small_integers(*reader))) {
          read_raster(*reader, reading_windows(*reader, m_bands.size()), visit,
                      [&] { m_exec.check_cancelled(); });
        }
        progress.advance();
      });
    });
  }

 private:
  struct Memory {
    Raster<float> singles;
    Raster<double> doubles;
    Raster<std::uint8_t> valid;
  };

  /// One scene, which may be huge, shows its windows as progress.
  template <class Visit>
  void run_one(const char* label, const Visit& visit) const {
    const auto reader = m_source.open(0);
    check_bands(*reader);
    const std::vector<Window> windows = reading_windows(*reader, m_bands.size());
    Progress progress(m_exec, label, std::ssize(windows));
    read_raster(*reader, windows, visit, [&] { progress.advance(); });
  }

  template <class Visit, class Tick>
  void read_raster(const RasterReader& reader, const std::vector<Window>& windows, const Visit& visit,
                   const Tick& tick) const {
    // Fresh memory for every window would take longer to clear than to read into.
    tbb::enumerable_thread_specific<Memory> memories;
    const bool all_small = all_small_integers(reader);
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(std::size_t{0}, windows.size(), [&](std::size_t w) {
        read_window(reader, windows[w], all_small, memories.local(), visit);
        tick();
      });
    });
  }

  template <class Visit>
  void read_window(const RasterReader& reader, const Window& window, bool all_small, Memory& memory,
                   const Visit& visit) const {
    if (reader.is_left_out(window, m_bands)) return;
    if (all_small) {  // a float holds them
      reader.read_with_valid(window, m_bands, memory.singles, memory.valid);
      return visit_bands(reader, std::as_const(memory.singles), memory.valid.data(), visit);
    }
    reader.read(window, m_bands, memory.doubles);
    const auto valid = valid_pixels(reader, window, m_bands, memory.doubles);
    visit_bands(reader, std::as_const(memory.doubles), valid, visit);
  }

  template <class T, class Visit>
  void visit_bands(const RasterReader& reader, const Raster<T>& pixels, std::span<const std::uint8_t> valid,
                   const Visit& visit) const {
    for (int b = 0; b < pixels.bands(); ++b) {
      const auto band = static_cast<std::size_t>(b);
      visit(m_options.per_band ? band : 0, is_small_integer(reader.band(m_bands[band]).type), pixels.band(b),
            valid);
    }
  }

  [[nodiscard]] bool all_small_integers(const RasterReader& reader) const {
    return std::ranges::all_of(m_bands, [&](int b) { return is_small_integer(reader.band(b).type); });
  }

  void check_bands(const RasterReader& reader) const {
    const int largest = *std::ranges::max_element(m_bands);
    if (largest >= reader.bands() || *std::ranges::min_element(m_bands) < 0) {
      throw InvalidArgument(
          concat("raster ", quoted(reader.path()), " has no band ", largest + 1, ", only ", reader.bands()));
    }
    if (m_options.bands.empty() && reader.bands() != std::ssize(m_bands)) {
      throw InvalidArgument(concat("raster ", quoted(reader.path()), " has ", reader.bands(), " bands, but ",
                                   quoted(m_first), " has ", m_bands.size(), "; choose bands that all have"));
    }
  }

  const Source& m_source;
  const StatisticsOptions& m_options;
  ExecContext& m_exec;
  std::vector<int> m_bands;
  std::string m_first;
};

/// The parts of all threads as one; the order does not matter.
template <class Pass>
std::vector<Pass> merged(const tbb::enumerable_thread_specific<std::vector<Pass>>& parts, std::size_t count) {
  std::vector<Pass> total(count);
  for (const std::vector<Pass>& part : parts) {
    for (std::size_t s = 0; s < count; ++s) total[s].merge(part[s]);
  }
  return total;
}

std::vector<Distribution> first_pass(const Scan& scan, const StatisticsOptions& options) {
  tbb::enumerable_thread_specific<std::vector<FirstPass>> parts(
      [&] { return std::vector<FirstPass>(scan.statistics()); });
  scan.run("statistics", false,
           [&](std::size_t s, bool small, const auto& values, std::span<const std::uint8_t> valid) {
             FirstPass& part = parts.local()[s];
             if (small) return part.add_small(values, valid);
             for (std::size_t k = 0; k < values.size(); ++k) {
               if (valid[k] != 0) part.add_other(static_cast<double>(values[k]));
             }
           });
  std::vector<Distribution> distributions;
  for (const FirstPass& pass : merged(parts, scan.statistics()))
    distributions.emplace_back(pass, options.percentiles);
  return distributions;
}

std::vector<SecondPass> second_pass(const Scan& scan, const std::vector<Distribution>& distributions) {
  tbb::enumerable_thread_specific<std::vector<SecondPass>> parts(
      [&] { return std::vector<SecondPass>(scan.statistics()); });
  scan.run("percentiles", true,
           [&](std::size_t s, bool small, const auto& values, std::span<const std::uint8_t> valid) {
             if (small) return;
             SecondPass& part = parts.local()[s];
             for (std::size_t k = 0; k < values.size(); ++k) {
               if (valid[k] != 0) distributions[s].add_other(part, static_cast<double>(values[k]));
             }
           });
  return merged(parts, scan.statistics());
}

std::vector<ValueStatistics> statistics_of(const Source& source, const StatisticsOptions& options,
                                           ExecContext& exec) {
  const Scan scan(source, options, exec);
  const std::vector<Distribution> distributions = first_pass(scan, options);
  std::vector<SecondPass> passes(scan.statistics());
  if (std::ranges::any_of(distributions, &Distribution::has_other)) passes = second_pass(scan, distributions);
  std::vector<ValueStatistics> result;
  for (std::size_t s = 0; s < distributions.size(); ++s) {
    result.push_back(distributions[s].finish(std::move(passes[s])));
    if (!options.per_band) result.back().pixels /= scan.bands();
  }
  return result;
}

}  // namespace

std::vector<ValueStatistics> raster_statistics(std::span<const std::string> paths,
                                               const StatisticsOptions& options, ExecContext& exec) {
  const auto open = [&](std::size_t i) {
    RasterReadOptions lenient;
    lenient.require_crs = false;
    return std::make_shared<const RasterReader>(paths[i], lenient);
  };
  return statistics_of({paths.size(), open}, options, exec);
}

std::vector<ValueStatistics> raster_statistics(std::span<const RasterReader* const> readers,
                                               const StatisticsOptions& options, ExecContext& exec) {
  const auto open = [&](std::size_t i) {
    return std::shared_ptr<const RasterReader>(std::shared_ptr<void>(), readers[i]);  // does not own it
  };
  return statistics_of({readers.size(), open}, options, exec);
}

}  // namespace furrow::geo
