#pragma once

namespace furrow::segmentation {

/// Whether the system is asked for pages of 2 MiB. Once they are there work is 2 to 5 % quicker; to get them
/// can take seconds for a gigabyte (virtual machines that give free memory back to their host), which pays
/// in a training and hardly in a prediction.
enum class LargePages { kNo, kYes };

/// Keeps the memory of tensors on the processor for the next ones while an object of this class lives
/// (BlockCache). Several may live at once; when the last one goes, what is kept is freed. Tensors may outlive
/// them.
///
/// Large pages are asked for while one lives that wants them.
///
/// The first one replaces LibTorch's allocator for the processor, for the whole process and for good: no
/// other thread may make its first tensor at that moment. Under the address sanitizer nothing is kept, so
/// that the use of a freed tensor is still found.
class TensorMemory {
 public:
  explicit TensorMemory(LargePages pages);
  ~TensorMemory();
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;

 private:
  LargePages m_pages;
};

}  // namespace furrow::segmentation
