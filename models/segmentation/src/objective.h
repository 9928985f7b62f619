#pragma once

#include <optional>
#include <span>
#include <vector>

#include <torch/torch.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/trainer.h>

#include "losses.h"
#include "methods/early_learning.h"
#include "methods/labeller_confusion.h"
#include "methods/loss_gate.h"
#include "unet.h"

namespace furrow::segmentation {

/// Mean cross entropy of every training block in evaluation mode, over the windows of one epoch as they are
/// in the scene (not augmented), weighted by risk weights; NaN where none was labelled.
/// @throws geo::Cancelled
[[nodiscard]] std::vector<double> block_losses(const TrainingData& data, UNet& network, std::int64_t epoch,
                                               std::int64_t batch_size, geo::ExecContext& exec);

/// What a training step makes smaller: the losses, with the methods for imperfect labels that are on and act
/// on one network. Without any it is total_loss to the bit.
class Objective {
 public:
  /// @throws geo::InvalidArgument  methods that exclude each other, numbers out of range, data without what a
  ///                               method needs
  /// @throws geo::ModelError       the memory budget is too small
  Objective(const TrainingData& data, const TrainOptions& options, geo::ExecContext& exec);

  /// What an epoch begins with: fits the loss gate.
  void start_epoch(std::int64_t epoch, UNet& network);
  /// The loss of a batch that the network answered with `logits`. May change what the methods remember.
  [[nodiscard]] torch::Tensor loss(const torch::Tensor& logits, Target target, const Batch& batch);
  /// The loss that is reported of validation windows.
  [[nodiscard]] torch::Tensor validation_loss(const torch::Tensor& logits, const Target& target) const;
  /// True when validation labels say too little to choose an epoch by their IoU or to calibrate on.
  [[nodiscard]] bool labels_are_partial() const { return m_options.imperfect.pu_prior > 0.0; }

  /// Learned besides the network's.
  [[nodiscard]] std::vector<torch::Tensor> parameters() const;
  /// Everything that a checkpoint must restore, parameters included; shares memory with this object.
  [[nodiscard]] std::vector<torch::Tensor> state() const;
  [[nodiscard]] std::vector<LabellerConfusion> labeller_confusions() const;

 private:
  const TrainingData& m_data;
  const TrainOptions& m_options;
  geo::ExecContext& m_exec;
  std::optional<EarlyLearning> m_early_learning;
  std::optional<LossGate> m_gate;
  LabellerConfusionLayer m_labellers{nullptr};
};

}  // namespace furrow::segmentation
