#pragma once

#include <string>

namespace furrow::labelling {

/// A name as part of a file name: letters, digits, "_", "-" and "." of ASCII and all of UTF-8 stay, the rest
/// becomes "_".
inline std::string file_stem(const std::string& name) {
  std::string stem = name;
  for (char& c : stem) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.';
    const bool utf8 = static_cast<unsigned char>(c) >= 0x80;
    if (!plain && !utf8) c = '_';
  }
  return stem;
}

}  // namespace furrow::labelling
