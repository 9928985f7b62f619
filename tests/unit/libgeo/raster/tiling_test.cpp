#include <furrow/geo/raster/tiling.h>

#include <array>
#include <cmath>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;

std::vector<std::int64_t> columns_of(const std::vector<ChipPlace>& places) {
  std::vector<std::int64_t> numbers;
  for (const auto& place : places) {
    if (place.row == 0) numbers.insert(numbers.end(), {place.window.col, place.window.width});
  }
  return numbers;
}

TEST(ChipPlaces, LastChipShiftsPadsOrShrinks) {
  const Grid grid = test::utm_grid(10, 3);
  const ChipSize size{4, 3, 0};
  EXPECT_THAT(columns_of(chip_places(grid, size, ChipEdge::kShift)), testing::ElementsAre(0, 4, 4, 4, 6, 4));
  EXPECT_THAT(columns_of(chip_places(grid, size, ChipEdge::kPad)), testing::ElementsAre(0, 4, 4, 4, 8, 4));
  EXPECT_THAT(columns_of(chip_places(grid, size, ChipEdge::kPartial)),
              testing::ElementsAre(0, 4, 4, 4, 8, 2));
}

TEST(ChipPlaces, OverlapIsSharedAndNoChipIsNeedless) {
  // 0-3, 2-5, 4-7, 6-9: the fourth ends at the border, a fifth would add nothing.
  EXPECT_THAT(columns_of(chip_places(test::utm_grid(10, 4), {4, 4, 2}, ChipEdge::kShift)),
              testing::ElementsAre(0, 4, 2, 4, 4, 4, 6, 4));
}

TEST(ChipPlaces, SmallRasterGivesOneSmallChipUnlessPadded) {
  EXPECT_EQ(chip_places(test::utm_grid(3, 2), {8, 8, 0}, ChipEdge::kShift),
            (std::vector<ChipPlace>{{0, 0, {0, 0, 3, 2}}}));
  EXPECT_EQ(chip_places(test::utm_grid(3, 2), {8, 8, 0}, ChipEdge::kPad),
            (std::vector<ChipPlace>{{0, 0, {0, 0, 8, 8}}}));
  EXPECT_TRUE(chip_places(test::utm_grid(0, 0), {8, 8, 0}, ChipEdge::kPad).empty());
}

TEST(ChipPlaces, BadSizesAreRefused) {
  EXPECT_THROW((void)chip_places(test::utm_grid(3, 2), {0, 8, 0}, ChipEdge::kPad), InvalidArgument);
  EXPECT_THROW((void)chip_places(test::utm_grid(3, 2), {8, 8, 8}, ChipEdge::kPad), InvalidArgument);
  EXPECT_THROW((void)chip_places(test::utm_grid(3, 2), {8, 8, -1}, ChipEdge::kPad), InvalidArgument);
}

TEST(ChipPlaces, SideInMetresFollowsTheGroundSizeOfPixels) {
  EXPECT_EQ(chip_size_of(test::utm_grid(100, 100, 10.0), 256.0).width, 26);
  const Grid degrees{100, 100, {10.0, 0.001, 0, 60.05, 0, -0.001}, lonlat_crs()};
  const ChipSize size = chip_size_of(degrees, 1000.0);
  EXPECT_EQ(size.height, 9);  // 111.4 m
  EXPECT_EQ(size.width, 18);  // 55.8 m at 60 degrees north
  EXPECT_THROW((void)chip_size_of(degrees, 0.0), InvalidArgument);
}

/// A scene of random values with some nodata, and its file.
template <class T>
struct Scene {
  Grid grid;
  Raster<T> pixels;
  std::optional<double> nodata;
  std::string path;

  Scene(const TemporaryFolder& folder, Random& random, const Grid& g, int bands,
        std::optional<double> missing)
      : grid(g), pixels(g.width, g.height, bands), nodata(missing), path((folder / "scene.tif").string()) {
    for (T& value : pixels.data()) {
      value = static_cast<T>(random.below(200) + 1);
      if (missing && random.chance(0.1)) value = static_cast<T>(*missing);
    }
    RasterSpec spec;
    spec.type = pixel_type_of<T>();
    spec.bands = bands;
    spec.nodata = missing;
    spec.cog = false;
    for (int b = 0; b < bands; ++b) spec.descriptions.push_back("B0" + std::to_string(b + 2));
    spec.metadata["TIFFTAG_DATETIME"] = "2021:07:04 10:00:00";
    write_raster(path, grid, pixels, spec, true);
  }
};

