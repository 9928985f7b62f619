#include <furrow/segmentation/predictor.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <oneapi/tbb/parallel_pipeline.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/block_cache_limit.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/stacked_image.h>
#include <furrow/geo/raster/warped_image.h>

#include "prediction/outputs.h"
#include "prediction/plan.h"
#include "prediction/quicker_scores.h"
#include "prediction/run_facts.h"
#include "prediction/scene_shift.h"
#include "prediction/score_quantiser.h"
#include "prediction/seam_blender.h"
#include "prediction/tile_job.h"
#include "prediction/tile_ledger.h"
#include "prediction/tile_scorer.h"
#include "prediction/tile_source.h"

namespace furrow::segmentation {
namespace {

void warn_of_group_norm(const ModelSpec& spec) {
  if (!has_group_norm(spec)) return;
  geo::log_warning(
      geo::concat("model ", geo::quoted(spec.id),
                  " has group normalisation: its scores depend on the tile that they are computed "
                  "in; keep --tile-px near the windows of its training"));
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

/// @param image  as the user calls it; `reader` may be a virtual raster that shows it
std::optional<SceneShift> shift_of(const std::string& image, const geo::RasterReader& reader,
                                   const geo::Normalisation& how,
                                   std::span<const geo::BandStatistics> statistics,
                                   const PredictOptions& options, geo::ExecContext& exec) {
  if (options.shift == nullptr) return std::nullopt;
  auto shift = measure_shift(reader, options.bands, how, statistics, *options.shift, exec);
  report_shift(image, shift, options.shift_quantile);
  return shift;
}

/// What is known of a run before any pixel is read.
RunFacts facts_of(const std::string& image, const PredictionPlan& plan, const ModelSpec& spec,
                  const PredictOptions& options) {
  RunFacts facts = settings_of(plan, spec, options);
  std::ranges::move(file_facts(image), std::back_inserter(facts));
  for (const std::string& other : options.other_dates) {
    facts.emplace_back("other date", other);
    std::ranges::move(file_facts(other), std::back_inserter(facts));
  }
  return facts;
}

std::unique_ptr<TileLedger> open_ledger(const std::string& output, const PredictionPlan& plan, RunFacts facts,
                                        std::span<const geo::BandStatistics> statistics, bool uses_quicker) {
  std::ranges::move(statistics_facts(statistics), std::back_inserter(facts));
  facts.emplace_back("scores in bf16", uses_quicker ? "yes" : "no");
  return std::make_unique<TileLedger>(output, plan, facts);
}

bool wants_resampling(const geo::RasterReader& reader, const ModelSpec& spec, Resample when) {
  constexpr double kMostFactor = 8.0;
  constexpr double kSame = 1.01;
  if (when == Resample::kNever || spec.pixel_size_m <= 0.0) return false;
  const auto factor = [](double a, double b) { return std::max(a / b, b / a); };
  const double pixel_size_m = mean_pixel_size_m(reader.grid());
  const double apart = factor(pixel_size_m, spec.pixel_size_m);
  if (apart > kMostFactor) return false;
  if (when == Resample::kNeeded) return !fits_pixel_size(spec, pixel_size_m);
  const geo::Point size = reader.grid().pixel_size_m();
  return apart > kSame || factor(size.x, size.y) > kSame || reader.grid().crs.is_geographic();
}

void check_passes(std::span<const PartScoreFunction> passes, const PredictOptions& options) {
  if (passes.empty()) throw geo::InvalidArgument("prediction needs a network");
  const bool asks =
      std::ranges::count(options.quality, QualityLayer::kMutualInformation, &QualityOutput::layer) > 0;
  if (asks && passes.size() < 2) {
    throw geo::InvalidArgument(
        "mutual information compares several passes; ask for some (turned images, dropout, more models)");
  }
}

/// Valid pixels that this tile completes.
std::int64_t count_written(const TileJob& job) {
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
  Pipeline(const PredictionPlan& plan, const TileSource& source, const TileScorer& scorer,
           SeamBlender& blender, PredictionOutputs& outputs, TileLedger* ledger, geo::ExecContext& exec)
      : m_plan(plan),
        m_source(source),
        m_scorer(scorer),
        m_blender(blender),
        m_outputs(outputs),
        m_ledger(ledger),
        m_exec(exec),
        m_jobs(exec.tokens(plan.tile_bytes())) {}

  PredictReport run() {
    m_report.tiles = static_cast<std::int64_t>(m_plan.tiles.size());
    m_report.tile_px = m_plan.tile_px;
    m_report.halo_px = m_plan.halo_px;
    m_report.blend_px = m_plan.blend_px;
    if (m_ledger != nullptr) {
      m_ledger->replay(m_outputs, m_report);
      m_next = m_ledger->first_tile();
    }
    geo::Progress progress(m_exec, "predict", m_report.tiles - static_cast<std::int64_t>(m_next));
    using tbb::filter_mode;
    const auto list = tbb::make_filter<void, TileJob*>(filter_mode::serial_in_order,
                                                       [&](tbb::flow_control& flow) { return next(flow); });
    const auto read = tbb::make_filter<TileJob*, TileJob*>(filter_mode::parallel, [&](TileJob* job) {
      const Held held(job->turn);
      m_source.load(*job);
      return job;
    });
    const auto infer = tbb::make_filter<TileJob*, TileJob*>(filter_mode::parallel, [&](TileJob* job) {
      const Held held(job->turn);
      m_scorer.run(*job);
      if (!job->empty) m_source.release_pixels(*job);
      return job;
    });
    const auto blend = tbb::make_filter<TileJob*, TileJob*>(filter_mode::serial_in_order, [&](TileJob* job) {
      const Held stage(m_blend_turn);
      const Held held(job->turn);
      m_blender.add(*job);
      return job;
    });
    const auto write = tbb::make_filter<TileJob*, void>(filter_mode::serial_in_order, [&](TileJob* job) {
      const Held stage(m_write_turn);
      const Held held(job->turn);
      finish(*job);
      progress.advance();
    });
    const auto stages = list & read & infer & blend & write;
    for (Turn* turn : {&m_list_turn, &m_blend_turn, &m_write_turn}) turn->store(1, std::memory_order_release);
    tbb::parallel_pipeline(m_jobs.size(), stages);
    m_exec.check_cancelled();  // all tiles may have been on their way when the user asked to stop
    const Held held(m_write_turn);
    return m_report;
  }

 private:
  /// The next tile in a free slot, or nullptr at the end. Tiles leave the pipeline in order and no more are
  /// in it than there are slots, so the slot of the tile that many places before is free.
  TileJob* next(tbb::flow_control& flow) {
    const Held stage(m_list_turn);
    m_exec.check_cancelled();
    if (m_next == m_plan.tiles.size()) {
      flow.stop();
      return nullptr;
    }
    TileJob& job = m_jobs[m_next % m_jobs.size()];
    const Held held(job.turn);
    job.core = m_plan.tiles[m_next].core;
    ++m_next;
    return &job;
  }

  void finish(const TileJob& job) {
    if (m_ledger != nullptr && m_ledger->has(job.core)) return;  // scored again for the blend below it
    m_outputs.write(job);
    const std::int64_t written = count_written(job);
    m_report.empty_tiles += job.empty ? 1 : 0;
    m_report.valid_pixels += written;
    if (m_ledger != nullptr) m_ledger->add(job, written);
  }

  const PredictionPlan& m_plan;
  const TileSource& m_source;
  const TileScorer& m_scorer;
  SeamBlender& m_blender;
  PredictionOutputs& m_outputs;
  TileLedger* m_ledger;  ///< nullptr = none is kept
  geo::ExecContext& m_exec;
  std::vector<TileJob> m_jobs;
  PredictReport m_report;
  std::size_t m_next = 0;
  Turn m_list_turn = 0;
  Turn m_blend_turn = 0;
  Turn m_write_turn = 0;
};

}  // namespace

std::string name_of(QualityLayer layer) {
  switch (layer) {
    case QualityLayer::kEntropy:
      return "entropy";
    case QualityLayer::kMutualInformation:
      return "mutual information";
    default:
      return "disagreement";
  }
}

PartScoreFunction part_of_whole(ScoreFunction score) {
  return [score = std::move(score)](std::span<const float> input, std::int64_t n, std::int64_t bands,
                                    std::int64_t height, std::int64_t width, const geo::Window& part,
                                    std::span<float> output) {
    const std::int64_t images = static_cast<std::int64_t>(output.size()) / part.pixels();  // times classes
    std::vector<float> whole(static_cast<std::size_t>(images * height * width));
    score(input, n, bands, height, width, whole);
    for (std::int64_t i = 0; i < images; ++i) {
      for (std::int64_t row = 0; row < part.height; ++row) {
        std::copy_n(whole.begin() + ((i * height + part.row + row) * width + part.col), part.width,
                    output.begin() + (i * part.height + row) * part.width);
      }
    }
  };
}

PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            const ScoreFunction& score, const PredictOptions& options,
                            geo::ExecContext& exec) {
  return predict_scene(image, output, spec, part_of_whole(score), options, exec);
}

PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            const PartScoreFunction& score, const PredictOptions& options,
                            geo::ExecContext& exec) {
  return predict_scene(image, output, spec, std::span(&score, 1), options, exec);
}

