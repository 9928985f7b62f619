#pragma once

#include <cstddef>
#include <cstdint>

namespace furrow::segmentation {

/// Channels of input and answer have to be multiples of this.
inline constexpr std::int64_t kWinogradChannels = 16;

/// A 3 x 3 convolution (stride 1, nothing added around the input) of one image, channels last.
struct WinogradTask {
  const float* input = nullptr;   ///< [height + 2, width + 2, in_channels]
  std::int64_t input_stride = 0;  ///< floats from one row of the input to the next
  float* output = nullptr;        ///< [height, width, out_channels], in one piece
  std::int64_t height = 0;        ///< of the answer
  std::int64_t width = 0;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  const float* weights = nullptr;  ///< as winograd_weights() gives them
  const float* scale = nullptr;    ///< [out_channels]: sums are multiplied by it
  const float* bias = nullptr;     ///< [out_channels]: then this is added
  bool relu = false;               ///< then negative values become 0; NaN stays
};

/// Computes tasks on one kind of processor; the same bits on all.
struct WinogradKernel {
  const char* processor = nullptr;
  /// Tiles of 4 x 4 px of the answer, row after row: parts that can be computed side by side.
  std::int64_t (*tiles)(const WinogradTask& task) = nullptr;
  /// Floats that one run() needs.
  std::size_t (*scratch)(const WinogradTask& task) = nullptr;
  /// The tiles [begin, end), with memory that may hold anything.
  void (*run)(const WinogradTask& task, std::int64_t begin, std::int64_t end, float* scratch) = nullptr;
};

}  // namespace furrow::segmentation
