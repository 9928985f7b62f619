#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace furrow::geo {

/// SHA-256 (FIPS 180-4) of bytes given piece by piece.
class Sha256 {
 public:
  void update(std::string_view bytes);
  /// 64 lower-case hexadecimal digits. Call once, after the last update.
  [[nodiscard]] std::string hex_digest();

 private:
  void compress(const unsigned char* block);

  std::array<std::uint32_t, 8> m_state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> m_block{};
  std::size_t m_filled = 0;
  std::uint64_t m_length = 0;
};

/// Checksum of a text.
[[nodiscard]] std::string sha256_of(std::string_view bytes);

/// Checksum of a file, read in pieces.
/// @throws IoError when it cannot be read
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace furrow::geo
