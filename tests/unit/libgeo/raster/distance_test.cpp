#include <furrow/geo/raster/distance.h>

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::geo {
namespace {

using Labels = Raster<std::uint32_t>;

/// Windows of a raster; 0 around it.
InstanceSource source_of(const Labels& labels) {
  return [&labels](const Window& w) {
    Labels part(w.width, w.height);
    const Window known = intersection(w, {0, 0, labels.width(), labels.height()});
    for (std::int64_t row = known.row; row < known.end_row(); ++row) {
      for (std::int64_t col = known.col; col < known.end_col(); ++col) {
        part.at(col - w.col, row - w.row) = labels.at(col, row);
      }
    }
    return part;
  };
}

Raster<float> distances(const Labels& labels, const Window& wanted, const DistanceOptions& options) {
  ExecContext exec({.threads = 2});
  Raster<float> out(wanted.width, wanted.height);
  exec.execute([&] {
    field_distances(source_of(labels), {-1, -1, labels.width() + 2, labels.height() + 2}, wanted, 200,
                    options, exec, [&](const Window& w, const Raster<float>& part) {
                      for (std::int64_t row = 0; row < w.height; ++row) {
                        for (std::int64_t col = 0; col < w.width; ++col) {
                          out.at(w.col - wanted.col + col, w.row - wanted.row + row) = part.at(col, row);
                        }
                      }
                    });
  });
  return out;
}

/// Every pixel against every other one.
Raster<double> slow_distances(const Labels& labels, Point size) {
  Raster<double> out(labels.width(), labels.height());
  for (std::int64_t row = 0; row < labels.height(); ++row) {
    for (std::int64_t col = 0; col < labels.width(); ++col) {
      const std::uint32_t own = labels.at(col, row);
      if (own == 0) continue;
      double best = std::numeric_limits<double>::infinity();
      for (std::int64_t r = -1; r <= labels.height(); ++r) {
        for (std::int64_t c = -1; c <= labels.width(); ++c) {
          const bool inside = r >= 0 && c >= 0 && r < labels.height() && c < labels.width();
          if (inside && labels.at(c, r) == own) continue;
          best = std::min(
              best, std::hypot(static_cast<double>(c - col) * size.x, static_cast<double>(r - row) * size.y));
        }
      }
      out.at(col, row) = best;
    }
  }
  return out;
}

/// Overlapping discs and boxes.
Labels random_labels(Random& random, std::int64_t width, std::int64_t height) {
  Labels labels(width, height);
  const auto count = random.below(9);
  for (std::uint32_t id = 1; id <= count; ++id) {
    const double x = random.uniform(0.0, static_cast<double>(width));
    const double y = random.uniform(0.0, static_cast<double>(height));
    const double r = random.uniform(0.5, 0.6 * static_cast<double>(std::max(width, height)));
    const bool disc = random.chance(0.5);
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t col = 0; col < width; ++col) {
        const double dx = std::abs(static_cast<double>(col) - x);
        const double dy = std::abs(static_cast<double>(row) - y);
        if (disc ? std::hypot(dx, dy) < r : std::max(dx, dy) < 0.7 * r) labels.at(col, row) = id;
      }
    }
  }
  return labels;
}

TEST(Distance, EqualsEveryPixelAgainstEveryOther) {
  Random random(5);
  for (int trial = 0; trial < 60; ++trial) {
    const auto width = 1 + static_cast<std::int64_t>(random.below(40));
    const auto height = 1 + static_cast<std::int64_t>(random.below(40));
    const Labels labels = random_labels(random, width, height);
    DistanceOptions options;
    if (trial % 2 == 1) options.pixel_size = {random.uniform(0.1, 30.0), random.uniform(0.1, 30.0)};
    const auto slow = slow_distances(labels, options.pixel_size);
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{7}, std::int64_t{512}}) {
      options.strip_rows = rows;
      const auto fast = distances(labels, {0, 0, width, height}, options);
      for (std::size_t i = 0; i < slow.data().size(); ++i) {
        ASSERT_FLOAT_EQ(fast.data()[i], static_cast<float>(slow.data()[i]))
            << "trial " << trial << ", pixel " << i;
      }
    }
  }
}

TEST(Distance, DoesNotDependOnStripsToTheBit) {
  Random random(6);
  const Labels labels = random_labels(random, 70, 90);
  for (const bool per_field : {false, true}) {
    const DistanceOptions whole{{3.1, 2.7}, per_field, 512};
    const auto expected = distances(labels, {0, 0, 70, 90}, whole);
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{13}, std::int64_t{64}}) {
      EXPECT_EQ(distances(labels, {0, 0, 70, 90}, {{3.1, 2.7}, per_field, rows}).data(), expected.data());
    }
  }
}

TEST(Distance, PartEqualsThatPartOfTheWhole) {
  Random random(7);
  const Labels labels = random_labels(random, 60, 50);
  const DistanceOptions options{{1.0, 1.0}, true, 9};
  const auto whole = distances(labels, {0, 0, 60, 50}, options);
  const auto part = distances(labels, {20, 30, 25, 15}, options);
  for (std::int64_t row = 0; row < 15; ++row) {
    for (std::int64_t col = 0; col < 25; ++col) ASSERT_EQ(part.at(col, row), whole.at(col + 20, row + 30));
  }
}

TEST(Distance, NeighboursAreOutlinesAndShareOneAsLargest) {
  Labels labels(6, 3, 1, 1);
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t col = 3; col < 6; ++col) labels.at(col, row) = 2;
  }
  EXPECT_THAT(distances(labels, {0, 1, 6, 1}, {}).data(), testing::ElementsAre(1, 2, 1, 1, 2, 1));
  EXPECT_THAT(distances(labels, {0, 1, 6, 1}, {{1, 1}, true, 2}).data(),
              testing::ElementsAre(0.5, 1, 0.5, 0.5, 1, 0.5));
}

TEST(Distance, RefusesWhatCannotBe) {
  const Labels labels(4, 4);
  EXPECT_THROW(distances(labels, {0, 0, 9, 4}, {}), InvalidArgument);
  EXPECT_THROW(distances(labels, {0, 0, 4, 4}, {{0.0, 1.0}, false, 8}), InvalidArgument);
  EXPECT_THROW(distances(labels, {0, 0, 4, 4}, {{1.0, 1.0}, false, 0}), InvalidArgument);
}

}  // namespace
}  // namespace furrow::geo
