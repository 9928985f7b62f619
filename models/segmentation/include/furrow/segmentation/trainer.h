#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// Loss = (1 - tversky_share) risk-weighted cross entropy + tversky_share locally weighted Tversky-focal.
struct LossOptions {
  double tversky_share = 0.5;  ///< 0..1
  double tversky_alpha = 0.7;  ///< weight of missed pixels against false ones, 0..1
  double focal_gamma = 1.33;   ///< > 0; above 1 favours classes that are still bad
  double smooth = 1.0;         ///< pixels added above and below the ratio, > 0
  std::array<double, 3> class_weights{1.0, 1.0,
                                      1.0};  ///< of the cross entropy: background, interior, boundary
};

struct TrainOptions {
  std::int64_t base_width = 32;
  std::int64_t levels = 5;
  double dropout = 0.15;
  LossOptions loss;
  std::int64_t epochs = 60;
  std::int64_t batch_size = 8;
  double learning_rate = 1e-3;  ///< of AdamW, after a warm-up of 5 % of the steps; cosine to a thousandth
  double weight_decay = 0.01;
  double clip_norm = 1.0;             ///< largest norm of the gradient; 0 = no clipping
  std::int64_t patience = 0;          ///< stop after so many epochs without a better one; 0 = never
  std::int64_t checkpoint_every = 1;  ///< epochs between checkpoints; 0 = none
  std::uint64_t seed = 1;             ///< of weights, order, windows, augmentation and dropout
  bool resume = false;                ///< go on from the last checkpoint, if there is one
  bool overwrite = false;
};

/// Figures of one epoch. The validation ones are NaN without validation blocks; an IoU without any pixel is
/// NaN.
struct EpochMetrics {
  std::int64_t epoch = 0;  ///< from 1
  double learning_rate = 0.0;
  double train_loss = 0.0;
  double val_loss = 0.0;
  double val_iou_extent = 0.0;      ///< of interior and boundary together
  std::array<double, 3> val_iou{};  ///< background, interior, boundary
};

struct TrainReport {
  std::vector<EpochMetrics> epochs;
  std::int64_t best_epoch = 0;
  bool stopped_early = false;
  std::int64_t parameters = 0;
  int receptive_radius_px = 0;
  double temperature = 1.0;
  double ece_before =
      0.0;  ///< expected calibration error on validation pixels, 15 bins; NaN without validation
  double ece_after = 0.0;
};

/// Trains a U-Net and writes a model folder (see docs/commands/train.md): weights.safetensors, model.ts,
/// model.json, metrics.json, metrics.csv, README.md. The folder appears whole or not at all.
///
/// The epoch with the largest mean IoU of extent and interior on the validation blocks is kept (the last one
/// without validation); then a temperature is fitted on the validation pixels (Guo et al. 2017). Checkpoints
/// go to `<folder>.checkpoint` and are removed at the end. Training that was interrupted and resumed gives
/// the same bytes as training in one go; a checkpoint that is there without `resume` or `overwrite` is an
/// error.
/// The same data, options, seed and number of threads give the same weights to the bit on the same machine.
/// Uses `exec.threads()` LibTorch threads in the calling thread; do not run beside other heavy work.
/// @throws geo::InvalidArgument, geo::IoError, geo::Cancelled
/// @throws geo::ModelError  the loss is no longer a number, memory ran out (each with advice), or a
///                          checkpoint belongs to other options or data
TrainReport train_model(const TrainingData& data, const TrainOptions& options,
                        const std::filesystem::path& folder, geo::ExecContext& exec);

}  // namespace furrow::segmentation
