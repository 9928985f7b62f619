#include "batch_queue.h"

#include <algorithm>
#include <chrono>

namespace furrow::segmentation {

BatchQueue::BatchQueue(std::int64_t count, Load load, std::int64_t depth)
    : m_load(std::move(load)),
      m_count(count),
      m_slots(
          static_cast<std::size_t>(std::clamp<std::int64_t>(depth, 1, std::max<std::int64_t>(1, count)))) {
  start_next();
}

BatchQueue::~BatchQueue() {
  {
    const std::scoped_lock lock(m_mutex);
    m_count = m_started;  // no further one
  }
  // In this order: a batch that is being loaded may still start the next one.
  for (std::int64_t index = m_taken; index < m_count; ++index) {
    slot(index).task.cancel();
    slot(index).task.wait();
  }
}

/// Starts loading the next batch unless one is being loaded, none is left or the queue is full.
void BatchQueue::start_next() {
  std::int64_t index = 0;
  {
    const std::scoped_lock lock(m_mutex);
    if (m_loading || m_started == m_count || m_started - m_taken == std::ssize(m_slots)) return;
    m_loading = true;
    index = m_started++;
  }
  slot(index).task.run([this, index] {
    try {
      slot(index).batch = m_load(index);
    } catch (...) {
      slot(index).error = std::current_exception();
      return;  // the caller stops at this batch
    }
    {
      const std::scoped_lock lock(m_mutex);
      m_loading = false;
    }
    start_next();
  });
}

Batch BatchQueue::next() {
  const auto start = std::chrono::steady_clock::now();
  const std::int64_t index = m_taken;
  slot(index).task.wait();
  if (slot(index).error) std::rethrow_exception(slot(index).error);
  Batch batch = std::move(slot(index).batch);
  {
    const std::scoped_lock lock(m_mutex);
    ++m_taken;
  }
  start_next();
  m_waited_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return batch;
}

}  // namespace furrow::segmentation
