#include <furrow/dataset/check.h>

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataset_trees.h"

namespace furrow::dataset {
namespace {

using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

CheckReport check(const std::filesystem::path& path, bool read_pixels = true, int threads = 2) {
  geo::ExecContext exec({threads, 0});
  CheckReport report;
  exec.execute([&] { report = check_dataset(read_dataset(path.string()), {read_pixels}, exec); });
  return report;
}

/// "kind: message" of every problem.
std::vector<std::string> problems(const CheckReport& report) {
  std::vector<std::string> texts;
  for (const Problem& problem : report.problems)
    texts.push_back(std::string(problem_name(problem.kind)) + ": " + problem.message);
  return texts;
}

TEST(CheckDataset, CountsClassesOfEachSplit) {
  const TemporaryFolder folder;
  trees::ftw(folder.path());
  trees::write_image(folder / "austria/s2_images/window_a/g3.tif", trees::lonlat_grid(15.2, 48.0), 99);
  const CheckReport report = check(folder.path());
  EXPECT_THAT(problems(report), IsEmpty());
  // 16 x 16 pixels: 8 columns background, 4 interior, 4 boundary; two training chips.
  EXPECT_EQ(report.splits.at("train").samples, 2);
  EXPECT_THAT(report.splits.at("train").pixels, ElementsAre(256, 128, 128, 0));
  EXPECT_THAT(report.splits.at("val").pixels, ElementsAre(128, 64, 64, 0));
  EXPECT_THAT(report.crs, ElementsAre(Pair("EPSG:4326", 4)));
  EXPECT_THAT(report.sizes, ElementsAre(Pair("16 x 16", 4)));
  EXPECT_EQ(report.class_as_nodata, 4);  // nodata 0 as published; the background is counted all the same
}

TEST(CheckDataset, LacunaWithTwoLabelTypesIsAllRight) {
  const TemporaryFolder folder;
  trees::lacuna(folder.path());
  const CheckReport report = check(folder.path());
  EXPECT_THAT(problems(report), IsEmpty());
  EXPECT_THAT(report.label_types, ElementsAre(Pair("int16", 1), Pair("uint8", 2)));
  EXPECT_EQ(report.splits.at("").without_field, 1);
}

TEST(CheckDataset, ListsMissingAndUnreadableFiles) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path(), 4);
  std::filesystem::remove(folder / "labels/s0.tif");
  trees::write_text(folder / "images/s2.tif", "no raster");
  std::filesystem::resize_file(folder / "images/s3.tif", 700);  // the header is whole, the pixels are not
  EXPECT_THAT(problems(check(folder.path())),
              ElementsAre(AllOf(HasSubstr("missing file: "), HasSubstr("labels/s0.tif")),
                          AllOf(HasSubstr("unreadable file: "), HasSubstr("images/s2.tif")),
                          AllOf(HasSubstr("unreadable file: "), HasSubstr("images/s3.tif"))));
}

TEST(CheckDataset, FindsTruncatedFilesOnlyWhenPixelsAreRead) {
  const TemporaryFolder folder;
  const geo::Grid grid = test::utm_grid(64, 64);
  trees::write_image(folder / "images/a.tif", grid, 1);
  trees::write_labels(folder / "labels/a.tif", grid);
  const auto size = std::filesystem::file_size(folder / "images/a.tif");
  std::filesystem::resize_file(folder / "images/a.tif", size - 200);
  EXPECT_THAT(problems(check(folder.path(), true)), ElementsAre(HasSubstr("unreadable file: ")));
  EXPECT_THAT(problems(check(folder.path(), false)), IsEmpty());
}

TEST(CheckDataset, ComparesLabelsWithTheirImage) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path(), 5);
  trees::write_labels(folder / "labels/s0.tif", test::utm_grid(17, 16));
  geo::Grid shifted = test::utm_grid(18, 16);
  shifted.transform.x0 += 5.0;
  trees::write_labels(folder / "labels/s2.tif", shifted);
  geo::Grid elsewhere = test::utm_grid(19, 16);
  elsewhere.crs = geo::Crs::from_user_input("EPSG:32633");
  trees::write_labels(folder / "labels/s3.tif", elsewhere);
  geo::Grid without_crs = test::utm_grid(20, 16);
  without_crs.crs = {};
  trees::write_image(folder / "images/s4.tif", without_crs, 4);
  EXPECT_THAT(problems(check(folder.path())),
              ElementsAre(AllOf(HasSubstr("size: "), HasSubstr("17 x 16 and 16 x 16 px")),
                          AllOf(HasSubstr("grid: "), HasSubstr("different places")),
                          AllOf(HasSubstr("CRS: "), HasSubstr("EPSG:32633 and EPSG:32632")),
                          AllOf(HasSubstr("CRS: "), HasSubstr("s4.tif' has no CRS"))));
}

