#include <furrow/segmentation/predict_scenes.h>

#include <algorithm>
#include <atomic>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/raster/reader.h>

#include "prediction/plan.h"

namespace furrow::segmentation {
namespace {

PredictOptions options_of(const SceneTask& task, PredictOptions options) {
  options.quality = task.quality;
  options.other_dates = task.other_dates;
  return options;
}

SceneOutcome predict_one(const SceneTask& task, const ModelSpec& spec,
                         std::span<const PartScoreFunction> passes, const PredictOptions& options,
                         geo::ExecContext& exec) {
  SceneOutcome outcome;
  try {
    outcome.report = predict_scene(task.image, task.output, spec, passes, options_of(task, options), exec);
  } catch (const geo::Cancelled&) {
    throw;
  } catch (const geo::Error&) {
    outcome.failure = std::current_exception();
  }
  return outcome;
}

/// Few tiles, one for each thread within the budget. An image that cannot be opened is quickly done with.
bool is_for_one_thread(const SceneTask& task, const ModelSpec& spec, const PredictOptions& options,
                       const geo::ExecContext& exec) {
  if (geo::is_remote(task.image)) return false;
  try {
    geo::RasterReadOptions reading;
    reading.override_crs = options.image_crs;
    geo::Grid grid = geo::RasterReader(task.image, reading).grid();
    // As large as it would be at the model's pixel size.
    const double factor =
        spec.pixel_size_m > 0.0 ? std::max(1.0, mean_pixel_size_m(grid) / spec.pixel_size_m) : 1.0;
    grid.width = static_cast<std::int64_t>(static_cast<double>(grid.width) * factor);
    grid.height = static_cast<std::int64_t>(static_cast<double>(grid.height) * factor);
    const PredictionPlan plan =
        make_plan(grid, {grid.window(), {}}, spec, options_of(task, options), exec.memory_bytes());
    return plan.tiles.size() <= kFewTiles &&
           exec.tokens(plan.tile_bytes()) >= static_cast<std::size_t>(exec.threads());
  } catch (const geo::Error&) {
    return true;
  }
}

/// Shows nothing of what happens below it, and one line for all.
class OneProgress {
 public:
  OneProgress(geo::ExecContext& exec, std::size_t total)
      : m_exec(exec), m_sink(exec.progress_sink()), m_total(static_cast<std::int64_t>(total)) {
    m_exec.set_progress_sink(nullptr);
    if (m_sink != nullptr) m_sink->begin(kLabel, m_total);
  }
  ~OneProgress() {
    if (m_sink != nullptr) m_sink->end(kLabel, m_done, m_total);
    m_exec.set_progress_sink(m_sink);
  }
  OneProgress(const OneProgress&) = delete;
  OneProgress& operator=(const OneProgress&) = delete;

  void advance() {
    const std::int64_t done = ++m_done;
    if (m_sink != nullptr) m_sink->update(kLabel, done, m_total);
  }

 private:
  static constexpr const char* kLabel = "predict images";
  geo::ExecContext& m_exec;
  geo::ProgressSink* m_sink;
  std::int64_t m_total;
  std::atomic<std::int64_t> m_done{0};
};

}  // namespace

std::vector<SceneOutcome> predict_scenes(std::span<const SceneTask> tasks, const ModelSpec& spec,
                                         std::span<const PartScoreFunction> passes,
                                         const PredictOptions& options, geo::ExecContext& exec) {
  std::vector<SceneOutcome> outcomes(tasks.size());
  const auto predict = [&](std::size_t i) {
    outcomes[i] = predict_one(tasks[i], spec, passes, options, exec);
  };
  const auto predict_side_by_side = [&](std::size_t begin, std::size_t end) {
    if (end - begin == 1) return predict(begin);  // with a progress of its own
    OneProgress progress(exec, end - begin);
    tbb::parallel_for(begin, end, [&](std::size_t i) {
      exec.check_cancelled();
      // Isolated: a thread that waits for its image must not begin another one meanwhile.
      tbb::this_task_arena::isolate([&] { predict(i); });
      progress.advance();
    });
  };
  const bool is_alone = tasks.size() == 1;  // then there is nothing to open it for twice
  for (std::size_t begin = 0; begin < tasks.size(); ++begin) {
    std::size_t end = begin;
    while (end < tasks.size() && !is_alone && is_for_one_thread(tasks[end], spec, options, exec)) ++end;
    if (end > begin) predict_side_by_side(begin, end);
    if (end < tasks.size()) predict(end);  // the one that is too large
    begin = end;
  }
  return outcomes;
}

}  // namespace furrow::segmentation
