#include <furrow/dataset/dataset.h>

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "dataset_trees.h"

namespace furrow::dataset {
namespace {

using test::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <class Action>
std::string failure(const Action& action) {
  try {
    action();
  } catch (const geo::Error& error) {
    return error.what();
  }
  return "no error";
}

std::string read_failure(const std::filesystem::path& path, const ReadOptions& options = {}) {
  return failure([&] { (void)read_dataset(path.string(), options); });
}

std::vector<std::string> ids(const Dataset& dataset) {
  std::vector<std::string> result;
  for (const Sample& sample : dataset.samples) result.push_back(sample.id);
  return result;
}

std::vector<std::string> splits(const Dataset& dataset) {
  std::vector<std::string> result;
  for (const Sample& sample : dataset.samples) result.push_back(sample.split);
  return result;
}

TEST(DatasetLayout, NamesGoBothWays) {
  for (const std::string& name : layout_names()) EXPECT_EQ(layout_name(layout_of_name(name)), name);
  EXPECT_THAT(failure([] { (void)layout_of_name("lacun"); }), HasSubstr("did you mean 'lacuna'?"));
  EXPECT_EQ(label_kind_of_name("instances"), LabelKind::kInstances);
  EXPECT_EQ(label_kind_of_name("instance"), std::nullopt);
}

TEST(DatasetLayout, IsRecognisedByItsFiles) {
  const TemporaryFolder folder;
  trees::lacuna(folder / "a");
  trees::paired_folders(folder / "mappingafrica-256");
  trees::ftw(folder / "c");
  trees::combined_csv(folder / "d");
  trees::paired_folders(folder / "e");
  const auto only = [&](const std::string& name) {
    const auto fits = fitting_layouts((folder / name).string());
    return fits.size() == 1 ? std::string(layout_name(fits.front().layout)) : "not one";
  };
  EXPECT_EQ(only("a"), "lacuna");  // its folders images and labels do not make it generic
  EXPECT_EQ(only("mappingafrica-256"), "lacuna-256");
  EXPECT_EQ(only("c"), "ftw");
  EXPECT_EQ(only("c/austria"), "ftw");
  EXPECT_EQ(only("d"), "ftw-combined-csv");
  EXPECT_EQ(only("d/all.csv"), "ftw-combined-csv");
  EXPECT_EQ(only("e"), "generic");
  EXPECT_THAT(fitting_layouts((folder / "c/austria/s2_images").string()), IsEmpty());
}

TEST(DatasetLayout, SaysWhenNoneOrSeveralFit) {
  const TemporaryFolder folder;
  trees::write_text(folder / "empty/readme.txt", "nothing");
  EXPECT_THAT(read_failure(folder / "empty"),
              AllOf(HasSubstr("no data set of a known layout"), HasSubstr("label-catalog-filtered.csv")));
  trees::lacuna(folder / "both");
  trees::paired_folders(folder / "both/mappingafrica-256");
  EXPECT_THAT(read_failure(folder / "both"),
              AllOf(HasSubstr("fits several data set layouts: lacuna ("), HasSubstr("lacuna-256 ("),
                    HasSubstr("say which with --dataset")));
  ReadOptions options;
  options.layout = Layout::kLacuna;
  EXPECT_THAT(read_dataset((folder / "both").string(), options).samples, SizeIs(3));
  EXPECT_THAT(read_failure(folder / "nowhere"), HasSubstr("no such file or folder"));
  options.layout = Layout::kFtw;
  EXPECT_THAT(read_failure(folder / "both", options), HasSubstr("no country folder"));
  options.layout = Layout::kGeneric;
  EXPECT_THAT(read_failure(folder / "empty", options), HasSubstr("neither a table"));
}

TEST(LacunaDataset, FindsFilesByColumnsAndByName) {
  const TemporaryFolder folder;
  trees::lacuna(folder.path());
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(data.bands, ElementsAre("blue", "green", "red", "nir"));
  EXPECT_THAT(ids(data), ElementsAre("AO0000001_100001", "AO0000001_5", "NA0000002_7"));
  EXPECT_THAT(data.missing, IsEmpty());
  EXPECT_FALSE(data.has_splits);
  const Sample& second = data.samples[1];
  EXPECT_EQ(second.site, "AO0000001");
  EXPECT_EQ(second.country, "AO");
  EXPECT_EQ(second.source, "4");
  EXPECT_EQ(second.images.front().path, (folder / "images/AO0000001_2018-03.tif").string());
  EXPECT_EQ(second.images.front().date, "2018-03");
  EXPECT_EQ(second.class_labels(), (folder / "labels/AO0000001_5_2018-03.tif").string());
  EXPECT_EQ(second.position, (geo::Point{15.0025, -9.0025}));
  EXPECT_THAT(second.place, EndsWith("label-catalog-filtered.csv:3"));
  // No label column for this row: name, assignment and the image's month make the name.
  EXPECT_THAT(data.samples[2].class_labels(), EndsWith("NA0000002_7_2019-11.tif"));
  EXPECT_EQ(data.samples[2].country, "NA");
}

TEST(LacunaDataset, FindsImagesByDateAndByTheChipCatalogue) {
  const TemporaryFolder folder;
  trees::lacuna(folder.path());
  std::filesystem::remove(folder / "label-catalog-filtered.csv");
  trees::write_text(
      folder / "label_catalog_allclasses.csv",
      "name,Class,assignment_id,image_date\nAO0000001,1a,100001,2018-03-15\nNA0000002,2,7,NA\n");
  trees::write_text(folder / "image_chip_catalog.csv",
                    "name,image_date,image\nNA0000002,2019-11-15,NA0000002_2019-11.tif\n");
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(ids(data), ElementsAre("AO0000001_100001", "NA0000002_7"));
  EXPECT_EQ(data.samples[0].images.front().date, "2018-03-15");
  std::filesystem::remove(folder / "image_chip_catalog.csv");
  EXPECT_THAT(read_failure(folder.path()),
              AllOf(HasSubstr("label_catalog_allclasses.csv:3"), HasSubstr("neither an image and a label")));
}

TEST(LacunaDataset, LeavesOutSamplesWithMissingFiles) {
  const TemporaryFolder folder;
  trees::lacuna(folder.path());
  std::filesystem::remove(folder / "images/AO0000001_2018-03.tif");
  std::filesystem::remove(folder / "labels/AO0000001_5_2018-03.tif");
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(ids(data), ElementsAre("NA0000002_7"));
  EXPECT_EQ(data.listed, 3);
  EXPECT_EQ(data.incomplete, 2);
  ASSERT_THAT(data.missing, SizeIs(2));  // the image is named once although two samples lack it
  EXPECT_EQ(data.missing[0].path, (folder / "images/AO0000001_2018-03.tif").string());
  EXPECT_EQ(data.missing[1].id, "AO0000001_5");
  ReadOptions strict;
  strict.strict = true;
  EXPECT_THAT(read_failure(folder.path(), strict),
              AllOf(HasSubstr("label-catalog-filtered.csv:2"), HasSubstr("images/AO0000001_2018-03.tif")));
}

TEST(Lacuna256Dataset, PairsLabelsWithTheImageOfTheirMonth) {
  const TemporaryFolder folder;
  const geo::Grid grid = trees::lonlat_grid(15.0, -9.0);
  const auto root = folder / "mappingafrica-256";
  trees::write_image(root / "images/AO0000001_2018-03.tif", grid, 1);
  trees::write_image(root / "images/AO0000001_2020-04.tif", grid, 2);
  trees::write_image(root / "images/KE0000009_2020-04.tif", grid, 3);
  trees::write_labels(root / "labels/AO0000001_5_2020-04.tif", grid);
  trees::write_labels(root / "labels/AO0000001_6_2018-03.tif", grid);
  trees::write_labels(root / "labels/ZM0000003_1_2018-03.tif", grid);
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_EQ(data.layout, Layout::kLacuna256);
  EXPECT_THAT(data.bands, ElementsAre("red", "green", "blue", "nir"));
  ASSERT_THAT(ids(data), ElementsAre("AO0000001_5_2020-04", "AO0000001_6_2018-03"));
  EXPECT_THAT(data.samples[0].images.front().path, EndsWith("AO0000001_2020-04.tif"));
  EXPECT_THAT(data.samples[1].images.front().path, EndsWith("AO0000001_2018-03.tif"));
  EXPECT_EQ(data.samples[1].site, "AO0000001");
  // A label without image and an image without label.
  ASSERT_THAT(data.missing, SizeIs(2));
  EXPECT_THAT(data.missing[0].path, EndsWith("images/ZM0000003_2018-03.tif"));
  EXPECT_THAT(data.missing[1].path, EndsWith("labels/KE0000009_2020-04.tif"));
}

TEST(FtwDataset, HasTwoWindowsAndKindsOfLabels) {
  const TemporaryFolder folder;
  trees::ftw(folder.path());
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(data.windows, ElementsAre("window_b", "window_a"));
  EXPECT_THAT(ids(data), ElementsAre("g1", "g2", "g1"));
  EXPECT_THAT(splits(data), ElementsAre("train", "val", "train"));
  EXPECT_EQ(data.incomplete, 1);
  ASSERT_THAT(data.missing, SizeIs(1));
  EXPECT_THAT(data.missing[0].path, EndsWith("austria/s2_images/window_a/g3.tif"));
  const Sample& first = data.samples[0];
  EXPECT_EQ(first.country, "austria");
  EXPECT_EQ(first.position, (geo::Point{15.0025, 47.9975}));
  EXPECT_EQ(first.image_of("window_a")->path, (folder / "austria/s2_images/window_a/g1.tif").string());
  EXPECT_EQ(first.image_of("window_c"), nullptr);
  EXPECT_THAT(first.class_labels(), HasSubstr("semantic_3class"));
  EXPECT_THAT(first.labels, SizeIs(3));
  EXPECT_THAT(first.labels.at(LabelKind::kInstances), EndsWith("instance/g1.tif"));
  EXPECT_EQ(data.samples[2].country, "kenya");
  const Dataset kenya = read_dataset((folder / "kenya").string());
  EXPECT_EQ(kenya.samples.front().country, "kenya");
}

TEST(FtwDataset, ReadsAConvertedChipsLayerAndGoesOnWithoutOne) {
  const TemporaryFolder folder;
  trees::ftw(folder.path());
  std::filesystem::remove_all(folder / "austria");
  std::filesystem::remove(folder / "kenya/chips_kenya.csv");
  const Dataset bare = read_dataset(folder.path().string());
  EXPECT_THAT(ids(bare), ElementsAre("g1"));
  EXPECT_FALSE(bare.has_splits);
  geo::Layer chips = test::layer_of({"POLYGON((36 1,36.005 1,36.005 0.995,36 0.995,36 1))"}, "EPSG:4326");
  chips.add_field({"aoi_id", geo::FieldType::kString, ""});
  chips.add_field({"split", geo::FieldType::kString, ""});
  chips.features[0].values = {geo::Value("g1"), geo::Value("test")};
  geo::write_layer(chips, folder / "kenya/chips_kenya.gpkg", false);
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(splits(data), ElementsAre("test"));
  ASSERT_TRUE(data.samples[0].position);
  EXPECT_NEAR(data.samples[0].position->x, 36.0025, 1e-9);
}

TEST(FtwDataset, SaysWhichCatalogueItCannotRead) {
  const TemporaryFolder folder;
  trees::ftw(folder.path());
  std::filesystem::remove(folder / "kenya/chips_kenya.csv");
  trees::write_text(folder / "kenya/chips_kenya.parquet", "PAR1 and nothing else");
  const Dataset data = read_dataset(folder.path().string());
  ASSERT_THAT(data.unreadable_catalogues, SizeIs(1));
  EXPECT_THAT(data.unreadable_catalogues[0], HasSubstr("chips_kenya.parquet"));
  if (!geo::can_read_parquet()) {
    EXPECT_THAT(data.unreadable_catalogues[0], HasSubstr("ogr2ogr -f GPKG"));
  }
  EXPECT_THAT(ids(data), ElementsAre("g1", "g2", "g1"));
  EXPECT_EQ(data.samples[2].split, "");
}

TEST(FtwDataset, StrictRefusesACatalogueThatItCannotRead) {
  const TemporaryFolder folder;
  trees::ftw(folder.path());
  trees::write_image(folder / "austria/s2_images/window_a/g3.tif", trees::lonlat_grid(15.2, 48.0), 31);
  ReadOptions strict;
  strict.strict = true;
  EXPECT_THAT(read_dataset(folder.path().string(), strict).samples, SizeIs(4));
  std::filesystem::remove(folder / "kenya/chips_kenya.csv");
  trees::write_text(folder / "kenya/chips_kenya.parquet", "PAR1 and nothing else");
  EXPECT_THAT(failure([&] { (void)read_dataset(folder.path().string(), strict); }),
              HasSubstr("chips_kenya.parquet"));
}

TEST(FtwDataset, IdsOfChipsHaveManyNames) {
  for (const std::string name : {"id", "FID", "polygon_id"}) {
    const TemporaryFolder folder;
    trees::ftw(folder.path());
    trees::write_text(folder / "kenya/chips_kenya.csv", name + ",split\ng1,test\n");
    const Dataset data = read_dataset(folder.path().string());
    ASSERT_THAT(data.samples, SizeIs(3)) << name;
    EXPECT_EQ(data.samples[2].split, "test") << name;
  }
}

TEST(CombinedCsvDataset, AllowsOneOrTwoWindowsAndACountryNamedNa) {
  const TemporaryFolder folder;
  trees::combined_csv(folder.path());
  const Dataset data = read_dataset((folder / "all.csv").string());
  EXPECT_THAT(splits(data), ElementsAre("train", "val"));
  EXPECT_THAT(data.windows, ElementsAre("window_b", "window_a"));
  EXPECT_THAT(data.samples[0].images, SizeIs(2));
  EXPECT_EQ(data.samples[0].images[0].window, "window_b");
  EXPECT_THAT(data.samples[1].images, SizeIs(1));
  EXPECT_EQ(data.samples[1].images[0].window, "window_a");
  EXPECT_EQ(data.samples[1].country, "NA");
  EXPECT_EQ(data.samples[1].source, "mappingafrica");
}

TEST(CombinedCsvDataset, TakesPathsFromADataRootAndNamesEmptyCells) {
  const TemporaryFolder folder;
  trees::combined_csv(folder / "data");
  std::filesystem::rename(folder / "data/all.csv", folder / "all.csv");
  EXPECT_EQ(read_dataset((folder / "all.csv").string()).samples.size(), 0u);
  ReadOptions options;
  options.data_root = (folder / "data").string();
  EXPECT_THAT(read_dataset((folder / "all.csv").string(), options).samples, SizeIs(2));
  trees::write_text(folder / "bad.csv", "name,window_a,window_b,mask\na,,,m.tif\n");
  EXPECT_THAT(read_failure(folder / "bad.csv"), AllOf(HasSubstr("bad.csv:2"), HasSubstr("no image")));
  trees::write_text(folder / "bad.csv", "name,window_a,window_b,mask\na,x.tif,,NA\n");
  EXPECT_THAT(read_failure(folder / "bad.csv"), HasSubstr("mask is empty"));
  EXPECT_THAT(read_failure(folder.path()), HasSubstr("several tables"));
}

TEST(GenericDataset, PairsFoldersByName) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path());
  trees::write_image(folder / "images/lonely.tif", test::utm_grid(16, 16), 9);
  const Dataset data = read_dataset(folder.path().string());
  EXPECT_THAT(ids(data), ElementsAre("s0", "s1", "s2"));
  EXPECT_THAT(data.samples[1].class_labels(), EndsWith("s1_mask.tif"));
  ASSERT_THAT(data.missing, SizeIs(1));
  EXPECT_THAT(data.missing[0].path, EndsWith("labels/lonely.tif"));
}

