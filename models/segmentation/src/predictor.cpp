#include <furrow/segmentation/predictor.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <oneapi/tbb/parallel_pipeline.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/geo/raster/blend.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

namespace furrow::segmentation {
namespace {

using geo::Raster;
using geo::Window;

constexpr std::uint8_t kNodata = 255;
constexpr double kScoreSteps = 200.0;
constexpr double kEntropySteps = 180.0;
constexpr std::int64_t kLeastHaloPx = 16;
/// A wider blend costs memory (its band is as long as the scene is wide) and shows no more effect.
constexpr std::int64_t kMostBlendPx = 32;
/// Intermediate tensors of a network, per input pixel; only the pipeline's budget depends on it.
constexpr std::size_t kNetworkBytesPerPixel = 1024;

std::size_t index(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

std::int64_t round_down(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}
std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return round_down(value + step - 1, step);
}

/// Position of the pixel that mirroring at the first and last pixel (which are not repeated) puts at
/// `position`.
std::int64_t mirrored(std::int64_t position, std::int64_t extent) {
  if (extent == 1) return 0;
  const std::int64_t period = 2 * (extent - 1);
  const std::int64_t phase = position - round_down(position, period);
  return phase < extent ? phase : period - phase;
}

/// Which pixels of an axis stand at begin, begin + 1, ... when the axis is continued by mirroring.
std::vector<std::int64_t> mirrored_range(std::int64_t begin, std::int64_t size, std::int64_t extent) {
  std::vector<std::int64_t> positions(index(size));
  for (std::int64_t i = 0; i < size; ++i) positions[index(i)] = mirrored(begin + i, extent);
  return positions;
}

/// Everything about a run that no tile changes.
struct Plan {
  geo::Grid grid;
  std::vector<geo::Tile> tiles;
  std::int64_t tile_px = 0;
  std::int64_t halo_px = 0;
  std::int64_t blend_px = 0;
  std::int64_t stride_px = 1;
  int bands = 0;
  std::vector<int> source_bands;  ///< of the image, in the model's order; empty = all
  int classes = 0;
  double entropy_steps = kEntropySteps;  ///< stored value of an entropy of 1 nat

  /// What the network sees for a tile: core and halo, begun and ended at multiples of the stride. May leave
  /// the grid.
  [[nodiscard]] Window input_window(const Window& core) const {
    const Window halo = geo::grow(core, halo_px);
    const std::int64_t col = round_down(halo.col, stride_px);
    const std::int64_t row = round_down(halo.row, stride_px);
    return {col, row, round_up(halo.end_col(), stride_px) - col, round_up(halo.end_row(), stride_px) - row};
  }
  /// Pixels that are complete once this tile and those before it are blended.
  [[nodiscard]] Window final_window(const Window& core) const {
    const std::int64_t col = core.col > 0 ? core.col - blend_px : 0;
    const std::int64_t row = core.row > 0 ? core.row - blend_px : 0;
    const std::int64_t end_col = core.end_col() < grid.width ? core.end_col() - blend_px : grid.width;
    const std::int64_t end_row = core.end_row() < grid.height ? core.end_row() - blend_px : grid.height;
    return {col, row, end_col - col, end_row - row};
  }
};

/// Makes what one thread wrote visible to the next that works on the same object. The pipeline does so
/// anyway, but inside the TBB library, where a thread sanitizer cannot see it.
using Turn = std::atomic<int>;

/// Receives what the thread before left, and leaves it to the next at the end of the scope.
class Held {
 public:
  explicit Held(Turn& turn) : m_turn(turn) { (void)turn.load(std::memory_order_acquire); }
  ~Held() { m_turn.store(1, std::memory_order_release); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  Turn& m_turn;
};

/// One tile on its way through the pipeline. Only one stage at a time holds it.
struct Job {
  Turn turn = 0;
  Window core;
  Window input;                  ///< seen by the network
  Window share;                  ///< contributed to
  Window final;                  ///< written when this tile is blended
  Raster<float> pixels;          ///< [bands, input]
  Raster<std::uint8_t> valid;    ///< [1, share]
  Raster<float> scores;          ///< [classes, input]
  Raster<std::uint8_t> bytes;    ///< [classes, final]
  Raster<std::uint8_t> entropy;  ///< [1, final], or empty
  bool empty = false;            ///< no valid pixel in its share
};

/// Turns class probabilities into the stored bytes of one pixel.
class Quantiser {
 public:
  Quantiser(const Plan& plan, std::string image) : m_plan(plan), m_image(std::move(image)) {}

