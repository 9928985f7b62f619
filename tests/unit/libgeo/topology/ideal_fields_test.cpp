// Fields whose truth is known: squares with boundaries as label rasters draw them, and one scene on several
// grids. Counts and areas must come out right, with the default options.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/watershed.h>

#include "support.h"

namespace furrow::geo {
namespace {

/// Scores of background, interior and boundary as `furrow predict` writes them, read back.
ScoreMap read_three_bands(const test::TemporaryFolder& folder, const Grid& grid,
                          const Raster<std::uint8_t>& levels) {
  const auto path = folder / "scores.tif";
  RasterSpec spec;
  spec.bands = 3;
  spec.scale = 0.005;
  spec.nodata = 255;
  write_raster(path, grid, levels, spec, true);
  ExecContext exec;
  return read_scores(RasterReader(path.string()), {}, exec);
}

double attribute(const Layer& layer, std::size_t feature, const char* name) {
  return as_real(layer.features[feature].values[layer.field(name)]);
}

constexpr std::int64_t kSquares = 4;  // a side
constexpr std::int64_t kMargin = 8;   // px of background around all

struct Squares {
  std::int64_t side_px;
  std::int64_t gap_px;
  [[nodiscard]] std::int64_t size() const {
    return 2 * kMargin + kSquares * side_px + (kSquares - 1) * gap_px;
  }
  [[nodiscard]] std::int64_t begin(std::int64_t i) const { return kMargin + i * (side_px + gap_px); }
};

/// Probabilities of the three classes: 1 and 0. Boundary is what lies within half its width of an outline, by
/// pixel centre, as `rasterize` draws it.
Raster<double> classes_of(const Squares& squares, double boundary_px) {
  const std::int64_t size = squares.size();
  Raster<double> out(size, size, 3);
  const auto side = static_cast<double>(squares.side_px);
  for (std::int64_t row = 0; row < size; ++row) {
    for (std::int64_t col = 0; col < size; ++col) {
      bool inside = false;
      double to_outline = INFINITY;
      for (std::int64_t i = 0; i < kSquares * kSquares; ++i) {
        // From the middle of the square, mirrored into one quarter: beyond the side is positive.
        const double x = std::abs(static_cast<double>(col - squares.begin(i % kSquares)) + 0.5 - side / 2);
        const double y = std::abs(static_cast<double>(row - squares.begin(i / kSquares)) + 0.5 - side / 2);
        const double dx = x - side / 2;
        const double dy = y - side / 2;
        inside |= std::max(dx, dy) < 0.0;
        to_outline =
            std::min(to_outline, std::max(dx, dy) < 0.0 ? -std::max(dx, dy)
                                                        : std::hypot(std::max(dx, 0.0), std::max(dy, 0.0)));
      }
      const int kind = to_outline <= boundary_px / 2 ? 2 : (inside ? 1 : 0);
      out.at(col, row, kind) = 1.0;
    }
  }
  return out;
}

/// A Gaussian, cut off after four standard deviations; the raster goes on beyond its border as it ends.
Raster<double> blurred(Raster<double> in, double sigma_px) {
  if (sigma_px == 0.0) return in;
  const auto reach = static_cast<std::int64_t>(std::ceil(4.0 * sigma_px));
  for (const bool along_rows : {true, false}) {
    const Raster<double> from = in;
    for (int band = 0; band < in.bands(); ++band) {
      for (std::int64_t row = 0; row < in.height(); ++row) {
        for (std::int64_t col = 0; col < in.width(); ++col) {
          double sum = 0.0;
          double weights = 0.0;
          for (std::int64_t k = -reach; k <= reach; ++k) {
            const double d = static_cast<double>(k) / sigma_px;
            const double weight = std::exp(-0.5 * d * d);
            const std::int64_t x = std::clamp<std::int64_t>(col + (along_rows ? k : 0), 0, in.width() - 1);
            const std::int64_t y = std::clamp<std::int64_t>(row + (along_rows ? 0 : k), 0, in.height() - 1);
            sum += weight * from.at(x, y, band);
            weights += weight;
          }
          in.at(col, row, band) = sum / weights;
        }
      }
    }
  }
  return in;
}

Raster<std::uint8_t> levels_of(const Raster<double>& probabilities) {
  Raster<std::uint8_t> out(probabilities.width(), probabilities.height(), probabilities.bands());
  for (std::size_t i = 0; i < out.data().size(); ++i)
    out.data()[i] = static_cast<std::uint8_t>(std::lround(probabilities.data()[i] * kScoreLevels));
  return out;
}

/// None is lost, none is added, and neither pixels nor polygons are more or less than the squares.
void expect_squares(const ScoreMap& scores, const Squares& squares) {
  ExecContext exec;
  const Delineation result = delineate(scores, {}, exec);
  ASSERT_EQ(result.fields.features.size(), 16U);
  const auto truth_px = static_cast<double>(squares.side_px * squares.side_px);
  double pixels = 0.0;
  double polygons_m2 = 0.0;
  for (std::size_t i = 0; i < 16; ++i) {
    const double px = attribute(result.fields, i, "n_pixels");
    // Where pixels have an equal claim, their order decides: an edge may lie a pixel to one side.
    EXPECT_NEAR(px / truth_px, 1.0, (2.0 * static_cast<double>(squares.side_px) + 1.0) / truth_px) << i;
    pixels += px / 16;
    polygons_m2 += area(result.fields.features[i].geometry) / 16;
  }
  EXPECT_NEAR(pixels / truth_px, 1.0, 0.01);
  EXPECT_NEAR(polygons_m2 / (100.0 * truth_px), 1.0, 0.01);
}

TEST(IdealFields, SquaresKeepTheirNumberAndArea) {
  const test::TemporaryFolder folder;
  for (const std::int64_t side_px : {5, 10, 20, 40}) {
    for (const std::int64_t gap_px : {0, 6}) {
      for (const double boundary_px : {1.0, 2.0, 3.0}) {
        for (const double sigma_px : {0.0, 0.5}) {
          SCOPED_TRACE(concat(side_px, " px, ", gap_px, " px apart, boundary ", boundary_px, " px, sigma ",
                              sigma_px, " px"));
          const Squares squares{side_px, gap_px};
          const Grid grid = test::utm_grid(squares.size(), squares.size());
          const auto levels = levels_of(blurred(classes_of(squares, boundary_px), sigma_px));
          expect_squares(read_three_bands(folder, grid, levels), squares);
        }
      }
    }
  }
}

/// Pixel areas of isolated fields over their true areas, on average. Each one is centred and turned at
/// random.
/// @param to_outline  px from a point (x, y px from the field's centre) to the outline, negative inside
double mean_area_ratio(double boundary_px, double truth_px,
                       const std::function<double(double x, double y)>& to_outline) {
  constexpr std::int64_t kCell = 60;
  constexpr std::int64_t kCells = 6;
  Random random(11);
  Raster<double> classes(kCells * kCell, kCells * kCell, 3);
  for (std::int64_t cell = 0; cell < kCells * kCells; ++cell) {
    const std::int64_t left = cell % kCells * kCell;
    const std::int64_t top = cell / kCells * kCell;
    const double x0 = kCell / 2 + random.uniform(-0.5, 0.5);
    const double y0 = kCell / 2 + random.uniform(-0.5, 0.5);
    const double angle = random.uniform(0.0, 2.0 * std::numbers::pi);
    for (std::int64_t row = 0; row < kCell; ++row) {
      for (std::int64_t col = 0; col < kCell; ++col) {
        const double x = static_cast<double>(col) + 0.5 - x0;
        const double y = static_cast<double>(row) + 0.5 - y0;
        const double d =
            to_outline(x * std::cos(angle) + y * std::sin(angle), y * std::cos(angle) - x * std::sin(angle));
        classes.at(left + col, top + row, std::abs(d) <= boundary_px / 2 ? 2 : (d < 0.0 ? 1 : 0)) = 1.0;
      }
    }
  }
  const test::TemporaryFolder folder;
  const Grid grid = test::utm_grid(classes.width(), classes.height());
  ExecContext exec;
  const Delineation result = delineate(read_three_bands(folder, grid, levels_of(classes)), {}, exec);
  EXPECT_EQ(result.fields.features.size(), kCells * kCells);
  double pixels = 0.0;
  for (std::size_t i = 0; i < result.fields.features.size(); ++i)
    pixels += attribute(result.fields, i, "n_pixels");
  return pixels / (truth_px * kCells * kCells);
}

TEST(IdealFields, RoundAndTurnedFieldsKeepTheirArea) {
  for (const double boundary_px : {1.0, 2.0, 3.0}) {
    for (const double radius_px : {5.0, 7.0, 10.0, 20.0}) {
      SCOPED_TRACE(concat(radius_px, " px, boundary ", boundary_px, " px"));
      const double disc = mean_area_ratio(boundary_px, std::numbers::pi * radius_px * radius_px,
                                          [&](double x, double y) { return std::hypot(x, y) - radius_px; });
      const double height_px = 0.8 * radius_px;
      const double rectangle =
          mean_area_ratio(boundary_px, 4.0 * radius_px * height_px, [&](double x, double y) {
            const double dx = std::abs(x) - radius_px;
            const double dy = std::abs(y) - height_px;
            return std::hypot(std::max(dx, 0.0), std::max(dy, 0.0)) + std::min(std::max(dx, dy), 0.0);
          });
      // Small ones are all corners, which are kept.
      EXPECT_NEAR(disc, 1.0, radius_px > 5.0 ? 0.015 : 0.035);
      EXPECT_NEAR(rectangle, 1.0, radius_px > 7.0 ? 0.025 : (radius_px > 5.0 ? 0.05 : 0.1));
    }
  }
}

TEST(IdealFields, WithTheUsualBoundaryMoreBlurDoesNoHarm) {
  const test::TemporaryFolder folder;
  for (const std::int64_t side_px : {5, 10, 20, 40}) {
    for (const std::int64_t gap_px : {0, 6}) {
      SCOPED_TRACE(concat(side_px, " px, ", gap_px, " px apart"));
      const Squares squares{side_px, gap_px};
      const Grid grid = test::utm_grid(squares.size(), squares.size());
      const auto levels = levels_of(blurred(classes_of(squares, 2.0), 1.0));
      expect_squares(read_three_bands(folder, grid, levels), squares);
    }
  }
}

/// A rule of outer_boundary.h, pixel by pixel and with every pixel around.
std::uint8_t slow_extent(const Raster<std::uint8_t>& levels, std::int64_t col, std::int64_t row) {
  const auto sums = [&](std::int64_t x, std::int64_t y) {
    const int boundary = levels.at(x, y, 2);
    const int extent = std::min(200, levels.at(x, y, 1) + boundary);
    return std::array{extent - boundary, 200 - extent, boundary};
  };
  const auto here = sums(col, row);
  std::int64_t to_interior = 99;
  std::int64_t to_leaning = 99;
  bool background_near = false;
  int interior_before = 0;
  int interior_after = 0;
  int leaning = 0;
  for (std::int64_t y = std::max<std::int64_t>(0, row - 4); y <= std::min(levels.height() - 1, row + 4);
       ++y) {
    for (std::int64_t x = std::max<std::int64_t>(0, col - 4); x <= std::min(levels.width() - 1, col + 4);
         ++x) {
      if (levels.at(x, y) == 255) continue;
      const auto [interior, background, boundary] = sums(x, y);
      const std::int64_t d = std::max(std::abs(x - col), std::abs(y - row));
      if (interior - background > 60) {
        to_interior = std::min(to_interior, d);
        ++(std::pair(y, x) < std::pair(row, col) ? interior_before : interior_after);
      }
      if (background - interior > 60) {
        to_leaning = std::min(to_leaning, d);
        ++leaning;
      }
      background_near |= background >= 100;
    }
  }
  const bool in_doubt = to_interior > 0 && to_leaning > 0;
  bool is_out = to_leaning == 0 || (in_doubt && to_interior < 99 && to_leaning < to_interior);
  if (in_doubt && to_interior < 99 && to_leaning == to_interior) {
    const int interior = interior_before + interior_after;
    const int lean = here[0] - here[1];
    is_out = lean != 0 ? lean < 0 : interior_before > interior_after;
    if (interior >= 2 * leaning) is_out = true;
    if (leaning >= 2 * interior) is_out = false;
  }
  return static_cast<std::uint8_t>(is_out && background_near ? here[0] : here[0] + here[2]);
}

TEST(OuterBoundary, EqualsTheRuleWrittenDownPixelByPixel) {
  const test::TemporaryFolder folder;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Random random(seed);
    const std::int64_t width = 20 + static_cast<std::int64_t>(random.below(30));
    Raster<double> classes(width, 40, 3);
    for (std::int64_t i = 0; i < classes.pixels(); ++i) {
      const std::int64_t block = i / 7 % 5;  // runs of one class, so that all distances occur
      classes.band(random.chance(0.9) ? static_cast<int>(block % 3)
                                      : static_cast<int>(random.below(3)))[static_cast<std::size_t>(i)] = 1.0;
    }
    Raster<std::uint8_t> levels = levels_of(blurred(classes, 0.4 * static_cast<double>(seed % 4)));
    for (std::int64_t i = 0; i < levels.pixels(); ++i) {
      if (!random.chance(0.03)) continue;
      for (int band = 0; band < 3; ++band) levels.band(band)[static_cast<std::size_t>(i)] = 255;
    }
    const Grid grid = test::utm_grid(width, 40);
    const ScoreMap found = read_three_bands(folder, grid, levels);
    std::int64_t changed = 0;
    for (std::int64_t row = 0; row < 40; ++row) {
      for (std::int64_t col = 0; col < width; ++col) {
        if (levels.at(col, row) == 255) continue;
        ASSERT_EQ(found.extent.at(col, row), slow_extent(levels, col, row))
            << seed << ": " << col << "," << row;
        changed += found.extent.at(col, row) < std::min(200, levels.at(col, row, 1) + levels.at(col, row, 2));
      }
    }
    EXPECT_GT(changed, 10);
    // The same from any rows of it.
    ExecContext exec({.threads = 4});
    const ScoreScene scene = open_scores(std::vector{(folder / "scores.tif").string()}, {}, {});
    for (std::int64_t row = 0; row < 40; row += 3) {
      const Window rows{0, row, width, std::min<std::int64_t>(3, 40 - row)};
      const ScoreMap part = scene.rows(rows, exec);
      EXPECT_EQ(part.grid.transform.y0, grid.subgrid(rows).transform.y0);
      EXPECT_EQ(part.grid.height, rows.height);
      ASSERT_TRUE(std::equal(part.extent.data().begin(), part.extent.data().end(),
                             found.extent.data().begin() + row * width));
    }
  }
}

TEST(OuterBoundary, TilesGiveTheWhole) {
  const test::TemporaryFolder folder;
  const Squares squares{10, 6};
  const Grid grid = test::utm_grid(squares.size(), squares.size());
  const auto levels = levels_of(blurred(classes_of(squares, 3.0), 0.6));
  const ScoreMap whole = read_three_bands(folder, grid, levels);
  RasterSpec spec;
  spec.bands = 3;
  spec.scale = 0.005;
  std::vector<std::string> tiles;
  for (const Window& at : {Window{0, 0, 20, grid.height}, Window{20, 0, grid.width - 20, grid.height}}) {
    Raster<std::uint8_t> part(at.width, at.height, 3);
    for (int band = 0; band < 3; ++band) {
      for (std::int64_t i = 0; i < part.pixels(); ++i)
        part.at(i % at.width, i / at.width, band) = levels.at(at.col + i % at.width, i / at.width, band);
    }
    tiles.push_back((folder / concat("tile", at.col, ".tif")).string());
    write_raster(tiles.back(), grid.subgrid(at), part, spec, true);
  }
  ExecContext exec;
  EXPECT_EQ(open_scores(tiles, {}, {}).rows(grid.window(), exec).extent.data(), whole.extent.data());
}

/// Fields known by where they lie in EPSG:32632: a lattice of parcels, turned by 17 degrees, of 140 to 420 m.
class TurnedParcels {
 public:
  /// @return  metres to the nearest outline, negative outside of all parcels
  [[nodiscard]] static double depth_m(Point p) {
    constexpr double kTurn = 17.0 / 180.0 * M_PI;
    const double x = p.x - 500000.0;
    const double y = p.y - 6000000.0;
    const double u = x * std::cos(kTurn) + y * std::sin(kTurn);
    const double v = y * std::cos(kTurn) - x * std::sin(kTurn);
    return std::min(across(u, {0, 420, 600, 740, 1080, 1400}), across(v, {0, 300, 460, 800, 1000, 1380}));
  }

