#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

namespace furrow::geo {

/// Opens readers when they are needed and closes those that were not for long, so that a list of thousands of
/// files does not exceed the files that a process may have open. Thread-safe; a reader that somebody still
/// uses stays open until they let go of it.
/// @tparam Key     compared with ==: what tells one reader from another
/// @tparam Reader  safe to read from several threads, with one file handle for each (RasterReader)
template <class Key, class Reader>
class ReaderPool {
 public:
  using Open = std::shared_ptr<const Reader>;

  /// @param threads  that will read
  explicit ReaderPool(int threads)
      : m_capacity(static_cast<std::size_t>(std::clamp(kHandles / std::max(1, threads), 8, kHandles / 2))) {}

  /// The reader of `key`, made by `make(key)` unless it is open.
  template <class Make>
  [[nodiscard]] Open get(const Key& key, const Make& make) {
    {
      const std::scoped_lock lock(m_mutex);
      const auto found = std::ranges::find(m_recent, key, &Entry::first);
      if (found != m_recent.end()) {
        m_recent.splice(m_recent.begin(), m_recent, found);
        return found->second;
      }
    }
    Open opened = make(key);
    const std::scoped_lock lock(m_mutex);
    // Another thread may have been faster: threads then share its reader.
    const auto found = std::ranges::find(m_recent, key, &Entry::first);
    if (found != m_recent.end()) return found->second;
    m_recent.emplace_front(key, opened);
    if (m_recent.size() > m_capacity) m_recent.pop_back();
    return opened;
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return m_capacity; }

 private:
  /// Every thread that reads has a handle of its own; systems allow 1024 open files as a rule.
  static constexpr int kHandles = 512;
  using Entry = std::pair<Key, Open>;

  std::mutex m_mutex;
  std::size_t m_capacity;
  std::list<Entry> m_recent;
};

}  // namespace furrow::geo
