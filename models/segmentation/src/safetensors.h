#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace furrow::segmentation {

enum class TensorType { kFloat32, kInt64 };

/// A tensor outside LibTorch: row-major little-endian bytes.
struct StoredTensor {
  TensorType type = TensorType::kFloat32;
  std::vector<std::int64_t> shape;  ///< empty = a scalar
  std::string bytes;

  [[nodiscard]] std::int64_t elements() const;
};

/// "[64, 32, 3, 3]", for messages.
[[nodiscard]] std::string shape_text(const std::vector<std::int64_t>& shape);

struct SafeTensors {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Writes the safetensors format: u64 header length, JSON header padded with blanks to 8 bytes, data without
/// holes. Names are sorted, so equal content gives equal bytes.
/// @throws geo::IoError
void write_safetensors(const std::filesystem::path& path, const SafeTensors& content);

/// @throws geo::IoError     when the file cannot be read
/// @throws geo::ModelError  when it is not a safetensors file, is cut short, or holds a type other than F32
/// and I64
[[nodiscard]] SafeTensors read_safetensors(const std::filesystem::path& path);

}  // namespace furrow::segmentation
