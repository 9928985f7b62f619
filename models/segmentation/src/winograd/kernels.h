#pragma once

#include <cstddef>

#include "task.h"

/// Compiled for processors of these kinds; no others may call them.
namespace furrow::segmentation::winograd_avx2 {
std::size_t scratch(const WinogradTask& task);
void run(const WinogradTask& task, float* memory);
}  // namespace furrow::segmentation::winograd_avx2

namespace furrow::segmentation::winograd_avx512 {
std::size_t scratch(const WinogradTask& task);
void run(const WinogradTask& task, float* memory);
}  // namespace furrow::segmentation::winograd_avx512
