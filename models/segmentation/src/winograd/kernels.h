#pragma once

#include <cstddef>
#include <cstdint>

#include "task.h"

/// Compiled for processors of these kinds; no others may call them.
namespace furrow::segmentation::winograd_avx2 {
std::int64_t tiles(const WinogradTask& task);
std::size_t scratch(const WinogradTask& task);
void run(const WinogradTask& task, std::int64_t begin, std::int64_t end, float* memory);
}  // namespace furrow::segmentation::winograd_avx2

namespace furrow::segmentation::winograd_avx512 {
std::int64_t tiles(const WinogradTask& task);
std::size_t scratch(const WinogradTask& task);
void run(const WinogradTask& task, std::int64_t begin, std::int64_t end, float* memory);
}  // namespace furrow::segmentation::winograd_avx512