  /// Stores a pixel at (col, row) of the scene, which lies in job.final. Only called for valid pixels.
  void store(Job& job, std::int64_t col, std::int64_t row, std::span<const double> scores) const {
    const std::int64_t x = col - job.final.col;
    const std::int64_t y = row - job.final.row;
    for (int k = 0; k < m_plan.classes; ++k) {
      const double p = scores[static_cast<std::size_t>(k)];
      if (std::isnan(p)) fail(col, row);
      job.bytes.at(x, y, k) = static_cast<std::uint8_t>(std::clamp(p, 0.0, 1.0) * kScoreSteps + 0.5);
    }
    if (!job.entropy.empty()) job.entropy.at(x, y) = entropy_byte(scores);
  }

 private:
  [[nodiscard]] std::uint8_t entropy_byte(std::span<const double> scores) const {
    double entropy = 0.0;
    for (const double p : scores) {
      if (p > 0.0) entropy -= p * std::log(p);
    }
    const double stored = std::max(0.0, entropy) * m_plan.entropy_steps + 0.5;
    return static_cast<std::uint8_t>(std::min(stored, 254.0));
  }
  [[noreturn]] void fail(std::int64_t col, std::int64_t row) const {
    throw geo::ModelError(geo::concat("the network gave a score that is not a number for image ",
                                      geo::quoted(m_image), " at column ", col, ", row ", row,
                                      "; the model is broken"));
  }
  const Plan& m_plan;
  std::string m_image;
};

/// Reads a tile with its surroundings, normalised and mirrored at the scene's borders. Safe from several
/// threads.
class TileSource {
 public:
  TileSource(const geo::RasterReader& reader, const Plan& plan, const geo::Normalisation& how,
             std::vector<geo::BandStatistics> statistics)
      : m_reader(reader), m_plan(plan), m_how(how), m_statistics(std::move(statistics)) {}

  /// Fills everything of a job but the scores; its core is given.
  void load(Job& job) const {
    job.input = m_plan.input_window(job.core);
    job.share = geo::blend_window(job.core, m_plan.grid, m_plan.blend_px);
    job.final = m_plan.final_window(job.core);
    const auto cols = mirrored_range(job.input.col, job.input.width, m_plan.grid.width);
    const auto rows = mirrored_range(job.input.row, job.input.height, m_plan.grid.height);
    const auto [left, right] = std::ranges::minmax(cols);
    const auto [top, bottom] = std::ranges::minmax(rows);
    const Window window{left, top, right - left + 1, bottom - top + 1};

    Raster<std::uint8_t> valid = m_reader.read_valid(window, m_plan.source_bands);
    job.valid = cropped(valid, window, job.share);
    job.empty = std::ranges::none_of(job.valid.data(), [](std::uint8_t v) { return v != 0; });
    if (job.empty) return;
    Raster<float> pixels = m_reader.read<float>(window, m_plan.source_bands);
    invalidate_non_finite(pixels, valid);
    job.valid = cropped(valid, window, job.share);
    geo::normalise(pixels, m_how, m_statistics, valid.data());
    job.pixels = window == job.input ? std::move(pixels) : arranged(pixels, window, cols, rows);
  }

