#include <furrow/geo/core/csv.h>

#include <algorithm>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

/// Splits CSV text into records, keeping the line on which each begins.
struct Record {
  std::size_t line = 0;
  std::vector<std::string> cells;
};

std::vector<Record> parse(const std::string& text, const std::string& path) {
  std::vector<Record> records;
  Record record{1, {}};
  std::string cell;
  std::size_t line = 1;
  bool quoted_cell = false;
  bool any = false;
  const auto end_record = [&] {
    if (any || !record.cells.empty()) {
      record.cells.push_back(std::move(cell));
      records.push_back(std::move(record));
    }
    cell.clear();
    record = Record{line, {}};
    any = false;
  };
  std::size_t i = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted_cell) {
      if (c != '"') {
        cell += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell += '"';
        ++i;
      } else {
        quoted_cell = false;
      }
    } else if (c == '"' && cell.empty()) {
      quoted_cell = true;
      any = true;
    } else if (c == ',') {
      record.cells.push_back(std::move(cell));
      cell.clear();
      any = true;
    } else if (c == '\n') {
      end_record();
    } else if (c != '\r' || (i + 1 < text.size() && text[i + 1] != '\n')) {
      cell += c;
      any = true;
    }
  }
  if (quoted_cell) throw IoError(concat(path, ":", record.line, ": a quoted cell is never closed"));
  end_record();
  return records;
}

std::string escaped(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string out = "\"";
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace

int CsvTable::find_column(const std::string& name) const {
  const auto exact = std::ranges::find(columns, name);
  if (exact != columns.end()) return static_cast<int>(exact - columns.begin());
  const std::string wanted = to_lower(name);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (to_lower(columns[i]) == wanted) return static_cast<int>(i);
  }
  return -1;
}

std::size_t CsvTable::column(const std::string& name) const {
  const int index = find_column(name);
  if (index < 0) {
    throw IoError(concat("table ", quoted(path.string()), " has no column ", quoted(name),
                         did_you_mean(name, columns), " (it has: ", join(columns, ", "), ")"));
  }
  return static_cast<std::size_t>(index);
}

std::string CsvTable::place(std::size_t row) const {
  return row < lines.size() ? concat(path.string(), ":", lines[row]) : path.string();
}

CsvTable read_csv(const std::filesystem::path& path) {
  CsvTable table;
  table.path = path;
  const std::string text = read_text_file(path);
  if (text.find('\0') != std::string::npos) {
    throw IoError(concat("table ", quoted(path.string()), " is not a text file"));
  }
  auto records = parse(text, path.string());
  if (records.empty())
    throw IoError(concat("table ", quoted(path.string()), " is empty; it needs a line of column names"));
  table.columns = std::move(records.front().cells);
  for (auto& name : table.columns) name = std::string(trim(name));
  for (auto name = table.columns.begin(); name != table.columns.end(); ++name) {
    if (!name->empty() && std::find(table.columns.begin(), name, *name) != name) {
      throw IoError(concat("table ", quoted(path.string()), " has two columns ", quoted(*name),
                           "; rename or remove one"));
    }
  }
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (records[i].cells.size() != table.columns.size()) {
      throw IoError(concat(path.string(), ":", records[i].line, ": ", records[i].cells.size(),
                           " cells where the header has ", table.columns.size()));
    }
    table.lines.push_back(records[i].line);
    table.rows.push_back(std::move(records[i].cells));
  }
  return table;
}

void write_csv(const CsvTable& table, const std::filesystem::path& path, bool overwrite) {
  std::string text;
  const auto append = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) text += ',';
      text += escaped(cells[i]);
    }
    // The empty cell of a table with one column: an empty line would be skipped when read.
    if (cells.size() == 1 && cells.front().empty()) text += "\"\"";
    text += '\n';
  };
  append(table.columns);
  for (const auto& row : table.rows) append(row);
  write_text_file(path, text, overwrite);
}

bool is_missing(const std::string& cell) {
  const std::string lower = to_lower(trim(cell));
  return lower.empty() || lower == "na" || lower == "nan" || lower == "null" || lower == "none";
}

}  // namespace furrow::geo
