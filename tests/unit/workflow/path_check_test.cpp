#include <furrow/workflow/path_check.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>

#include "support.h"

namespace furrow::workflow {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(PlainPath, UrlsConnectionsAndPatternsAreNone) {
  for (const char* path : {"-", "/vsicurl/x", "s3://a/b", "GPKG:a.gpkg:t", "chips/*.tif"}) {
    EXPECT_TRUE(is_not_a_plain_path(path)) << path;
  }
  EXPECT_FALSE(is_not_a_plain_path("a/b.tif"));
}

TEST(LiesIn, ComparesWholeNames) {
  EXPECT_TRUE(lies_in("/a/b", "/a"));
  EXPECT_TRUE(lies_in("/a/b", "/a/b"));
  EXPECT_FALSE(lies_in("/a/bc", "/a/b"));
  EXPECT_FALSE(lies_in("/a", "/a/b"));
}

TEST(ComparablePath, EndsOfTheSamePlaceAreEqual) {
  EXPECT_EQ(comparable_path("x/./y/"), comparable_path("x/z/../y"));
}

class CheckPaths : public testing::Test {
 protected:
  CheckPaths() {
    m_table.add("in", &m_in).input("raster");
    m_table.add("model", &m_model).input("model folder");
    m_table.add("out", &m_out).output("file");
    m_table.add("log", &m_log).output("file").may_exist();
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (m_folder / name).string(); }
  void touch(const std::string& name) const { geo::write_text_file(at(name), "x", true); }

  test::TemporaryFolder m_folder;
  std::vector<std::string> m_in;
  std::string m_model;
  std::string m_out;
  std::string m_log;
  OptionTable m_table;
};

TEST_F(CheckPaths, EveryMissingInputIsNamed) {
  m_in = {at("a.tif"), at("b.tif"), "/vsicurl/http://host/c.tif"};
  EXPECT_THAT(check_paths(m_table, false),
              ElementsAre(Field(&Problem::message,
                                HasSubstr("cannot open raster '" + at("a.tif") + "': no such file")),
                          Field(&Problem::message, HasSubstr("b.tif"))));
}

TEST_F(CheckPaths, AFolderMustBeOne) {
  touch("m");
  m_model = at("m");
  EXPECT_THAT(check_paths(m_table, false),
              ElementsAre(Field(&Problem::message, HasSubstr("it is not a folder"))));
}

TEST_F(CheckPaths, OutputsThatExistNeedOverwriteUnlessTheyMayExist) {
  touch("out");
  touch("log");
  m_out = at("out");
  m_log = at("log");
  EXPECT_THAT(check_paths(m_table, false), ElementsAre(Field(&Problem::message, HasSubstr("out' exists"))));
  EXPECT_THAT(check_paths(m_table, true), IsEmpty());
}

TEST_F(CheckPaths, AnOutputIsNoInputAndHoldsNone) {
  touch("folder/in.tif");
  m_in = {at("folder/in.tif")};
  m_out = at("folder/../folder/in.tif");
  EXPECT_THAT(check_paths(m_table, true),
              ElementsAre(Field(&Problem::message, HasSubstr("is also an input"))));
  m_out = at("folder");
  EXPECT_THAT(check_paths(m_table, true),
              ElementsAre(Field(&Problem::message, HasSubstr("lies inside the output folder"))));
}

TEST_F(CheckPaths, TwoOptionsDoNotWriteTheSameFile) {
  m_out = at("x");
  m_log = at("./x");
  EXPECT_THAT(check_paths(m_table, false), ElementsAre(Field(&Problem::message, HasSubstr("given twice"))));
}

}  // namespace
}  // namespace furrow::workflow