 private:
  static Raster<std::uint8_t> cropped(const Raster<std::uint8_t>& from, const Window& at,
                                      const Window& window) {
    Raster<std::uint8_t> part(window.width, window.height);
    for (std::int64_t row = 0; row < window.height; ++row) {
      const auto* source = &from.at(window.col - at.col, window.row - at.row + row);
      std::copy_n(source, window.width, &part.at(0, row));
    }
    return part;
  }
  /// One infinite input would spoil every score within the receptive field.
  static void invalidate_non_finite(const Raster<float>& pixels, Raster<std::uint8_t>& valid) {
    for (int b = 0; b < pixels.bands(); ++b) {
      const auto values = pixels.band(b);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) valid.data()[i] = 0;
      }
    }
  }
  static Raster<float> arranged(const Raster<float>& from, const Window& at,
                                std::span<const std::int64_t> cols, std::span<const std::int64_t> rows) {
    Raster<float> to(static_cast<std::int64_t>(cols.size()), static_cast<std::int64_t>(rows.size()),
                     from.bands());
    for (int b = 0; b < from.bands(); ++b) {
      for (std::size_t y = 0; y < rows.size(); ++y) {
        const float* source = &from.at(0, rows[y] - at.row, b);
        float* target = &to.at(0, static_cast<std::int64_t>(y), b);
        for (std::size_t x = 0; x < cols.size(); ++x) target[x] = source[cols[x] - at.col];
      }
    }
    return to;
  }

  const geo::RasterReader& m_reader;
  const Plan& m_plan;
  const geo::Normalisation& m_how;
  std::vector<geo::BandStatistics> m_statistics;
};

/// Runs the network on a tile and stores the pixels that no other tile shares. Safe from several threads.
class TileScorer {
 public:
  TileScorer(const Plan& plan, const ScoreFunction& score, const Quantiser& quantiser, bool with_entropy)
      : m_plan(plan), m_score(score), m_quantiser(quantiser), m_with_entropy(with_entropy) {}

  void run(Job& job) const {
    if (job.empty) return;
    const auto width = job.input.width;
    const auto height = job.input.height;
    job.scores = Raster<float>(width, height, m_plan.classes);
    m_score(job.pixels.data(), 1, m_plan.bands, height, width, job.scores.data());
    job.pixels = {};
    job.bytes = Raster<std::uint8_t>(job.final.width, job.final.height, m_plan.classes, kNodata);
    if (m_with_entropy) job.entropy = Raster<std::uint8_t>(job.final.width, job.final.height, 1, kNodata);
    store_unshared(job);
  }

 private:
  void store_unshared(Job& job) const {
    const std::int64_t begin_col = job.core.col > 0 ? job.core.col + m_plan.blend_px : 0;
    const std::int64_t begin_row = job.core.row > 0 ? job.core.row + m_plan.blend_px : 0;
    std::vector<double> scores(static_cast<std::size_t>(m_plan.classes));
    for (std::int64_t row = begin_row; row < job.final.end_row(); ++row) {
      for (std::int64_t col = begin_col; col < job.final.end_col(); ++col) {
        if (job.valid.at(col - job.share.col, row - job.share.row) == 0) continue;
        for (int k = 0; k < m_plan.classes; ++k) {
          const float score = job.scores.at(col - job.input.col, row - job.input.row, k);
          scores[static_cast<std::size_t>(k)] = static_cast<double>(score);
        }
        m_quantiser.store(job, col, row, scores);
      }
    }
  }

