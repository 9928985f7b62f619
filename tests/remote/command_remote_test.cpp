#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote_support.h"

namespace furrow::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = HttpFault::Kind;

std::vector<std::string> files_below(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  std::error_code ec;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, ec))
    files.push_back(entry.path().lexically_relative(folder).string());
  std::ranges::sort(files);
  return files;
}

class RemoteCommand : public testing::Test {
 protected:
  [[nodiscard]] std::string url(const std::string& name) const { return m_served.server.url(name); }
  [[nodiscard]] std::string local(const std::string& name) const { return (m_served.folder / name).string(); }
  [[nodiscard]] std::string out(const std::string& name) const { return (m_out / name).string(); }

  ServedFolder m_served;
  TemporaryFolder m_out;
};

TEST_F(RemoteCommand, InfoDescribesRasterAndLayer) {
  const auto raster = furrow("info " + url("scene.tif"));
  EXPECT_EQ(raster.exit_code, 0) << raster.err;
  EXPECT_THAT(raster.out, AllOf(HasSubstr("width_px: 700"), HasSubstr(url("scene.tif"))));
  const auto layer = furrow("info " + url("fields.gpkg"));
  EXPECT_EQ(layer.exit_code, 0) << layer.err;
  EXPECT_THAT(layer.out, HasSubstr("features: 1"));
}

TEST_F(RemoteCommand, TileCutsTheSameChips) {
  const auto remote = furrow("tile " + url("scene.tif") + " --labels " + url("fields.gpkg") +
                             " --quiet --out " + out("remote"));
  ASSERT_EQ(remote.exit_code, 0) << remote.err;
  const auto plain = furrow("tile " + local("scene.tif") + " --labels " + local("fields.gpkg") +
                            " --quiet --out " + out("plain"));
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  const auto names = files_below(out("plain"));
  EXPECT_EQ(files_below(out("remote")), names);
  for (const auto& name : names) {
    if (name.ends_with(".tif")) {
      EXPECT_EQ(bytes_of(m_out.path() / "remote" / name), bytes_of(m_out.path() / "plain" / name)) << name;
    }
  }
}

TEST_F(RemoteCommand, RasterizeOnARemoteGrid) {
  const auto result = furrow("rasterize " + url("fields.geojson") + " --labels-crs EPSG:32632 --grid " +
                             url("scene.tif") + " --quiet --out " + out("labels.tif"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(std::filesystem::exists(out("labels.tif")));
}

TEST_F(RemoteCommand, FailureIsOneLineAndLeavesNothing) {
  m_served.server.set_fault("scene.tif", {.kind = Kind::kStatus, .status = 500, .after = 3});
  const auto result = furrow("tile " + url("scene.tif") + " --quiet --out " + out("chips"));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr(url("scene.tif")));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  EXPECT_THAT(files_below(m_out.path()), IsEmpty());
}

TEST_F(RemoteCommand, HangEndsAndLeavesNothing) {
  m_served.server.set_fault("scene.tif", {.kind = Kind::kHang});
  const auto result = furrow("tile " + url("scene.tif") + " --quiet --out " + out("chips"));
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_THAT(result.err, HasSubstr("does not answer in time"));
  EXPECT_THAT(files_below(m_out.path()), IsEmpty());
}

TEST_F(RemoteCommand, OtherImagesGoOnWhenOneFails) {
  const auto result =
      furrow("tile " + url("none.tif") + " " + url("scene.tif") + " --quiet --out " + out("chips"));
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr(url("none.tif")), HasSubstr("404")));
  EXPECT_TRUE(std::filesystem::exists(out("chips/chips.csv")));
}

}  // namespace
}  // namespace furrow::test
