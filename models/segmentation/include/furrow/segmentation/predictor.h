#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/segmentation/model_spec.h>

namespace furrow::segmentation {

/// A network seen from outside. input [n, bands, height, width] float32, normalised; output [n, classes,
/// height, width] float32, class probabilities that sum to 1. height and width are multiples of the model's
/// stride. Must be safe to call from several threads at once.
using ScoreFunction = std::function<void(std::span<const float> input, std::int64_t n, std::int64_t bands,
                                         std::int64_t height, std::int64_t width, std::span<float> output)>;

struct PredictOptions {
  std::int64_t tile_px = 256;           ///< core of a tile
  std::optional<std::int64_t> halo_px;  ///< default: the model's receptive radius (at least 16), measured
  bool blend = true;                    ///< Hann-weighted overlap; false: crop to the core
  std::string entropy_path;  ///< also write the entropy raster (nats, uint8, scale 1/180); empty = no
  bool overwrite = false;
};

struct PredictReport {
  std::int64_t tiles = 0;
  std::int64_t empty_tiles = 0;  ///< all nodata: never shown to the network
  std::int64_t valid_pixels = 0;
};

/// Scores a whole raster as one bounded pipeline: read -> normalise -> infer -> blend -> write.
///
/// @param image   any raster with the model's bands; invalid pixels (nodata, mask, NaN) stay nodata in the
/// output
/// @param output  COG, uint8, one band per class (background, interior, boundary), score = value / 200,
/// nodata 255 Borders of the raster are reflected; tiles overlap by the halo. Results do not depend on
/// threads, and on tile size only by what lies beyond the receptive field. Memory: tiles in flight plus one
/// strip, not the scene.
/// @throws geo::IoError, geo::CrsError, geo::ModelError (bands or resolution differ)
PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            const ScoreFunction& score, const PredictOptions& options,
                            geo::ExecContext& exec);

}  // namespace furrow::segmentation