TEST(GenericDataset, ReadsATableWithAnyOfTheNames) {
  const TemporaryFolder folder;
  trees::paired_folders(folder.path());
  trees::write_text(folder / "t.csv",
                    "id,Image,labels,risk,split,country,source,lon,lat,date,crop\n"
                    "a,images/s0.tif,labels/s0.tif,labels/s0.tif,valid,NA,me,9,54,2021-05-01,wheat\n"
                    ",images/s2.tif,labels/s2.tif,,train,,,,,,\n");
  const Dataset data = read_dataset((folder / "t.csv").string());
  EXPECT_EQ(data.layout, Layout::kGeneric);
  EXPECT_THAT(ids(data), ElementsAre("a", "s2"));
  EXPECT_THAT(splits(data), ElementsAre("val", "train"));
  EXPECT_EQ(data.samples[0].country, "NA");
  EXPECT_EQ(data.samples[0].images[0].date, "2021-05-01");
  EXPECT_EQ(data.samples[0].position, (geo::Point{9.0, 54.0}));
  EXPECT_EQ(data.samples[0].risk, (folder / "labels/s0.tif").string());
  EXPECT_FALSE(data.samples[1].position);
  trees::write_text(folder / "u.csv", "image,mask\na.tif,\n");
  EXPECT_THAT(read_failure(folder.path()), AllOf(HasSubstr("several tables"), HasSubstr("t.csv, u.csv")));
  EXPECT_THAT(read_failure(folder / "u.csv"), AllOf(HasSubstr("u.csv:2"), HasSubstr("column mask is empty")));
  trees::write_text(folder / "u.csv", "image,mask\n");
  EXPECT_THAT(read_failure(folder / "u.csv"), HasSubstr("lists no sample"));
}

