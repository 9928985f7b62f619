// Real scenes on other grids: two dates made to fit, the Lacuna template against gdalwarp, and mosaics.
#include <array>
#include <cmath>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/stack_alignment.h>
#include <furrow/geo/raster/tiling.h>

#include "support.h"

namespace furrow::geo {
namespace {

const std::string& dakota_2014() {
  static const std::string kPath = test::shared("data/naip_dakota/m_4709963_se_14_1_20140720.tif").string();
  return kPath;
}
const std::string& dakota_2015() {
  static const std::string kPath = test::shared("data/naip_dakota/m_4709963_se_14_1_20150926.tif").string();
  return kPath;
}

void run(const std::string& command) {
  const auto result = test::run_command(command);
  ASSERT_EQ(result.exit_code, 0) << command << "\n" << result.err;
}

Raster<float> edges_of(const Raster<float>& band) {
  Raster<float> out(band.width(), band.height());
  for (std::int64_t r = 1; r + 1 < band.height(); ++r) {
    for (std::int64_t c = 1; c + 1 < band.width(); ++c)
      out.at(c, r) = std::hypot(band.at(c + 1, r) - band.at(c - 1, r), band.at(c, r + 1) - band.at(c, r - 1));
  }
  return out;
}

/// Normalised cross-correlation of two bands, the second read that many pixels further on.
double correlation(const Raster<float>& a, const Raster<float>& b, std::int64_t dc, std::int64_t dr) {
  constexpr std::int64_t kBorder = 8;
  double s = 0.0;
  double t = 0.0;
  double ss = 0.0;
  double tt = 0.0;
  double st = 0.0;
  double n = 0.0;
  for (std::int64_t r = kBorder; r < a.height() - kBorder; ++r) {
    for (std::int64_t c = kBorder; c < a.width() - kBorder; ++c) {
      const auto u = static_cast<double>(a.at(c, r));
      const auto v = static_cast<double>(b.at(c + dc, r + dr));
      s += u;
      t += v;
      ss += u * u;
      tt += v * v;
      st += u * v;
      n += 1.0;
    }
  }
  return (st - s * t / n) / std::sqrt((ss - s * s / n) * (tt - t * t / n));
}

/// How far `b` lies right of and below `a`: the best whole-pixel correlation, fitted by a parabola along each
/// axis. Written without the library's estimator.
Point correlation_shift(const Raster<float>& a, const Raster<float>& b) {
  std::int64_t col = 0;
  std::int64_t row = 0;
  double best = -2.0;
  for (std::int64_t dr = -2; dr <= 2; ++dr) {
    for (std::int64_t dc = -2; dc <= 2; ++dc) {
      const double r = correlation(a, b, dc, dr);
      if (r <= best) continue;
      best = r;
      col = dc;
      row = dr;
    }
  }
  const auto at = [&](std::int64_t dc, std::int64_t dr) { return correlation(a, b, col + dc, row + dr); };
  const auto peak = [best](double before, double after) {
    return 0.5 * (before - after) / (before - 2.0 * best + after);
  };
  return {static_cast<double>(col) + peak(at(-1, 0), at(1, 0)),
          static_cast<double>(row) + peak(at(0, -1), at(0, 1))};
}

Raster<float> band(const Raster<float>& all, int b) {
  Raster<float> out(all.width(), all.height());
  std::ranges::copy(all.band(b), out.data().begin());
  return out;
}

/// Stacks two dates by the command and reads the stack; both images' bands are in one chip.
Raster<float> stacked(const test::TemporaryFolder& folder, const std::string& first,
                      const std::string& second, const std::string& options) {
  const std::string out = (folder / "stack").string();
  run(concat(test::furrow_program(), " tile ", first, " ", second, " --stack --tile-px 2000 ", options,
             " --overwrite --out ", out));
  const RasterReader reader(out + "/stack_0_0.tif");
  EXPECT_EQ(reader.bands(), 8);
  return reader.read<float>(reader.grid().window());
}

TEST(NaipStack, ADateOnAGridThatDiffersIsAlignedToATenthOfAPixel) {
  FURROW_NEEDS_SHARED_DATA();
  // The second date on pixels 2 m and 1.5 m off those of the first, one row less.
  const test::TemporaryFolder folder;
  const std::string moved = (folder / "moved.tif").string();
  run(concat("gdalwarp -q -r cubic -te 485902 5205638.5 490567 5209243.5 -tr 5 5 ", dakota_2015(), " ",
             moved));
  ASSERT_FALSE(pixels_coincide(RasterReader(moved).grid(), RasterReader(dakota_2014()).grid()));
  const auto stack = stacked(folder, dakota_2014(), moved, "");
  const RasterReader original(dakota_2015());
  const auto truth = original.read<float>(original.grid().window());
  ASSERT_EQ(stack.width(), truth.width());
  for (int b = 0; b < 4; ++b) {
    const Point shift = correlation_shift(band(truth, b), band(stack, 4 + b));
    EXPECT_LT(std::hypot(shift.x, shift.y), 0.1) << "band " << b + 1 << ": " << shift.x << ", " << shift.y;
  }
  // Not so without resampling: nearest pixels stay up to half a pixel off.
  const auto nearest = stacked(folder, dakota_2014(), moved, "--resampling nearest");
  const Point shift = correlation_shift(band(truth, 3), band(nearest, 7));
  EXPECT_GT(std::hypot(shift.x, shift.y), 0.1);
}

TEST(NaipStack, WhatTheGeoreferenceGotWrongIsMeasuredAndTakenOut) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const auto mean_shift = [](const Raster<float>& stack) {
    Point mean;
    for (int b = 0; b < 4; ++b) {
      const Point shift = correlation_shift(edges_of(band(stack, b)), edges_of(band(stack, 4 + b)));
      mean = {mean.x + 0.25 * shift.x, mean.y + 0.25 * shift.y};
    }
    return std::hypot(mean.x, mean.y);
  };
  EXPECT_GT(mean_shift(stacked(folder, dakota_2014(), dakota_2015(), "")), 0.1);
  EXPECT_LT(mean_shift(stacked(folder, dakota_2014(), dakota_2015(), "--align")), 0.1);
  const CsvTable images = read_csv(folder / "stack" / "images.csv");
  ASSERT_EQ(images.rows.size(), 2U);
  EXPECT_EQ(images.rows[1][images.column("aligned")], "1");
  // The georeference of the second date moved by hand: found again beside what was there already.
  const std::string wrong = (folder / "wrong.tif").string();
  run(concat("gdal_translate -q -a_ullr 485907 5209235 490577 5205620 ", dakota_2015(), " ", wrong));
  (void)stacked(folder, dakota_2014(), wrong, "");
  const CsvTable moved = read_csv(folder / "stack" / "images.csv");
  for (const auto& [column, by_px] : {std::pair{"shift_col_px", 1.4}, std::pair{"shift_row_px", 2.0}}) {
    EXPECT_NEAR(
        std::stod(moved.rows[1][moved.column(column)]) - std::stod(images.rows[1][images.column(column)]),
        by_px, 0.1)
        << column;
  }
}

TEST(LacunaTemplate, EqualsGdalwarpPixelForPixel) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const std::string scene = test::shared("data/denmark/s2_west.tif").string();
  // The second chip reaches over the border of the scene.
  std::ofstream(folder / "points.csv") << "name,x,y\nDK0000001,9.219,56.351\nDK0000002,9.203,56.37\n";
  const std::string out = (folder / "chips").string();
  run(concat(test::furrow_program(), " tile ", scene, " --points ", (folder / "points.csv").string(),
             " --profile lacuna --out ", out));
  for (const auto& [name, x, y] :
       {std::tuple{"DK0000001", 9.219, 56.351}, std::tuple{"DK0000002", 9.203, 56.37}}) {
    const std::string theirs = (folder / "theirs.tif").string();
    run(concat("gdalwarp -q -overwrite -et 0 -r cubic -t_srs EPSG:4326 -ts 224 224 -te ", x - 0.0025, " ",
               y - 0.0025, " ", x + 0.0025, " ", y + 0.0025, " ", scene, " ", theirs));
    const RasterReader mine(concat(out, "/", name, ".tif"));
    const RasterReader other(theirs);
    EXPECT_TRUE(mine.grid().same_as(other.grid(), 1e-6)) << name;
    EXPECT_EQ(mine.read<std::uint16_t>(mine.grid().window()).data(),
              other.read<std::uint16_t>(other.grid().window()).data())
        << name;
  }
  EXPECT_FALSE(RasterReader(out + "/DK0000001.tif").has_mask());
  EXPECT_TRUE(RasterReader(out + "/DK0000002.tif").has_mask());
}

