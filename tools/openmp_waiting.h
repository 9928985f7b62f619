#pragma once

namespace furrow::tools {

/// Starts the program anew with OMP_WAIT_POLICY=passive, unless the environment says already how OpenMP's
/// threads wait. LibTorch's kernels wait for each other at OpenMP barriers, by default spinning: while other
/// programs use the processors, training is 10 times slower so (docs/performance.md). OpenMP reads the
/// variable before main begins, so it can only be set for a new program. Returns where the program cannot be
/// started anew.
void wait_passively(char** argv);

}  // namespace furrow::tools
