#include <cstdint>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = FURROW_TEST_SOURCE_DIR;

/// Scores as a very sure model would give them, from a label raster.
void write_scores(const fs::path& labels, const fs::path& scores) {
  constexpr std::uint8_t kSure = 180;  // of 200
  constexpr std::uint8_t kRest = 10;
  const geo::RasterReader reader(labels.string());
  const auto label = reader.read<std::uint8_t>(reader.grid().window());
  geo::Raster<std::uint8_t> pixels(label.width(), label.height(), 3, kRest);
  for (int c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < label.data().size(); ++i) {
      if (label.data()[i] == c) pixels.band(c)[i] = kSure;
    }
  }
  geo::RasterSpec spec;
  spec.bands = 3;
  spec.nodata = 255.0;
  spec.scale = 0.005;
  spec.descriptions = {"background", "interior", "boundary"};
  geo::write_raster(scores, reader.grid(), pixels, spec, false);
}

class Qgis : public testing::Test {
 protected:
  void SetUp() override {
    const auto there = test::run_command(script() + " --help");
    if (there.exit_code == 77) GTEST_SKIP() << there.out;
    if (there.exit_code != 0) GTEST_SKIP() << "no python3 in /usr/bin: " << there.err;
    run("rasterize " + sample("truth.gpkg") + " --grid " + sample("scene.tif") + " --out " +
        file("labels.tif"));
    write_scores(m_folder / "labels.tif", m_folder / "scores.tif");
    run("delineate " + file("scores.tif") + " --min-area-m2 5000 --absorb-below 0.5 --rejects --out " +
        file("delineated.gpkg"));
  }

  static std::string script() { return (kSource / "scripts/check-qgis").string(); }
  static std::string sample(const char* name) { return (kSource / "sample_data" / name).string(); }
  [[nodiscard]] std::string file(const char* name) const { return (m_folder / name).string(); }

  static void run(const std::string& arguments) {
    const auto result = test::furrow(arguments);
    ASSERT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
  }

  /// Every layer looks right in QGIS, and edits of it leave the file right. What the check printed.
  [[nodiscard]] std::string checked(const char* name) const {
    const bool package = std::string(name).ends_with(".gpkg");
    const std::string png = package ? " --png " + file("picture.png") : "";
    const auto result = test::run_command(script() + " " + file(name) + png);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.out, testing::HasSubstr("all is well"));
    return result.out;
  }

 private:
  test::TemporaryFolder m_folder;
};

TEST_F(Qgis, OpensAndEditsDelineatedFields) {
  const std::string said = checked("delineated.gpkg");
  EXPECT_THAT(said, testing::HasSubstr("styles: Field size (graduatedSymbol, 6 classes)"));
  EXPECT_THAT(said, testing::HasSubstr("rejects: "));
}

TEST_F(Qgis, NamesTheClassesOfLabels) {
  EXPECT_THAT(checked("labels.tif"),
              testing::HasSubstr("classes background #ded6c4, interior #56994c, boundary #c44e34"));
}

TEST_F(Qgis, OpensAndEditsTheMap) {
  const std::string campaign = " --catalogue " + sample("campaign/catalogue.csv") + " --labels " +
                               sample("campaign/labels.gpkg") + " --sites " + sample("campaign/sites.gpkg");
  run("consensus" + campaign + " --grid " + sample("scene.tif") + " --out " + file("consensus"));
  run("score" + campaign + " --out " + file("scored"));
  run("tile " + sample("scene.tif") + " --tile-px 200 --out " + file("tiles"));
  run("quality " + file("delineated.gpkg") + " --scores " + file("scores.tif") + " --risk " +
      file("consensus/risk.tif") + " --sites " + file("consensus/sites.gpkg") + " --labellers " +
      file("scored/labellers.csv") + " --tiles " + file("tiles/chips.gpkg") + " --out " + file("map.gpkg"));
  const std::string said = checked("map.gpkg");
  EXPECT_THAT(said, testing::HasSubstr("styles: Confidence (graduatedSymbol, 6 classes)"));
  for (const char* layer :
       {"sites: ", "review_queue: ", "consensus_fields: ", "tiles: ", "labellers: ", "run_info: "})
    EXPECT_THAT(said, testing::HasSubstr(layer));
}

}  // namespace
}  // namespace furrow
