#include "tensor_memory.h"

#include <cstddef>

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

/// Never destroyed: tensors in static objects may go after everything else.
BlockCache& cache() {
  static auto* const blocks = new BlockCache(c10::alloc_cpu, c10::free_cpu);
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

TensorMemory::TensorMemory() {
  static KeepingAllocator* const allocator = [] {
    auto* made = new KeepingAllocator;
    c10::SetCPUAllocator(made);
    return made;
  }();
  static_cast<void>(allocator);
  if (kKeeps) cache().start_keeping();
}

TensorMemory::~TensorMemory() {
  if (kKeeps) cache().stop_keeping();
}

}  // namespace furrow::segmentation
