#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace furrow::geo {

/// A table of text cells with named columns (RFC 4180: quotes, doubled quotes, line breaks in cells; UTF-8,
/// BOM skipped).
struct CsvTable {
  std::filesystem::path path;                  ///< for messages
  std::vector<std::string> columns;            ///< header, as written
  std::vector<std::vector<std::string>> rows;  ///< every row has columns.size() cells
  std::vector<std::size_t> lines =
      {};  ///< line of the file on which each row begins; empty when made in memory

  /// "catalogue.csv:17" for messages about a row; the file alone when lines are unknown.
  [[nodiscard]] std::string place(std::size_t row) const;

  /// Index of a column, compared without case; -1 when it is missing.
  [[nodiscard]] int find_column(const std::string& name) const;
  /// @throws IoError naming file, the missing column and the nearest one that is there
  [[nodiscard]] std::size_t column(const std::string& name) const;
};

/// @throws IoError when the file is missing, has no header, or a row has another number of cells (with the
/// line number)
[[nodiscard]] CsvTable read_csv(const std::filesystem::path& path);

/// Writes atomically; cells that need quotes get them; lines end in \n.
/// @throws IoError
void write_csv(const CsvTable& table, const std::filesystem::path& path, bool overwrite);

/// True for the ways in which tables write "missing": empty, NA, NaN, null, None.
[[nodiscard]] bool is_missing(const std::string& cell);

}  // namespace furrow::geo
