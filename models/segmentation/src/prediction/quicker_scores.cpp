#include "quicker_scores.h"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

#include "pass_sums.h"
#include "score_quantiser.h"

namespace furrow::segmentation {
namespace {

constexpr std::int64_t kLeastScenePixels = 4'000'000;
constexpr std::int64_t kWindowPx = 128;
constexpr std::int64_t kWindowsASide = 3;
constexpr double kLeastAgreement = 0.999;

/// Valid pixels of `window`, and those of them on which all classes agree.
std::pair<std::int64_t, std::int64_t> count(const TileJob& job, const geo::Window& window,
                                            const geo::Raster<float>& a, const geo::Raster<float>& b,
                                            int classes) {
  std::int64_t valid = 0, agreeing = 0;
  const geo::Window in_share = within(window, job.share);
  for (std::int64_t row = 0; row < window.height; ++row) {
    for (std::int64_t col = 0; col < window.width; ++col) {
      if (job.valid.at(in_share.col + col, in_share.row + row) == 0) continue;
      bool agrees = true;
      for (int k = 0; k < classes; ++k) {
        const auto difference =
            static_cast<double>(a.at(col, row, k)) - static_cast<double>(b.at(col, row, k));
        agrees = agrees && std::abs(difference) * kScoreSteps <= 1.0;
      }
      ++valid;
      agreeing += agrees ? 1 : 0;
    }
  }
  return {valid, agreeing};
}

/// Windows at the centres of a regular partition of the scene.
geo::Window sample_window(const geo::Grid& grid, std::int64_t i) {
  const std::int64_t x = i % kWindowsASide, y = i / kWindowsASide;
  return {(2 * x + 1) * grid.width / (2 * kWindowsASide) - kWindowPx / 2,
          (2 * y + 1) * grid.height / (2 * kWindowsASide) - kWindowPx / 2, kWindowPx, kWindowPx};
}

}  // namespace

QuickerScores compare_quicker(const PredictionPlan& plan, const TileSource& source,
                              std::span<const PartScoreFunction> exact,
                              std::span<const PartScoreFunction> quicker, geo::ExecContext& exec) {
  QuickerScores result{false, std::numeric_limits<double>::quiet_NaN()};
  if (quicker.empty() || plan.grid.width * plan.grid.height < kLeastScenePixels) return result;
  std::atomic<std::int64_t> valid = 0, agreeing = 0;
  tbb::parallel_for(std::int64_t{0}, kWindowsASide * kWindowsASide, [&](std::int64_t i) {
    exec.check_cancelled();
    TileJob job;
    job.core = geo::intersection(sample_window(plan.grid, i), plan.grid.window());
    if (job.core.empty()) return;
    source.load(job);
    if (job.empty) return;
    const geo::Window compared = geo::intersection(job.core, job.wanted);
    if (compared.empty()) return;
    const geo::Window part = within(compared, job.input);
    const auto [all, same] = count(job, compared, score_in_passes(exact, plan, job, part),
                                   score_in_passes(quicker, plan, job, part), plan.classes);
    valid += all;
    agreeing += same;
  });
  if (valid == 0) return result;
  result.agreement = static_cast<double>(agreeing) / static_cast<double>(valid);
  result.are_used = result.agreement >= kLeastAgreement;
  geo::log_info(geo::concat("quicker scores agree to 1/200 on ", geo::fixed(100.0 * result.agreement, 2),
                            " % of the pixels of ", kWindowsASide * kWindowsASide, " windows: they are ",
                            result.are_used ? "used" : "not used"));
  return result;
}

}  // namespace furrow::segmentation
