#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/architecture.h>
#include <furrow/segmentation/device.h>
#include <furrow/segmentation/imperfect_labels.h>
#include <furrow/segmentation/precision.h>
#include <furrow/segmentation/schedule.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// Losses that can be combined; formulas and sources in src/losses.h and docs/commands/train.md.
enum class LossTerm { kCrossEntropy, kLocalTverskyFocal, kTverskyFocal, kDice, kLogCoshDice };
inline constexpr std::array<const char*, 5> kLossNames{"cross-entropy", "local-tversky-focal",
                                                       "tversky-focal", "dice", "log-cosh-dice"};

struct LossOptions {
  std::array<double, kLossNames.size()> shares{0.5, 0.5, 0.0, 0.0, 0.0};  ///< of each LossTerm, >= 0; only
                                                                          ///< their ratios matter
  double tversky_alpha = 0.7;                          ///< weight of missed pixels against false ones, 0..1
  double focal_gamma = 1.33;                           ///< > 0; above 1 favours classes that are still bad
  double smooth = 1.0;                                 ///< pixels added above and below the ratios, > 0
  std::array<double, 3> class_weights{1.0, 1.0, 1.0};  ///< background, interior, boundary; of all losses but
                                                       ///< the locally weighted one, which has its own
};

enum class OptimiserKind {
  kAdamW,  ///< Loshchilov & Hutter 2019
  kSgd     ///< with Nesterov momentum (Sutskever et al. 2013)
};

struct TrainOptions {
  NetworkKind network = NetworkKind::kUNet;
  NormKind norm = NormKind::kBatch;
  HeadKind head = HeadKind::kClasses;
  double distance_weight = 1.0;  ///< of the distance's loss beside the others, with a multi-task head; >= 0
  double distance_px = 10.0;     ///< distances beyond are all the same, > 0
  std::int64_t base_width = 32;
  std::int64_t levels = 5;
  double dropout = 0.15;
  std::string start_from;  ///< model folder whose weights training starts with; empty = random weights
  LossOptions loss;
  ImperfectLabelOptions imperfect;
  std::int64_t epochs = 60;
  std::int64_t batch_size = 8;
  OptimiserKind optimiser = OptimiserKind::kAdamW;
  double learning_rate = 1e-3;  ///< the largest one; `schedule` says when
  LearningRateSchedule schedule;
  double momentum = 0.9;              ///< of SGD, 0..1 exclusive; 0 = none
  double weight_decay = 0.01;         ///< decoupled with AdamW, an L2 penalty with SGD
  double clip_norm = 1.0;             ///< largest norm of the gradient; 0 = no clipping
  double ema_decay = 0.0;             ///< of the running mean of the weights that validates and is kept, 0..1
                                      ///< exclusive; 0 = the weights themselves
  std::int64_t patience = 0;          ///< stop after so many epochs without a better one; 0 = never
  std::int64_t checkpoint_every = 1;  ///< epochs between checkpoints; 0 = none
  std::uint64_t seed = 1;             ///< of weights, order, windows, augmentation and dropout
  Device device = Device::kCpu;
  Precision precision = Precision::kFp32;
  bool resume = false;  ///< go on from the last checkpoint, if there is one
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
  double val_object_f1 = 0.0;  ///< of fields matched at IoU > 0.5, all validation windows together; NaN when
                               ///< the labels hold no field or no boundary
};

/// Validation pixels whose largest probability lies in one of equal bins from 0 to 1.
struct ReliabilityBin {
  std::int64_t pixels = 0;
  double probability = 0.0;  ///< mean of their largest probabilities; 0 without pixels
  double correct = 0.0;      ///< share whose likeliest class is that of the label; 0 without pixels
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
  std::vector<ReliabilityBin> reliability_before;  ///< the bins behind ece_before
  std::vector<ReliabilityBin> reliability_after;
  std::vector<LabellerConfusion> labellers;  ///< of the best epoch; empty unless they are learned
};

/// Trains a network and writes a model folder (see docs/commands/train.md): weights.safetensors, model.ts,
/// model.json, stac-item.json, metrics.json, metrics.csv, training.html, README.md. The folder appears whole
/// or not at all.
///
/// The epoch with the largest (object F1 + (extent IoU + interior IoU) / 2) / 2 on the validation blocks is
/// kept (the mean IoU alone where the object F1 is NaN; the last epoch without validation); then a
/// temperature is fitted on the validation pixels (Guo et al. 2017). Checkpoints go to `<folder>.checkpoint`
/// and are removed at the end. Training that was interrupted and resumed gives the same bytes as training in
/// one go; a checkpoint that is there without `resume` or `overwrite` is an error. The same data, options,
/// seed and number of threads give the same weights to the bit on the same machine. Uses `exec.threads()`
/// LibTorch threads in the calling thread; do not run beside other heavy work.
/// @throws geo::InvalidArgument, geo::IoError, geo::Cancelled
/// @throws geo::ModelError  the loss is no longer a number, memory ran out (each with advice), or a
///                          checkpoint belongs to other options or data
TrainReport train_model(const TrainingData& data, const TrainOptions& options,
                        const std::filesystem::path& folder, geo::ExecContext& exec);

}  // namespace furrow::segmentation
