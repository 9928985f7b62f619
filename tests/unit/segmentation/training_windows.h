#pragma once

#include <functional>
#include <string>
#include <vector>

#include "training_scene.h"

/// Training data of small scenes, and what their windows hold.
namespace furrow::segmentation::testing_scene {

inline TrainingDataOptions small_options() {
  TrainingDataOptions options;
  options.chip_px = 32;
  options.augment = false;
  return options;
}

inline TrainingData load(const TrainingScene& scene, const TrainingDataOptions& options, int threads = 2,
                         std::size_t memory = 0) {
  geo::ExecContext exec({threads, memory});
  return TrainingData({scene}, options, exec);
}

template <class E>
std::string failure(const TrainingScene& scene, const TrainingDataOptions& options = small_options()) {
  try {
    static_cast<void>(load(scene, options));
  } catch (const E& error) {
    return error.what();
  }
  return "no error of this kind";
}

inline std::vector<Batch> all_train(const TrainingData& data, std::int64_t epoch, std::int64_t size = 4) {
  std::vector<Batch> batches;
  for (std::int64_t i = 0; i < data.train_batches(size); ++i)
    batches.push_back(data.train_batch(epoch, i, size));
  return batches;
}

/// An image whose pixel says where it is: col in the first band, row in the second.
inline geo::Raster<std::uint16_t> coordinates(std::int64_t width, std::int64_t height) {
  geo::Raster<std::uint16_t> image(width, height, 2);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      image.at(col, row, 0) = static_cast<std::uint16_t>(col + 1);
      image.at(col, row, 1) = static_cast<std::uint16_t>(row + 1);
    }
  }
  return image;
}

/// Normalisation by 1, so that coordinates stay readable.
inline TrainingDataOptions readable() {
  TrainingDataOptions options = small_options();
  options.normalisation.method = geo::NormaliseMethod::kDivide;
  options.normalisation.divisor = 1.0;
  return options;
}

/// Calls `visit(col, row, label, weight)` for each image pixel of a batch, or (-1, -1) for padding.
inline void each_pixel(const Batch& batch, std::int64_t chip,
                       const std::function<void(int, int, std::uint8_t, float)>& visit) {
  const auto area = static_cast<std::size_t>(chip * chip);
  for (std::size_t i = 0; i < static_cast<std::size_t>(batch.count); ++i) {
    for (std::size_t p = 0; p < area; ++p) {
      visit(static_cast<int>(batch.pixels[2 * i * area + p]) - 1,
            static_cast<int>(batch.pixels[(2 * i + 1) * area + p]) - 1, batch.labels[i * area + p],
            batch.weights[i * area + p]);
    }
  }
}

}  // namespace furrow::segmentation::testing_scene
