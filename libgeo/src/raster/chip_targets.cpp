#include <furrow/geo/raster/chip_targets.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

/// Names become names of files.
std::string as_file_name(std::string name) {
  std::ranges::replace(name, '/', '_');
  return name;
}

double number_in(const CsvTable& table, std::size_t row, std::size_t column) {
  double value = 0.0;
  const std::string text(trim(table.rows[row][column]));
  if (!parse_number(text, value)) {
    throw IoError(concat(table.place(row), ": ", table.columns[column], " is ", quoted(text),
                         "; places need numbers (longitude and latitude in degrees)"));
  }
  return value;
}

std::size_t name_field(const Layer& layer, const std::string& wanted, bool& found) {
  found = true;
  if (!wanted.empty()) return layer.field(wanted);
  for (const char* name : {"name", "id", "tile", "tile_id", "grid_id", "site"}) {
    if (const int field = layer.find_field(name); field >= 0) return static_cast<std::size_t>(field);
  }
  found = false;
  return 0;
}

}  // namespace

std::vector<NamedPoint> read_chip_points(const std::string& path) {
  const CsvTable table = read_csv(path);
  const std::size_t name = table.column("name");
  const std::size_t x = table.column("x");
  const std::size_t y = table.column("y");
  int date = table.find_column("image_date");
  if (date < 0) date = table.find_column("date");
  std::vector<NamedPoint> points;
  std::map<std::pair<std::string, std::string>, Point> seen;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    NamedPoint point;
    point.name = as_file_name(std::string(trim(table.rows[row][name])));
    if (is_missing(point.name)) throw IoError(concat(table.place(row), ": the name is empty"));
    point.place = {number_in(table, row, x), number_in(table, row, y)};
    if (date >= 0) {
      const std::string& cell = table.rows[row][static_cast<std::size_t>(date)];
      if (!is_missing(cell)) point.date = trim(cell);
    }
    const auto [earlier, is_new] = seen.emplace(std::pair{point.name, point.date}, point.place);
    if (!is_new) {
      if (earlier->second == point.place) continue;
      throw IoError(concat(table.place(row), ": ", quoted(point.name),
                           " was at another place before; chips are named after their points, so names must "
                           "differ"));
    }
    points.push_back(std::move(point));
  }
  if (points.empty()) throw IoError(concat("table ", quoted(path), " has no row"));
  return points;
}

std::vector<NamedPolygon> read_index_polygons(const std::string& path, const std::string& name_column,
                                              const LayerReadOptions& options) {
  Layer layer = read_layer(path, options);
  bool named = false;
  const std::size_t field = name_field(layer, name_column, named);
  std::vector<NamedPolygon> polygons;
  std::set<std::string> seen;
  for (Feature& feature : layer.features) {
    if (feature.geometry.empty()) continue;
    std::string name = named ? as_file_name(as_text(feature.values[field])) : concat(feature.fid);
    if (name.empty()) {
      throw IoError(concat("feature ", feature.fid, " of ", quoted(path), " has no ",
                           layer.fields[field].name,
                           "; chips are named after it (choose another column with --index-name)"));
    }
    if (!seen.insert(name).second) {
      throw IoError(concat("two features of ", quoted(path), " are called ", quoted(name),
                           "; chips are named after them (choose another column with --index-name)"));
    }
    polygons.push_back({std::move(name), std::move(feature.geometry)});
  }
  return polygons;
}

bool same_month(const std::string& a, const std::string& b) {
  constexpr std::size_t kMonth = 7;
  return a.size() >= kMonth && b.size() >= kMonth && a.compare(0, kMonth, b, 0, kMonth) == 0;
}

}  // namespace furrow::geo
