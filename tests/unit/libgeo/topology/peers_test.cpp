// The same results as others get, where definitions meet: GDALPolygonize, and scikit-image's watershed.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/components.h>
#include <furrow/geo/topology/watershed.h>
#include <furrow/geo/vector/geos.h>

#include "gdal_reference.h"
#include "support.h"

namespace furrow::geo {
namespace {

Raster<std::uint32_t> random_numbers(std::uint64_t seed, std::uint64_t labels) {
  Random random(seed);
  Raster<std::uint32_t> out(10 + static_cast<std::int64_t>(random.below(30)),
                            10 + static_cast<std::int64_t>(random.below(30)));
  const double keep = random.uniform(0.0, 0.9);  // from noise to patches
  for (std::int64_t row = 0; row < out.height(); ++row) {
    for (std::int64_t col = 0; col < out.width(); ++col) {
      const bool above = row > 0 && random.chance(0.5);
      if (col > 0 && random.chance(keep)) {
        out.at(col, row) = above ? out.at(col, row - 1) : out.at(col - 1, row);
      } else {
        out.at(col, row) = static_cast<std::uint32_t>(random.below(labels + 1));
      }
    }
  }
  return out;
}

TEST(Peers, PolygonsAreThoseOfGdalPolygonize) {
  ExecContext exec;
  const GeoTransform pixels{0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto numbers = random_numbers(seed, 1 + seed % 7);
    const LabelledRaster instances = label_components(numbers, Connectivity::kFour, exec);
    const auto ours = assemble_polygons(trace_arcs(instances.labels, exec), instances.count, pixels, exec);
    const auto theirs = test::gdal_polygons(instances.labels);
    ASSERT_EQ(theirs.size(), instances.count) << seed;
    for (const auto& [label, polygon] : theirs) {
      ASSERT_EQ(ours[label].size(), 1U);
      const MultiPolygon other{polygon};
      // Whole numbers: areas are exact, so the same area shared by both means the same points.
      ASSERT_EQ(area(ours[label]), area(other)) << seed << ": " << label;
      ASSERT_EQ(intersection_area(ours[label], other), area(other)) << seed << ": " << label;
      ASSERT_EQ(ours[label][0].holes.size(), polygon.holes.size()) << seed << ": " << label;
    }
  }
}

struct SkimageCase {
  int cut = 0;
  Raster<std::uint8_t> scores;  ///< 255 outside the mask
  Raster<std::uint8_t> mask;
  Raster<std::uint32_t> markers;
  Raster<std::uint32_t> labels;
};

std::vector<SkimageCase> skimage_cases() {
  std::ifstream in(FURROW_TEST_SOURCE_DIR "/tests/unit/libgeo/topology/data/skimage_watershed.txt");
  std::vector<SkimageCase> cases;
  std::string word;
  std::int64_t width = 0;
  std::int64_t height = 0;
  int cut = 0;
  while (in >> word >> width >> height >> cut) {
    SkimageCase c{cut, Raster<std::uint8_t>(width, height), Raster<std::uint8_t>(width, height),
                  Raster<std::uint32_t>(width, height), Raster<std::uint32_t>(width, height)};
    for (std::size_t i = 0; i < c.scores.data().size(); ++i) {
      int score = 0;
      in >> score;
      c.scores.data()[i] = static_cast<std::uint8_t>(std::min(score, 200));
      c.mask.data()[i] = score <= 200 ? 1 : 0;
    }
    for (auto& marker : c.markers.data()) in >> marker;
    for (auto& label : c.labels.data()) in >> label;
    cases.push_back(std::move(c));
  }
  return cases;
}

/// By pixel: the highest score on the lowest way to a marker; 1000 = no way. Dijkstra.
std::vector<int> climb_to(const SkimageCase& c, std::uint32_t marker) {
  const std::int64_t width = c.scores.width();
  std::vector<int> climb(c.scores.data().size(), 1000);
  using Item = std::pair<int, std::int64_t>;
  std::priority_queue<Item, std::vector<Item>, std::greater<>> queue;
  for (std::size_t i = 0; i < climb.size(); ++i) {
    if (c.markers.data()[i] != marker) continue;
    climb[i] = c.scores.data()[i];
    queue.emplace(climb[i], static_cast<std::int64_t>(i));
  }
  while (!queue.empty()) {
    const auto [height, at] = queue.top();
    queue.pop();
    for (std::int64_t k = 0; k < 9; ++k) {
      const std::int64_t x = at % width + k % 3 - 1;
      const std::int64_t y = at / width + k / 3 - 1;
      if (x < 0 || y < 0 || x >= width || y >= c.scores.height() || c.mask.at(x, y) == 0) continue;
      const auto next = static_cast<std::size_t>(y * width + x);
      const int there = std::max(height, static_cast<int>(c.scores.data()[next]));
      if (there >= climb[next]) continue;
      climb[next] = there;
      queue.emplace(there, static_cast<std::int64_t>(next));
    }
  }
  return climb;
}

/// Both floods take a pixel to a marker that it reaches with the least climb (Cousty et al. 2009). Where only
/// one marker is reached so, they must agree; elsewhere each has its own rule: scikit-image's first come,
/// first served, ours the ranking of watershed.h.
TEST(Peers, WatershedIsThatOfScikitImageFromTheSameMinima) {
  ExecContext exec;
  const auto cases = skimage_cases();
  ASSERT_EQ(cases.size(), 6U);
  for (const SkimageCase& c : cases) {
    const LabelledRaster ours = watershed(c.scores, c.mask, c.cut, exec);
    const std::uint32_t count = *std::ranges::max_element(c.markers.data());
    ASSERT_GE(count, 3U);
    ASSERT_EQ(ours.count, count);  // as many as minima of that depth, by morphological reconstruction
    std::map<std::uint32_t, std::uint32_t> field_of;  // of each marker
    std::set<std::uint32_t> fields;
    for (std::size_t i = 0; i < c.markers.data().size(); ++i) {
      if (c.markers.data()[i] == 0) continue;
      const auto field = field_of.try_emplace(c.markers.data()[i], ours.labels.data()[i]).first->second;
      ASSERT_EQ(field, ours.labels.data()[i]);
      fields.insert(field);
    }
    ASSERT_EQ(fields.size(), count);
    std::vector<std::vector<int>> climbs;
    for (std::uint32_t marker = 1; marker <= count; ++marker) climbs.push_back(climb_to(c, marker));
    std::size_t sure = 0;
    std::size_t same = 0;
    std::size_t all = 0;
    for (std::size_t i = 0; i < c.mask.data().size(); ++i) {
      if (c.mask.data()[i] == 0) continue;
      const auto least = std::ranges::min(climbs, {}, [&](const auto& climb) { return climb[i]; })[i];
      const auto ways = std::ranges::count_if(climbs, [&](const auto& climb) { return climb[i] == least; });
      const bool agree = field_of.at(c.labels.data()[i]) == ours.labels.data()[i];
      ++all;
      same += agree;
      EXPECT_EQ(climbs[c.labels.data()[i] - 1][i], least);
      if (ways > 1) continue;
      ++sure;
      EXPECT_TRUE(agree) << i;
    }
    EXPECT_GT(10 * sure, all);
    EXPECT_GT(100 * same, 80 * all);
  }
}

}  // namespace
}  // namespace furrow::geo
