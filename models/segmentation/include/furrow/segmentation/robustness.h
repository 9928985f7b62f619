#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/grid.h>
#include <furrow/geo/vector/geometry.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

namespace furrow::segmentation {

/// What is done to the image before the network sees it.
enum class PerturbationFamily {
  kTranslation,  ///< the same ground, `level` px further right and down on the grid of pooling cells
  kTurn,         ///< view `level` (1..7) of the eight of a square: quarter turns 1..3, 4..7 mirrored
  kCrop,         ///< surroundings on two sides only; the window lies in corner `level` (0..3) of the crop
  kBrightness,   ///< stored values of all bands times `level`
  kBandGain,     ///< stored values of one band times `level`
  kNoise,        ///< white Gaussian noise in all bands; `level`: signal-to-noise ratio in dB
  kBandNoise,    ///< the same in one band
  kPixelSize,    ///< resampled to pixels `level` times as large, scored, and the scores resampled back
  kMissingBand   ///< one band holds its mean everywhere
};

struct Perturbation {
  PerturbationFamily family = PerturbationFamily::kTranslation;
  double level = 0.0;
  int band = -1;  ///< 0-based, in the model's order; -1 = all
};

/// "translation", "turn", ...
[[nodiscard]] const char* family_name(PerturbationFamily family);
/// One line for people: "noise of 20 dB in band 4 (nir)".
[[nodiscard]] std::string describe(const Perturbation& perturbation, const ModelSpec& spec);

/// The perturbations of the report, family after family:
/// - translation: powers of two below the stride (one that is a multiple of 2^k leaves the cells of the first
///   k poolings as they are, so the levels tell which pooling matters; the largest is half the stride) and
///   stride - 1 px. 1 px when the stride is 1
/// - turn: the seven views beside the image itself
/// - crop: the four corners
/// - brightness: x0.67 0.8 0.9 1.1 1.25 1.5. A tenth: calibration and haze; a fifth to a quarter: sun and
///   season; the outer ones end the range of gains that training draws
/// - band gain: x0.9 1.1 of each band: differences between sensors
/// - noise: 30, 20 and 10 dB (standard deviations of 3, 10 and 32 % of the band's own) in all bands; 20 and
///   10 dB in each
/// - pixel size: x0.67 0.8 1.25 1.5; prediction accepts images up to a factor 2 apart
/// - missing band: each band, when there are several
[[nodiscard]] std::vector<Perturbation> standard_perturbations(const ModelSpec& spec);

struct RobustnessOptions {
  std::int64_t windows = 16;               ///< at most so many are compared
  std::optional<std::int64_t> window_px;   ///< side; default 256, or what the image has
  std::uint64_t seed = 1;                  ///< of the choice of windows and of the noise
  std::vector<int> bands;                  ///< as PredictOptions
  geo::Crs image_crs;                      ///< as PredictOptions
  std::string crs_switch = "--image-crs";  ///< as PredictOptions
};

/// Two maps of the same pixels. Sums over all windows.
struct MapAgreement {
  std::int64_t pixels = 0;        ///< valid ones
  std::int64_t flipped = 0;       ///< whose most probable class differs
  double score_difference = 0.0;  ///< sum over pixels of the mean over classes of |p - q|
  std::int64_t extent_both = 0;   ///< pixels in a field in both maps (score of the extent at the threshold)
  std::int64_t extent_either = 0;
  std::int64_t fields_a = 0;  ///< delineated in the first map
  std::int64_t fields_b = 0;
  std::int64_t matched = 0;  ///< pairs with IoU above 0.5: each field is in one pair at most

