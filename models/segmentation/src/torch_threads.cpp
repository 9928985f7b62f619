#include "torch_threads.h"

#include <dlfcn.h>

#include <mutex>

#include <ATen/Parallel.h>

namespace furrow::segmentation {
namespace {

/// OpenBLAS may or may not be the BLAS behind LibTorch, so it is not linked but looked up.
void hold_openblas_at_one_thread() {
  static std::once_flag once;
  std::call_once(once, [] {
    using Setter = void (*)(int);
    if (auto* set_threads = reinterpret_cast<Setter>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads")))
      set_threads(1);
  });
}

}  // namespace

TorchThreads::TorchThreads(int threads) {
  hold_openblas_at_one_thread();
  at::set_num_threads(threads);
}

TorchThreads::~TorchThreads() {
  at::set_num_threads(1);
}

void use_one_torch_thread() {
  thread_local const bool done = [] {
    hold_openblas_at_one_thread();
    at::set_num_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace furrow::segmentation