TEST(Mosaic, HalvesOfASceneGiveTheChipsOfTheWholeOne) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const std::string scene = test::shared("data/nebraska/landsat5_nebraska.tif").string();
  run(concat("gdal_translate -q -srcwin 0 0 300 512 ", scene, " ", (folder / "left.tif").string()));
  run(concat("gdal_translate -q -srcwin 290 0 222 512 ", scene, " ", (folder / "right.tif").string()));
  const auto cut = [&](const std::string& images, const std::string& options, const std::string& out) {
    run(concat(test::furrow_program(), " tile ", images, " ", options, " --out ", (folder / out).string()));
  };
  const std::string halves = (folder / "left.tif").string() + " " + (folder / "right.tif").string();
  // On the scene's own pixels, and resampled onto a grid in degrees.
  for (const std::string& options :
       {std::string("--tile-px 128"),
        std::string("--output-crs EPSG:4326 --resolution 0.0003 --tile-px 128")}) {
    cut(scene, options + " --overwrite", "whole");
    cut(halves, options + " --mosaic --overwrite", "parts");
    const CsvTable whole = read_csv(folder / "whole" / "chips.csv");
    const CsvTable parts = read_csv(folder / "parts" / "chips.csv");
    ASSERT_EQ(whole.rows.size(), parts.rows.size());
    std::int64_t differ = 0;
    std::int64_t pixels = 0;
    for (std::size_t i = 0; i < whole.rows.size(); ++i) {
      const RasterReader a((folder / "whole" / whole.rows[i][whole.column("image")]).string());
      const RasterReader b((folder / "parts" / parts.rows[i][parts.column("image")]).string());
      ASSERT_TRUE(a.grid().same_as(b.grid(), 1e-6));
      const auto x = a.read<std::int16_t>(a.grid().window());
      const auto y = b.read<std::int16_t>(b.grid().window());
      for (std::size_t p = 0; p < x.data().size(); ++p) differ += x.data()[p] != y.data()[p] ? 1 : 0;
      pixels += x.pixels() * 3;
    }
    // A kernel needs its neighbours, which the pixels at the border of the left half lack: a column of them.
    EXPECT_LE(differ, options == "--tile-px 128" ? 0 : pixels / 200);
  }
}

TEST(Mosaic, ChipsOfTwoScenesOnOneGridLieOnTopOfEachOther) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  run(concat(test::furrow_program(), " tile ", dakota_2014(), " ", dakota_2015(),
             " --output-crs EPSG:32614 --resolution 10 --tile-px 100 --out ", (folder / "chips").string()));
  const CsvTable table = read_csv(folder / "chips" / "chips.csv");
  std::set<std::string> first;
  std::set<std::string> second;
  for (const auto& row : table.rows) {
    const std::string place =
        row[table.column("col")] + " " + row[table.column("row")] + row[table.column("name")].substr(26);
    (row[table.column("scene")] == "m_4709963_se_14_1_20140720" ? first : second).insert(place);
  }
  EXPECT_GT(first.size(), 20U);
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace furrow::geo
