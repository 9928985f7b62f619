#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include <array>
#include <cmath>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;
using testing::HasSubstr;

template <class T>
Raster<T> random_pixels(std::int64_t width, std::int64_t height, int bands) {
  Random random(41);
  Raster<T> pixels(width, height, bands);
  for (T& value : pixels.data()) value = static_cast<T>(random.uniform(0.0, 250.0));
  return pixels;
}

std::size_t files_in(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

template <class T>
class RoundTrip : public testing::Test {};
using RoundTripPixelTypes =
    testing::Types<std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t, float, double>;
TYPED_TEST_SUITE(RoundTrip, RoundTripPixelTypes);

TYPED_TEST(RoundTrip, ValuesAndDescriptionSurvive) {
  using T = TypeParam;
  for (const bool cog : {false, true}) {
    for (const Grid& grid :
         {test::utm_grid(70, 41), test::utm_grid(1, 1), test::utm_grid(9, 1), test::utm_grid(1, 9)}) {
      const TemporaryFolder folder;
      auto pixels = random_pixels<T>(grid.width, grid.height, 2);
      pixels.data()[0] = std::numeric_limits<T>::lowest();
      pixels.data()[1] = std::numeric_limits<T>::max();
      RasterSpec spec;
      spec.type = pixel_type_of<T>();
      spec.bands = 2;
      spec.nodata = 77.0;
      spec.scale = 0.5;
      spec.offset = -3.0;
      spec.descriptions = {"red", "near infrared"};
      spec.metadata["TIFFTAG_DATETIME"] = "2020:02:29 00:00:00";
      spec.overview = Overview::kAverage;
      spec.cog = cog;
      write_raster(folder / "a.tif", grid, pixels, spec, false);
      const RasterReader reader((folder / "a.tif").string());
      EXPECT_EQ(reader.read<T>(grid.window()).data(), pixels.data());
      EXPECT_TRUE(reader.grid().same_as(grid));
      EXPECT_EQ(reader.bands(), 2);
      EXPECT_EQ(reader.band(1).type, pixel_type_of<T>());
      EXPECT_EQ(reader.band(1).nodata, 77.0);
      EXPECT_EQ(reader.band(1).scale, 0.5);
      EXPECT_EQ(reader.band(1).offset, -3.0);
      EXPECT_EQ(reader.band(1).description, "near infrared");
      EXPECT_EQ(reader.metadata("TIFFTAG_DATETIME"), "2020:02:29 00:00:00");
      EXPECT_EQ(reader.metadata("NOTHING"), "");
      EXPECT_EQ(files_in(folder.path()), 1U);
    }
  }
}

TEST(RasterWriter, CogIsTiledWithOverviewsAndTheCogLayout) {
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.overview = Overview::kMode;
  spec.classes = label_classes();
  write_raster(folder / "a.tif", test::utm_grid(1500, 1200), Raster<std::uint8_t>(1500, 1200, 1, 1), spec,
               false);
  const auto info = test::run_command("gdalinfo " + (folder / "a.tif").string());
  EXPECT_THAT(info.out, HasSubstr("LAYOUT=COG"));
  EXPECT_THAT(info.out, HasSubstr("Block=512x512"));
  EXPECT_THAT(info.out, HasSubstr("Overviews: 750x600"));
  EXPECT_THAT(info.out, HasSubstr("COMPRESSION=DEFLATE"));
}

TEST(RasterWriter, ClassNamesAndColoursComeAlong) {
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.classes = label_classes();
  spec.overview = Overview::kMode;
  write_raster(folder / "a.tif", test::utm_grid(8, 8), Raster<std::uint8_t>(8, 8, 1, 1), spec, false);
  EXPECT_EQ(RasterReader((folder / "a.tif").string()).metadata("CLASS_NAMES"),
            "0:background;1:interior;2:boundary");
  // Names that QGIS shows can only live beside the TIFF.
  EXPECT_TRUE(std::filesystem::exists(folder / "a.tif.aux.xml"));
  const std::string beside = test::bytes_of(folder / "a.tif.aux.xml");
  EXPECT_NE(beside.find("<Category>"), std::string::npos);
  EXPECT_NE(beside.find("<Name>Class_Name</Name>"), std::string::npos);
  const auto info = test::run_command("gdalinfo " + (folder / "a.tif").string());
  EXPECT_THAT(info.out, HasSubstr("1: interior"));
  EXPECT_THAT(info.out, HasSubstr("86,153,76,255"));
  EXPECT_EQ(files_in(folder.path()), 2U);
  // A raster without classes that replaces it takes the names away.
  write_raster(folder / "a.tif", test::utm_grid(8, 8), Raster<std::uint8_t>(8, 8), {}, true);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.tif.aux.xml"));
}

TEST(RasterWriter, WindowsInAnyOrderMakeTheWhole) {
  const TemporaryFolder folder;
  const auto pixels = random_pixels<std::uint16_t>(50, 30, 3);
  RasterSpec spec;
  spec.type = PixelType::kUint16;
  spec.bands = 3;
  RasterWriter writer(folder / "a.tif", test::utm_grid(50, 30), spec, false);
  for (const Window& w : {Window{20, 10, 30, 20}, Window{0, 0, 20, 30}, Window{20, 0, 30, 10}}) {
    Raster<std::uint16_t> part(w.width, w.height, 3);
    for (int b = 0; b < 3; ++b) {
      for (std::int64_t r = 0; r < w.height; ++r) {
        for (std::int64_t c = 0; c < w.width; ++c) part.at(c, r, b) = pixels.at(w.col + c, w.row + r, b);
      }
    }
    writer.write(w, part);
  }
  EXPECT_THROW(writer.write({0, 0, 5, 5}, Raster<std::uint16_t>(5, 4, 3)), InvalidArgument);
  writer.finish();
  EXPECT_EQ(RasterReader((folder / "a.tif").string()).read<std::uint16_t>({0, 0, 50, 30}).data(),
            pixels.data());
}

TEST(RasterWriter, NothingIsLeftWithoutFinish) {
  const TemporaryFolder folder;
  for (const bool cog : {false, true}) {
    RasterSpec spec;
    spec.cog = cog;
    spec.classes = label_classes();
    RasterWriter writer(folder / "a.tif", test::utm_grid(50, 30), spec, false);
    writer.write({0, 0, 50, 30}, Raster<std::uint8_t>(50, 30, 1, 2));
    EXPECT_FALSE(std::filesystem::exists(folder / "a.tif"));
  }
  EXPECT_EQ(files_in(folder.path()), 0U);
}

TEST(RasterWriter, ValuesOutsideTheTypeAreClamped) {
  const TemporaryFolder folder;
  Raster<float> pixels(3, 1);
  pixels.data() = {-5.0F, 12.6F, 300.0F};
  write_raster(folder / "a.tif", test::utm_grid(3, 1), pixels, {}, false);
  EXPECT_THAT(RasterReader((folder / "a.tif").string()).read<std::uint8_t>({0, 0, 3, 1}).data(),
              testing::ElementsAre(0, 13, 255));
}

TEST(RasterWriter, IdenticalInputGivesIdenticalBytes) {
  const TemporaryFolder folder;
  const auto pixels = random_pixels<float>(700, 600, 1);
  RasterSpec spec;
  spec.type = PixelType::kFloat32;
  spec.overview = Overview::kAverage;
  write_raster(folder / "a.tif", test::utm_grid(700, 600), pixels, spec, false);
  write_raster(folder / "b.tif", test::utm_grid(700, 600), pixels, spec, false);
  EXPECT_EQ(test::bytes_of(folder / "a.tif"), test::bytes_of(folder / "b.tif"));
}

TEST(RasterReader, KeepsSouthUpAndRotatedGrids) {
  const TemporaryFolder folder;
  const Crs utm = Crs::from_user_input("EPSG:32632");
  for (const Grid& grid : {Grid{6, 4, {500000.0, 10.0, 0.0, 6000000.0, 0.0, 10.0}, utm},
                           Grid{6, 4, {500000.0, 8.0, 6.0, 6000000.0, 6.0, -8.0}, utm}}) {
    RasterSpec spec;
    spec.cog = false;
    write_raster(folder / "a.tif", grid, Raster<std::uint8_t>(6, 4), spec, true);
    EXPECT_EQ(RasterReader((folder / "a.tif").string()).grid().transform, grid.transform);
  }
}

TEST(RasterReader, WindowsAndBandsAreChosen) {
  const TemporaryFolder folder;
  const auto pixels = random_pixels<std::uint8_t>(20, 10, 3);
  RasterSpec spec;
  spec.bands = 3;
  write_raster(folder / "a.tif", test::utm_grid(20, 10), pixels, spec, false);
  const RasterReader reader((folder / "a.tif").string());
  const std::array bands{2, 0};
  const auto part = reader.read<float>({5, 3, 4, 2}, bands);
  EXPECT_EQ(part.at(0, 0, 0), static_cast<float>(pixels.at(5, 3, 2)));
  EXPECT_EQ(part.at(3, 1, 1), static_cast<float>(pixels.at(8, 4, 0)));
  EXPECT_THROW((void)reader.read<float>({18, 0, 4, 2}), InvalidArgument);
  EXPECT_THROW((void)reader.read<float>({0, 0, 0, 2}), InvalidArgument);
  const std::array missing{3};
  EXPECT_THROW((void)reader.read<float>({0, 0, 1, 1}, missing), InvalidArgument);
  EXPECT_THROW((void)reader.band(-1), InvalidArgument);
}

TEST(RasterReader, ValidPixelsNeedAllBands) {
  const TemporaryFolder folder;
  Raster<float> pixels(5, 1, 2, 1.0F);
  pixels.at(0, 0, 0) = -1.0F;
  pixels.at(1, 0, 1) = -1.0F;
  pixels.at(2, 0, 1) = std::numeric_limits<float>::quiet_NaN();
  pixels.at(3, 0, 0) = std::numeric_limits<float>::infinity();
  RasterSpec spec;
  spec.type = PixelType::kFloat32;
  spec.bands = 2;
  spec.nodata = -1.0;
  write_raster(folder / "a.tif", test::utm_grid(5, 1), pixels, spec, false);
  const RasterReader reader((folder / "a.tif").string());
  EXPECT_FALSE(reader.has_mask());
  EXPECT_THAT(reader.read_valid({0, 0, 5, 1}).data(), testing::ElementsAre(0, 0, 0, 0, 1));
  const std::array first{0};
  EXPECT_THAT(reader.read_valid({0, 0, 5, 1}, first).data(), testing::ElementsAre(0, 1, 1, 0, 1));
}

TEST(RasterReader, NodataZeroAndAlphaBandsCount) {
  const TemporaryFolder folder;
  Raster<std::uint8_t> pixels(3, 1);
  pixels.data() = {0, 1, 2};
  RasterSpec spec;
  spec.nodata = 0.0;
  write_raster(folder / "zero.tif", test::utm_grid(3, 1), pixels, spec, false);
  EXPECT_THAT(RasterReader((folder / "zero.tif").string()).read_valid({0, 0, 3, 1}).data(),
              testing::ElementsAre(0, 1, 1));
  const auto made = test::run_command(
      "gdal_create -q -outsize 3 1 -bands 4 -burn 9 -burn 9 -burn 9 -burn 0 -co ALPHA=YES "
      "-a_srs EPSG:32632 -a_ullr 0 10 30 0 " +
      (folder / "alpha.tif").string());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const RasterReader alpha((folder / "alpha.tif").string());
  EXPECT_TRUE(alpha.has_mask());
  EXPECT_THAT(alpha.read_valid({0, 0, 3, 1}).data(), testing::Each(0));
}

/// 1024 x 512 px in two bands, written in the left half of the first band and everywhere in the second;
/// the right half of the first holds no block.
std::string half_written(const std::filesystem::path& path, std::optional<double> nodata) {
  RasterSpec spec;
  spec.bands = 2;
  spec.nodata = nodata;
  spec.cog = false;
  RasterWriter writer(path, test::utm_grid(1024, 512), spec, false);
  Raster<std::uint8_t> left(512, 512, 2, 5);
  writer.write({0, 0, 512, 512}, left);
  Raster<std::uint8_t> right(512, 512, 2, static_cast<std::uint8_t>(nodata.value_or(0.0)));
  std::ranges::fill(right.band(1), std::uint8_t{6});
  writer.write({512, 0, 512, 512}, right);
  writer.finish();
  return path.string();
}

TEST(RasterReader, KnowsWhatAFileLeavesOut) {
  const TemporaryFolder folder;
  const Window right{512, 0, 512, 512};
  const std::array second{1};
  {
    const RasterReader reader(half_written(folder / "nodata.tif", 9.0));
    EXPECT_TRUE(reader.is_left_out(right));
    EXPECT_TRUE(reader.is_left_out({700, 100, 20, 30}));
    EXPECT_THAT(reader.read_valid(right).data(), testing::Each(0));
    EXPECT_FALSE(reader.is_left_out({511, 0, 20, 30})) << "reaches into a block that is there";
    EXPECT_FALSE(reader.is_left_out({0, 0, 512, 512}));
    EXPECT_FALSE(reader.is_left_out(right, second)) << "that band is complete";
    EXPECT_THROW((void)reader.is_left_out({1000, 0, 512, 512}), InvalidArgument);
  }
  const RasterReader without(half_written(folder / "zeros.tif", std::nullopt));
  EXPECT_FALSE(without.is_left_out(right)) << "missing blocks are zeros, which are valid";
  EXPECT_THAT(without.read_valid(right).data(), testing::Each(1));
}

/// Both at once, into rasters of another shape that are there already, are what each gives alone.
void expect_the_same_at_once(const std::filesystem::path& path, std::span<const int> bands = {}) {
  const RasterReader reader(path.string());
  const Window window = reader.grid().window();
  Raster<float> pixels(1, 2, 3, 7.0F);
  Raster<std::uint8_t> valid(40, 40, 1, 7);
  reader.read_with_valid(window, bands, pixels, valid);
  const auto expected = reader.read<float>(window, bands);
  EXPECT_EQ(valid.data(), reader.read_valid(window, bands).data()) << path;
  ASSERT_EQ(pixels.bands(), expected.bands());
  EXPECT_EQ(pixels.width(), expected.width());
  for (std::size_t i = 0; i < expected.data().size(); ++i) {
    const float a = pixels.data()[i], b = expected.data()[i];
    EXPECT_TRUE(a == b || (std::isnan(a) && std::isnan(b))) << path << " " << i;
  }
}

TEST(RasterReader, PixelsAndValidityAtOnceAreTheSame) {
  const TemporaryFolder folder;
  const auto create = [&](const std::string& name, const std::string& options) {
    const auto made = test::run_command("gdal_create -q -outsize 9 7 -a_srs EPSG:32632 -a_ullr 0 70 90 0 " +
                                        options + " " + (folder / name).string());
    ASSERT_EQ(made.exit_code, 0) << made.err;
  };
  const std::array second{1};
  for (const std::string type : {"Byte", "UInt16", "Int16", "Int32", "Float32", "Float64"}) {
    const std::string bands = " -bands 3 -burn 9 -burn 0 -burn 4 ";
    create("none_" + type + ".tif", "-ot " + type + bands);
    create("nodata_" + type + ".tif", "-ot " + type + " -a_nodata 4" + bands);
    create("never_" + type + ".tif", "-ot " + type + " -a_nodata -9999.5" + bands);
    for (const std::string kind : {"none_", "nodata_", "never_"}) {
      expect_the_same_at_once(folder / (kind + type + ".tif"));
      expect_the_same_at_once(folder / (kind + type + ".tif"), second);
    }
  }
  create("signed.tif", "-ot Byte -co PIXELTYPE=SIGNEDBYTE -a_nodata -1 -bands 2 -burn 255 -burn 3");
  expect_the_same_at_once(folder / "signed.tif");
  create("alpha.tif", "-bands 4 -burn 9 -burn 9 -burn 9 -burn 0 -co ALPHA=YES");
  expect_the_same_at_once(folder / "alpha.tif");
  create("five.tif", "-bands 5 -burn 9 -burn 9 -burn 9 -burn 9 -burn 0 -co ALPHA=YES");
  expect_the_same_at_once(folder / "five.tif");

  Raster<float> pixels(4, 1, 2, 1.0F);
  pixels.at(0, 0, 0) = -1.0F;
  pixels.at(1, 0, 1) = std::numeric_limits<float>::quiet_NaN();
  pixels.at(2, 0, 0) = std::numeric_limits<float>::infinity();
  RasterSpec spec;
  spec.type = PixelType::kFloat32;
  spec.bands = 2;
  spec.nodata = -1.0;
  write_raster(folder / "float.tif", test::utm_grid(4, 1), pixels, spec, false);
  expect_the_same_at_once(folder / "float.tif");
  expect_the_same_at_once(folder / "float.tif", second);
}

TEST(RasterReader, SignedBytesKeepTheirSign) {
  const TemporaryFolder folder;
  const auto made = test::run_command(
      "gdal_create -q -outsize 2 1 -bands 1 -burn 200 -co PIXELTYPE=SIGNEDBYTE "
      "-a_srs EPSG:32632 -a_ullr 0 10 20 0 " +
      (folder / "a.tif").string());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const RasterReader reader((folder / "a.tif").string());
  EXPECT_STREQ(pixel_type_name(reader.band(0).type), "int8");
  EXPECT_THAT(reader.read<float>({0, 0, 2, 1}).data(), testing::Each(-56.0F));
  EXPECT_THAT(reader.read<std::int16_t>({0, 0, 2, 1}).data(), testing::Each(-56));
}

TEST(RasterReader, ManyThreadsReadTheSame) {
  const TemporaryFolder folder;
  const auto pixels = random_pixels<std::uint16_t>(600, 600, 2);
  RasterSpec spec;
  spec.type = PixelType::kUint16;
  spec.bands = 2;
  write_raster(folder / "a.tif", test::utm_grid(600, 600), pixels, spec, false);
  const RasterReader reader((folder / "a.tif").string());
  std::vector<int> wrong(60, 0);
  tbb::parallel_for(0, 60, [&](int i) {
    const auto strip = reader.read<std::uint16_t>({0, i * 10, 600, 10});
    for (int b = 0; b < 2; ++b) {
      for (std::int64_t r = 0; r < 10; ++r) {
        for (std::int64_t c = 0; c < 600; ++c) {
          wrong[static_cast<std::size_t>(i)] += strip.at(c, r, b) != pixels.at(c, i * 10 + r, b) ? 1 : 0;
        }
      }
    }
  });
  EXPECT_THAT(wrong, testing::Each(0));
}

std::string open_error(const std::string& path, const RasterReadOptions& options = {}) {
  try {
    const RasterReader reader(path, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(RasterReader, SaysWhatIsWrongWithAFile) {
  const TemporaryFolder folder;
  const std::string missing = (folder / "nowhere.tif").string();
  EXPECT_EQ(open_error(missing), "cannot open raster '" + missing + "': no such file");
  std::ofstream(folder / "text.tif") << "hello";
  EXPECT_THAT(open_error((folder / "text.tif").string()), HasSubstr("not a raster that GDAL can read"));
  RasterSpec spec;
  spec.cog = false;
  Grid no_crs = test::utm_grid(2, 2);
  no_crs.crs = {};
  write_raster(folder / "nocrs.tif", no_crs, Raster<std::uint8_t>(2, 2), spec, false);
  RasterReadOptions options;
  options.crs_switch = "--grid-crs";
  EXPECT_THAT(open_error((folder / "nocrs.tif").string(), options),
              testing::AllOf(HasSubstr("no CRS"), HasSubstr("--grid-crs EPSG:32632")));
  options.require_crs = false;
  EXPECT_EQ(open_error((folder / "nocrs.tif").string(), options), "no error");
  options.override_crs = lonlat_crs();
  EXPECT_TRUE(RasterReader((folder / "nocrs.tif").string(), options).grid().crs.same_as(lonlat_crs()));
}

TEST(RasterReader, TruncatedFileIsNeverOneWithoutCrs) {
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.cog = false;
  write_raster(folder / "a.tif", test::utm_grid(32, 32), random_pixels<std::uint8_t>(32, 32, 1), spec, false);
  const std::uintmax_t size = std::filesystem::file_size(folder / "a.tif");
  const std::string cut = (folder / "cut.tif").string();
  int said_so = 0;
  for (std::uintmax_t bytes = size - 1; bytes > 32; bytes -= 23) {
    std::filesystem::copy_file(folder / "a.tif", cut, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut, bytes);
    try {
      const RasterReader reader(cut);
      (void)reader.read<std::uint8_t>(reader.grid().window());
    } catch (const IoError& e) {
      EXPECT_THAT(e.what(), HasSubstr("cut.tif"));
      if (std::string(e.what()).find("truncated or damaged") != std::string::npos) ++said_so;
    } catch (const CrsError& e) {
      ADD_FAILURE() << bytes << " of " << size << " bytes: " << e.what();
    }
  }
  EXPECT_GT(said_so, 0);
}

TEST(RasterReader, TruncatedFileFailsWithTheWindow) {
  const TemporaryFolder folder;
  RasterSpec spec;
  spec.cog = false;
  write_raster(folder / "a.tif", test::utm_grid(600, 600), random_pixels<std::uint8_t>(600, 600, 1), spec,
               false);
  std::filesystem::resize_file(folder / "a.tif", std::filesystem::file_size(folder / "a.tif") / 2);
  std::string message;
  try {
    const RasterReader reader((folder / "a.tif").string());
    (void)reader.read<std::uint8_t>({0, 0, 600, 600});
  } catch (const IoError& e) {
    message = e.what();
  }
  EXPECT_THAT(message, HasSubstr("a.tif"));
}

}  // namespace
}  // namespace furrow::geo