std::vector<Grid> grids() {
  const Crs utm = Crs::from_user_input("EPSG:32632");
  return {test::utm_grid(37, 29),
          {37, 29, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, utm},
          {21, 40, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, utm},
          {1, 1, {500000.0, 10.0, 0.0, 6000000.0, 0.0, -10.0}, utm},
          {33, 1, {10.0, 0.001, 0.0, 50.0, 0.0, -0.001}, lonlat_crs()}};
}

/// Puts the chips back where their own georeference says, and compares every pixel.
template <class T>
void expect_chips_make_up(const Scene<T>& scene, const std::vector<Chip>& chips,
                          const std::filesystem::path& folder) {
  Raster<int> seen(scene.grid.width, scene.grid.height);
  for (const Chip& chip : chips) {
    const RasterReader reader((folder / chip.image).string());
    EXPECT_STREQ(pixel_type_name(reader.band(0).type), pixel_type_name(pixel_type_of<T>()));
    EXPECT_EQ(reader.band(0).nodata, scene.nodata);
    EXPECT_EQ(reader.band(reader.bands() - 1).description, "B0" + std::to_string(reader.bands() + 1));
    EXPECT_EQ(reader.metadata("TIFFTAG_DATETIME"), "2021:07:04 10:00:00");
    EXPECT_TRUE(reader.grid().crs.same_as(scene.grid.crs));
    const Point origin = scene.grid.transform.to_pixel(reader.grid().transform.to_world({0.0, 0.0}));
    const auto col0 = std::llround(origin.x);
    const auto row0 = std::llround(origin.y);
    const auto values = reader.read<T>(reader.grid().window());
    for (int b = 0; b < values.bands(); ++b) {
      for (std::int64_t row = 0; row < values.height(); ++row) {
        for (std::int64_t col = 0; col < values.width(); ++col) {
          const bool inside = col0 + col < scene.grid.width && row0 + row < scene.grid.height;
          const T expected =
              inside ? scene.pixels.at(col0 + col, row0 + row, b) : static_cast<T>(*scene.nodata);
          ASSERT_EQ(values.at(col, row, b), expected) << chip.name << " " << col << " " << row;
          if (inside) seen.at(col0 + col, row0 + row) = 1;
        }
      }
    }
  }
  EXPECT_THAT(seen.data(), testing::Each(1));
}

TEST(CutImage, ChipsMakeUpTheSceneBitForBit) {
  Random random(17);
  ExecContext exec;
  for (const Grid& grid : grids()) {
    for (const ChipEdge edge : {ChipEdge::kShift, ChipEdge::kPad, ChipEdge::kPartial}) {
      const TemporaryFolder folder;
      const Scene<std::uint16_t> scene(folder, random, grid, 3, 0.0);
      ChipOptions options;
      options.edge = edge;
      options.size.width = 1 + static_cast<std::int64_t>(random.below(20)) + 4;
      options.size.height = 1 + static_cast<std::int64_t>(random.below(20)) + 4;
      options.size.overlap_px = static_cast<std::int64_t>(random.below(4));
      options.format = random.chance(0.3) ? ChipFormat::kCog : ChipFormat::kGeoTiff;
      const auto report = cut_image(scene.path, folder.path(), options, {}, exec);
      EXPECT_EQ(report.left_out, 0);
      expect_chips_make_up(scene, report.chips, folder.path());
    }
  }
}

TEST(CutImage, KeepsFloatNanAndSignedValues) {
  Random random(18);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::int16_t> scene(folder, random, test::utm_grid(9, 9), 2, -9999.0);
  ChipOptions options;
  options.size = {4, 4, 0};
  expect_chips_make_up(scene, cut_image(scene.path, folder.path(), options, {}, exec).chips, folder.path());

  Raster<float> pixels(4, 2, 1, 0.1F);
  pixels.at(1, 1) = std::numeric_limits<float>::quiet_NaN();
  RasterSpec spec;
  spec.type = PixelType::kFloat32;
  spec.cog = false;
  write_raster(folder / "float.tif", test::utm_grid(4, 2), pixels, spec, false);
  options.size = {2, 2, 0};
  const auto report = cut_image((folder / "float.tif").string(), folder.path(), options, {}, exec);
  ASSERT_EQ(report.chips.size(), 2U);
  EXPECT_EQ(report.chips[0].valid, 0.75);
  const auto first = RasterReader((folder / "float_0_0.tif").string()).read<float>({0, 0, 2, 2});
  EXPECT_EQ(first.at(0, 0), 0.1F);
  EXPECT_TRUE(std::isnan(first.at(1, 1)));
}

