// Training of networks other than the default, and what any training must show.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/segmentation/network.h>
#include <furrow/segmentation/trainer.h>

#include "autocast.h"
#include "losses.h"
#include "tensor_batch.h"
#include "training_scene.h"
#include "unet.h"

namespace furrow::segmentation {
namespace {

using test::TemporaryFolder;
using ::testing::HasSubstr;
using testing_scene::write_scene;

TrainingDataOptions chips_of_32px() {
  TrainingDataOptions options;
  options.chip_px = 32;
  return options;
}

TrainOptions tiny_training(std::int64_t epochs) {
  TrainOptions options;
  options.base_width = 4;
  options.levels = 3;
  options.epochs = epochs;
  options.batch_size = 4;
  options.learning_rate = 5e-3;
  options.checkpoint_every = 0;
  return options;
}

TrainReport train(const TrainingScene& scene, const TrainOptions& options,
                  const std::filesystem::path& folder,
                  const TrainingDataOptions& data_opts = chips_of_32px()) {
  geo::ExecContext exec({1, 0});
  const TrainingData data({scene}, data_opts, exec);
  return train_model(data, options, folder, exec);
}

TEST(NetworkTraining, ResidualMultiTaskNetworksLearnAndTheirModelFolderScores) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  for (const NormKind norm : {NormKind::kBatch, NormKind::kGroup}) {
    TrainOptions options = tiny_training(20);
    options.network = NetworkKind::kResidualUNet;
    options.norm = norm;
    options.head = HeadKind::kMultiTask;
    const auto model = folder / kNormNames[static_cast<std::size_t>(norm)];
    const TrainReport report = train(scene, options, model);
    EXPECT_LT(report.epochs.back().train_loss, 0.5 * report.epochs.front().train_loss);
    EXPECT_GT(report.epochs[static_cast<std::size_t>(report.best_epoch - 1)].val_iou_extent, 0.9);
    const TrainedNetwork network(model);
    EXPECT_EQ(network.spec().architecture, "residual-unet");
    EXPECT_EQ(network.spec().architecture_parameters.count("group_norm"), norm == NormKind::kGroup ? 1u : 0u);
    EXPECT_EQ(network.spec().training.at("distance_px"), "10");
    std::vector<float> scores(3 * 32 * 32);
    network.score_function()(std::vector<float>(2 * 32 * 32, 0.5f), 1, 2, 32, 32, scores);
    EXPECT_NEAR(scores[0] + scores[1024] + scores[2048], 1.0, 1e-5);
  }
}

TEST(NetworkTraining, TheDistanceChangesTheWeights) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 64, 64);
  TrainOptions options = tiny_training(1);
  options.head = HeadKind::kMultiTask;
  const double with = train(scene, options, folder / "a").epochs.front().train_loss;
  options.distance_weight = 0.0;
  const double without = train(scene, options, folder / "b").epochs.front().train_loss;
  EXPECT_GT(with, without);
}

TEST(NetworkTraining, OverfitsOneBatch) {
  const TemporaryFolder folder;
  TrainingDataOptions data_opts = chips_of_32px();
  data_opts.augment = false;
  data_opts.val_share = 0.0;
  geo::ExecContext exec({1, 0});
  const TrainingData data({write_scene(folder, 64, 64)}, data_opts, exec);
  Batch batch = data.train_batch(1, 0, 4);
  const TensorBatch tensors(batch, data.bands(), 32);
  UNet network(UNetOptions{.bands = 2, .base_width = 8, .levels = 3, .dropout = 0.0}, 1);
  torch::optim::AdamW optimiser(network->parameters(), torch::optim::AdamWOptions(1e-2));
  for (int step = 0; step < 120; ++step) {
    optimiser.zero_grad();
    total_loss(network->forward(tensors.pixels), tensors.target, LossOptions{}).backward();
    optimiser.step();
  }
  const torch::NoGradGuard no_grad;
  const torch::Tensor predicted = network->forward(tensors.pixels).argmax(1);
  for (int c = 0; c < 3; ++c) {
    const torch::Tensor found = predicted.eq(c);
    const torch::Tensor wanted = tensors.target.labels.eq(c);
    const double iou = (found & wanted).sum().item<double>() / (found | wanted).sum().item<double>();
    EXPECT_GT(iou, 0.99) << c;
  }
}

