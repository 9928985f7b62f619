#include <furrow/segmentation/predictor.h>

#include <cmath>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/raster/reader.h>
#include <furrow/segmentation/network.h>
#include <furrow/segmentation/trainer.h>

#include "brief_training.h"
#include "support.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTilePx = 64;

/// A network that has learnt something. Its maps are poor; that does not matter
/// here.
void train_briefly(const TrainingScene& scene, TrainingDataOptions data_options, const fs::path& folder) {
  data_options.chip_px = 64;
  geo::ExecContext exec({2, 0});
  const TrainingData data({scene}, data_options, exec);
  (void)train_model(data, test::brief_training(4), folder, exec);
}

/// Mean difference of the scores on both sides of the borders between tiles, in units of the mean difference
/// on both sides of pooling cells (4 px) a few pixels away from them.
double seam_contrast(const geo::Raster<std::uint8_t>& scores, std::int64_t tile_px) {
  double at_border = 0.0, nearby = 0.0, borders = 0.0, others = 0.0;
  for (int band = 0; band < scores.bands(); ++band) {
    for (std::int64_t row = 0; row < scores.height(); ++row) {
      for (std::int64_t border = tile_px; border + 8 < scores.width(); border += tile_px) {
        for (const std::int64_t col : {border, border - 8, border - 4, border + 4, border + 8}) {
          const int left = scores.at(col - 1, row, band), right = scores.at(col, row, band);
          if (left == 255 || right == 255) continue;
          (col == border ? at_border : nearby) += std::abs(left - right);
          (col == border ? borders : others) += 1.0;
        }
      }
    }
  }
  return at_border / borders / (nearby / others);
}

int largest_difference(const geo::Raster<std::uint8_t>& a, const geo::Raster<std::uint8_t>& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.data().size(); ++i)
    largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
  return largest;
}

struct Case {
  std::string image;        ///< below shared data
  std::vector<int> bands;   ///< of it
  bool learns_from_itself;  ///< nebraska; else denmark

  friend void PrintTo(const Case& scene, std::ostream* out) { *out << scene.image; }
};

class RealScenes : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!fs::exists(test::shared("data"))) return;
    TrainingScene scene;
    TrainingDataOptions data;
    scene.labels_are_polygons = true;
    if (GetParam().learns_from_itself) {
      scene.image = image();
      scene.labels = test::shared("data/nebraska/fields.geojson").string();
      data.polygon_labels.crs_of_image = true;
    } else {
      scene.image = test::shared("data/denmark/s2_west.tif").string();
      scene.labels = test::shared("data/denmark/fields_west.gpkg").string();
    }
    train_briefly(scene, data, m_folder / "model");
  }
  [[nodiscard]] static std::string image() { return test::shared("data/" + GetParam().image).string(); }

  geo::Raster<std::uint8_t> predict(std::int64_t tile_px, std::optional<std::int64_t> halo_px, bool blend) {
    const TrainedNetwork network(m_folder / "model");
    PredictOptions options;
    options.tile_px = tile_px;
    options.halo_px = halo_px;
    options.blend = blend;
    options.bands = GetParam().bands;
    options.overwrite = true;
    const std::string out = (m_folder / "scores.tif").string();
    geo::ExecContext exec({2, 0});
    exec.execute([&] {
      (void)predict_scene(image(), out, network.spec(), network.part_score_function(), options, exec);
    });
    const geo::RasterReader reader(out);
    return reader.read<std::uint8_t>(reader.grid().window());
  }

  test::TemporaryFolder m_folder;
};

TEST_P(RealScenes, HaveNoSeams) {
  FURROW_NEEDS_SHARED_DATA();
  const auto whole = predict(2000, std::nullopt, true);
  const auto tiled = predict(kTilePx, std::nullopt, true);
  ASSERT_EQ(whole.data().size(), tiled.data().size());
  EXPECT_LE(largest_difference(whole, tiled), 1) << "steps of 1/200, by rounding at most";

  const double natural = seam_contrast(whole, kTilePx);
  EXPECT_NEAR(natural, 1.0, 0.2) << "nothing special about these columns in the whole";
  EXPECT_NEAR(seam_contrast(tiled, kTilePx), natural, 0.01);
  EXPECT_NEAR(seam_contrast(predict(kTilePx, 8, true), kTilePx), natural, 0.1) << "a short halo, blended";
  // Without a halo both sides of a border see nothing beyond it and grow alike.
  const auto cropped = predict(kTilePx, 0, false);
  EXPECT_LT(seam_contrast(cropped, kTilePx), 0.9 * natural) << "this measure sees seams";
  EXPECT_GT(largest_difference(whole, cropped), 20);
}

INSTANTIATE_TEST_SUITE_P(
    Prediction, RealScenes,
    ::testing::Values(Case{"ftw_austria/s2_two_dates_8band.tif", {0, 1, 2}, false},
                      Case{"naip_dakota/m_4709963_se_14_1_20140720.tif", {0, 1, 2}, false},
                      Case{"nebraska/landsat5_nebraska.tif", {}, true}));

}  // namespace
}  // namespace furrow::segmentation
