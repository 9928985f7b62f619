#include "golden_tables.h"

#include <limits>
#include <stdexcept>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>

#include "support.h"

namespace furrow::test {
namespace {

double to_number(const std::string& cell) {
  double value = std::numeric_limits<double>::quiet_NaN();
  if (!geo::is_missing(cell) && !geo::parse_number(cell, value))
    throw std::runtime_error("not a number: " + cell);
  return value;
}

}  // namespace

GoldenTable::GoldenTable(const std::string& relative) {
  geo::CsvTable table = geo::read_csv(shared("golden/" + relative));
  m_columns = std::move(table.columns);
  m_rows = std::move(table.rows);
}

const std::string& GoldenTable::text(std::size_t row, const std::string& column) const {
  for (std::size_t i = 0; i < m_columns.size(); ++i) {
    if (m_columns[i] == column) return m_rows[row][i];
  }
  throw std::runtime_error("no column " + column);
}

double GoldenTable::number(std::size_t row, const std::string& column) const {
  return to_number(text(row, column));
}

std::vector<std::vector<double>> golden_matrix(const std::string& relative) {
  std::vector<std::vector<double>> rows;
  for (const auto& line : geo::split(geo::read_text_file(shared("golden/" + relative)), '\n')) {
    if (line.empty() || line.front() == '#') continue;
    auto& row = rows.emplace_back();
    for (const auto& cell : geo::split(geo::trim(line), ',')) row.push_back(to_number(cell));
  }
  return rows;
}

std::vector<double> golden_pixels(const std::string& relative) {
  std::vector<double> pixels;
  for (const auto& row : golden_matrix(relative)) pixels.insert(pixels.end(), row.begin(), row.end());
  return pixels;
}

}  // namespace furrow::test
