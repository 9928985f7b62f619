#include <furrow/assessment/map_item.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/geojson_coordinates.h>
#include <furrow/geo/vector/layer.h>

#include "iso_date.h"

namespace furrow::assessment {
namespace {

namespace fs = std::filesystem;
using geo::concat;
using nlohmann::json;

/// What the files together say of the item.
struct Place {
  geo::MultiPolygon outline;  ///< GeoJSON coordinates
  std::int64_t pixels = 0;    ///< of the raster that `outline` comes from
  std::set<std::string> days;
  json projection = json::object();
};

std::string extension_of(const fs::path& file) {
  return geo::to_lower(file.extension().string());
}

bool is_raster(const fs::path& file) {
  constexpr std::array kRasters{".tif", ".tiff", ".vrt", ".img", ".jp2"};
  return std::ranges::find(kRasters, extension_of(file)) != kRasters.end();
}

/// Whether the first bytes of a file hold a text.
bool begins_with(const fs::path& file, std::string_view text) {
  std::array<char, 512> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  return std::string_view(head.data(), head.size()).find(text) != std::string_view::npos;
}

bool is_geojson(const fs::path& file) {
  const std::string extension = extension_of(file);
  return extension == ".geojson" || (extension == ".json" && begins_with(file, "\"FeatureCollection\""));
}

bool is_vector(const fs::path& file) {
  constexpr std::array kVectors{".gpkg", ".fgb", ".shp"};
  return std::ranges::find(kVectors, extension_of(file)) != kVectors.end() || is_geojson(file);
}

/// GDAL marks cloud-optimised GeoTIFFs in their first bytes.
bool is_cloud_optimised(const fs::path& file) {
  return begins_with(file, "LAYOUT=IFDS_BEFORE_DATA");
}

std::string media_type(const fs::path& file) {
  const std::string extension = extension_of(file);
  if (extension == ".tif" || extension == ".tiff")
    return is_cloud_optimised(file) ? "image/tiff; application=geotiff; profile=cloud-optimized"
                                    : "image/tiff; application=geotiff";
  if (is_geojson(file)) return "application/geo+json";
  static const std::map<std::string, std::string> kTypes{{".gpkg", "application/geopackage+sqlite3"},
                                                         {".fgb", "application/vnd.flatgeobuf"},
                                                         {".json", "application/json"},
                                                         {".csv", "text/csv"},
                                                         {".html", "text/html"},
                                                         {".png", "image/png"}};
  const auto known = kTypes.find(extension);
  return known == kTypes.end() ? "application/octet-stream" : known->second;
}

const char* role_of(const fs::path& file) {
  if (is_raster(file) || is_vector(file)) return "data";
  const std::string extension = extension_of(file);
  return extension == ".html" || extension == ".png" ? "overview" : "metadata";
}

json projection_of(const geo::Crs& crs) {
  if (crs.epsg() == 0) return {{"proj:epsg", nullptr}, {"proj:code", nullptr}, {"proj:wkt2", crs.wkt()}};
  return {{"proj:epsg", crs.epsg()}, {"proj:code", concat("EPSG:", crs.epsg())}};
}

/// Corners and steps between them: straight lines of a raster bend on the globe.
geo::MultiPolygon outline_of(const geo::Grid& grid) {
  constexpr int kSteps = 4;
  const auto width = static_cast<double>(grid.width);
  const auto height = static_cast<double>(grid.height);
  const std::array corners{geo::Point{0.0, height}, geo::Point{width, height}, geo::Point{width, 0.0},
                           geo::Point{0.0, 0.0}};
  geo::Ring ring;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const geo::Point from = corners[i];
    const geo::Point to = corners[(i + 1) % corners.size()];
    for (int s = 0; s < kSteps; ++s) {
      const double t = static_cast<double>(s) / kSteps;
      ring.push_back(grid.transform.to_world({from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)}));
    }
  }
  ring.push_back(ring.front());
  return {{std::move(ring), {}}};
}

json band_json(const geo::BandInfo& band) {
  json out{{"data_type", geo::pixel_type_name(band.type)}};
  if (!band.description.empty()) out["name"] = band.description;
  if (band.nodata) {
    if (std::isnan(*band.nodata)) {
      out["nodata"] = "nan";
    } else {
      out["nodata"] = *band.nodata;
    }
  }
  if (band.scale != 1.0) out["scale"] = band.scale;
  if (band.offset != 0.0) out["offset"] = band.offset;
  return out;
}