TEST(CheckDataset, ListsValuesThatAreNoClasses) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path(), 2);
  const geo::Grid grid = test::utm_grid(16, 16);
  geo::Raster<float> labels(16, 16, 1, 255.0F);
  labels.at(0, 0) = 0.5F;
  labels.at(1, 0) = -1.0F;
  labels.at(2, 0) = std::numeric_limits<float>::quiet_NaN();
  labels.at(3, 0) = 3.0F;
  trees::write(folder / "labels/s0.tif", grid, labels);
  const CheckReport report = check(folder.path());
  EXPECT_THAT(problems(report), ElementsAre(AllOf(HasSubstr("label values: "),
                                                  HasSubstr("no classes: -1, 0.5, NaN; allowed"))));
  // 253 pixels of s0 and none of s1 (17 x 16) are unknown.
  EXPECT_EQ(report.splits.at("").pixels[3], 253);
}

TEST(CheckDataset, FindsIdsThatOccurTwiceAndUnknownSplits) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path());
  trees::write_text(folder / "t.csv",
                    "id,image,mask,split\n"
                    "a,images/s0.tif,labels/s0.tif,train\n"
                    "a,images/s2.tif,labels/s2.tif,train\n"
                    "b,images/s1.tif,labels/s1_mask.tif,trian\n");
  EXPECT_THAT(problems(check(folder / "t.csv")),
              ElementsAre(AllOf(HasSubstr("duplicate id: "), HasSubstr("t.csv:2 and "), HasSubstr("t.csv:3")),
                          AllOf(HasSubstr("unknown split: "), HasSubstr("'trian'"))));
}

TEST(CheckDataset, FindsPlacesInTwoSplits) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path(), 4);
  // s3 is a copy of s0 under another name.
  std::filesystem::copy_file(folder / "images/s0.tif", folder / "images/copy.tif");
  trees::write_text(folder / "t.csv",
                    "id,site,image,mask,split\n"
                    "a,one,images/s0.tif,labels/s0.tif,train\n"
                    "b,one,images/s1.tif,labels/s1_mask.tif,test\n"
                    "c,two,images/s0.tif,labels/s0.tif,val\n"
                    "d,three,images/copy.tif,labels/s0.tif,val\n"
                    "e,three,images/s2.tif,labels/s2.tif,none\n");
  EXPECT_THAT(
      problems(check(folder / "t.csv")),
      ElementsAre(AllOf(HasSubstr("split leak: place 'one'"), HasSubstr("split train ('a'"),
                        HasSubstr("split test ('b'")),
                  AllOf(HasSubstr("split leak: image "), HasSubstr("s0.tif"), HasSubstr("split val ('c'")),
                  AllOf(HasSubstr("split leak: the same image ("), HasSubstr("copy.tif"))));
}

TEST(CheckDataset, FindsImagesOfAnotherPlace) {
  const TemporaryFolder folder;
  trees::lacuna(folder.path());
  trees::write_image(folder / "images/NA0000002_2019-11.tif", trees::lonlat_grid(17.0, -21.0), 2);
  trees::write(folder / "labels/NA0000002_7_2019-11.tif", trees::lonlat_grid(17.0, -21.0),
               geo::Raster<std::int16_t>(16, 16));
  EXPECT_THAT(problems(check(folder.path())),
              ElementsAre(AllOf(HasSubstr("position: "), HasSubstr("label-catalog-filtered.csv:4"),
                                HasSubstr("longitude 17.00250, latitude -20.00250"))));
}

TEST(CheckDataset, ChecksTheNumberOfBands) {
  const TemporaryFolder folder;
  trees::lacuna(folder / "lacuna");
  trees::write_image(folder / "lacuna/images/NA0000002_2019-11.tif", trees::lonlat_grid(17.0, -20.0), 2, 3);
  EXPECT_THAT(
      problems(check(folder / "lacuna")),
      ElementsAre(AllOf(HasSubstr("bands: "), HasSubstr("has 3 bands"), HasSubstr("blue, green, red, nir"))));
  trees::paired_folders(folder / "own");
  trees::write_image(folder / "own/images/s1.tif", test::utm_grid(17, 16), 1, 2);
  EXPECT_THAT(problems(check(folder / "own")),
              ElementsAre(AllOf(HasSubstr("s1.tif' has 2 bands, most others have 4"))));
}

TEST(CheckDataset, ChecksOtherKindsOfLabelsToo) {
  const TemporaryFolder folder;
  trees::ftw(folder.path());
  std::filesystem::remove_all(folder / "austria");
  const geo::Grid grid = trees::lonlat_grid(36.0, 1.0);
  trees::write_labels(folder / "kenya/label_masks/semantic_2class/g1.tif", grid);  // holds a 2
  trees::write(folder / "kenya/label_masks/instance/g1.tif", grid, geo::Raster<std::int32_t>(16, 16, 1, -4));
  const CheckReport report = check(folder.path());
  EXPECT_THAT(problems(report), ElementsAre(HasSubstr("no classes: 2;"), HasSubstr("no field numbers: -4")));
  EXPECT_THAT(report.splits.at("train").pixels, ElementsAre(128, 64, 64, 0));
}

TEST(CheckDataset, DoesNotDependOnThreads) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path(), 12);
  for (int i = 0; i < 12; i += 2)
    trees::write_labels(folder / ("labels/s" + std::to_string(i) + ".tif"), test::utm_grid(9, 9));
  const auto one = problems(check(folder.path(), true, 1));
  EXPECT_EQ(one.size(), 6u);
  EXPECT_EQ(one, problems(check(folder.path(), true, 4)));
}

}  // namespace
}  // namespace furrow::dataset
