#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/topology/score_map.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// The options of commands that read score rasters: which files, which bands, what the values mean.
struct ScoreOptions {
  std::vector<std::string> scores;
  std::string crs;
  std::optional<std::int64_t> extent_band;
  std::optional<std::int64_t> boundary_band;
  std::optional<double> scale;

  /// @param what  help of the files
  void declare(OptionTable& t, const std::string& what) {
    t.add("scores", &scores).positional().required().input("raster").help(what);
    t.add("scores-crs", &crs).help("CRS of the raster whatever the file says, for example EPSG:32632");
    t.add("extent-band", &extent_band)
        .at_least(1)
        .help(
            "Band of the extent score; default: by the number of bands (1: extent; 2: extent, boundary; "
            "3: background, interior, boundary)");
    t.add("boundary-band", &boundary_band)
        .at_least(1)
        .help("Band of the boundary score; default with --extent-band: 1 - extent");
    t.add("scale", &scale)
        .range(1e-12, 1e12)
        .help("Score = stored value x scale; default: from the raster's metadata");
  }

  [[nodiscard]] std::vector<std::string> list() const {
    geo::RasterListOptions listing;
    listing.unique_names = false;
    std::vector<std::string> paths;
    for (auto& raster : geo::list_rasters(scores, listing)) paths.push_back(std::move(raster.path));
    return paths;
  }

  /// @param paths  tiles of one scene
  [[nodiscard]] geo::ScoreScene open(const std::vector<std::string>& paths,
                                     geo::ScoreContent content = geo::ScoreContent::kScores) const {
    geo::RasterReadOptions read;
    read.crs_switch = "--scores-crs";
    if (!crs.empty()) read.override_crs = geo::Crs::from_user_input(crs);
    const auto number = [](const std::optional<std::int64_t>& band) {
      return band ? std::optional<int>(static_cast<int>(*band)) : std::nullopt;
    };
    geo::ScoreBands bands{number(extent_band), number(boundary_band), scale};
    bands.content = content;
    return geo::open_scores(paths, bands, read);
  }
};

}  // namespace furrow::workflow
