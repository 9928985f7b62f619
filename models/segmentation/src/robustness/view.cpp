#include "view.h"

#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "../augment.h"
#include "../prediction/rounding.h"
#include "../prediction/tile_job.h"
#include "resample.h"

namespace furrow::segmentation {
namespace {

using geo::Raster;
using geo::Window;
using Family = PerturbationFamily;

/// The core with its surroundings on two sides only.
Window corner_window(const PredictionPlan& plan, const Window& core, int corner) {
  const Window all = plan.input_window(core);
  const Window least{round_down(core.col, plan.stride_px), round_down(core.row, plan.stride_px), 0, 0};
  const std::int64_t end_col = round_up(core.end_col(), plan.stride_px);
  const std::int64_t end_row = round_up(core.end_row(), plan.stride_px);
  const bool at_left = corner % 2 == 0;
  const bool at_top = corner < 2;
  Window seen;
  seen.col = at_left ? least.col : all.col;
  seen.row = at_top ? least.row : all.row;
  seen.width = (at_left ? all.end_col() : end_col) - seen.col;
  seen.height = (at_top ? all.end_row() : end_row) - seen.row;
  return seen;
}

/// The same ground, `shift` px further from the upper left corner of what the network sees.
Window shifted_window(const PredictionPlan& plan, const Window& core, std::int64_t shift) {
  const Window all = plan.input_window(core);
  const std::int64_t more = round_up(shift, plan.stride_px);
  return {all.col - shift, all.row - shift, all.width + more, all.height + more};
}

}  // namespace

Raster<float> NetworkView::input(const SceneWindow& window, const Window& seen) const {
  const Window part = within(seen, window.area);
  Raster<float> pixels = cut(window.pixels, part);
  const Raster<std::uint8_t> valid = cut(window.valid, part);
  geo::normalise(pixels, spec.normalisation, statistics, valid.data());
  return pixels;
}

Raster<float> NetworkView::answer(const Raster<float>& input) const {
  Raster<float> scores(input.width(), input.height(), plan.classes);
  score(input.data(), 1, input.bands(), input.height(), input.width(), scores.data());
  if (std::ranges::any_of(scores.data(), [](float p) { return std::isnan(p); })) {
    throw geo::ModelError(geo::concat("the network gave a score that is not a number for image ",
                                      geo::quoted(image), "; the model is broken"));
  }
  return scores;
}

Raster<float> NetworkView::scores_of(const SceneWindow& window, const Window& seen) const {
  return cut(answer(input(window, seen)), within(window.core, seen));
}

Raster<float> NetworkView::scores(const SceneWindow& window) const {
  return scores_of(window, plan.input_window(window.core));
}

Raster<float> NetworkView::turned_scores(const SceneWindow& window, int turn) const {
  const Window seen = plan.input_window(window.core);
  const Raster<float> scores = answer(turned(input(window, seen), turn));
  return cut(turned(scores, undone_turn(turn)), within(window.core, seen));
}

Raster<float> NetworkView::resampled_scores(const SceneWindow& window, double pixel_size) const {
  const Window core = window.core_in_area();
  const auto halo = static_cast<std::int64_t>(std::ceil(pixel_size * static_cast<double>(plan.halo_px)));
  const auto axis = [&](std::int64_t begin, std::int64_t size) {
    const double pixels = std::ceil(static_cast<double>(size + 2 * halo) / pixel_size);
    return AxisMap{static_cast<double>(begin - halo), pixel_size,
                   round_up(static_cast<std::int64_t>(pixels), plan.stride_px)};
  };
  const AxisMap cols = axis(core.col, core.width);
  const AxisMap rows = axis(core.row, core.height);
  Raster<float> pixels = resample(window.pixels, window.valid, cols, rows);
  const Raster<std::uint8_t> valid = resample_nearest(window.valid, cols, rows);
  geo::normalise(pixels, spec.normalisation, statistics, valid.data());
  const auto back = [&](const AxisMap& axis_map, std::int64_t begin, std::int64_t size) {
    return AxisMap{(static_cast<double>(begin) - axis_map.begin) / pixel_size, 1.0 / pixel_size, size};
  };
  return resample(answer(pixels), valid, back(cols, core.col, core.width), back(rows, core.row, core.height));
}

Raster<float> NetworkView::perturbed_scores(const SceneWindow& window, const Perturbation& p,
                                            std::span<const geo::BandStatistics> bands) const {
  const auto level = static_cast<int>(p.level);
  switch (p.family) {
    case Family::kTranslation:
      return scores_of(window, shifted_window(plan, window.core, level));
    case Family::kTurn:
      return turned_scores(window, level);
    case Family::kCrop:
      return scores_of(window, corner_window(plan, window.core, level));
    case Family::kPixelSize:
      return resampled_scores(window, p.level);
    default:
      break;
  }
  SceneWindow changed = window;
  perturb_values(changed, p, bands);
  return scores(changed);
}

}  // namespace furrow::segmentation