  const Plan& m_plan;
  const ScoreFunction& m_score;
  const Quantiser& m_quantiser;
  bool m_with_entropy;
};

/// Adds up what neighbouring tiles say about the pixels on both sides of their common border.
///
/// Tiles come in row-major order, one at a time. Sums are kept only for the band along the border below the
/// present row of tiles, the band above it, and the band to the right of the present tile: 2 x blend_px wide
/// each. Products of float scores and 24-bit weights are exact in double, and so are their sums where tiles
/// agree.
class Blender {
 public:
  Blender(const Plan& plan, const Quantiser& quantiser)
      : m_plan(plan),
        m_quantiser(quantiser),
        m_above(plan.blend_px > 0 ? plan.grid.width : 0, 2 * plan.blend_px, plan.classes),
        m_below(m_above),
        m_left(2 * plan.blend_px, plan.tile_px + plan.blend_px, plan.classes),
        m_scores(static_cast<std::size_t>(plan.classes)) {}

  void add(Job& job) {
    if (m_plan.blend_px == 0) return;
    if (job.core.row != m_row) {
      std::swap(m_above, m_below);
      std::ranges::fill(m_below.data(), 0.0);
      m_row = job.core.row;
    }
    // A tile without valid pixels shares none with its neighbours: what they left for it is not needed.
    if (job.empty) return;
    const auto x_weights =
        geo::blend_weights(job.core.col, job.core.end_col(), m_plan.grid.width, m_plan.blend_px);
    const auto y_weights =
        geo::blend_weights(job.core.row, job.core.end_row(), m_plan.grid.height, m_plan.blend_px);
    const std::int64_t top_end = job.core.row > 0 ? job.core.row + m_plan.blend_px : 0;
    const std::int64_t left_end = job.core.col > 0 ? job.core.col + m_plan.blend_px : 0;
    for (std::int64_t row = job.share.row; row < job.share.end_row(); ++row) {
      const bool whole_row = row < top_end || row >= job.final.end_row();
      for (std::int64_t col = job.share.col; col < job.share.end_col(); ++col) {
        if (!whole_row && col >= left_end && col < job.final.end_col()) {
          col = job.final.end_col() - 1;  // stored already: no neighbour shares these
          continue;
        }
        weigh(job, col, row, x_weights[index(col - job.share.col)] * y_weights[index(row - job.share.row)]);
        place(job, col, row, col < left_end, row < top_end);
      }
    }
  }

 private:
  void weigh(const Job& job, std::int64_t col, std::int64_t row, float weight) {
    for (int k = 0; k < m_plan.classes; ++k) {
      const float score = job.scores.at(col - job.input.col, row - job.input.row, k);
      m_scores[static_cast<std::size_t>(k)] = static_cast<double>(weight) * static_cast<double>(score);
    }
  }

  /// Keeps the weighted scores of one pixel for a later tile, or completes the pixel.
  void place(Job& job, std::int64_t col, std::int64_t row, bool in_left_band, bool in_top_band) {
    const bool for_below = row >= job.final.end_row();
    const bool for_right = col >= job.final.end_col();
    for (int k = 0; k < m_plan.classes; ++k) {
      double& sum = m_scores[static_cast<std::size_t>(k)];
      if (for_below) {
        m_below.at(col, row - job.final.end_row(), k) += sum;
        continue;
      }
      if (for_right) {
        m_left.at(col - job.final.end_col(), row - job.final.row, k) = sum;
        continue;
      }
      if (in_left_band) sum += m_left.at(col - job.final.col, row - job.final.row, k);
      if (in_top_band) sum += m_above.at(col, row - job.final.row, k);
    }
    if (for_below || for_right || job.valid.at(col - job.share.col, row - job.share.row) == 0) return;
    m_quantiser.store(job, col, row, m_scores);
  }

