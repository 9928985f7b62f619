#include <furrow/labelling/labeller_rasters.h>

#include <map>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/writer.h>

#include "file_stem.h"

namespace furrow::labelling {
namespace {

/// One labeller's map of one site, in the grid's CRS, and the pixels around its cell.
struct LocalMap {
  Assignment assignment;
  geo::MultiPolygon cell;
  geo::Window window;
};

std::map<std::string, std::vector<LocalMap>> maps_by_labeller(const Campaign& campaign,
                                                              std::span<const SiteVoters> voters,
                                                              const geo::Grid& grid) {
  const geo::CoordinateTransform transform(campaign.crs, grid.crs);
  std::map<std::string, std::vector<LocalMap>> maps;
  for (std::size_t s = 0; s < campaign.sites.size(); ++s) {
    const geo::MultiPolygon cell = transform.apply(campaign.sites[s].cell);
    const geo::Window window = geo::intersection(grid.window_of(geo::bounds(cell)), grid.window());
    if (window.empty()) continue;
    for (const auto* list : {&voters[s].assignments, &voters[s].learners}) {
      for (const std::size_t i : *list) {
        LocalMap map{campaign.assignments[i], cell, window};
        for (auto& polygon : map.assignment.polygons) polygon.shape = transform.apply(polygon.shape);
        maps[map.assignment.labeller].push_back(std::move(map));
      }
    }
  }
  return maps;
}

struct Piece {
  geo::Window window;  ///< of the grid
  std::vector<Vote> votes;
};

/// The part of a map that lies in a strip.
Piece piece_of(const LocalMap& map, const geo::Window& strip, const geo::Grid& grid,
               const ConsensusOptions& options) {
  const geo::Window window = geo::intersection(map.window, strip);
  if (window.empty()) return {};
  const geo::Grid local = grid.subgrid(window);
  const auto inside = geo::rasterize_extent(std::span(&map.cell, 1), local);
  return {window, keep_inside(rasterize_votes(map.assignment, map.cell, local, options), inside.data())};
}

/// The first map by site owns a pixel of two cells.
void place(const Piece& piece, const geo::Window& strip, geo::Raster<std::uint8_t>& labels) {
  for (std::size_t i = 0; i < piece.votes.size(); ++i) {
    const auto col = static_cast<std::int64_t>(i) % piece.window.width;
    const auto row = static_cast<std::int64_t>(i) / piece.window.width;
    std::uint8_t& label = labels.at(piece.window.col - strip.col + col, piece.window.row - strip.row + row);
    if (label == geo::kIgnore && piece.votes[i] <= geo::kBoundary) label = piece.votes[i];
  }
}

void write_one(const std::vector<LocalMap>& maps, const ConsensusOptions& options, const geo::Grid& grid,
               const std::filesystem::path& path, geo::ExecContext& exec) {
  constexpr std::int64_t kStripRows = 512;  // block size of the raster: a block is written once
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint8;
  spec.nodata = geo::kIgnore;
  spec.cog = false;
  geo::RasterWriter writer(path, grid, spec, false);
  for (std::int64_t row = 0; row < grid.height; row += kStripRows) {
    exec.check_cancelled();
    const geo::Window strip{0, row, grid.width, std::min(kStripRows, grid.height - row)};
    std::vector<Piece> pieces(maps.size());
    tbb::parallel_for(std::size_t{0}, maps.size(),
                      [&](std::size_t i) { pieces[i] = piece_of(maps[i], strip, grid, options); });
    geo::Raster<std::uint8_t> labels(strip.width, strip.height, 1, geo::kIgnore);
    for (const Piece& piece : pieces) place(piece, strip, labels);
    writer.write(strip, labels);
  }
  writer.finish();
}

}  // namespace

std::vector<LabellerRaster> write_labeller_rasters(const Campaign& campaign,
                                                   std::span<const SiteVoters> voters,
                                                   const ConsensusOptions& options, const geo::Grid& grid,
                                                   const std::filesystem::path& folder,
                                                   geo::ExecContext& exec) {
  if (options.fusion.classes != 3)
    throw geo::InvalidArgument("label rasters by labeller are made of three classes");
  std::vector<LabellerRaster> rasters;
  std::map<std::string, std::string> by_file;
  const auto maps = maps_by_labeller(campaign, voters, grid);
  for (const auto& [labeller, list] : maps) {
    const std::string file = geo::concat("labels_", file_stem(labeller), ".tif");
    if (const auto [other, added] = by_file.emplace(file, labeller); !added) {
      throw geo::IoError(geo::concat("labellers ", geo::quoted(other->second), " and ", geo::quoted(labeller),
                                     " would write the same file ", geo::quoted(file),
                                     "; rename one of them"));
    }
    write_one(list, options, grid, folder / file, exec);
    rasters.push_back({labeller, file});
  }
  return rasters;
}

}  // namespace furrow::labelling
