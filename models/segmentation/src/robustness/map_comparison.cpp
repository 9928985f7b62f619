#include "map_comparison.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/topology/components.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/watershed.h>

#include "../object_counts.h"

namespace furrow::segmentation {
namespace {

using geo::Raster;

double ratio(double part, double whole) {
  return whole > 0.0 ? part / whole : std::numeric_limits<double>::quiet_NaN();
}

std::uint8_t score_level(float score) {
  const double p = std::clamp(static_cast<double>(score), 0.0, 1.0);
  return static_cast<std::uint8_t>(std::floor(p * geo::kScoreLevels + 0.5));
}

geo::ScoreMap score_map(const Raster<float>& scores, const Raster<std::uint8_t>& valid,
                        const geo::Grid& grid) {
  geo::ScoreMap map{grid, Raster<std::uint8_t>(grid.width, grid.height),
                    Raster<std::uint8_t>(grid.width, grid.height), valid};
  for (std::size_t i = 0; i < valid.data().size(); ++i) {
    if (valid.data()[i] == 0) continue;
    const int interior = score_level(scores.band(1)[i]);
    const int boundary = score_level(scores.band(2)[i]);
    map.boundary.data()[i] = static_cast<std::uint8_t>(boundary);
    map.extent.data()[i] = static_cast<std::uint8_t>(std::min(interior + boundary, geo::kScoreLevels));
  }
  return map;
}

std::uint8_t likeliest(const Raster<float>& scores, std::size_t i) {
  const std::array p{scores.band(0)[i], scores.band(1)[i], scores.band(2)[i]};
  return static_cast<std::uint8_t>(std::ranges::max_element(p) - p.begin());
}

}  // namespace

WindowMap make_map(const Raster<float>& scores, const Raster<std::uint8_t>& valid, const geo::Grid& grid,
                   const ModelSpec& spec, geo::ExecContext& exec) {
  const geo::ScoreMap levels = score_map(scores, valid, grid);
  geo::DelineateOptions options;
  options.extent_threshold = spec.extent_threshold;
  options.cut = spec.watershed_cut;
  options.min_area_m2 = spec.min_area_m2.value_or(options.min_area_m2);
  WindowMap map;
  map.fields = geo::delineate_instances(levels, geo::PixelAreas(grid), options, exec).labels;
  map.scores = scores;
  map.classes = Raster<std::uint8_t>(grid.width, grid.height, 1, geo::kIgnore);
  map.extent = Raster<std::uint8_t>(grid.width, grid.height);
  for (std::size_t i = 0; i < valid.data().size(); ++i) {
    if (valid.data()[i] == 0) continue;
    ++map.valid_pixels;
    map.classes.data()[i] = likeliest(scores, i);
    // As delineate decides it.
    const double least = spec.extent_threshold * geo::kScoreLevels - 1e-9;
    map.extent.data()[i] = static_cast<double>(levels.extent.data()[i]) >= least ? 1 : 0;
  }
  return map;
}

WindowMap reference_map(std::span<const geo::MultiPolygon> reference, const Raster<std::uint8_t>& valid,
                        const geo::Grid& grid) {
  WindowMap map;
  map.fields = geo::rasterize_instances(reference, grid);
  map.extent = Raster<std::uint8_t>(grid.width, grid.height);
  for (std::size_t i = 0; i < valid.data().size(); ++i) {
    std::uint32_t& field = map.fields.data()[i];
    if (valid.data()[i] == 0) {
      field = geo::kUnknownInstance;
      continue;
    }
    ++map.valid_pixels;
    map.extent.data()[i] = field != 0 ? 1 : 0;
  }
  return map;
}

MapAgreement compare_fields(const WindowMap& a, const WindowMap& b) {
  MapAgreement result;
  for (std::size_t i = 0; i < a.extent.data().size(); ++i) {
    const bool in_a = a.extent.data()[i] != 0;
    const bool in_b = b.extent.data()[i] != 0;
    result.extent_both += in_a && in_b ? 1 : 0;
    result.extent_either += in_a || in_b ? 1 : 0;
  }
  const ObjectCounts fields = count_common_fields(a.fields, b.fields);
  result.fields_a = fields.labelled;
  result.fields_b = fields.predicted;
  result.matched = fields.matched;
  return result;
}

MapAgreement compare_maps(const WindowMap& a, const WindowMap& b) {
  MapAgreement result = compare_fields(a, b);
  result.pixels = a.valid_pixels;
  for (std::size_t i = 0; i < a.classes.data().size(); ++i) {
    if (a.classes.data()[i] == geo::kIgnore) continue;
    result.flipped += a.classes.data()[i] != b.classes.data()[i] ? 1 : 0;
    double difference = 0.0;
    for (int c = 0; c < static_cast<int>(kMapClasses); ++c) {
      difference +=
          std::abs(static_cast<double>(a.scores.band(c)[i]) - static_cast<double>(b.scores.band(c)[i]));
    }
    result.score_difference += difference / static_cast<double>(kMapClasses);
  }
  return result;
}

MapAgreement& MapAgreement::operator+=(const MapAgreement& other) {
  pixels += other.pixels;
  flipped += other.flipped;
  score_difference += other.score_difference;
  extent_both += other.extent_both;
  extent_either += other.extent_either;
  fields_a += other.fields_a;
  fields_b += other.fields_b;
  matched += other.matched;
  return *this;
}

double MapAgreement::flip_share() const {
  return ratio(static_cast<double>(flipped), static_cast<double>(pixels));
}
double MapAgreement::mean_score_difference() const {
  return ratio(score_difference, static_cast<double>(pixels));
}
double MapAgreement::extent_iou() const {
  return ratio(static_cast<double>(extent_both), static_cast<double>(extent_either));
}
double MapAgreement::object_f1() const {
  return ratio(2.0 * static_cast<double>(matched), static_cast<double>(fields_a + fields_b));
}

}  // namespace furrow::segmentation