TEST(CutImage, ChosenBandsComeInTheChosenOrder) {
  Random random(19);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(6, 6), 3, std::nullopt);
  ChipOptions options;
  options.size = {6, 6, 0};
  options.source.bands = {"3", "1"};
  (void)cut_image(scene.path, folder.path(), options, {}, exec);
  const RasterReader chip((folder / "scene_0_0.tif").string());
  EXPECT_EQ(chip.bands(), 2);
  EXPECT_EQ(chip.band(0).description, "B04");
  EXPECT_THAT(chip.read<std::uint8_t>({0, 0, 6, 6}).band(0), testing::ElementsAreArray(scene.pixels.band(2)));
  EXPECT_THAT(chip.read<std::uint8_t>({0, 0, 6, 6}).band(1), testing::ElementsAreArray(scene.pixels.band(0)));
  options.source.bands = {"4"};
  EXPECT_THROW((void)cut_image(scene.path, folder.path(), options, {}, exec), InvalidArgument);
}

std::string mixed_scene(const TemporaryFolder& folder) {
  // Left half nodata, one valid pixel in the second chip of the top row.
  Raster<std::uint8_t> pixels(8, 4, 1, 7);
  for (std::int64_t row = 0; row < 4; ++row) {
    for (std::int64_t col = 0; col < 4; ++col) pixels.at(col, row) = 0;
  }
  pixels.at(0, 0) = 5;
  RasterSpec spec;
  spec.nodata = 0.0;
  spec.cog = false;
  const auto path = folder / "mixed.tif";
  write_raster(path, test::utm_grid(8, 4), pixels, spec, false);
  return path.string();
}

std::vector<std::string> names(const ChipReport& report) {
  std::vector<std::string> list;
  for (const Chip& chip : report.chips) list.push_back(chip.name);
  return list;
}

TEST(CutImage, LeavesOutEmptyAndMostlyInvalidChips) {
  ExecContext exec;
  const TemporaryFolder folder;
  const std::string scene = mixed_scene(folder);
  ChipOptions options;
  options.size = {2, 2, 0};
  options.skip_empty = true;
  const auto not_empty = cut_image(scene, folder.path(), options, {}, exec);
  EXPECT_THAT(names(not_empty),
              testing::ElementsAre("mixed_0_0", "mixed_0_2", "mixed_0_3", "mixed_1_2", "mixed_1_3"));
  EXPECT_EQ(not_empty.left_out, 3);
  EXPECT_EQ(not_empty.chips[0].valid, 0.25);
  const TemporaryFolder other;
  options.min_valid = 0.5;
  EXPECT_EQ(cut_image(scene, other.path(), options, {}, exec).left_out, 4);
  EXPECT_FALSE(std::filesystem::exists(other / "mixed_0_0.tif"));
}

TEST(CutImage, NodataOfTheOptionsReplacesThatOfTheFile) {
  ExecContext exec;
  const TemporaryFolder folder;
  const std::string scene = mixed_scene(folder);
  ChipOptions options;
  options.size = {8, 4, 0};
  options.source.nodata = 7.0;
  const auto report = cut_image(scene, folder.path(), options, {}, exec);
  EXPECT_EQ(report.chips[0].valid, 0.5);
  EXPECT_EQ(RasterReader((folder / "mixed_0_0.tif").string()).band(0).nodata, 7.0);
  options.source.nodata = -1.0;
  try {
    (void)cut_image(scene, folder.path(), options, {}, exec);
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("mixed.tif"), testing::HasSubstr("uint8")));
  }
}

TEST(CutImage, PaddingWithoutANodataValueGetsAMask) {
  Random random(20);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(6, 6), 1, std::nullopt);
  ChipOptions options;
  options.size = {4, 4, 0};
  options.edge = ChipEdge::kPad;
  const auto report = cut_image(scene.path, folder.path(), options, {}, exec);
  ASSERT_EQ(report.chips.size(), 4U);
  EXPECT_EQ(report.chips[1].valid, 0.5);
  EXPECT_FALSE(RasterReader((folder / "scene_0_0.tif").string()).has_mask());
  const RasterReader padded((folder / "scene_0_1.tif").string());
  EXPECT_TRUE(padded.has_mask());
  EXPECT_FALSE(padded.band(0).nodata);
  EXPECT_EQ(test::picture(padded.read_valid({0, 0, 4, 4})), "11..\n11..\n11..\n11..\n");
  options.source.invalid_as = InvalidAs::kNodata;
  try {
    (void)cut_image(scene.path, folder.path(), options, {}, exec);
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("scene.tif"), testing::HasSubstr("--nodata")));
  }
}

