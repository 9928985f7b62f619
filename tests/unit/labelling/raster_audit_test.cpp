#include <furrow/labelling/raster_audit.h>

#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::HasSubstr;

/// Labels and scores of some pixels, as rasters and in memory.
struct MapPixels {
  geo::Grid grid;
  geo::Raster<std::uint8_t> labels;
  geo::Raster<float> scores;  ///< probabilities
};

/// Labels that a model agrees with, except for some of them; steps of 1/200 as `predict` writes them.
MapPixels random_pixels(std::uint64_t seed, std::int64_t width, std::int64_t height, double noise) {
  geo::Random random(seed);
  MapPixels p{test::utm_grid(width, height), {width, height, 1}, {width, height, 3}};
  for (std::int64_t i = 0; i < width * height; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto truth = static_cast<std::uint8_t>(random.below(3));
    p.labels.data()[at] = random.chance(noise) ? static_cast<std::uint8_t>(random.below(3)) : truth;
    if (random.chance(0.05)) p.labels.data()[at] = geo::kIgnore;
    const auto top = static_cast<int>(random.uniform(80.0, 200.0));
    for (int c = 0; c < 3; ++c)
      p.scores.band(c)[at] = static_cast<float>((c == truth ? top : (200 - top) / 2) * 0.005);
  }
  return p;
}

/// Writes both rasters; scores as bytes (scale 1/200) or as floats.
AuditRasters write(const test::TemporaryFolder& folder, const std::string& name, const MapPixels& pixels,
                   bool bytes = true) {
  geo::RasterSpec labels;
  labels.nodata = geo::kIgnore;
  geo::write_raster(folder / (name + ".tif"), pixels.grid, pixels.labels, labels, false);
  geo::RasterSpec scores;
  scores.bands = pixels.scores.bands();
  if (bytes) {
    scores.nodata = 255.0;
    scores.scale = 0.005;
    geo::Raster<std::uint8_t> values(pixels.scores.width(), pixels.scores.height(), pixels.scores.bands());
    for (std::size_t i = 0; i < values.data().size(); ++i) {
      const float p = pixels.scores.data()[i];
      values.data()[i] =
          std::isnan(p) ? std::uint8_t{255} : static_cast<std::uint8_t>(std::lround(p * 200.0F));
    }
    geo::write_raster(folder / (name + "_scores.tif"), pixels.grid, values, scores, false);
  } else {
    scores.type = geo::PixelType::kFloat32;
    scores.nodata = std::numeric_limits<double>::quiet_NaN();
    geo::write_raster(folder / (name + "_scores.tif"), pixels.grid, pixels.scores, scores, false);
  }
  return {name, (folder / (name + ".tif")).string(), (folder / (name + "_scores.tif")).string(), {}};
}

RasterAudit run(const std::vector<AuditRasters>& rasters, const std::filesystem::path& out,
                const RasterAuditOptions& options = {}, int threads = 4) {
  std::filesystem::create_directories(out);
  geo::ExecContext exec({threads, 0});
  RasterAudit audit;
  exec.execute([&] { audit = audit_rasters(rasters, options, out, exec); });
  return audit;
}

std::vector<std::uint8_t> read_mask(const std::filesystem::path& path) {
  const geo::RasterReader reader(path.string());
  return reader.read<std::uint8_t>(reader.grid().window()).data();
}

const AuditedSite& site_of(const RasterAudit& audit, const std::string& name) {
  for (const auto& site : audit.sites) {
    if (site.name == name) return site;
  }
  throw geo::InvalidArgument(name);
}

