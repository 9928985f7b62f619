// Does the thread sanitizer see a race between tasks, and none where there is none?
//   races [for | pipeline]    with a word: the sum of that algorithm is a race
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

namespace {

constexpr std::size_t kItems = 2000;

/// Waits (for a while) until a second task is here, so that two threads take part even on a busy machine.
/// Relaxed: the sanitizer learns no order from it.
void wait_for_another(std::atomic<int>& here) {
  here.fetch_add(1, std::memory_order_relaxed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (here.load(std::memory_order_relaxed) < 2 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
}

std::size_t run_for(std::vector<std::size_t>& values, bool race) {
  std::size_t sum = 0;
  std::atomic<int> here = 0;
  tbb::parallel_for(std::size_t{0}, kItems, [&](std::size_t i) {
    wait_for_another(here);
    values[i] += i;
    if (race) sum += values[i];
  });
  return sum;
}

std::size_t run_pipeline(const std::vector<std::size_t>& values, bool race) {
  std::size_t next = 0;
  std::size_t sum = 0;
  std::size_t sum_in_order = 0;
  std::atomic<int> here = 0;
  tbb::parallel_pipeline(
      8, tbb::make_filter<void, std::size_t>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control& flow) {
           if (next == kItems) flow.stop();
           return next < kItems ? next++ : next;
         }) & tbb::make_filter<std::size_t, std::size_t>(tbb::filter_mode::parallel, [&](std::size_t i) {
           wait_for_another(here);
           if (race) sum += i;
           return values[i];
         }) & tbb::make_filter<std::size_t, void>(tbb::filter_mode::serial_in_order, [&](std::size_t value) {
           sum_in_order += value;
         }));
  return sum + sum_in_order;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string race = argc > 1 ? argv[1] : "";
  std::vector<std::size_t> values(kItems, 1);
  const tbb::global_control two(tbb::global_control::max_allowed_parallelism, 2);
  std::size_t first = 0;
  std::size_t second = 0;
  tbb::task_arena(2).execute([&] {
    first = run_for(values, race == "for");
    second = run_pipeline(values, race == "pipeline");
  });
  std::printf("%zu %zu\n", first, second);
}
