#pragma once

// Files that include this one are compiled for processors that others do not have. Nothing that the linker
// could take for another file's may come from them, as inline functions of the standard library would: so all
// is in templates of a type that only the file itself knows, and in plain C++.

#include <cstddef>
#include <cstdint>

#include "task.h"

namespace furrow::segmentation {

/// @tparam V  vectors of a processor: the type Lanes of kLanes floats and operations on it; kRows and kPanels
///            (of kWinogradChannels columns) of a product of matrices whose sums fit into registers
template <class V>
class WinogradRun {
 public:
  static WinogradKernel kernel(const char* processor) { return {processor, &tiles, &scratch, &run_tiles}; }

 private:
  WinogradRun(const WinogradTask& task, float* memory)
      : m_task(task),
        m_columns(columns(task)),
        m_at_once(tiles_at_once(task)),
        m_input_step(step(m_at_once, task.in_channels)),
        m_output_step(step(m_at_once, task.out_channels)),
        m_inputs(memory),
        m_outputs(memory + kPoints * m_input_step) {}

  static std::size_t scratch(const WinogradTask& task) {
    const std::int64_t tiles = tiles_at_once(task);
    return static_cast<std::size_t>(kPoints *
                                    (step(tiles, task.in_channels) + step(tiles, task.out_channels)));
  }

  static std::int64_t tiles(const WinogradTask& task) {
    return columns(task) * ((task.height + kCore - 1) / kCore);
  }

  static void run_tiles(const WinogradTask& task, std::int64_t begin, std::int64_t end, float* memory) {
    WinogradRun(task, memory).run(begin, end);
  }