TEST(CutImage, SameFilesForAnyNumberOfThreads) {
  Random random(22);
  const TemporaryFolder folder;
  const Scene<std::uint16_t> scene(folder, random, test::utm_grid(120, 90), 3, 0.0);
  ChipOptions options;
  options.size = {32, 32, 5};
  std::vector<std::string> catalogues;
  for (const int threads : {1, 4}) {
    ExecContext exec({.threads = threads, .memory_bytes = 0});
    const auto out = folder / std::to_string(threads);
    std::filesystem::create_directories(out);
    exec.execute([&] {
      const auto report = cut_image(scene.path, out, options, {}, exec);
      write_chip_catalogue(report.chips, out);
    });
  }
  EXPECT_EQ(test::bytes_of(folder / "1" / "chips.csv"), test::bytes_of(folder / "4" / "chips.csv"));
  const CsvTable table = read_csv(folder / "1" / "chips.csv");
  ASSERT_EQ(table.rows.size(), 20U);
  for (const auto& row : table.rows) {
    EXPECT_EQ(test::bytes_of(folder / "1" / row[2]), test::bytes_of(folder / "4" / row[2])) << row[2];
  }
}

TEST(CutImage, CatalogueAndIndexSayWhereEachChipLies) {
  Random random(23);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(6, 4), 1, std::nullopt);
  ChipOptions options;
  options.size = {3, 4, 0};
  const auto report = cut_image(scene.path, folder.path(), options, {}, exec);
  write_chip_catalogue(report.chips, folder.path());
  const CsvTable table = read_csv(folder / "chips.csv");
  EXPECT_THAT(table.columns,
              testing::ElementsAre("name", "scene", "image", "labels", "col", "row", "width", "height",
                                   "valid", "x", "y", "crs", "date", "pixel_width", "pixel_height"));
  EXPECT_EQ(table.rows[1][11], "EPSG:32632");
  EXPECT_EQ(table.rows[1][12], "2021-07-04");
  EXPECT_EQ(table.rows[1][13], "10");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(
      std::vector<std::string>(table.rows[1].begin(), table.rows[1].begin() + 9),
      testing::ElementsAre("scene_0_1", "scene", "scene_0_1.tif", "", "3", "0", "3", "4", "1.000000"));
  const Point centre = CoordinateTransform(scene.grid.crs, lonlat_crs()).apply(Point{500045.0, 5999980.0});
  EXPECT_NEAR(std::stod(table.rows[1][9]), centre.x, 1e-8);
  EXPECT_NEAR(std::stod(table.rows[1][10]), centre.y, 1e-8);
  const Layer index = read_layer((folder / "chips.gpkg").string());
  ASSERT_EQ(index.features.size(), 2U);
  EXPECT_TRUE(index.crs.same_as(scene.grid.crs));
  EXPECT_EQ(bounds(index.features[1].geometry), (Box{500030.0, 5999960.0, 500060.0, 6000000.0}));
}

