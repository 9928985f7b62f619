#include "objective.h"

#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

#include "autocast.h"
#include "methods/positive_unlabelled.h"
#include "tensor_batch.h"

namespace furrow::segmentation {
namespace {

using geo::concat;

/// Names of methods that are on.
std::vector<std::string> methods_on(const ImperfectLabelOptions& options) {
  std::vector<std::string> names;
  if (options.elr_lambda > 0.0) names.emplace_back("early-learning regularisation");
  if (options.loss_gate_after > 0) names.emplace_back("the loss gate");
  if (options.pu_prior > 0.0) names.emplace_back("the positive-unlabelled risk");
  if (options.labeller_confusion) names.emplace_back("confusion matrices of labellers");
  if (options.co_teaching_forget > 0.0) names.emplace_back("co-teaching");
  if (!options.unlabelled.empty()) names.emplace_back("the mean teacher");
  return names;
}

void check_numbers(const ImperfectLabelOptions& options) {
  const auto need = [](bool good, const char* what, auto value) {
    if (!good) throw geo::InvalidArgument(concat("training needs ", what, ", got ", value));
  };
  need(options.elr_lambda >= 0.0, "an ELR lambda of at least 0", options.elr_lambda);
  need(options.elr_momentum > 0.0 && options.elr_momentum < 1.0, "an ELR momentum between 0 and 1",
       options.elr_momentum);
  need(options.loss_gate_after >= 0, "epochs before the loss gate of at least 0", options.loss_gate_after);
  need(options.pu_prior >= 0.0 && options.pu_prior < 1.0, "a share of field from 0 to below 1",
       options.pu_prior);
  need(options.labeller_trace >= 0.0, "a weight of the labellers' trace of at least 0",
       options.labeller_trace);
  need(options.co_teaching_forget >= 0.0 && options.co_teaching_forget <= 0.9,
       "a share of labels to forget in 0..0.9", options.co_teaching_forget);
  need(options.co_teaching_ramp_epochs >= 1, "a ramp of co-teaching of at least one epoch",
       options.co_teaching_ramp_epochs);
  need(options.consistency >= 0.0, "a weight of the consistency of at least 0", options.consistency);
  need(options.consistency_ramp_epochs >= 1, "a ramp of the consistency of at least one epoch",
       options.consistency_ramp_epochs);
}

void check_together(const TrainingData& data, const TrainOptions& options) {
  const ImperfectLabelOptions& on = options.imperfect;
  const auto refuse = [](const std::string& what) { throw geo::InvalidArgument(what); };
  const std::vector<std::string> names = methods_on(on);
  const auto alone = [&](bool used, const std::string& name, const std::string& why) {
    for (const std::string& other : names) {
      if (used && other != name && other != "the mean teacher")
        refuse(concat(name, " and ", other, " do not go together: ", why));
    }
  };
  alone(on.co_teaching_forget > 0.0, "co-teaching", "it chooses labels for two networks");
  alone(on.pu_prior > 0.0, "the positive-unlabelled risk", "its background is no label");
  if (on.labeller_confusion && on.loss_gate_after > 0)
    refuse("confusion matrices of labellers and the loss gate do not go together: both explain wrong labels");
  const bool soft = uses_soft_targets(data.options().risk.mode);
  if (soft && (on.pu_prior > 0.0 || on.labeller_confusion || on.co_teaching_forget > 0.0))
    refuse(concat(names.front(), " needs labels, not soft targets"));
  if (on.labeller_confusion && data.labellers().empty())
    refuse("confusion matrices of labellers need scenes with named labellers");
  if (!on.unlabelled.empty() && options.ema_decay == 0.0)
    refuse("the mean teacher is the running mean of the weights; give it a decay (--ema-decay 0.99)");
  if (on.elr_lambda > 0.0 && !data.options().number_pixels)
    refuse("early-learning regularisation needs training data with numbered pixels");
  if (on.co_teaching_forget > 0.0 &&
      (options.ema_decay > 0.0 || !on.unlabelled.empty() || !options.start_from.empty())) {
    refuse(
        "co-teaching trains two networks of different beginnings, without a running mean of weights, a "
        "mean teacher or a model to start from");
  }
}

}  // namespace

std::vector<double> block_losses(const TrainingData& data, UNet& network, std::int64_t epoch,
                                 std::int64_t batch_size, geo::ExecContext& exec) {
  const torch::NoGradGuard no_grad;
  network->eval();
  const torch::Device device = network->parameters().front().device();
  const auto blocks = static_cast<std::size_t>(data.summary().train_blocks);
  std::vector<double> sums(blocks, 0.0);
  std::vector<double> weights(blocks, 0.0);
  for (std::int64_t i = 0; i < data.train_batches(batch_size); ++i) {
    exec.check_cancelled();
    Batch batch = data.plain_train_batch(epoch, i, batch_size);
    const TensorBatch tensors(batch, data.bands(), data.options().chip_px, device);
    const Target& target = tensors.target;
    const torch::Tensor ignored = target.labels.eq(static_cast<std::int64_t>(geo::kIgnore));
    const torch::Tensor w = target.weights.masked_fill(ignored, 0.0);
    const torch::Tensor log_p = torch::log_softmax(network->forward(tensors.pixels), 1);
    const torch::Tensor log_of_target =
        target.soft.defined()
            ? (target.soft * log_p).sum(1)
            : log_p.gather(1, target.labels.masked_fill(ignored, 0).unsqueeze(1)).squeeze(1);
    const auto sum = [](const torch::Tensor& values) {
      return values.to(torch::kDouble).sum(torch::IntArrayRef{1, 2}).to(torch::kCPU);
    };
    const torch::Tensor losses = sum(w * log_of_target).neg();
    const torch::Tensor masses = sum(w);
    for (std::int64_t k = 0; k < batch.count; ++k) {
      const auto block = static_cast<std::size_t>(batch.blocks[static_cast<std::size_t>(k)]);
      sums[block] += losses[k].item<double>();
      weights[block] += masses[k].item<double>();
    }
  }
  for (std::size_t b = 0; b < blocks; ++b)
    sums[b] = weights[b] > 0.0 ? sums[b] / weights[b] : std::numeric_limits<double>::quiet_NaN();
  return sums;
}

Objective::Objective(const TrainingData& data, const TrainOptions& options, geo::ExecContext& exec)
    : m_data(data), m_options(options), m_exec(exec) {
  const ImperfectLabelOptions& on = options.imperfect;
  check_numbers(on);
  check_together(data, options);
  if (on.elr_lambda > 0.0)
    m_early_learning.emplace(data.train_pixels(), on.elr_momentum, exec.memory_bytes());
  if (on.loss_gate_after > 0) m_gate.emplace();
  if (on.labeller_confusion)
    m_labellers = LabellerConfusionLayer(static_cast<std::int64_t>(data.labellers().size()));
  if (!m_labellers.is_empty()) m_labellers->to(torch_device(options.device));
}

void Objective::start_epoch(std::int64_t epoch, UNet& network) {
  if (!m_gate || epoch <= m_options.imperfect.loss_gate_after) return;
  m_gate->fit(block_losses(m_data, network, epoch, m_options.batch_size, m_exec));
  geo::log_info(concat("epoch ", epoch, ": the loss gate takes ", geo::fixed(m_gate->clean_blocks(), 1),
                       " of ", m_data.summary().train_blocks, " blocks for clean"));
}

torch::Tensor Objective::loss(const torch::Tensor& logits, Target target, const Batch& batch) {
  const ImperfectLabelOptions& on = m_options.imperfect;
  if (on.pu_prior > 0.0) return positive_unlabelled_risk(logits, target, on.pu_prior, m_options.loss);
  torch::Tensor clean;
  if (m_gate) {
    clean = m_gate->window_weights(batch).to(logits.device());
    target.weights = target.weights * clean.reshape({-1, 1, 1});
  }
  torch::Tensor loss = m_labellers.is_empty()
                           ? total_loss(logits, target, m_options.loss)
                           : m_labellers->loss(logits, target, batch, m_options.loss, on.labeller_trace);
  if (m_gate) loss = clean.mean() * loss;
  if (m_early_learning) loss = loss + on.elr_lambda * m_early_learning->term(logits, batch);
  return loss;
}

torch::Tensor Objective::validation_loss(const torch::Tensor& logits, const Target& target) const {
  const double prior = m_options.imperfect.pu_prior;
  return prior > 0.0 ? positive_unlabelled_risk(logits, target, prior, m_options.loss)
                     : total_loss(logits, target, m_options.loss);
}

std::vector<torch::Tensor> Objective::parameters() const {
  return m_labellers.is_empty() ? std::vector<torch::Tensor>{} : m_labellers->parameters();
}

std::vector<torch::Tensor> Objective::state() const {
  std::vector<torch::Tensor> all = parameters();
  if (m_early_learning) all.push_back(m_early_learning->means());
  return all;
}

std::vector<LabellerConfusion> Objective::labeller_confusions() const {
  return m_labellers.is_empty() ? std::vector<LabellerConfusion>{} : m_labellers->report(m_data.labellers());
}

}  // namespace furrow::segmentation