  const Plan& m_plan;
  const Quantiser& m_quantiser;
  Raster<double> m_above;
  Raster<double> m_below;
  Raster<double> m_left;
  std::vector<double> m_scores;
  std::int64_t m_row = 0;
};

Plan make_plan(const geo::Grid& grid, const ModelSpec& spec, const PredictOptions& options) {
  Plan plan;
  plan.grid = grid;
  plan.tile_px = options.tile_px;
  plan.stride_px = std::max(1, spec.stride_px);
  plan.bands = static_cast<int>(spec.bands.size());
  plan.source_bands = options.bands;
  plan.classes = static_cast<int>(spec.classes.size());
  const std::int64_t radius = spec.receptive_radius_px;
  plan.halo_px = options.halo_px.value_or(round_up(std::max(radius, kLeastHaloPx), plan.stride_px));
  plan.tiles = geo::make_tiles(grid, options.tile_px, plan.halo_px);
  if (options.blend) {
    const std::int64_t spare = plan.halo_px >= radius ? plan.halo_px - radius : plan.halo_px / 2;
    plan.blend_px = std::min({spare, kMostBlendPx, options.tile_px / 2});
  }
  // ln 4 x 180 still fits below the nodata value.
  if (plan.classes > 4) plan.entropy_steps = 254.0 / std::log(static_cast<double>(plan.classes));
  return plan;
}

/// A shorter halo is the user's choice; its price is said once.
void mention_short_halo(const Plan& plan, const ModelSpec& spec) {
  if (plan.halo_px >= spec.receptive_radius_px) return;
  geo::log_info(geo::concat("a halo of ", plan.halo_px, " px is shorter than the ", spec.receptive_radius_px,
                            " px that model ", geo::quoted(spec.id),
                            " looks: scores near the borders of tiles depend on the tiling"));
}

/// Group normalisation sees the whole of what the network is shown.
void warn_of_group_norm(const ModelSpec& spec) {
  const auto found = spec.architecture_parameters.find("group_norm");
  if (found == spec.architecture_parameters.end() || found->second == 0.0) return;
  geo::log_warning(
      geo::concat("model ", geo::quoted(spec.id),
                  " has group normalisation: its scores depend on the tile that they are computed "
                  "in; keep --tile-px near the windows of its training"));
}

/// Bytes of one tile in flight, when the network works on it.
std::size_t tile_bytes(const Plan& plan) {
  const Window input = plan.input_window(
      {0, 0, std::min(plan.tile_px, plan.grid.width), std::min(plan.tile_px, plan.grid.height)});
  const auto channels = static_cast<std::size_t>(plan.bands + plan.classes);
  return index(input.pixels()) * (2 * sizeof(float) * channels + kNetworkBytesPerPixel);
}

void check_memory(const Plan& plan, const geo::ExecContext& exec) {
  const std::size_t bytes = tile_bytes(plan);
  if (bytes <= exec.memory_bytes()) return;
  throw geo::InvalidArgument(geo::concat(
      "a tile of ", plan.tile_px, " px with a halo of ", plan.halo_px, " px needs about ",
      geo::human_bytes(static_cast<double>(bytes)), ", more than the memory budget of ",
      geo::human_bytes(static_cast<double>(exec.memory_bytes())), "; lower --tile-px or raise --memory"));
}

geo::RasterSpec common_spec(const geo::RasterReader& reader, const ModelSpec& spec, int threads) {
  geo::RasterSpec out;
  out.threads = threads;
  out.nodata = kNodata;
  out.overview = geo::Overview::kAverage;
  out.metadata = {{"FURROW_MODEL_ID", spec.id}, {"FURROW_VERSION", geo::furrow_version()}};
  if (const auto date = reader.metadata("TIFFTAG_DATETIME"); !date.empty())
    out.metadata["TIFFTAG_DATETIME"] = date;
  return out;
}

geo::RasterSpec score_spec(const geo::RasterReader& reader, const ModelSpec& spec, int threads) {
  geo::RasterSpec out = common_spec(reader, spec, threads);
  out.bands = static_cast<int>(spec.classes.size());
  out.scale = 1.0 / kScoreSteps;
  for (const auto& c : spec.classes) out.descriptions.push_back(c.name);
  return out;
}

geo::RasterSpec entropy_spec(const geo::RasterReader& reader, const ModelSpec& spec, const Plan& plan,
                             int threads) {
  geo::RasterSpec out = common_spec(reader, spec, threads);
  out.scale = 1.0 / plan.entropy_steps;
  out.descriptions = {"entropy"};
  return out;
}

/// @throws IoError when an output would replace the image it is made from, or both outputs are one file
void check_outputs(const std::string& image, const std::string& output, const std::string& entropy) {
  std::error_code ec;
  for (const std::string& path : {output, entropy}) {
    if (!path.empty() && std::filesystem::equivalent(image, path, ec)) {
      throw geo::IoError(
          geo::concat("output ", geo::quoted(path), " is the input image; choose another name"));
    }
  }
  if (!entropy.empty() &&
      std::filesystem::weakly_canonical(output, ec) == std::filesystem::weakly_canonical(entropy, ec)) {
    throw geo::IoError(geo::concat("scores and entropy cannot both go to ", geo::quoted(output)));
  }
}

/// How many bands the model gets to see.
int chosen_bands(const geo::RasterReader& reader, const PredictOptions& options) {
  for (const int band : options.bands) (void)reader.band(band);  // throws when it is not there
  return options.bands.empty() ? reader.bands() : static_cast<int>(options.bands.size());
}

std::vector<geo::BandStatistics> statistics_for(const geo::RasterReader& reader, std::span<const int> bands,
                                                const geo::Normalisation& how, geo::ExecContext& exec) {
  if (how.method == geo::NormaliseMethod::kDivide) return {};
  if (how.scope == geo::NormaliseScope::kStored) return how.stored;
  return geo::scene_statistics(reader, bands, how, exec);
}

/// Score map and entropy of one scene, written side by side.
class Outputs {
 public:
  Outputs(const std::string& scores, const geo::RasterReader& reader, const ModelSpec& spec, const Plan& plan,
          const PredictOptions& options, int threads)
      : m_entropy_path(options.entropy_path),
        m_scores(scores, plan.grid, score_spec(reader, spec, threads), options.overwrite) {
    if (options.entropy_path.empty()) return;
    m_entropy.emplace(options.entropy_path, plan.grid, entropy_spec(reader, spec, plan, threads),
                      options.overwrite);
  }
  /// Pixels never written read as nodata.
  void write(const Job& job) {
    if (job.empty) return;
    m_scores.write(job.final, job.bytes);
    if (m_entropy) m_entropy->write(job.final, job.entropy);
  }
  void finish() {
    if (m_entropy) m_entropy->finish();
    try {
      m_scores.finish();
    } catch (...) {
      std::error_code ec;  // one output without the other is of no use
      if (m_entropy) std::filesystem::remove(m_entropy_path, ec);
      throw;
    }
  }