  void run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin; first < end; first += m_at_once) {
      const std::int64_t count = end - first < m_at_once ? end - first : m_at_once;
      for (std::int64_t i = 0; i < count; ++i) transform_input(place(first + i), i);
      for (std::int64_t point = 0; point < kPoints; ++point) multiply(point, count);
      for (std::int64_t i = 0; i < count; ++i) transform_output(place(first + i), i);
    }
  }

  using Lanes = typename V::Lanes;
  static constexpr std::int64_t kCore = 4;  ///< side of a tile of the answer
  static constexpr int kSide = 6;           ///< and of what it takes
  static constexpr std::int64_t kPoints = std::int64_t{kSide} * kSide;
  static constexpr std::int64_t kPanel = kWinogradChannels;
  static constexpr int kVectors = static_cast<int>(kPanel) / V::kLanes;
  static constexpr float kA = 0.70710678F;  ///< sqrt(1/2)
  static constexpr float kB = 1.41421356F;  ///< sqrt(2)

  struct Place {
    std::int64_t row;
    std::int64_t col;
  };
  static std::int64_t columns(const WinogradTask& task) { return (task.width + kCore - 1) / kCore; }
  [[nodiscard]] Place place(std::int64_t tile) const {
    return {tile / m_columns * kCore, tile % m_columns * kCore};
  }

  /// Tiles whose transformed input and output stay in the second-level cache; whole rows of the product.
  static std::int64_t tiles_at_once(const WinogradTask& task) {
    constexpr std::int64_t kFloats = 256 * 1024 / 4;
    constexpr std::int64_t kStep = 12;
    constexpr std::int64_t kLeast = 24;
    const std::int64_t fitting = kFloats / (kPoints * (task.in_channels + task.out_channels));
    return fitting < kLeast ? kLeast : fitting / kStep * kStep;
  }

  /// Floats from one point to the next; an odd number of cache lines, so that the same channel of all points
  /// does not compete for a few places of the cache.
  static std::int64_t step(std::int64_t tiles, std::int64_t channels) {
    constexpr std::int64_t kLine = 16;
    return ((tiles * channels / kLine) | 1) * kLine;
  }

  /// The transformation of six values in a row, from `d` (`stride` apart) to `to` (`step` apart).
  static void input_row(const Lanes* d, int stride, Lanes* to, int step) {
    const Lanes d0 = d[0], d1 = d[stride], d2 = d[2 * stride];
    const Lanes d3 = d[3 * stride], d4 = d[4 * stride], d5 = d[5 * stride];
    const Lanes even_a = d4 - 2.0F * d2, odd_a = kA * d3 - kB * d1;
    const Lanes even_b = d4 - 0.5F * d2, odd_b = kB * d3 - kA * d1;
    to[0] = d0 - 2.5F * d2 + d4;
    to[step] = even_a + odd_a;
    to[2 * step] = even_a - odd_a;
    to[3 * step] = even_b + odd_b;
    to[4 * step] = even_b - odd_b;
    to[5 * step] = d1 - 2.5F * d3 + d5;
  }

  /// And back: four sums of six products.
  static void output_row(const Lanes* m, int stride, Lanes* to, int step) {
    const Lanes even_a = m[stride] + m[2 * stride], odd_a = kA * (m[stride] - m[2 * stride]);
    const Lanes even_b = m[3 * stride] + m[4 * stride], odd_b = kB * (m[3 * stride] - m[4 * stride]);
    to[0] = m[0] + even_a + even_b;
    to[step] = odd_a + odd_b;
    to[2 * step] = 0.5F * even_a + 2.0F * even_b;
    to[3 * step] = 0.5F * odd_a + 2.0F * odd_b + m[5 * stride];
  }

  void transform_input(const Place& at, std::int64_t tile) const {
    const std::int64_t rows = m_task.height + 2 - at.row;  // that are there
    const std::int64_t cols = m_task.width + 2 - at.col;
    if (rows >= kSide && cols >= kSide)
      transform_input<false>(at, tile, rows, cols);
    else
      transform_input<true>(at, tile, rows, cols);
  }

  template <bool kAtEdge>
  void transform_input(const Place& at, std::int64_t tile, std::int64_t rows, std::int64_t cols) const {
    const float* from = m_task.input + at.row * m_task.input_stride + at.col * m_task.in_channels;
    float* to = m_inputs + tile * m_task.in_channels;
    for (std::int64_t c = 0; c < m_task.in_channels; c += V::kLanes) {
      Lanes half[kPoints];
      for (int col = 0; col < kSide; ++col) {
        Lanes d[kSide];
        for (int row = 0; row < kSide; ++row) {
          const bool is_there = !kAtEdge || (row < rows && col < cols);
          d[row] = is_there ? V::load(from + row * m_task.input_stride + col * m_task.in_channels + c)
                            : V::splat(0.0F);
        }
        input_row(d, 1, half + col, kSide);
      }
      for (int row = 0; row < kSide; ++row) {
        Lanes line[kSide];
        input_row(half + row * kSide, 1, line, 1);
        for (int col = 0; col < kSide; ++col)
          V::store(to + (row * kSide + col) * m_input_step + c, line[col]);
      }
    }
  }

  /// One point of all tiles: [tiles, in channels] times [in channels, out channels].
  void multiply(std::int64_t point, std::int64_t tiles) const {
    const float* weights = m_task.weights + point * m_task.in_channels * m_task.out_channels;
    std::int64_t panel = 0;
    const std::int64_t panels = m_task.out_channels / kPanel;
    for (; panel + V::kPanels <= panels; panel += V::kPanels)
      multiply_panels<V::kPanels>(point, tiles, weights, panel);
    if constexpr (V::kPanels > 1) {
      for (; panel < panels; ++panel) multiply_panels<1>(point, tiles, weights, panel);
    }
  }

  template <int kCount>
  void multiply_panels(std::int64_t point, std::int64_t tiles, const float* weights,
                       std::int64_t panel) const {
    const float* inputs = m_inputs + point * m_input_step;
    const float* columns = weights + panel * m_task.in_channels * kPanel;
    float* outputs = m_outputs + point * m_output_step + panel * kPanel;
    std::int64_t tile = 0;
    for (; tile + V::kRows <= tiles; tile += V::kRows) {
      multiply_rows<V::kRows, kCount>(inputs + tile * m_task.in_channels, columns,
                                      outputs + tile * m_task.out_channels);
    }
    multiply_rest<V::kRows - 1, kCount>(tiles - tile, inputs + tile * m_task.in_channels, columns,
                                        outputs + tile * m_task.out_channels);
  }

  template <int kMost, int kCount>
  void multiply_rest(std::int64_t rows, const float* inputs, const float* columns, float* outputs) const {
    if constexpr (kMost > 0) {
      if (rows == kMost)
        multiply_rows<kMost, kCount>(inputs, columns, outputs);
      else
        multiply_rest<kMost - 1, kCount>(rows, inputs, columns, outputs);
    }
  }

  /// The innermost loop; sums stay in registers. Products are added in the order of the channels, rounded
  /// once, whatever the vectors' length.
  template <int kRowCount, int kPanelCount>
  void multiply_rows(const float* inputs, const float* columns, float* outputs) const {
    constexpr int kWidth = kPanelCount * kVectors;
    const std::int64_t channels = m_task.in_channels;
    Lanes sums[kRowCount][kWidth];
#pragma GCC unroll 32
    for (int row = 0; row < kRowCount; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < kWidth; ++v) sums[row][v] = V::splat(0.0F);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      Lanes weights[kWidth];
#pragma GCC unroll 4
      for (int v = 0; v < kWidth; ++v) {
        const std::int64_t panel = v / kVectors;
        weights[v] = V::load(columns + (panel * channels + c) * kPanel + v % kVectors * V::kLanes);
      }
#pragma GCC unroll 32
      for (int row = 0; row < kRowCount; ++row) {
        const Lanes value = V::splat(inputs[row * channels + c]);
#pragma GCC unroll 4
        for (int v = 0; v < kWidth; ++v) sums[row][v] = V::fused(value, weights[v], sums[row][v]);
      }
    }
