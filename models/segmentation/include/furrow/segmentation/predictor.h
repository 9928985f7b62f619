#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/segmentation/dataset_shift.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/scene_area.h>

namespace furrow::segmentation {

/// A network seen from outside. input [n, bands, height, width] float32, normalised; output [n, classes,
/// height, width] float32, class probabilities that sum to 1. height and width are multiples of the model's
/// stride. Must be safe to call from several threads at once.
using ScoreFunction = std::function<void(std::span<const float> input, std::int64_t n, std::int64_t bands,
                                         std::int64_t height, std::int64_t width, std::span<float> output)>;

/// The same for a part of the answer, which may cost less than the whole. part: window of the input;
/// output [n, classes, part.height, part.width].
using PartScoreFunction =
    std::function<void(std::span<const float> input, std::int64_t n, std::int64_t bands, std::int64_t height,
                       std::int64_t width, const geo::Window& part, std::span<float> output)>;

/// Cuts parts out of whole answers. Thread-safe if `score` is.
[[nodiscard]] PartScoreFunction part_of_whole(ScoreFunction score);

/// Rasters beside the scores that say how far to trust them; uint8, nodata 255.
enum class QualityLayer {
  /// -sum p ln p of the scores, in nats, with scale 1/180 (ln 3 = 198; more than 4 classes: ln n / 254).
  kEntropy,
  /// Entropy of the scores less the mean entropy of the passes, in nats, scaled as the entropy: 0 where the
  /// passes agree, however undecided each of them is (Depeweg et al. 2018). Needs two passes or more.
  kMutualInformation,
  /// sqrt(sum of variances / 2) of the scores of the tiles that overlap at a pixel, weighted as they are
  /// blended: half the difference of the scores in the middle of a seam between two tiles. Scale 1/200;
  /// nodata where only one tile scored.
  kDisagreement
};

/// "entropy", "mutual information", "disagreement".
[[nodiscard]] std::string name_of(QualityLayer layer);

struct QualityOutput {
  QualityLayer layer = QualityLayer::kEntropy;
  std::string path;
};

/// When an image is brought to the model's pixel size before it is scored (WarpedImage); the scores then lie
/// on the grid of the resampled image.
enum class Resample {
  kNever,   ///< images more than a factor 2 apart are refused
  kNeeded,  ///< those up to a factor 8 apart, with a warning; further ones are refused
  kAlways   ///< also all others whose pixels are not the model's, in metres and square, to 1 %
};

struct PredictOptions {
  /// Core of a tile. Default: 512 to 2048, whatever keeps all processors of the machine busy and looks at the
  /// least halo (2048 looks at a sixth less than 512 does); less where the memory budget does
  /// not hold a tile for each processor. It does not follow the number of threads, so that results do not.
  /// 256 for models with group normalisation.
  std::optional<std::int64_t> tile_px;
  /// Pixels that the network sees around each core. Default: the model's receptive radius (at least 16),
  /// rounded up to a multiple of its stride: then tiled and untiled prediction give the same scores.
  std::optional<std::int64_t> halo_px;
  bool blend = true;                   ///< Hann-weighted overlap; false: crop to the core
  const ShiftCheck* shift = nullptr;   ///< measures how far the scene lies from the training; nullptr = no
  double shift_quantile = 0.99;        ///< a scene beyond it gets a warning
  std::vector<QualityOutput> quality;  ///< each layer at most once
  bool overwrite = false;
  /// Keeps finished rows of tiles in the folder `<output>.partial` until the output is there, and goes on
  /// from them. A note stays in it until forget_finished; by it a later run of the same settings knows the
  /// output.
  bool resume = false;
  std::string precision;  ///< what the passes and `quicker` compute in; only compared by `resume`
  std::string passes;     ///< what they are, in words; only compared by `resume`
  /// As many quicker functions as there are passes, which round, for example in bf16. They score the scene
  /// instead when the mean of all agrees to 1/200 in all classes on 99.9 % of the pixels of sample windows.
  /// Scenes below 4 million pixels are not worth the comparison. Empty = none.
  std::vector<PartScoreFunction> quicker;
  Resample resample = Resample::kNever;
  SceneArea area;  ///< the part to score; output covers its window. Default: the whole image
  /// Images of other dates of the same place; their bands follow those of the image (StackedImage).
  std::vector<std::string> other_dates;
  std::vector<int> bands;  ///< 0-based bands of the image (and the other dates) in the model's order; empty =
                           ///< all as they stand
  geo::Crs image_crs;      ///< whatever the image says; empty = believe the image
  std::string crs_switch = "--image-crs";  ///< the command's option behind it, named in messages
};

struct PredictReport {
  std::int64_t tiles = 0;
  std::int64_t empty_tiles = 0;   ///< all nodata: never shown to the network
  std::int64_t valid_pixels = 0;  ///< pixels that got scores
  std::int64_t tile_px = 0;       ///< as used
  std::int64_t halo_px = 0;       ///< as used
  std::int64_t blend_px = 0;      ///< width of the blend on each side of a border between cores, as used
  bool used_quicker = false;      ///< PredictOptions::quicker was exact enough
  double agreement = 0.0;         ///< share of compared pixels on which it was; NaN when not compared
  bool was_finished = false;      ///< by an earlier run: nothing was scored
  bool was_resampled = false;     ///< to the model's pixel size
  bool is_outside = false;        ///< of PredictOptions::area: nothing was read or written
  std::optional<SceneShift> shift = std::nullopt;  ///< nullopt: not asked for, or no window with enough data
};

/// Scores a whole raster as one bounded pipeline: read -> normalise -> infer -> blend -> write.
///
/// @param image   any raster with the model's bands in the model's order; pixels where a band is nodata,
/// masked, NaN or
///                infinite stay nodata in the output. The network sees them as 0 after normalisation, as in
///                training.
/// @param output  COG, uint8, one band per class (background, interior, boundary), score = value / 200,
/// nodata 255;
///                the image's TIFFTAG_DATETIME, the model's id, the shift and Furrow's version are in its
///                metadata
/// Beyond the borders of the raster the network sees its mirror image. The windows it sees begin at multiples
/// of its stride, so that pooling cells lie the same in every tile. Blending (Hann, 2 x blend_px wide, at
/// most 64 px) uses what the halo has beyond the receptive radius; a halo shorter than that radius gives half
/// of itself to the blend, which then hides seams that cropping would show. Where all pixels in reach of a
/// tile are nodata the network is not asked. Results do not depend on threads,
/// and on tile size only by what lies beyond the receptive field. Statistics for the normalisation come from
/// the whole scene (not only the area scored) before the first tile. Memory: tiles in flight plus the blend
/// band of one row of tiles, not the scene. Outputs appear whole or not at all; a resumed run gives the bytes
/// of one that was not interrupted. Not for concurrent calls with the same outputs.
/// @param passes  one network or several (score_passes.h): the scores are the mean of theirs
/// @throws geo::IoError, geo::CrsError; geo::ModelError (bands or resolution differ, the network gave a score
/// that is
///         not a number); geo::InvalidArgument (tile_px < 1, halo_px < 0; no pass; mutual
///         information of one pass; resume after something else
///         than the outputs changed); geo::Cancelled
PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            std::span<const PartScoreFunction> passes, const PredictOptions& options,
                            geo::ExecContext& exec);
PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            const PartScoreFunction& score, const PredictOptions& options,
                            geo::ExecContext& exec);
PredictReport predict_scene(const std::string& image, const std::string& output, const ModelSpec& spec,
                            const ScoreFunction& score, const PredictOptions& options,
                            geo::ExecContext& exec);

/// Takes away the note that `resume` leaves of a finished output. Never fails.
void forget_finished(const std::string& output);

}  // namespace furrow::segmentation