 private:
  static double across(double at, const std::array<double, 6>& lines) {
    const double inside = std::min(at - lines.front(), lines.back() - at);
    if (inside < 0.0) return inside;
    double nearest = inside;
    for (const double line : lines) nearest = std::min(nearest, std::abs(at - line));
    return nearest;
  }
};

/// Extent and boundary scores at the middle of every pixel; the boundary falls off over 10 m.
ScoreMap scores_of_parcels(const Grid& grid) {
  ScoreMap map{grid, Raster<std::uint8_t>(grid.width, grid.height),
               Raster<std::uint8_t>(grid.width, grid.height),
               Raster<std::uint8_t>(grid.width, grid.height, 1, 1)};
  const CoordinateTransform to_utm(grid.crs, Crs::from_user_input("EPSG:32632"));
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t col = 0; col < grid.width; ++col) {
      const double depth = TurnedParcels::depth_m(to_utm.apply(
          grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5})));
      const double extent = depth >= 0.0 ? 0.95 : 0.45 * std::exp(depth / 8.0);
      map.extent.at(col, row) = static_cast<std::uint8_t>(std::lround(kScoreLevels * extent));
      map.boundary.at(col, row) =
          static_cast<std::uint8_t>(std::lround(kScoreLevels * std::exp(-depth * depth / 200.0)));
    }
  }
  return map;
}

