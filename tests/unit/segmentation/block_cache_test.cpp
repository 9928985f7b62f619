#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/random.h>

#include "block_cache.h"

namespace furrow::segmentation {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

std::atomic<int> s_live{0};
std::atomic<int> s_allocations{0};
std::atomic<std::size_t> s_refused_from{SIZE_MAX};  ///< the system is out of memory for as many bytes at once
std::atomic<int> s_refusals{0};

void* allocate(std::size_t bytes) {
  if (bytes >= s_refused_from && s_refusals > 0) {
    --s_refusals;
    throw std::bad_alloc();
  }
  ++s_live;
  ++s_allocations;
  return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
}

void release(void* block) {
  --s_live;
  std::free(block);
}

class BlockCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    s_live = 0;
    s_allocations = 0;
    s_refused_from = SIZE_MAX;
    s_refusals = 0;
  }
  BlockCache cache{&allocate, &release};
};

TEST_F(BlockCacheTest, ABlockIsUsedAgainForARequestOfAboutItsSize) {
  cache.start_keeping();
  void* first = cache.take(10 * kMebibyte);
  cache.give_back(first);
  EXPECT_EQ(cache.kept_bytes(), 10 * kMebibyte);
  void* again = cache.take(5 * kMebibyte);
  EXPECT_EQ(again, first);
  EXPECT_EQ(cache.kept_bytes(), 0U);
  cache.give_back(again);
  void* less = cache.take(5 * kMebibyte - 1);
  EXPECT_NE(less, first) << "less than half";
  void* more = cache.take(10 * kMebibyte + 1);
  EXPECT_NE(more, first);
  cache.give_back(less);
  cache.give_back(more);
  cache.stop_keeping();
  EXPECT_EQ(s_live, 0);
}

TEST_F(BlockCacheTest, TheSmallestBlockThatServesIsTaken) {
  cache.start_keeping();
  void* twelve = cache.take(12 * kMebibyte);
  void* ten = cache.take(10 * kMebibyte);
  void* eleven = cache.take(11 * kMebibyte);
  for (void* block : {twelve, ten, eleven}) cache.give_back(block);
  EXPECT_EQ(cache.take(10 * kMebibyte), ten);
  EXPECT_EQ(cache.take(10 * kMebibyte), eleven);
  EXPECT_EQ(cache.take(10 * kMebibyte), twelve);
  for (void* block : {twelve, ten, eleven}) cache.give_back(block);
  cache.stop_keeping();
}

TEST_F(BlockCacheTest, SmallBlocksAndBlocksOutsideOfKeepingAreFreed) {
  void* outside = cache.take(4 * kMebibyte);
  cache.give_back(outside);
  EXPECT_EQ(s_live, 0);
  cache.start_keeping();
  cache.give_back(cache.take(BlockCache::kLeastKept - 1));
  cache.give_back(cache.take(0));
  cache.give_back(nullptr);
  EXPECT_EQ(s_live, 0);
  EXPECT_EQ(cache.kept_bytes(), 0U);
  cache.stop_keeping();
}

TEST_F(BlockCacheTest, KeepingEndsWithTheLastThatAskedForItAndBlocksMayOutliveIt) {
  cache.start_keeping();
  cache.start_keeping();
  void* outlives = cache.take(3 * kMebibyte);
  cache.give_back(cache.take(2 * kMebibyte));
  cache.stop_keeping();
  EXPECT_EQ(cache.kept_bytes(), 2 * kMebibyte);
  cache.stop_keeping();
  EXPECT_EQ(cache.kept_bytes(), 0U);
  EXPECT_EQ(s_live, 1);
  cache.give_back(outlives);
  EXPECT_EQ(s_live, 0);
}

TEST_F(BlockCacheTest, KeepsAtMostHalfAsMuchAgainAsWasInUseAtOnce) {
  cache.start_keeping();
  geo::Random random(7);
  std::vector<void*> in_use;
  std::size_t used = 0, most = 0;
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 2000; ++i) {
    if (in_use.size() < 8 && (in_use.empty() || random.uniform() < 0.5)) {
      const std::size_t bytes = kMebibyte + random.below(7 * kMebibyte);
      in_use.push_back(cache.take(bytes));
      sizes.push_back(bytes);
      used += bytes;
      most = std::max(most, used);
    } else {
      const std::size_t at = random.below(in_use.size());
      cache.give_back(in_use[at]);
      used -= sizes[at];
      in_use.erase(in_use.begin() + static_cast<std::ptrdiff_t>(at));
      sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(at));
    }
    // A kept block may be a quarter longer than what was asked for.
    ASSERT_LE(cache.kept_bytes() + used, (most + most / 2) * 5 / 4);
  }
  EXPECT_LT(s_allocations, 900) << "hardly any block was used again";
  for (void* block : in_use) cache.give_back(block);
  cache.stop_keeping();
  EXPECT_EQ(s_live, 0);
}

TEST_F(BlockCacheTest, OutOfMemoryFreesWhatIsKeptAndTriesAgain) {
  cache.start_keeping();
  void* in_use = cache.take(5 * kMebibyte);
  cache.give_back(cache.take(4 * kMebibyte));
  s_refused_from = 2 * kMebibyte;
  s_refusals = 1;
  void* block = cache.take(2 * kMebibyte);
  EXPECT_EQ(cache.kept_bytes(), 0U);
  EXPECT_EQ(s_live, 2);
  s_refusals = 1;
  EXPECT_THROW(static_cast<void>(cache.take(2 * kMebibyte)), std::bad_alloc)
      << "nothing kept that could be freed";
  cache.give_back(block);
  cache.give_back(in_use);
  cache.stop_keeping();
  EXPECT_EQ(s_live, 0);
}

TEST_F(BlockCacheTest, BlocksAreAlignedAndNeverSharedBetweenThreads) {
  cache.start_keeping();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      geo::Random random(t);
      for (int i = 0; i < 200; ++i) {
        const std::size_t bytes = kMebibyte + random.below(64) * 4096;
        auto* block = static_cast<unsigned char*>(cache.take(bytes));
        if (reinterpret_cast<std::uintptr_t>(block) % BlockCache::kHeader != 0) ++wrong;
        block[0] = block[bytes - 1] = static_cast<unsigned char>(t);
        std::this_thread::yield();
        if (block[0] != t || block[bytes - 1] != t) ++wrong;
        cache.give_back(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  cache.stop_keeping();
  EXPECT_EQ(s_live, 0);
}

}  // namespace
}  // namespace furrow::segmentation
