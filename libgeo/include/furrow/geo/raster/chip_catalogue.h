#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/geo/raster/chip_grid.h>

namespace furrow::geo {

/// Of the valid pixels of one band of a chip, stored values.
struct ChipBandStatistics {
  double min = 0.0;
  double max = 0.0;
  double mean = 0.0;
  double sd = 0.0;  ///< of the population
};

/// One written chip, a row of the catalogue.
struct Chip {
  std::string name;
  std::string scene;    ///< name of the image, or of the mosaic or stack
  std::string image;    ///< relative to the output folder
  std::string labels;   ///< likewise; empty = none
  ChipPlace place;      ///< the window with its halo, on the chip's grid
  Window core;          ///< without the halo
  double valid = 0.0;   ///< share of pixels where all bands hold data, padding not
  std::string date;     ///< ISO 8601; empty = unknown
  std::string sources;  ///< names of the images that a mosaic's chip is made of, separated by spaces
  std::vector<ChipBandStatistics> statistics;  ///< one per band when asked for; empty for a chip without a
                                               ///< valid pixel
  double lon_deg = 0.0;                        ///< of the centre
  double lat_deg = 0.0;
  Point pixel_size;   ///< width and height in units of the CRS
  Polygon footprint;  ///< in the chip's CRS
  Crs crs;
};

/// Writes the catalogue chips.csv and the index chips.gpkg (footprints with the same attributes; in the CRS
/// of the chips when they share one, else in longitude and latitude) into `folder`.
///
/// Columns: name, scene, image, labels, col, row, width, height (of the window on its grid), valid, x, y (the
/// centre's longitude and latitude), crs, date, pixel_width, pixel_height; core_col, core_row, core_width,
/// core_height (within the chip) when a chip has a halo; sources when a chip is made of several images;
/// min_<n>, max_<n>, mean_<n>, sd_<n> for band n when there are statistics.
/// @throws IoError
void write_chip_catalogue(const std::vector<Chip>& chips, const std::filesystem::path& folder);

}  // namespace furrow::geo