#pragma GCC unroll 32
    for (int row = 0; row < kRowCount; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < kWidth; ++v)
        V::store(outputs + row * m_task.out_channels + v * V::kLanes, sums[row][v]);
    }
  }

  /// The larger one of x and 0; NaN stays.
  static Lanes not_negative(const Lanes& x) {
    const Lanes zero = V::splat(0.0F);
    return x < zero ? zero : x;
  }

  void transform_output(const Place& at, std::int64_t tile) const {
    const std::int64_t rows = m_task.height - at.row < kCore ? m_task.height - at.row : kCore;
    const std::int64_t cols = m_task.width - at.col < kCore ? m_task.width - at.col : kCore;
    const float* from = m_outputs + tile * m_task.out_channels;
    float* to = m_task.output + (at.row * m_task.width + at.col) * m_task.out_channels;
    for (std::int64_t c = 0; c < m_task.out_channels; c += V::kLanes) {
      Lanes half[kCore * kSide];
      for (int col = 0; col < kSide; ++col) {
        Lanes products[kSide];
        for (int row = 0; row < kSide; ++row)
          products[row] = V::load(from + (row * kSide + col) * m_output_step + c);
        output_row(products, 1, half + col, kSide);
      }
      const Lanes scale = V::load(m_task.scale + c), bias = V::load(m_task.bias + c);
      for (std::int64_t row = 0; row < rows; ++row) {
        Lanes line[kCore];
        output_row(half + row * kSide, 1, line, 1);
        for (std::int64_t col = 0; col < cols; ++col) {
          const Lanes x = V::fused(line[col], scale, bias);
          V::store(to + (row * m_task.width + col) * m_task.out_channels + c,
                   m_task.relu ? not_negative(x) : x);
        }
      }
    }
  }

  const WinogradTask& m_task;
  std::int64_t m_columns;     ///< of tiles
  std::int64_t m_at_once;     ///< tiles that are transformed together
  std::int64_t m_input_step;  ///< floats from one point to the next
  std::int64_t m_output_step;
  float* m_inputs;   ///< [points, tiles at once, in channels]
  float* m_outputs;  ///< [points, tiles at once, out channels]
};

}  // namespace furrow::segmentation
