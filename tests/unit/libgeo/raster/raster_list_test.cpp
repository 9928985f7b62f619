#include <furrow/geo/raster/raster_list.h>

#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/layer_writer.h>

#include "support.h"

namespace fs = std::filesystem;

namespace furrow::geo {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class RasterList : public testing::Test {
 protected:
  [[nodiscard]] std::string at(const std::string& name) const { return (m_folder / name).string(); }
  std::string put(const std::string& name, const std::string& text = "x") const {
    fs::create_directories(fs::path(at(name)).parent_path());
    write_text_file(at(name), text, true);
    return at(name);
  }
  [[nodiscard]] std::vector<std::string> paths(const std::vector<std::string>& inputs,
                                               const RasterListOptions& options = {}) const {
    std::vector<std::string> found;
    for (const auto& raster : list_rasters(inputs, options)) {
      const std::string& path = raster.path;
      const std::string root = m_folder.path().string() + "/";
      found.push_back(path.starts_with(root) ? path.substr(root.size()) : path);
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> names(const std::vector<std::string>& inputs) const {
    std::vector<std::string> found;
    for (const auto& raster : list_rasters(inputs)) found.push_back(raster.name + " " + raster.date);
    return found;
  }

  test::TemporaryFolder m_folder;
};

TEST_F(RasterList, FilesKeepTheirOrder) {
  put("b.tif");
  put("a.tif");
  EXPECT_THAT(paths({at("b.tif"), at("a.tif")}), ElementsAre("b.tif", "a.tif"));
  EXPECT_THAT(names({at("b.tif"), at("a.tif")}), ElementsAre("b ", "a "));
}

TEST_F(RasterList, RemoteAndConnectionTextsAreNotLookedFor) {
  EXPECT_THAT(paths({"s3://bucket/x.tif", "https://host/dir/y.tif?sig=a.b/c", "GPKG:z.gpkg:t"}),
              ElementsAre("s3://bucket/x.tif", "https://host/dir/y.tif?sig=a.b/c", "GPKG:z.gpkg:t"));
  EXPECT_EQ(raster_stem("https://host/dir/y.tif?sig=a.b/c"), "y");
}

TEST_F(RasterList, FolderGivesItsRastersSorted) {
  for (const char* name :
       {"img/b.TIF", "img/a.vrt", "img/a.tif.aux.xml", "img/notes.txt", "img/sub/c.tif", "img/.d.tif"})
    put(name);
  EXPECT_THAT(paths({at("img")}), ElementsAre("img/a.vrt", "img/b.TIF"));
}

TEST_F(RasterList, FolderWithoutRastersIsAnError) {
  put("img/notes.txt");
  EXPECT_THAT([&] { (void)paths({at("img")}); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("img"), HasSubstr("holds no raster"))));
}

TEST_F(RasterList, PatternIsSortedAndReachesSubfolders) {
  for (const char* name : {"t/2/b.tif", "t/1/a.tif", "t/1/a.txt"}) put(name);
  EXPECT_THAT(paths({at("t/*/*.tif")}), ElementsAre("t/1/a.tif", "t/2/b.tif"));
  EXPECT_THAT([&] { (void)paths({at("t/*.jp2")}); }, ThrowsMessage<IoError>(HasSubstr("no file matches")));
}

TEST_F(RasterList, FileWithPatternCharactersInItsNameIsThatFile) {
  put("a[1].tif");
  put("a1.tif");
  EXPECT_THAT(paths({at("a[1].tif")}), ElementsAre("a[1].tif"));
}

TEST_F(RasterList, ManifestIsRelativeToItself) {
  put("data/a.tif");
  put("data/sub/b.tif");
  put("data/list.txt", "# the scenes\r\na.tif\r\n\n./sub/b.tif\nhttps://host/c.tif\n");
  EXPECT_THAT(paths({at("data/list.txt")}),
              ElementsAre("data/a.tif", "data/sub/b.tif", "https://host/c.tif"));
}

TEST_F(RasterList, NulSeparatesNamesWithLineBreaks) {
  put("a.tif");
  put("b \n c.tif");
  std::istringstream in(at("a.tif") + '\0' + at("b \n c.tif") + '\0');
  RasterListOptions options;
  options.standard_input = &in;
  EXPECT_THAT(paths({"-"}, options), ElementsAre("a.tif", "b \n c.tif"));
}

TEST_F(RasterList, EmptyStandardInputIsAnError) {
  std::istringstream in("\n");
  RasterListOptions options;
  options.standard_input = &in;
  EXPECT_THAT([&] { (void)paths({"-"}, options); }, ThrowsMessage<IoError>(HasSubstr("standard input")));
}

TEST_F(RasterList, TableGivesPathsNamesAndDates) {
  put("data/x/a.tif");
  put("data/x/b.tif");
  const auto table = put("data/c.csv", "name,image_date,image\nGH01,2020-05-15,x/a.tif\nGH02,NA,x/b.tif\n");
  EXPECT_THAT(paths({table}), ElementsAre("data/x/a.tif", "data/x/b.tif"));
  EXPECT_THAT(names({table}), ElementsAre("GH01 2020-05-15", "GH02 "));
}

TEST_F(RasterList, TableWithoutPathColumnSaysWhatItHas) {
  const auto table = put("c.csv", "site,picture\n1,a.tif\n");
  EXPECT_THAT([&] { (void)paths({table}); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("no column"), HasSubstr("site, picture"))));
  put("a.tif");
  RasterListOptions options;
  options.path_column = "picture";
  EXPECT_THAT(paths({table}, options), ElementsAre("a.tif"));
}

TEST_F(RasterList, AllMissingFilesAreNamedAtOnce) {
  put("data/a.tif");
  const auto list = put("data/list.txt", "a.tif\nno1.tif\nno2.tif\n");
  EXPECT_THAT([&] { (void)paths({list}); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("2 of 3 rasters are missing"), HasSubstr("no1.tif"),
                                           HasSubstr("list.txt:2"), HasSubstr("no2.tif"))));
}

