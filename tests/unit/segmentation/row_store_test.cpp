#include <gtest/gtest.h>

#include "row_store.h"

namespace furrow::segmentation {
namespace {

/// Rows [begin, end) of an image whose pixels are 1000 * channel + row.
torch::Tensor image_rows(std::int64_t begin, std::int64_t end) {
  const torch::Tensor rows = torch::arange(begin, end, torch::kFloat).reshape({1, 1, -1, 1});
  const torch::Tensor channels = 1000.0F * torch::arange(0, 3, torch::kFloat).reshape({1, 3, 1, 1});
  return (rows + channels).expand({1, 3, end - begin, 5}).contiguous(torch::MemoryFormat::ChannelsLast);
}

TEST(RowStore, GivesTheRowsThatWereAppendedAndNotForgotten) {
  RowStore store;
  EXPECT_EQ(store.next(7), 7);
  std::int64_t end = 7;
  for (const std::int64_t count : {4, 1, 9, 2, 2, 30, 1, 3}) {
    store.append(end, image_rows(end, end + count));
    end += count;
    EXPECT_EQ(store.next(7), end);
    const std::int64_t kept = std::max<std::int64_t>(7, end - 3);
    store.keep_from(kept);
    EXPECT_TRUE(torch::equal(store.rows(kept, end), image_rows(kept, end))) << "to row " << end;
    store.keep_from(kept - 2);  // what is forgotten stays so
    EXPECT_TRUE(torch::equal(store.rows(end - 1, end), image_rows(end - 1, end)));
  }
}

TEST(RowStore, RowsAreOnePieceOfMemory) {
  RowStore store;
  store.append(0, image_rows(0, 6));
  const torch::Tensor rows = store.rows(1, 5);
  EXPECT_TRUE(rows.is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_EQ(rows.data_ptr<float>(), store.rows(0, 6).data_ptr<float>() + 5 * 3);
}

TEST(RowStore, RoomIsFilledInPlace) {
  RowStore store;
  store.append(2, image_rows(2, 4));
  const torch::Tensor like = image_rows(0, 1);
  store.extend(2, 3, 3, 5, like).copy_(image_rows(4, 7));
  EXPECT_TRUE(torch::equal(store.rows(2, 7), image_rows(2, 7)));
}

}  // namespace
}  // namespace furrow::segmentation