 private:
  std::string m_entropy_path;
  geo::RasterWriter m_scores;
  std::optional<geo::RasterWriter> m_entropy;
};

/// Valid pixels that this tile completes.
std::int64_t count_written(const Job& job) {
  std::int64_t count = 0;
  for (std::int64_t row = job.final.row; row < job.final.end_row(); ++row) {
    const std::uint8_t* line = &job.valid.at(job.final.col - job.share.col, row - job.share.row);
    count += std::count(line, line + job.final.width, std::uint8_t{1});
  }
  return count;
}

/// The stages of the pipeline and what flows between them.
class Pipeline {
 public:
  Pipeline(const Plan& plan, const TileSource& source, const TileScorer& scorer, Blender& blender,
           Outputs& outputs, geo::ExecContext& exec)
      : m_plan(plan),
        m_source(source),
        m_scorer(scorer),
        m_blender(blender),
        m_outputs(outputs),
        m_exec(exec),
        m_jobs(exec.tokens(tile_bytes(plan))) {}

  PredictReport run() {
    m_report = {static_cast<std::int64_t>(m_plan.tiles.size()), 0, 0, m_plan.halo_px, m_plan.blend_px};
    geo::Progress progress(m_exec, "predict", m_report.tiles);
    using tbb::filter_mode;
    const auto list = tbb::make_filter<void, Job*>(filter_mode::serial_in_order,
                                                   [&](tbb::flow_control& flow) { return next(flow); });
    const auto read = tbb::make_filter<Job*, Job*>(filter_mode::parallel, [&](Job* job) {
      const Held held(job->turn);
      m_source.load(*job);
      return job;
    });
    const auto infer = tbb::make_filter<Job*, Job*>(filter_mode::parallel, [&](Job* job) {
      const Held held(job->turn);
      m_scorer.run(*job);
      return job;
    });
    const auto blend = tbb::make_filter<Job*, Job*>(filter_mode::serial_in_order, [&](Job* job) {
      const Held stage(m_blend_turn);
      const Held held(job->turn);
      m_blender.add(*job);
      return job;
    });
    const auto write = tbb::make_filter<Job*, void>(filter_mode::serial_in_order, [&](Job* job) {
      const Held stage(m_write_turn);
      const Held held(job->turn);
      finish(*job);
      progress.advance();
    });
    const auto stages = list & read & infer & blend & write;
    for (Turn* turn : {&m_list_turn, &m_blend_turn, &m_write_turn}) turn->store(1, std::memory_order_release);
    tbb::parallel_pipeline(m_jobs.size(), stages);
    const Held held(m_write_turn);
    return m_report;
  }