/// Agreement with held-out labels beyond chance (Cohen 1960), of background against the rest.
double kappa_of(UNet& network, const TrainingData& data) {
  const torch::NoGradGuard no_grad;
  network->eval();
  double n = 0.0, both = 0.0, found = 0.0, wanted = 0.0, agree = 0.0;
  for (std::int64_t i = 0; i < data.val_batches(8); ++i) {
    Batch batch = data.val_batch(i, 8);
    const TensorBatch tensors(batch, data.bands(), data.options().chip_px);
    const torch::Tensor known = tensors.target.labels.ne(255);
    const torch::Tensor field = network->forward(tensors.pixels).argmax(1).ne(0) & known;
    const torch::Tensor truth = tensors.target.labels.ne(0) & known;
    n += known.sum().item<double>();
    both += (field & truth).sum().item<double>();
    found += field.sum().item<double>();
    wanted += truth.sum().item<double>();
    agree += (field.eq(truth) & known).sum().item<double>();
  }
  const double chance = (found * wanted + (n - found) * (n - wanted)) / (n * n);
  return chance == 1.0 ? 0.0 : (agree / n - chance) / (1.0 - chance);
}

TEST(NetworkTraining, ShuffledLabelsTeachNothing) {
  // Labels of every pixel drawn anew: a network that still scores better than chance has seen what it should
  // not have.
  const TemporaryFolder folder;
  TrainingScene scene = write_scene(folder, 128, 128);
  const auto kappa = [&](bool shuffled) {
    geo::Raster<std::uint8_t> labels = testing_scene::labels(128, 128);
    if (shuffled) geo::Random(3).shuffle(labels.data());
    scene.labels = testing_scene::write(folder, "labels.tif", labels, test::utm_grid(128, 128));
    geo::ExecContext exec({1, 0});
    const TrainingData data({scene}, chips_of_32px(), exec);
    train_model(data, tiny_training(6), folder / (shuffled ? "shuffled" : "true"), exec);
    UNet network(UNetOptions{2, 4, 3, 0.0, 3}, 1);
    const auto file = folder / (shuffled ? "shuffled" : "true") / "weights.safetensors";
    from_tensors(*network, read_safetensors(file), file.string());
    return kappa_of(network, data);
  };
  EXPECT_NEAR(kappa(true), 0.0, 0.06);
  EXPECT_GT(kappa(false), 0.5);
}

TEST(Bf16, LossFallsAsInFp32) {
  const TemporaryFolder folder;
  const TrainingScene scene = write_scene(folder, 128, 96);
  TrainOptions options = tiny_training(25);
  const TrainReport fp32 = train(scene, options, folder / "fp32");
  options.precision = Precision::kBf16;
  const TrainReport bf16 = train(scene, options, folder / "bf16");
  EXPECT_LT(bf16.epochs.back().train_loss, 0.6 * bf16.epochs.front().train_loss);
  EXPECT_NEAR(bf16.epochs.back().train_loss, fp32.epochs.back().train_loss,
              0.15 * fp32.epochs.front().train_loss);
  EXPECT_NEAR(bf16.epochs.back().val_iou_extent, fp32.epochs.back().val_iou_extent, 0.08);
  EXPECT_NE(bf16.epochs.back().train_loss, fp32.epochs.back().train_loss);  // or bf16 was not on
  EXPECT_EQ(TrainedNetwork(folder / "bf16").spec().training.at("precision"), "bf16");
}

TEST(Bf16, EndsWithTheScope) {
  const torch::Tensor x = torch::randn({1, 1, 8, 8});
  const torch::nn::Conv2d conv(torch::nn::Conv2dOptions(1, 1, 3));
  {
    const Autocast autocast(Precision::kBf16, torch::kCPU);
    EXPECT_EQ(torch::nn::Conv2d(conv)->forward(x).scalar_type(), torch::kBFloat16);
  }
  EXPECT_EQ(torch::nn::Conv2d(conv)->forward(x).scalar_type(), torch::kFloat);
}

TEST(Devices, CudaIsRefusedWithOneLineWhereThereIsNone) {
  if (torch::cuda::is_available()) GTEST_SKIP() << "there is a GPU, so nothing is refused";
  try {
    static_cast<void>(torch_device(Device::kCuda));
    FAIL();
  } catch (const geo::InvalidArgument& error) {
    EXPECT_THAT(error.what(), HasSubstr("no CUDA or finds no GPU; use --device cpu"));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace furrow::segmentation