TEST(CutImage, LabelChipsFromPolygonsEqualTheWholeSceneAndIgnoreInvalidPixels) {
  Random random(24);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(40, 30), 1, 0.0);
  const std::vector<MultiPolygon> fields{
      from_wkt("POLYGON((500030 5999970, 500180 5999960, 500200 5999800, 500050 5999820, 500030 5999970))"),
      from_wkt("POLYGON((500200 5999800, 500180 5999960, 500350 5999950, 500330 5999790, 500200 5999800))")};
  const auto whole = rasterize_labels(fields, scene.grid);
  // The polygons come in another CRS.
  std::vector<MultiPolygon> degrees;
  for (const auto& field : fields)
    degrees.push_back(CoordinateTransform(scene.grid.crs, lonlat_crs()).apply(field));
  ChipOptions options;
  options.size = {16, 16, 4};
  options.edge = ChipEdge::kPad;
  const auto report =
      cut_image(scene.path, folder.path(), options, labels_from_polygons(degrees, lonlat_crs(), {}), exec);
  int fields_px = 0;
  for (const Chip& chip : report.chips) {
    EXPECT_EQ(chip.labels, "labels/" + chip.name + ".tif");
    const RasterReader reader((folder / chip.labels).string());
    EXPECT_EQ(reader.band(0).nodata, 255.0);
    const auto labels = reader.read<std::uint8_t>(reader.grid().window());
    for (std::int64_t row = 0; row < 16; ++row) {
      for (std::int64_t col = 0; col < 16; ++col) {
        const std::int64_t c = chip.place.window.col + col;
        const std::int64_t r = chip.place.window.row + row;
        const bool valid = c < 40 && r < 30 && scene.pixels.at(c, r) != 0;
        ASSERT_EQ(labels.at(col, row), valid ? whole.at(c, r) : kIgnore);
        fields_px += labels.at(col, row) == kInterior ? 1 : 0;
      }
    }
  }
  EXPECT_GT(fields_px, 100);
}

TEST(CutImage, LabelRasterMayCoverAPartOnlyAndUnknownBecomesIgnore) {
  ExecContext exec;
  const TemporaryFolder folder;
  Random random(25);
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(6, 2), 1, std::nullopt);
  // Two columns to the right of the scene's corner, one row above it; 3 is unknown, and the file calls 0
  // nodata.
  Raster<std::uint8_t> labels(3, 3);
  labels.data() = {9, 9, 9, 0, 1, 2, 3, 255, 1};
  Grid grid = scene.grid.subgrid({2, -1, 3, 3});
  RasterSpec spec;
  spec.nodata = 0.0;
  spec.cog = false;
  write_raster(folder / "labels.tif", grid, labels, spec, false);
  ChipOptions options;
  options.size = {6, 2, 0};
  (void)cut_image(scene.path, folder.path(), options, labels_from_raster((folder / "labels.tif").string()),
                  exec);
  const auto got =
      RasterReader((folder / "labels" / "scene_0_0.tif").string()).read<std::uint8_t>({0, 0, 6, 2});
  EXPECT_EQ(test::picture(got), "##.12#\n####1#\n");
}

TEST(CutImage, LabelRasterOffThePixelsOrWithOtherValuesIsRefusedAndLeavesNoChips) {
  ExecContext exec;
  const TemporaryFolder folder;
  Random random(26);
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(4, 4), 1, std::nullopt);
  RasterSpec spec;
  spec.cog = false;
  Raster<std::uint8_t> labels(4, 4);
  labels.at(3, 3) = 17;
  write_raster(folder / "values.tif", scene.grid, labels, spec, false);
  Grid moved = scene.grid;
  moved.transform.x0 += 3.0;
  write_raster(folder / "moved.tif", moved, labels, spec, false);
  ChipOptions options;
  options.size = {2, 2, 0};
  const auto message = [&](const std::string& file) {
    try {
      (void)cut_image(scene.path, folder.path(), options, labels_from_raster((folder / file).string()), exec);
    } catch (const IoError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message("values.tif"),
              testing::AllOf(testing::HasSubstr("values.tif"), testing::HasSubstr("17")));
  EXPECT_THAT(message("moved.tif"), testing::HasSubstr("does not lie on the pixels"));
  for (const char* chip : {"scene_0_0.tif", "scene_1_1.tif", "labels/scene_0_0.tif"}) {
    EXPECT_FALSE(std::filesystem::exists(folder / chip)) << chip;
  }
}

TEST(CutImage, BandsOfDifferentTypesGetOneThatHoldsAll) {
  ExecContext exec;
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.cog = false;
  spec.type = PixelType::kUint16;
  write_raster(folder / "a.tif", test::utm_grid(2, 1), Raster<std::uint16_t>(2, 1, 1, 60000), spec, false);
  spec.type = PixelType::kInt16;
  write_raster(folder / "b.tif", test::utm_grid(2, 1), Raster<std::int16_t>(2, 1, 1, -300), spec, false);
  const auto made = test::run_command("gdalbuildvrt -q -separate " + (folder / "both.vrt").string() + " " +
                                      (folder / "a.tif").string() + " " + (folder / "b.tif").string());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  ChipOptions options;
  (void)cut_image((folder / "both.vrt").string(), folder.path(), options, {}, exec);
  const RasterReader chip((folder / "both_0_0.tif").string());
  EXPECT_STREQ(pixel_type_name(chip.band(0).type), "int32");
  EXPECT_THAT(chip.read<std::int32_t>({0, 0, 2, 1}).data(), testing::ElementsAre(60000, 60000, -300, -300));
}

