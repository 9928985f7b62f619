#pragma once

namespace furrow::segmentation {

/// Gives LibTorch `threads` threads in the calling thread while this object lives, and one afterwards (the
/// suite's own arena is parallel then). Holds OpenBLAS, which has a pool of its own, at one thread: the two
/// pools would fight.
class TorchThreads {
 public:
  explicit TorchThreads(int threads);
  ~TorchThreads();
  TorchThreads(const TorchThreads&) = delete;
  TorchThreads& operator=(const TorchThreads&) = delete;
};

/// Holds LibTorch at one thread in the calling thread, for calls from many threads at once. Cheap after the
/// first call in a thread.
void use_one_torch_thread();

}  // namespace furrow::segmentation
