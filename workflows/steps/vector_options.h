#pragma once

#include <string>

#include <furrow/geo/vector/layer.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// The options that every command with a polygon layer offers: which layer, its CRS, what to do with invalid
/// polygons.
struct VectorOptions {
  std::string layer;
  std::string crs;
  std::string invalid = "error";

  /// @param what  name of the input: declares --layer (or --<what>-layer when `several`), --<what>-crs,
  /// --invalid
  void declare(OptionTable& table, const std::string& what, bool several = false) {
    table.add(several ? what + "-layer" : "layer", &layer)
        .help("Layer of the file; default: its only polygon layer");
    table.add(what + "-crs", &crs).help("CRS of the polygons whatever the file says, for example EPSG:32632");
    if (table.find("invalid") == nullptr) {
      table.add("invalid", &invalid)
          .choices({"error", "repair", "skip"})
          .help("What to do with polygons that cross themselves");
    }
  }

  /// @param needs_features  false: an empty layer will do; features must have polygons either way
  /// @param grid_crs  what the CRS text "grid" stands for, in commands that have a grid raster
  /// @throws geo::CrsError when the CRS is not understood
  [[nodiscard]] geo::LayerReadOptions read_options(const std::string& crs_switch, bool needs_features = true,
                                                   const geo::Crs& grid_crs = {}) const {
    geo::LayerReadOptions options;
    options.layer = layer;
    if (crs == "grid" && !grid_crs.empty()) {
      options.override_crs = grid_crs;
    } else if (!crs.empty()) {
      options.override_crs = geo::Crs::from_user_input(crs);
    }
    options.crs_switch = crs_switch;
    options.accept_empty = !needs_features;
    options.invalid = invalid == "repair" ? geo::InvalidGeometry::kRepair
                      : invalid == "skip" ? geo::InvalidGeometry::kSkip
                                          : geo::InvalidGeometry::kError;
    return options;
  }
};

}  // namespace furrow::workflow
