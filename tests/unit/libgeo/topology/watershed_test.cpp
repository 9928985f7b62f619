#include <furrow/geo/topology/watershed.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::geo {
namespace {

/// The published ranking of pixels, computed directly: score, 7 x 7 smoothed score (200 outside the mask),
/// position.
struct Rank {
  int score;
  int smooth;
  std::int64_t position;
  auto operator<=>(const Rank&) const = default;
};

std::vector<Rank> ranks(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask) {
  const int kernel[7] = {1, 2, 3, 4, 3, 2, 1};
  std::vector<Rank> out;
  for (std::int64_t row = 0; row < boundary.height(); ++row) {
    for (std::int64_t col = 0; col < boundary.width(); ++col) {
      int smooth = 0;
      for (int dy = -3; dy <= 3; ++dy) {
        for (int dx = -3; dx <= 3; ++dx) {
          const std::int64_t x = std::clamp<std::int64_t>(col + dx, 0, boundary.width() - 1);
          const std::int64_t y = std::clamp<std::int64_t>(row + dy, 0, boundary.height() - 1);
          smooth += kernel[dy + 3] * kernel[dx + 3] * (mask.at(x, y) == 0 ? 200 : boundary.at(x, y));
        }
      }
      out.push_back({boundary.at(col, row), smooth, row * boundary.width() + col});
    }
  }
  return out;
}

std::vector<std::int64_t> neighbours(std::int64_t i, std::int64_t width, std::int64_t height) {
  std::vector<std::int64_t> out;
  for (std::int64_t dy = -1; dy <= 1; ++dy) {
    for (std::int64_t dx = -1; dx <= 1; ++dx) {
      const std::int64_t x = i % width + dx;
      const std::int64_t y = i / width + dy;
      if ((dx != 0 || dy != 0) && x >= 0 && y >= 0 && x < width && y < height) out.push_back(y * width + x);
    }
  }
  return out;
}

/// Kruskal over all pixel pairs, sets as plain lists: no basins, no union-find.
Raster<std::uint32_t> slow_watershed(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                                     int cut) {
  const auto rank = ranks(boundary, mask);
  const std::int64_t n = boundary.pixels();
  std::vector<std::array<std::int64_t, 2>> edges;  // higher pixel, lower pixel
  for (std::int64_t i = 0; i < n; ++i) {
    for (const std::int64_t k : neighbours(i, boundary.width(), boundary.height())) {
      if (mask.data()[static_cast<std::size_t>(i)] != 0 && mask.data()[static_cast<std::size_t>(k)] != 0 &&
          rank[static_cast<std::size_t>(k)] < rank[static_cast<std::size_t>(i)]) {
        edges.push_back({i, k});
      }
    }
  }
  const auto rank_of = [&](std::int64_t i) { return rank[static_cast<std::size_t>(i)]; };
  std::ranges::sort(edges, [&](const auto& a, const auto& b) {
    return std::pair(rank_of(a[0]), rank_of(a[1])) < std::pair(rank_of(b[0]), rank_of(b[1]));
  });
  std::vector<std::int64_t> flooded(static_cast<std::size_t>(n));
  std::iota(flooded.begin(), flooded.end(), 0);
  auto field = flooded;
  const auto replace = [](std::vector<std::int64_t>& set, std::int64_t from, std::int64_t to) {
    std::ranges::replace(set, from, to);
  };
  for (const auto& [high, low] : edges) {
    const auto h = static_cast<std::size_t>(high);
    const auto l = static_cast<std::size_t>(low);
    if (flooded[h] == flooded[l]) continue;
    const auto lowest = [&](std::int64_t set) {
      int best = 1000;
      for (std::size_t i = 0; i < flooded.size(); ++i) {
        if (flooded[i] == set) best = std::min(best, rank[i].score);
      }
      return best;
    };
    const int climb = rank[h].score - std::max(lowest(flooded[h]), lowest(flooded[l]));
    replace(flooded, flooded[h], flooded[l]);
    if (climb < cut) replace(field, field[h], field[l]);
  }
  Raster<std::uint32_t> out(boundary.width(), boundary.height());
  std::map<std::int64_t, std::uint32_t> number;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (mask.data()[i] == 0) continue;
    out.data()[i] = number.try_emplace(field[i], static_cast<std::uint32_t>(number.size()) + 1).first->second;
  }
  return out;
}

