#include <furrow/segmentation/trainer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include <torch/torch.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

#include "autocast.h"
#include "batch_queue.h"
#include "calibration.h"
#include "checkpoint.h"
#include "distance_target.h"
#include "folded_unet.h"
#include "losses.h"
#include "methods/co_teaching.h"
#include "methods/mean_teacher.h"
#include "methods/start_from.h"
#include "model_folder.h"
#include "objective.h"
#include "shift/training_features.h"
#include "tensor_batch.h"
#include "tensor_memory.h"
#include "torch_threads.h"
#include "unet.h"
#include "validation.h"
#include "weight_average.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;
using geo::concat;
using geo::quoted;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

UNetOptions network_of(const TrainingData& data, const TrainOptions& options) {
  return {data.bands(),    options.base_width, options.levels, options.dropout,
          kTrainedClasses, options.network,    options.norm,   options.head};
}

void check_options(const TrainingData& data, const TrainOptions& options) {
  const auto need = [](bool good, const char* what, auto value) {
    if (!good) throw geo::InvalidArgument(concat("training needs ", what, ", got ", value));
  };
  check_unet_options(network_of(data, options));
  need(options.distance_weight >= 0.0, "a weight of the distance of at least 0", options.distance_weight);
  need(options.distance_px > 0.0, "a largest distance above 0 px", options.distance_px);
  need(options.epochs >= 1, "at least one epoch", options.epochs);
  need(options.batch_size >= 1, "a batch of at least one window", options.batch_size);
  need(options.learning_rate > 0.0, "a learning rate above 0", options.learning_rate);
  need(options.schedule.power >= 0.0, "a power of the polynomial schedule of at least 0",
       options.schedule.power);
  need(options.momentum >= 0.0 && options.momentum < 1.0, "a momentum from 0 to below 1", options.momentum);
  need(options.ema_decay >= 0.0 && options.ema_decay < 1.0, "an EMA decay from 0 to below 1",
       options.ema_decay);
  need(options.weight_decay >= 0.0, "a weight decay of at least 0", options.weight_decay);
  need(options.clip_norm >= 0.0, "a gradient limit of at least 0", options.clip_norm);
  need(options.patience >= 0, "a patience of at least 0", options.patience);
  need(options.checkpoint_every >= 0, "a checkpoint interval of at least 0", options.checkpoint_every);
  const LossOptions& loss = options.loss;
  for (const double share : loss.shares) need(share >= 0.0, "shares of losses of at least 0", share);
  need(std::ranges::max(loss.shares) > 0.0, "a loss with a share above 0", 0);
  need(loss.tversky_alpha >= 0.0 && loss.tversky_alpha <= 1.0, "a Tversky alpha in 0..1", loss.tversky_alpha);
  need(loss.focal_gamma > 0.0, "a focal gamma above 0", loss.focal_gamma);
  need(loss.smooth > 0.0, "a smoothing above 0", loss.smooth);
  for (const double weight : loss.class_weights) need(weight >= 0.0, "class weights of at least 0", weight);
  need(std::ranges::max(loss.class_weights) > 0.0, "a class weight above 0", 0);
  const std::int64_t least = std::int64_t{2} << (options.levels - 1);
  const std::int64_t chip = data.options().chip_px;
  if (chip < least || chip % (least / 2) != 0) {
    throw geo::InvalidArgument(concat(
        "a network of ", options.levels, " levels needs windows whose sides are multiples of ", least / 2,
        " and at least ", least, ", got ", chip, "; change the window size or the number of levels"));
  }
}

/// The first group of the optimiser holds the network's parameters; a second one what the objective learns
/// besides, which no weight decay pulls to 0.
std::unique_ptr<torch::optim::Optimizer> make_optimiser(const UNet& network,
                                                        const std::vector<torch::Tensor>& others,
                                                        const TrainOptions& options) {
  const std::vector<torch::Tensor> parameters = network->parameters();
  const auto make = [&](auto optimiser, auto group_options) {
    group_options.weight_decay(0.0);
    using Group = std::decay_t<decltype(group_options)>;
    if (!others.empty()) optimiser->add_param_group({others, std::make_unique<Group>(group_options)});
    return optimiser;
  };
  if (options.optimiser == OptimiserKind::kSgd) {
    const auto sgd = torch::optim::SGDOptions(options.learning_rate)
                         .momentum(options.momentum)
                         .nesterov(options.momentum > 0.0)
                         .weight_decay(options.weight_decay);
    return make(std::make_unique<torch::optim::SGD>(parameters, sgd), sgd);
  }
  const auto adamw = torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay);
  return make(std::make_unique<torch::optim::AdamW>(parameters, adamw), adamw);
}