 private:
  /// The next tile in a free slot, or nullptr at the end. Tiles leave the pipeline in order and no more are
  /// in it than there are slots, so the slot of the tile that many places before is free.
  Job* next(tbb::flow_control& flow) {
    const Held stage(m_list_turn);
    m_exec.check_cancelled();
    if (m_next == m_plan.tiles.size()) {
      flow.stop();
      return nullptr;
    }
    Job& job = m_jobs[m_next % m_jobs.size()];
    const Held held(job.turn);
    job.core = m_plan.tiles[m_next].core;
    ++m_next;
    return &job;
  }

  void finish(const Job& job) {
    m_outputs.write(job);
    m_report.empty_tiles += job.empty ? 1 : 0;
    m_report.valid_pixels += count_written(job);
  }

  const Plan& m_plan;
  const TileSource& m_source;
  const TileScorer& m_scorer;
  Blender& m_blender;
  Outputs& m_outputs;
  geo::ExecContext& m_exec;
  std::vector<Job> m_jobs;
  PredictReport m_report;
  std::size_t m_next = 0;
  Turn m_list_turn = 0;
  Turn m_blend_turn = 0;
  Turn m_write_turn = 0;
};

}  // namespace

PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            const ScoreFunction& score, const PredictOptions& options,
                            geo::ExecContext& exec) {
  geo::RasterReadOptions read_options;
  read_options.override_crs = options.image_crs;
  read_options.crs_switch = options.crs_switch;
  const geo::RasterReader reader(image, read_options);
  const geo::Point pixel_m = reader.grid().pixel_size_m();
  check_image(spec, image, chosen_bands(reader, options), std::sqrt(pixel_m.x * pixel_m.y));
  check_outputs(image, output, options.entropy_path);
  const Plan plan = make_plan(reader.grid(), spec, options);
  check_memory(plan, exec);
  mention_short_halo(plan, spec);
  warn_of_group_norm(spec);
  Outputs outputs(output, reader, spec, plan, options, exec.threads());

  const TileSource source(reader, plan, spec.normalisation,
                          statistics_for(reader, options.bands, spec.normalisation, exec));
  const Quantiser quantiser(plan, image);
  const TileScorer scorer(plan, score, quantiser, !options.entropy_path.empty());
  Blender blender(plan, quantiser);
  const PredictReport report = Pipeline(plan, source, scorer, blender, outputs, exec).run();
  outputs.finish();
  return report;
}

}  // namespace furrow::segmentation
