#include "safetensors.h"

#include <bit>
#include <cstring>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "model files are little-endian, and so must be the machine");

std::size_t size_of(TensorType type) {
  return type == TensorType::kFloat32 ? 4 : 8;
}
const char* name_of(TensorType type) {
  return type == TensorType::kFloat32 ? "F32" : "I64";
}

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw geo::ModelError(geo::concat("cannot use weights ", geo::quoted(path.string()), ": ", why));
}

TensorType type_of(const std::string& name, const std::string& tensor, const std::filesystem::path& path) {
  if (name == "F32") return TensorType::kFloat32;
  if (name == "I64") return TensorType::kInt64;
  refuse(path,
         geo::concat("tensor ", geo::quoted(tensor), " has type ", name, "; only F32 and I64 are read"));
}

StoredTensor tensor_from(const std::string& name, const json& entry, std::string_view data,
                         const std::filesystem::path& path) {
  StoredTensor tensor;
  tensor.type = type_of(entry.at("dtype").get<std::string>(), name, path);
  tensor.shape = entry.at("shape").get<std::vector<std::int64_t>>();
  const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
  const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
  std::uint64_t needed = size_of(tensor.type);
  for (const std::int64_t side : tensor.shape) {
    if (side < 0 || __builtin_mul_overflow(needed, static_cast<std::uint64_t>(side), &needed)) {
      refuse(path, geo::concat("tensor ", geo::quoted(name), " has an impossible shape ",
                               shape_text(tensor.shape)));
    }
  }
  if (begin > end || end > data.size() || end - begin != needed) {
    refuse(path, geo::concat("tensor ", geo::quoted(name), " of shape ", shape_text(tensor.shape), " needs ",
                             needed, " bytes but lies at ", begin, "..", end, " of ", data.size()));
  }
  tensor.bytes = std::string(data.substr(begin, needed));
  return tensor;
}

}  // namespace

std::int64_t StoredTensor::elements() const {
  std::int64_t n = 1;
  for (const std::int64_t side : shape) n *= side;
  return n;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> parts;
  for (const std::int64_t side : shape) parts.push_back(std::to_string(side));
  return geo::concat("[", geo::join(parts, ", "), "]");
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& content) {
  json header = json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::string data;
  // Eight-byte types first, so that every tensor is aligned to its type whatever the names are.
  for (const TensorType type : {TensorType::kInt64, TensorType::kFloat32}) {
    for (const auto& [name, tensor] : content.tensors) {
      if (tensor.type != type) continue;
      header[name] = {{"dtype", name_of(type)},
                      {"shape", tensor.shape},
                      {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
      data += tensor.bytes;
    }
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  file += text;
  file += data;
  geo::write_text_file(path, file, true);
}

SafeTensors read_safetensors(const std::filesystem::path& path) {
  const std::string file = geo::read_text_file(path);
  std::uint64_t length = 0;
  if (file.size() < sizeof length) refuse(path, "it is not a safetensors file (too short)");
  std::memcpy(&length, file.data(), sizeof length);
  if (length > file.size() - sizeof length) refuse(path, "it is not a safetensors file, or it is cut short");
  const std::string_view data = std::string_view(file).substr(sizeof length + length);
  SafeTensors content;
  try {
    const json header = json::parse(file.begin() + sizeof length,
                                    file.begin() + static_cast<std::ptrdiff_t>(sizeof length + length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        content.metadata = entry.get<std::map<std::string, std::string>>();
      } else {
        content.tensors[name] = tensor_from(name, entry, data, path);
      }
    }
  } catch (const json::exception& error) {
    refuse(path, geo::concat("its header cannot be read (", error.what(), ")"));
  }
  return content;
}

}  // namespace furrow::segmentation
