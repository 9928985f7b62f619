#include "distance_target.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/random.h>

namespace furrow::segmentation {
namespace {

/// 0 . 1 # 2 o 255 ?
std::vector<std::uint8_t> labels_of(const std::string& text) {
  std::vector<std::uint8_t> labels;
  for (const char c : text) labels.push_back(c == '#' ? 1 : c == 'o' ? 2 : c == '?' ? 255 : 0);
  return labels;
}

TEST(DistanceTarget, IsTheDistanceToTheEdgeCutAndDivided) {
  geo::ExecContext exec({1, 0});
  const auto labels = labels_of(
      "ooooooo"
      "o#####o"
      "o#####o"
      "o#####o"
      "o#####o"
      "o#####o"
      "ooooooo");
  const DistanceTarget target = distance_target(labels, 7, 2.5, exec);
  EXPECT_TRUE(target.known.all().item<bool>());
  const auto at = [&](int row, int col) { return target.values[row][col].item<float>(); };
  EXPECT_FLOAT_EQ(at(0, 0), 0.0f);
  EXPECT_FLOAT_EQ(at(1, 3), 0.4f);
  EXPECT_FLOAT_EQ(at(2, 2), 0.8f);
  EXPECT_FLOAT_EQ(at(3, 3), 1.0f);  // 3 px, cut at 2.5
}

TEST(DistanceTarget, IsUnknownWhereTheEdgeMayBeNearerThanWhatIsSeen) {
  geo::ExecContext exec({1, 0});
  const auto labels = labels_of(
      "o####"
      "o####"
      "o####"
      "o####"
      "o####");
  const DistanceTarget target = distance_target(labels, 5, 10.0, exec);
  // Column 1: the edge 1 px to the left is as near as the border of the window can be; column 4 is next to
  // the border.
  EXPECT_TRUE(target.known[2][1].item<bool>());
  EXPECT_FLOAT_EQ(target.values[2][1].item<float>(), 0.1f);
  EXPECT_TRUE(target.known[2][2].item<bool>());
  EXPECT_FALSE(target.known[2][4].item<bool>());
  EXPECT_FALSE(target.known[0][3].item<bool>());
  // Cut at 1 px, everything is known.
  EXPECT_TRUE(distance_target(labels, 5, 1.0, exec).known.all().item<bool>());
}

TEST(DistanceTarget, AgreesWithEveryEdgeThatTheUnknownMayHide) {
  // A pixel is known exactly when no way of filling what is not seen could change its distance.
  geo::ExecContext exec({1, 0});
  geo::Random random(5);
  constexpr std::int64_t kSide = 12;
  constexpr double kMost = 4.0;
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<std::uint8_t> labels(kSide * kSide);
    for (auto& label : labels) {
      const double draw = random.uniform();
      label = draw < 0.9 ? 1 : draw < 0.94 ? 0 : draw < 0.97 ? 2 : 255;
    }
    const DistanceTarget target = distance_target(labels, kSide, kMost, exec);
    for (std::int64_t row = 0; row < kSide; ++row) {
      for (std::int64_t col = 0; col < kSide; ++col) {
        double edge = kMost;
        double unseen = kMost;
        for (std::int64_t y = -6; y < kSide + 6; ++y) {
          for (std::int64_t x = -6; x < kSide + 6; ++x) {
            const bool inside = x >= 0 && y >= 0 && x < kSide && y < kSide;
            const int label = inside ? labels[static_cast<std::size_t>(y * kSide + x)] : 255;
            const double d = std::hypot(static_cast<double>(x - col), static_cast<double>(y - row));
            if (label == 255) unseen = std::min(unseen, d);
            if (label == 0 || label == 2) edge = std::min(edge, d);
          }
        }
        const int own = labels[static_cast<std::size_t>(row * kSide + col)];
        const bool known = own != 255 && (own != 1 || edge <= unseen);
        ASSERT_EQ(target.known[row][col].item<bool>(), known) << row << " " << col;
        if (known) {
          ASSERT_NEAR(target.values[row][col].item<double>(), own == 1 ? edge / kMost : 0.0, 1e-6);
        }
      }
    }
  }
}

TEST(DistanceLoss, LooksAtKnownPixelsOnly) {
  const torch::Tensor answer = torch::tensor({0.5f, 0.9f}).reshape({1, 1, 1, 2}).requires_grad_();
  const DistanceTarget target{torch::tensor({0.1f, 0.0f}).reshape({1, 1, 1, 2}),
                              torch::tensor({true, false}).reshape({1, 1, 1, 2})};
  const torch::Tensor loss = distance_loss(answer, target);
  EXPECT_NEAR(loss.item<double>(), 0.5 * 0.4 * 0.4, 1e-7);
  loss.backward();
  EXPECT_EQ(answer.grad()[0][0][0][1].item<double>(), 0.0);
  const DistanceTarget none{target.values, torch::zeros_like(target.known)};
  EXPECT_EQ(distance_loss(answer, none).item<double>(), 0.0);
}

}  // namespace
}  // namespace furrow::segmentation
