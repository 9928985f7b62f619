#pragma once

#include <optional>
#include <string>
#include <vector>

namespace furrow::geo {

/// The raster of one STAC item.
struct StacRaster {
  std::string path;
  std::string id;
  std::string date;   ///< datetime, or start_datetime; empty = unknown
  std::string place;  ///< file and item, for messages
};

/// A path as a listing writes it, seen from where the listing lies: URLs, /vsi and absolute paths stay;
/// anything else is relative to the folder (or the URL) of the listing.
[[nodiscard]] std::string beside_listing(const std::string& listing, const std::string& path);

/// Rasters of a STAC Item, ItemCollection, Collection or Catalog in a JSON file; items of the latter two are
/// found by their links, children too.
/// @param asset  key of the asset; empty = the only asset of an item that is a raster
/// @return nothing when the file is no STAC document
/// @throws IoError  the file or an item that it links to cannot be read; an item without that asset (with
///                  those it has)
[[nodiscard]] std::optional<std::vector<StacRaster>> read_stac_items(const std::string& path,
                                                                     const std::string& asset);

}  // namespace furrow::geo
