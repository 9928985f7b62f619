#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/clean.h>
#include <furrow/geo/vector/geos.h>

#include "coverage_check.h"
#include "support.h"

namespace furrow::geo {
namespace {

using test::clean;
using test::shapes_of;

struct RealLayer {
  const char* path;
  double steps;  ///< of the precision grid in a unit of its CRS
};

void PrintTo(const RealLayer& layer, std::ostream* out) {
  *out << layer.path;
}

/// Official parcels and hand-drawn fields, metres and degrees.
class CleanReal : public testing::TestWithParam<RealLayer> {
 protected:
  void SetUp() override {
    FURROW_NEEDS_SHARED_DATA();
    LayerReadOptions read;
    read.invalid = InvalidGeometry::kKeep;
    const std::string path = GetParam().path;
    m_layer =
        read_layer((path.ends_with(".zip") ? "/vsizip/" : "") + test::shared("data/" + path).string(), read);
  }

  Layer m_layer;
};

TEST_P(CleanReal, IsACoverageAndKeepsItsGround) {
  for (const double simplify_m : {0.0, 2.0}) {
    CleanOptions options;
    options.simplify_m = simplify_m;
    const CleanedLayer cleaned = clean(m_layer, options);
    EXPECT_EQ(test::coverage_problem(shapes_of(cleaned.layer), GetParam().steps), "");
    const CleanReport& report = cleaned.report;
    std::int64_t rejected = 0;
    for (const auto& [reason, change] : report.rejected) rejected += change.count;
    EXPECT_EQ(report.features, report.fields + rejected);
    EXPECT_EQ(cleaned.layer.fields.size(), m_layer.fields.size());
    if (simplify_m > 0.0) continue;
    double expected = report.area_before_m2 + report.gaps.area_m2 - report.rejected_pieces.area_m2;
    for (const auto& [reason, change] : report.rejected) {
      // The ground of the others went to a neighbour.
      if (reason == "small" || reason == "sliver") expected -= change.area_m2;
    }
    // Overlaps and duplicates were counted more than once before.
    EXPECT_LE(report.area_after_m2, expected * 1.0001);
    EXPECT_GE(report.area_after_m2, (report.area_before_m2 - report.overlaps.area_m2) * 0.995);
  }
}

TEST_P(CleanReal, AgainChangesNothing) {
  const Layer once = clean(m_layer, {}).layer;
  const Layer twice = clean(once, {}, 1).layer;
  ASSERT_EQ(twice.features.size(), once.features.size());
  for (std::size_t i = 0; i < once.features.size(); ++i) {
    EXPECT_EQ(to_wkt(twice.features[i].geometry), to_wkt(once.features[i].geometry));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layers, CleanReal,
    testing::Values(RealLayer{"denmark/fields_west.gpkg", 100.0},
                    RealLayer{"parcels_national/nl/brpgewaspercelen_definitief_2023.gpkg", 100.0},
                    RealLayer{"parcels_national/nl_block/referentiepercelen.gpkg", 100.0},
                    RealLayer{"parcels_national/dk/Marker_2026.zip", 100.0},
                    RealLayer{"parcels_us/000009_poly_2022.gpkg", 100.0},
                    RealLayer{"ghana_campaign/top_label_fields.gpkg", 1e7}));

}  // namespace
}  // namespace furrow::geo
