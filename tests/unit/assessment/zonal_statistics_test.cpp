#include <furrow/assessment/zonal_statistics.h>

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/geos.h>

#include "random_shapes.h"
#include "support.h"

namespace furrow::assessment {
namespace {

class ZonalStatistics : public ::testing::Test {
 protected:
  template <class T>
  std::string write(const std::string& name, const geo::Grid& grid, const geo::Raster<T>& values,
                    std::optional<double> nodata = std::nullopt) {
    geo::RasterSpec spec;
    spec.type = geo::pixel_type_of<T>();
    spec.bands = values.bands();
    spec.nodata = nodata;
    spec.cog = false;
    geo::write_raster(m_folder / name, grid, values, spec, true);
    return (m_folder / name).string();
  }

  static geo::Layer with(geo::Layer layer, const std::vector<ZonalRaster>& rasters, int threads = 2) {
    geo::ExecContext exec({threads, 0});
    exec.execute([&] { add_zonal_statistics(layer, {rasters, {}}, exec); });
    return layer;
  }
  static double real(const geo::Layer& layer, std::size_t i, const std::string& name) {
    return geo::as_real(layer.features[i].values[layer.field(name)]);
  }
  static std::string error(geo::Layer layer, const std::vector<ZonalRaster>& rasters) {
    try {
      (void)with(std::move(layer), rasters);
    } catch (const geo::Error& e) {
      return e.what();
    }
    return "no error";
  }

  test::TemporaryFolder m_folder;
};

/// Columns 0 to 3 hold 1, 2, 3, 4; pixels of 10 m.
geo::Raster<float> columns() {
  geo::Raster<float> values(4, 2);
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t col = 0; col < 4; ++col) values.at(col, row) = static_cast<float>(col + 1);
  }
  return values;
}

TEST_F(ZonalStatistics, ByHand) {
  const auto path = write("v.tif", test::utm_grid(4, 2), columns());
  // From x = 7 to 27: 0.3 of column 0, all of column 1, 0.7 of column 2.
  const auto layer =
      with(test::layer_of({"POLYGON ((500007 5999980, 500027 5999980, 500027 6000000, 500007 6000000, "
                           "500007 5999980))"}),
           {{"v", path}});
  const double mean = (0.3 * 1 + 2 + 0.7 * 3) / 2;
  EXPECT_NEAR(real(layer, 0, "v_mean"), mean, 1e-12);
  const double variance =
      (0.3 * std::pow(1 - mean, 2) + std::pow(2 - mean, 2) + 0.7 * std::pow(3 - mean, 2)) / 2;
  EXPECT_NEAR(real(layer, 0, "v_std"), std::sqrt(variance), 1e-12);
  EXPECT_EQ(real(layer, 0, "v_min"), 2.0);  // column 0 is covered less than half
  EXPECT_EQ(real(layer, 0, "v_max"), 3.0);
  EXPECT_NEAR(real(layer, 0, "v_coverage"), 1.0, 1e-12);
}

TEST_F(ZonalStatistics, APolygonInsideOnePixelAndOneOutside) {
  const auto path = write("v.tif", test::utm_grid(4, 2), columns());
  const auto layer =
      with(test::layer_of({"POLYGON ((500012 5999983, 500014 5999983, 500014 5999985, 500012 5999985, 500012 "
                           "5999983))",
                           "POLYGON ((600012 5999983, 600014 5999983, 600014 5999985, 600012 5999985, 600012 "
                           "5999983))",
                           "POLYGON ((499980 5999980, 500020 5999980, 500020 6000000, 499980 6000000, 499980 "
                           "5999980))"}),
           {{"v", path}});
  EXPECT_EQ(real(layer, 0, "v_mean"), 2.0);
  EXPECT_EQ(real(layer, 0, "v_min"), 2.0);
  EXPECT_EQ(real(layer, 0, "v_std"), 0.0);
  EXPECT_TRUE(std::isnan(real(layer, 1, "v_mean")));
  EXPECT_EQ(real(layer, 1, "v_coverage"), 0.0);
  EXPECT_NEAR(real(layer, 2, "v_mean"), 1.5, 1e-12);  // half of it lies left of the raster
  EXPECT_NEAR(real(layer, 2, "v_coverage"), 0.5, 1e-12);
}

TEST_F(ZonalStatistics, BandsNodataAndNaN) {
  geo::Raster<float> values(4, 2, 2, 5.0F);
  values.at(0, 0, 0) = -1.0F;
  values.at(1, 0, 1) = std::nanf("");
  const auto path = write("two.tif", test::utm_grid(4, 2), values, -1.0);
  const auto layer = with(test::layer_of({"POLYGON ((500000 5999980, 500040 5999980, 500040 6000000, 500000 "
                                          "6000000, 500000 5999980))"}),
                          {{"two", path}});
  EXPECT_NEAR(real(layer, 0, "two_1_coverage"), 7.0 / 8.0, 1e-12);
  EXPECT_NEAR(real(layer, 0, "two_2_coverage"), 7.0 / 8.0, 1e-12);
  EXPECT_EQ(real(layer, 0, "two_1_min"), 5.0);
}

