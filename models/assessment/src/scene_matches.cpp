#include "scene_matches.h"

#include <algorithm>
#include <unordered_map>

#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/topology/components.h>

namespace furrow::assessment {

namespace {

void add_pixel(SceneTruth::Overlaps::Sums& sums, std::int64_t col, std::int64_t row, bool is_inside) {
  ++sums.pixels;
  sums.inside += is_inside ? 1 : 0;
  sums.cols += col;
  sums.rows += row;
}

}  // namespace

SceneTruth::SceneTruth(const TuneScene& scene, double min_iou, std::int64_t block_px)
    : m_min_iou(min_iou),
      m_block_px(block_px),
      m_blocks_in_row((scene.scores.grid.width + block_px - 1) / block_px),
      m_truth(geo::rasterize_instances(scene.truth, scene.scores.grid)),
      m_inside(scene.scores.valid) {
  if (scene.region) {
    const std::vector<geo::MultiPolygon> region{*scene.region};
    const auto extent = geo::rasterize_extent(region, scene.scores.grid);
    for (std::size_t i = 0; i < extent.data().size(); ++i) m_inside.data()[i] &= extent.data()[i];
  }
  std::vector<Overlaps::Sums> sums(scene.truth.size() + 1);
  for (std::int64_t row = 0; row < m_truth.height(); ++row) {
    for (std::int64_t col = 0; col < m_truth.width(); ++col) {
      std::uint32_t& truth = m_truth.at(col, row);
      if (scene.scores.valid.at(col, row) == 0) truth = 0;
      if (truth != 0) add_pixel(sums[truth], col, row, m_inside.at(col, row) != 0);
    }
  }
  const geo::GeoTransform& t = scene.scores.grid.transform;
  const double pixel = std::abs(t.dx * t.dy - t.rx * t.ry);
  m_fields.resize(sums.size());
  for (std::size_t i = 1; i < sums.size(); ++i) {
    const double all = geo::area(scene.truth[i - 1]) / pixel;
    const bool counts = sums[i].inside > 0 && static_cast<double>(sums[i].inside) >= 0.5 * all;
    m_fields[i] = {sums[i].pixels, counts, counts ? block_of(sums[i]) : 0};
  }
}

bool SceneTruth::any() const {
  return std::ranges::any_of(m_fields, [](const Field& field) { return field.counts; });
}

std::int64_t SceneTruth::block_of(const Overlaps::Sums& sums) const {
  return sums.rows / sums.pixels / m_block_px * m_blocks_in_row + sums.cols / sums.pixels / m_block_px;
}

SceneTruth::Overlaps SceneTruth::overlaps(const geo::SceneRegions& regions) const {
  Overlaps result;
  result.regions.resize(regions.graph.stats.size());
  std::unordered_map<std::uint64_t, std::int64_t> common;
  for (std::int64_t row = 0; row < m_truth.height(); ++row) {
    for (std::int64_t col = 0; col < m_truth.width();) {
      // Runs of pixels of one pair: most of the time is the table's.
      const std::uint32_t region = regions.region.at(col, row);
      const std::uint32_t truth = m_truth.at(col, row);
      std::int64_t pixels = 0;
      for (; col < m_truth.width() && regions.region.at(col, row) == region && m_truth.at(col, row) == truth;
           ++col, ++pixels) {
        if (region != geo::kUnknownInstance)
          add_pixel(result.regions[region], col, row, m_inside.at(col, row) != 0);
      }
      if (region != geo::kUnknownInstance && truth != 0)
        common[(std::uint64_t{region} << 32U) | truth] += pixels;
    }
  }
  for (const auto& [key, pixels] : common) {
    result.pairs.push_back({static_cast<std::uint32_t>(key >> 32U), static_cast<std::uint32_t>(key), pixels});
  }
  return result;
}

BlockFields SceneTruth::count(const Overlaps& overlaps, const std::vector<std::uint32_t>& field) const {
  std::uint32_t largest = 0;
  for (const std::uint32_t number : field) largest = std::max(largest, number);
  std::vector<Overlaps::Sums> predicted(static_cast<std::size_t>(largest) + 1);
  for (std::size_t i = 1; i < field.size(); ++i) {
    if (field[i] == 0) continue;
    Overlaps::Sums& sums = predicted[field[i]];
    sums.pixels += overlaps.regions[i].pixels;
    sums.inside += overlaps.regions[i].inside;
    sums.cols += overlaps.regions[i].cols;
    sums.rows += overlaps.regions[i].rows;
  }
  std::unordered_map<std::uint64_t, std::int64_t> common;
  for (const auto& pair : overlaps.pairs) {
    if (field[pair.region] != 0)
      common[(std::uint64_t{field[pair.region]} << 32U) | pair.truth] += pair.pixels;
  }
  std::vector<char> is_correct(predicted.size(), 0);
  std::vector<char> is_found(m_fields.size(), 0);
  for (const auto& [key, pixels] : common) {
    const auto number = static_cast<std::uint32_t>(key >> 32U);
    const auto truth = static_cast<std::uint32_t>(key);
    const std::int64_t either = predicted[number].pixels + m_fields[truth].pixels - pixels;
    // Above one half, nobody has two partners.
    if (static_cast<double>(pixels) > m_min_iou * static_cast<double>(either))
      is_correct[number] = is_found[truth] = 1;
  }
  BlockFields result;
  for (std::size_t i = 1; i < predicted.size(); ++i) {
    if (predicted[i].pixels == 0 || 2 * predicted[i].inside < predicted[i].pixels) continue;
    FieldCounts& counts = result[block_of(predicted[i])];
    ++counts.predicted;
    counts.correct += is_correct[i];
  }
  for (std::size_t i = 1; i < m_fields.size(); ++i) {
    if (!m_fields[i].counts) continue;
    FieldCounts& counts = result[m_fields[i].block];
    ++counts.reference;
    counts.found += is_found[i];
  }
  return result;
}

}  // namespace furrow::assessment