/// Second network of co-teaching.
struct Peer {
  UNet network;
  std::unique_ptr<torch::optim::Optimizer> optimiser;
};

class Trainer {
 public:
  Trainer(const TrainingData& data, const TrainOptions& options, fs::path folder, geo::ExecContext& exec)
      : m_data(data),
        m_options(options),
        m_folder(std::move(folder)),
        m_exec(exec),
        m_device(torch_device(options.device)),
        m_network(network_of(data, options), options.seed),
        m_objective(data, options, exec),
        m_optimiser(make_optimiser(m_network, m_objective.parameters(), options)),
        m_description(describe_training(data, options)),
        m_steps(data.train_batches(options.batch_size)),
        m_receptive_radius_px(measure_receptive_radius(m_network->options)) {
    if (!options.start_from.empty()) start_from_model(options.start_from, m_network, data);
    place(m_network);
    if (options.imperfect.co_teaching_forget > 0.0) {
      UNet network(m_network->options, geo::stable_hash("peer", options.seed));
      m_peer = Peer{network, make_optimiser(network, {}, options)};
      place(network);
    }
    if (!options.imperfect.unlabelled.empty()) {
      m_unlabelled = std::make_unique<UnlabelledImages>(options.imperfect.unlabelled, data, exec);
      m_description["unlabelled_sha256"] = m_unlabelled->fingerprint();
    }
    if (options.ema_decay == 0.0) return;
    m_average = UNet(m_network->options, options.seed);
    if (!options.start_from.empty()) from_tensors(*m_average, to_tensors(*m_network), options.start_from);
    place(m_average);
  }

  TrainReport run();

 private:
  void resume();
  /// Moves a network to the device, weights in the order that it likes best.
  void place(UNet& network) const;
  [[nodiscard]] NetworkOutput answer(UNet& network, const TensorBatch& tensors) const;
  [[nodiscard]] torch::Tensor distance_part(const NetworkOutput& output, const Batch& batch);
  EpochMetrics train_epoch(std::int64_t epoch, geo::Progress& progress);
  double train_step(std::int64_t epoch, std::int64_t step, Batch& batch);
  double teach_each_other(std::int64_t epoch, const TensorBatch& tensors, const Batch& batch);
  double descend(const UNet& network, torch::optim::Optimizer& optimiser, const torch::Tensor& loss,
                 std::int64_t epoch) const;
  [[nodiscard]] TrainedParts parts();
  void set_learning_rate(double rate);
  /// The network that validates and is kept.
  [[nodiscard]] UNet& judged() { return m_average.is_empty() ? m_network : m_average; }
  [[nodiscard]] Validation validate(UNet& network, std::int64_t sample_every);
  void add_validation(UNet& network, EpochMetrics& metrics);
  [[nodiscard]] double score(const EpochMetrics& metrics) const;
  void finish_epoch(EpochMetrics metrics);
  void report_epoch(const EpochMetrics& metrics, double seconds) const;
  [[nodiscard]] TrainReport finish();

  const TrainingData& m_data;
  TrainOptions m_options;
  fs::path m_folder;
  geo::ExecContext& m_exec;
  torch::Device m_device;
  UNet m_network;
  UNet m_average{nullptr};  ///< running mean of the network's weights; empty = not wanted
  std::optional<Peer> m_peer;
  std::unique_ptr<UnlabelledImages> m_unlabelled;  ///< of the mean teacher; nullptr = none
  Objective m_objective;
  std::unique_ptr<torch::optim::Optimizer> m_optimiser;
  std::map<std::string, std::string> m_description;
  std::int64_t m_steps;
  int m_receptive_radius_px;
  TrainState m_state;
  bool m_stopped_early = false;
  double m_data_wait_s = 0.0;  ///< of the epoch trained last
};

void Trainer::resume() {
  auto state = read_checkpoint(m_folder, m_description, parts());
  if (!state) {
    geo::log_info(
        concat("no checkpoint of ", quoted(m_folder.string()), "; training starts at the first epoch"));
    return;
  }
  m_state = std::move(*state);
  use_channels_last(*m_network);
  if (!m_average.is_empty()) use_channels_last(*m_average);
  geo::log_info(concat("going on after epoch ", m_state.epochs.back().epoch));
}

TrainedParts Trainer::parts() {
  std::vector<torch::Tensor> state = m_objective.state();
  if (!m_peer) return {m_network, m_average, *m_optimiser, nullptr, state};
  for (const torch::Tensor& tensor : m_peer->network->parameters()) state.push_back(tensor);
  for (const torch::Tensor& tensor : m_peer->network->buffers()) state.push_back(tensor);
  return {m_network, m_average, *m_optimiser, m_peer->optimiser.get(), state};
}

