#include "training_features.h"

#include <algorithm>
#include <functional>

#include <oneapi/tbb/parallel_for.h>

#include "device_turn.h"
#include "torch_threads.h"

namespace furrow::segmentation {
namespace {

constexpr std::int64_t kMostTrainWindows = 2048;
constexpr std::int64_t kMostValWindows = 1024;
constexpr std::int64_t kFewValWindows = 256;
constexpr std::int64_t kLeastWindows = 8;
constexpr double kLeastShare = 0.5;

/// Windows and where they lie.
struct Windows {
  std::vector<float> features;  ///< [n, width]
  std::vector<std::int64_t> images;
  std::vector<std::int64_t> blocks;  ///< from 0 those that train, below 0 those that validate

  [[nodiscard]] std::int64_t count() const { return std::ssize(images); }
  [[nodiscard]] torch::Tensor tensor() const {
    return torch::tensor(features, torch::kFloat).reshape({count(), -1}).to(torch::kDouble);
  }
  void add(const Windows& others) {
    features.insert(features.end(), others.features.begin(), others.features.end());
    images.insert(images.end(), others.images.begin(), others.images.end());
    blocks.insert(blocks.end(), others.blocks.begin(), others.blocks.end());
  }
  /// What windows that are alike have in common: their image, or their block where all lie in one image.
  [[nodiscard]] const std::vector<std::int64_t>& places() const {
    return std::ranges::count(images, images.front()) < count() ? images : blocks;
  }
};

/// Windows in parallel, each on one thread of LibTorch as in prediction.
/// @param load  a batch of one window; called from several threads
Windows collect(const FoldedUNet& network, const TrainingData& data, std::int64_t count,
                const std::function<Batch(std::int64_t)>& load, geo::ExecContext& exec) {
  const std::int64_t side = data.options().chip_px;
  std::vector<Windows> each(static_cast<std::size_t>(count));
  tbb::parallel_for(std::int64_t{0}, count, [&](std::int64_t i) {
    exec.check_cancelled();
    use_one_torch_thread();
    Batch batch = load(i);
    const torch::Tensor pixels =
        torch::from_blob(batch.pixels.data(), {1, data.bands(), side, side}, torch::kFloat);
    Windows& window = each[static_cast<std::size_t>(i)];
    window.features = window_features(network, pixels);
    if (window.features.empty()) return;
    window.images = batch.images;
    window.blocks = batch.blocks;
  });
  Windows windows;
  for (const Windows& window : each) windows.add(window);
  return windows;
}

}  // namespace

std::vector<float> window_features(const FoldedUNet& network, const torch::Tensor& window) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor data = (window != 0).any(1, true);
  if (data.to(torch::kDouble).mean().item<double>() < kLeastShare) return {};
  const torch::Tensor cells =
      network.deepest(on_device(window, network.device(), torch::kFloat)).to(torch::kCPU, torch::kDouble);
  const torch::Tensor shares =
      torch::adaptive_avg_pool2d(data.to(torch::kDouble), {cells.size(2), cells.size(3)});
  const torch::Tensor mean = ((cells * shares).sum({0, 2, 3}) / shares.sum()).to(torch::kFloat).contiguous();
  const float* values = mean.data_ptr<float>();
  return {values, values + mean.numel()};
}

std::optional<FeatureReference> training_features(const FoldedUNet& network, const TrainingData& data,
                                                  geo::ExecContext& exec) {
  const TorchThreads one_thread(1);
  const TrainingDataSummary& summary = data.summary();
  // An epoch's order is random already.
  const Windows train = collect(
      network, data, std::min(summary.train_chips, kMostTrainWindows),
      [&](std::int64_t i) { return data.plain_train_batch(1, i, 1); }, exec);
  const std::int64_t val_count = std::min(summary.val_chips, kMostValWindows);
  Windows reference = collect(
      network, data, val_count,
      [&](std::int64_t i) { return data.val_batch(i * summary.val_chips / val_count, 1); }, exec);
  for (std::int64_t& block : reference.blocks) block = -1 - block;
  if (train.count() == 0 || train.count() + reference.count() < kLeastWindows) return std::nullopt;
  if (reference.count() < kFewValWindows) reference.add(train);
  FeatureReference result =
      make_feature_reference(train.tensor(), reference.tensor(), reference.places(), data.options().seed);
  result.window_px = data.options().chip_px;
  return result;
}

}  // namespace furrow::segmentation
