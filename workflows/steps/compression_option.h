#pragma once

#include <string>
#include <vector>

#include <furrow/geo/raster/writer.h>

namespace furrow::workflow {

/// Values of an option --compress.
inline const std::vector<std::string> kCompressions{"none", "lzw", "deflate", "zstd"};

/// @param name  one of them
inline geo::Compression compression_of(const std::string& name) {
  if (name == "none") return geo::Compression::kNone;
  if (name == "lzw") return geo::Compression::kLzw;
  return name == "zstd" ? geo::Compression::kZstd : geo::Compression::kDeflate;
}

}  // namespace furrow::workflow
