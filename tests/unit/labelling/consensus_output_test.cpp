#include <furrow/labelling/consensus_output.h>

#include <cmath>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/labelling/labeller_rasters.h>

#include "support.h"

namespace furrow::labelling {
namespace {

geo::MultiPolygon box_of(double x0, double y0, double x1, double y1) {
  return {geo::to_polygon({500000.0 + x0, 6000000.0 - y1, 500000.0 + x1, 6000000.0 - y0})};
}

/// Sites in a row, each 300 m wide (30 px), with three labellers; fields of 150 m straddle the borders of the
/// sites, so neighbours see parts of the same field. Labeller 2 draws 10 m farther right.
Campaign row_of_sites(int n, bool cut_at_cells) {
  Campaign campaign;
  campaign.crs = geo::Crs::from_user_input("EPSG:32632");
  for (int s = 0; s < n; ++s) {
    const std::string name = "S" + std::to_string(100 + s);
    const double left = 300.0 * s;
    campaign.sites.push_back({name, box_of(left, 0, left + 300, 300)});
    for (int l = 0; l < 3; ++l) {
      Assignment a;
      a.id = name + std::to_string(l);
      a.site = name;
      a.labeller = "L" + std::to_string(l);
      a.site_class = "4";
      for (const double start : {left - 75.0, left + 75.0, left + 225.0}) {
        auto field = box_of(start + (l == 2 ? 10 : 0), 50, start + 150 + (l == 2 ? 10 : 0), 250);
        if (cut_at_cells) field = geo::intersection(field, campaign.sites.back().cell);
        if (!field.empty()) a.polygons.push_back({field, "annualcropland", false});
      }
      campaign.assignments.push_back(std::move(a));
    }
  }
  return campaign;
}

std::vector<SiteVoters> voters_of(const Campaign& campaign) {
  return choose_voters(campaign, {}, {});
}

ConsensusTarget on_grid(std::int64_t width, std::int64_t height) {
  ConsensusTarget target;
  target.grid = test::utm_grid(width, height);
  return target;
}

geo::Raster<std::uint8_t> read(const std::filesystem::path& path) {
  const geo::RasterReader reader(path.string());
  return reader.read<std::uint8_t>(reader.grid().window());
}

ConsensusResult write(const Campaign& campaign, const ConsensusTarget& target,
                      const std::filesystem::path& folder, int threads = 4,
                      const ConsensusOptions& options = {}) {
  geo::ExecContext exec({threads, 0});
  ConsensusResult result;
  exec.execute(
      [&] { result = write_consensus(campaign, voters_of(campaign), options, target, folder, exec); });
  return result;
}

TEST(WriteConsensus, MosaicHasNoFalseBoundaryAtSiteBorders) {
  for (const bool cut : {false, true}) {
    SCOPED_TRACE(cut ? "polygons cut at the cells" : "whole polygons");
    const test::TemporaryFolder folder;
    (void)write(row_of_sites(3, cut), on_grid(90, 30), folder.path());
    const auto label = read(folder / "label.tif");
    // The middle row: fields from x = 225 to 375 m straddle the border at 300 m (column 30), with no line
    // there.
    for (const std::int64_t col : {27, 28, 29, 30, 31, 32}) EXPECT_EQ(label.at(col, 15), 1) << col;
    // The outlines at 75 and 225 m are there: neighbours stay apart along the whole field.
    for (std::int64_t row = 6; row < 24; ++row) {
      EXPECT_EQ(label.at(22, row), 2) << row;
      EXPECT_EQ(label.at(7, row), 2) << row;
    }
    EXPECT_EQ(label.at(15, 0), 0);
  }
}

TEST(WriteConsensus, MosaicEqualsTheSitesOneByOne) {
  const auto campaign = row_of_sites(4, false);
  const test::TemporaryFolder folder;
  const auto result = write(campaign, on_grid(120, 30), folder.path());
  const auto label = read(folder / "label.tif");
  const auto posterior = read(folder / "posterior.tif");
  const auto risk = read(folder / "risk.tif");
  const auto voters = voters_of(campaign);
  for (std::size_t s = 0; s < 4; ++s) {
    const geo::Window window{static_cast<std::int64_t>(30 * s), 0, 30, 30};
    const auto site =
        fuse_site(campaign, campaign.sites[s], voters[s], on_grid(120, 30).grid->subgrid(window), {});
    for (std::int64_t row = 0; row < 30; ++row) {
      for (std::int64_t col = 0; col < 30; ++col) {
        const auto& fused = site.at(static_cast<std::size_t>(row * 30 + col));
        ASSERT_EQ(label.at(window.col + col, row), fused.label);
        ASSERT_EQ(risk.at(window.col + col, row), std::lround(200.0 * fused.risk));
        for (int c = 0; c < 3; ++c) {
          ASSERT_EQ(posterior.at(window.col + col, row, c),
                    std::lround(200.0 * fused.posterior[static_cast<std::size_t>(c)]));
        }
      }
    }
    EXPECT_EQ(result.sites[s].n_pixels, 900);
  }
}

TEST(WriteConsensus, LargeGridInStripsLeavesTheRestEmpty) {
  // Sites lie across the borders of the 512-pixel blocks.
  auto campaign = row_of_sites(1, false);
  for (auto& site : campaign.sites) site.cell = box_of(5000, 5000, 5300, 5300);
  for (auto& a : campaign.assignments) {
    for (auto& p : a.polygons) p.shape = box_of(5050, 5050, 5250, 5250);
  }
  const test::TemporaryFolder folder;
  const auto result = write(campaign, on_grid(1100, 1300), folder.path());
  const auto label = read(folder / "label.tif");
  EXPECT_EQ(label.at(0, 0), 255);
  EXPECT_EQ(label.at(1099, 1299), 255);
  EXPECT_EQ(label.at(500, 500), 0);
  EXPECT_EQ(label.at(499, 500), 255);
  EXPECT_EQ(label.at(515, 515), 1);
  EXPECT_EQ(label.at(511, 512), 1);
  EXPECT_EQ(label.at(505, 510), 2);
  EXPECT_EQ(std::ranges::count_if(label.data(), [](int v) { return v != 255; }), 900);
  EXPECT_EQ(result.sites[0].n_pixels, 900);
}

TEST(WriteConsensus, OverlappingCellsBelongToTheFirstName) {
  auto campaign = row_of_sites(2, false);
  campaign.sites[1].cell = box_of(150, 0, 450, 300);
  for (auto& a : campaign.assignments) {
    a.polygons.clear();
    if (a.site == "S101") a.polygons.push_back({box_of(-500, -500, 900, 900), "", false});
  }
  const test::TemporaryFolder folder;
  (void)write(campaign, on_grid(60, 30), folder.path());
  const auto label = read(folder / "label.tif");
  EXPECT_EQ(label.at(29, 10), 0);
  EXPECT_EQ(label.at(30, 10), 1);
  EXPECT_EQ(label.at(50, 10), 255);
}

TEST(WriteConsensus, SameBytesWithOneAndFourThreads) {
  const auto campaign = row_of_sites(8, false);
  for (const bool mosaic : {true, false}) {
    const test::TemporaryFolder one;
    const test::TemporaryFolder four;
    const ConsensusTarget target = mosaic ? on_grid(240, 30) : ConsensusTarget{};
    const auto a = write(campaign, target, one.path(), 1);
    const auto b = write(campaign, target, four.path(), 4);
    EXPECT_EQ(site_table(a.sites).rows, site_table(b.sites).rows);
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(one.path())) {
      ++files;
      EXPECT_EQ(test::bytes_of(entry.path()), test::bytes_of(four.path() / entry.path().filename()))
          << entry.path();
    }
    EXPECT_GE(files, mosaic ? 3 : 24);
  }
}

TEST(WriteConsensus, AnotherCrsOfTheGridIsFollowed) {
  const auto campaign = row_of_sites(1, false);
  const geo::CoordinateTransform to_lonlat(campaign.crs, geo::lonlat_crs());
  const geo::Box box = geo::bounds(to_lonlat.apply(campaign.sites[0].cell));
  ConsensusTarget target;
  target.grid = geo::Grid{
      40, 40, {box.min_x, box.width() / 40, 0.0, box.max_y, 0.0, -box.height() / 40}, geo::lonlat_crs()};
  const test::TemporaryFolder folder;
  const auto result = write(campaign, target, folder.path());
  EXPECT_NEAR(result.sites[0].area_m2, 90000.0 / (0.9996 * 0.9996), 3000.0);
  EXPECT_EQ(read(folder / "label.tif").at(20, 20), 1);
  EXPECT_TRUE(geo::RasterReader((folder / "label.tif").string()).grid().same_as(*target.grid));
}

TEST(WriteConsensus, PerSiteRastersLieOverTheCell) {
  const auto campaign = row_of_sites(2, false);
  ConsensusTarget target;
  target.site_px = 60;
  const test::TemporaryFolder folder;
  const auto result = write(campaign, target, folder.path());
  ASSERT_EQ(result.files.size(), 2U);
  EXPECT_EQ(result.files[1].labels, "S101_label.tif");
  const geo::RasterReader reader((folder / "S101_label.tif").string());
  EXPECT_EQ(reader.grid().width, 60);
  EXPECT_EQ(reader.grid().bounds(), geo::bounds(campaign.sites[1].cell));
  const geo::RasterReader posterior((folder / "S101_posterior.tif").string());
  EXPECT_EQ(posterior.bands(), 3);
  EXPECT_DOUBLE_EQ(posterior.band(0).scale, 1.0 / 200.0);
  EXPECT_EQ(posterior.band(2).description, "P(boundary)");
}

TEST(WriteConsensus, ImagesGiveThePixels) {
  const auto campaign = row_of_sites(3, false);
  const test::TemporaryFolder folder;
  geo::write_raster(folder / "image.tif", test::utm_grid(40, 35), geo::Raster<std::uint8_t>(40, 35), {},
                    false);
  ConsensusTarget target;
  target.images = {{"S100", (folder / "image.tif").string()}, {"S101", (folder / "nowhere.tif").string()}};
  const auto result = write(campaign, target, folder.path());
  ASSERT_EQ(result.files.size(), 1U);
  const auto label = read(folder / "S100_label.tif");
  EXPECT_EQ(label.width(), 40);
  EXPECT_EQ(label.at(15, 15), 1);
  EXPECT_EQ(label.at(35, 15), 255);
  ASSERT_EQ(result.problems.size(), 2U);
  EXPECT_THAT(result.problems[0].message, testing::HasSubstr("nowhere.tif"));
  EXPECT_THAT(result.problems[1].message, testing::HasSubstr("no row"));
}

TEST(WriteConsensus, TwoClassesGiveHeatAsFloat) {
  ConsensusOptions options;
  options.fusion.classes = 2;
  const test::TemporaryFolder folder;
  (void)write(row_of_sites(1, false), on_grid(40, 30), folder.path(), 4, options);
  const geo::RasterReader heat((folder / "heat.tif").string());
  EXPECT_EQ(heat.band(0).type, geo::PixelType::kFloat32);
  const auto values = heat.read<double>(heat.grid().window());
  EXPECT_NEAR(values.at(8, 15), 2.0 / 3.0 + 1.0 / 3.0, 1e-6);
  EXPECT_TRUE(std::isnan(values.at(35, 15)));
  EXPECT_FALSE(std::filesystem::exists(folder / "posterior.tif"));
  EXPECT_EQ(read(folder / "label.tif").at(8, 15), 1);
}

TEST(WriteConsensus, RefusesAGridElsewhere) {
  auto target = on_grid(30, 30);
  target.grid->transform.x0 += 50000.0;
  const test::TemporaryFolder folder;
  try {
    (void)write(row_of_sites(2, false), target, folder.path());
    FAIL();
  } catch (const geo::IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("no common area"));
  }
}

