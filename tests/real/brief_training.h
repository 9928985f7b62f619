#pragma once

#include <cstdint>

#include <furrow/segmentation/trainer.h>

namespace furrow::test {

/// A network of receptive radius 23 px that learns something in seconds.
inline segmentation::TrainOptions brief_training(std::int64_t epochs) {
  segmentation::TrainOptions options;
  options.base_width = 8;
  options.levels = 3;
  options.epochs = epochs;
  options.batch_size = 4;
  options.learning_rate = 3e-3;
  options.checkpoint_every = 0;
  return options;
}

}  // namespace furrow::test
