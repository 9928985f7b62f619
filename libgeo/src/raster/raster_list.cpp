#include <furrow/geo/raster/raster_list.h>

#include <glob.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include <gdal_priv.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>

#include "gdal_support.h"
#include "stac_items.h"

namespace fs = std::filesystem;

namespace furrow::geo {
namespace {

constexpr std::array<std::string_view, 16> kRasterExtensions{"tif", "tiff", "gtiff", "vrt", "jp2", "j2k",
                                                             "img", "kea",  "asc",   "bil", "bip", "bsq",
                                                             "ntf", "nitf", "dem",   "ecw"};

/// A raster, and the listing that names it, for messages.
struct Listed {
  RasterInput raster;
  std::string place;  ///< "list.csv:4"; empty = given directly
};

/// What a URL or path is called without its query.
std::string without_query(const std::string& path) {
  return is_remote(path) ? path.substr(0, path.find('?', path.starts_with("/vsicurl?") ? 9 : 0)) : path;
}

std::string extension_of(const std::string& path) {
  const std::string extension = fs::path(without_query(path)).extension().string();
  return extension.empty() ? extension : to_lower(extension.substr(1));
}

/// The existence of anything else is for GDAL to tell.
bool is_plain_file_name(const std::string& path) {
  return !path.starts_with("/vsi") && path.find("://") == std::string::npos;
}

bool is_missing_file(const std::string& path) {
  std::error_code ec;
  if (!is_plain_file_name(path) || fs::exists(path, ec)) return false;
  // "GPKG:file:table" and the like.
  return path.find(':') == std::string::npos;
}

/// Names become parts of file names.
std::string as_name(std::string name) {
  std::ranges::replace(name, '/', '_');
  return name;
}

Listed listed(std::string path, std::string place, std::string name = {}, std::string date = {}) {
  if (name.empty()) name = raster_stem(path);
  return {{std::move(path), as_name(std::move(name)), std::move(date)}, std::move(place)};
}

std::vector<std::string> lines_of(const std::string& text) {
  const bool by_nul = text.find('\0') != std::string::npos;
  std::vector<std::string> lines;
  for (const std::string& part : split(text, by_nul ? '\0' : '\n')) {
    const std::string line(by_nul ? std::string_view(part) : trim(part));
    const bool comment = !by_nul && line.starts_with('#');
    lines.push_back(comment ? std::string{} : line);
  }
  return lines;
}

class Resolver {
 public:
  explicit Resolver(const RasterListOptions& options) : m_options(options) {}

  void add(const std::string& input) {
    std::error_code ec;
    const std::string extension = extension_of(input);
    if (input == "-") return add_standard_input();
    if (is_plain_file_name(input) && fs::is_directory(input, ec)) return add_folder(input);
    const bool pattern = is_plain_file_name(input) && input.find_first_of("*?[") != std::string::npos;
    if (pattern && !fs::exists(input, ec)) return add_pattern(input);
    if (is_missing_file(input)) return m_found.push_back(listed(input, {}));
    if (extension == "txt" || extension == "lst" || extension == "list") return add_manifest(input);
    if (extension == "csv") return add_table(input);
    if ((extension == "json" || extension == "geojson") && add_stac(input)) return;
    const bool index = extension == "shp" || extension == "fgb" || extension == "geojson" ||
                       extension == "json" || extension == "parquet" || extension == "geoparquet";
    if (index || (extension == "gpkg" && is_index(input))) return add_index(input);
    m_found.push_back(listed(input, {}));
  }

  [[nodiscard]] std::vector<RasterInput> take() {
    check_missing();
    if (m_found.empty()) throw IoError("no raster is listed");
    if (m_options.unique_names) check_names();
    std::vector<RasterInput> rasters;
    for (Listed& one : m_found) rasters.push_back(std::move(one.raster));
    return rasters;
  }

 private:
  void add_standard_input() {
    std::istream& in = m_options.standard_input != nullptr ? *m_options.standard_input : std::cin;
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    const std::size_t before = m_found.size();
    for (const std::string& line : lines_of(text)) {
      if (!line.empty()) m_found.push_back(listed(line, "standard input"));
    }
    if (m_found.size() == before) throw IoError("standard input lists no raster; give one path a line");
  }

