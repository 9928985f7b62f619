#include "batch_queue.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "training_windows.h"

namespace furrow::segmentation {
namespace {

using test::TemporaryFolder;

Batch numbered_batch(std::int64_t number) {
  Batch batch;
  batch.count = number;
  return batch;
}

void expect_same(const Batch& found, const Batch& expected) {
  EXPECT_EQ(found.count, expected.count);
  EXPECT_EQ(found.pixels, expected.pixels);
  EXPECT_EQ(found.labels, expected.labels);
  EXPECT_EQ(found.weights, expected.weights);
  EXPECT_EQ(found.targets, expected.targets);
  EXPECT_EQ(found.blocks, expected.blocks);
  EXPECT_EQ(found.labellers, expected.labellers);
  EXPECT_EQ(found.pixel_numbers, expected.pixel_numbers);
}

TEST(BatchQueue, GivesTheBatchesOfTheDataInOrder) {
  const TemporaryFolder folder;
  TrainingDataOptions options = testing_scene::small_options();
  options.augment = true;
  options.number_pixels = true;
  const TrainingData data = testing_scene::load(testing_scene::write_scene(folder, 200, 150), options);
  const std::vector<Batch> expected = testing_scene::all_train(data, 2);
  const auto count = std::ssize(expected);
  ASSERT_GE(count, 5);
  for (const int threads : {1, 4}) {
    for (const std::int64_t depth : {1, 2, 3, 100}) {
      SCOPED_TRACE(testing::Message() << threads << " threads, " << depth << " ahead");
      geo::ExecContext exec({threads, 0});
      exec.execute([&] {
        BatchQueue queue(
            count, [&](std::int64_t i) { return data.train_batch(2, i, 4); }, depth);
        for (const Batch& batch : expected) expect_same(queue.next(), batch);
        EXPECT_GE(queue.waited_s(), 0.0);
      });
    }
  }
}

TEST(BatchQueue, LoadsOneAtATimeAndNoFurtherAheadThanItsDepth) {
  constexpr std::int64_t kCount = 60;
  for (const int threads : {1, 4}) {
    for (const std::int64_t depth : {1, 2, 5}) {
      geo::ExecContext exec({threads, 0});
      exec.execute([&] {
        std::atomic<std::int64_t> asked = 0;  // calls of next() that began
        std::atomic<int> loading = 0;
        std::int64_t expected = 0;
        const auto load = [&](std::int64_t index) {
          EXPECT_EQ(loading.fetch_add(1), 0);
          EXPECT_EQ(index, expected++);
          EXPECT_LT(index, asked + depth);
          std::this_thread::sleep_for(std::chrono::microseconds(50));
          loading.fetch_sub(1);
          return numbered_batch(index);
        };
        BatchQueue queue(kCount, load, depth);
        for (std::int64_t i = 0; i < kCount; ++i) {
          ++asked;
          EXPECT_EQ(queue.next().count, i);
        }
        EXPECT_EQ(expected, kCount);
      });
    }
  }
}

TEST(BatchQueue, ThrowsWhatTheBatchThrewAtItsTurn) {
  for (const int threads : {1, 4}) {
    for (const std::int64_t depth : {1, 3, 10}) {
      geo::ExecContext exec({threads, 0});
      std::atomic<std::int64_t> last = -1;
      exec.execute([&] {
        BatchQueue queue(
            10,
            [&](std::int64_t index) {
              last = index;
              if (index == 4) throw geo::IoError("chip 4 is gone");
              return numbered_batch(index);
            },
            depth);
        for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(queue.next().count, i);
        try {
          static_cast<void>(queue.next());
          ADD_FAILURE() << "no error";
        } catch (const geo::IoError& error) {
          EXPECT_STREQ(error.what(), "chip 4 is gone");
        }
      });
      EXPECT_EQ(last, 4) << "nothing is loaded behind a batch that failed";
    }
  }
}

TEST(BatchQueue, EndsWhenTheUserCancels) {
  for (const int threads : {1, 4}) {
    geo::ExecContext exec({threads, 0});
    std::int64_t taken = 0;
    const auto train = [&] {
      BatchQueue queue(1000, [&](std::int64_t index) {
        exec.check_cancelled();
        if (index == 7) exec.cancel_token().cancel();
        return numbered_batch(index);
      });
      for (; taken < 1000; ++taken) static_cast<void>(queue.next());
    };
    EXPECT_THROW(exec.execute(train), geo::Cancelled);
    EXPECT_EQ(taken, 8);
  }
}

TEST(BatchQueue, MayBeDroppedAtAnyTime) {
  for (const int threads : {1, 4}) {
    geo::ExecContext exec({threads, 0});
    exec.execute([&] {
      for (std::int64_t round = 0; round < 3000; ++round) {
        std::atomic<int> begun = 0;
        std::atomic<int> done = 0;
        {
          BatchQueue queue(
              20,
              [&](std::int64_t index) {
                ++begun;
                Batch batch = numbered_batch(index);
                ++done;
                return batch;
              },
              1 + round % 4);
          for (std::int64_t i = 0; i < round % 20; ++i) ASSERT_EQ(queue.next().count, i);
        }
        ASSERT_EQ(begun, done) << "something still loads";
      }
    });
  }
}

TEST(BatchQueue, LoadsNothingWhenThereIsNothing) {
  geo::ExecContext exec({2, 0});
  exec.execute([&] {
    const BatchQueue queue(0, [](std::int64_t index) {
      ADD_FAILURE();
      return numbered_batch(index);
    });
  });
}

}  // namespace
}  // namespace furrow::segmentation
