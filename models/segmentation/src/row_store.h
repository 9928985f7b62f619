#pragma once

#include <cstdint>

#include <torch/torch.h>

namespace furrow::segmentation {

/// Rows of features that are known and still needed, for networks that are computed from the top of an image
/// downwards: [1, channels, rows, width], channels last, so that any of its rows are one piece of memory. Not
/// thread-safe.
class RowStore {
 public:
  /// The row to go on with: the one below the last that is known, `first` before there is any.
  [[nodiscard]] std::int64_t next(std::int64_t first) const { return m_memory.defined() ? end() : first; }
  /// One past the last row known.
  [[nodiscard]] std::int64_t end() const { return m_begin + m_rows; }
  /// A view of the rows [begin, end), valid until the next extend() or append(). They have to be there.
  [[nodiscard]] torch::Tensor rows(std::int64_t begin, std::int64_t end) const;
  /// Room for `count` further rows in one piece of memory, to be filled by the caller.
  /// @param first  the number of the first of them, if these are the first rows at all
  /// @param like  has the type and the device
  torch::Tensor extend(std::int64_t first, std::int64_t channels, std::int64_t count, std::int64_t width,
                       const torch::Tensor& like);
  /// Makes extend() and append() take room for `rows` rows at once instead of growing step by step.
  void expect(std::int64_t rows) { m_expected = rows; }
  /// Copies rows below those that are known.
  void append(std::int64_t first, const torch::Tensor& rows);
  /// Rows above `row` are not needed any more.
  void keep_from(std::int64_t row);

 private:
  void move_to_front();
  void grow(std::int64_t channels, std::int64_t count, std::int64_t width, const torch::Tensor& like);

  torch::Tensor m_memory;
  std::int64_t m_place = 0;  ///< row of `m_memory` where they begin
  std::int64_t m_begin = 0;
  std::int64_t m_rows = 0;
  std::int64_t m_expected = 0;  ///< rows to take room for
};

}  // namespace furrow::segmentation