/// Height of the lowest way between any two pixels of the mask (the highest score on it); 1000 = no way.
std::vector<std::vector<int>> lowest_ways(const Raster<std::uint8_t>& boundary,
                                          const Raster<std::uint8_t>& mask) {
  const auto n = static_cast<std::size_t>(boundary.pixels());
  std::vector<std::vector<int>> way(n, std::vector<int>(n, 1000));
  for (std::size_t i = 0; i < n; ++i) {
    if (mask.data()[i] == 0) continue;
    way[i][i] = boundary.data()[i];
    for (const auto k : neighbours(static_cast<std::int64_t>(i), boundary.width(), boundary.height())) {
      const auto j = static_cast<std::size_t>(k);
      if (mask.data()[j] != 0) way[i][j] = std::max(boundary.data()[i], boundary.data()[j]);
    }
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) way[i][j] = std::min(way[i][j], std::max(way[i][k], way[k][j]));
    }
  }
  return way;
}

struct Case {
  Raster<std::uint8_t> boundary;
  Raster<std::uint8_t> mask;
};

Case random_case(std::uint64_t seed, std::int64_t width, std::int64_t height) {
  Random random(seed);
  Case c{Raster<std::uint8_t>(width, height), Raster<std::uint8_t>(width, height)};
  const std::uint64_t levels = 2 + random.below(12);  // few levels: many plateaus and ties
  for (auto& b : c.boundary.data()) b = static_cast<std::uint8_t>(random.below(levels) * 200 / (levels - 1));
  for (auto& m : c.mask.data()) m = random.chance(0.9) ? 1 : 0;
  return c;
}

TEST(Watershed, EqualsKruskalOverAllPixelPairs) {
  ExecContext exec;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Case c =
        random_case(seed, 5 + static_cast<std::int64_t>(seed % 9), 4 + static_cast<std::int64_t>(seed % 7));
    for (const int cut : {1, 30, 40, 100, 200}) {
      const auto found = watershed(c.boundary, c.mask, cut, exec);
      ASSERT_EQ(found.labels.data(), slow_watershed(c.boundary, c.mask, cut).data())
          << "seed " << seed << " cut " << cut;
    }
  }
}

TEST(Watershed, EqualsKruskalWhereBasinsCrossTheStripsOfRowsThatTasksWorkOn) {
  ExecContext exec;
  for (std::uint64_t seed = 200; seed < 206; ++seed) {
    const Case c = random_case(seed, 5, 150);
    for (const int cut : {20, 60}) {
      ASSERT_EQ(watershed(c.boundary, c.mask, cut, exec).labels.data(),
                slow_watershed(c.boundary, c.mask, cut).data())
          << "seed " << seed << " cut " << cut;
    }
  }
  // One basin from top to bottom: a slope.
  Raster<std::uint8_t> slope(3, 190);
  for (std::int64_t row = 0; row < 190; ++row) {
    for (std::int64_t col = 0; col < 3; ++col) slope.at(col, row) = static_cast<std::uint8_t>(row);
  }
  EXPECT_EQ(watershed(slope, Raster<std::uint8_t>(3, 190, 1, 1), 1, exec).count, 1U);
}

