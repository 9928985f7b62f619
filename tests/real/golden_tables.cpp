#include "golden_tables.h"

#include <filesystem>
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

GoldenStack golden_stack(const std::string& stem, int count, int classes) {
  std::vector<std::vector<double>> rasters;
  for (int j = 1; j <= count; ++j) {
    const std::string path = geo::concat(stem, j, ".csv");
    const bool blank = j == count && !std::filesystem::exists(shared("golden/" + path));
    rasters.push_back(blank ? std::vector<double>(rasters.front().size(), 0.0) : golden_pixels(path));
  }
  labelling::VoteTable pixels(classes, classes, rasters.size());
  for (std::size_t i = 0; i < rasters.front().size(); ++i) {
    std::vector<labelling::VoteEntry> votes;
    for (std::uint32_t j = 0; j < rasters.size(); ++j)
      votes.push_back({j, static_cast<std::uint16_t>(rasters[j][i])});
    pixels.add(votes);
  }
  std::vector<std::size_t> row_of;
  GoldenStack stack{pixels.grouped(&row_of), {}};
  for (const std::size_t row : row_of) stack.of_pixel.push_back(static_cast<std::uint32_t>(row));
  return stack;
}

}  // namespace furrow::test
