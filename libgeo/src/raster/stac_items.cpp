#include "stac_items.h"

#include <filesystem>
#include <set>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>

namespace fs = std::filesystem;

namespace furrow::geo {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

const Json& member(const Json& object, const char* key) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto it = object.find(key);
  return it == object.end() ? kNone : *it;
}

Json read_json(const std::string& path) {
  try {
    return Json::parse(read_text_file(path));
  } catch (const Json::exception& e) {
    throw IoError(concat("cannot read ", quoted(path), " as JSON: ", e.what()));
  }
}

bool is_item(const Json& json) {
  return text_of(json, "type") == "Feature" && member(json, "assets").is_object();
}

bool is_raster_asset(const Json& asset) {
  const std::string type = to_lower(text_of(asset, "type"));
  if (type.starts_with("image/tiff") || type == "image/jp2") {
    for (const Json& role : member(asset, "roles")) {
      if (role == "thumbnail" || role == "overview" || role == "metadata") return false;
    }
    return true;
  }
  return type.empty() && has_raster_extension(text_of(asset, "href"));
}

class StacReader {
 public:
  explicit StacReader(const std::string& asset) : m_asset(asset) {}

  void add_item(const Json& item, const std::string& file) {
    const std::string id = text_of(item, "id");
    const std::string place = concat(file, ", item ", id);
    const std::string href = text_of(chosen_asset(member(item, "assets"), place), "href");
    if (href.empty()) throw IoError(concat(place, ": its asset has no href"));
    const Json& properties = member(item, "properties");
    std::string date = text_of(properties, "datetime");
    if (date.empty()) date = text_of(properties, "start_datetime");
    m_rasters.push_back({beside_listing(file, href), id, std::move(date), place});
  }

  /// Collections and catalogs: items and children by their links, each file once.
  void add_linked(const Json& parent, const std::string& file) {
    if (!m_seen.insert(file).second) return;
    for (const Json& link : member(parent, "links")) {
      const std::string relation = text_of(link, "rel");
      if (relation != "item" && relation != "child") continue;
      const std::string target = beside_listing(file, text_of(link, "href"));
      const Json json = read_json(target);
      if (is_item(json)) {
        add_item(json, target);
      } else {
        add_linked(json, target);
      }
    }
  }

  [[nodiscard]] std::vector<StacRaster> take() { return std::move(m_rasters); }

 private:
  const Json& chosen_asset(const Json& assets, const std::string& place) const {
    std::vector<std::string> keys;
    std::vector<std::string> rasters;
    for (const auto& [key, asset] : assets.items()) {
      keys.push_back(key);
      if (is_raster_asset(asset)) rasters.push_back(key);
    }
    if (!m_asset.empty()) {
      if (!assets.contains(m_asset)) {
        throw IoError(concat(place, " has no asset ", quoted(m_asset), did_you_mean(m_asset, keys),
                             " (it has: ", join(keys, ", "), ")"));
      }
      return assets[m_asset];
    }
    if (rasters.size() == 1) return assets[rasters.front()];
    if (rasters.empty())
      throw IoError(concat(place, " has no raster asset (it has: ", join(keys, ", "), ")"));
    throw IoError(concat(place, " has several raster assets (", join(rasters, ", "), "); name one"));
  }

  const std::string& m_asset;
  std::vector<StacRaster> m_rasters;
  std::set<std::string> m_seen;
};

}  // namespace

std::string beside_listing(const std::string& listing, const std::string& path) {
  if (path.find("://") != std::string::npos) return path.starts_with("file://") ? path.substr(7) : path;
  if (path.starts_with('/')) return path;
  // A connection text such as "GPKG:file:table"; a plain name with a colon is rare and wins where it exists.
  const auto slash = listing.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : listing.substr(0, slash + 1);
  std::string tail = path;
  while (tail.starts_with("./")) tail.erase(0, 2);
  if (is_remote(listing)) return folder + tail;
  std::error_code ec;
  if (tail.find(':') != std::string::npos && !fs::exists(folder + tail, ec)) return path;
  return fs::path(folder + tail).lexically_normal().string();
}

std::optional<std::vector<StacRaster>> read_stac_items(const std::string& path, const std::string& asset) {
  const Json json = read_json(path);
  const std::string type = text_of(json, "type");
  StacReader reader(asset);
  if (is_item(json)) {
    reader.add_item(json, path);
  } else if (type == "FeatureCollection") {
    const Json& features = member(json, "features");
    if (!features.is_array() || features.empty() || !is_item(features.front())) return std::nullopt;
    for (const Json& feature : features) {
      if (!is_item(feature)) throw IoError(concat(quoted(path), " mixes STAC items and other features"));
      reader.add_item(feature, path);
    }
  } else if (type == "Collection" || type == "Catalog") {
    reader.add_linked(json, path);
  } else {
    return std::nullopt;
  }
  auto rasters = reader.take();
  if (rasters.empty()) throw IoError(concat("STAC ", to_lower(type), " ", quoted(path), " lists no item"));
  return rasters;
}

}  // namespace furrow::geo