TEST(CutImage, HaloSurroundsTheCoreAndTheCatalogueSaysWhereItIs) {
  Random random(27);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint16_t> scene(folder, random, test::utm_grid(20, 20), 1, 0.0);
  ChipOptions options;
  options.size = {8, 8, 0, 3};
  const auto report = cut_image(scene.path, folder.path(), options, {}, exec);
  write_chip_catalogue(report.chips, folder.path());
  ASSERT_EQ(report.chips.size(), 9U);
  const auto values = RasterReader((folder / "scene_1_1.tif").string()).read<std::uint16_t>({0, 0, 14, 14});
  EXPECT_EQ(values.at(3, 3), scene.pixels.at(8, 8));
  EXPECT_EQ(values.at(0, 13), scene.pixels.at(5, 18));
  const CsvTable table = read_csv(folder / "chips.csv");
  const auto cell = [&](std::size_t row, const char* name) { return table.rows[row][table.column(name)]; };
  EXPECT_EQ(cell(4, "col") + cell(4, "width"), "514");
  EXPECT_EQ(cell(4, "core_col") + cell(4, "core_width"), "38");
  EXPECT_EQ(cell(0, "core_col") + cell(0, "core_height") + cell(0, "width"), "0811");
}

TEST(CutImage, StatisticsAreThoseOfTheValidPixels) {
  ExecContext exec;
  const TemporaryFolder folder;
  Raster<std::int16_t> pixels(2, 2, 2);
  pixels.data() = {2, 4, -9, 9, 100, 200, 300, 500};
  RasterSpec spec;
  spec.type = PixelType::kInt16;
  spec.bands = 2;
  spec.nodata = -9.0;
  spec.cog = false;
  write_raster(folder / "a.tif", test::utm_grid(2, 2), pixels, spec, false);
  ChipOptions options;
  options.statistics = true;
  const auto report = cut_image((folder / "a.tif").string(), folder.path(), options, {}, exec);
  ASSERT_EQ(report.chips.at(0).statistics.size(), 2U);
  const ChipBandStatistics& first = report.chips[0].statistics[0];
  EXPECT_EQ(first.min, 2.0);
  EXPECT_EQ(first.max, 9.0);
  EXPECT_EQ(first.mean, 5.0);
  EXPECT_DOUBLE_EQ(first.sd, std::sqrt((9.0 + 1.0 + 16.0) / 3.0));
  // The third pixel is invalid in band 1, so it does not count in band 2 either.
  EXPECT_DOUBLE_EQ(report.chips[0].statistics[1].mean, 800.0 / 3.0);
  write_chip_catalogue(report.chips, folder.path());
  const CsvTable table = read_csv(folder / "chips.csv");
  EXPECT_EQ(table.rows[0][table.column("max_2")], "500");
  EXPECT_EQ(as_text(read_layer((folder / "chips.gpkg").string()).features[0].values.back()),
            table.rows[0].back());
}

TEST(CutImage, AFourthBandOfBytesIsNoTransparency) {
  Random random(28);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(4, 4), 4, std::nullopt);
  (void)cut_image(scene.path, folder.path(), {}, {}, exec);
  const RasterReader chip((folder / "scene_0_0.tif").string());
  EXPECT_FALSE(chip.has_mask());
  EXPECT_EQ(chip.band(3).colour, "");
}

TEST(CutImage, AnAlphaBandBecomesAMask) {
  ExecContext exec;
  const TemporaryFolder folder;
  const std::string path = (folder / "rgba.tif").string();
  ASSERT_EQ(
      test::run_command(
          "gdal_create -q -of GTiff -outsize 6 2 -bands 4 -burn 50 -burn 60 -burn 70 -burn 0 -co ALPHA=YES "
          "-co PHOTOMETRIC=RGB -a_srs EPSG:32632 -a_ullr 500000 6000020 500060 6000000 " +
          path)
          .exit_code,
      0);
  for (const ChipFormat format : {ChipFormat::kGeoTiff, ChipFormat::kCog}) {
    const TemporaryFolder out;
    ChipOptions options;
    options.format = format;
    options.source.bands = {"red", "green", "blue"};
    const auto report = cut_image(path, out.path(), options, {}, exec);
    EXPECT_EQ(report.chips.at(0).valid, 0.0);
    const RasterReader chip((out / "rgba_0_0.tif").string());
    EXPECT_EQ(chip.bands(), 3);
    EXPECT_TRUE(chip.has_mask());
    EXPECT_EQ(chip.band(2).colour, "blue");
    EXPECT_THAT(chip.read_valid({0, 0, 6, 2}).data(), testing::Each(0));
    EXPECT_THAT(chip.read<std::uint8_t>({0, 0, 6, 2}, std::array{1}).data(), testing::Each(60));
  }
}