namespace {

/// Blocks pass once; more room for them would be fresh memory, which takes time to clear.
std::size_t block_cache_bytes(const PredictionPlan& plan, const geo::RasterReader& reader) {
  constexpr std::size_t kLeast = std::size_t{64} << 20;
  std::size_t pixel_bytes = 0;
  for (int b = 0; b < reader.bands(); ++b) pixel_bytes += geo::pixel_type_bytes(reader.band(b).type);
  return std::max(kLeast, plan.block_cache_bytes(pixel_bytes, reader.block_height()));
}

PredictReport predict_from(const geo::RasterReader& reader, const std::string& image,
                           const std::string& output, const ModelSpec& spec,
                           std::span<const PartScoreFunction> passes, const PredictOptions& options,
                           geo::ExecContext& exec) {
  check_outputs(image, output, options.quality);
  for (const std::string& other : options.other_dates) check_outputs(other, output, options.quality);
  const AreaOnGrid area = place_area(options.area, reader.grid());
  if (area.window.empty()) {
    PredictReport report;
    report.is_outside = true;
    return report;
  }
  const PredictionPlan plan = make_plan(reader.grid(), area, spec, options, exec.memory_bytes());
  const RunFacts facts = options.resume ? facts_of(image, plan, spec, options) : RunFacts{};
  if (options.resume && is_finished(output, options.quality, checksum_of(facts))) {
    PredictReport report;
    report.was_finished = true;
    return report;
  }
  geo::check_output_path(output, options.overwrite);
  for (const QualityOutput& layer : options.quality) geo::check_output_path(layer.path, options.overwrite);
  check_memory(plan, exec);
  mention_short_halo(plan, spec);
  warn_of_group_norm(spec);
  const geo::BlockCacheLimit cache(block_cache_bytes(plan, reader));
  const auto statistics = statistics_for(reader, options.bands, spec.normalisation, exec);
  const auto shift = shift_of(image, reader, spec.normalisation, statistics, options, exec);
  const TileSource source(reader, plan, spec.normalisation, statistics);
  const QuickerScores quicker = compare_quicker(plan, source, passes, options.quicker, exec);
  const auto ledger =
      options.resume ? open_ledger(output, plan, facts, statistics, quicker.are_used) : nullptr;
  PredictionOutputs outputs(output, reader, spec, plan, shift_metadata(shift), options, exec.threads());
  const ScoreQuantiser quantiser(plan, image);
  const TileScorer scorer(plan, quicker.are_used ? options.quicker : passes, quantiser);
  SeamBlender blender(plan, quantiser);
  PredictReport report = Pipeline(plan, source, scorer, blender, outputs, ledger.get(), exec).run();
  report.used_quicker = quicker.are_used;
  report.agreement = quicker.agreement;
  report.shift = shift;
  if (ledger) ledger->mark_complete(checksum_of(facts));
  outputs.finish();
  if (ledger) ledger->remove_rows();
  return report;
}

/// At the model's pixel size, where the image's is too different.
PredictReport predict_at_any_size(const geo::RasterReader& reader, const std::string& image,
                                  const std::string& output, const ModelSpec& spec,
                                  std::span<const PartScoreFunction> passes, const PredictOptions& options,
                                  geo::ExecContext& exec) {
  const int bands = chosen_bands(reader, options);
  if (!wants_resampling(reader, spec, options.resample)) {
    check_image(spec, image, bands, mean_pixel_size_m(reader.grid()));
    return predict_from(reader, image, output, spec, passes, options, exec);
  }
  check_image(spec, image, bands, spec.pixel_size_m);
  geo::log_warning(geo::concat(
      "image ", geo::quoted(image), " has pixels of ", geo::fixed(mean_pixel_size_m(reader.grid()), 2),
      " m: it is resampled to the model's ", geo::fixed(spec.pixel_size_m, 2), " m"));
  const geo::WarpedImage warped(reader, spec.pixel_size_m);
  PredictOptions with_bands = options;
  // A band that tells where there is data may have been added.
  for (int b = 0; options.bands.empty() && b < bands; ++b) with_bands.bands.push_back(b);
  PredictReport report =
      predict_from(geo::RasterReader(warped.path()), image, output, spec, passes, with_bands, exec);
  report.was_resampled = true;
  return report;
}

}  // namespace

PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            std::span<const PartScoreFunction> passes, const PredictOptions& options,
                            geo::ExecContext& exec) {
  check_passes(passes, options);
  geo::RasterReadOptions read_options;
  read_options.override_crs = options.image_crs;
  read_options.crs_switch = options.crs_switch;
  const geo::RasterReader reader(image, read_options);
  if (options.other_dates.empty())
    return predict_at_any_size(reader, image, output, spec, passes, options, exec);
  const geo::StackedImage stack(reader, options.other_dates, read_options);
  for (const std::string& other : stack.resampled()) {
    geo::log_warning(geo::concat("image ", geo::quoted(other), " lies on another grid than image ",
                                 geo::quoted(image), ": it is resampled to that"));
  }
  return predict_at_any_size(geo::RasterReader(stack.path()), image, output, spec, passes, options, exec);
}

}  // namespace furrow::segmentation
