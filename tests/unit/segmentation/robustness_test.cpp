#include <furrow/segmentation/robustness.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "robustness/perturb.h"
#include "robustness/resample.h"
#include "support.h"

namespace furrow::segmentation {
namespace {

using furrow::test::TemporaryFolder;
using furrow::test::utm_grid;
using geo::Raster;
using ::testing::HasSubstr;
using Family = PerturbationFamily;

ModelSpec spec_of(int stride_px) {
  ModelSpec spec;
  spec.id = "analytic";
  spec.architecture = "test";
  spec.bands = {{"red"}, {"nir"}};
  spec.normalisation.method = geo::NormaliseMethod::kDivide;
  spec.normalisation.divisor = 1000.0;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = stride_px;
  spec.receptive_radius_px = 2;
  return spec;
}

using Pixel = std::array<float, 3>;
/// Scores of one pixel from where it lies in what the network sees, and its bands.
using PixelScore = std::function<Pixel(std::int64_t col, std::int64_t row, float red, float nir)>;

ScoreFunction network(const PixelScore& pixel, int stride_px = 1) {
  return [pixel, stride_px](std::span<const float> input, std::int64_t n, std::int64_t bands,
                            std::int64_t height, std::int64_t width, std::span<float> output) {
    ASSERT_EQ(n, 1);
    ASSERT_EQ(bands, 2);
    ASSERT_EQ(height % stride_px, 0);
    ASSERT_EQ(width % stride_px, 0);
    const std::int64_t plane = height * width;
    for (std::int64_t i = 0; i < plane; ++i) {
      const Pixel p = pixel(i % width, i / width, input[static_cast<std::size_t>(i)],
                            input[static_cast<std::size_t>(plane + i)]);
      for (std::int64_t k = 0; k < 3; ++k)
        output[static_cast<std::size_t>(k * plane + i)] = p[static_cast<std::size_t>(k)];
    }
  };
}

/// A field where the sum of the bands exceeds 1.
ScoreFunction bright_fields(int stride_px = 1) {
  return network(
      [](std::int64_t, std::int64_t, float red, float nir) {
        return red + nir > 1.0F ? Pixel{0.1F, 0.8F, 0.1F} : Pixel{0.9F, 0.05F, 0.05F};
      },
      stride_px);
}

class Robustness : public ::testing::Test {
 protected:
  std::string write(const Raster<float>& pixels, const std::string& name = "scene.tif",
                    std::optional<double> nodata = {}) {
    geo::RasterSpec spec;
    spec.type = geo::PixelType::kFloat32;
    spec.bands = pixels.bands();
    spec.cog = false;
    spec.nodata = nodata;
    geo::write_raster(m_folder / name, utm_grid(pixels.width(), pixels.height()), pixels, spec, true);
    return (m_folder / name).string();
  }

  /// Seeded values of 0..1400 in both bands.
  static Raster<float> random_scene(std::int64_t width, std::int64_t height) {
    Raster<float> pixels(width, height, 2);
    geo::Random random(3);
    for (float& v : pixels.data()) v = static_cast<float>(random.below(1400));
    return pixels;
  }

  /// Both bands hold `value(col, row)`.
  static Raster<float> scene(std::int64_t side,
                             const std::function<float(std::int64_t, std::int64_t)>& value) {
    Raster<float> pixels(side, side, 2);
    for (int b = 0; b < 2; ++b)
      for (std::int64_t row = 0; row < side; ++row)
        for (std::int64_t col = 0; col < side; ++col) pixels.at(col, row, b) = value(col, row);
    return pixels;
  }

  RobustnessReport assess(const std::string& image, const ModelSpec& spec, const ScoreFunction& score,
                          const std::vector<Perturbation>& perturbations,
                          const std::vector<geo::MultiPolygon>& reference = {}) {
    return assess_robustness(image, spec, score, perturbations, reference, m_options, m_exec);
  }

  static std::vector<Perturbation> geometry(const ModelSpec& spec) {
    std::vector<Perturbation> list;
    for (const Perturbation& p : standard_perturbations(spec))
      if (p.family <= Family::kCrop) list.push_back(p);
    return list;
  }

