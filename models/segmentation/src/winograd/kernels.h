#pragma once

#include "task.h"

namespace furrow::segmentation {

/// Compiled for processors of these kinds; no others may call them, or what they give.
WinogradKernel winograd_avx2();
WinogradKernel winograd_avx512();

}  // namespace furrow::segmentation