/// What the objective learns besides the network is a few numbers that must go far; it learns ten times as
/// fast.
void Trainer::set_learning_rate(double rate) {
  constexpr double kFaster = 10.0;
  auto& groups = m_optimiser->param_groups();
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i].options().set_lr(i == 0 ? rate : kFaster * rate);
  if (!m_peer) return;
  for (auto& group : m_peer->optimiser->param_groups()) group.options().set_lr(rate);
}

void Trainer::place(UNet& network) const {
  network->to(m_device);
  use_channels_last(*network);
}

/// What a network answers, in float32 whatever its precision.
NetworkOutput Trainer::answer(UNet& network, const TensorBatch& tensors) const {
  NetworkOutput output = [&] {
    const Autocast autocast(m_options.precision, m_device);
    return network->forward_all(tensors.pixels);
  }();
  output.logits = output.logits.to(torch::kFloat);
  return output;
}

/// The weighted loss of the distances, where the network gives them; 0 else.
torch::Tensor Trainer::distance_part(const NetworkOutput& output, const Batch& batch) {
  if (!output.distance.defined() || m_options.distance_weight == 0.0) return torch::zeros({}, m_device);
  const DistanceTarget target =
      distance_targets(batch.labels, batch.count, m_data.options().chip_px, m_options.distance_px, m_exec);
  return m_options.distance_weight *
         distance_loss(output.distance, {target.values.to(m_device), target.known.to(m_device)});
}

double Trainer::train_step(std::int64_t epoch, std::int64_t step, Batch& batch) {
  // Dropout draws from LibTorch's own generator; seeding it per step makes a resumed training equal to one in
  // one go.
  torch::manual_seed(geo::stable_hash(concat("dropout ", epoch, " ", step), m_options.seed));
  const TensorBatch tensors(batch, m_data.bands(), m_data.options().chip_px, m_device);
  if (m_peer) return teach_each_other(epoch, tensors, batch);
  const NetworkOutput output = answer(m_network, tensors);
  torch::Tensor loss = m_objective.loss(output.logits, tensors.target, batch) + distance_part(output, batch);
  if (m_unlabelled) {
    const ImperfectLabelOptions& on = m_options.imperfect;
    const double weight = on.consistency * consistency_ramp(on.consistency_ramp_epochs, epoch);
    loss = loss +
           weight * consistency_loss(m_network, m_average, m_unlabelled->windows(epoch, step, batch.count));
  }
  const double value = descend(m_network, *m_optimiser, loss, epoch);
  if (!m_average.is_empty())
    update_average(m_average, m_network, m_options.ema_decay, (epoch - 1) * m_steps + step);
  return value;
}

/// A step of co-teaching: each network learns from the labels that the other finds easy.
/// @return the mean of both losses
double Trainer::teach_each_other(std::int64_t epoch, const TensorBatch& tensors, const Batch& batch) {
  const ImperfectLabelOptions& on = m_options.imperfect;
  const double forget = forget_share(on.co_teaching_forget, on.co_teaching_ramp_epochs, epoch);
  const NetworkOutput first = answer(m_network, tensors);
  const NetworkOutput second = answer(m_peer->network, tensors);
  const Target for_first = small_loss_target(second.logits, tensors.target, forget);
  const Target for_second = small_loss_target(first.logits, tensors.target, forget);
  const torch::Tensor loss_of_first =
      total_loss(first.logits, for_first, m_options.loss) + distance_part(first, batch);
  const torch::Tensor loss_of_second =
      total_loss(second.logits, for_second, m_options.loss) + distance_part(second, batch);
  const double one = descend(m_network, *m_optimiser, loss_of_first, epoch);
  const double two = descend(m_peer->network, *m_peer->optimiser, loss_of_second, epoch);
  return 0.5 * (one + two);
}

/// One step of the optimiser.
/// @return the loss
double Trainer::descend(const UNet& network, torch::optim::Optimizer& optimiser, const torch::Tensor& loss,
                        std::int64_t epoch) const {
  const double value = loss.item<double>();
  if (!std::isfinite(value)) {
    throw geo::ModelError(concat("training failed in epoch ", epoch,
                                 ": the loss is no longer a number; use a lower "
                                 "learning rate (now ",
                                 m_options.learning_rate, ") and look for extreme pixel values"));
  }
  optimiser.zero_grad();
  loss.backward();
  if (m_options.clip_norm > 0.0)
    torch::nn::utils::clip_grad_norm_(network->parameters(), m_options.clip_norm);
  optimiser.step();
  return value;
}