/// "0:background;1:interior", as class rasters say in the metadata item CLASS_NAMES.
json classes_json(const std::string& names) {
  json classes = json::array();
  for (const std::string& entry : geo::split(names, ';')) {
    const auto colon = entry.find(':');
    long long value = 0;
    if (colon == std::string::npos || !geo::parse_number(entry.substr(0, colon), value)) continue;
    const std::string name = entry.substr(colon + 1);
    classes.push_back({{"value", value}, {"name", name}, {"description", name}});
  }
  return classes;
}

void describe_raster(const std::string& file, json& asset, Place& place) {
  geo::RasterReadOptions options;
  options.require_crs = false;
  const geo::RasterReader reader(file, options);
  const geo::Grid& grid = reader.grid();
  if (grid.crs.empty())
    throw geo::CrsError(concat("raster ", geo::quoted(file), " has no CRS; a STAC item needs one"));
  const geo::GeoTransform& t = grid.transform;
  const json projection = projection_of(grid.crs);
  asset.update(projection);
  asset["proj:shape"] = {grid.height, grid.width};
  asset["proj:transform"] = {t.dx, t.rx, t.x0, t.ry, t.dy, t.y0};
  json bands = json::array();
  for (int b = 0; b < reader.bands(); ++b) bands.push_back(band_json(reader.band(b)));
  asset["raster:bands"] = std::move(bands);
  if (json classes = classes_json(reader.metadata("CLASS_NAMES")); !classes.empty())
    asset["classification:classes"] = std::move(classes);
  if (const std::string day = iso_date(reader.metadata("TIFFTAG_DATETIME")); !day.empty())
    place.days.insert(day);
  const std::int64_t pixels = grid.width * grid.height;
  if (pixels <= place.pixels) return;
  place.pixels = pixels;
  place.projection = projection;
  place.outline =
      geo::to_geojson_coordinates(outline_of(grid), geo::CoordinateTransform(grid.crs, geo::lonlat_crs()));
}

void add_days(const geo::Layer& layer, Place& place) {
  const int column = layer.find_field("image_date");
  if (column < 0) return;
  for (const geo::Feature& feature : layer.features) {
    const std::string day = iso_date(geo::as_text(feature.values[static_cast<std::size_t>(column)]));
    if (!day.empty()) place.days.insert(day);
  }
}

void describe_vector(const std::string& file, json& asset, Place& place) {
  std::vector<std::string> texts;
  std::string polygons;
  for (const geo::LayerInfo& info : geo::list_layers(file)) {
    if (info.name == "layer_styles") continue;
    texts.push_back(concat(info.name, " (", info.features, ')'));
    const bool has_shapes = info.geometry.find("Polygon") != std::string::npos;
    if (has_shapes && (polygons.empty() || info.name == "fields")) polygons = info.name;
  }
  asset["description"] = concat("Layers and their numbers of features: ", geo::join(texts, ", "));
  if (polygons.empty()) return;
  geo::LayerReadOptions options;
  options.layer = polygons;
  options.accept_empty = true;
  options.invalid = geo::InvalidGeometry::kKeep;
  const geo::Layer layer = geo::read_layer(file, options);
  asset.update(projection_of(layer.crs));
  add_days(layer, place);
  if (place.pixels > 0 || !place.outline.empty()) return;
  geo::Box box;
  for (const geo::Feature& feature : layer.features) box.expand(geo::bounds(feature.geometry));
  if (box.empty()) return;
  place.projection = projection_of(layer.crs);
  place.outline = geo::to_geojson_coordinates({geo::to_polygon(box)},
                                              geo::CoordinateTransform(layer.crs, geo::lonlat_crs()));
}

std::string link_to(const std::string& file, const fs::path& item) {
  const fs::path folder = fs::absolute(item).parent_path();
  const std::string relative =
      fs::absolute(file).lexically_normal().lexically_relative(folder.lexically_normal()).string();
  return relative.starts_with("..") ? relative : concat("./", relative);
}

