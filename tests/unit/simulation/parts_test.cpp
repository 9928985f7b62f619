// The parts below the public headers: calendar, convex pieces, noise.
#include "calendar.h"
#include "convex.h"
#include "noise.h"

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::simulation::detail {
namespace {

TEST(Calendar, ReadsDatesAndCountsDays) {
  EXPECT_EQ(day_of_year(parse_date("2021-01-01")), 1);
  EXPECT_EQ(day_of_year(parse_date("2020-12-31")), 366);
  EXPECT_EQ(iso_time(parse_date("2016-02-29"), 8 * 60 + 5), "2016-02-29T08:05:00Z");
  for (const char* wrong : {"2021-02-29", "2021-13-01", "2021-1-1", "20210101", "", "2021-01-xx"}) {
    EXPECT_THROW(static_cast<void>(parse_date(wrong)), geo::InvalidArgument) << wrong;
  }
}

TEST(Convex, CutsASquare) {
  const Corners square{{0, 0}, {10, 0}, {10, 10}, {0, 10}};
  EXPECT_DOUBLE_EQ(area(square), 100.0);
  const Line middle{{5, 0}, {1, 0}};
  EXPECT_DOUBLE_EQ(area(between(square, middle, -1.0, 1.0)), 20.0);
  EXPECT_DOUBLE_EQ(area(between(square, middle, 1.0, 1e9)), 40.0);
  EXPECT_DOUBLE_EQ(area(between(square, middle, -1e9, 0.0)), 50.0);
  EXPECT_TRUE(between(square, middle, 6.0, 1e9).empty());
  const Line diagonal{{5, 5}, {std::sqrt(0.5), std::sqrt(0.5)}};
  EXPECT_NEAR(area(between(square, diagonal, 0.0, 1e9)), 50.0, 1e-9);
}

TEST(Convex, FindsTheExtentOfATurnedRectangle) {
  const double c = std::cos(0.4), s = std::sin(0.4);
  Corners turned;
  for (const geo::Point p : {geo::Point{0, 0}, geo::Point{30, 0}, geo::Point{30, 10}, geo::Point{0, 10}}) {
    turned.push_back({p.x * c - p.y * s, p.x * s + p.y * c});
  }
  const Extent e = extent(turned);
  EXPECT_NEAR(e.length, 30.0, 1e-9);
  EXPECT_NEAR(e.width, 10.0, 1e-9);
  EXPECT_NEAR(std::abs(e.axis.x * c + e.axis.y * s), 1.0, 1e-9);
  EXPECT_NEAR(e.centre.x, 15.0 * c - 5.0 * s, 1e-9);
}

TEST(Noise, IsSmoothBoundedAndDependsOnTheSeed) {
  double largest_step = 0.0, sum = 0.0;
  for (int i = 0; i < 20000; ++i) {
    const geo::Point p{0.1 * i - 900.0, 0.037 * i};
    const double v = value_noise(p, 10.0, 5);
    EXPECT_LE(std::abs(v), 1.0);
    largest_step = std::max(largest_step, std::abs(v - value_noise({p.x + 0.01, p.y}, 10.0, 5)));
    sum += v;
  }
  EXPECT_LT(largest_step, 0.004);  // at most 1.5 * 2 / 10 per metre
  EXPECT_NEAR(sum / 20000.0, 0.0, 0.1);
  EXPECT_NE(value_noise({3.0, 4.0}, 10.0, 5), value_noise({3.0, 4.0}, 10.0, 6));
}

TEST(Noise, NormalNumbersHaveMeanZeroAndVarianceOne) {
  double sum = 0.0, squares = 0.0;
  constexpr int kCount = 200;
  for (int row = 0; row < kCount; ++row) {
    for (int col = 0; col < kCount; ++col) {
      const double v = normal_at(col, row, 9);
      sum += v;
      squares += v * v;
    }
  }
  EXPECT_NEAR(sum / (kCount * kCount), 0.0, 0.025);
  EXPECT_NEAR(squares / (kCount * kCount), 1.0, 0.035);
}

}  // namespace
}  // namespace furrow::simulation::detail
