#include <furrow/geo/topology/components.h>

#include <gtest/gtest.h>

#include <deque>

#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::geo {
namespace {

Raster<std::uint8_t> bytes(const Raster<std::uint32_t>& labels) {
  Raster<std::uint8_t> out(labels.width(), labels.height());
  for (std::size_t i = 0; i < out.data().size(); ++i)
    out.data()[i] = static_cast<std::uint8_t>(labels.data()[i]);
  return out;
}

/// Flood fill from each pixel in row-major order.
Raster<std::uint32_t> slow_components(const Raster<std::uint8_t>& values, bool eight) {
  Raster<std::uint32_t> out(values.width(), values.height());
  std::uint32_t count = 0;
  for (std::int64_t row = 0; row < values.height(); ++row) {
    for (std::int64_t col = 0; col < values.width(); ++col) {
      if (values.at(col, row) == 0 || out.at(col, row) != 0) continue;
      std::deque<std::pair<std::int64_t, std::int64_t>> queue{{col, row}};
      out.at(col, row) = ++count;
      while (!queue.empty()) {
        const auto [c, r] = queue.front();
        queue.pop_front();
        for (int dr = -1; dr <= 1; ++dr) {
          for (int dc = -1; dc <= 1; ++dc) {
            if (!eight && dr != 0 && dc != 0) continue;
            const std::int64_t x = c + dc;
            const std::int64_t y = r + dr;
            if (x < 0 || y < 0 || x >= values.width() || y >= values.height()) continue;
            if (values.at(x, y) != values.at(c, r) || out.at(x, y) != 0) continue;
            out.at(x, y) = count;
            queue.emplace_back(x, y);
          }
        }
      }
    }
  }
  return out;
}

TEST(Components, DiagonalPixelsConnectOnlyWithEightNeighbours) {
  ExecContext exec;
  const auto drawn = test::draw(R"(
    1..1
    .1.1
    ..1.
  )");
  EXPECT_EQ(test::picture(bytes(label_components(drawn, Connectivity::kFour, exec).labels)),
            "1..2\n.3.2\n..4.\n");
  EXPECT_EQ(test::picture(bytes(label_components(drawn, Connectivity::kEight, exec).labels)),
            "1..1\n.1.1\n..1.\n");
}

TEST(Components, DifferentValuesDoNotConnect) {
  ExecContext exec;
  const auto drawn = test::draw("1122\n1322\n");
  EXPECT_EQ(test::picture(bytes(label_components(drawn, Connectivity::kEight, exec).labels)), "1122\n1322\n");
}

TEST(Components, EqualsFloodFillOverStripSeams) {
  ExecContext exec({4, 0});
  Random random(1);
  for (const bool eight : {false, true}) {
    for (const double share : {0.3, 0.5, 0.6, 0.9}) {
      Raster<std::uint8_t> values(37, 300);
      for (auto& v : values.data())
        v = random.chance(share) ? static_cast<std::uint8_t>(1 + random.below(2)) : 0;
      const auto found = label_components(values, eight ? Connectivity::kEight : Connectivity::kFour, exec);
      ASSERT_EQ(found.labels.data(), slow_components(values, eight).data()) << eight << " " << share;
      EXPECT_EQ(found.count, *std::ranges::max_element(found.labels.data()));
    }
  }
}

TEST(Components, InstancesOfSeveralPiecesBecomeSeveralAndUnknownIsNoInstance) {
  ExecContext exec;
  Raster<std::uint32_t> values(4, 1);
  values.data() = {7, kUnknownInstance, 7, 7};
  const auto found = label_components(values, Connectivity::kFour, exec);
  EXPECT_EQ(found.labels.data(), (std::vector<std::uint32_t>{1, 0, 2, 2}));
}

TEST(Components, EmptyRasterAndRenumbering) {
  ExecContext exec;
  EXPECT_EQ(label_components(Raster<std::uint8_t>(0, 0), Connectivity::kFour, exec).count, 0U);
  Raster<std::uint32_t> labels(5, 1);
  labels.data() = {9, 0, 3, kUnknownInstance, 9};
  EXPECT_EQ(renumber_by_first_pixel(labels, 9), 2U);
  EXPECT_EQ(labels.data(), (std::vector<std::uint32_t>{1, 0, 2, kUnknownInstance, 1}));
}

}  // namespace
}  // namespace furrow::geo
