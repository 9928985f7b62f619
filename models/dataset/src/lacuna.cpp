// The Africa field boundary labels ("Lacuna", Zenodo 11060871) as published, and their copy of 256 pixels.
#include <map>

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

fs::path catalogue_of(const fs::path& root) {
  for (const char* name : {"label-catalog-filtered.csv", "label_catalog_filtered.csv",
                           "label-catalog-allclasses.csv", "label_catalog_allclasses.csv"}) {
    if (is_file(root / name)) return root / name;
  }
  return {};
}

/// A file that the catalogue names, with or without its folder and extension.
std::string file_in(const fs::path& folder, const std::string& name) {
  fs::path file = fs::path(name).filename();
  if (file.extension() != ".tif") file += ".tif";
  return (folder / file).string();
}

/// Image of each site, from image_chip_catalog.csv where it lies beside the catalogue.
std::map<std::string, std::string> images_by_site(const fs::path& root) {
  std::map<std::string, std::string> images;
  const fs::path file = root / "image_chip_catalog.csv";
  if (!is_file(file)) return images;
  const CsvTable table = geo::read_csv(file);
  const auto name = static_cast<int>(table.column("name"));
  const auto image = static_cast<int>(table.column("image"));
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    images.emplace(name_cell(table, row, name), cell(table, row, image));
  return images;
}

/// Where the catalogue holds what; -1 = it does not.
struct Columns {
  explicit Columns(const CsvTable& table)
      : name(static_cast<int>(table.column("name"))),
        assignment(table.find_column("assignment_id")),
        date(table.find_column("image_date")),
        image(first_column(table, {"image", "chip"})),
        label(first_column(table, {"label", "labels", "mask"})),
        split(first_column(table, {"split", "usage"})),
        source(first_column(table, {"Class", "dataset", "source"})),
        x(table.find_column("x")),
        y(table.find_column("y")) {}
  int name, assignment, date, image, label, split, source, x, y;
};

Sample sample_of(const CsvTable& table, const Columns& columns, std::size_t row, const fs::path& root,
                 const std::map<std::string, std::string>& images) {
  Sample sample;
  sample.place = table.place(row);
  sample.site = name_cell(table, row, columns.name);
  if (sample.site.empty()) throw geo::IoError(concat(sample.place, ": column name is empty"));
  const std::string assignment = cell(table, row, columns.assignment);
  const std::string date = cell(table, row, columns.date);
  std::string image = cell(table, row, columns.image);
  std::string label = cell(table, row, columns.label);
  const auto listed = images.find(sample.site);
  if (image.empty() && listed != images.end()) image = listed->second;
  std::string month = date.substr(0, 7);
  for (const std::string& file : {image, label}) {
    if (month.empty()) month = month_of(fs::path(file_in({}, file)).stem().string());
  }
  if (month.empty() && (image.empty() || label.empty())) {
    throw geo::IoError(
        concat(sample.place, ": site ", quoted(sample.site),
               " has neither an image and a label nor an image_date; the files cannot be found"));
  }
  if (image.empty()) image = sample.site + "_" + month;
  if (label.empty()) label = concat(sample.site, "_", assignment, "_", month);
  sample.id = assignment.empty() ? sample.site : sample.site + "_" + assignment;
  sample.split = name_cell(table, row, columns.split);
  sample.images = {{file_in(folder_of(root, {"images", "imagery"}), image), {}, date.empty() ? month : date}};
  sample.labels[LabelKind::kThreeClass] = file_in(root / "labels", label);
  sample.country = sample.site.substr(0, 2);
  sample.source = cell(table, row, columns.source);
  sample.position = point_of(table, row, columns.x, columns.y);
  return sample;
}

/// The folder given, or mappingafrica-256 below it.
fs::path root_of_256(const fs::path& root) {
  return is_folder(root / "mappingafrica-256") ? root / "mappingafrica-256" : root;
}

std::string site_of(const std::string& stem) {
  return stem.substr(0, stem.find('_'));
}

/// The image of a label raster: of one name, else the site's of the same month, else the site's only one.
std::string image_of(const std::string& label, const std::multimap<std::string, fs::path>& by_site,
                     const fs::path& folder) {
  const auto [first, last] = by_site.equal_range(site_of(label));
  const std::string month = month_of(label);
  for (auto it = first; it != last; ++it) {
    const std::string stem = it->second.stem().string();
    if (stem == label || (!month.empty() && month_of(stem) == month)) return it->second.string();
  }
  if (first != last && std::next(first) == last) return first->second.string();
  const std::string expected = month.empty() ? label : site_of(label) + "_" + month;
  return (folder / (expected + ".tif")).string();
}

}  // namespace

std::string evidence_of_lacuna(const fs::path& root) {
  return catalogue_of(root).string();
}

std::string evidence_of_lacuna_256(const fs::path& root) {
  const fs::path folder = root_of_256(root);
  const bool is_named_so =
      fs::absolute(folder / "images").parent_path().lexically_normal().filename() == "mappingafrica-256";
  const bool complete = is_folder(folder_of(folder, {"images", "imagery"})) && is_folder(folder / "labels");
  return is_named_so && complete ? folder.string() : std::string{};
}

void read_lacuna(const fs::path& root, Dataset& dataset) {
  const fs::path file = catalogue_of(root);
  if (file.empty()) {
    throw geo::IoError(concat("data set ", quoted(root.string()),
                              " has no label-catalog-filtered.csv or label_catalog_allclasses.csv"));
  }
  const CsvTable table = geo::read_csv(file);
  const Columns columns(table);
  const std::map<std::string, std::string> images = images_by_site(root);
  dataset.bands = {"blue", "green", "red", "nir"};
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    dataset.samples.push_back(sample_of(table, columns, row, root, images));
}

void read_lacuna_256(const fs::path& root, Dataset& dataset) {
  const fs::path folder = root_of_256(root);
  const fs::path image_folder = folder_of(folder, {"images", "imagery"});
  dataset.bands = {"red", "green", "blue", "nir"};
  std::multimap<std::string, fs::path> by_site;
  std::map<std::string, bool> used;
  for (const fs::path& image : rasters_in(image_folder)) {
    by_site.emplace(site_of(image.stem().string()), image);
    used[image.string()] = false;
  }
  const auto add = [&](const std::string& stem, const std::string& image, const std::string& label) {
    Sample sample;
    sample.id = stem;
    sample.site = site_of(stem);
    sample.images = {{image, {}, month_of(fs::path(image).stem().string())}};
    sample.labels[LabelKind::kThreeClass] = label;
    sample.country = stem.substr(0, 2);
    sample.place = folder.string();
    dataset.samples.push_back(std::move(sample));
  };
  for (const fs::path& label : rasters_in(folder / "labels")) {
    const std::string image = image_of(label.stem().string(), by_site, image_folder);
    used[image] = true;
    add(label.stem().string(), image, label.string());
  }
  for (const auto& [image, is_used] : used) {
    const std::string stem = fs::path(image).stem().string();
    if (!is_used) add(stem, image, (folder / "labels" / (stem + ".tif")).string());
  }
}

}  // namespace furrow::dataset
