#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// Ways to learn from labels that are wrong, missing or of several people. All off by default; each is one
/// file of src/methods, with its paper.
struct ImperfectLabelOptions {
  double elr_lambda = 0.0;    ///< early-learning regularisation: its share beside the loss, 0 = off
  double elr_momentum = 0.7;  ///< of the running mean of answers, 0..1 exclusive

  std::int64_t loss_gate_after = 0;  ///< loss gate: epochs of plain training before it closes, 0 = no gate

  double pu_prior = 0.0;  ///< positive-unlabelled risk: share of field among all pixels, 0..1 exclusive; 0 =
                          ///< off

  bool labeller_confusion = false;  ///< one confusion matrix per labeller of the scenes
  double labeller_trace = 0.01;     ///< weight of the mean trace of these matrices, >= 0

  double co_teaching_forget = 0.0;  ///< co-teaching: share of labels taken for wrong, 0..0.9; 0 = off
  std::int64_t co_teaching_ramp_epochs = 10;  ///< epochs until so many are left out, >= 1

  std::vector<std::string> unlabelled;        ///< images of the mean teacher; none = off
  double consistency = 1.0;                   ///< weight of its agreement on them, >= 0
  std::int64_t consistency_ramp_epochs = 10;  ///< epochs until it has that weight, >= 1
};

/// Learned confusion of one labeller: row = true class, column = label, rows add up to 1.
struct LabellerConfusion {
  std::string labeller;
  std::array<std::array<double, 3>, 3> matrix{};
};

}  // namespace furrow::segmentation
