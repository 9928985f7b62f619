#include "tensor_memory.h"

#include <atomic>
#include <cstddef>

#include <sys/mman.h>

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/version.h>

#include "block_cache.h"

namespace furrow::segmentation {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

constexpr std::size_t kLargePage = std::size_t{2} << 20;

std::atomic<int> s_want_large_pages{0};

/// Advice only: without, all works.
void advise_large_pages(void* start, std::size_t bytes) {
  const auto address = reinterpret_cast<std::size_t>(start);
  const std::size_t first = (address + kLargePage - 1) / kLargePage * kLargePage;
  const std::size_t last = (address + bytes) / kLargePage * kLargePage;
  if (last > first) madvise(static_cast<std::byte*>(start) + (first - address), last - first, MADV_HUGEPAGE);
}

void* allocate_block(std::size_t bytes) {
  void* const block = c10::alloc_cpu(bytes);
  if (s_want_large_pages > 0) advise_large_pages(block, bytes);
  return block;
}

/// Never destroyed: tensors in static objects may go after everything else.
BlockCache& cache() {
  static auto* const blocks = new BlockCache(allocate_block, c10::free_cpu);
  return *blocks;
}

void give_back(void* block) {
  cache().give_back(block);
}

class KeepingAllocator final : public c10::Allocator {
 public:
#if TORCH_VERSION_MAJOR == 1
  c10::DataPtr allocate(std::size_t bytes) const override {
    return taken(bytes);
  }
#else
  c10::DataPtr allocate(std::size_t bytes) override {
    return taken(bytes);
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
#endif
  c10::DeleterFnPtr raw_deleter() const override {
    return &give_back;
  }

 private:
  static c10::DataPtr taken(std::size_t bytes) {
    void* const block = bytes == 0 ? nullptr : cache().take(bytes);
    return {block, block, &give_back, c10::Device(c10::DeviceType::CPU)};
  }
};

}  // namespace

TensorMemory::TensorMemory(LargePages pages) : m_pages(pages) {
  static KeepingAllocator* const allocator = [] {
    auto* made = new KeepingAllocator;
    c10::SetCPUAllocator(made);
    return made;
  }();
  static_cast<void>(allocator);
  if (m_pages == LargePages::kYes) ++s_want_large_pages;
  if (kKeeps) cache().start_keeping();
}

TensorMemory::~TensorMemory() {
  if (kKeeps) cache().stop_keeping();
  if (m_pages == LargePages::kYes) --s_want_large_pages;
}

}  // namespace furrow::segmentation
