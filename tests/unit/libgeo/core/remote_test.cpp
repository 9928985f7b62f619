#include <furrow/geo/core/remote.h>

#include <gtest/gtest.h>

namespace furrow::geo {
namespace {

TEST(RemotePath, StoresAndUrlsGetGdalsPrefix) {
  EXPECT_EQ(remote_path("s3://bucket/a.tif"), "/vsis3/bucket/a.tif");
  EXPECT_EQ(remote_path("gs://b/a"), "/vsigs/b/a");
  EXPECT_EQ(remote_path("az://b/a"), "/vsiaz/b/a");
  EXPECT_EQ(remote_path("https://host/a.tif"), "/vsicurl/https://host/a.tif");
  EXPECT_EQ(remote_path("HTTP://Host/A.tif"), "/vsicurl/http://Host/A.tif");
}

TEST(RemotePath, AnythingElseStays) {
  for (const char* path :
       {"/vsizip/a.zip/a.tif", "folder/a.tif", "GPKG:a.gpkg:t", "/vsis3/b/a.tif", "-", ""}) {
    EXPECT_EQ(remote_path(path), path);
  }
}

TEST(IsRemote, KnowsBothSpellingsAndNestedOnes) {
  for (const char* path : {"http://h/a.tif", "s3://b/a", "/vsicurl/http://h/a", "/vsis3/b/a",
                           "/vsizip//vsicurl/http://h/a.zip/a.tif"}) {
    EXPECT_TRUE(is_remote(path)) << path;
  }
  for (const char* path : {"a.tif", "/vsizip/a.zip/a.tif", "/vsimem/a", "GPKG:a.gpkg:t", "folder/vsis3/a"}) {
    EXPECT_FALSE(is_remote(path)) << path;
  }
}

}  // namespace
}  // namespace furrow::geo
