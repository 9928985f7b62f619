#include "safetensors.h"

#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::segmentation {
namespace {

using ::testing::HasSubstr;

std::string bytes(const std::vector<float>& values) {
  std::string text(values.size() * sizeof(float), '\0');
  std::memcpy(text.data(), values.data(), text.size());
  return text;
}

SafeTensors example() {
  SafeTensors content;
  content.metadata["format"] = "pt";
  content.tensors["b.weight"] = {TensorType::kFloat32, {1, 3}, bytes({1.0f, 2.0f, 3.0f})};
  content.tensors["c.count"] = {TensorType::kInt64, {}, std::string("\x07\0\0\0\0\0\0\0", 8)};
  return content;
}

std::string failure(const std::filesystem::path& path) {
  try {
    static_cast<void>(read_safetensors(path));
  } catch (const geo::ModelError& error) {
    return error.what();
  }
  return "";
}

TEST(SafeTensors, HaveThePublishedLayout) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "w.safetensors", example());
  const std::string file = test::bytes_of(folder / "w.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  std::string header = file.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  EXPECT_EQ(
      header,
      R"({"__metadata__":{"format":"pt"},"b.weight":{"data_offsets":[8,20],"dtype":"F32","shape":[1,3]},)"
      R"("c.count":{"data_offsets":[0,8],"dtype":"I64","shape":[]}})");
  EXPECT_EQ(file.substr(8 + length), std::string("\x07\0\0\0\0\0\0\0", 8) + bytes({1.0f, 2.0f, 3.0f}));
}

TEST(SafeTensors, ComeBackAsTheyWere) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "w.safetensors", example());
  const SafeTensors read = read_safetensors(folder / "w.safetensors");
  EXPECT_EQ(read.metadata, example().metadata);
  ASSERT_EQ(read.tensors.size(), 2u);
  EXPECT_EQ(read.tensors.at("b.weight").shape, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(read.tensors.at("b.weight").bytes, bytes({1.0f, 2.0f, 3.0f}));
  EXPECT_EQ(read.tensors.at("c.count").type, TensorType::kInt64);
}

TEST(SafeTensors, RefuseEveryTruncation) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "w.safetensors", example());
  const std::string file = test::bytes_of(folder / "w.safetensors");
  for (std::size_t size = 0; size < file.size(); ++size) {
    std::ofstream(folder / "cut.safetensors", std::ios::binary) << file.substr(0, size);
    EXPECT_THAT(failure(folder / "cut.safetensors"), HasSubstr("cut.safetensors")) << size;
  }
}

TEST(SafeTensors, RefuseWhatTheyCannotRead) {
  const test::TemporaryFolder folder;
  const auto with_header = [&](std::string header) {
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const auto length = static_cast<std::uint64_t>(header.size());
    std::string file(8, '\0');
    std::memcpy(file.data(), &length, 8);
    std::ofstream(folder / "odd.safetensors", std::ios::binary) << file + header + std::string(64, '\0');
    return failure(folder / "odd.safetensors");
  };
  EXPECT_THAT(with_header(R"({"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})"), HasSubstr("F16"));
  EXPECT_THAT(with_header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})"),
              HasSubstr("needs 8 bytes"));
  EXPECT_THAT(with_header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[60,68]}})"),
              HasSubstr("60..68"));
  EXPECT_THAT(with_header(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})"),
              HasSubstr("impossible shape"));
  EXPECT_THAT(with_header(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
              HasSubstr("impossible shape"));
  EXPECT_THAT(with_header(R"({"w":7})"), HasSubstr("header cannot be read"));
  EXPECT_THAT(with_header("not json"), HasSubstr("header cannot be read"));
}

}  // namespace
}  // namespace furrow::segmentation
