#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/risk_weights.h>

namespace furrow::segmentation {

/// Which part of the training a scene belongs to.
enum class ScenePart {
  kBlocks,   ///< its blocks are divided between training and validation
  kTrain,    ///< the whole scene trains
  kValidate  ///< the whole scene validates
};

/// One image with its labels. Labels, risk and posterior lie on the image's pixel grid; they may cover a part
/// of it only. Or the labels are polygons in any CRS, which are rasterised window by window.
struct TrainingScene {
  std::string image;
  std::string
      labels;        ///< 0 background, 1 interior, 2 boundary, 3 = unknown and 255 = ignore, nodata = ignore
  std::string risk;  ///< 0..1 (scale and offset of the band are applied); empty = none
  std::string posterior =
      {};                     ///< class probabilities (scale and offset are applied): three bands background,
                              ///< interior, boundary, or one band P(field) of two classes; empty = none
  std::string labeller = {};  ///< who drew the labels; empty = not said
  std::vector<std::string> later_images = {};  ///< of a stack, on the image's grid: their bands follow
  ScenePart part = ScenePart::kBlocks;
  bool labels_are_polygons = false;  ///< `labels` is a vector file
};

/// A polygon file, and how it is read.
struct PolygonSource {
  std::string path;            ///< empty = none
  geo::LayerReadOptions read;  ///< `target_crs` is that of each image
  bool crs_of_image = false;   ///< the coordinates are in each image's CRS, whatever the file says
};

/// What happens to a scene whose files cannot be used while others can.
enum class BadScene {
  kError,    ///< the first one is thrown
  kLeaveOut  ///< a warning; the result is that of the others alone
};

struct TrainingDataOptions {
  std::int64_t chip_px = 128;  ///< side of the square windows that the network sees
  std::int64_t block_px = 0;   ///< side of the squares that go to training or validation as a whole; 0 = 2
                               ///< chips, or 1 chip where that would leave fewer than 5 blocks
  double val_share = 0.2;      ///< share of blocks that validate, 0..0.9; 0 = no validation
  std::uint64_t seed = 1;
  geo::Normalisation normalisation;  ///< kStored with `stored`: those statistics; without: of all scenes
  RiskOptions risk;                  ///< `classes` is 2 for scenes whose posterior has one band
  bool augment = true;
  bool ignore_label_nodata = false;  ///< label rasters that declare 0, 1 or 2 as nodata: ignore those pixels
                                     ///< instead of using them as the class (with a warning)
  geo::Crs override_crs;             ///< for images without a CRS
  std::string crs_switch = "--crs";  ///< the command's option behind it, named in messages
  bool number_pixels = false;        ///< fill Batch::pixel_numbers
  PolygonSource polygon_labels;      ///< how label polygons are read; its path is not used
  geo::BoundaryOptions boundary;     ///< of label polygons
  PolygonSource label_area;          ///< what was mapped: labels outside of these polygons are ignored
  /// Blocks that overlap these polygons validate and all others train, whatever val_share and the scenes'
  /// parts.
  PolygonSource val_area;
  BadScene bad_scene = BadScene::kError;
  std::vector<std::string>
      band_names;  ///< for bands that the images say nothing about; empty = "band 1", ...
  /// Windows are drawn by class: first a class, each that occurs equally likely, then one of its labelled
  /// pixels in all training blocks, then a window of that block that holds the pixel. As many as without.
  bool balance = false;
  /// Training windows are enlarged by a random factor in this range (drawn in its logarithm); {1, 1} = not.
  std::array<double, 2> scale{1.0, 1.0};
  bool swap_dates = false;  ///< stacks of two images of equal bands: exchanged with probability 1/2
};

/// A scene that could not be used, and why.
struct LeftOutScene {
  std::string image;
  std::string reason;
};

/// Windows as the network takes them.
struct Batch {
  std::int64_t count = 0;
  std::vector<float> pixels;         ///< [count, bands, chip, chip], normalised; invalid pixels and padding 0
  std::vector<std::uint8_t> labels;  ///< [count, chip, chip]: 0, 1, 2, 255
  std::vector<float> weights;        ///< [count, chip, chip]: risk weights, 0 where the label is 255
  std::vector<float> targets;  ///< [count, chip, chip, 3]: class probabilities, 0 where the label is 255;
                               ///< empty unless the risk mode is soft
  std::vector<std::int64_t> blocks;     ///< [count]: the training (or validation) block of each window
  std::vector<std::int64_t> images;     ///< [count]: position of the first scene with the same image
  std::vector<std::int32_t> labellers;  ///< [count]: position in TrainingData::labellers(), -1 = not said
  /// [count, chip, chip] of training windows: the pixel's place among all pixels of all training blocks, the
  /// same in every epoch, whatever the window and its turn; -1 = padding. Empty unless number_pixels.
  std::vector<std::int64_t> pixel_numbers;
};

struct TrainingDataSummary {
  std::int64_t train_blocks = 0;
  std::int64_t val_blocks = 0;
  std::int64_t train_chips = 0;  ///< per epoch
  std::int64_t val_chips = 0;
  std::array<std::int64_t, 3> labelled_px{};       ///< background, interior, boundary, over both parts
  std::int64_t labelled_without_image_px = 0;      ///< label there, image nodata: ignored
  std::int64_t labelled_without_risk_px = 0;       ///< label there, risk nodata: weighs as the riskiest
  std::int64_t labelled_without_posterior_px = 0;  ///< soft targets wanted, none there: ignored
  std::int64_t labelled_against_posterior_px = 0;  ///< soft targets: the label is not the likeliest class
  bool cached = true;                              ///< all blocks fit in memory
  std::string
      sha256;  ///< of all normalised pixels, labels, weights and soft targets: equal data, equal checksum
};

/// Labelled windows of whole scenes, cut while training: no chip files.
///
/// Scenes are divided into square blocks; blocks without a labelled pixel are left out; a seeded hash of
/// their place, or the validation area, sends the rest to training or validation. Scenes that train or
/// validate as a whole (samples of a data set) are one block up to about 6 windows a side. A training window
/// lies inside one training block, at a new random place in every epoch, so no pixel of a validation block is
/// ever trained on. Validation windows tile the validation blocks. Normalisation uses the statistics of whole
/// scenes; the stored scope those of all that do not validate as a whole, each file once. Augmentation of
/// training windows (each with its own random stream from seed, epoch and window, so nothing depends on
/// threads): the 8 rotations and flips of the pixel grid, gain x0.67..1.5, gamma 0.5..2, Gaussian noise with
/// sd up to 0.03; labels, weights and soft targets move with the pixels and are never interpolated; `scale`
/// takes pixels bilinearly among valid ones and everything else from the nearest pixel. Blocks
/// are kept in memory when half of the memory budget holds them, and read again otherwise, with equal
/// results. A limited number of files is open at a time. Thread-safe once constructed.
class TrainingData {
 public:
  /// @throws geo::IoError     a file cannot be read; labels not on the image's pixel grid; label values other
  /// than
  ///                          0, 1, 2, 3, 255 (listed); risk or posterior outside 0..1; a posterior that has
  ///                          neither 1 nor 3 bands or does not add up to 1; nothing labelled
  /// @throws geo::CrsError    an image without CRS, or labels, risk or posterior with another one
  /// @throws geo::ModelError  images differ in bands or pixel size (more than 1 %)
  /// @throws geo::InvalidArgument  an option out of range, stored statistics of another number of bands, or
  /// too few blocks for the validation share; with BadScene::kLeaveOut the first three kinds are thrown only
  /// when no scene can be used
  TrainingData(std::vector<TrainingScene> scenes, const TrainingDataOptions& options, geo::ExecContext& exec);
  ~TrainingData();
  TrainingData(TrainingData&&) noexcept;

