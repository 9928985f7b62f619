#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/blend.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/ensemble.h>
#include <furrow/segmentation/predictor.h>
#include <furrow/segmentation/score_passes.h>

#include "support.h"

namespace furrow::segmentation {
namespace {

using furrow::test::TemporaryFolder;
using geo::Raster;
using geo::Window;
using ::testing::HasSubstr;

using Scores = std::array<float, 3>;

/// One band, values as they are.
ModelSpec red_band_spec(int radius = 0) {
  ModelSpec spec;
  spec.id = "one-band";
  spec.bands = {{"red"}};
  spec.normalisation.method = geo::NormaliseMethod::kDivide;
  spec.normalisation.divisor = 100.0;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 1;
  spec.receptive_radius_px = radius;
  return spec;
}

void write_noise(const std::filesystem::path& path, std::int64_t width, std::int64_t height) {
  Raster<float> pixels(width, height, 1);
  geo::Random random(3);
  for (float& v : pixels.data()) v = static_cast<float>(random.below(100));
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kFloat32;
  geo::write_raster(path, test::utm_grid(width, height), pixels, spec, true);
}

PartScoreFunction constant_pass(Scores scores) {
  return [scores](std::span<const float>, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                  const Window& part, std::span<float> output) {
    const auto pixels = static_cast<std::size_t>(part.pixels());
    for (std::size_t i = 0; i < output.size(); ++i) output[i] = scores[i / pixels];
  };
}

/// Scores that follow from a pixel's value and, when asked, that of its left neighbour.
PartScoreFunction value_pass(float gain, bool looks_left = false) {
  return part_of_whole([gain, looks_left](std::span<const float> input, std::int64_t, std::int64_t,
                                          std::int64_t height, std::int64_t width, std::span<float> output) {
    const auto pixels = static_cast<std::size_t>(height * width);
    for (std::size_t i = 0; i < pixels; ++i) {
      const bool has_left = i % static_cast<std::size_t>(width) > 0;
      const float value = looks_left && has_left ? input[i - 1] : input[i];
      output[i] = 1.0F - value * gain;
      output[pixels + i] = value * gain * 0.75F;
      output[2 * pixels + i] = value * gain * 0.25F;
    }
  });
}

double entropy(std::initializer_list<double> scores) {
  double sum = 0.0;
  for (const double p : scores) sum -= p > 0.0 ? p * std::log(p) : 0.0;
  return sum;
}

class Uncertainty : public ::testing::Test {
 protected:
  PredictReport predict(const std::vector<PartScoreFunction>& passes, const ModelSpec& spec = red_band_spec(),
                        int threads = 2, const std::string& name = "") {
    options.quality = {{QualityLayer::kEntropy, path(name + "entropy")},
                       {QualityLayer::kDisagreement, path(name + "disagreement")}};
    if (passes.size() > 1)
      options.quality.push_back({QualityLayer::kMutualInformation, path(name + "mutual")});
    options.overwrite = true;
    geo::ExecContext exec({threads, 0});
    PredictReport report;
    exec.execute(
        [&] { report = predict_scene(path("scene"), path(name + "scores"), spec, passes, options, exec); });
    return report;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (m_folder / (name + ".tif")).string();
  }
  [[nodiscard]] Raster<std::uint8_t> read(const std::string& name) const {
    const geo::RasterReader reader(path(name));
    return reader.read<std::uint8_t>(reader.grid().window());
  }

