#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/dataset/dataset.h>
#include <furrow/geo/core/text.h>

#include "dataset_trees.h"
#include "parquet_files.h"
#include "support.h"

namespace furrow::dataset {
namespace {

using test::geometries;
using test::texts;
using testing::HasSubstr;
using testing::IsEmpty;

/// The tree of the other tests with its chip tables as they are published.
void ftw_as_published(const std::filesystem::path& root) {
  trees::ftw(root);
  std::filesystem::remove(root / "austria/chips_austria.csv");
  std::filesystem::remove(root / "kenya/chips_kenya.csv");
  const auto square = [](double x, double y) {
    return geo::concat("POLYGON((", x, ' ', y, ", ", x + 0.005, ' ', y, ", ", x + 0.005, ' ', y - 0.005, ", ",
                       x, ' ', y - 0.005, ", ", x, ' ', y, "))");
  };
  test::write_parquet(
      root / "austria/chips_austria.parquet",
      {{"aoi_id", texts({"g1", "g2", "g3"})},
       {"split", texts({"train", "validate", "none"})},
       {"geometry", geometries({square(15.0, 48.0), square(15.1, 48.0), square(15.2, 48.0)})}},
      test::geo_metadata());
  test::write_parquet(
      root / "kenya/chips_kenya.parquet",
      {{"aoi_id", texts({"g1"})}, {"split", texts({"test"})}, {"geometry", geometries({square(36.0, 1.0)})}},
      test::geo_metadata());
}

TEST(FtwParquet, SplitsAndPositionsComeFromTheChipsTable) {
  const test::TemporaryFolder folder;
  ftw_as_published(folder.path());
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(data.unreadable_catalogues, IsEmpty());
  EXPECT_EQ(data.listed, 4);
  EXPECT_EQ(data.incomplete, 1);
  ASSERT_EQ(data.samples.size(), 3U);
  EXPECT_EQ(data.samples[0].split, "train");
  EXPECT_EQ(data.samples[1].split, "val");
  EXPECT_EQ(data.samples[2].split, "test");
  ASSERT_TRUE(data.samples[1].position);
  EXPECT_NEAR(data.samples[1].position->x, 15.1025, 1e-9);
  EXPECT_NEAR(data.samples[1].position->y, 47.9975, 1e-9);
}

TEST(FtwParquet, TheProgramChecksAndDescribesTheTree) {
  const test::TemporaryFolder folder;
  ftw_as_published(folder.path());
  const auto info = test::furrow("info " + folder.path().string());
  EXPECT_EQ(info.exit_code, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("layout: ftw"));
  EXPECT_THAT(info.out, HasSubstr("val: 1"));
  const auto check = test::furrow("check " + folder.path().string());
  EXPECT_EQ(check.exit_code, 3);  // the missing image of g3
  EXPECT_THAT(check.out, HasSubstr("missing file: 1"));
  EXPECT_THAT(check.out, testing::Not(HasSubstr("unreadable")));
  EXPECT_THAT(check.out, testing::Not(HasSubstr("position")));
}

}  // namespace
}  // namespace furrow::dataset
