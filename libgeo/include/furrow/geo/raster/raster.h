#pragma once

#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/raster/grid.h>

namespace furrow::geo {

/// Pixels in memory, band after band, each row-major: shape [bands, rows, cols].
template <class T>
class Raster {
 public:
  Raster() = default;
  Raster(std::int64_t width, std::int64_t height, int bands = 1, T fill = T{})
      : m_width(width),
        m_height(height),
        m_bands(bands),
        m_data(static_cast<std::size_t>(width * height) * static_cast<std::size_t>(bands), fill) {}

  [[nodiscard]] std::int64_t width() const noexcept { return m_width; }
  [[nodiscard]] std::int64_t height() const noexcept { return m_height; }
  [[nodiscard]] int bands() const noexcept { return m_bands; }
  [[nodiscard]] std::int64_t pixels() const noexcept { return m_width * m_height; }
  [[nodiscard]] bool empty() const noexcept { return m_data.empty(); }

  /// Another shape in the same memory where that is large enough; what the pixels hold afterwards is not
  /// said.
  void reshape(std::int64_t width, std::int64_t height, int bands = 1) {
    m_width = width;
    m_height = height;
    m_bands = bands;
    m_data.resize(static_cast<std::size_t>(width * height) * static_cast<std::size_t>(bands));
  }

  /// band is 0-based.
  [[nodiscard]] T& at(std::int64_t col, std::int64_t row, int band = 0) {
    return m_data[offset(col, row, band)];
  }
  [[nodiscard]] const T& at(std::int64_t col, std::int64_t row, int band = 0) const {
    return m_data[offset(col, row, band)];
  }
  [[nodiscard]] std::span<T> band(int band) {
    return {m_data.data() + offset(0, 0, band), static_cast<std::size_t>(pixels())};
  }
  [[nodiscard]] std::span<const T> band(int band) const {
    return {m_data.data() + offset(0, 0, band), static_cast<std::size_t>(pixels())};
  }
  [[nodiscard]] std::vector<T>& data() noexcept { return m_data; }
  [[nodiscard]] const std::vector<T>& data() const noexcept { return m_data; }

 private:
  [[nodiscard]] std::size_t offset(std::int64_t col, std::int64_t row, int band) const {
    return (static_cast<std::size_t>(band) * static_cast<std::size_t>(m_height) +
            static_cast<std::size_t>(row)) *
               static_cast<std::size_t>(m_width) +
           static_cast<std::size_t>(col);
  }
  std::int64_t m_width = 0;
  std::int64_t m_height = 0;
  int m_bands = 0;
  std::vector<T> m_data;
};

}  // namespace furrow::geo
