#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <furrow/labelling/vote_table.h>

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

/// The votes on every pixel of several label rasters, equal ones joined.
struct GoldenStack {
  labelling::VoteTable votes;
  std::vector<std::uint32_t> of_pixel;  ///< row of the votes
};
/// @param stem   path below golden/ without "1.csv"
/// @param count  labellers; a missing raster of the last one is a blank mask
[[nodiscard]] GoldenStack golden_stack(const std::string& stem, int count, int classes = 2);

}  // namespace furrow::test