EpochMetrics Trainer::train_epoch(std::int64_t epoch, geo::Progress& progress) {
  m_objective.start_epoch(epoch, m_network);
  m_network->train();
  if (m_peer) m_peer->network->train();
  EpochMetrics metrics;
  metrics.epoch = epoch;
  double sum = 0.0;
  BatchQueue batches(
      m_steps, [&](std::int64_t step) { return m_data.train_batch(epoch, step, m_options.batch_size); });
  for (std::int64_t step = 0; step < m_steps; ++step) {
    metrics.learning_rate = learning_rate_at((epoch - 1) * m_steps + step, m_options.epochs * m_steps,
                                             m_options.learning_rate, m_options.schedule);
    set_learning_rate(metrics.learning_rate);
    Batch batch = batches.next();
    sum += train_step(epoch, step, batch) * static_cast<double>(batch.count);
    progress.advance();
  }
  metrics.train_loss = sum / static_cast<double>(m_data.summary().train_chips);
  m_data_wait_s = batches.waited_s();
  return metrics;
}

Validation Trainer::validate(UNet& network, std::int64_t sample_every) {
  const torch::NoGradGuard no_grad;
  network->eval();
  Validation result;
  std::int64_t count = 0;
  const std::int64_t batches = m_data.val_batches(m_options.batch_size);
  BatchQueue queue(batches, [&](std::int64_t i) { return m_data.val_batch(i, m_options.batch_size); });
  for (std::int64_t i = 0; i < batches; ++i) {
    m_exec.check_cancelled();
    Batch batch = queue.next();
    const TensorBatch tensors(batch, m_data.bands(), m_data.options().chip_px, m_device);
    const torch::Tensor logits = network->forward(tensors.pixels);
    const torch::Tensor loss = m_objective.validation_loss(logits, tensors.target);
    result.loss += loss.item<double>() * static_cast<double>(batch.count);
    count += batch.count;
    result.add(logits.to(torch::kCPU), batch, sample_every);
    if (sample_every == 0) result.add_objects(logits.to(torch::kCPU), batch, m_data.pixel_size_m(), m_exec);
  }
  result.loss = count == 0 ? kNaN : result.loss / static_cast<double>(count);
  return result;
}

void Trainer::add_validation(UNet& network, EpochMetrics& metrics) {
  const Validation validation = validate(network, 0);
  metrics.val_loss = validation.loss;
  metrics.val_iou_extent = validation.iou([](int c) { return c != 0; });
  metrics.val_iou = {validation.iou([](int c) { return c == 0; }),
                     validation.iou([](int c) { return c == 1; }),
                     validation.iou([](int c) { return c == 2; })};
  metrics.val_object_f1 = validation.object_f1();
}

/// What the best epoch has most of.
double Trainer::score(const EpochMetrics& metrics) const {
  if (m_objective.labels_are_partial()) return -metrics.val_loss;
  return selection_score(metrics);
}

/// Validates, keeps the network when it is the best so far, and writes a checkpoint when one is due. With two
/// networks the better one counts, the first one without validation.
void Trainer::finish_epoch(EpochMetrics metrics) {
  const bool validates = m_data.summary().val_chips > 0;
  UNet better = judged();
  EpochMetrics of_peer = metrics;
  add_validation(better, metrics);
  if (m_peer && validates) {
    add_validation(m_peer->network, of_peer);
    if (score(of_peer) > score(metrics)) {
      metrics = of_peer;
      better = m_peer->network;
    }
  }
  m_state.epochs.push_back(metrics);
  if (!validates || m_state.best_epoch == 0 || score(metrics) > m_state.best_score) {
    m_state.best_epoch = metrics.epoch;
    m_state.best_score = score(metrics);
    m_state.best = to_tensors(*better);
    m_state.best_labellers = m_objective.labeller_confusions();
  }
  const std::int64_t every = m_options.checkpoint_every;
  if (every > 0 && metrics.epoch % every == 0 && metrics.epoch < m_options.epochs) {
    write_checkpoint(m_folder, m_description, parts(), m_state);
  }
}