TEST(RasterAudit, EqualsTheAuditInMemory) {
  // The first raster has several strips, so that ties are dealt across strips and rasters.
  for (const bool bytes : {true, false}) {
    SCOPED_TRACE(bytes);
    const test::TemporaryFolder folder;
    std::vector<MapPixels> pixels{random_pixels(1, 37, 1300, 0.05), random_pixels(2, 50, 40, 0.2),
                                  random_pixels(3, 20, 20, 0.0)};
    pixels[1].scores.band(1)[7] = std::numeric_limits<float>::quiet_NaN();
    if (!bytes) {
      geo::Random random(9);
      for (float& p : pixels[0].scores.data()) p *= static_cast<float>(random.uniform(0.9, 1.0));
    }
    std::vector<AuditRasters> rasters;
    std::vector<AuditImage> images;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      rasters.push_back(write(folder, "r" + std::to_string(i), pixels[i], bytes));
      images.push_back({pixels[i].labels.data(), pixels[i].scores.data()});
    }
    if (bytes) {
      // The file says nodata for all bands where one is.
      for (int c = 0; c < 3; ++c) pixels[1].scores.band(c)[7] = std::numeric_limits<float>::quiet_NaN();
    }
    const LabelAudit expected = audit_labels(images, {});
    const RasterAudit audit = run(rasters, folder / "out");
    EXPECT_TRUE(audit.problems.empty());
    EXPECT_EQ(audit.classes, 3);
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(audit.class_threshold[c], expected.class_threshold[c], 1e-9);
    std::int64_t issues = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const AuditedSite& site = site_of(audit, "r" + std::to_string(i));
      EXPECT_EQ(site.n_issues, expected.issues[i]);
      EXPECT_NEAR(site.score, expected.image_score[i], 1e-6);
      issues += site.n_issues;
      const auto mask = read_mask(folder / "out" / site.mask);
      for (std::size_t p = 0; p < mask.size(); ++p) {
        const bool known = pixels[i].labels.data()[p] != geo::kIgnore && !(i == 1 && p == 7);
        ASSERT_EQ(mask[p], known ? expected.masks[i][p] : geo::kIgnore) << i << " " << p;
      }
    }
    EXPECT_GT(issues, 100);
    for (std::size_t i = 1; i < audit.sites.size(); ++i)
      EXPECT_LE(audit.sites[i - 1].score, audit.sites[i].score);
  }
}

TEST(RasterAudit, ThreadsDoNotMatter) {
  const test::TemporaryFolder folder;
  const std::vector<AuditRasters> rasters{write(folder, "a", random_pixels(4, 30, 1200, 0.1)),
                                          write(folder, "b", random_pixels(5, 60, 60, 0.1))};
  const RasterAudit one = run(rasters, folder / "one", {}, 1);
  const RasterAudit four = run(rasters, folder / "four", {}, 4);
  ASSERT_EQ(one.sites.size(), four.sites.size());
  for (std::size_t i = 0; i < one.sites.size(); ++i) {
    EXPECT_EQ(one.sites[i].name, four.sites[i].name);
    EXPECT_EQ(one.sites[i].score, four.sites[i].score);
    EXPECT_EQ(one.sites[i].n_issues, four.sites[i].n_issues);
    EXPECT_EQ(test::bytes_of(folder / "one" / one.sites[i].mask),
              test::bytes_of(folder / "four" / four.sites[i].mask));
  }
}

/// Ten columns labelled background, ten labelled interior; the model agrees, but for a block of 4 x 5 pixels
/// that is labelled background on interior.
MapPixels with_missed_field() {
  MapPixels p{test::utm_grid(20, 10), {20, 10, 1}, {20, 10, 3}};
  for (std::int64_t row = 0; row < 10; ++row) {
    for (std::int64_t col = 0; col < 20; ++col) {
      const bool field = col >= 10;
      const bool missed = col >= 12 && col < 16 && row < 5;
      p.labels.at(col, row) = field && !missed ? 1 : 0;
      p.scores.at(col, row, 0) = field ? 0.05F : 0.9F;
      p.scores.at(col, row, 1) = field ? 0.9F : 0.05F;
      p.scores.at(col, row, 2) = 0.05F;
    }
  }
  return p;
}

TEST(RasterAudit, SitesInOneRasterAreToldApart) {
  const test::TemporaryFolder folder;
  AuditRasters rasters = write(folder, "scene", with_missed_field());
  const auto cell = [](double x0, double x1) -> geo::MultiPolygon {
    return {geo::to_polygon({500000.0 + x0, 6000000.0 - 100.0, 500000.0 + x1, 6000000.0})};
  };
  rasters.sites = {{"left", cell(0, 100)}, {"right", cell(100, 180)}, {"beyond", cell(400, 500)}};
  RasterAuditOptions options;
  options.sites_crs = geo::Crs::from_user_input("EPSG:32632");
  const RasterAudit audit = run({rasters}, folder / "out", options);
  ASSERT_EQ(audit.sites.size(), 3U);
  EXPECT_EQ(audit.sites[0].name, "right");
  EXPECT_EQ(audit.sites[0].n_issues, 20);
  EXPECT_EQ(audit.sites[0].n_pixels, 80);
  EXPECT_EQ(audit.sites[1].name, "left");
  EXPECT_EQ(audit.sites[1].n_issues, 0);
  EXPECT_EQ(audit.sites[2].name, "beyond");
  EXPECT_TRUE(std::isnan(audit.sites[2].score));
  const auto mask = read_mask(folder / "out/scene_issues.tif");
  EXPECT_EQ(mask[12], 1);
  EXPECT_EQ(mask[0], 0);
  EXPECT_EQ(mask[18], geo::kIgnore);  // in no cell
  const geo::CsvTable table = audit_table(audit);
  EXPECT_EQ(table.rows[0][table.column("main_issue")], "background should be interior");
  EXPECT_EQ(table.rows[0][table.column("issue_share")], "0.25");
  EXPECT_EQ(table.rows[1][table.column("main_issue")], "NA");
  EXPECT_EQ(table.rows[2][table.column("score")], "NA");
  const geo::Layer layer = audit_layer(audit);
  EXPECT_EQ(layer.features.size(), 3U);
  EXPECT_TRUE(layer.crs.same_as(options.sites_crs));
}