  void add_folder(const std::string& folder) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with('.') && has_raster_extension(name) && !entry.is_directory())
        files.push_back(entry.path().string());
    }
    std::ranges::sort(files);
    for (std::string& file : files) m_found.push_back(listed(std::move(file), {}));
    if (!files.empty()) return;
    register_gdal();
    const GdalErrorScope errors;
    if (GDALIdentifyDriverEx(folder.c_str(), GDAL_OF_RASTER, nullptr, nullptr) == nullptr) {
      throw IoError(concat("folder ", quoted(folder),
                           " holds no raster (.tif, .vrt, .jp2, ...; subfolders are not searched: give a "
                           "pattern such as '",
                           (fs::path(folder) / "*" / "*.tif").string(), "' for those)"));
    }
    m_found.push_back(listed(folder, {}));
  }

  void add_pattern(const std::string& pattern) {
    glob_t found{};
    const int answer = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
    std::vector<std::string> files;
    for (std::size_t i = 0; answer == 0 && i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    std::error_code ec;
    std::erase_if(files, [&](const std::string& file) { return fs::is_directory(file, ec); });
    if (files.empty()) throw IoError(concat("no file matches ", quoted(pattern)));
    std::ranges::sort(files);
    for (std::string& file : files) m_found.push_back(listed(std::move(file), {}));
  }

  void add_manifest(const std::string& path) {
    const auto lines = lines_of(read_text_file(path));
    const std::size_t before = m_found.size();
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!lines[i].empty())
        m_found.push_back(listed(beside_listing(path, lines[i]), concat(path, ":", i + 1)));
    }
    if (m_found.size() == before) throw IoError(concat("list ", quoted(path), " names no raster"));
  }

  void add_table(const std::string& path) {
    const CsvTable table = read_csv(path);
    const std::size_t paths = path_column(table);
    const int names = table.find_column("name");
    const int dates = first_column(table, {"date", "image_date", "datetime", "acquired"});
    const auto cell = [&](std::size_t row, int column) {
      if (column < 0 || static_cast<std::size_t>(column) == paths) return std::string{};
      const std::string& text = table.rows[row][static_cast<std::size_t>(column)];
      return is_missing(text) ? std::string{} : std::string(trim(text));
    };
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      const std::string file(trim(table.rows[row][paths]));
      if (is_missing(file)) throw IoError(concat(table.place(row), ": ", table.columns[paths], " is empty"));
      m_found.push_back(
          listed(beside_listing(path, file), table.place(row), cell(row, names), cell(row, dates)));
    }
    if (table.rows.empty()) throw IoError(concat("table ", quoted(path), " has no row"));
  }

  static int first_column(const CsvTable& table, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      if (const int column = table.find_column(name); column >= 0) return column;
    }
    return -1;
  }

  [[nodiscard]] std::size_t path_column(const CsvTable& table) const {
    if (!m_options.path_column.empty()) return table.column(m_options.path_column);
    const int column =
        first_column(table, {"path", "location", "image", "raster", "file", "filename", "href", "url"});
    if (column < 0) {
      throw IoError(concat("table ", quoted(table.path.string()),
                           " has no column path, location, image, raster, file, filename, href or url (it "
                           "has: ",
                           join(table.columns, ", "), "); name the one with the paths"));
    }
    return static_cast<std::size_t>(column);
  }

  [[nodiscard]] std::string location() const {
    return m_options.location_field.empty() ? "location" : m_options.location_field;
  }

  [[nodiscard]] bool is_index(const std::string& path) const {
    try {
      return std::ranges::any_of(list_layers(path), [&](const LayerInfo& layer) {
        return std::ranges::any_of(layer.fields,
                                   [&](const auto& f) { return to_lower(f.name) == to_lower(location()); });
      });
    } catch (const IoError&) {
      return false;  // a raster, or no such file: its reader says so
    }
  }

  void add_index(const std::string& path) {
    LayerReadOptions read;
    read.require_crs = false;
    read.require_polygons = false;
    read.invalid = InvalidGeometry::kRepair;
    LayerReadReport report;
    const Layer index = read_layer(path, read, &report);
    const std::size_t paths = index.field(location());
    int dates = -1;
    for (const char* name : {"date", "image_date", "datetime", "acquired"}) {
      if (dates < 0) dates = index.find_field(name);
    }
    if (index.features.empty()) throw IoError(concat("tile index ", quoted(path), " is empty"));
    for (const Feature& feature : index.features) {
      const std::string place = concat(path, ", fid ", feature.fid);
      const std::string file = as_text(feature.values[paths]);
      if (file.empty()) throw IoError(concat(place, ": ", location(), " is empty"));
      std::string found = beside_listing(path, file);
      if (is_missing_file(found) && !is_missing_file(file)) found = file;
      m_found.push_back(
          listed(std::move(found), place, {},
                 dates < 0 ? std::string{} : as_text(feature.values[static_cast<std::size_t>(dates)])));
    }
  }

  /// @return false = no STAC document
  bool add_stac(const std::string& path) {
    auto items = read_stac_items(path, m_options.asset);
    if (!items) return false;
    for (StacRaster& item : *items)
      m_found.push_back(listed(std::move(item.path), item.place, item.id, std::move(item.date)));
    return true;
  }

  void check_missing() const {
    std::vector<std::string> missing;
    for (const Listed& one : m_found) {
      if (is_missing_file(one.raster.path))
        missing.push_back(one.place.empty() ? quoted(one.raster.path)
                                            : concat(quoted(one.raster.path), " (", one.place, ")"));
    }
    if (missing.empty()) return;
    if (missing.size() == 1) throw IoError(concat("no such file: ", missing.front()));
    constexpr std::size_t kShown = 20;
    const std::size_t all = missing.size();
    if (all > kShown) missing.resize(kShown);
    throw IoError(concat(all, " of ", m_found.size(), " rasters are missing: ", join(missing, ", "),
                         all > kShown ? concat(" and ", all - kShown, " more") : ""));
  }

  void check_names() const {
    std::map<std::string, const Listed*> names;
    for (const Listed& one : m_found) {
      const auto [other, is_new] = names.emplace(one.raster.name, &one);
      if (is_new) continue;
      const std::string& path = one.raster.path;
      if (other->second->raster.path == path)
        throw IoError(concat("raster ", quoted(path), " is given twice"));
      throw IoError(concat("two rasters are both called ", quoted(one.raster.name), ": ",
                           quoted(other->second->raster.path), " and ", quoted(path),
                           "; outputs are named after them, so list them in a CSV file with columns name and "
                           "path, or take one at a time"));
    }
  }

  const RasterListOptions& m_options;
  std::vector<Listed> m_found;
};

}  // namespace

bool has_raster_extension(const std::string& path) {
  return std::ranges::find(kRasterExtensions, extension_of(path)) != kRasterExtensions.end();
}

std::string raster_stem(const std::string& path) {
  const fs::path plain = without_query(path);
  return plain.has_filename() ? plain.stem().string() : plain.parent_path().stem().string();
}

std::vector<RasterInput> list_rasters(std::span<const std::string> inputs, const RasterListOptions& options) {
  Resolver resolver(options);
  for (const std::string& input : inputs) resolver.add(input);
  return resolver.take();
}

}  // namespace furrow::geo
