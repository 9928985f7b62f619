#include <furrow/segmentation/trainer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include <torch/torch.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

#include "batch_queue.h"
#include "calibration.h"
#include "checkpoint.h"
#include "losses.h"
#include "model_folder.h"
#include "tensor_batch.h"
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

void check_options(const TrainingData& data, const TrainOptions& options) {
  const auto need = [](bool good, const char* what, auto value) {
    if (!good) throw geo::InvalidArgument(concat("training needs ", what, ", got ", value));
  };
  check_unet_options({data.bands(), options.base_width, options.levels, options.dropout, kTrainedClasses});
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

std::unique_ptr<torch::optim::Optimizer> make_optimiser(const UNet& network, const TrainOptions& options) {
  const std::vector<torch::Tensor> parameters = network->parameters();
  if (options.optimiser == OptimiserKind::kSgd) {
    return std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(options.learning_rate)
                                                               .momentum(options.momentum)
                                                               .nesterov(options.momentum > 0.0)
                                                               .weight_decay(options.weight_decay));
  }
  return std::make_unique<torch::optim::AdamW>(
      parameters, torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay));
}

class Trainer {
 public:
  Trainer(const TrainingData& data, const TrainOptions& options, fs::path folder, geo::ExecContext& exec)
      : m_data(data),
        m_options(options),
        m_folder(std::move(folder)),
        m_exec(exec),
        m_network(
            UNetOptions{data.bands(), options.base_width, options.levels, options.dropout, kTrainedClasses},
            options.seed),
        m_optimiser(make_optimiser(m_network, options)),
        m_description(describe_training(data, options)),
        m_steps(data.train_batches(options.batch_size)) {
    use_channels_last(*m_network);
    if (options.ema_decay == 0.0) return;
    m_average = UNet(m_network->options, options.seed);
    use_channels_last(*m_average);
  }

  TrainReport run();

 private:
  void resume();
  EpochMetrics train_epoch(std::int64_t epoch, geo::Progress& progress);
  double train_step(std::int64_t epoch, std::int64_t step, Batch& batch);
  /// The network that validates and is kept.
  [[nodiscard]] UNet& judged() { return m_average.is_empty() ? m_network : m_average; }
  [[nodiscard]] Validation validate(std::int64_t sample_every);
  void add_validation(EpochMetrics& metrics);
  void finish_epoch(const EpochMetrics& metrics);
  void report_epoch(const EpochMetrics& metrics, double seconds) const;
  [[nodiscard]] TrainReport finish();

  const TrainingData& m_data;
  TrainOptions m_options;
  fs::path m_folder;
  geo::ExecContext& m_exec;
  UNet m_network;
  UNet m_average{nullptr};  ///< running mean of the network's weights; empty = not wanted
  std::unique_ptr<torch::optim::Optimizer> m_optimiser;
  std::map<std::string, std::string> m_description;
  std::int64_t m_steps;
  TrainState m_state;
  bool m_stopped_early = false;
  double m_data_wait_s = 0.0;  ///< of the epoch trained last
};

