#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/layer.h>

#include "support.h"

namespace furrow {
namespace {

namespace fs = std::filesystem;

fs::path committed(const std::string& name) {
  return fs::path(FURROW_TEST_SOURCE_DIR) / "sample_data" / name;
}

/// The lines between ```sh and ``` of the README.
std::string commands() {
  const std::string text = test::bytes_of(committed("README.md"));
  const auto begin = text.find("```sh\n") + 6;
  return text.substr(begin, text.find("```", begin) - begin);
}

void expect_same_layer(const fs::path& made, const fs::path& kept) {
  const auto a = geo::read_layer(made.string(), {});
  const auto b = geo::read_layer(kept.string(), {});
  EXPECT_EQ(a.name, b.name);
  EXPECT_TRUE(a.crs.same_as(b.crs));
  ASSERT_EQ(a.fields.size(), b.fields.size());
  for (std::size_t i = 0; i < a.fields.size(); ++i) EXPECT_EQ(a.fields[i].name, b.fields[i].name);
  ASSERT_EQ(a.features.size(), b.features.size());
  for (std::size_t i = 0; i < a.features.size(); ++i) {
    EXPECT_EQ(a.features[i].values, b.features[i].values);
    const auto& made_shape = a.features[i].geometry;
    const auto& kept_shape = b.features[i].geometry;
    ASSERT_EQ(made_shape.size(), kept_shape.size());
    for (std::size_t k = 0; k < made_shape.size(); ++k) {
      ASSERT_EQ(made_shape[k].shell, kept_shape[k].shell) << kept << ", feature " << i;
      ASSERT_EQ(made_shape[k].holes, kept_shape[k].holes) << kept << ", feature " << i;
    }
  }
}

class SampleData : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    s_folder = std::make_unique<test::TemporaryFolder>();
    geo::write_text_file(*s_folder / "commands.sh", commands(), false);
    const auto program = fs::path(test::furrow_program()).parent_path().string();
    s_result = test::run_command(
        geo::concat("cd ", s_folder->path().string(), " && PATH=", program, ":$PATH sh -e commands.sh"));
  }
  static void TearDownTestSuite() { s_folder.reset(); }
  static fs::path made(const std::string& name) { return s_folder->path() / "sample_data" / name; }

  void SetUp() override { ASSERT_EQ(s_result.exit_code, 0) << s_result.err; }

  inline static std::unique_ptr<test::TemporaryFolder> s_folder;
  inline static test::CommandResult s_result;
};

TEST_F(SampleData, SceneHasTheSamePixels) {
  const geo::RasterReader a(made("scene.tif").string());
  const geo::RasterReader b(committed("scene.tif").string());
  ASSERT_TRUE(a.grid().same_as(b.grid()));
  ASSERT_EQ(a.bands(), b.bands());
  EXPECT_EQ(a.read<std::uint16_t>(a.grid().window()).data(), b.read<std::uint16_t>(b.grid().window()).data());
}

TEST_F(SampleData, TruthHasTheSameFields) {
  expect_same_layer(made("truth.gpkg"), committed("truth.gpkg"));
}

TEST_F(SampleData, CampaignIsTheSame) {
  expect_same_layer(made("campaign/labels.gpkg"), committed("campaign/labels.gpkg"));
  expect_same_layer(made("campaign/sites.gpkg"), committed("campaign/sites.gpkg"));
  EXPECT_EQ(test::bytes_of(made("campaign/catalogue.csv")),
            test::bytes_of(committed("campaign/catalogue.csv")));
  EXPECT_EQ(test::bytes_of(made("campaign/true_skills.csv")),
            test::bytes_of(committed("campaign/true_skills.csv")));
}

TEST_F(SampleData, StaysSmall) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(committed(""))) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  EXPECT_LT(bytes, 3'000'000U);
}

}  // namespace
}  // namespace furrow
