#include <furrow/assessment/delineation_tuning.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <furrow/assessment/object_accuracy.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/topology/delineate.h>

#include "support.h"

namespace furrow::assessment {
namespace {

using geo::Raster;

geo::MultiPolygon box_px(const geo::Grid& grid, double col, double row, double width, double height) {
  const geo::Point a = grid.transform.to_world({col, row + height});
  const geo::Point b = grid.transform.to_world({col + width, row});
  return {geo::to_polygon(geo::Box{a.x, a.y, b.x, b.y})};
}

/// Fields of 12 x 12 px that touch; between them the boundary score rises to `ridge`, and between each
/// field's halves to `inner`.
TuneScene checkered(std::int64_t fields, double ridge, double inner, std::uint64_t seed, double noise = 0.0) {
  constexpr std::int64_t kSide = 12;
  const std::int64_t size = kSide * fields;
  geo::Random random(seed);
  TuneScene scene;
  scene.scores = {test::utm_grid(size, size),
                  Raster<std::uint8_t>(size, size, 1, 180),
                  Raster<std::uint8_t>(size, size),
                  Raster<std::uint8_t>(size, size, 1, 1),
                  {}};
  for (std::int64_t row = 0; row < size; ++row) {
    for (std::int64_t col = 0; col < size; ++col) {
      const bool is_border = col % kSide == 0 || row % kSide == 0;
      const double score = (is_border          ? ridge
                            : col % kSide == 6 ? inner
                                               : 0.02) +
                           noise * std::abs(random.normal());
      scene.scores.boundary.at(col, row) = static_cast<std::uint8_t>(std::clamp(200.0 * score, 0.0, 200.0));
    }
  }
  for (std::int64_t i = 0; i < fields * fields; ++i) {
    scene.truth.push_back(box_px(scene.scores.grid, static_cast<double>(i % fields * kSide),
                                 static_cast<double>(i / fields * kSide), kSide, kSide));
  }
  return scene;
}

TuneResult tune(const std::vector<TuneScene>& scenes, const TuneOptions& options, int threads = 1) {
  geo::ExecContext exec({threads, 0});
  TuneResult result;
  exec.execute([&] {
    result = tune_delineation(
        scenes.size(), [&](std::size_t i) { return scenes[i]; }, options, exec);
  });
  return result;
}

TEST(DelineationTuning, FindsTheCutThatSeparatesAndLeavesTheRest) {
  // A cut of 0.2 sees neither; below 0.08 fields fall apart.
  const TuneScene scene = checkered(4, 0.16, 0.09, 1);
  TuneOptions options;
  options.block_px = 12;
  const TuneResult result = tune({scene}, options);
  EXPECT_EQ(result.blocks, 16);
  EXPECT_EQ(result.folds, 16);
  EXPECT_EQ(result.held_out.f1(), 1.0);
  const TriedSetting& best = result.tried[result.best];
  EXPECT_GT(best.setting.cut, 0.07);
  EXPECT_LE(best.setting.cut, 0.14);
  EXPECT_EQ(best.setting.extent_threshold, 0.5);  // all do: the default stays
  EXPECT_EQ(best.setting.min_area_m2, 500.0);
  EXPECT_EQ(best.counts.f1(), 1.0);
  EXPECT_EQ(best.counts.reference, 16);
  const TriedSetting& base = result.tried[result.base];
  EXPECT_EQ(base.setting, TuneSetting{});
  EXPECT_EQ(base.counts.f1(), 0.0);
  EXPECT_TRUE(result.is_clear());
  EXPECT_EQ(result.best_f1.low, 1.0);
  EXPECT_EQ(result.gain.high, 1.0);
}

TEST(DelineationTuning, WithoutRefinementOnlyTheGridIsTried) {
  TuneOptions options;
  options.refinements = 0;
  options.grid = {{0.5}, {0.1, 0.3}, {}, {0.0, 500.0}};
  const TuneResult result = tune({checkered(3, 0.16, 0.02, 1)}, options);
  ASSERT_EQ(result.tried.size(), 1U * 3U * 2U);  // with the base's cut
  EXPECT_EQ(result.tried[result.best].setting.cut, 0.1);
  for (std::size_t i = 1; i < result.tried.size(); ++i) {
    EXPECT_TRUE(result.tried[i - 1].setting.cut < result.tried[i].setting.cut ||
                result.tried[i - 1].setting.min_area_m2 < result.tried[i].setting.min_area_m2);
  }
}

TEST(DelineationTuning, GoesBeyondTheEndsOfAList) {
  // Halves of fields join above a cut of 0.58: beyond the list.
  TuneScene scene = checkered(4, 0.9, 0.6, 1);
  for (std::size_t i = 0; i + 1 < scene.truth.size(); i += 2) scene.truth[i].clear();
  std::erase_if(scene.truth, [](const geo::MultiPolygon& shape) { return shape.empty(); });
  TuneOptions options;
  options.grid.cuts = {0.4};
  options.base.cut = 0.5;
  const TuneResult result = tune({scene}, options);
  EXPECT_GE(result.tried[result.best].setting.cut, 0.585);
  EXPECT_EQ(result.tried[result.best].counts.found, 8);
}

TEST(DelineationTuning, TiesGoToTheBase) {
  TuneOptions options;
  options.base.cut = 0.06;
  options.base.min_area_m2 = 777.0;
  const TuneResult result = tune({checkered(3, 0.5, 0.02, 1)}, options);
  EXPECT_EQ(result.best, result.base);
  EXPECT_EQ(result.tried[result.best].setting.min_area_m2, 777.0);
  EXPECT_FALSE(result.is_clear());
}

TEST(DelineationTuning, CountsAreThoseOfDelineateAndAssess) {
  TuneScene scene = checkered(6, 0.16, 0.1, 3, 0.02);
  for (std::size_t i = 0; i < scene.scores.valid.data().size(); ++i) {
    if (i % 97 == 0) scene.scores.extent.data()[i] = 60;
  }
  for (const bool with_region : {false, true}) {
    if (with_region) scene.region = box_px(scene.scores.grid, 0, 0, 45, 72);
    TuneOptions options;
    options.refinements = 1;
    for (const geo::SplitMode mode : {geo::SplitMode::kWatershed, geo::SplitMode::kComponents}) {
      options.base.mode = mode;
      const TuneResult result = tune({scene}, options);
      ASSERT_GT(result.tried.size(), 100U);
      geo::ExecContext exec;
      for (std::size_t i = 0; i < result.tried.size(); i += 17) {
        const auto& [setting, counts] = result.tried[i];
        geo::DelineateOptions same;
        same.mode = mode;
        same.simplify_px = 0.0;
        same.extent_threshold = setting.extent_threshold;
        same.cut = setting.cut;
        same.boundary_threshold = setting.boundary_threshold;
        same.min_area_m2 = setting.min_area_m2;
        std::vector<geo::MultiPolygon> fields;
        for (auto& field : geo::delineate(scene.scores, same, exec).fields.features)
          fields.push_back(std::move(field.geometry));
        const ObjectAccuracy expected = assess_objects(fields, scene.truth, {0.5, scene.region});
        EXPECT_EQ(counts.predicted, expected.predicted) << i;
        EXPECT_EQ(counts.correct, expected.correct) << i;
        EXPECT_EQ(counts.reference, expected.reference) << i;
        EXPECT_EQ(counts.found, expected.found) << i;
      }
    }
  }
}

TEST(DelineationTuning, TrueFieldsThatLieMostlyElsewhereOrWithoutScoresDoNotCount) {
  TuneScene scene = checkered(2, 0.5, 0.02, 1);
  scene.truth.push_back(box_px(scene.scores.grid, -20, 0, 24, 12));  // most of it left of the scene
  scene.truth.push_back(box_px(scene.scores.grid, 0, 100, 10, 10));
  for (std::int64_t row = 0; row < 12; ++row) {
    for (std::int64_t col = 12; col < 20; ++col) scene.scores.valid.at(col, row) = 0;
  }
  TuneOptions options;
  options.grid = {{}, {}, {}, {}};
  const TuneResult result = tune({scene}, options);
  EXPECT_EQ(result.tried[result.best].counts.reference, 3);
}

TEST(DelineationTuning, HeldOutScenesAreCountedWithWhatTheOthersChose) {
  // Scenes 0 and 1 want a low cut, scene 2 a high one: left out, it gets the low one.
  const std::vector<TuneScene> scenes{checkered(3, 0.16, 0.02, 1), checkered(3, 0.16, 0.02, 2),
                                      checkered(3, 0.9, 0.3, 3)};
  TuneOptions options;
  options.refinements = 0;
  options.grid = {{}, {0.1, 0.5}, {}, {}};
  const TuneResult result = tune(scenes, options);
  EXPECT_EQ(result.folds, 3);
  EXPECT_EQ(result.tried[result.best].setting.cut, 0.1);
  EXPECT_EQ(result.held_out.reference, 27);
  // Without one of the first two, 0.5 is better: the scene becomes one field. Scene 2 falls into halves at
  // 0.1.
  EXPECT_EQ(result.held_out.predicted, 1 + 1 + 18);
}

TEST(DelineationTuning, SameForAnyThreads) {
  const std::vector<TuneScene> scenes{checkered(4, 0.2, 0.1, 1, 0.03), checkered(3, 0.3, 0.1, 2, 0.05)};
  const TuneResult one = tune(scenes, {}, 1);
  const TuneResult four = tune(scenes, {}, 4);
  ASSERT_EQ(one.tried.size(), four.tried.size());
  EXPECT_EQ(one.best, four.best);
  EXPECT_EQ(one.gain.low, four.gain.low);
  EXPECT_EQ(one.best_f1.high, four.best_f1.high);
  for (std::size_t i = 0; i < one.tried.size(); ++i) {
    EXPECT_EQ(one.tried[i].setting, four.tried[i].setting);
    EXPECT_EQ(one.tried[i].counts.correct, four.tried[i].counts.correct);
  }
}

TEST(DelineationTuning, RefusesWhatCannotBe) {
  const TuneScene scene = checkered(2, 0.5, 0.02, 1);
  EXPECT_THROW((void)tune({}, {}), geo::InvalidArgument);
  TuneOptions options;
  options.min_iou = 0.4;
  EXPECT_THROW((void)tune({scene}, options), geo::InvalidArgument);
  options = {};
  options.grid.cuts = {1.5};
  EXPECT_THROW((void)tune({scene}, options), geo::InvalidArgument);
  options = {};
  options.base.mode = geo::SplitMode::kInstances;
  EXPECT_THROW((void)tune({scene}, options), geo::InvalidArgument);
  TuneScene bare = scene;
  bare.truth.clear();
  EXPECT_THROW((void)tune({bare}, {}), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::assessment
