#include "delineate_rules.h"

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/watershed.h>

#include "strips.h"

namespace furrow::geo::detail {

void check_options(const DelineateOptions& o) {
  const auto within = [](double value, double low, double high, const char* name) {
    if (!(value >= low && value <= high)) {
      throw InvalidArgument(concat(name, " must be ", low, "..", high, ", got ", value));
    }
  };
  within(o.extent_threshold, 0.0, 1.0, "the extent threshold");
  within(o.cut, 1.0 / kScoreLevels, 1.0, "the cut");
  within(o.boundary_threshold, 0.0, 1.0, "the boundary threshold");
  const auto not_negative = [](double value, const char* name) {
    if (!(value >= 0.0) || !std::isfinite(value))
      throw InvalidArgument(concat(name, " must be a number >= 0, got ", value));
  };
  not_negative(o.min_area_m2, "the minimum area");
  not_negative(o.min_width_m, "the minimum width");
  not_negative(o.fill_holes_m2, "the size of holes to fill");
  not_negative(o.absorb_below, "the strength below which an edge is weak");
  not_negative(o.simplify_px, "the tolerance of simplification");
  not_negative(o.simplify_m.value_or(0.0), "the tolerance of simplification");
  if (o.placement == OutlinePlacement::kPixel) return;
  if (o.mode == SplitMode::kInstances)
    throw InvalidArgument("outlines of given instances cannot be placed by scores: there are none");
  if (o.simplify_method == SimplifyMethod::kArea) {
    throw InvalidArgument("simplification that keeps areas in pixels needs outlines along pixels");
  }
}

int score_level(double threshold) {
  return static_cast<int>(std::ceil(threshold * kScoreLevels - 1e-9));
}

Raster<std::uint8_t> field_mask(const ScoreMap& scores, const DelineateOptions& options) {
  Raster<std::uint8_t> mask(scores.extent.width(), scores.extent.height());
  const int extent = score_level(options.extent_threshold);
  const int boundary =
      options.mode == SplitMode::kComponents ? score_level(options.boundary_threshold) : kScoreLevels + 1;
  for_each_pixel(mask, [&](std::size_t i) {
    const bool is_field = scores.valid.data()[i] != 0 && scores.extent.data()[i] >= extent;
    mask.data()[i] = is_field && scores.boundary.data()[i] < boundary ? 1 : 0;
  });
  return mask;
}

Raster<std::uint32_t> as_labels(const Raster<std::uint8_t>& mask) {
  Raster<std::uint32_t> labels(mask.width(), mask.height());
  std::ranges::copy(mask.data(), labels.data().begin());
  return labels;
}

void mark_unknown(Raster<std::uint32_t>& labels, const Raster<std::uint8_t>& valid, std::int64_t above) {
  const auto offset = static_cast<std::size_t>(above * labels.width());
  for_each_pixel(labels, [&](std::size_t i) {
    if (valid.data()[i + offset] == 0) labels.data()[i] = kUnknownInstance;
  });
}

double min_area_m2(const DelineateOptions& options, const PixelAreas& areas) {
  constexpr double kMinPixels = 5.0;
  return std::max(options.min_area_m2, kMinPixels * areas.pixel_m2());
}

CleanRules clean_rules(const DelineateOptions& options, const PixelAreas& areas) {
  const SizeRules size{areas.from_m2(min_area_m2(options, areas)), areas.length_from_m(options.min_width_m),
                       options.absorb_below};
  return {size, areas.from_m2(options.fill_holes_m2)};
}

}  // namespace furrow::geo::detail