  std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const geo::Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder m_folder;
  geo::ExecContext m_exec;
  RobustnessOptions m_options;
};

TEST_F(Robustness, GeometryMovesNothingInAPixelwiseFunction) {
  m_options.window_px = 24;  // not a multiple of the stride; the last windows of 70 px are 22 px wide
  const ModelSpec spec = spec_of(16);
  const auto report = assess(write(random_scene(70, 50)), spec, bright_fields(16), geometry(spec));
  ASSERT_EQ(report.windows.size(), 9U);
  EXPECT_EQ(report.windows.back(), (geo::Window{48, 48, 22, 2}));
  ASSERT_EQ(report.results.size(), 5U + 7U + 4U);
  for (const PerturbationResult& r : report.results) {
    SCOPED_TRACE(describe(r.perturbation, spec));
    EXPECT_EQ(r.agreement.pixels, 70 * 50);
    EXPECT_EQ(r.agreement.flipped, 0);
    EXPECT_EQ(r.agreement.score_difference, 0.0);
    EXPECT_EQ(r.agreement.extent_iou(), 1.0);
    EXPECT_EQ(r.agreement.fields_a, r.agreement.matched);
  }
  for (const FamilyConsensus& f : report.families) EXPECT_EQ(f.agreed, 70 * 50);
  EXPECT_EQ(report.most_sensitive(), nullptr);
  EXPECT_THAT(robustness_table(report, spec), HasSubstr("no perturbation moves a pixel"));
}

TEST_F(Robustness, AFunctionOfThePositionFlipsTheColumnsThatAreCountedByHand) {
  // Field in columns 0..7 of every pooling cell of 16. Shifted by d px, d columns on each side of both
  // borders of a cell change: 2 d of 16 columns for d <= 8; for 15 = 16 - 1, 2 of 16.
  const ModelSpec spec = spec_of(16);
  const auto score = network([](std::int64_t col, std::int64_t, float, float) {
    return col % 16 < 8 ? Pixel{0.2F, 0.7F, 0.1F} : Pixel{0.8F, 0.1F, 0.1F};
  });
  m_options.window_px = 32;
  std::vector<Perturbation> list;
  for (const double d : {1.0, 2.0, 4.0, 8.0, 15.0}) list.push_back({Family::kTranslation, d, -1});
  list.push_back({Family::kTurn, 1.0, -1});
  list.push_back({Family::kTurn, 4.0, -1});
  const auto report = assess(write(random_scene(64, 64)), spec, score, list);
  const std::array expected{2.0 / 16, 4.0 / 16, 8.0 / 16, 1.0, 2.0 / 16, 0.5, 1.0};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(describe(list[i], spec));
    const MapAgreement& a = report.results[i].agreement;
    EXPECT_DOUBLE_EQ(a.flip_share(), expected[i]);
    // Scores of a flipped pixel differ by .6, .6 and 0: .4 in the mean over classes.
    EXPECT_NEAR(a.mean_score_difference(), 0.4 * expected[i], 1e-7);
    // Half of the pixels are extent in each map; flips are shared evenly: both = (1 - f) / 2.
    EXPECT_NEAR(a.extent_iou(), (1.0 - expected[i]) / (1.0 + expected[i]), 1e-12);
  }
  // Shift 8 moves every pixel.
  EXPECT_EQ(report.families[0].agreed, 0);
  ASSERT_NE(report.most_sensitive(), nullptr);
  EXPECT_EQ(report.most_sensitive()->perturbation.level, 8.0);
  EXPECT_EQ(report.most_sensitive()->perturbation.family, Family::kTranslation);
}

TEST_F(Robustness, CornerCropsSeeTheWindowAtTheirBorder) {
  // The network calls its outermost two columns and rows boundary: in a corner crop those of the window's own
  // corner, 2 x 32 + 2 x 30 of 32 x 32 pixels; all four corners together 4 x 32 x 2 - 4 x 4.
  const ModelSpec spec = spec_of(16);
  const ScoreFunction score = [](std::span<const float>, std::int64_t, std::int64_t, std::int64_t height,
                                 std::int64_t width, std::span<float> output) {
    for (std::int64_t i = 0; i < height * width; ++i) {
      const std::int64_t col = i % width;
      const std::int64_t row = i / width;
      const bool outer = col < 2 || row < 2 || col >= width - 2 || row >= height - 2;
      output[static_cast<std::size_t>(i)] = 0.0F;
      output[static_cast<std::size_t>(height * width + i)] = outer ? 0.0F : 1.0F;
      output[static_cast<std::size_t>(2 * height * width + i)] = outer ? 1.0F : 0.0F;
    }
  };
  m_options.window_px = 32;
  const auto report = assess(write(random_scene(32, 32)), spec, score, geometry(spec));
  for (const PerturbationResult& r : report.results)
    EXPECT_EQ(r.agreement.flipped, r.perturbation.family == Family::kCrop ? 124 : 0);
  EXPECT_EQ(report.families.back().agreed, 32 * 32 - (4 * 32 * 2 - 4 * 4));
}

TEST_F(Robustness, BrightnessFlipsThePixelsItBringsOverTheThreshold) {
  // Both bands hold 300 + 5 x column: the sum exceeds 1 from 505 on. Times 1.1: from 455 (500.5) on, so the
  // columns 31..40; times 0.8: from 630 (626 x 0.8 = 500.8) on, so the columns 41..65 go; 40 x 5 + 300 = 500
  // itself is not above.
  const ModelSpec spec = spec_of(1);
  const auto image = write(
      scene(70, [](std::int64_t col, std::int64_t) { return 300.0F + 5.0F * static_cast<float>(col); }));
  const auto report =
      assess(image, spec, bright_fields(), {{Family::kBrightness, 1.1, -1}, {Family::kBrightness, 0.8, -1}});
  EXPECT_EQ(report.results[0].agreement.flipped, 10 * 70);
  EXPECT_EQ(report.results[1].agreement.flipped, 25 * 70);
  EXPECT_EQ(report.families[0].agreed, 35 * 70);
}

TEST_F(Robustness, GainOfOneBandCountsForThatBandOnly) {
  const ModelSpec spec = spec_of(1);
  const auto red_only = network([](std::int64_t, std::int64_t, float red, float) {
    return red > 0.5F ? Pixel{0.0F, 1.0F, 0.0F} : Pixel{1.0F, 0.0F, 0.0F};
  });
  const auto report = assess(write(random_scene(40, 40)), spec, red_only,
                             {{Family::kBandGain, 1.1, 0},
                              {Family::kBandGain, 1.1, 1},
                              {Family::kBandNoise, 10.0, 0},
                              {Family::kBandNoise, 10.0, 1},
                              {Family::kMissingBand, 0.0, 0},
                              {Family::kMissingBand, 0.0, 1}});
  for (std::size_t i = 0; i < 6; ++i) {
    if (i % 2 == 0)
      EXPECT_GT(report.results[i].agreement.flipped, 0) << i;
    else
      EXPECT_EQ(report.results[i].agreement.flipped, 0) << i;
  }
}

TEST_F(Robustness, BrightnessIsNeutralWhenStatisticsComeFromTheScene) {
  for (const bool per_band : {false, true}) {
    for (const auto method : {geo::NormaliseMethod::kMinMax, geo::NormaliseMethod::kZScore}) {
      ModelSpec spec = spec_of(1);
      spec.normalisation.method = method;
      spec.normalisation.per_band = per_band;
      m_options.windows = 3;
      m_options.window_px = 16;
      // Values that no threshold meets by rounding.
      const auto smooth = network([](std::int64_t, std::int64_t, float red, float nir) {
        const float p = 1.0F / (1.0F + std::exp(-(red + nir - 0.9F)));
        return Pixel{1.0F - p, 0.5F * p, 0.5F * p};
      });
      const auto report = assess(write(random_scene(90, 70)), spec, smooth,
                                 {{Family::kBrightness, 0.67, -1}, {Family::kBrightness, 1.5, -1}});
      for (const auto& r : report.results) {
        EXPECT_EQ(r.agreement.flipped, 0);
        EXPECT_LT(r.agreement.mean_score_difference(), 1e-6);
      }
      EXPECT_THAT(robustness_json(report, spec), HasSubstr("\"perturbed scene\""));
    }
  }
}

TEST_F(Robustness, StoredStatisticsStayAndBrightnessMatters) {
  ModelSpec spec = spec_of(1);
  spec.normalisation.method = geo::NormaliseMethod::kMinMax;
  spec.normalisation.scope = geo::NormaliseScope::kStored;
  spec.normalisation.stored = {{0.0, 1000.0, 500.0, 300.0, 10}};
  const auto report =
      assess(write(random_scene(40, 40)), spec, bright_fields(), {{Family::kBrightness, 1.5, -1}});
  EXPECT_GT(report.results[0].agreement.flip_share(), 0.1);
  EXPECT_THAT(robustness_json(report, spec), HasSubstr("\"stored\""));
}

TEST(MovedStatistics, FollowGainAndOffset) {
  const geo::BandStatistics scene{100.0, 900.0, 400.0, 200.0, 50};
  const geo::BandStatistics before{200.0, 700.0, 450.0, 100.0, 10};
  const geo::BandStatistics after{2.0 * 200.0 + 10.0, 2.0 * 700.0 + 10.0, 2.0 * 450.0 + 10.0, 200.0, 10};
  const auto moved = moved_statistics(scene, before, after);
  EXPECT_DOUBLE_EQ(moved.low, 210.0);
  EXPECT_DOUBLE_EQ(moved.high, 1810.0);
  EXPECT_DOUBLE_EQ(moved.mean, 810.0);
  EXPECT_DOUBLE_EQ(moved.sd, 400.0);
  // Windows that are the scene: exactly what the perturbed scene has.
  const geo::BandStatistics other{5.0, 6.0, 5.5, 0.25, 50};
  const auto same = moved_statistics(scene, scene, other);
  EXPECT_DOUBLE_EQ(same.low, 5.0);
  EXPECT_DOUBLE_EQ(same.high, 6.0);
  EXPECT_DOUBLE_EQ(same.mean, 5.5);
  EXPECT_DOUBLE_EQ(same.sd, 0.25);
  // A band without contrast stays without.
  const auto flat = moved_statistics(scene, before, {7.0, 7.0, 7.0, 1e-12, 10});
  EXPECT_EQ(flat.low, flat.high);
  EXPECT_EQ(flat.sd, 0.0);
}

TEST_F(Robustness, ReportIsTheSameForAnyNumberOfThreadsAndChangesWithTheSeed) {
  const ModelSpec spec = spec_of(4);
  const auto image = write(random_scene(130, 100));
  m_options.window_px = 32;
  m_options.windows = 5;
  const auto text = [&](int threads, std::uint64_t seed) {
    geo::ExecContext exec({threads, 0});
    m_options.seed = seed;
    std::string json;
    exec.execute([&] {
      const auto report =
          assess_robustness(image, spec, bright_fields(), standard_perturbations(spec), {}, m_options, exec);
      json = robustness_json(report, spec);
    });
    return json;
  };
  const std::string one = text(1, 1);
  EXPECT_EQ(one, text(4, 1));
  EXPECT_NE(one, text(1, 2));
}

TEST_F(Robustness, NoiseHasTheRatioThatItSays) {
  // A band of two values, 0 and 1000, half and half: standard deviation 500. At 20 dB the noise has 50.
  SceneWindow window{{0, 0, 200, 200},
                     {0, 0, 200, 200},
                     Raster<float>(200, 200, 2),
                     Raster<std::uint8_t>(200, 200, 1, 1),
                     {}};
  draw_noise(window, 7);
  const std::array<geo::BandStatistics, 2> bands{{{0, 1, 500.0, 500.0, 1}, {0, 1, 500.0, 500.0, 1}}};
  perturb_values(window, {Family::kBandNoise, 20.0, 1}, bands);
  double squares = 0.0;
  for (const float v : window.pixels.band(1)) squares += static_cast<double>(v) * static_cast<double>(v);
  EXPECT_NEAR(std::sqrt(squares / 40000.0), 50.0, 1.0);
  for (const float v : window.pixels.band(0)) EXPECT_EQ(v, 0.0F);
}

TEST_F(Robustness, NodataNeverCounts) {
  // The left half holds no data, as -1 which would be background; the right half flips when it gets darker.
  auto pixels = scene(64, [](std::int64_t col, std::int64_t) { return col < 32 ? -1.0F : 510.0F; });
  const ModelSpec spec = spec_of(16);
  m_options.window_px = 16;
  m_options.windows = 8;
  const auto report = assess(
      write(pixels, "half.tif", -1.0), spec, bright_fields(),
      {{Family::kBrightness, 0.9, -1}, {Family::kPixelSize, 1.25, -1}, {Family::kMissingBand, 0.0, 1}});
  ASSERT_EQ(report.windows.size(), 8U);
  for (const geo::Window& w : report.windows) EXPECT_GE(w.col, 32);
  EXPECT_EQ(report.results[0].agreement.pixels, 32 * 64);
  EXPECT_EQ(report.results[0].agreement.flipped, 32 * 64);
  // Constant where valid: neither other pixels nor the mean change anything, also beside nodata.
  EXPECT_EQ(report.results[1].agreement.flipped, 0);
  EXPECT_EQ(report.results[2].agreement.flipped, 0);
}

TEST_F(Robustness, ManyWindowsAreSpreadOverTheImage) {
  const ModelSpec spec = spec_of(1);
  m_options.window_px = 16;
  m_options.windows = 4;
  const auto report = assess(write(random_scene(140, 140)), spec, bright_fields(), {});
  ASSERT_EQ(report.windows.size(), 4U);  // of 64 whole ones: one in each quarter of the first 128 px
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(report.windows[i].col / 64 + 2 * (report.windows[i].row / 64), static_cast<std::int64_t>(i));
    EXPECT_EQ(report.windows[i].pixels(), 256);
  }
}