TEST(CutImage, AlphaCountsAmongAnyNumberOfBands) {
  // GDAL itself makes a mask of the alpha band of two and four bands only.
  ExecContext exec;
  const TemporaryFolder folder;
  Raster<std::uint16_t> pixels(2, 1, 3, 9);
  pixels.at(1, 0, 2) = 0;
  RasterSpec spec;
  spec.type = PixelType::kUint16;
  spec.bands = 3;
  spec.colours = {"", "", "alpha"};
  spec.cog = false;
  write_raster(folder / "a.tif", test::utm_grid(2, 1), pixels, spec, false);
  const TemporaryFolder out;
  const auto report = cut_image((folder / "a.tif").string(), out.path(), {}, {}, exec);
  EXPECT_EQ(report.chips.at(0).valid, 0.5);
  const RasterReader chip((out / "a_0_0.tif").string());
  // Kept, as data too: many an alpha band is none.
  EXPECT_EQ(chip.bands(), 3);
  EXPECT_EQ(chip.band(2).colour, "");
  EXPECT_THAT(chip.read_valid({0, 0, 2, 1}).data(), testing::ElementsAre(1, 0));
  EXPECT_THAT(chip.read<std::uint16_t>({0, 0, 2, 1}).data(), testing::ElementsAre(9, 9, 9, 9, 9, 0));
}

std::vector<MultiPolygon> two_fields() {
  return {
      from_wkt("POLYGON((500030 5999970, 500180 5999960, 500200 5999800, 500050 5999820, 500030 5999970))"),
      from_wkt("POLYGON((500200 5999800, 500180 5999960, 500350 5999950, 500330 5999790, 500200 5999800))")};
}

TEST(CutChips, LabelsFollowTheChipsOntoAnyGrid) {
  Random random(29);
  ExecContext exec;
  const TemporaryFolder folder;
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(40, 30), 1, std::nullopt);
  const ChipScene image = look_at_scene(scene.path, {});
  ChipSourceOptions options;
  options.may_miss = true;
  const ChipSource source({{image}}, scene.grid.crs, options, 2);
  const LabelsOfGrid labels = labels_from_polygons(two_fields(), scene.grid.crs, {});
  const ChipSize size{16, 16, 0, 1};
  const Grid snapped = snapped_grid(scene.grid.crs, 7.0, scene.grid.bounds(), size);
  const auto whole = rasterize_labels(two_fields(), snapped);
  const auto report =
      cut_chips(source, plan_touching("c", snapped, size, ChipEdge::kPad, std::vector{scene.grid}), "c",
                folder.path(), {}, labels, exec);
  std::int64_t fields = 0;
  for (const Chip& chip : report.chips) {
    const auto got = RasterReader((folder / chip.labels).string()).read<std::uint8_t>({0, 0, 18, 18});
    const auto valid = RasterReader((folder / chip.image).string()).read_valid({0, 0, 18, 18});
    for (std::int64_t row = 0; row < 18; ++row) {
      for (std::int64_t col = 0; col < 18; ++col) {
        const Window pixel =
            intersection({chip.place.window.col + col, chip.place.window.row + row, 1, 1}, snapped.window());
        const bool known = valid.at(col, row) != 0 && !pixel.empty();
        ASSERT_EQ(got.at(col, row), known ? whole.at(pixel.col, pixel.row) : kIgnore);
        fields += got.at(col, row) == kInterior ? 1 : 0;
      }
    }
  }
  EXPECT_GT(fields, 500);
}

