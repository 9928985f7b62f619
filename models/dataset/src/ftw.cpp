// Fields of The World v1.0.0, and the combined table of Mapping Africa and Fields of The World.
#include <algorithm>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>

#include "adapters.h"
#include "support.h"

namespace fs = std::filesystem;

namespace furrow::dataset {

using geo::concat;
using geo::CsvTable;
using geo::quoted;

namespace {

/// The order in which both published loaders stack the windows.
const std::vector<std::string>& window_order() {
  static const std::vector<std::string> kWindows{"window_b", "window_a"};
  return kWindows;
}

bool is_country(const fs::path& folder) {
  return is_folder(folder / "label_masks") && is_folder(folder / "s2_images");
}

std::vector<fs::path> countries_of(const fs::path& root) {
  if (is_country(root)) return {root};
  std::vector<fs::path> countries;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(root, ec)) {
    if (is_country(entry.path())) countries.push_back(entry.path());
  }
  std::ranges::sort(countries);
  return countries;
}

/// The name of a country's folder, also for "." and a path that ends in a slash.
std::string country_name(const fs::path& folder) {
  return fs::absolute(folder / "label_masks").lexically_normal().parent_path().filename().string();
}

/// What the catalogue of a country says about one chip.
struct Chip {
  std::string id;
  std::string split;
  std::optional<geo::Point> position;
  std::string place;
};

/// chips_<country>.parquet; a copy of it in another format goes first, because somebody made it for a reason.
fs::path chips_file(const fs::path& country) {
  const std::string name = "chips_" + country_name(country);
  for (const char* extension : {".gpkg", ".fgb", ".geojson", ".csv", ".parquet", ".geoparquet"}) {
    if (is_file(country / (name + extension))) return country / (name + extension);
  }
  return {};
}

/// How chips are called, whoever made the copy of the table.
constexpr std::initializer_list<const char*> kIdNames{"aoi_id", "id", "fid", "polygon_id"};

std::vector<Chip> chips_of_layer(const fs::path& file) {
  geo::LayerReadOptions read;
  read.require_crs = false;
  read.require_polygons = false;
  read.invalid = geo::InvalidGeometry::kRepair;
  geo::LayerReadReport report;
  const geo::Layer layer = geo::read_layer(file.string(), read, &report);
  int id = -1;
  for (const char* name : kIdNames) {
    if (id < 0) id = layer.find_field(name);
  }
  if (id < 0) id = static_cast<int>(layer.field("aoi_id"));  // throws, with the fields that are there
  const std::size_t split = layer.field("split");
  const bool in_degrees = layer.crs.empty() || layer.crs.is_geographic();
  std::vector<Chip> chips;
  for (const geo::Feature& feature : layer.features) {
    Chip chip{geo::as_text(feature.values[static_cast<std::size_t>(id)]),
              geo::as_text(feature.values[split]),
              {},
              {}};
    chip.place = concat(file.string(), ", feature ", feature.fid);
    if (in_degrees && !feature.geometry.empty()) chip.position = geo::bounds(feature.geometry).centre();
    chips.push_back(std::move(chip));
  }
  return chips;
}

std::vector<Chip> chips_of_table(const fs::path& file) {
  const CsvTable table = geo::read_csv(file);
  int id = first_column(table, kIdNames);
  if (id < 0) id = static_cast<int>(table.column("aoi_id"));
  const auto split = static_cast<int>(table.column("split"));
  const int x = first_column(table, {"lon", "longitude"});
  const int y = first_column(table, {"lat", "latitude"});
  std::vector<Chip> chips;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    chips.push_back({name_cell(table, row, id), name_cell(table, row, split), point_of(table, row, x, y),
                     table.place(row)});
  }
  return chips;
}

std::vector<Chip> chips_of_masks(const fs::path& masks) {
  std::vector<Chip> chips;
  for (const fs::path& mask : rasters_in(masks))
    chips.push_back({mask.stem().string(), {}, {}, masks.string()});
  return chips;
}

struct MaskFolder {
  LabelKind kind;
  const char* name;
};
constexpr MaskFolder kMaskFolders[] = {{LabelKind::kThreeClass, "semantic_3class"},
                                       {LabelKind::kTwoClass, "semantic_2class"},
                                       {LabelKind::kInstances, "instance"},
                                       {LabelKind::kEdges, "edges"}};

