#include <furrow/geo/core/sha256.h>

#include <fstream>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::geo {
namespace {

// Test vectors of FIPS 180-4 (NIST examples).
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_of(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnThePieces) {
  const std::string text(300, 'x');
  for (const std::size_t piece : {1u, 55u, 56u, 63u, 64u, 65u, 299u}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += piece)
      hash.update(std::string_view(text).substr(at, piece));
    EXPECT_EQ(hash.hex_digest(), sha256_of(text)) << piece;
  }
}

TEST(Sha256, ReadsFilesAndNamesAMissingOne) {
  const test::TemporaryFolder folder;
  std::ofstream(folder / "abc.txt") << "abc";
  EXPECT_EQ(sha256_of_file(folder / "abc.txt"), sha256_of("abc"));
  try {
    static_cast<void>(sha256_of_file(folder / "nowhere.bin"));
    FAIL();
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("nowhere.bin"), std::string::npos);
  }
}

}  // namespace
}  // namespace furrow::geo