  [[nodiscard]] int bands() const noexcept;
  [[nodiscard]] const std::vector<std::string>& band_names() const noexcept;
  [[nodiscard]] double pixel_size_m() const noexcept;
  /// As asked for, with `stored` filled in for the stored scope (of all scenes as if they were one).
  [[nodiscard]] const geo::Normalisation& normalisation() const noexcept;
  [[nodiscard]] const TrainingDataOptions& options() const noexcept;
  [[nodiscard]] const std::vector<TrainingScene>& scenes() const noexcept;
  [[nodiscard]] const TrainingDataSummary& summary() const noexcept;
  /// Scenes that were left out, in the order given; scenes() holds the others.
  [[nodiscard]] const std::vector<LeftOutScene>& left_out() const noexcept;
  /// Names of the scenes' labellers, each once, in the order of the scenes.
  [[nodiscard]] const std::vector<std::string>& labellers() const noexcept;
  /// Pixels of all training blocks: pixel numbers lie below.
  [[nodiscard]] std::int64_t train_pixels() const noexcept;

  [[nodiscard]] std::int64_t train_batches(std::int64_t batch_size) const;
  [[nodiscard]] std::int64_t val_batches(std::int64_t batch_size) const;
  /// Batch `index` of an epoch; the order of windows is shuffled by seed and epoch. The last one may be
  /// smaller.
  [[nodiscard]] Batch train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size) const;
  /// The windows of train_batch as they are in the scene: neither turned nor otherwise augmented.
  [[nodiscard]] Batch plain_train_batch(std::int64_t epoch, std::int64_t index,
                                        std::int64_t batch_size) const;
  [[nodiscard]] Batch val_batch(std::int64_t index, std::int64_t batch_size) const;

 private:
  struct Impl;
  std::vector<LeftOutScene> m_left_out;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::segmentation