/// Those kinds of masks that a country has a folder of.
std::vector<MaskFolder> mask_folders(const fs::path& country) {
  std::vector<MaskFolder> folders;
  for (const MaskFolder& one : kMaskFolders) {
    if (is_folder(country / "label_masks" / one.name)) folders.push_back(one);
  }
  const bool has_classes = !folders.empty() && (folders.front().kind == LabelKind::kThreeClass ||
                                                folders.front().kind == LabelKind::kTwoClass);
  if (!has_classes) folders.insert(folders.begin(), kMaskFolders[0]);
  return folders;
}

void read_country(const fs::path& country, Dataset& dataset) {
  const std::vector<MaskFolder> masks = mask_folders(country);
  const fs::path masks_root = country / "label_masks";
  const fs::path catalogue = chips_file(country);
  std::vector<Chip> chips;
  try {
    if (!catalogue.empty())
      chips = catalogue.extension() == ".csv" ? chips_of_table(catalogue) : chips_of_layer(catalogue);
  } catch (const geo::IoError& e) {
    if (!catalogue.extension().string().ends_with("parquet")) throw;
    dataset.unreadable_catalogues.emplace_back(e.what());
  }
  if (chips.empty()) chips = chips_of_masks(masks_root / masks.front().name);
  for (const Chip& chip : chips) {
    Sample sample;
    sample.id = chip.id;
    sample.site = chip.id;
    sample.split = chip.split;
    sample.country = country_name(country);
    sample.source = "ftw";
    sample.position = chip.position;
    sample.place = chip.place;
    for (const std::string& window : window_order())
      sample.images.push_back({(country / "s2_images" / window / (chip.id + ".tif")).string(), window, {}});
    for (const MaskFolder& one : masks)
      sample.labels[one.kind] = (masks_root / one.name / (chip.id + ".tif")).string();
    dataset.samples.push_back(std::move(sample));
  }
}

const std::vector<std::vector<std::string>>& combined_columns() {
  static const std::vector<std::vector<std::string>> kColumns{{"window_a", "window_b", "mask"}};
  return kColumns;
}

}  // namespace

std::string evidence_of_ftw(const fs::path& root) {
  const auto countries = countries_of(root);
  return countries.empty() ? std::string{} : (countries.front() / "label_masks").string();
}

std::string evidence_of_combined_csv(const fs::path& path) {
  const auto tables = tables_with(path, combined_columns());
  return tables.empty() ? std::string{} : tables.front().string();
}

void read_ftw(const fs::path& root, Dataset& dataset) {
  dataset.bands = {"red", "green", "blue", "nir"};
  dataset.windows = window_order();
  const auto countries = countries_of(root);
  if (countries.empty()) {
    throw geo::IoError(
        concat("data set ", quoted(root.string()), " has no country folder with s2_images and label_masks"));
  }
  for (const fs::path& country : countries) read_country(country, dataset);
}

void read_combined_csv(const fs::path& path, const fs::path& data_root, Dataset& dataset) {
  const auto tables = tables_with(path, combined_columns());
  if (tables.size() != 1) {
    throw geo::IoError(
        concat(quoted(path.string()),
               tables.empty() ? " is no table (and has none) with columns window_a, window_b and mask"
                              : " has several tables with window_a, window_b and mask; give one of them"));
  }
  const CsvTable table = geo::read_csv(tables.front());
  const fs::path root = data_root.empty() ? tables.front().parent_path() : data_root;
  dataset.bands = {"red", "green", "blue", "nir"};
  int name = first_column(table, {"name", "id", "fid", "aoi_id", "polygon_id"});
  if (name < 0) name = static_cast<int>(table.column("name"));  // throws, with the columns that are there
  const auto mask = static_cast<int>(table.column("mask"));
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    Sample sample;
    sample.place = table.place(row);
    sample.id = name_cell(table, row, name);
    sample.site = sample.id;
    sample.split = name_cell(table, row, table.find_column("split"));
    sample.country = name_cell(table, row, table.find_column("country"));
    sample.source = cell(table, row, table.find_column("dataset"));
    sample.position = point_of(table, row, table.find_column("x"), table.find_column("y"));
    for (const std::string& window : window_order()) {
      const std::string file = cell(table, row, table.find_column(window));
      if (!file.empty()) sample.images.push_back({below(root, file), window, {}});
    }
    const std::string labels = cell(table, row, mask);
    if (sample.images.empty()) throw geo::IoError(concat(sample.place, ": no image (window_a, window_b)"));
    if (labels.empty()) throw geo::IoError(concat(sample.place, ": mask is empty"));
    sample.labels[LabelKind::kThreeClass] = below(root, labels);
    if (sample.images.size() > 1) dataset.windows = window_order();
    dataset.samples.push_back(std::move(sample));
  }
}

}  // namespace furrow::dataset