TEST_F(RasterList, NamesThatClashAreAnError) {
  put("x/a.tif");
  put("y/a.tif");
  EXPECT_THAT(
      [&] {
        (void)paths({at("x/a.tif"), at("y/a.tif")});
      },
      ThrowsMessage<IoError>(
          AllOf(HasSubstr("both called 'a'"), HasSubstr("x/a.tif"), HasSubstr("y/a.tif"))));
  EXPECT_THAT(
      [&] {
        (void)paths({at("x/a.tif"), at("x/a.tif")});
      },
      ThrowsMessage<IoError>(HasSubstr("given twice")));
  RasterListOptions options;
  options.unique_names = false;
  EXPECT_THAT(paths({at("x/a.tif"), at("y/a.tif")}, options), ElementsAre("x/a.tif", "y/a.tif"));
}

TEST_F(RasterList, TileIndexOfAnyFormat) {
  put("data/a.tif");
  put("data/b.tif");
  for (const char* format : {"index.gpkg", "index.geojson"}) {
    if (std::string(format).ends_with("gpkg")) {
      Layer index = test::layer_of({"POLYGON((0 0,1 0,1 1,0 0))", "POLYGON((0 0,1 0,1 1,0 0))"});
      const auto field = index.add_field({"location", FieldType::kString, ""});
      index.features[0].values[field] = std::string("b.tif");
      index.features[1].values[field] = std::string("a.tif");
      write_layer(index, at("data/index.gpkg"), false);
    } else {
      put("data/index.geojson",
          R"({"type":"FeatureCollection","features":[
            {"type":"Feature","properties":{"location":"b.tif"},"geometry":null},
            {"type":"Feature","properties":{"location":"a.tif"},"geometry":null}]})");
    }
    EXPECT_THAT(paths({at(std::string("data/") + format)}), ElementsAre("data/b.tif", "data/a.tif"))
        << format;
  }
}

std::string item(const std::string& id, const std::string& href, const std::string& more = "") {
  return R"({"type":"Feature","stac_version":"1.0.0","id":")" + id +
         R"(","geometry":null,"properties":{"datetime":"2021-03-04T00:00:00Z"},"assets":{"image":{"href":")" +
         href +
         R"(","type":"image/tiff; application=geotiff"},"thumbnail":{"href":"t.png","type":"image/png"})" +
         more + "}}";
}

TEST_F(RasterList, StacItemsAreRelativeToTheirFile) {
  put("s/img/a.tif");
  put("s/img/b.tif");
  put("s/a.json", item("A", "./img/a.tif"));
  put("s/all.json", R"({"type":"FeatureCollection","features":[)" + item("A", "img/a.tif") + "," +
                        item("B", "img/b.tif") + "]}");
  put("s/b/b.json", item("B", "../img/b.tif"));
  put("s/collection.json", R"({"type":"Collection","id":"c","links":[
      {"rel":"self","href":"./collection.json"},{"rel":"item","href":"./a.json"},{"rel":"item","href":"b/b.json"}]})");
  EXPECT_THAT(paths({at("s/a.json")}), ElementsAre("s/img/a.tif"));
  EXPECT_THAT(names({at("s/a.json")}), ElementsAre("A 2021-03-04T00:00:00Z"));
  EXPECT_THAT(paths({at("s/all.json")}), ElementsAre("s/img/a.tif", "s/img/b.tif"));
  EXPECT_THAT(paths({at("s/collection.json")}), ElementsAre("s/img/a.tif", "s/img/b.tif"));
}

TEST_F(RasterList, StacAssetIsChosenByKey) {
  put("a.tif");
  put("m.tif");
  const auto file = put("a.json", item("A", "a.tif", R"(,"mask":{"href":"m.tif","type":"image/tiff"})"));
  EXPECT_THAT([&] { (void)paths({file}); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("several raster assets"), HasSubstr("image, mask"))));
  RasterListOptions options;
  options.asset = "mask";
  EXPECT_THAT(paths({file}, options), ElementsAre("m.tif"));
  options.asset = "masc";
  EXPECT_THAT([&] { (void)paths({file}, options); },
              ThrowsMessage<IoError>(HasSubstr("did you mean 'mask'")));
}

TEST_F(RasterList, NamesHaveNoSlash) {
  put("a.tif");
  EXPECT_THAT(names({put("a.json", item("x/y", "a.tif"))}), ElementsAre(testing::StartsWith("x_y ")));
}

TEST_F(RasterList, NothingAtAllIsAnError) {
  EXPECT_THROW((void)paths({}), IoError);
}

}  // namespace
}  // namespace furrow::geo
