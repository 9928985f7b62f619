#include <furrow/geo/raster/image_shift.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/random.h>

namespace furrow::geo {
namespace {

/// A landscape of soft-edged fields, known between the pixels too: sums of steep waves.
class Landscape {
 public:
  explicit Landscape(std::uint64_t seed) {
    Random random(seed);
    for (Wave& wave : m_waves) {
      const double length_px = 12.0 + 60.0 * random.uniform();
      const double angle = 2.0 * std::numbers::pi * random.uniform();
      wave = {2.0 * std::numbers::pi / length_px * std::cos(angle),
              2.0 * std::numbers::pi / length_px * std::sin(angle),
              2.0 * std::numbers::pi * random.uniform()};
    }
  }

  [[nodiscard]] double at(double x, double y) const {
    double sum = 0.0;
    for (const Wave& wave : m_waves) sum += std::tanh(2.0 * std::sin(wave.kx * x + wave.ky * y + wave.phase));
    return sum;
  }

  /// Two bands of different brightness.
  [[nodiscard]] Raster<float> image(std::int64_t size, Point shift, double gain, double noise,
                                    Random& random) const {
    Raster<float> out(size, size, 2);
    for (std::int64_t r = 0; r < size; ++r) {
      for (std::int64_t c = 0; c < size; ++c) {
        const double v = gain * at(static_cast<double>(c) - shift.x, static_cast<double>(r) - shift.y);
        out.at(c, r, 0) = static_cast<float>(100.0 + v + noise * (random.uniform() - 0.5));
        out.at(c, r, 1) = static_cast<float>(40.0 - 3.0 * v + noise * (random.uniform() - 0.5));
      }
    }
    return out;
  }

 private:
  struct Wave {
    double kx;
    double ky;
    double phase;
  };
  std::array<Wave, 12> m_waves{};
};

ImagePair pair_of(Point shift, double gain, double noise, std::uint64_t seed, std::int64_t size = 256) {
  Random random(seed + 1000);
  const Landscape land(seed);
  return {land.image(size, {}, 1.0, noise, random), land.image(size, shift, gain, noise, random),
          Raster<std::uint8_t>(size, size, 1, 1)};
}

TEST(ImageShift, FindsKnownShiftsBetweenThePixels) {
  std::uint64_t seed = 1;
  for (const Point shift : {Point{0.0, 0.0}, {0.5, -0.5}, {0.23, 1.71}, {-3.4, 2.06}, {4.9, 0.1}}) {
    const std::vector<ImagePair> pairs{pair_of(shift, 1.0, 0.3, seed++)};
    const auto found = estimate_shift(pairs);
    ASSERT_TRUE(found) << shift.x << " " << shift.y;
    EXPECT_NEAR(found->px.x, shift.x, 0.02);
    EXPECT_NEAR(found->px.y, shift.y, 0.02);
    EXPECT_LT(std::hypot(found->error_px.x, found->error_px.y), 0.02);
    EXPECT_EQ(found->is_significant(), std::hypot(shift.x, shift.y) > 0.05);
  }
}

TEST(ImageShift, BrightnessAndItsSignMayChange) {
  const std::vector<ImagePair> pairs{pair_of({1.3, -0.6}, -0.4, 0.2, 21)};
  const auto found = estimate_shift(pairs);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->px.x, 1.3, 0.03);
  EXPECT_NEAR(found->px.y, -0.6, 0.03);
}

TEST(ImageShift, APatchThatChangedDoesNotCount) {
  ImagePair pair = pair_of({0.4, 0.2}, 1.0, 0.3, 31, 512);
  Random random(7);
  const Raster<float> other = Landscape(99).image(512, {}, 1.0, 0.3, random);
  for (std::int64_t r = 0; r < 200; ++r) {
    for (std::int64_t c = 0; c < 200; ++c) {
      for (int b = 0; b < 2; ++b) pair.other.at(c, r, b) = other.at(c, r, b);
    }
  }
  const std::vector<ImagePair> pairs{std::move(pair)};
  const auto found = estimate_shift(pairs);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->px.x, 0.4, 0.03);
  EXPECT_NEAR(found->px.y, 0.2, 0.03);
}

TEST(ImageShift, NothingIsSaidWithoutContentOrWithoutAgreement) {
  ImagePair flat = pair_of({0.0, 0.0}, 1.0, 0.0, 41);
  flat.reference = Raster<float>(256, 256, 2, 5.0F);
  EXPECT_FALSE(estimate_shift(std::vector<ImagePair>{std::move(flat)}));
  ImagePair beyond = pair_of({30.0, 0.0}, 1.0, 0.0, 42);
  const auto found = estimate_shift(std::vector<ImagePair>{std::move(beyond)}, 4);
  EXPECT_TRUE(!found || found->patches < 4);
  ImagePair masked = pair_of({0.0, 0.0}, 1.0, 0.0, 43);
  masked.valid = Raster<std::uint8_t>(256, 256, 1, 0);
  EXPECT_FALSE(estimate_shift(std::vector<ImagePair>{std::move(masked)}));
  EXPECT_FALSE(estimate_shift({}));
}

}  // namespace
}  // namespace furrow::geo