TEST(WriteConsensus, RefusesNamesThatWouldShareAFile) {
  auto campaign = row_of_sites(2, false);
  campaign.sites[0].name = "a/b";
  campaign.sites[1].name = "a:b";
  const test::TemporaryFolder folder;
  EXPECT_THROW((void)write(campaign, {}, folder.path()), geo::IoError);
}

TEST(WriteConsensus, CountsSitesWithoutVoteOrPixel) {
  auto campaign = row_of_sites(3, false);
  std::erase_if(campaign.assignments, [](const Assignment& a) { return a.site == "S100"; });
  const test::TemporaryFolder folder;
  const auto result = write(campaign, on_grid(60, 30), folder.path());
  EXPECT_EQ(result.without_vote, 1);
  EXPECT_EQ(result.outside, 1);
  const auto table = site_table(result.sites);
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.rows[0][table.column("source")], "none");
  EXPECT_EQ(table.rows[0][table.column("Risk")], "NA");
  EXPECT_EQ(table.rows[1][table.column("n_labellers")], "3");
}

TEST(ReadSiteImages, PathsStartAtTheTable) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "images.csv") << "name,image\nA,chips/a.tif\nA,chips/b.tif\nB,/data/b.tif\nC,NA\n";
  const auto images = read_site_images(folder / "images.csv");
  EXPECT_EQ(images.size(), 2U);
  EXPECT_EQ(images.at("A"), (folder.path() / "chips/a.tif").string());
  EXPECT_EQ(images.at("B"), "/data/b.tif");
}

