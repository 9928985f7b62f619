#pragma once

#include <string>
#include <vector>

/// Readers of the reference results in golden/.
namespace furrow::test {

/// The rows of a table with a header, columns by name.
class GoldenTable {
 public:
  explicit GoldenTable(const std::string& relative);
  [[nodiscard]] std::size_t rows() const { return m_rows.size(); }
  [[nodiscard]] const std::string& text(std::size_t row, const std::string& column) const;
  [[nodiscard]] double number(std::size_t row, const std::string& column) const;

 private:
  std::vector<std::string> m_columns;
  std::vector<std::vector<std::string>> m_rows;
};

/// A table of numbers without a header; lines that begin with # are skipped.
[[nodiscard]] std::vector<std::vector<double>> golden_matrix(const std::string& relative);
/// The same, row after row.
[[nodiscard]] std::vector<double> golden_pixels(const std::string& relative);

}  // namespace furrow::test
