#include <furrow/simulation/scene.h>

#include <cmath>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/geos.h>

#include "support.h"

namespace furrow::simulation {
namespace {

using ::testing::HasSubstr;

SceneOptions options_for(std::int64_t size_px, std::uint64_t seed = 1) {
  SceneOptions options;
  options.width_px = options.height_px = size_px;
  options.crs = geo::Crs::from_user_input("EPSG:32632");
  options.seed = seed;
  return options;
}

geo::Window whole(const SceneSimulator& scene) {
  return {0, 0, scene.grid().width, scene.grid().height};
}

double mean_area_ha(const geo::Layer& truth) {
  double total = 0.0;
  for (const auto& f : truth.features) total += geo::as_real(f.values[truth.field("area_ha")]);
  return total / static_cast<double>(truth.features.size());
}

TEST(SceneSimulator, TrueFieldsAreValidDisjointAndInside) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const SceneSimulator scene(options_for(300, seed));
    const auto& truth = scene.truth();
    ASSERT_GT(truth.features.size(), 60U);
    const geo::Box box = scene.grid().bounds();
    std::vector<geo::Box> boxes;
    for (const auto& f : truth.features) boxes.push_back(geo::bounds(f.geometry));
    for (std::size_t i = 0; i < truth.features.size(); ++i) {
      const auto& shape = truth.features[i].geometry;
      ASSERT_EQ(shape.size(), 1U);
      EXPECT_TRUE(geo::check_validity(shape).valid) << geo::to_wkt(shape);
      EXPECT_GE(geo::area(shape), 400.0);  // four pixels
      EXPECT_TRUE(boxes[i].min_x >= box.min_x && boxes[i].max_x <= box.max_x && boxes[i].min_y >= box.min_y &&
                  boxes[i].max_y <= box.max_y);
      EXPECT_EQ(geo::as_integer(truth.features[i].values[truth.field("id")]),
                static_cast<std::int64_t>(i) + 1);
      EXPECT_NEAR(geo::as_real(truth.features[i].values[truth.field("area_ha")]), geo::area(shape) / 1e4,
                  0.002 * geo::area(shape) / 1e4 + 1e-4);
      for (std::size_t k = 0; k < i; ++k) {
        if (!boxes[i].intersects(boxes[k])) continue;
        EXPECT_LT(geo::intersection_area(shape, truth.features[k].geometry), 1e-3);
      }
    }
  }
}

TEST(SceneSimulator, RendersGivenFieldsWhereTheyLie) {
  SceneOptions options = options_for(64);
  options.noise = 0.0;
  const auto square = [](double x, double y, double side) {
    return geo::MultiPolygon{geo::to_polygon(geo::Box{x, y, x + side, y + side})};
  };
  const geo::Point corner = options.origin;  // upper left
  options.fields = {square(corner.x + 100.0, corner.y - 300.0, 200.0),
                    square(corner.x + 250.0, corner.y - 300.0, 200.0),   // 50 m of it belong to the first
                    square(corner.x + 600.0, corner.y - 700.0, 200.0)};  // 40 m of it lie in the scene
  const SceneSimulator scene(options);
  const geo::Layer& truth = scene.truth();
  ASSERT_EQ(truth.features.size(), 3u);
  const auto area = [&](std::size_t i) { return geo::area(truth.features[i].geometry); };
  EXPECT_NEAR(area(0), 40000.0, 1.0);
  EXPECT_NEAR(area(1), 30000.0, 1.0);
  EXPECT_NEAR(area(2), 40.0 * 140.0, 1.0);
  EXPECT_EQ(geo::bounds(truth.features[0].geometry).min_x, corner.x + 100.0);
  // Given fields hide the invented land whatever its seed would have put there: one crop each, no roads.
  const geo::Raster<std::uint16_t> inside = scene.render({13, 13, 10, 14});
  const geo::Raster<std::uint16_t> all = scene.render({0, 0, 64, 64});
  const auto spread = [](const geo::Raster<std::uint16_t>& pixels) {
    double sum = 0.0;
    double squares = 0.0;
    for (const std::uint16_t value : pixels.band(3)) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const auto n = static_cast<double>(pixels.pixels());
    return std::sqrt(squares / n - sum / n * (sum / n));
  };
  EXPECT_LT(spread(inside), 0.5 * spread(all));
}

TEST(SceneSimulator, SomeFieldsTouchAndMostDoNot) {
  const SceneSimulator scene(options_for(300));
  const auto& features = scene.truth().features;
  int touching = 0;
  for (std::size_t i = 0; i < features.size(); ++i) {
    bool touches = false;
    for (std::size_t k = 0; k < features.size(); ++k) {
      if (i == k || !geo::bounds(features[i].geometry).intersects(geo::bounds(features[k].geometry)))
        continue;
      touches = touches ||
                geo::intersection_area(geo::buffer(features[i].geometry, 0.3), features[k].geometry) > 3.0;
    }
    touching += touches ? 1 : 0;
  }
  const double share = touching / static_cast<double>(features.size());
  EXPECT_GT(share, 0.15);
  EXPECT_LT(share, 0.75);
}

