#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gdal_priv.h>
#include <gtest/gtest.h>
#include <ogrsf_frmts.h>

#include <furrow/geo/core/random.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"
#include "vector/packed_rtree.h"

namespace furrow::geo {
namespace {

using test::TemporaryFolder;

/// Squares of 1 to 50 m, anywhere in a square of 10 km around (x, y).
Layer squares(std::size_t count, double x, double y) {
  Layer layer = test::layer_of({});
  Random random(7, count);
  for (std::size_t i = 0; i < count; ++i) {
    const double left = x + 10000.0 * random.uniform(), bottom = y + 10000.0 * random.uniform();
    const double side = 1.0 + 49.0 * random.uniform();
    Feature feature;
    feature.geometry = {{{{left, bottom},
                          {left + side, bottom},
                          {left + side, bottom + side},
                          {left, bottom + side},
                          {left, bottom}},
                         {}}};
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

GDALDatasetUniquePtr open(const std::string& path, unsigned how = GDAL_OF_READONLY) {
  return GDALDatasetUniquePtr(GDALDataset::Open(path.c_str(), GDAL_OF_VECTOR | how));
}

std::string answer(GDALDataset& dataset, const std::string& sql) {
  OGRLayer* rows = dataset.ExecuteSQL(sql.c_str(), nullptr, nullptr);
  const OGRFeatureUniquePtr row(rows == nullptr ? nullptr : rows->GetNextFeature());
  const std::string text = row ? row->GetFieldAsString(0) : "no row";
  dataset.ReleaseResultSet(rows);
  return text;
}

std::set<GIntBig> ids_in(OGRLayer& layer, const Box& box, bool by_index) {
  std::set<GIntBig> ids;
  layer.SetSpatialFilter(nullptr);
  if (by_index) layer.SetSpatialFilterRect(box.min_x, box.min_y, box.max_x, box.max_y);
  layer.ResetReading();
  for (OGRFeatureUniquePtr feature(layer.GetNextFeature()); feature; feature.reset(layer.GetNextFeature())) {
    OGREnvelope e;
    feature->GetGeometryRef()->getEnvelope(&e);
    if (by_index || box.intersects({e.MinX, e.MinY, e.MaxX, e.MaxY})) ids.insert(feature->GetFID());
  }
  return ids;
}

class GeoPackageIndex : public ::testing::TestWithParam<int> {};

TEST_P(GeoPackageIndex, FindsWhatLookingAtEveryFeatureFinds) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.gpkg";
  const auto count = static_cast<std::size_t>(GetParam());
  // Far from 0 single precision is coarse: half a metre here.
  write_layer(squares(count, 500000.0, 5999000.3), path, false);
  const auto dataset = open(path);
  ASSERT_EQ(answer(*dataset, "SELECT rtreecheck('rtree_fields_geom')"), "ok");
  EXPECT_EQ(answer(*dataset, "SELECT count(*) FROM rtree_fields_geom"), std::to_string(count));
  OGRLayer& layer = *dataset->GetLayer(0);
  EXPECT_EQ(answer(*dataset, "SELECT HasSpatialIndex('fields', 'geom')"), "1");
  Random random(3, 1);
  for (int i = 0; i < 20; ++i) {
    const double x = 500000.0 + 10000.0 * random.uniform(), y = 5999000.0 + 10000.0 * random.uniform();
    const Box box{x, y, x + 1500.0 * random.uniform(), y + 1500.0 * random.uniform()};
    EXPECT_EQ(ids_in(layer, box, true), ids_in(layer, box, false));
  }
}

// A node has 51 members: none, one, a full root, two leaves, three levels.
INSTANTIATE_TEST_SUITE_P(Sizes, GeoPackageIndex, ::testing::Values(0, 1, 51, 52, 3000));

TEST(GeoPackageIndexEditing, StaysRightWhenGdalChangesTheLayer) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.gpkg";
  write_layer(squares(400, -3000.0, -2000.0), path, false);
  {
    const auto dataset = open(path, GDAL_OF_UPDATE);
    OGRLayer& layer = *dataset->GetLayer(0);
    ASSERT_EQ(dataset->StartTransaction(), OGRERR_NONE);
    for (GIntBig fid = 1; fid <= 300; fid += 3) ASSERT_EQ(layer.DeleteFeature(fid), OGRERR_NONE);
    OGRFeature feature(layer.GetLayerDefn());
    OGRPolygon polygon;
    const char* wkt = "POLYGON((90000 90000, 90010 90000, 90010 90010, 90000 90000))";
    ASSERT_EQ(polygon.importFromWkt(&wkt), OGRERR_NONE);
    feature.SetGeometry(&polygon);
    for (int i = 0; i < 200; ++i) {
      feature.SetFID(OGRNullFID);
      ASSERT_EQ(layer.CreateFeature(&feature), OGRERR_NONE);
    }
    const OGRFeatureUniquePtr moved(layer.GetFeature(2));
    moved->SetGeometry(&polygon);
    ASSERT_EQ(layer.SetFeature(moved.get()), OGRERR_NONE);
    ASSERT_EQ(dataset->CommitTransaction(), OGRERR_NONE);
  }
  const auto dataset = open(path);
  EXPECT_EQ(answer(*dataset, "SELECT rtreecheck('rtree_fields_geom')"), "ok");
  EXPECT_EQ(answer(*dataset, "SELECT count(*) FROM rtree_fields_geom"), "500");
  EXPECT_EQ(ids_in(*dataset->GetLayer(0), {89000, 89000, 91000, 91000}, true).size(), 201U);
}

TEST(GeoPackageIndexNames, AreThoseOfTheLayer) {
  const TemporaryFolder folder;
  Layer layer = squares(60, 0.0, 0.0);
  layer.name = "my \"fields\"";
  layer.add_field({"geom", FieldType::kInteger, ""});
  layer.add_field({"FID", FieldType::kInteger, "Number"});
  write_layer(layer, folder / "a.gpkg", false);
  const auto dataset = open(folder / "a.gpkg");
  EXPECT_EQ(answer(*dataset, "SELECT rtreecheck('rtree_my \"fields\"_geom_1')"), "ok");
  EXPECT_EQ(ids_in(*dataset->GetLayer(0), {-1, -1, 20000, 20000}, true).size(), 60U);
}

TEST(PackedRtree, DoesNotDependOnTheOrderAndHoldsEveryBoxOnce) {
  std::vector<IndexedBox> boxes;
  Random random(1, 2);
  for (std::int64_t id = 1; id <= 1234; ++id) {
    const double x = random.uniform(), y = random.uniform();
    boxes.push_back(rounded_outward(id, x, y, x + 0.01, y + 0.01));
  }
  const PackedRtree tree = pack_rtree(boxes, 7);
  std::ranges::reverse(boxes);
  const PackedRtree other = pack_rtree(boxes, 7);
  ASSERT_EQ(tree.nodes.size(), other.nodes.size());
  std::multiset<std::int64_t> ids;
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    const PackedNode& node = tree.nodes[i];
    EXPECT_EQ(node.number, static_cast<std::int64_t>(i + 1));
    EXPECT_LE(node.members.size(), 7U);
    ASSERT_EQ(node.members.size(), other.nodes[i].members.size());
    for (std::size_t m = 0; m < node.members.size(); ++m) {
      EXPECT_EQ(node.members[m].id, other.nodes[i].members[m].id);
      if (node.is_leaf) ids.insert(node.members[m].id);
      if (node.is_leaf) continue;
      EXPECT_EQ(tree.nodes[static_cast<std::size_t>(node.members[m].id - 1)].parent, node.number);
    }
  }
  EXPECT_EQ(ids.size(), 1234U);
  EXPECT_EQ(std::set<std::int64_t>(ids.begin(), ids.end()).size(), 1234U);
}

TEST(PackedRtree, BoxesAreRoundedOutward) {
  for (const double value : {0.1, -0.1, 5999000.3, -5999000.3, 500000.0, 1e-40}) {
    const IndexedBox box = rounded_outward(1, value, value, value, value);
    EXPECT_LE(static_cast<double>(box.min_x), value);
    EXPECT_GE(static_cast<double>(box.max_x), value);
    EXPECT_LE(static_cast<double>(box.min_y), value);
    EXPECT_GE(static_cast<double>(box.max_y), value);
    EXPECT_LE(box.max_x, std::nextafter(box.min_x, 1e30F));
  }
}

}  // namespace
}  // namespace furrow::geo