  TemporaryFolder m_folder;
  PredictOptions options;
};

TEST_F(Uncertainty, ScoresAreTheMeanOfThePassesAndMutualInformationIsWhatTheyDiffer) {
  write_noise(path("scene"), 40, 30);
  predict({constant_pass({0.6F, 0.3F, 0.1F}), constant_pass({0.2F, 0.5F, 0.3F})});
  const auto scores = read("scores");
  const double mutual =
      entropy({0.4, 0.4, 0.2}) - (entropy({0.6, 0.3, 0.1}) + entropy({0.2, 0.5, 0.3})) / 2.0;
  for (std::int64_t col = 0; col < 40; ++col) {
    EXPECT_EQ(scores.at(col, 7, 0), 80);
    EXPECT_EQ(scores.at(col, 7, 1), 80);
    EXPECT_EQ(scores.at(col, 7, 2), 40);
    EXPECT_EQ(read("entropy").at(col, 7), std::lround(180.0 * entropy({0.4, 0.4, 0.2})));
    EXPECT_EQ(read("mutual").at(col, 7), std::lround(180.0 * mutual));
  }
  const geo::RasterReader layer(path("mutual"));
  EXPECT_NEAR(layer.band(0).scale, 1.0 / 180.0, 1e-12);
  EXPECT_EQ(layer.band(0).description, "mutual information");
}

TEST_F(Uncertainty, PassesThatAgreeGiveTheirScoresAndNoMutualInformation) {
  write_noise(path("scene"), 70, 50);
  const PartScoreFunction pass = value_pass(1.0F);
  options.tile_px = 32;
  predict({pass}, red_band_spec(), 2, "one_");
  predict({pass, pass, pass, pass, pass, pass, pass}, red_band_spec(), 2, "seven_");
  EXPECT_EQ(read("one_scores").data(), read("seven_scores").data());
  EXPECT_EQ(read("one_entropy").data(), read("seven_entropy").data());
  EXPECT_THAT(read("seven_mutual").data(), ::testing::Each(0));
}

TEST_F(Uncertainty, UniformScoresHaveTheLargestEntropy) {
  write_noise(path("scene"), 20, 20);
  const float third = 1.0F / 3.0F;
  predict({constant_pass({third, third, third})});
  EXPECT_EQ(read("entropy").at(10, 10), std::lround(180.0 * std::log(3.0)));
}

TEST_F(Uncertainty, ASureButDividedEnsembleHasOnlyMutualInformation) {
  write_noise(path("scene"), 20, 20);
  predict({constant_pass({1.0F, 0.0F, 0.0F}), constant_pass({0.0F, 1.0F, 0.0F})});
  EXPECT_EQ(read("mutual").at(5, 5), std::lround(180.0 * std::numbers::ln2));
  EXPECT_EQ(read("entropy").at(5, 5), read("mutual").at(5, 5));
}

TEST_F(Uncertainty, DisagreementIsTheWeightedDeviationOfOverlappingTiles) {
  write_noise(path("scene"), 64, 32);
  std::atomic<int> calls = 0;
  const PartScoreFunction alternating = [&](auto input, auto n, auto bands, auto height, auto width,
                                            const Window& part, std::span<float> output) {
    constant_pass(calls++ == 0 ? Scores{0.8F, 0.2F, 0.0F} : Scores{0.4F, 0.6F, 0.0F})(input, n, bands, height,
                                                                                      width, part, output);
  };
  options.tile_px = 32;
  options.halo_px = 8;
  const PredictReport report = predict({alternating}, red_band_spec(4), 1);
  ASSERT_EQ(report.blend_px, 4);
  const auto found = read("disagreement");
  const auto weights = geo::blend_weights(0, 32, 64, 4);
  for (std::int64_t col = 0; col < 64; ++col) {
    if (col < 28 || col >= 36) {
      EXPECT_EQ(found.at(col, 9), 255) << col;
      continue;
    }
    const auto w = static_cast<double>(weights[static_cast<std::size_t>(col)]);
    EXPECT_NEAR(found.at(col, 9), 200.0 * 0.4 * std::sqrt(w * (1.0 - w)), 0.51) << col;
  }
}

TEST_F(Uncertainty, TilesThatAgreeHaveNoDisagreement) {
  write_noise(path("scene"), 90, 70);
  options.tile_px = 32;
  options.halo_px = 6;
  predict({value_pass(1.0F)});
  const auto found = read("disagreement");
  for (const std::uint8_t v : found.data()) EXPECT_TRUE(v == 0 || v == 255);
  EXPECT_EQ(found.at(32, 10), 0);
}

TEST_F(Uncertainty, BytesDoNotDependOnThreads) {
  write_noise(path("scene"), 150, 110);
  options.tile_px = 32;
  options.halo_px = 4;
  const std::vector passes{value_pass(1.0F, true), value_pass(0.7F), value_pass(0.9F, true)};
  for (const int threads : {1, 4}) predict(passes, red_band_spec(20), threads, std::to_string(threads));
  for (const std::string layer : {"scores", "entropy", "mutual", "disagreement"})
    EXPECT_EQ(test::bytes_of(path("1" + layer)), test::bytes_of(path("4" + layer))) << layer;
}

TEST_F(Uncertainty, NeedsPassesToCompare) {
  write_noise(path("scene"), 20, 20);
  geo::ExecContext exec({1, 0});
  const std::vector passes{value_pass(1.0F)};
  options.quality = {{QualityLayer::kMutualInformation, path("mutual")}};
  EXPECT_THROW(predict_scene(path("scene"), path("out"), red_band_spec(), passes, options, exec),
               geo::InvalidArgument);
  EXPECT_THROW(predict_scene(path("scene"), path("out"), red_band_spec(),
                             std::span<const PartScoreFunction>(), {}, exec),
               geo::InvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(Uncertainty, TwoLayersCannotShareAFile) {
  write_noise(path("scene"), 20, 20);
  geo::ExecContext exec({1, 0});
  options.quality = {{QualityLayer::kEntropy, path("layer")}, {QualityLayer::kDisagreement, path("layer")}};
  EXPECT_THROW(predict_scene(path("scene"), path("out"), red_band_spec(), value_pass(1.0F), options, exec),
               geo::IoError);
}

/// What the eight passes say of a part of a window that is no square, seen by a network that looks left.
TEST(TurnedPasses, LookInEveryDirectionTwice) {
  const std::int64_t width = 12, height = 8;
  Raster<float> image(width, height);
  geo::Random random(5);
  for (float& v : image.data()) v = static_cast<float>(random.uniform());
  const Window part{2, 1, 7, 5};
  const auto passes = turned_passes(value_pass(1.0F, true));
  ASSERT_EQ(passes.size(), 8U);
  std::vector<std::vector<float>> interior;
  for (const PartScoreFunction& pass : passes) {
    std::vector<float> scores(3 * 7 * 5);
    pass(image.data(), 1, 1, height, width, part, scores);
    interior.emplace_back(scores.begin() + 35, scores.begin() + 70);
  }
  std::vector<std::vector<float>> expected;
  for (const auto& [x, y] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
    std::vector<float> shifted;
    for (std::int64_t row = 0; row < part.height; ++row) {
      for (std::int64_t col = 0; col < part.width; ++col)
        shifted.push_back(image.at(part.col + col + x, part.row + row + y) * 0.75F);
    }
    expected.push_back(shifted);
    expected.push_back(shifted);
  }
  EXPECT_EQ(interior.front(), expected.front()) << "the first pass is the window as it is";
  EXPECT_THAT(interior, ::testing::UnorderedElementsAreArray(expected));
}

TEST(EnsembleSpec, TakesTheWidestViewOfAll) {
  ModelSpec a = red_band_spec(20), b = red_band_spec(44);
  a.weights_sha256 = "aa";
  b.weights_sha256 = "bb";
  b.id = "other";
  a.stride_px = 8;
  b.stride_px = 16;
  b.temperature = 1.7;
  const ModelSpec all = ensemble_spec(std::array{a, b});
  EXPECT_EQ(all.id, "ensemble one-band other");
  EXPECT_EQ(all.receptive_radius_px, 44);
  EXPECT_EQ(all.stride_px, 16);
  EXPECT_NE(all.weights_sha256, ensemble_spec(std::array{b, a}).weights_sha256);
  EXPECT_EQ(ensemble_spec(std::array{a}).id, "one-band");
}

TEST(EnsembleSpec, RefusesModelsThatSeeAnImageOtherwise) {
  const auto refused = [](const std::string& what, auto change) {
    ModelSpec other = red_band_spec();
    other.id = "other";
    change(other);
    try {
      (void)ensemble_spec(std::array{red_band_spec(), other});
      ADD_FAILURE() << what;
    } catch (const geo::ModelError& error) {
      EXPECT_THAT(error.what(), HasSubstr("'one-band' and 'other'"));
      EXPECT_THAT(error.what(), HasSubstr("they differ in " + what));
    }
  };
  refused("bands", [](ModelSpec& s) { s.bands.front().name = "green"; });
  refused("classes", [](ModelSpec& s) { s.classes.pop_back(); });
  refused("normalisation", [](ModelSpec& s) { s.normalisation.divisor = 3000.0; });
  refused("normalisation", [](ModelSpec& s) { s.normalisation.method = geo::NormaliseMethod::kZScore; });
  ModelSpec coarse = red_band_spec(), fine = red_band_spec();
  coarse.pixel_size_m = 12.0;
  fine.pixel_size_m = 10.0;
  EXPECT_THROW((void)ensemble_spec(std::array{coarse, fine}), geo::ModelError);
  fine.pixel_size_m = 11.0;
  EXPECT_NO_THROW((void)ensemble_spec(std::array{coarse, fine}));
  EXPECT_THROW((void)ensemble_spec({}), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::segmentation