TEST(SceneSimulator, MeanFieldSizeFollowsTheOption) {
  double total = 0.0;
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U})
    total += mean_area_ha(SceneSimulator(options_for(500, seed)).truth()) / 4.0;
  EXPECT_NEAR(total, 3.0, 0.6);
  auto small = options_for(400);
  small.pixel_m = 3.0;
  small.mean_field_ha = 0.5;
  EXPECT_NEAR(mean_area_ha(SceneSimulator(small).truth()), 0.5, 0.2);
}

TEST(SceneSimulator, WindowsDoNotMatter) {
  auto options = options_for(61);
  options.height_px = 47;
  options.cloud_share = 0.1;
  const SceneSimulator scene(options);
  const auto all = scene.render(whole(scene));
  for (const auto& tile : geo::make_tiles(scene.grid(), 17, 0)) {
    const auto part = scene.render(tile.core);
    for (int b = 0; b < 4; ++b) {
      for (std::int64_t row = 0; row < tile.core.height; ++row) {
        for (std::int64_t col = 0; col < tile.core.width; ++col) {
          ASSERT_EQ(part.at(col, row, b), all.at(tile.core.col + col, tile.core.row + row, b));
        }
      }
    }
  }
}

TEST(SceneSimulator, FieldsDifferMoreFromEachOtherThanWithin) {
  const SceneSimulator scene(options_for(300));
  const auto pixels = scene.render(whole(scene));
  std::vector<geo::MultiPolygon> inner;  // a pixel and a half from the outline: no mixed pixels
  for (const auto& f : scene.truth().features) {
    if (geo::area(f.geometry) > 2e4) inner.push_back(geo::buffer(f.geometry, -15.0));
  }
  const auto ids = geo::rasterize_instances(inner, scene.grid());
  std::map<std::uint32_t, std::vector<double>> values;
  for (std::int64_t row = 0; row < ids.height(); ++row) {
    for (std::int64_t col = 0; col < ids.width(); ++col) {
      if (ids.at(col, row) > 0)
        values[ids.at(col, row)].push_back(static_cast<double>(pixels.at(col, row, 3)));
    }
  }
  ASSERT_GT(values.size(), 50U);
  double within = 0.0, mean = 0.0, between = 0.0;
  std::vector<double> means;
  for (const auto& [id, v] : values) {
    double m = 0.0, variance = 0.0;
    for (const double x : v) m += x / static_cast<double>(v.size());
    for (const double x : v) variance += (x - m) * (x - m) / static_cast<double>(v.size());
    within += variance / static_cast<double>(values.size());
    mean += m / static_cast<double>(values.size());
    means.push_back(m);
  }
  for (const double m : means) between += (m - mean) * (m - mean) / static_cast<double>(means.size());
  EXPECT_GT(between, 5.0 * within);
  EXPECT_GT(within, 20.0 * 20.0);  // but fields are not flat either: the noise alone is 30
}

