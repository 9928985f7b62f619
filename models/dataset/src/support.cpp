#include "support.h"

#include <algorithm>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>

namespace fs = std::filesystem;

namespace furrow::dataset {

using geo::CsvTable;

int first_column(const CsvTable& table, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const int column = table.find_column(name); column >= 0) return column;
  }
  return -1;
}

std::string name_cell(const CsvTable& table, std::size_t row, int column) {
  return column < 0 ? std::string{}
                    : std::string(geo::trim(table.rows[row][static_cast<std::size_t>(column)]));
}

std::string cell(const CsvTable& table, std::size_t row, int column) {
  const std::string text = name_cell(table, row, column);
  return geo::is_missing(text) ? std::string{} : text;
}

std::optional<geo::Point> point_of(const CsvTable& table, std::size_t row, int x, int y) {
  geo::Point point;
  if (!geo::parse_number(cell(table, row, x), point.x) || !geo::parse_number(cell(table, row, y), point.y))
    return std::nullopt;
  return point;
}

fs::path folder_of(const fs::path& root, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (is_folder(root / name)) return root / name;
  }
  return root / *names.begin();
}

bool is_folder(const fs::path& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

bool is_file(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec);
}

std::vector<fs::path> rasters_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && geo::has_raster_extension(name)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string below(const fs::path& root, const std::string& file) {
  return fs::path(file).is_absolute() ? file : (root / file).lexically_normal().string();
}

namespace {

bool has_columns(const fs::path& file, const std::vector<std::vector<std::string>>& columns) {
  try {
    const CsvTable table = geo::read_csv(file);
    return std::ranges::any_of(columns, [&](const std::vector<std::string>& list) {
      return std::ranges::all_of(list, [&](const std::string& name) { return table.find_column(name) >= 0; });
    });
  } catch (const geo::Error&) {
    return false;  // not even a table
  }
}

}  // namespace

std::vector<fs::path> tables_with(const fs::path& path,
                                  const std::vector<std::vector<std::string>>& columns) {
  const auto fits = [&](const fs::path& file) {
    return geo::to_lower(file.extension().string()) == ".csv" && is_file(file) && has_columns(file, columns);
  };
  std::vector<fs::path> tables;
  if (!is_folder(path)) {
    if (fits(path)) tables.push_back(path);
    return tables;
  }
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(path, ec)) {
    if (fits(entry.path())) tables.push_back(entry.path());
  }
  std::ranges::sort(tables);
  return tables;
}

std::string month_of(const std::string& stem) {
  if (stem.size() < 8 || stem[stem.size() - 8] != '_' || stem[stem.size() - 3] != '-') return {};
  const std::string month = stem.substr(stem.size() - 7);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::ranges::count_if(month, is_digit) == 6 ? month : std::string{};
}

}  // namespace furrow::dataset
