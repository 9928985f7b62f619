#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/layer.h>

#include "remote_support.h"

namespace furrow::geo {
namespace {

using test::HttpFault;
using test::ServedFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;
using Kind = HttpFault::Kind;

/// What a user could set too: the tests must not wait for the usual pauses.
class QuickRetries : public testing::Environment {
 public:
  void SetUp() override {
    setenv("GDAL_HTTP_RETRY_DELAY", "0.05", 1);
    setenv("GDAL_HTTP_TIMEOUT", "2", 1);
    setenv("GDAL_HTTP_MAX_RETRY", "2", 1);
  }
};
[[maybe_unused]] const auto* const kQuickRetries = testing::AddGlobalTestEnvironment(new QuickRetries);

class RemoteReader : public testing::Test {
 protected:
  [[nodiscard]] Raster<std::uint16_t> read(const std::string& path) const {
    const RasterReader reader(path);
    return reader.read<std::uint16_t>(reader.grid().window());
  }
  [[nodiscard]] std::string url(const std::string& name) const { return m_served.server.url(name); }
  [[nodiscard]] std::string local(const std::string& name) const { return (m_served.folder / name).string(); }
  void fault(const std::string& name, const HttpFault& f) { m_served.server.set_fault(name, f); }

  ServedFolder m_served;
};

TEST_F(RemoteReader, SamePixelsAsTheFile) {
  const RasterReader remote(url("scene.tif"));
  EXPECT_EQ(remote.path(), url("scene.tif"));
  EXPECT_TRUE(remote.grid().same_as(RasterReader(local("scene.tif")).grid()));
  EXPECT_EQ(read(url("scene.tif")).data(), read(local("scene.tif")).data());
}

TEST_F(RemoteReader, WindowIsReadWithoutTheRest) {
  const RasterReader reader(url("scene.tif"));
  (void)reader.read<std::uint16_t>({0, 0, 8, 8});
  EXPECT_EQ(m_served.server.requests("scene.tif.aux.xml"), 0);
  EXPECT_EQ(m_served.server.requests(""), 0) << "the folder was listed";
}

TEST_F(RemoteReader, VsicurlSpellingWorksToo) {
  EXPECT_EQ(read("/vsicurl/" + url("scene.tif")).data(), read(local("scene.tif")).data());
}

TEST_F(RemoteReader, SlowServerGivesTheSamePixels) {
  setenv("GDAL_HTTP_TIMEOUT", "60", 1);
  fault("scene.tif", {.kind = Kind::kSlow, .pause_ms = 2, .times = 4});
  EXPECT_EQ(read(url("scene.tif")).data(), read(local("scene.tif")).data());
  setenv("GDAL_HTTP_TIMEOUT", "2", 1);
}

TEST_F(RemoteReader, FailureThatPassesIsTriedAgain) {
  for (const int status : {429, 502, 503, 504}) {
    ServedFolder served;
    served.server.set_fault("scene.tif", {.kind = Kind::kStatus, .status = status, .times = 2});
    EXPECT_EQ(read(served.server.url("scene.tif")).data(), read(local("scene.tif")).data()) << status;
  }
}

TEST_F(RemoteReader, FailureThatStaysNamesUrlAndWhatToDo) {
  const std::vector<std::pair<int, std::string>> answers{
      {403, "refuses access"}, {404, "no such file (404)"}, {500, "(500)"}, {503, "(503)"}};
  for (const auto& [status, words] : answers) {
    ServedFolder served;
    served.server.set_fault("scene.tif", {.kind = Kind::kStatus, .status = status});
    const std::string path = served.server.url("scene.tif");
    EXPECT_THAT([&] { (void)RasterReader(path); },
                ThrowsMessage<IoError>(AllOf(HasSubstr(path), HasSubstr(words), Not(HasSubstr("vsicurl")))));
  }
}

TEST_F(RemoteReader, MissingFileAndMissingServer) {
  EXPECT_THAT([&] { (void)RasterReader(url("none.tif")); },
              ThrowsMessage<IoError>(HasSubstr("no such file (404)")));
  EXPECT_THAT([&] { (void)RasterReader("http://127.0.0.1:9/x.tif"); },
              ThrowsMessage<IoError>(HasSubstr("no connection to the server")));
}

TEST_F(RemoteReader, HangEnds) {
  fault("scene.tif", {.kind = Kind::kHang});
  EXPECT_THAT(
      [&] { (void)RasterReader(url("scene.tif")); },
      ThrowsMessage<IoError>(AllOf(HasSubstr("does not answer in time"), HasSubstr("GDAL_HTTP_TIMEOUT"))));
}

TEST_F(RemoteReader, FailureWhileReadingNamesTheUrl) {
  const RasterReader reader(url("scene.tif"));
  fault("scene.tif", {.kind = Kind::kStatus, .status = 500});
  EXPECT_THAT([&] { (void)reader.read<std::uint16_t>(reader.grid().window()); },
              ThrowsMessage<IoError>(
                  AllOf(HasSubstr("cannot read raster"), HasSubstr(reader.path()), HasSubstr("again"))));
}

TEST_F(RemoteReader, ConnectionThatBreaksOffIsNoShortRead) {
  const RasterReader reader(url("scene.tif"));
  fault("scene.tif", {.kind = Kind::kCut});
  EXPECT_THAT([&] { (void)reader.read<std::uint16_t>(reader.grid().window()); },
              ThrowsMessage<IoError>(AllOf(HasSubstr(reader.path()), HasSubstr("try again"))));
}

TEST_F(RemoteReader, HangWhileReadingEnds) {
  const RasterReader reader(url("scene.tif"));
  fault("scene.tif", {.kind = Kind::kHang});
  EXPECT_THAT(
      [&] {
        (void)reader.read<std::uint16_t>({0, 0, 64, 64});
      },
      ThrowsMessage<IoError>(AllOf(HasSubstr(reader.path()), HasSubstr("try again"))));
}

TEST_F(RemoteReader, ServerWithoutRangesIsRefused) {
  fault("scene.tif", {.kind = Kind::kIgnoreRange});
  EXPECT_THAT([&] { (void)read(url("scene.tif")); },
              ThrowsMessage<IoError>(AllOf(HasSubstr("only gives whole files"), HasSubstr("copy the file"))));
}

TEST_F(RemoteReader, LayersOfAnyFormat) {
  for (const char* name : {"fields.gpkg", "fields.geojson"}) {
    const Layer layer = read_layer(url(name));
    ASSERT_EQ(layer.features.size(), 1U) << name;
    EXPECT_EQ(to_wkt(layer.features[0].geometry), to_wkt(read_layer(local(name)).features[0].geometry))
        << name;
  }
  fault("fields.geojson", {.kind = Kind::kStatus, .status = 404});
  EXPECT_THAT([&] { (void)read_layer(url("other.gpkg")); }, ThrowsMessage<IoError>(HasSubstr("(404)")));
}

TEST_F(RemoteReader, TextFilesAndListsOfRasters) {
  write_text_file(m_served.folder / "list.csv", "name,path\nA,scene.tif\n", false);
  EXPECT_EQ(read_text_file(url("list.csv")), "name,path\nA,scene.tif\n");
  const std::vector<std::string> inputs{url("list.csv")};
  const auto rasters = list_rasters(inputs);
  ASSERT_EQ(rasters.size(), 1U);
  EXPECT_EQ(rasters[0].path, url("scene.tif"));
  EXPECT_EQ(rasters[0].name, "A");
  EXPECT_EQ(read(rasters[0].path).data(), read(local("scene.tif")).data());
}

}  // namespace
}  // namespace furrow::geo
