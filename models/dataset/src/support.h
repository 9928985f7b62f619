#pragma once

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::dataset {

/// Index of the first of some columns that is there, or -1.
[[nodiscard]] int first_column(const geo::CsvTable& table, std::initializer_list<const char*> names);
/// The cell of a column that may be missing (-1), trimmed; empty also for NA, null and the like.
[[nodiscard]] std::string cell(const geo::CsvTable& table, std::size_t row, int column);
/// The same for names: NA is a country (Namibia).
[[nodiscard]] std::string name_cell(const geo::CsvTable& table, std::size_t row, int column);
/// The point of two columns when both hold numbers.
[[nodiscard]] std::optional<geo::Point> point_of(const geo::CsvTable& table, std::size_t row, int x, int y);

/// The first of some folders that is there, else the first.
[[nodiscard]] std::filesystem::path folder_of(const std::filesystem::path& root,
                                              std::initializer_list<const char*> names);
[[nodiscard]] bool is_folder(const std::filesystem::path& path);
[[nodiscard]] bool is_file(const std::filesystem::path& path);
/// Raster files of a folder, sorted; hidden ones are left out.
[[nodiscard]] std::vector<std::filesystem::path> rasters_in(const std::filesystem::path& folder);
/// A path of a table as it is when absolute, else below `root`.
[[nodiscard]] std::string below(const std::filesystem::path& root, const std::string& file);
/// The .csv files of a folder, sorted (or the file itself when it is one), that have all columns of one of
/// the lists.
[[nodiscard]] std::vector<std::filesystem::path> tables_with(
    const std::filesystem::path& path, const std::vector<std::vector<std::string>>& columns);
/// "AO1234567_2021-04" -> "2021-04"; empty when a name has no such end.
[[nodiscard]] std::string month_of(const std::string& stem);

}  // namespace furrow::dataset