struct Parcel {
  Point middle;  ///< in EPSG:32632
  double area_m2;
};

std::vector<Parcel> parcels_on(const Grid& grid) {
  ExecContext exec;
  DelineateOptions options;
  options.simplify_px = 0.0;
  const Delineation result = delineate(scores_of_parcels(grid), options, exec);
  const CoordinateTransform to_utm(grid.crs, Crs::from_user_input("EPSG:32632"));
  std::vector<Parcel> out;
  for (std::size_t i = 0; i < result.fields.features.size(); ++i) {
    const Box box = bounds(to_utm.apply(result.fields.features[i].geometry));
    out.push_back({{(box.min_x + box.max_x) / 2, (box.min_y + box.max_y) / 2},
                   10000.0 * attribute(result.fields, i, "area_ha")});
  }
  return out;
}

TEST(IdealFields, OneSceneOnManyGridsGivesTheSameFieldsAndAreas) {
  const Crs utm = Crs::from_user_input("EPSG:32632");
  const Crs degrees = Crs::from_user_input("EPSG:4326");
  // The parcels lie from (499597, 6000000) to (501339, 6001729), from 8.9938 E, 54.1481 N to 9.0205, 54.1636.
  const std::map<std::string, Grid> grids{
      {"UTM", {200, 200, {499500, 10, 0, 6001850, 0, -10}, utm}},
      {"UTM, half a pixel off", {200, 200, {499504, 10, 0, 6001847, 0, -10}, utm}},
      {"degrees, 10.9 x 10 m", {195, 200, {8.9910, 0.000167, 0, 54.1649, 0, -0.00009}, degrees}},
      {"south-up", {200, 200, {499500, 10, 0, 5999850, 0, 10}, utm}},
      {"oblong pixels", {250, 160, {499500, 8, 0, 6001850, 0, -12.5}, utm}},
      {"rotated by 30 degrees", {290, 290, {499100, 8.660254, 5, 6001200, 5, -8.660254}, utm}}};
  std::map<std::string, std::vector<Parcel>> found;
  for (const auto& [name, grid] : grids) found[name] = parcels_on(grid);
  const auto& expected = found.at("UTM");
  ASSERT_EQ(expected.size(), 25U);
  double expected_sum = 0.0;
  for (const Parcel& parcel : expected) expected_sum += parcel.area_m2;
  EXPECT_NEAR(expected_sum / (1400.0 * 1380.0 / (0.9996 * 0.9996)), 1.0, 0.001);
  for (const auto& [name, parcels] : found) {
    SCOPED_TRACE(name);
    ASSERT_EQ(parcels.size(), expected.size());
    double sum = 0.0;
    for (const Parcel& parcel : expected) {
      const auto same = std::ranges::min_element(parcels, {}, [&](const Parcel& other) {
        return std::hypot(other.middle.x - parcel.middle.x, other.middle.y - parcel.middle.y);
      });
      EXPECT_LT(std::hypot(same->middle.x - parcel.middle.x, same->middle.y - parcel.middle.y), 12.0);
      // Outlines run between pixels: what a field gains or loses by that is some pixels of its perimeter.
      EXPECT_NEAR(same->area_m2 / parcel.area_m2, 1.0, 0.015);
      sum += same->area_m2;
    }
    EXPECT_NEAR(sum / expected_sum, 1.0, 0.001);
  }
}

TEST(IdealFields, APolygonHasTheSameAreaInDegreesAndInMetres) {
  ExecContext exec;
  const Grid grid{200, 200, {499500, 10, 0, 6001850, 0, -10}, Crs::from_user_input("EPSG:32632")};
  const Delineation result = delineate(scores_of_parcels(grid), {}, exec);
  const CoordinateTransform to_degrees(grid.crs, lonlat_crs());
  const GeodesicMeasure measure(lonlat_crs());
  for (std::size_t i = 0; i < result.fields.features.size(); ++i) {
    const double area_m2 = measure.area_m2(to_degrees.apply(result.fields.features[i].geometry));
    EXPECT_NEAR(area_m2 / (10000.0 * attribute(result.fields, i, "area_ha")), 1.0, 1e-6);
  }
}

}  // namespace
}  // namespace furrow::geo
