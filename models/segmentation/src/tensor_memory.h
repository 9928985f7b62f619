#pragma once

namespace furrow::segmentation {

/// Keeps the memory of tensors on the processor for the next ones while an object of this class lives
/// (BlockCache). Several may live at once; when the last one goes, what is kept is freed. Tensors may outlive
/// them.
///
/// The first one replaces LibTorch's allocator for the processor, for the whole process and for good: no
/// other thread may make its first tensor at that moment. Under the address sanitizer nothing is kept, so
/// that the use of a freed tensor is still found.
class TensorMemory {
 public:
  TensorMemory();
  ~TensorMemory();
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;
};

}  // namespace furrow::segmentation