TEST_F(Robustness, ComparesWithTheReference) {
  // One square field of 20 x 20 px that the model finds exactly; half as bright it finds none.
  const auto image = write(scene(48, [](std::int64_t col, std::int64_t row) {
    return col >= 10 && col < 30 && row >= 10 && row < 30 ? 600.0F : 100.0F;
  }));
  const geo::Grid grid = utm_grid(48, 48);
  const std::vector<geo::MultiPolygon> reference{{geo::to_polygon(grid.bounds({10, 10, 20, 20}))}};
  const ModelSpec spec = spec_of(1);
  const auto report = assess(image, spec, bright_fields(), {{Family::kBrightness, 0.5, -1}}, reference);
  EXPECT_EQ(report.truth.extent_iou(), 1.0);
  EXPECT_EQ(report.truth.object_f1(), 1.0);
  EXPECT_EQ(report.results[0].truth.extent_iou(), 0.0);
  EXPECT_EQ(report.results[0].truth.object_f1(), 0.0);
  EXPECT_EQ(report.results[0].agreement.object_f1(), 0.0);
  EXPECT_THAT(robustness_table(report, spec), HasSubstr("-1.000"));
  EXPECT_THAT(robustness_json(report, spec), HasSubstr("\"object_f1_change\": -1.0"));
}

