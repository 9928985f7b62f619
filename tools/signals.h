#pragma once

#include <furrow/geo/core/exec_context.h>

namespace furrow::tools {

/// While it lives, the first Ctrl-C (or SIGTERM) asks the work to stop and the second one kills the process.
/// Only one at a time.
class InterruptGuard {
 public:
  explicit InterruptGuard(geo::CancelToken& token);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

}  // namespace furrow::tools
