#include <furrow/assessment/field_quality.h>

#include <cmath>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::assessment {
namespace {

/// 20 x 10 pixels: two 8 x 8 fields side by side (columns 1-8 and 9-16), a line of boundary score `between`
/// on columns 8 and 9.
class FieldQuality : public ::testing::Test {
 protected:
  void write_scores(double between, std::uint8_t nodata_column = 255) {
    geo::Raster<std::uint8_t> scores(20, 10, 3);
    for (std::int64_t row = 0; row < 10; ++row) {
      for (std::int64_t col = 0; col < 20; ++col) {
        const bool field = col >= 1 && col <= 16 && row >= 1 && row <= 8;
        const bool edge = field && (col == 8 || col == 9);
        const auto boundary = static_cast<std::uint8_t>(edge ? 200 * between : 0);
        scores.at(col, row, 2) = boundary;
        scores.at(col, row, 1) = static_cast<std::uint8_t>(field ? 160 - boundary : 0);
        scores.at(col, row, 0) = static_cast<std::uint8_t>(field ? 40 : 200);
        if (col == nodata_column) {
          for (int b = 0; b < 3; ++b) scores.at(col, row, b) = 255;
        }
      }
    }
    geo::RasterSpec spec;
    spec.bands = 3;
    spec.nodata = 255;
    spec.scale = 0.005;
    spec.cog = false;
    spec.metadata["TIFFTAG_DATETIME"] = "2021:06:15 10:30:00";
    geo::write_raster(m_folder / "scores.tif", m_grid, scores, spec, true);
  }

  geo::Layer fields() const {
    geo::Layer layer;
    layer.name = "fields";
    layer.crs = m_grid.crs;
    for (const double col : {1.0, 9.0}) {
      geo::Feature feature;
      const geo::Point a = m_grid.transform.to_world({col, 9});
      const geo::Point b = m_grid.transform.to_world({col + 8, 1});
      feature.geometry = {geo::to_polygon(geo::Box{a.x, a.y, b.x, b.y})};
      layer.features.push_back(feature);
    }
    return layer;
  }

  geo::Layer assessed(int threads = 2) {
    geo::Layer layer = fields();
    geo::ExecContext exec({threads, 0});
    exec.execute([&] {
      add_field_quality(layer, {(m_folder / "scores.tif").string(), "", "", 0.0, ""}, exec);
    });
    return layer;
  }
  static double real(const geo::Layer& layer, std::size_t i, const std::string& name) {
    return geo::as_real(layer.features[i].values[layer.field(name)]);
  }
  static std::string text(const geo::Layer& layer, std::size_t i, const std::string& name) {
    return geo::as_text(layer.features[i].values[layer.field(name)]);
  }