/// The slow reference: GEOS' intersection with every pixel.
TEST_F(ZonalStatistics, EqualsIntersectionsOnOtherGridsAndThreads) {
  geo::Random random(5, 1);
  geo::Grid grid{15, 11, {500000.0, 8.0, 6.0, 6000000.0, 5.0, -9.0}, geo::Crs::from_user_input("EPSG:32632")};
  geo::Raster<double> values(grid.width, grid.height);
  for (double& v : values.data()) v = random.uniform(-5.0, 20.0);
  const auto path = write("rotated.tif", grid, values);
  geo::Layer layer = test::layer_of({});
  for (int i = 0; i < 10; ++i) {
    for (const auto& shape : test::random_shapes(random, grid))
      layer.features.push_back({-1, geo::make_valid(shape), {}});
  }
  const geo::Layer one = with(layer, {{"v", path}}, 1);
  const geo::Layer four = with(layer, {{"v", path}}, 4);
  for (std::size_t i = 0; i < one.features.size(); ++i) {
    EXPECT_EQ(one.features[i].values, four.features[i].values);
    double sum = 0.0;
    double weight = 0.0;
    for (std::int64_t row = 0; row < grid.height; ++row) {
      for (std::int64_t col = 0; col < grid.width; ++col) {
        geo::Polygon pixel;
        for (const auto& [x, y] : {std::pair{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}})
          pixel.shell.push_back(
              grid.transform.to_world({static_cast<double>(col + x), static_cast<double>(row + y)}));
        const double share = geo::intersection_area(layer.features[i].geometry, {pixel});
        sum += share * values.at(col, row);
        weight += share;
      }
    }
    const double mean = real(one, i, "v_mean");
    if (weight > 1e-6) {
      EXPECT_NEAR(mean, sum / weight, 1e-6);
    }
    EXPECT_NEAR(real(one, i, "v_coverage"), weight / geo::area(layer.features[i].geometry), 1e-6);
  }
}

TEST_F(ZonalStatistics, ALargePolygonIsReadInPieces) {
  // 3000 x 1200 pixels: six pieces along blocks of 512.
  const geo::Grid grid = test::utm_grid(3000, 1200);
  geo::Raster<std::uint8_t> values(3000, 1200);
  double sum = 0.0;
  for (std::size_t i = 0; i < values.data().size(); ++i)
    sum += values.data()[i] = static_cast<std::uint8_t>(i % 251);
  const auto path = write("large.tif", grid, values);
  geo::Layer layer = test::layer_of({});
  layer.features.push_back({-1, {geo::to_polygon(grid.bounds())}, {}});
  const auto result = with(layer, {{"v", path}});
  EXPECT_NEAR(real(result, 0, "v_mean"), sum / 3.6e6, 1e-9);
  EXPECT_EQ(real(result, 0, "v_max"), 250.0);
  EXPECT_NEAR(real(result, 0, "v_coverage"), 1.0, 1e-12);
}

TEST_F(ZonalStatistics, PolygonsInAnotherCrs) {
  const auto path = write("v.tif", test::utm_grid(4, 2), columns());
  geo::Layer layer = test::layer_of(
      {"POLYGON ((500007 5999981, 500027 5999981, 500027 5999999, 500007 5999999, 500007 5999981))"});
  const geo::CoordinateTransform transform(layer.crs, geo::lonlat_crs());
  geo::Layer degrees = layer;
  degrees.crs = geo::lonlat_crs();
  degrees.features[0].geometry = transform.apply(layer.features[0].geometry);
  EXPECT_NEAR(real(with(degrees, {{"v", path}}), 0, "v_mean"), real(with(layer, {{"v", path}}), 0, "v_mean"),
              1e-6);
}

TEST_F(ZonalStatistics, RefusesMoreAttributesThanATableHolds) {
  const auto path = write("bands.tif", test::utm_grid(2, 2), geo::Raster<std::uint8_t>(2, 2, 301));
  const geo::Layer layer =
      test::layer_of({"POLYGON ((500000 5999980, 500020 5999980, 500020 6000000, 500000 "
                      "5999980))"});
  EXPECT_THAT(error(layer, {{"v", path}}), ::testing::HasSubstr("301 bands"));
}

TEST_F(ZonalStatistics, NamesAreCheckedAndForeignTextKept) {
  const auto path = write("v.tif", test::utm_grid(4, 2), columns());
  geo::Layer layer = test::layer_of(
      {"POLYGON ((500007 5999981, 500027 5999981, 500027 5999999, 500007 5999999, 500007 5999981))"});
  EXPECT_THAT(error(layer, {{"my ndvi", path}}), ::testing::HasSubstr("--raster-names"));
  EXPECT_THAT(error(layer, {{"v", path}, {"V", path}}), ::testing::HasSubstr("'V_mean'"));
  EXPECT_THAT(error(layer, {{"p_field", path}}), ::testing::HasSubstr("'p_field_mean'"));
  layer.fields = {{"v_mean", geo::FieldType::kString, ""}, {"v_max", geo::FieldType::kInteger, ""}};
  layer.features[0].values = {std::string("soon"), std::int64_t{7}};
  const auto result = with(layer, {{"v", path}});
  EXPECT_EQ(geo::as_text(result.features[0].values[result.field("v_mean_1")]), "soon");
  EXPECT_EQ(real(result, 0, "v_max"), 3.0);
  EXPECT_EQ(result.fields[result.field("v_max")].type, geo::FieldType::kReal);
}

}  // namespace
}  // namespace furrow::assessment
