#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/raster/tiling.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

namespace furrow::segmentation {

/// Everything about a run that no tile changes.
struct PredictionPlan {
  geo::Grid grid;                              ///< of the outputs: the area's window of the image
  std::int64_t image_width = 0;                ///< px
  std::int64_t image_height = 0;               ///< px
  geo::Window area;                            ///< of the image, as large as `grid`
  std::span<const geo::MultiPolygon> cutline;  ///< in the image's CRS; empty = all
  std::vector<geo::Tile> tiles;
  std::int64_t tile_px = 0;
  std::int64_t halo_px = 0;
  std::int64_t blend_px = 0;
  std::int64_t stride_px = 1;
  int bands = 0;
  std::vector<int> source_bands;  ///< of the image, in the model's order; empty = all
  int classes = 0;
  std::vector<QualityLayer> layers;  ///< asked for
  int channels = 0;                  ///< of what a tile says of a pixel: its scores, then, where needed:
  int mean_entropy_channel = -1;     ///< mean of the passes' entropies, in nats; -1 = not needed
  int square_channel = -1;           ///< sum of the squared scores; -1 = not needed
  std::size_t network_bytes = 0;     ///< that the network takes for a pixel of its input
  std::int64_t network_rows = 0;     ///< of its input that it holds at once; 0 = all
  bool may_score_parts = false;      ///< a score does not depend on how much of its tile is scored
  double entropy_steps = 180.0;      ///< stored value of an entropy of 1 nat

  /// What the network sees for a tile: core and halo, begun and ended at multiples of the stride from the
  /// image's corner. May leave the grid and the image.
  [[nodiscard]] geo::Window input_window(const geo::Window& core) const;
  /// Pixels that are complete once this tile and those before it are blended.
  [[nodiscard]] geo::Window final_window(const geo::Window& core) const;
  /// Bytes of one tile in flight, when the network works on it.
  [[nodiscard]] std::size_t tile_bytes() const;
  /// Of GDAL's blocks, so that a row of tiles finds again what the row above it read and wrote.
  /// @param pixel_bytes  of the image, all its bands
  [[nodiscard]] std::size_t block_cache_bytes(std::size_t pixel_bytes, std::int64_t block_height) const;
  /// A window of `grid` in pixels of the image.
  [[nodiscard]] geo::Window on_image(const geo::Window& window) const;
};

/// @param image  the whole image's grid
/// @param area          not empty; has to outlive the plan
/// @param memory_bytes  decides on the tile's size where the options do not
[[nodiscard]] PredictionPlan make_plan(const geo::Grid& image, const AreaOnGrid& area, const ModelSpec& spec,
                                       const PredictOptions& options, std::size_t memory_bytes);

/// Side of tiles that scores the grid in the least time and of which the budget holds a tile for each
/// processor: 512 to 2048 px in steps of 64 (large tiles have less halo, but leave processors without work at
/// the end), below 512 only where the budget asks for it.
/// @param plan  with everything but its tiles and their side
[[nodiscard]] std::int64_t choose_tile_px(PredictionPlan plan, std::size_t processors,
                                          std::size_t memory_bytes);

/// Side of the square as large as a pixel at the grid's centre, on the ground.
[[nodiscard]] double mean_pixel_size_m(const geo::Grid& grid);

/// Group normalisation sees the whole of what the network is shown.
[[nodiscard]] bool has_group_norm(const ModelSpec& spec);

/// @throws InvalidArgument when one tile does not fit the memory budget
void check_memory(const PredictionPlan& plan, const geo::ExecContext& exec);

/// A shorter halo is the user's choice; its price is said once.
void mention_short_halo(const PredictionPlan& plan, const ModelSpec& spec);

}  // namespace furrow::segmentation