json coordinates_of(const geo::Polygon& polygon) {
  geo::Ring shell = polygon.shell;
  if (geo::signed_area(shell) < 0.0) std::ranges::reverse(shell);
  json points = json::array();
  for (const geo::Point& p : shell) points.push_back({p.x, p.y});
  return json::array({std::move(points)});
}

/// An outline of two parts was cut at the antimeridian: its box runs from the west of the eastern part over
/// 180 degrees to the east of the western one (RFC 7946 5.2).
void set_geometry(const geo::MultiPolygon& outline, json& item) {
  if (outline.size() == 1) {
    const geo::Box b = geo::bounds(outline);
    item["bbox"] = {b.min_x, b.min_y, b.max_x, b.max_y};
    item["geometry"] = {{"type", "Polygon"}, {"coordinates", coordinates_of(outline.front())}};
    return;
  }
  geo::Box east;
  geo::Box west;
  json parts = json::array();
  for (const geo::Polygon& part : outline) {
    const geo::Box b = geo::bounds(part);
    (b.centre().x > 0.0 ? east : west).expand(b);
    parts.push_back(coordinates_of(part));
  }
  item["bbox"] = {east.min_x, std::min(east.min_y, west.min_y), west.max_x, std::max(east.max_y, west.max_y)};
  item["geometry"] = {{"type", "MultiPolygon"}, {"coordinates", std::move(parts)}};
}

void set_time(const MapItemOptions& options, std::set<std::string> days, json& properties) {
  if (!options.image_date.empty()) {
    const std::string day = iso_date(options.image_date);
    if (day.empty()) {
      throw geo::InvalidArgument(
          concat("--image-date ", geo::quoted(options.image_date), " is not a date; write YYYY-MM-DD"));
    }
    days = {day};
  }
  if (days.empty()) {
    throw geo::InvalidArgument("no file says when the image was taken; say it with --image-date YYYY-MM-DD");
  }
  if (days.size() == 1) {
    properties["datetime"] = *days.begin() + "T00:00:00Z";
    return;
  }
  properties["datetime"] = nullptr;
  properties["start_datetime"] = *days.begin() + "T00:00:00Z";
  properties["end_datetime"] = *days.rbegin() + "T23:59:59Z";
}

json describe_file(const std::string& file, const fs::path& item, Place& place) {
  json asset{{"href", link_to(file, item)},
             {"type", media_type(file)},
             {"title", fs::path(file).filename().string()},
             {"roles", json::array({role_of(file)})},
             {"file:checksum", concat("1220", geo::sha256_of_file(file))},
             {"file:size", fs::file_size(file)}};
  if (is_raster(file)) describe_raster(file, asset, place);
  if (is_vector(file)) describe_vector(file, asset, place);
  return asset;
}

}  // namespace

std::string map_item(std::span<const std::string> files, const fs::path& item,
                     const MapItemOptions& options) {
  Place place;
  json assets = json::object();
  for (const std::string& file : files) {
    std::string key = fs::path(file).stem().string();
    if (assets.contains(key)) key = fs::path(file).filename().string();
    if (assets.contains(key)) {
      throw geo::InvalidArgument(
          concat("two files are called ", geo::quoted(key), "; an item lists each name once"));
    }
    assets[key] = describe_file(file, item, place);
  }
  if (place.outline.empty())
    throw geo::InvalidArgument("no file says where the map lies; give a raster or a layer of polygons");
  json properties{{"created", geo::utc_timestamp()}};
  if (!options.title.empty()) properties["title"] = options.title;
  set_time(options, place.days, properties);
  properties.update(place.projection);
  constexpr const char* kExtensions = "https://stac-extensions.github.io/";
  json result{{"type", "Feature"},
              {"stac_version", "1.0.0"},
              {"stac_extensions",
               {concat(kExtensions, "projection/v1.2.0/schema.json"),
                concat(kExtensions, "raster/v1.1.0/schema.json"),
                concat(kExtensions, "classification/v1.1.0/schema.json"),
                concat(kExtensions, "file/v2.1.0/schema.json")}},
              {"id", options.id},
              {"properties", std::move(properties)},
              {"links", json::array()},
              {"assets", std::move(assets)}};
  set_geometry(place.outline, result);
  return result.dump(2) + "\n";
}

}  // namespace furrow::assessment