TEST(CutChips, LabelsReachBeyondTheGridOfTheFirstImage) {
  // A polygon index that lies partly beside the grid: those chips have labels too.
  ExecContext exec;
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.cog = false;
  const Grid grid = test::utm_grid(40, 30);
  write_raster(folder / "west.tif", grid.subgrid({0, 0, 10, 30}), Raster<std::uint8_t>(10, 30, 1, 5), spec,
               false);
  write_raster(folder / "east.tif", grid.subgrid({10, 0, 30, 30}), Raster<std::uint8_t>(30, 30, 1, 6), spec,
               false);
  const ChipScene west = look_at_scene((folder / "west.tif").string(), {});
  const ChipScene east = look_at_scene((folder / "east.tif").string(), {});
  const ChipSource source({{west, east}}, grid.crs, {}, 2);
  const NamedPolygon cell{"cell", {to_polygon(Box{500200.0, 5999800.0, 500350.0, 5999950.0})}};
  const auto report = cut_chips(source, plan_polygons({cell}, west.grid, 0), "m", folder.path(), {},
                                labels_from_polygons(two_fields(), grid.crs, {}), exec);
  ASSERT_EQ(report.chips.size(), 1U);
  EXPECT_EQ(report.chips[0].sources, "east");
  EXPECT_EQ(report.chips[0].valid, 1.0);
  const auto got = RasterReader((folder / "labels" / "cell.tif").string()).read<std::uint8_t>({0, 0, 15, 15});
  EXPECT_EQ(got.data(), WindowRasterizer(two_fields(), grid).labels({20, 5, 15, 15}).data());
}

TEST(CutChips, LabelRasterOffTheGridIsTakenByTheNearestPixel) {
  ExecContext exec;
  const TemporaryFolder folder;
  Random random(30);
  const Scene<std::uint8_t> scene(folder, random, test::utm_grid(4, 2), 1, std::nullopt);
  Raster<std::uint8_t> labels(2, 1);
  labels.data() = {1, 3};
  RasterSpec spec;
  spec.cog = false;
  spec.nodata = 1.0;  // not looked at
  write_raster(folder / "labels.tif", test::utm_grid(2, 1, 20.0), labels, spec, false);
  const ChipScene image = look_at_scene(scene.path, {});
  const ChipSource source({{image}}, scene.grid.crs, {}, 1);
  (void)cut_chips(source, plan_grid("c", scene.grid, {4, 2, 0, 0}, ChipEdge::kShift), "c", folder.path(), {},
                  labels_from_raster((folder / "labels.tif").string(), {}, LabelsOffGrid::kNearest), exec);
  EXPECT_EQ(test::picture(
                RasterReader((folder / "labels" / "c_0_0.tif").string()).read<std::uint8_t>({0, 0, 4, 2})),
            "11##\n11##\n");
}

TEST(CutChips, PointsOfAProjectedAndAGeographicTemplate) {
  ExecContext exec;
  const TemporaryFolder folder;
  Random random(31);
  const Scene<std::uint16_t> scene(folder, random, test::utm_grid(60, 60), 2, std::nullopt);
  const Point centre = CoordinateTransform(scene.grid.crs, lonlat_crs()).apply(Point{500300.0, 5999700.0});
  const ChipScene image = look_at_scene(scene.path, {});
  ChipSourceOptions options;
  options.may_miss = true;
  const ChipSource utm({{image}}, scene.grid.crs, options, 2);
  // 100 m around a corner of pixels: ten pixels, bit for bit, up to the millimetre that degrees are rounded
  // to.
  const auto report = cut_chips(utm, plan_points({{"P", centre, ""}}, scene.grid.crs, 10, 100.0, 0), "p",
                                folder.path(), {}, {}, exec);
  const auto got = RasterReader((folder / "P.tif").string()).read<std::uint16_t>({0, 0, 10, 10});
  for (std::int64_t row = 0; row < 10; ++row) {
    for (std::int64_t col = 0; col < 10; ++col)
      ASSERT_EQ(got.at(col, row, 1), scene.pixels.at(25 + col, 25 + row, 1));
  }
  EXPECT_NEAR(report.chips.at(0).lon_deg, centre.x, 1e-9);
  EXPECT_EQ(report.chips[0].image, "P.tif");
}

TEST(CutImage, DamagedImageIsNamed) {
  ExecContext exec;
  const TemporaryFolder folder;
  std::ofstream(folder / "broken.tif") << "no raster";
  try {
    (void)cut_image((folder / "broken.tif").string(), folder.path(), {}, {}, exec);
    FAIL() << "no error";
  } catch (const IoError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("broken.tif"));
  }
}

}  // namespace
}  // namespace furrow::geo
