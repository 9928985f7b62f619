#include <furrow/assessment/object_accuracy.h>

#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

namespace furrow::assessment {
namespace {

geo::MultiPolygon square(double x, double y, double side) {
  return {geo::to_polygon(geo::Box{x, y, x + side, y + side})};
}

TEST(ObjectAccuracy, AMapIsPerfectAgainstItself) {
  const std::vector<geo::MultiPolygon> fields{square(0, 0, 10), square(10, 0, 10), square(30, 5, 4)};
  const auto a = assess_objects(fields, fields, {});
  EXPECT_EQ(a.f1(), 1.0);
  EXPECT_EQ(a.mean_matched_iou, 1.0);
  EXPECT_EQ(a.reference, 3);
}

TEST(ObjectAccuracy, CountsMatchesAboveTheThresholdOnly) {
  // IoU of the first pair: 10 x 6 shared of 10 x 14 = 3/7; of the second: 9 of 11.
  const std::vector<geo::MultiPolygon> reference{square(0, 0, 10), square(100, 0, 10)};
  const std::vector<geo::MultiPolygon> predicted{square(0, 4, 10), square(101, 0, 10), square(200, 0, 10)};
  const auto a = assess_objects(predicted, reference, {});
  EXPECT_EQ(a.correct, 1);
  EXPECT_DOUBLE_EQ(a.precision(), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(a.recall(), 0.5);
  EXPECT_DOUBLE_EQ(a.f1(), 0.4);
  EXPECT_NEAR(a.mean_matched_iou, 9.0 / 11.0, 1e-12);
  EXPECT_EQ(assess_objects(predicted, reference, {0.4, {}}).correct, 2);
}

TEST(ObjectAccuracy, AnIouOfExactlyTheThresholdIsNoMatch) {
  const std::vector<geo::MultiPolygon> whole{{geo::to_polygon(geo::Box{0, 0, 10, 10})}};
  const std::vector<geo::MultiPolygon> half{{geo::to_polygon(geo::Box{0, 0, 10, 5})}};
  EXPECT_EQ(assess_objects(half, whole, {}).correct, 0);
}

TEST(ObjectAccuracy, AFieldIsMatchedOnce) {
  const std::vector<geo::MultiPolygon> reference{square(0, 0, 10)};
  const std::vector<geo::MultiPolygon> predicted{square(0, 0, 10), square(0, 0, 10)};
  const auto a = assess_objects(predicted, reference, {});
  EXPECT_EQ(a.correct, 1);
  EXPECT_EQ(a.predicted, 2);
}

TEST(ObjectAccuracy, TheRegionCountsFieldsByHalfTheirArea) {
  const std::vector<geo::MultiPolygon> fields{square(0, 0, 10), square(6, 20, 10), square(3, 40, 10)};
  const auto a =
      assess_objects(fields, fields, {0.5, geo::MultiPolygon{geo::to_polygon(geo::Box{0, 0, 10, 100})}});
  EXPECT_EQ(a.reference, 2);  // the second has 4 of 10 inside, the third 7 of 10
  EXPECT_EQ(a.correct, 2);
}

TEST(ObjectAccuracy, EmptyMapsAreSaidToBeEmpty) {
  const std::vector<geo::MultiPolygon> none;
  const std::vector<geo::MultiPolygon> one{square(0, 0, 1)};
  EXPECT_TRUE(std::isnan(assess_objects(none, none, {}).f1()));
  EXPECT_EQ(assess_objects(none, one, {}).f1(), 0.0);
  EXPECT_TRUE(std::isnan(assess_objects(none, one, {}).precision()));
  EXPECT_THROW((void)assess_objects(one, one, {1.0, {}}), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::assessment
