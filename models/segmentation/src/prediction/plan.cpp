#include "plan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <vector>

#include <oneapi/tbb/info.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/blend.h>
#include <furrow/segmentation/architecture.h>

#include "../unet_regions.h"
#include "rounding.h"

namespace furrow::segmentation {
namespace {

using geo::Window;

constexpr std::int64_t kLeastHaloPx = 16;
/// A wider blend costs memory (its band is as long as the scene is wide) and shows no more effect.
constexpr std::int64_t kMostBlendPx = 32;
/// Sides of tiles to choose from. Larger ones than the most are hardly quicker; smaller ones than the usual
/// are for small budgets.
constexpr std::int64_t kMostTilePx = 2048;
constexpr std::int64_t kUsualTilePx = 512;
constexpr std::int64_t kTileStepPx = 64;
constexpr std::int64_t kGroupNormTilePx = 256;

/// Intermediate tensors of a network for a pixel of its input, in float32: measured on U-Nets of two widths;
/// a guess for other networks. Only the pipeline's budget and the default tile depend on it.
std::size_t network_bytes_per_pixel(const ModelSpec& spec) {
  constexpr double kBytesPerChannel = 32.0;
  constexpr double kUnknownWidth = 32.0;
  const auto found = spec.architecture_parameters.find("base_width");
  const double width = found == spec.architecture_parameters.end() ? kUnknownWidth : found->second;
  return static_cast<std::size_t>(kBytesPerChannel * std::clamp(width, 1.0, 4096.0));
}

/// Built-in U-Nets go through a tile from top to bottom where its halo holds all that they look at: each
/// level keeps the rows that the levels below are behind. So many rows that a budget of 1.5 GB, of which
/// LibTorch and GDAL take their part, was kept.
std::int64_t network_rows(const PredictionPlan& plan, const ModelSpec& spec) {
  const bool goes_by_rows = spec.architecture == kNetworkNames[0] && !has_group_norm(spec) &&
                            plan.halo_px >= spec.receptive_radius_px;
  return goes_by_rows ? 4 * (plan.halo_px + kRowsAtATime) : 0;
}

/// How long tiles of a side take when each processor takes the next one as soon as it is free (Graham 1969),
/// in pixels that the network passes.
double time_of(const PredictionPlan& plan, std::int64_t side, std::size_t processors) {
  // The halo shrinks from layer to layer; counting operations of U-Nets, it costs a tile of any side as much
  // as this narrower one would.
  constexpr double kHaloCost = 0.6;
  const double halo = kHaloCost * static_cast<double>(plan.halo_px);
  std::priority_queue<double, std::vector<double>, std::greater<>> ends;
  for (std::size_t i = 0; i < processors; ++i) ends.push(0.0);
  double end = 0.0;
  for (const geo::Tile& tile : geo::make_tiles(plan.grid, side, plan.halo_px)) {
    const double tile_end = ends.top() + (static_cast<double>(tile.core.width) + halo) *
                                             (static_cast<double>(tile.core.height) + halo);
    ends.pop();
    ends.push(tile_end);
    end = std::max(end, tile_end);
  }
  return end;
}

std::int64_t default_tile_px(const PredictionPlan& plan, const ModelSpec& spec, std::size_t memory_bytes) {
  if (has_group_norm(spec)) return kGroupNormTilePx;
  // Processors of the machine, so that scores do not depend on --threads.
  const auto processors = static_cast<std::size_t>(tbb::info::default_concurrency());
  return choose_tile_px(plan, processors, memory_bytes);
}

/// What tiles have to say of a pixel so that the layers can be made of their weighted sum.
void plan_channels(PredictionPlan& plan, const PredictOptions& options) {
  plan.channels = plan.classes;
  for (const QualityOutput& output : options.quality) {
    plan.layers.push_back(output.layer);
    if (output.layer == QualityLayer::kMutualInformation) plan.mean_entropy_channel = plan.channels++;
    if (output.layer == QualityLayer::kDisagreement) plan.square_channel = plan.channels++;
  }
}

}  // namespace

Window PredictionPlan::input_window(const Window& core) const {
  const Window halo = on_image(geo::grow(core, halo_px));
  const std::int64_t col = round_down(halo.col, stride_px);
  const std::int64_t row = round_down(halo.row, stride_px);
  return {col - area.col, row - area.row, round_up(halo.end_col(), stride_px) - col,
          round_up(halo.end_row(), stride_px) - row};
}

Window PredictionPlan::on_image(const Window& window) const {
  return {window.col + area.col, window.row + area.row, window.width, window.height};
}

Window PredictionPlan::final_window(const Window& core) const {
  const std::int64_t col = core.col > 0 ? core.col - blend_px : 0;
  const std::int64_t row = core.row > 0 ? core.row - blend_px : 0;
  const std::int64_t end_col = core.end_col() < grid.width ? core.end_col() - blend_px : grid.width;
  const std::int64_t end_row = core.end_row() < grid.height ? core.end_row() - blend_px : grid.height;
  return {col, row, end_col - col, end_row - row};
}

std::int64_t choose_tile_px(PredictionPlan plan, std::size_t processors, std::size_t memory_bytes) {
  const auto fits = [&](std::int64_t side) {
    plan.tile_px = side;
    return plan.tile_bytes() * processors <= memory_bytes;
  };
  std::int64_t best = kUsualTilePx;
  while (best > kTileStepPx && !fits(best)) best -= kTileStepPx;
  double least = time_of(plan, best, processors);
  for (std::int64_t side = best + kTileStepPx; side <= kMostTilePx && fits(side); side += kTileStepPx) {
    const double time = time_of(plan, side, processors);
    if (time >= least) continue;
    best = side;
    least = time;
  }
  return best;
}

std::size_t PredictionPlan::tile_bytes() const {
  const Window input = input_window({0, 0, std::min(tile_px, grid.width), std::min(tile_px, grid.height)});
  const auto planes = static_cast<std::size_t>(bands + channels);
  const std::int64_t rows = network_rows > 0 ? std::min(network_rows, input.height) : input.height;
  return static_cast<std::size_t>(input.pixels()) * 2 * sizeof(float) * planes +
         static_cast<std::size_t>(input.width * rows) * network_bytes;
}

std::size_t PredictionPlan::block_cache_bytes(std::size_t pixel_bytes, std::int64_t block_height) const {
  constexpr std::int64_t kWrittenBlock = 512;
  const std::int64_t cols = std::min(area.width + 2 * halo_px, image_width);
  const std::int64_t rows = std::min(tile_px + 2 * halo_px + 2 * block_height, image_height);
  const auto written = static_cast<std::size_t>(area.width * (tile_px + 2 * kWrittenBlock));
  return static_cast<std::size_t>(cols * rows) * pixel_bytes +
         written * (static_cast<std::size_t>(classes) + layers.size());
}

double mean_pixel_size_m(const geo::Grid& grid) {
  const geo::Point size = grid.pixel_size_m();
  return std::sqrt(size.x * size.y);
}

bool has_group_norm(const ModelSpec& spec) {
  const auto found = spec.architecture_parameters.find("group_norm");
  return found != spec.architecture_parameters.end() && found->second != 0.0;
}

PredictionPlan make_plan(const geo::Grid& image, const AreaOnGrid& area, const ModelSpec& spec,
                         const PredictOptions& options, std::size_t memory_bytes) {
  PredictionPlan plan;
  plan.grid = image.subgrid(area.window);
  plan.image_width = image.width;
  plan.image_height = image.height;
  plan.area = area.window;
  plan.cutline = area.cutline;
  plan.stride_px = std::max(1, spec.stride_px);
  plan.bands = static_cast<int>(spec.bands.size());
  plan.source_bands = options.bands;
  plan.classes = static_cast<int>(spec.classes.size());
  plan_channels(plan, options);
  const std::int64_t radius = spec.receptive_radius_px;
  plan.halo_px = options.halo_px.value_or(round_up(std::max(radius, kLeastHaloPx), plan.stride_px));
  plan.network_bytes = network_bytes_per_pixel(spec);
  plan.network_rows = network_rows(plan, spec);
  plan.may_score_parts = !has_group_norm(spec) && radius > 0 && plan.halo_px >= radius;
  plan.tile_px = options.tile_px ? *options.tile_px : default_tile_px(plan, spec, memory_bytes);
  plan.tiles = geo::make_tiles(plan.grid, plan.tile_px, plan.halo_px);
  if (options.blend) {
    const std::int64_t spare = plan.halo_px >= radius ? plan.halo_px - radius : plan.halo_px / 2;
    plan.blend_px = std::min({spare, kMostBlendPx, plan.tile_px / 2});
  }
  // ln 4 x 180 still fits below the nodata value.
  if (plan.classes > 4) plan.entropy_steps = 254.0 / std::log(static_cast<double>(plan.classes));
  return plan;
}

void mention_short_halo(const PredictionPlan& plan, const ModelSpec& spec) {
  if (plan.halo_px >= spec.receptive_radius_px) return;
  geo::log_info(geo::concat("a halo of ", plan.halo_px, " px is shorter than the ", spec.receptive_radius_px,
                            " px that model ", geo::quoted(spec.id),
                            " looks: scores near the borders of tiles depend on the tiling"));
}

void check_memory(const PredictionPlan& plan, const geo::ExecContext& exec) {
  const std::size_t bytes = plan.tile_bytes();
  if (bytes <= exec.memory_bytes()) return;
  throw geo::InvalidArgument(geo::concat(
      "a tile of ", plan.tile_px, " px with a halo of ", plan.halo_px, " px needs about ",
      geo::human_bytes(static_cast<double>(bytes)), ", more than the memory budget of ",
      geo::human_bytes(static_cast<double>(exec.memory_bytes())), "; lower --tile-px or raise --memory"));
}

}  // namespace furrow::segmentation