void Trainer::resume() {
  auto state = read_checkpoint(m_folder, m_description, {m_network, m_average, *m_optimiser});
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

double Trainer::train_step(std::int64_t epoch, std::int64_t step, Batch& batch) {
  // Dropout draws from LibTorch's own generator; seeding it per step makes a resumed training equal to one in
  // one go.
  torch::manual_seed(geo::stable_hash(concat("dropout ", epoch, " ", step), m_options.seed));
  const TensorBatch tensors(batch, m_data.bands(), m_data.options().chip_px);
  m_optimiser->zero_grad();
  const torch::Tensor loss = total_loss(m_network->forward(tensors.pixels), tensors.target, m_options.loss);
  const double value = loss.item<double>();
  if (!std::isfinite(value)) {
    throw geo::ModelError(concat("training failed in epoch ", epoch,
                                 ": the loss is no longer a number; use a lower "
                                 "learning rate (now ",
                                 m_options.learning_rate, ") and look for extreme pixel values"));
  }
  loss.backward();
  if (m_options.clip_norm > 0.0)
    torch::nn::utils::clip_grad_norm_(m_network->parameters(), m_options.clip_norm);
  m_optimiser->step();
  if (!m_average.is_empty())
    update_average(m_average, m_network, m_options.ema_decay, (epoch - 1) * m_steps + step);
  return value;
}

EpochMetrics Trainer::train_epoch(std::int64_t epoch, geo::Progress& progress) {
  m_network->train();
  EpochMetrics metrics;
  metrics.epoch = epoch;
  double sum = 0.0;
  BatchQueue batches(
      m_steps, [&](std::int64_t step) { return m_data.train_batch(epoch, step, m_options.batch_size); });
  for (std::int64_t step = 0; step < m_steps; ++step) {
    metrics.learning_rate = learning_rate_at((epoch - 1) * m_steps + step, m_options.epochs * m_steps,
                                             m_options.learning_rate, m_options.schedule);
    for (auto& group : m_optimiser->param_groups()) group.options().set_lr(metrics.learning_rate);
    Batch batch = batches.next();
    sum += train_step(epoch, step, batch) * static_cast<double>(batch.count);
    progress.advance();
  }
  metrics.train_loss = sum / static_cast<double>(m_data.summary().train_chips);
  m_data_wait_s = batches.waited_s();
  return metrics;
}

Validation Trainer::validate(std::int64_t sample_every) {
  const torch::NoGradGuard no_grad;
  UNet& network = judged();
  network->eval();
  Validation result;
  std::int64_t count = 0;
  const std::int64_t batches = m_data.val_batches(m_options.batch_size);
  BatchQueue queue(batches, [&](std::int64_t i) { return m_data.val_batch(i, m_options.batch_size); });
  for (std::int64_t i = 0; i < batches; ++i) {
    m_exec.check_cancelled();
    Batch batch = queue.next();
    const TensorBatch tensors(batch, m_data.bands(), m_data.options().chip_px);
    const torch::Tensor logits = network->forward(tensors.pixels);
    const torch::Tensor loss = total_loss(logits, tensors.target, m_options.loss);
    result.loss += loss.item<double>() * static_cast<double>(batch.count);
    count += batch.count;
    result.add(logits, batch, sample_every);
  }
  result.loss = count == 0 ? kNaN : result.loss / static_cast<double>(count);
  return result;
}

void Trainer::add_validation(EpochMetrics& metrics) {
  const Validation validation = validate(0);
  metrics.val_loss = validation.loss;
  metrics.val_iou_extent = validation.iou([](int c) { return c != 0; });
  metrics.val_iou = {validation.iou([](int c) { return c == 0; }),
                     validation.iou([](int c) { return c == 1; }),
                     validation.iou([](int c) { return c == 2; })};
}

/// Keeps the network when it is the best so far, and writes a checkpoint when one is due.
void Trainer::finish_epoch(const EpochMetrics& metrics) {
  const auto known = [](double value) { return std::isnan(value) ? 0.0 : value; };
  const bool validates = m_data.summary().val_chips > 0;
  const double score = 0.5 * (known(metrics.val_iou_extent) + known(metrics.val_iou[1]));
  m_state.epochs.push_back(metrics);
  if (!validates || m_state.best_epoch == 0 || score > m_state.best_score) {
    m_state.best_epoch = metrics.epoch;
    m_state.best_score = score;
    m_state.best = to_tensors(*judged());
  }
  const std::int64_t every = m_options.checkpoint_every;
  if (every > 0 && metrics.epoch % every == 0 && metrics.epoch < m_options.epochs) {
    write_checkpoint(m_folder, m_description, {m_network, m_average, *m_optimiser}, m_state);
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
  for (const torch::Tensor& tensor : network->parameters()) report.parameters += tensor.numel();
  report.receptive_radius_px = measure_receptive_radius(m_options.levels);
  const TrainingDataSummary& summary = m_data.summary();
  const std::int64_t most = summary.val_chips * m_data.options().chip_px * m_data.options().chip_px;
  const LogitSample sample = validate((most + kSamplePixels - 1) / kSamplePixels).sample;
  report.temperature = fit_temperature(sample);
  report.ece_before = calibration_error(sample, 1.0);
  report.ece_after = calibration_error(sample, report.temperature);
  geo::AtomicFolder out(m_folder, m_options.overwrite);
  write_model(out.temporary(), network, m_data, report, m_description);
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
  {
    geo::Progress progress(m_exec, "training", m_options.epochs * m_steps);
    const std::int64_t done = m_state.epochs.empty() ? 0 : m_state.epochs.back().epoch;
    if (done > 0) progress.advance(done * m_steps);
    for (std::int64_t epoch = done + 1; epoch <= m_options.epochs; ++epoch) {
      const auto start = std::chrono::steady_clock::now();
      EpochMetrics metrics = train_epoch(epoch, progress);
      add_validation(metrics);
      finish_epoch(metrics);
      report_epoch(metrics, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
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