TEST(SceneSimulator, CloudsHideTheStatedShareAndOnlyTheyAreZero) {
  auto options = options_for(256);
  const auto zeros = [](const geo::Raster<std::uint16_t>& pixels) {
    const auto band = pixels.band(2);
    return static_cast<double>(std::ranges::count(band, 0)) / static_cast<double>(band.size());
  };
  SceneSimulator clear(options);
  EXPECT_EQ(zeros(clear.render(whole(clear))), 0.0);
  options.cloud_share = 0.3;
  SceneSimulator cloudy(options);
  const auto pixels = cloudy.render(whole(cloudy));
  EXPECT_NEAR(zeros(pixels), 0.3, 0.002);
  for (std::int64_t i = 0; i < pixels.pixels(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    EXPECT_EQ(pixels.band(0)[k] == 0, pixels.band(3)[k] == 0);
  }
  EXPECT_EQ(cloudy.truth().features.size(), clear.truth().features.size());
}

TEST(SceneSimulator, NoiseHasTheStatedSpread) {
  auto options = options_for(200);
  options.noise = 0.0;
  const SceneSimulator quiet(options);
  options.noise = 0.01;
  const SceneSimulator noisy(options);
  const auto a = quiet.render(whole(quiet));
  const auto b = noisy.render(whole(noisy));
  double sum = 0.0, squares = 0.0;
  for (std::int64_t i = 0; i < a.pixels(); ++i) {
    const double d = static_cast<double>(b.band(3)[static_cast<std::size_t>(i)]) -
                     static_cast<double>(a.band(3)[static_cast<std::size_t>(i)]);
    sum += d;
    squares += d * d;
  }
  const double n = static_cast<double>(a.pixels());
  EXPECT_NEAR(sum / n, 0.0, 2.5);  // 100 / sqrt(40000) = 0.5
  EXPECT_NEAR(std::sqrt(squares / n), 100.0, 2.0);
}

TEST(SceneSimulator, DateChangesCropsButNotFields) {
  auto options = options_for(120);
  const SceneSimulator june(options);
  options.date = "2021-09-20";
  const SceneSimulator september(options);
  ASSERT_EQ(june.truth().features.size(), september.truth().features.size());
  for (std::size_t i = 0; i < june.truth().features.size(); ++i) {
    EXPECT_EQ(june.truth().features[i].geometry.front().shell,
              september.truth().features[i].geometry.front().shell);
    EXPECT_EQ(june.truth().features[i].values, september.truth().features[i].values);
  }
  EXPECT_NE(june.render(whole(june)).data(), september.render(whole(september)).data());
}

TEST(SceneSimulator, SeedsGiveOtherLand) {
  const SceneSimulator a(options_for(120, 1));
  const SceneSimulator b(options_for(120, 2));
  EXPECT_NE(a.render(whole(a)).data(), b.render(whole(b)).data());
}

TEST(SceneSimulator, MeasuresInMetresWhateverTheUnit) {
  auto options = options_for(100);
  options.crs = geo::Crs::from_user_input("EPSG:2263");  // US survey feet
  options.origin = {1000000.0, 250000.0};
  const SceneSimulator feet(options);
  EXPECT_NEAR(feet.grid().transform.dx, 10.0 / 0.3048006096, 1e-6);
  const SceneSimulator metres(options_for(100));
  EXPECT_EQ(feet.truth().features.size(), metres.truth().features.size());
  EXPECT_EQ(feet.render(whole(feet)).data(), metres.render(whole(metres)).data());
}

TEST(SceneSimulator, SceneOfOnePixelHasNoField) {
  const SceneSimulator scene(options_for(1));
  EXPECT_TRUE(scene.truth().features.empty());
  EXPECT_GE(scene.render({0, 0, 1, 1}).at(0, 0), 1);
}

TEST(SceneSimulator, RefusesWhatMakesNoSense) {
  const auto message = [](const SceneOptions& options) -> std::string {
    try {
      const SceneSimulator scene(options);
    } catch (const geo::Error& error) {
      return error.what();
    }
    return "no error";
  };
  auto options = options_for(10);
  options.crs = geo::lonlat_crs();
  EXPECT_THAT(message(options), HasSubstr("needs a projected CRS, got EPSG:4326"));
  options = options_for(10);
  options.date = "June";
  EXPECT_THAT(message(options), HasSubstr("'June' is not a date"));
  options = options_for(10);
  options.bands = 7;
  EXPECT_THAT(message(options), HasSubstr("bands must be between 1 and 6, got 7"));
  options = options_for(10);
  options.cloud_share = -0.5;
  EXPECT_THAT(message(options), HasSubstr("clouds must be between 0 and 0.95, got -0.5"));
}

TEST(WriteScene, ThreadsDoNotMatterAndBandsAreNamed) {
  auto options = options_for(300);
  options.height_px = 140;
  const test::TemporaryFolder folder;
  for (const int threads : {1, 4}) {
    geo::ExecContext exec({threads, 0});
    const SceneSimulator scene(options);
    write_scene(scene, options, folder / std::to_string(threads), false, exec);
  }
  EXPECT_EQ(test::bytes_of(folder / "1/scene.tif"), test::bytes_of(folder / "4/scene.tif"));
  const auto one = geo::read_layer((folder / "1/truth.gpkg").string(), {});
  const auto four = geo::read_layer((folder / "4/truth.gpkg").string(), {});
  ASSERT_EQ(one.features.size(), four.features.size());
  for (std::size_t i = 0; i < one.features.size(); ++i) {
    EXPECT_EQ(geo::to_wkt(one.features[i].geometry), geo::to_wkt(four.features[i].geometry));
  }
  const geo::RasterReader reader((folder / "1/scene.tif").string());
  EXPECT_EQ(reader.bands(), 4);
  EXPECT_EQ(reader.band(3).description, "NIR");
  EXPECT_EQ(reader.band(0).nodata, 0.0);
  EXPECT_EQ(reader.grid().crs.epsg(), 32632);
  const SceneSimulator scene(options);
  EXPECT_EQ(reader.read<std::uint16_t>(whole(scene)).data(), scene.render(whole(scene)).data());
}

}  // namespace
}  // namespace furrow::simulation