TEST(Watershed, FieldsAreTheMinimaWhoseDynamicsReachTheCut) {
  // By definition: a minimum is a pixel of which no lower-ranked one lies within a climb of 0; its dynamics
  // are the climb to the nearest lower-ranked pixel, infinite for the lowest of its piece. Each field holds
  // exactly one that is kept.
  ExecContext exec;
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    const Case c = random_case(seed, 8, 7);
    const auto way = lowest_ways(c.boundary, c.mask);
    const auto n = way.size();
    for (const int cut : {20, 40, 90}) {
      std::vector<std::size_t> kept;
      for (std::size_t i = 0; i < n; ++i) {
        if (c.mask.data()[i] == 0) continue;
        int dynamics = 1000;
        for (std::size_t j = 0; j < n; ++j) {
          // Equal minima on one plateau are the same minimum; the order of positions stands for it.
          const bool lower = std::pair(c.boundary.data()[j], j) < std::pair(c.boundary.data()[i], i);
          if (c.mask.data()[j] != 0 && lower && way[i][j] < 1000) {
            dynamics = std::min(dynamics, way[i][j] - c.boundary.data()[i]);
          }
        }
        if (dynamics >= cut) kept.push_back(i);
      }
      const auto found = watershed(c.boundary, c.mask, cut, exec);
      EXPECT_EQ(found.count, kept.size()) << "seed " << seed << " cut " << cut;
      // Nobody could reach another kept minimum over a lower way than that to the one of the own field.
      std::map<std::uint32_t, int> lowest;
      for (std::size_t i = 0; i < n; ++i) {
        const auto label = found.labels.data()[i];
        if (label == 0) continue;
        const auto [it, is_new] = lowest.try_emplace(label, c.boundary.data()[i]);
        it->second = std::min(it->second, static_cast<int>(c.boundary.data()[i]));
      }
      for (std::size_t i = 0; i < n; ++i) {
        if (c.mask.data()[i] == 0) continue;
        int own = 1000;
        int best = 1000;
        for (const std::size_t k : kept) {
          best = std::min(best, way[i][k]);
        }
        for (std::size_t k = 0; k < n; ++k) {
          if (found.labels.data()[k] == found.labels.data()[i] && c.mask.data()[k] != 0 &&
              c.boundary.data()[k] == lowest[found.labels.data()[i]]) {
            own = std::min(own, way[i][k]);
          }
        }
        EXPECT_LE(own, best) << "seed " << seed << " cut " << cut << " pixel " << i;
      }
    }
  }
}

TEST(Watershed, EveryMaskPixelBelongsToOneField) {
  ExecContext exec;
  const Case c = random_case(7, 90, 150);
  const auto found = watershed(c.boundary, c.mask, 40, exec);
  for (std::size_t i = 0; i < c.mask.data().size(); ++i) {
    ASSERT_EQ(found.labels.data()[i] != 0, c.mask.data()[i] != 0);
  }
}

TEST(Watershed, OnePixelLineSeparatesWithItsFullScore) {
  ExecContext exec;
  Raster<std::uint8_t> boundary(7, 5, 1, 10);
  const Raster<std::uint8_t> mask(7, 5, 1, 1);
  for (std::int64_t row = 0; row < 5; ++row) boundary.at(3, row) = 50;  // 40 levels above both sides
  EXPECT_EQ(watershed(boundary, mask, 40, exec).count, 2U);
  EXPECT_EQ(watershed(boundary, mask, 41, exec).count, 1U);
}

TEST(Watershed, AGapInTheLineJoins) {
  ExecContext exec;
  Raster<std::uint8_t> boundary(7, 5, 1, 10);
  const Raster<std::uint8_t> mask(7, 5, 1, 1);
  for (std::int64_t row = 0; row < 4; ++row) boundary.at(3, row) = 200;
  boundary.at(3, 4) = 30;
  EXPECT_EQ(watershed(boundary, mask, 40, exec).count, 1U);
  EXPECT_EQ(watershed(boundary, mask, 20, exec).count, 2U);
}

TEST(Watershed, BroadRidgeOfEqualScoresSplitsAlongItsMiddle) {
  ExecContext exec;
  for (const std::int64_t breadth : {2, 4, 6}) {
    const std::int64_t width = 20 + breadth;
    Raster<std::uint8_t> boundary(width, 9, 1, 0);
    const Raster<std::uint8_t> mask(width, 9, 1, 1);
    for (std::int64_t row = 0; row < 9; ++row) {
      for (std::int64_t col = 10; col < 10 + breadth; ++col) boundary.at(col, row) = 180;
    }
    const auto found = watershed(boundary, mask, 40, exec);
    ASSERT_EQ(found.count, 2U);
    for (std::int64_t row = 0; row < 9; ++row) {
      for (std::int64_t col = 0; col < width; ++col) {
        ASSERT_EQ(found.labels.at(col, row), col < width / 2 ? 1U : 2U)
            << breadth << " " << col << " " << row;
      }
    }
  }
}

TEST(Watershed, SameResultForOneAndFourThreads) {
  const Case c = random_case(9, 333, 500);
  ExecContext one({1, 0});
  ExecContext four({4, 0});
  LabelledRaster a;
  LabelledRaster b;
  one.execute([&] { a = watershed(c.boundary, c.mask, 40, one); });
  four.execute([&] { b = watershed(c.boundary, c.mask, 40, four); });
  EXPECT_EQ(a.labels.data(), b.labels.data());
}