Dataset sites(const std::vector<std::pair<std::string, std::string>>& site_and_split) {
  Dataset data;
  for (const auto& [site, split] : site_and_split) {
    Sample sample;
    sample.id = site + std::to_string(data.samples.size());
    sample.site = site;
    sample.split = split;
    data.samples.push_back(std::move(sample));
  }
  return data;
}

TEST(CompleteSplits, KeepsSitesTogetherWhateverTheOrder) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (int i = 0; i < 40; ++i) rows.emplace_back("site" + std::to_string(i % 20), "");
  Dataset data = sites(rows);
  complete_splits(data, 0.25, 7);
  std::set<std::string> val;
  std::set<std::string> train;
  for (const Sample& sample : data.samples) (sample.split == "val" ? val : train).insert(sample.site);
  EXPECT_THAT(val, SizeIs(5));
  EXPECT_THAT(train, SizeIs(15));
  std::ranges::reverse(rows);
  Dataset reversed = sites(rows);
  complete_splits(reversed, 0.25, 7);
  for (const Sample& sample : reversed.samples) EXPECT_EQ(sample.split == "val", val.contains(sample.site));
}

TEST(CompleteSplits, LeavesWhatTheDataSetSays) {
  Dataset said = sites({{"a", "train"}, {"b", "val"}, {"c", "test"}, {"d", ""}, {"e", "none"}});
  complete_splits(said, 0.5, 1);
  EXPECT_THAT(splits(said), ElementsAre("train", "val", "test", "train", "none"));
  Dataset without_val = sites({{"a", "train"}, {"b", "train"}, {"c", "test"}});
  complete_splits(without_val, 0.5, 1);
  EXPECT_EQ(std::ranges::count(splits(without_val), "val"), 1);
  EXPECT_EQ(without_val.samples[2].split, "test");
  Dataset all_train = sites({{"a", ""}});
  complete_splits(all_train, 0.0, 1);
  EXPECT_THAT(splits(all_train), ElementsAre("train"));
  EXPECT_THAT(failure([&] { complete_splits(all_train, 0.2, 1); }), HasSubstr("only 1 place(s)"));
}

}  // namespace
}  // namespace furrow::dataset