TEST_F(Robustness, ReferenceDoesNotCountWhereThereIsNoData) {
  // 12 of the 20 columns of the field are missing: what is left, 40 % of it, is found exactly.
  const auto image = write(scene(48,
                                 [](std::int64_t col, std::int64_t row) {
                                   if (col < 22) return -1.0F;
                                   return col < 30 && row >= 10 && row < 30 ? 600.0F : 100.0F;
                                 }),
                           "half.tif", -1.0);
  const std::vector<geo::MultiPolygon> reference{
      {geo::to_polygon(utm_grid(48, 48).bounds({10, 10, 20, 20}))}};
  const auto report = assess(image, spec_of(1), bright_fields(), {}, reference);
  EXPECT_EQ(report.truth.extent_iou(), 1.0);
  EXPECT_EQ(report.truth.object_f1(), 1.0);
}

TEST_F(Robustness, WhatIsInfiniteAsFloatIsNoData) {
  Raster<double> pixels(32, 32, 2, 600.0);
  pixels.at(5, 5, 1) = 1e300;
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kFloat64;
  spec.bands = 2;
  spec.cog = false;
  geo::write_raster(m_folder / "double.tif", utm_grid(32, 32), pixels, spec, true);
  const auto report = assess((m_folder / "double.tif").string(), spec_of(1), bright_fields(),
                             {{Family::kBrightness, 0.9, -1}});
  EXPECT_EQ(report.results[0].agreement.pixels, 32 * 32 - 1);
}

