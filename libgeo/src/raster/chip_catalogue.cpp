#include <furrow/geo/raster/chip_catalogue.h>

#include <algorithm>
#include <functional>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>

namespace furrow::geo {
namespace {

/// One attribute of chips, for the table and the layer.
struct Column {
  std::string name;
  FieldType type;
  int digits;  ///< after the point in the table; < 0 = as short as it is exact
  std::function<Value(const Chip&)> value;
};

class Columns {
 public:
  explicit Columns(const std::vector<Chip>& chips) {
    const auto any = [&](const auto& is) { return std::ranges::any_of(chips, is); };
    text("name", [](const Chip& c) { return c.name; });
    text("scene", [](const Chip& c) { return c.scene; });
    text("image", [](const Chip& c) { return c.image; });
    text("labels", [](const Chip& c) { return c.labels; });
    whole("col", [](const Chip& c) { return c.place.window.col; });
    whole("row", [](const Chip& c) { return c.place.window.row; });
    whole("width", [](const Chip& c) { return c.place.window.width; });
    whole("height", [](const Chip& c) { return c.place.window.height; });
    real("valid", 6, [](const Chip& c) { return c.valid; });
    real("x", 8, [](const Chip& c) { return c.lon_deg; });
    real("y", 8, [](const Chip& c) { return c.lat_deg; });
    text("crs", [](const Chip& c) { return c.crs.name(); });
    text("date", [](const Chip& c) { return c.date; });
    real("pixel_width", -1, [](const Chip& c) { return c.pixel_size.x; });
    real("pixel_height", -1, [](const Chip& c) { return c.pixel_size.y; });
    if (any([](const Chip& c) { return c.core != c.place.window; })) add_core();
    if (any([](const Chip& c) { return !c.sources.empty(); }))
      text("sources", [](const Chip& c) { return c.sources; });
    std::size_t bands = 0;
    for (const Chip& chip : chips) bands = std::max(bands, chip.statistics.size());
    for (std::size_t b = 0; b < bands; ++b) add_statistics(b);
  }

  [[nodiscard]] const std::vector<Column>& all() const { return m_columns; }

 private:
  template <class Get>
  void text(std::string name, Get get) {
    m_columns.push_back(
        {std::move(name), FieldType::kString, -1, [get](const Chip& c) { return Value(get(c)); }});
  }
  template <class Get>
  void whole(std::string name, Get get) {
    m_columns.push_back(
        {std::move(name), FieldType::kInteger, -1, [get](const Chip& c) { return Value(get(c)); }});
  }
  template <class Get>
  void real(std::string name, int digits, Get get) {
    m_columns.push_back(
        {std::move(name), FieldType::kReal, digits, [get](const Chip& c) { return Value(get(c)); }});
  }

  void add_core() {
    whole("core_col", [](const Chip& c) { return c.core.col - c.place.window.col; });
    whole("core_row", [](const Chip& c) { return c.core.row - c.place.window.row; });
    whole("core_width", [](const Chip& c) { return c.core.width; });
    whole("core_height", [](const Chip& c) { return c.core.height; });
  }

  void add_statistics(std::size_t band) {
    const auto one = [&](const char* name, double ChipBandStatistics::*member) {
      m_columns.push_back({concat(name, '_', band + 1), FieldType::kReal, -1, [band, member](const Chip& c) {
                             return band < c.statistics.size() ? Value(c.statistics[band].*member) : Value();
                           }});
    };
    one("min", &ChipBandStatistics::min);
    one("max", &ChipBandStatistics::max);
    one("mean", &ChipBandStatistics::mean);
    one("sd", &ChipBandStatistics::sd);
  }

  std::vector<Column> m_columns;
};

std::string cell(const Value& value, int digits) {
  const double* real = std::get_if<double>(&value);
  return real != nullptr && digits >= 0 ? fixed(*real, digits) : as_text(value);
}

CsvTable chip_table(const std::vector<Chip>& chips, const Columns& columns) {
  CsvTable table;
  for (const Column& column : columns.all()) table.columns.push_back(column.name);
  for (const Chip& chip : chips) {
    auto& row = table.rows.emplace_back();
    for (const Column& column : columns.all()) row.push_back(cell(column.value(chip), column.digits));
  }
  return table;
}

Layer chip_index(const std::vector<Chip>& chips, const Columns& columns) {
  Layer layer;
  layer.name = "chips";
  const bool one_crs =
      std::ranges::all_of(chips, [&](const Chip& c) { return c.crs.same_as(chips.front().crs); });
  layer.crs = one_crs && !chips.empty() ? chips.front().crs : lonlat_crs();
  for (const Column& column : columns.all()) layer.fields.push_back({column.name, column.type, ""});
  for (const Chip& chip : chips) {
    Feature feature;
    feature.geometry = CoordinateTransform(chip.crs, layer.crs).apply(MultiPolygon{chip.footprint});
    for (const Column& column : columns.all()) feature.values.push_back(column.value(chip));
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

}  // namespace

void write_chip_catalogue(const std::vector<Chip>& chips, const std::filesystem::path& folder) {
  const Columns columns(chips);
  write_csv(chip_table(chips, columns), folder / "chips.csv", true);
  write_layer(chip_index(chips, columns), folder / "chips.gpkg", true);
}

}  // namespace furrow::geo
