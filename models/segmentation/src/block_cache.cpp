#include "block_cache.h"

#include <algorithm>
#include <iterator>
#include <new>

namespace furrow::segmentation {
namespace {

std::size_t& length_of(void* start) {
  return *static_cast<std::size_t*>(start);
}

}  // namespace

void* BlockCache::take(std::size_t bytes) {
  void* start = bytes < kLeastKept ? fresh(bytes) : take_large(bytes);
  return static_cast<std::byte*>(start) + kHeader;
}

void* BlockCache::fresh(std::size_t bytes) {
  void* start = m_allocate(bytes + kHeader);
  length_of(start) = bytes;
  return start;
}

void* BlockCache::take_large(std::size_t bytes) {
  {
    const std::lock_guard lock(m_mutex);
    if (void* start = find_kept(bytes)) return start;
    count_use(bytes);
    const std::size_t most = m_most_used + m_most_used / 2;
    free_until(most - m_used);
  }
  try {
    return fresh_after_all(bytes);
  } catch (...) {
    const std::lock_guard lock(m_mutex);
    m_used -= bytes;
    throw;
  }
}

void* BlockCache::fresh_after_all(std::size_t bytes) {
  try {
    return fresh(bytes);
  } catch (...) {
    const std::lock_guard lock(m_mutex);
    if (m_kept == 0) throw;
    free_until(0);
  }
  return fresh(bytes);
}

void* BlockCache::find_kept(std::size_t bytes) {
  const auto found = m_by_size.lower_bound(bytes);
  if (found == m_by_size.end() || found->first - bytes > found->first / 2) return nullptr;
  const Kept kept = *found->second;
  m_order.erase(found->second);
  m_by_size.erase(found);
  m_kept -= kept.bytes;
  count_use(kept.bytes);
  return kept.start;
}

void BlockCache::count_use(std::size_t bytes) {
  m_used += bytes;
  m_most_used = std::max(m_most_used, m_used);
}

void BlockCache::give_back(void* block) {
  if (block == nullptr) return;
  void* start = static_cast<std::byte*>(block) - kHeader;
  const std::size_t bytes = length_of(start);
  if (bytes < kLeastKept) return m_free(start);
  const std::lock_guard lock(m_mutex);
  m_used -= bytes;
  if (m_keepers == 0) return m_free(start);
  m_order.push_back({bytes, start});
  m_by_size.emplace(bytes, std::prev(m_order.end()));
  m_kept += bytes;
}

void BlockCache::start_keeping() {
  const std::lock_guard lock(m_mutex);
  ++m_keepers;
}

void BlockCache::stop_keeping() {
  const std::lock_guard lock(m_mutex);
  if (--m_keepers > 0) return;
  free_until(0);
  m_most_used = m_used;
}

std::size_t BlockCache::kept_bytes() const {
  const std::lock_guard lock(m_mutex);
  return m_kept;
}

void BlockCache::free_until(std::size_t most_kept) {
  while (m_kept > most_kept) {
    const Kept first = m_order.front();
    const auto [begin, end] = m_by_size.equal_range(first.bytes);
    m_by_size.erase(
        std::find_if(begin, end, [&](const auto& entry) { return entry.second == m_order.begin(); }));
    m_order.pop_front();
    m_kept -= first.bytes;
    m_free(first.start);
  }
}

}  // namespace furrow::segmentation