TEST_F(Robustness, ABigBlockKeepsItsFieldAtAnotherPixelSize) {
  const auto image = write(scene(64, [](std::int64_t col, std::int64_t row) {
    return col >= 16 && col < 48 && row >= 16 && row < 48 ? 900.0F : 100.0F;
  }));
  const ModelSpec spec = spec_of(8);
  const auto report =
      assess(image, spec, bright_fields(8), {{Family::kPixelSize, 0.8, -1}, {Family::kPixelSize, 1.5, -1}});
  for (const auto& r : report.results) {
    EXPECT_EQ(r.agreement.object_f1(), 1.0);
    EXPECT_LT(r.agreement.flipped, 4 * 32);  // no more than the ring along the border
    EXPECT_GT(r.agreement.score_difference, 0.0);
  }
}

TEST(Resample, FollowsTheTriangleByHand) {
  Raster<float> line(4, 1, 1);
  line.data() = {0.0F, 10.0F, 20.0F, 30.0F};
  Raster<std::uint8_t> valid(4, 1, 1, 1);
  const AxisMap same{0.0, 1.0, 1};
  // Pixels twice as large: triangle of 4 px around 1 and 3: weights 1, 3, 3, 1 of 8; the border goes on.
  const auto half = resample(line, valid, {0.0, 2.0, 2}, same);
  EXPECT_FLOAT_EQ(half.at(0, 0), (0.0F + 3 * 0.0F + 3 * 10.0F + 20.0F) / 8.0F);
  EXPECT_FLOAT_EQ(half.at(1, 0), (10.0F + 3 * 20.0F + 3 * 30.0F + 30.0F) / 8.0F);
  // Half a pixel further: the mean of two; without the second only the first.
  EXPECT_FLOAT_EQ(resample(line, valid, {0.5, 1.0, 1}, same).at(0, 0), 5.0F);
  valid.at(1, 0) = 0;
  EXPECT_FLOAT_EQ(resample(line, valid, {0.5, 1.0, 1}, same).at(0, 0), 0.0F);
  EXPECT_EQ(resample_nearest(valid, {1.2, 1.0, 1}, same).at(0, 0), 0);
}