TEST(RasterAudit, WithoutSitesTheLayerHasTheRastersBounds) {
  const test::TemporaryFolder folder;
  const RasterAudit audit = run({write(folder, "scene", with_missed_field())}, folder / "out");
  const geo::Layer layer = audit_layer(audit);
  EXPECT_TRUE(layer.crs.same_as(geo::Crs::from_user_input("EPSG:4326")));
  EXPECT_NEAR(geo::bounds(layer.features[0].geometry).min_x, 9.0, 0.01);
}

TEST(RasterAudit, PerfectAndEmptyLabels) {
  const test::TemporaryFolder folder;
  MapPixels good = random_pixels(6, 30, 30, 0.0);
  MapPixels empty = good;
  for (auto& label : empty.labels.data()) label = geo::kIgnore;
  const RasterAudit audit = run({write(folder, "empty", empty), write(folder, "good", good)}, folder / "out");
  EXPECT_EQ(audit.sites[0].name, "good");
  EXPECT_EQ(audit.sites[0].n_issues, 0);
  EXPECT_EQ(audit.sites[1].n_pixels, 0);
  EXPECT_TRUE(std::isnan(audit.sites[1].score));
  EXPECT_TRUE(run({}, folder / "none").sites.empty());
}

TEST(RasterAudit, LabelThreeMeansUnknown) {
  const test::TemporaryFolder folder;
  MapPixels pixels = with_missed_field();
  pixels.labels.data()[0] = 3;
  const RasterAudit audit = run({write(folder, "scene", pixels)}, folder / "out");
  EXPECT_EQ(audit.sites[0].n_pixels, 199);
  EXPECT_EQ(read_mask(folder / "out/scene_issues.tif")[0], geo::kIgnore);
}

TEST(RasterAudit, BadRastersAreToldAndTheOthersGoOn) {
  const test::TemporaryFolder folder;
  const AuditRasters good = write(folder, "good", with_missed_field());
  MapPixels moved = with_missed_field();
  moved.grid.transform.x0 += 5.0;
  AuditRasters shifted = write(folder, "shifted", moved);
  shifted.labels = good.labels;
  AuditRasters other = write(folder, "other", with_missed_field());
  other.labels = write(folder, "moved", moved).labels;
  MapPixels wild = with_missed_field();
  wild.labels.data()[5] = 7;
  MapPixels loud = with_missed_field();
  loud.scores.data()[5] = 17.0F;
  AuditRasters missing{"missing", (folder / "nowhere.tif").string(), good.scores, {}};
  AuditRasters swapped{"swapped", write(folder, "swapped", with_missed_field()).scores, good.labels, {}};
  const RasterAudit audit =
      run({good, other, write(folder, "wild", wild), write(folder, "loud", loud, false), missing, swapped},
          folder / "out");
  ASSERT_EQ(audit.sites.size(), 1U);
  EXPECT_EQ(audit.sites[0].n_issues, 20);
  std::map<std::string, std::string> problems;
  for (const auto& problem : audit.problems) problems[problem.input] = problem.message;
  EXPECT_EQ(problems.size(), 5U);
  EXPECT_THAT(problems["other"], HasSubstr("are not on the same grid"));
  EXPECT_THAT(problems["wild"], testing::AllOf(HasSubstr("wild.tif"), HasSubstr("has the label 7")));
  EXPECT_THAT(problems["loud"], testing::AllOf(HasSubstr("has the value 17"), HasSubstr("scale missing")));
  EXPECT_THAT(problems["missing"], HasSubstr("nowhere.tif"));
  EXPECT_THAT(problems["swapped"], HasSubstr("has 3 bands; labels are one band"));
  EXPECT_THROW((void)run({missing}, folder / "alone"), geo::IoError);
  EXPECT_THROW((void)run({good, shifted}, folder / "twice"), geo::IoError);  // one mask for two
  RasterAuditOptions cold;
  cold.temperature = 0.0;
  EXPECT_THROW((void)run({good}, folder / "cold", cold), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::labelling