TEST(LabellerRasters, HoldWhatEachLabellerDrewOnTheirSites) {
  const test::TemporaryFolder folder;
  Campaign campaign = row_of_sites(3, true);
  // L1 hands in nothing for the second site, and is unsure about a field of the third.
  std::erase_if(campaign.assignments,
                [](const Assignment& a) { return a.labeller == "L1" && a.site == "S101"; });
  for (Assignment& a : campaign.assignments) {
    if (a.labeller == "L1" && a.site == "S102") a.polygons[1].unsure = true;
  }
  const ConsensusOptions options;
  const auto voters = voters_of(campaign);
  const geo::Grid grid = test::utm_grid(95, 600);  // wider than the sites, and two strips high
  geo::ExecContext exec({4, 0});
  const auto rasters = write_labeller_rasters(campaign, voters, options, grid, folder.path(), exec);
  ASSERT_EQ(rasters.size(), 3u);
  for (const LabellerRaster& raster : rasters) {
    const auto found = read(folder / raster.file);
    for (const Assignment& assignment : campaign.assignments) {
      if (assignment.labeller != raster.labeller) continue;
      const auto votes =
          rasterize_votes(assignment, campaign.find_site(assignment.site)->cell, grid, options);
      const std::int64_t left = 30 * (assignment.site.back() - '0');
      for (std::int64_t row = 0; row < 30; ++row) {
        for (std::int64_t col = left; col < left + 30; ++col) {
          const Vote vote = votes[static_cast<std::size_t>(row * grid.width + col)];
          ASSERT_EQ(found.at(col, row), vote <= 2 ? vote : geo::kIgnore)
              << raster.labeller << " " << col << " " << row;
        }
      }
    }
    EXPECT_EQ(found.at(92, 10), geo::kIgnore);   // beside the sites
    EXPECT_EQ(found.at(10, 550), geo::kIgnore);  // second strip
  }
  const auto second = read(folder / "labels_L1.tif");
  EXPECT_EQ(second.at(45, 15), geo::kIgnore);
  EXPECT_NE(read(folder / "labels_L0.tif").at(45, 15), geo::kIgnore);
  EXPECT_EQ(second.at(75, 15), geo::kIgnore);  // unsure
}

}  // namespace
}  // namespace furrow::labelling