void Trainer::report_epoch(const EpochMetrics& metrics, double seconds) const {
  const double left = seconds * static_cast<double>(m_options.epochs - metrics.epoch);
  std::string text =
      concat("epoch ", metrics.epoch, "/", m_options.epochs, ": loss ", geo::fixed(metrics.train_loss, 4));
  if (m_data.summary().val_chips > 0) {
    text += concat(", validation loss ", geo::fixed(metrics.val_loss, 4), ", IoU of fields ",
                   geo::fixed(metrics.val_iou_extent, 3), ", interior ", geo::fixed(metrics.val_iou[1], 3),
                   ", boundary ", geo::fixed(metrics.val_iou[2], 3));
    if (!std::isnan(metrics.val_object_f1))
      text += concat(", object F1 ", geo::fixed(metrics.val_object_f1, 3));
  }
  text +=
      concat("; ", geo::fixed(seconds, 1), " s, ", geo::fixed(m_data_wait_s, 1), " s of it waiting for data");
  if (left >= 60.0) text += concat(", about ", std::llround(left / 60.0), " min left");
  geo::log_info(text);
}

/// Writes the model of the best epoch.
TrainReport Trainer::finish() {
  constexpr std::int64_t kSamplePixels = 2'000'000;
  UNet& network = judged();
  from_tensors(*network, m_state.best, m_folder.string());
  network->eval();
  TrainReport report;
  report.epochs = m_state.epochs;
  report.best_epoch = m_state.best_epoch;
  report.stopped_early = m_stopped_early;
  report.parameters = count_parameters(*network);
  report.receptive_radius_px = m_receptive_radius_px;
  const TrainingDataSummary& summary = m_data.summary();
  const std::int64_t most = summary.val_chips * m_data.options().chip_px * m_data.options().chip_px;
  LogitSample sample;
  if (!m_objective.labels_are_partial())
    sample = validate(network, (most + kSamplePixels - 1) / kSamplePixels).sample;
  report.labellers = m_state.best_labellers;
  report.temperature = fit_temperature(sample);
  report.reliability_before = reliability(sample, 1.0);
  report.reliability_after = reliability(sample, report.temperature);
  report.ece_before = calibration_error(report.reliability_before);
  report.ece_after = calibration_error(report.reliability_after);
  geo::AtomicFolder out(m_folder, m_options.overwrite);
  network->to(torch::kCPU);
  const auto features = training_features(FoldedUNet(network), m_data, m_exec);
  write_model(out.temporary(), network, m_data, report, features, m_description);
  out.commit();
  remove_checkpoints(m_folder);
  return report;
}

TrainReport Trainer::run() {
  geo::check_output_folder(m_folder, m_options.overwrite);
  if (m_options.resume) {
    resume();
  } else if (has_checkpoint(m_folder) && !m_options.overwrite) {
    throw geo::IoError(concat("checkpoints of an interrupted training lie in ",
                              quoted(checkpoint_folder(m_folder).string()),
                              "; add --resume to go on from there, or --overwrite to start anew"));
  } else {
    remove_checkpoints(m_folder);
  }
  geo::log_info(concat(kNetworkNames[static_cast<std::size_t>(m_options.network)], ": ",
                       count_parameters(*m_network), " parameters, receptive radius ", m_receptive_radius_px,
                       " px"));
  {
    geo::Progress progress(m_exec, "training", m_options.epochs * m_steps);
    const std::int64_t done = m_state.epochs.empty() ? 0 : m_state.epochs.back().epoch;
    if (done > 0) progress.advance(done * m_steps);
    for (std::int64_t epoch = done + 1; epoch <= m_options.epochs; ++epoch) {
      const auto start = std::chrono::steady_clock::now();
      finish_epoch(train_epoch(epoch, progress));
      report_epoch(m_state.epochs.back(),
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      m_stopped_early = m_options.patience > 0 && epoch - m_state.best_epoch >= m_options.patience;
      if (m_stopped_early) break;
    }
  }
  return finish();
}

bool is_memory_error(const std::string& text) {
  return text.find("allocate memory") != std::string::npos || text.find("out of memory") != std::string::npos;
}

}  // namespace

TrainReport train_model(const TrainingData& data, const TrainOptions& options, const fs::path& folder,
                        geo::ExecContext& exec) {
  check_options(data, options);
  const TorchThreads threads(exec.threads());
  const TensorMemory memory(LargePages::kYes);
  at::globalContext().setDeterministicAlgorithms(true, true);
  const std::string advice = concat("training ran out of memory; use smaller batches (now ",
                                    options.batch_size, "), smaller windows (now ", data.options().chip_px,
                                    " px) or a narrower network (now ", options.base_width, ")");
  try {
    return Trainer(data, options, folder, exec).run();
  } catch (const std::bad_alloc&) {
    throw geo::ModelError(advice);
  } catch (const c10::Error& error) {
    const std::string reason = error.what_without_backtrace();
    if (is_memory_error(reason)) throw geo::ModelError(advice);
    throw geo::ModelError(concat("training failed: ", geo::split(reason, '\n').front()));
  }
}

}  // namespace furrow::segmentation
