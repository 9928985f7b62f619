#include "object_counts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/watershed.h>

namespace furrow::segmentation {
namespace {

constexpr std::size_t kClasses = 3;

/// A window whose pixels count where there is a label; no scores yet.
geo::ScoreMap empty_scores(std::span<const std::uint8_t> labels, std::int64_t cols) {
  const auto rows = static_cast<std::int64_t>(labels.size()) / cols;
  geo::ScoreMap map;
  map.grid.width = cols;
  map.grid.height = rows;
  map.extent = geo::Raster<std::uint8_t>(cols, rows);
  map.boundary = map.extent;
  map.valid = map.extent;
  std::ranges::transform(labels, map.valid.data().begin(),
                         [](std::uint8_t label) { return static_cast<std::uint8_t>(label < kClasses); });
  return map;
}

geo::ScoreMap scores_of_labels(std::span<const std::uint8_t> labels, std::int64_t cols) {
  geo::ScoreMap map = empty_scores(labels, cols);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 1 || labels[i] == 2) map.extent.data()[i] = geo::kScoreLevels;
    if (labels[i] == 2) map.boundary.data()[i] = geo::kScoreLevels;
  }
  return map;
}

geo::ScoreMap scores_of_logits(std::span<const float> logits, std::span<const std::uint8_t> labels,
                               std::int64_t cols) {
  geo::ScoreMap map = empty_scores(labels, cols);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= kClasses) continue;
    const std::span<const float> pixel = logits.subspan(i * kClasses, kClasses);
    const float largest = *std::ranges::max_element(pixel);
    std::array<double, kClasses> p{};
    std::ranges::transform(pixel, p.begin(), [largest](float logit) {
      return std::exp(static_cast<double>(logit) - static_cast<double>(largest));
    });
    const double scale = geo::kScoreLevels / (p[0] + p[1] + p[2]);
    map.extent.data()[i] = static_cast<std::uint8_t>(std::lround((p[1] + p[2]) * scale));
    map.boundary.data()[i] = static_cast<std::uint8_t>(std::lround(p[2] * scale));
  }
  return map;
}

std::map<std::uint32_t, std::int64_t> pixels_by_field(const geo::Raster<std::uint32_t>& fields) {
  std::map<std::uint32_t, std::int64_t> pixels;
  for (const std::uint32_t field : fields.data()) {
    if (geo::is_field(field)) ++pixels[field];
  }
  return pixels;
}

}  // namespace

ObjectCounts& ObjectCounts::operator+=(const ObjectCounts& other) {
  labelled += other.labelled;
  predicted += other.predicted;
  matched += other.matched;
  return *this;
}

double ObjectCounts::f1() const {
  if (labelled == 0) return std::numeric_limits<double>::quiet_NaN();
  return 2.0 * static_cast<double>(matched) / static_cast<double>(labelled + predicted);
}

ObjectCounts count_common_fields(const geo::Raster<std::uint32_t>& labelled,
                                 const geo::Raster<std::uint32_t>& predicted) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::int64_t> common;
  for (std::size_t i = 0; i < labelled.data().size(); ++i) {
    const std::uint32_t a = labelled.data()[i];
    const std::uint32_t b = predicted.data()[i];
    if (geo::is_field(a) && geo::is_field(b)) ++common[{a, b}];
  }
  const auto size_a = pixels_by_field(labelled);
  const auto size_b = pixels_by_field(predicted);
  const auto matched = std::ranges::count_if(common, [&](const auto& pair) {
    const auto& [fields, both] = pair;
    return 2 * both > size_a.at(fields.first) + size_b.at(fields.second) - both;
  });
  return {std::ssize(size_a), std::ssize(size_b), matched};
}

ObjectCounts count_objects(std::span<const float> logits, std::span<const std::uint8_t> labels,
                           std::int64_t cols, double pixel_size_m, geo::ExecContext& exec) {
  const geo::PixelAreas areas(static_cast<std::int64_t>(labels.size()) / cols, pixel_size_m * pixel_size_m);
  const auto fields = [&](const geo::ScoreMap& scores) {
    return geo::delineate_instances(scores, areas, {}, exec);
  };
  const geo::Instances truth = fields(scores_of_labels(labels, cols));
  const geo::Instances found = fields(scores_of_logits(logits, labels, cols));
  return count_common_fields(truth.labels, found.labels);
}

}  // namespace furrow::segmentation