  test::TemporaryFolder m_folder;
  geo::Grid m_grid = test::utm_grid(20, 10);
};

TEST_F(FieldQuality, FiguresByHand) {
  write_scores(0.5);
  const auto layer = assessed();
  EXPECT_EQ(real(layer, 0, "n_pixels"), 64.0);
  EXPECT_NEAR(real(layer, 0, "p_field_mean"), 0.8, 1e-9);
  EXPECT_NEAR(real(layer, 0, "p_field_min"), 0.8, 1e-9);
  // UTM near its central meridian: scale 0.9996, so the ground is larger than the map.
  EXPECT_NEAR(real(layer, 0, "area_ha"), 0.64 / (0.9996 * 0.9996), 1e-4);
  EXPECT_NEAR(real(layer, 0, "compactness"), std::numbers::pi / 4.0, 1e-4);
  // Only the pixels of the shared edge have a boundary score; 3 x 3 pixels around it see it at both ends too.
  EXPECT_NEAR(real(layer, 0, "weakest_shared_edge"), 0.5, 1e-6);
  EXPECT_GT(real(layer, 0, "boundary_strength"), 0.5 * 0.25);
  EXPECT_LT(real(layer, 0, "boundary_strength"), 0.5 * 0.40);
  const double plain = -0.2 * std::log(0.2) - 0.8 * std::log(0.8);
  const double edge = -0.2 * std::log(0.2) - 0.3 * std::log(0.3) - 0.5 * std::log(0.5);
  EXPECT_NEAR(real(layer, 0, "entropy_mean"), (56 * plain + 8 * edge) / 64, 1e-5);
  EXPECT_EQ(text(layer, 0, "image_date"), "2021-06-15");
  EXPECT_EQ(text(layer, 0, "flag"), "");
}

TEST_F(FieldQuality, AWeakEdgeIsFlagged) {
  write_scores(0.1);
  const auto layer = assessed();
  EXPECT_NEAR(real(layer, 1, "weakest_shared_edge"), 0.1, 1e-6);
  EXPECT_EQ(text(layer, 1, "flag"), "weak_boundary");
}

TEST_F(FieldQuality, NodataIsLeftOutAndSaid) {
  write_scores(0.5, 12);
  const auto layer = assessed();
  EXPECT_EQ(real(layer, 1, "n_pixels"), 56.0);
  EXPECT_NEAR(real(layer, 1, "p_field_mean"), 0.8, 1e-9);
  EXPECT_EQ(real(layer, 1, "cut_by_nodata"), 1.0);
  EXPECT_EQ(real(layer, 0, "cut_by_nodata"), 0.0);
}

TEST_F(FieldQuality, TheSameInAnotherCrs) {
  write_scores(0.5);
  geo::Layer degrees = fields();
  const geo::CoordinateTransform transform(degrees.crs, geo::lonlat_crs());
  for (auto& feature : degrees.features) feature.geometry = transform.apply(feature.geometry);
  degrees.crs = geo::lonlat_crs();
  geo::ExecContext exec;
  add_field_quality(degrees, {(m_folder / "scores.tif").string(), "", "", 0.0, ""}, exec);
  const auto metres = assessed();
  EXPECT_EQ(real(degrees, 0, "n_pixels"), real(metres, 0, "n_pixels"));
  EXPECT_NEAR(real(degrees, 0, "area_ha"), real(metres, 0, "area_ha"), 1e-5);
}

TEST_F(FieldQuality, DoesNotDependOnThreads) {
  write_scores(0.5);
  const auto one = assessed(1);
  const auto four = assessed(4);
  for (std::size_t i = 0; i < one.features.size(); ++i)
    EXPECT_EQ(one.features[i].values, four.features[i].values);
}

TEST_F(FieldQuality, AFieldOutsideTheRasterSaysSo) {
  write_scores(0.5);
  geo::Layer layer = fields();
  for (auto& p : layer.features[0].geometry[0].shell) p.x += 1e5;
  geo::ExecContext exec;
  add_field_quality(layer, {(m_folder / "scores.tif").string(), "", "", 0.0, ""}, exec);
  EXPECT_EQ(text(layer, 0, "flag"), "no_data");
  EXPECT_TRUE(std::isnan(real(layer, 0, "confidence")));
}

TEST_F(FieldQuality, RefusesStoredValuesAsScoresAndDatesThatAreNone) {
  write_scores(0.5);
  geo::ExecContext exec;
  const auto error = [&](const QualityOptions& options) -> std::string {
    geo::Layer layer = fields();
    try {
      add_field_quality(layer, options, exec);
    } catch (const geo::Error& e) {
      return e.what();
    }
    return "no error";
  };
  QualityOptions options{(m_folder / "scores.tif").string(), "", "", 1.0, ""};
  EXPECT_THAT(error(options),
              ::testing::AllOf(::testing::HasSubstr("outside 0..1"), ::testing::HasSubstr("--scale")));
  options.scale = 0.0;
  EXPECT_EQ(error(options), "no error");
  for (const char* date : {"soon", "2021-02-30", "2021-06-xx"}) {
    options.image_date = date;
    EXPECT_THAT(error(options), ::testing::HasSubstr("is not a date; write YYYY-MM-DD")) << date;
  }
}

TEST_F(FieldQuality, PixelsCountByTheirShare) {
  write_scores(0.5);
  geo::Layer layer = fields();
  // From column 0.4 to 3: 0.6 of column 0 (score 0), all of columns 1 and 2 (score 0.8); rows 2 and 3.
  const geo::Point a = m_grid.transform.to_world({0.4, 4});
  const geo::Point b = m_grid.transform.to_world({3, 2});
  layer.features[0].geometry = {geo::to_polygon(geo::Box{a.x, a.y, b.x, b.y})};
  // Inside one pixel of a field.
  const geo::Point c = m_grid.transform.to_world({12.1, 4.6});
  const geo::Point d = m_grid.transform.to_world({12.4, 4.2});
  layer.features[1].geometry = {geo::to_polygon(geo::Box{c.x, c.y, d.x, d.y})};
  geo::ExecContext exec;
  add_field_quality(layer, {(m_folder / "scores.tif").string(), "", "", 0.0, ""}, exec);
  EXPECT_NEAR(real(layer, 0, "p_field_mean"), 0.8 * 2.0 / 2.6, 1e-6);
  EXPECT_EQ(real(layer, 0, "p_field_min"), 0.0);
  EXPECT_EQ(real(layer, 0, "n_pixels"), 6.0);
  EXPECT_EQ(real(layer, 0, "touches_edge"), 1.0);
  EXPECT_NEAR(real(layer, 1, "p_field_mean"), 0.8, 1e-6);
  EXPECT_NEAR(real(layer, 1, "p_field_min"), 0.8, 1e-6);
  EXPECT_EQ(real(layer, 1, "n_pixels"), 1.0);
}

TEST_F(FieldQuality, WithoutScoresWhatAnEarlierRunFoundStays) {
  write_scores(0.5);
  geo::Layer layer = fields();
  geo::ExecContext exec;
  EXPECT_TRUE(add_field_quality(layer, {}, exec).fields.empty());
  EXPECT_GT(real(layer, 0, "area_ha"), 0.6);
  EXPECT_TRUE(std::isnan(real(layer, 0, "p_field_mean")));
  EXPECT_TRUE(std::isnan(real(layer, 0, "confidence")));
  layer = assessed();
  const auto before = layer.features[0].values;
  add_field_quality(layer, {}, exec);
  EXPECT_EQ(layer.features[0].values, before);
}

TEST_F(FieldQuality, ConfidenceBecomesTheProbabilityOfAMatch) {
  write_scores(0.5);
  geo::Layer layer = fields();
  geo::ExecContext exec;
  const auto found = add_field_quality(layer, {(m_folder / "scores.tif").string(), "", "", 0.0, ""}, exec);
  ASSERT_EQ(found.fields.size(), 2U);
  EXPECT_EQ(real(layer, 0, "confidence"), std::round(100.0 * found.fields[0].raw));
  EXPECT_TRUE(std::isnan(real(layer, 0, "p_match")));
  EXPECT_TRUE(found.fields[0].whole);
  set_match_probabilities(layer, found, MonotoneCurve({{0.0, 0.0}, {1.0, 0.5}}));
  EXPECT_NEAR(real(layer, 0, "p_match"), 0.5 * found.fields[0].raw, 1e-6);
  EXPECT_EQ(real(layer, 0, "confidence"), std::round(50.0 * found.fields[0].raw));
}

TEST_F(FieldQuality, KeepsWhatItDoesNotKnow) {
  write_scores(0.5);
  geo::Layer layer = fields();
  layer.fields = {{"crop", geo::FieldType::kString, ""}, {"id", geo::FieldType::kString, ""}};
  layer.features[0].values = {std::string("wheat"), std::string("A1")};
  layer.features[1].values = {std::string("maize"), std::monostate{}};
  geo::ExecContext exec;
  add_field_quality(layer, {(m_folder / "scores.tif").string(), "", "", 0.0, ""}, exec);
  EXPECT_EQ(text(layer, 0, "id"), "A1");
  EXPECT_EQ(text(layer, 1, "id").size(), 17U);
  EXPECT_EQ(text(layer, 1, "crop"), "maize");
}

}  // namespace
}  // namespace furrow::assessment
