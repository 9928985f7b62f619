#include "raster/written_blocks.h"

#include <gtest/gtest.h>

namespace furrow::geo {
namespace {

using Places = std::vector<BlockPlace>;

TEST(WrittenBlocks, AreWholeWithTheirLastPixel) {
  WrittenBlocks blocks(250, 150, 100, 100);
  EXPECT_EQ(blocks.add({0, 0, 150, 60}), Places{});
  EXPECT_EQ(blocks.waiting(), 2);
  EXPECT_EQ(blocks.add({0, 60, 150, 40}), (Places{{0, 0}}));
  EXPECT_EQ(blocks.waiting(), 1);
  EXPECT_EQ(blocks.add({150, 0, 100, 100}), (Places{{1, 0}, {2, 0}})) << "the last one is 50 px wide";
  EXPECT_EQ(blocks.waiting(), 0);
  EXPECT_EQ(blocks.add({0, 100, 250, 50}), (Places{{0, 1}, {1, 1}, {2, 1}})) << "50 px high";
}

TEST(WrittenBlocks, ThoseThatLeftEarlyStillBecomeWhole) {
  WrittenBlocks blocks(200, 100, 100, 100);
  EXPECT_EQ(blocks.add({0, 0, 200, 10}), Places{});
  EXPECT_EQ(blocks.waiting(), 2);
  blocks.all_left();
  EXPECT_EQ(blocks.waiting(), 0);
  EXPECT_EQ(blocks.add({0, 10, 100, 50}), Places{});
  EXPECT_EQ(blocks.waiting(), 1) << "is in memory again";
  EXPECT_EQ(blocks.add({0, 60, 100, 40}), (Places{{0, 0}}));
}

TEST(WrittenBlocks, AreNamedAgainWhenTheyAreWrittenAgain) {
  WrittenBlocks blocks(64, 64, 64, 64);
  EXPECT_EQ(blocks.add({0, 0, 64, 64}), (Places{{0, 0}}));
  EXPECT_EQ(blocks.add({0, 0, 64, 32}), Places{});
  EXPECT_EQ(blocks.waiting(), 1);
  EXPECT_EQ(blocks.add({0, 32, 64, 32}), (Places{{0, 0}}));
  EXPECT_EQ(blocks.add({0, 0, 0, 64}), Places{}) << "an empty window";
  EXPECT_EQ(blocks.waiting(), 0);
}

}  // namespace
}  // namespace furrow::geo