TEST_F(Robustness, UnperturbedMapIsThatOfPrediction) {
  // A function of position and value, so that another window or normalisation would show.
  ModelSpec spec = spec_of(16);
  spec.normalisation.method = geo::NormaliseMethod::kMinMax;
  const auto score = network([](std::int64_t col, std::int64_t row, float red, float nir) {
    const float p = 0.2F + 0.5F * red * nir + 0.02F * static_cast<float>((col + 3 * row) % 16);
    return Pixel{1.0F - p, 0.9F * p, 0.1F * p};
  });
  const auto image = write(random_scene(60, 44));
  m_options.window_px = 20;
  const auto report = assess(image, spec, score, {{Family::kBrightness, 1.0, -1}});
  PredictOptions options;
  options.tile_px = 20;
  (void)predict_scene(image, (m_folder / "scores.tif").string(), spec, score, options, m_exec);
  const geo::RasterReader scores((m_folder / "scores.tif").string());
  const auto levels = scores.read<std::uint8_t>(scores.grid().window());
  std::int64_t extent = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(levels.pixels()); ++i)
    extent += levels.band(1)[i] + levels.band(2)[i] >= 100 ? 1 : 0;
  EXPECT_EQ(report.results[0].agreement.extent_either, extent);
  EXPECT_GT(extent, 100);
}

TEST_F(Robustness, RefusesWhatCannotBeCompared) {
  const ModelSpec spec = spec_of(1);
  const auto image = write(random_scene(40, 30));
  const auto message = [&](const std::string& path, const std::vector<geo::MultiPolygon>& reference = {}) {
    return error_of([&] { (void)assess(path, spec, bright_fields(), {}, reference); });
  };
  EXPECT_THAT(message(write(Raster<float>(40, 30, 3), "three.tif")), HasSubstr("made for 2 bands"));
  EXPECT_THAT(message(write(Raster<float>(40, 30, 2, -1.0F), "empty.tif", -1.0)),
              HasSubstr("no valid pixel"));
  const std::vector<geo::MultiPolygon> elsewhere{{geo::to_polygon(geo::Box{0.0, 0.0, 10.0, 10.0})}};
  EXPECT_THAT(message(image, elsewhere), HasSubstr("do not touch image"));
  m_options.window_px = 31;
  EXPECT_THAT(message(image), HasSubstr("31 px is larger than image"));
  m_options.window_px.reset();
  ModelSpec two = spec;
  two.classes.pop_back();
  EXPECT_THAT(error_of([&] { (void)assess(image, two, bright_fields(), {}); }), HasSubstr("has 2 classes"));
  const auto broken = network([](std::int64_t, std::int64_t, float, float) {
    return Pixel{std::numeric_limits<float>::quiet_NaN(), 0.0F, 0.0F};
  });
  EXPECT_THAT(error_of([&] { (void)assess(image, spec, broken, {}); }), HasSubstr("the model is broken"));
}

TEST(StandardPerturbations, FollowStrideAndBands) {
  ModelSpec spec = spec_of(16);
  const auto count = [&](Family family) {
    return std::ranges::count(standard_perturbations(spec), family, &Perturbation::family);
  };
  EXPECT_EQ(count(Family::kTranslation), 5);  // 1 2 4 8 15
  EXPECT_EQ(count(Family::kMissingBand), 2);
  spec.stride_px = 1;
  spec.bands.pop_back();
  EXPECT_EQ(count(Family::kTranslation), 1);
  EXPECT_EQ(count(Family::kMissingBand), 0);
  EXPECT_EQ(describe({Family::kBandNoise, 20.0, 0}, spec), "noise of 20 dB in band 1 (red)");
}

}  // namespace
}  // namespace furrow::segmentation