  MapAgreement& operator+=(const MapAgreement& other);
  [[nodiscard]] double flip_share() const;  ///< NaN without pixels
  [[nodiscard]] double mean_score_difference() const;
  [[nodiscard]] double extent_iou() const;  ///< NaN without extent in either map
  [[nodiscard]] double object_f1() const;   ///< NaN without fields in either map
};

struct PerturbationResult {
  Perturbation perturbation;
  MapAgreement agreement;  ///< a: unperturbed, b: perturbed
  MapAgreement truth;      ///< a: reference, b: perturbed; only extent and fields; all 0 without reference
};

/// Share of pixels that no level of the family moves to another class.
struct FamilyConsensus {
  PerturbationFamily family = PerturbationFamily::kTranslation;
  std::int64_t pixels = 0;
  std::int64_t agreed = 0;
};

struct RobustnessReport {
  std::int64_t image_width = 0;
  std::int64_t image_height = 0;
  std::int64_t window_px = 0;
  std::int64_t halo_px = 0;
  std::uint64_t seed = 0;
  std::vector<geo::Window> windows;  ///< compared, in row-major order
  bool has_reference = false;
  MapAgreement truth;  ///< a: reference, b: unperturbed
  std::vector<PerturbationResult> results;
  std::vector<FamilyConsensus> families;

  /// The result with the largest share of flipped pixels, the first of equals; nullptr when none flips one.
  [[nodiscard]] const PerturbationResult* most_sensitive() const;
};

/// How a model's scores and fields change on windows of the user's own scene when the image changes in ways
/// that leave the fields where they are. Needs no truth.
///
/// Windows: the image is cut into squares of window_px; those that hold data are taken when there are no more
/// than asked for (also the smaller ones at the right and bottom border), else a systematic sample in Z-order
/// (Morton 1966), which spreads over the image. With a reference only squares that its bounds touch. Each is
/// scored as `predict_scene` does: halo as long as the receptive radius (at least 16 px), input that begins
/// at multiples of the stride, mirrored at the borders of the image. Fields are delineated in each window
/// alone, with the model's thresholds; reference fields are cut at the window like those of the maps.
///
/// Statistics for the normalisation of the scope `scene` are those of the perturbed scene, as predict would
/// compute them: scene statistics moved by the change (gain and offset) that the perturbation makes to the
/// statistics of the windows. That is exact for gains, so brightness must not matter to such a model, and
/// exact for everything when the windows cover the scene. Noise is relative to the standard deviation of the
/// band in the windows; the same field of noise serves all ratios. Values are not clipped to the file's type.
///
/// Method: after the deployment metrics that Muhawenayo et al. 2026 name (PRUE, arXiv 2603.27101: translation
/// consistency, sensitivity to normalisation and to scale); levels and definitions are ours. `kCrop` with its
/// FamilyConsensus is the corner consensus of fieldsoftheworld/ftw-baselines (share of central pixels on
/// which four overlapping crops agree), here together with the view from the middle.
/// @param reference  true fields in the image's CRS; empty = none. Where there is none, there is no field
/// @return  results as `perturbations` says
/// @throws geo::IoError, geo::CrsError; geo::ModelError (bands or pixel size differ; not three classes; a
///         score that is not a number); geo::InvalidArgument (a window larger than the image; no valid pixel;
///         the reference lies elsewhere; memory budget); geo::Cancelled
/// Memory: the windows with their surroundings, and the networks at work.
/// Same result for any number of threads. Nodata pixels never count.
[[nodiscard]] RobustnessReport assess_robustness(const std::string& image, const ModelSpec& spec,
                                                 const ScoreFunction& score,
                                                 std::span<const Perturbation> perturbations,
                                                 std::span<const geo::MultiPolygon> reference,
                                                 const RobustnessOptions& options, geo::ExecContext& exec);

/// JSON, schema "furrow/robustness/1", sorted keys; the same report gives the same bytes.
[[nodiscard]] std::string robustness_json(const RobustnessReport& report, const ModelSpec& spec);
/// A table for people, one line a perturbation, and the verdict.
[[nodiscard]] std::string robustness_table(const RobustnessReport& report, const ModelSpec& spec);

}  // namespace furrow::segmentation
