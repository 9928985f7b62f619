#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <vector>

#include <oneapi/tbb/task_group.h>

#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// Prepares batches ahead in TBB's threads while the caller works on those before: one at a time, in order,
/// at most `depth` that were not taken yet. The batches are those that `load` gives, whatever the threads.
///
/// For one caller, inside the arena of an ExecContext. LibTorch's threads and the one loader share the cores;
/// a caller that has to wait helps to load.
class BatchQueue {
 public:
  using Load = std::function<Batch(std::int64_t index)>;

  /// @param count  batches 0 to count - 1
  /// @param load   called by one thread at a time, with 0, 1, 2, ...
  BatchQueue(std::int64_t count, Load load, std::int64_t depth = 3);
  /// Drops what was not taken; waits for the batch that is being loaded.
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  /// The next batch. Called at most `count` times.
  /// @throws what `load` threw for that batch
  [[nodiscard]] Batch next();
  /// Time that next() took in all.
  [[nodiscard]] double waited_s() const noexcept { return m_waited_s; }

 private:
  /// A batch and the task that loads it.
  struct Slot {
    Batch batch;
    std::exception_ptr error;  ///< what loading it threw
    tbb::task_group task;
  };
  [[nodiscard]] Slot& slot(std::int64_t index) {
    return m_slots[static_cast<std::size_t>(index) % m_slots.size()];
  }
  void start_next();

  Load m_load;
  std::int64_t m_count;
  std::vector<Slot> m_slots;
  double m_waited_s = 0.0;
  std::mutex m_mutex;
  std::int64_t m_taken = 0;    ///< batches that the caller has
  std::int64_t m_started = 0;  ///< batches whose loading began
  bool m_loading = false;
};

}  // namespace furrow::segmentation