Raster<std::uint8_t> rows_of(const Raster<std::uint8_t>& raster, std::int64_t begin, std::int64_t end) {
  Raster<std::uint8_t> out(raster.width(), end - begin);
  std::copy(raster.data().begin() + begin * raster.width(), raster.data().begin() + end * raster.width(),
            out.data().begin());
  return out;
}

/// @param strip_rows  a height for each strip, in turn
LabelledRaster by_strips(const Case& c, int cut, const std::vector<std::int64_t>& strip_rows,
                         ExecContext& exec) {
  const std::int64_t height = c.mask.height();
  WatershedByStrips watershed(c.mask.width(), height, cut);
  LabelledRaster result{Raster<std::uint32_t>(c.mask.width(), height), 0};
  auto out = result.labels.data().begin();
  std::int64_t first = 0;
  for (std::size_t i = 0; first < height; ++i) {
    const std::int64_t end = std::min(height, first + strip_rows[i % strip_rows.size()]);
    const std::int64_t from = std::max<std::int64_t>(0, first - WatershedByStrips::kMargin);
    const std::int64_t to = std::min(height, end + WatershedByStrips::kMargin);
    const auto nodes =
        watershed.add(rows_of(c.boundary, from, to), rows_of(c.mask, from, to), end - first, exec);
    out = std::copy(nodes.data().begin(), nodes.data().end(), out);
    first = end;
  }
  const auto field = watershed.fields();
  for (auto& label : result.labels.data()) label = field[label];
  result.count = renumber_by_first_pixel(result.labels, static_cast<std::uint32_t>(field.size()));
  return result;
}

TEST(Watershed, StripsOfAnyHeightGiveTheSameFields) {
  ExecContext exec({4, 0});
  exec.execute([&] {
    for (std::uint64_t seed = 300; seed < 320; ++seed) {
      const Case c = random_case(seed, 3 + static_cast<std::int64_t>(seed % 60),
                                 90 + static_cast<std::int64_t>(seed % 50));
      for (const int cut : {1, 20, 60, 150}) {
        const auto whole = watershed(c.boundary, c.mask, cut, exec);
        for (const std::vector<std::int64_t>& rows :
             {std::vector<std::int64_t>{1}, {2}, {3, 7, 1}, {16}, {70}, {1000}}) {
          ASSERT_EQ(by_strips(c, cut, rows, exec).labels.data(), whole.labels.data())
              << "seed " << seed << " cut " << cut << " rows " << rows[0];
        }
      }
    }
  });
}

TEST(Watershed, StripsThatLackRowsAreRefused) {
  ExecContext exec;
  WatershedByStrips watershed(4, 20, 40);
  const Raster<std::uint8_t> rows(4, 10);
  EXPECT_THROW((void)watershed.add(rows, rows, 10, exec), InvalidArgument);
  EXPECT_THROW((void)watershed.fields(), InvalidArgument);
}

TEST(Watershed, ThinRasters) {
  ExecContext exec;
  Raster<std::uint8_t> row(5, 1);
  row.data() = {0, 0, 200, 0, 0};
  EXPECT_EQ(watershed(row, Raster<std::uint8_t>(5, 1, 1, 1), 40, exec).count, 2U);
  EXPECT_EQ(watershed(Raster<std::uint8_t>(1, 1, 1, 5), Raster<std::uint8_t>(1, 1, 1, 1), 40, exec).count,
            1U);
  EXPECT_EQ(watershed(Raster<std::uint8_t>(3, 3), Raster<std::uint8_t>(3, 3), 40, exec).count, 0U);
  EXPECT_EQ(watershed(Raster<std::uint8_t>(), Raster<std::uint8_t>(), 40, exec).count, 0U);
}

TEST(Watershed, RefusesWhatDoesNotFit) {
  ExecContext exec;
  EXPECT_THROW((void)watershed(Raster<std::uint8_t>(3, 3), Raster<std::uint8_t>(3, 2), 40, exec),
               InvalidArgument);
  EXPECT_THROW((void)watershed(Raster<std::uint8_t>(3, 3), Raster<std::uint8_t>(3, 3), 0, exec),
               InvalidArgument);
  EXPECT_THROW((void)watershed(Raster<std::uint8_t>(3, 3), Raster<std::uint8_t>(3, 3), 201, exec),
               InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
