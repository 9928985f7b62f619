#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <furrow/geo/raster/chip_grid.h>

namespace furrow::geo {

/// Chips in groups that one thread cuts one after the other, so that blocks which neighbouring chips share
/// are read once: columns from top to bottom, or rows where a block is as wide as the image. At least two for
/// each thread where there are as many chips.
class ChipGroups {
 public:
  ChipGroups(const ChipPlan& plan, bool by_rows, int threads)
      : m_rows(plan.rows()), m_columns(plan.columns()) {
    constexpr std::int64_t kMostColumns = 16;
    constexpr std::int64_t kMostRows = 64;
    const std::int64_t wanted = 2 * threads;
    const auto at_least_one = [](std::int64_t n) { return std::max<std::int64_t>(1, n); };
    if (by_rows) {
      m_width = m_rows < wanted ? at_least_one(m_columns * m_rows / wanted) : at_least_one(m_columns);
      return;
    }
    m_width = std::clamp<std::int64_t>(m_columns / wanted, 1, kMostColumns);
    m_height = std::min(kMostRows, at_least_one(m_rows * parts(m_columns, m_width) / wanted));
  }

  [[nodiscard]] std::int64_t count() const {
    return m_rows == 0 ? 0 : parts(m_rows, m_height) * parts(m_columns, m_width);
  }
  /// Of a group, at most.
  [[nodiscard]] std::int64_t columns() const { return std::min(m_width, m_columns); }
  /// Numbers of the chips of a group.
  [[nodiscard]] std::vector<std::int64_t> chips(std::int64_t group) const {
    const std::int64_t across = parts(m_columns, m_width);
    const std::int64_t row = group / across * m_height;
    const std::int64_t column = group % across * m_width;
    std::vector<std::int64_t> numbers;
    for (std::int64_t r = row; r < std::min(row + m_height, m_rows); ++r) {
      for (std::int64_t c = column; c < std::min(column + m_width, m_columns); ++c)
        numbers.push_back(r * m_columns + c);
    }
    return numbers;
  }

 private:
  static std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

  std::int64_t m_rows;
  std::int64_t m_columns;
  std::int64_t m_height = 1;
  std::int64_t m_width = 1;
};

}  // namespace furrow::geo
