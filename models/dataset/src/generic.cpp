// Anybody's data set: a table of images and labels, or two folders with files of the same names.
#include <algorithm>
#include <map>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "adapters.h"
#include "support.h"

namespace fs = std::filesystem;

namespace furrow::dataset {

using geo::concat;
using geo::CsvTable;
using geo::quoted;

namespace {

std::vector<fs::path> tables_of(const fs::path& path) {
  return tables_with(path, {{"image", "mask"}, {"image", "labels"}, {"image", "label"}});
}

fs::path image_folder(const fs::path& root) {
  return folder_of(root, {"images", "imagery", "image"});
}

fs::path label_folder(const fs::path& root) {
  return folder_of(root, {"labels", "masks", "label", "mask"});
}

bool has_paired_folders(const fs::path& root) {
  return is_folder(image_folder(root)) && is_folder(label_folder(root));
}

/// "a_mask" -> "a": the names that labels often have.
std::string without_label_ending(const std::string& stem) {
  for (const std::string ending : {"_mask", "_masks", "_label", "_labels"}) {
    if (stem.size() > ending.size() && stem.ends_with(ending))
      return stem.substr(0, stem.size() - ending.size());
  }
  return stem;
}

void read_folders(const fs::path& root, Dataset& dataset) {
  struct Pair {
    std::string image, labels;
  };
  std::map<std::string, Pair> pairs;
  const fs::path images = image_folder(root);
  const fs::path labels = label_folder(root);
  for (const fs::path& file : rasters_in(images)) pairs[file.stem().string()].image = file.string();
  for (const fs::path& file : rasters_in(labels)) {
    const std::string stem = file.stem().string();
    const std::string shorter = without_label_ending(stem);
    pairs[pairs.contains(stem) ? stem : shorter].labels = file.string();
  }
  for (const auto& [stem, pair] : pairs) {
    Sample sample;
    sample.id = stem;
    sample.site = stem;
    sample.place = root.string();
    sample.images = {{pair.image.empty() ? (images / (stem + ".tif")).string() : pair.image, {}, {}}};
    sample.labels[LabelKind::kThreeClass] =
        pair.labels.empty() ? (labels / (stem + ".tif")).string() : pair.labels;
    dataset.samples.push_back(std::move(sample));
  }
}

void read_table(const fs::path& file, const fs::path& data_root, Dataset& dataset) {
  const CsvTable table = geo::read_csv(file);
  const fs::path root = data_root.empty() ? file.parent_path() : data_root;
  const auto image = static_cast<int>(table.column("image"));
  const int labels = first_column(table, {"mask", "labels", "label"});
  const int id = first_column(table, {"name", "id", "fid", "aoi_id", "polygon_id"});
  const int site = first_column(table, {"site", "location"});
  const int date = first_column(table, {"date", "image_date", "datetime"});
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    Sample sample;
    sample.place = table.place(row);
    const std::string image_file = cell(table, row, image);
    const std::string label_file = cell(table, row, labels);
    if (image_file.empty() || label_file.empty()) {
      throw geo::IoError(concat(sample.place, ": column ",
                                table.columns[static_cast<std::size_t>(image_file.empty() ? image : labels)],
                                " is empty"));
    }
    sample.id = name_cell(table, row, id);
    if (sample.id.empty()) sample.id = fs::path(image_file).stem().string();
    sample.site = name_cell(table, row, site);
    if (sample.site.empty()) sample.site = sample.id;
    sample.images = {{below(root, image_file), {}, cell(table, row, date)}};
    sample.labels[LabelKind::kThreeClass] = below(root, label_file);
    const std::string risk = cell(table, row, table.find_column("risk"));
    if (!risk.empty()) sample.risk = below(root, risk);
    sample.split = name_cell(table, row, table.find_column("split"));
    sample.country = name_cell(table, row, table.find_column("country"));
    sample.source = cell(table, row, first_column(table, {"source", "dataset", "Class"}));
    // x and y may be in any CRS here; only these names mean degrees.
    sample.position = point_of(table, row, first_column(table, {"lon", "longitude"}),
                               first_column(table, {"lat", "latitude"}));
    dataset.samples.push_back(std::move(sample));
  }
}

}  // namespace

std::string evidence_of_generic(const fs::path& path) {
  const auto tables = tables_of(path);
  if (!tables.empty()) return tables.front().string();
  return has_paired_folders(path) ? image_folder(path).string() : std::string{};
}

void read_generic(const fs::path& path, const fs::path& data_root, Dataset& dataset) {
  const auto tables = tables_of(path);
  if (tables.size() > 1) {
    throw geo::IoError(concat("folder ", quoted(path.string()), " has several tables of images and labels (",
                              tables[0].filename().string(), ", ", tables[1].filename().string(),
                              "); give one of them instead of the folder"));
  }
  if (!tables.empty()) return read_table(tables.front(), data_root, dataset);
  if (!has_paired_folders(path)) {
    throw geo::IoError(
        concat(quoted(path.string()),
               " has neither a table with columns image and mask (or labels) nor folders images "
               "and labels"));
  }
  read_folders(path, dataset);
}

}  // namespace furrow::dataset
