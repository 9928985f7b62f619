#include <furrow/segmentation/predict_scenes.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::segmentation {
namespace {

using furrow::test::TemporaryFolder;

ModelSpec one_band_spec() {
  ModelSpec spec;
  spec.id = "sigmoid";
  spec.bands = {{"nir"}};
  spec.normalisation.method = geo::NormaliseMethod::kDivide;
  spec.normalisation.divisor = 1000.0;
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = 1;
  return spec;
}

/// Looks at a pixel alone.
void sigmoid(std::span<const float> input, std::span<float> output) {
  for (std::size_t i = 0; i < input.size(); ++i) {
    const float p = 1.0F / (1.0F + std::exp(-input[i]));
    output[i] = 1.0F - p;
    output[input.size() + i] = p * 0.75F;
    output[2 * input.size() + i] = p * 0.25F;
  }
}

ScoreFunction sigmoid_function() {
  return [](std::span<const float> input, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
            std::span<float> output) { sigmoid(input, output); };
}

void write_image(const std::filesystem::path& path, std::int64_t width, std::int64_t height,
                 std::uint64_t seed) {
  geo::Raster<std::uint16_t> pixels(width, height);
  geo::Random random(seed);
  for (auto& value : pixels.data()) value = static_cast<std::uint16_t>(random.below(4000));
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint16;
  spec.cog = false;
  geo::write_raster(path, test::utm_grid(width, height), pixels, spec, true);
}

/// Twelve images in the folder, of which 3 does not exist and 7 is as large as `large`.
class PredictScenes : public ::testing::Test {
 protected:
  PredictScenes() {
    for (std::size_t i = 0; i < 12; ++i) {
      const std::string name = std::to_string(i) + ".tif";
      if (i != 3) write_image(m_folder / name, i == 7 ? 130 : 20 + 2 * static_cast<int>(i), 30, i);
    }
    m_options.tile_px = 32;
    m_options.overwrite = true;
  }

  std::vector<SceneTask> tasks(const std::string& suffix) {
    std::vector<SceneTask> list;
    for (std::size_t i = 0; i < 12; ++i) {
      const std::string name = std::to_string(i);
      list.push_back({(m_folder / (name + ".tif")).string(), (m_folder / (name + suffix)).string()});
      list.back().quality = {{QualityLayer::kEntropy, (m_folder / (name + "_entropy" + suffix)).string()}};
    }
    return list;
  }

  std::vector<SceneOutcome> run(const std::vector<SceneTask>& list, const ScoreFunction& score,
                                geo::ExecContext& exec) {
    const PartScoreFunction pass = part_of_whole(score);
    std::vector<SceneOutcome> outcomes;
    exec.execute(
        [&] { outcomes = predict_scenes(list, one_band_spec(), std::span(&pass, 1), m_options, exec); });
    return outcomes;
  }

  TemporaryFolder m_folder;
  PredictOptions m_options;
};

TEST_F(PredictScenes, GiveTheBytesOfOneAfterTheOtherAndOneFailureStopsNone) {
  geo::ExecContext exec({4, 0});
  const auto list = tasks(".out.tif");
  const auto outcomes = run(list, sigmoid_function(), exec);
  const auto alone = tasks(".alone.tif");
  ASSERT_EQ(outcomes.size(), list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    ASSERT_EQ(outcomes[i].failure != nullptr, i == 3) << i;
    if (i == 3) continue;
    PredictReport report;
    exec.execute([&] {
      PredictOptions options = m_options;
      options.quality = alone[i].quality;
      report =
          predict_scene(alone[i].image, alone[i].output, one_band_spec(), sigmoid_function(), options, exec);
    });
    EXPECT_EQ(outcomes[i].report.valid_pixels, report.valid_pixels) << i;
    EXPECT_EQ(outcomes[i].report.tiles, report.tiles) << i;
    EXPECT_EQ(test::bytes_of(list[i].output), test::bytes_of(alone[i].output)) << i;
    EXPECT_EQ(test::bytes_of(list[i].quality[0].path), test::bytes_of(alone[i].quality[0].path)) << i;
  }
  try {
    std::rethrow_exception(outcomes[3].failure);
  } catch (const geo::IoError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("3.tif"));
  }
}

/// Two threads have to be in the network at once, each with the only tile of its image.
TEST_F(PredictScenes, SmallImagesAreScoredSideBySide) {
  geo::ExecContext exec({2, 0});
  std::atomic<int> inside{0};
  std::atomic<bool> met{false};
  const ScoreFunction waiting = [&](std::span<const float> input, std::int64_t, std::int64_t, std::int64_t,
                                    std::int64_t, std::span<float> output) {
    if (++inside > 1) met = true;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (!met && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    --inside;
    sigmoid(input, output);
  };
  m_options.tile_px = 64;
  auto list = tasks(".out.tif");
  list.resize(3);
  (void)run(list, waiting, exec);
  EXPECT_TRUE(met);
}

/// Remembers how often each label began and how far it came.
class Remembering final : public geo::ProgressSink {
 public:
  void begin(std::string_view label, std::int64_t total) override {
    const std::scoped_lock lock(m_mutex);
    ++begun[{std::string(label), total}];
  }
  void update(std::string_view, std::int64_t, std::int64_t) override {}
  void end(std::string_view label, std::int64_t done, std::int64_t total) override {
    const std::scoped_lock lock(m_mutex);
    if (done == total) ++ended[std::string(label)];
  }
  std::map<std::pair<std::string, std::int64_t>, int> begun;
  std::map<std::string, int> ended;

 private:
  std::mutex m_mutex;
};

TEST_F(PredictScenes, ProgressOfSmallImagesIsOneAndALargeOneHasItsOwn) {
  geo::ExecContext exec({2, 0});
  Remembering sink;
  exec.set_progress_sink(&sink);
  (void)run(tasks(".out.tif"), sigmoid_function(), exec);
  using Label = std::pair<std::string, std::int64_t>;
  const std::map<std::pair<std::string, std::int64_t>, int> expected{
      {Label{"predict images", 7}, 1}, {Label{"predict", 5}, 1}, {Label{"predict images", 4}, 1}};
  EXPECT_EQ(sink.begun, expected);
  EXPECT_EQ(sink.ended["predict images"], 2);
  EXPECT_EQ(exec.progress_sink(), &sink);
}

TEST_F(PredictScenes, StopWhenAsked) {
  geo::ExecContext exec({2, 0});
  const ScoreFunction stopping = [&](std::span<const float> input, std::int64_t, std::int64_t, std::int64_t,
                                     std::int64_t, std::span<float> output) {
    exec.cancel_token().cancel();
    sigmoid(input, output);
  };
  const auto list = tasks(".out.tif");
  EXPECT_THROW(run(list, stopping, exec), geo::Cancelled);
  EXPECT_TRUE(
      std::ranges::none_of(list, [](const SceneTask& t) { return std::filesystem::exists(t.output); }));
}

}  // namespace
}  // namespace furrow::segmentation
