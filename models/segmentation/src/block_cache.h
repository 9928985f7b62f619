#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <mutex>

namespace furrow::segmentation {

/// Blocks of memory that are kept when they are given back, for the next request of about that size.
///
/// A network asks for the same large blocks at every step. Fresh from malloc each of them is pages that the
/// system clears and maps one by one, a third of the time of a training step.
///
/// Only blocks of kLeastKept bytes or more are kept, and only between start_keeping() and stop_keeping(). A
/// kept block serves requests down to half its size. What is in use and what is kept together stay
/// within half as much again as the most that was in use at once: beyond, what was given back first is freed.
/// Safe from any thread.
class BlockCache {
 public:
  static constexpr std::size_t kLeastKept = std::size_t{1} << 20;
  /// Bytes before each block, which say how long it is; blocks are aligned to as many.
  static constexpr std::size_t kHeader = 64;

  /// Memory aligned to kHeader bytes; throws when there is none.
  using Allocate = void* (*)(std::size_t bytes);
  using Free = void (*)(void*);

  BlockCache(Allocate allocate, Free free) : m_allocate(allocate), m_free(free) {}
  ~BlockCache() { free_until(0); }
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  /// @throws what `allocate` throws, when it still does after all kept blocks have been freed
  [[nodiscard]] void* take(std::size_t bytes);
  /// @param block  from take(), or null
  void give_back(void* block);

  /// Blocks are kept until each call has had its stop_keeping(); the last one frees them.
  void start_keeping();
  void stop_keeping();

  [[nodiscard]] std::size_t kept_bytes() const;

 private:
  struct Kept {
    std::size_t bytes;
    void* start;
  };
  using Order = std::list<Kept>;  ///< given back first comes first

  void* take_large(std::size_t bytes);
  void* fresh(std::size_t bytes);
  void* fresh_after_all(std::size_t bytes);  ///< frees what is kept and tries again where needed
  void* find_kept(std::size_t bytes);
  void count_use(std::size_t bytes);
  void free_until(std::size_t most_kept);

  Allocate m_allocate;
  Free m_free;
  mutable std::mutex m_mutex;
  int m_keepers = 0;
  std::size_t m_used = 0;  ///< bytes of large blocks in use
  std::size_t m_most_used = 0;
  std::size_t m_kept = 0;
  Order m_order;
  std::multimap<std::size_t, Order::iterator> m_by_size;
};

}  // namespace furrow::segmentation
