#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/trainer.h>

namespace furrow::segmentation {

inline TrainOptions tiny_training(std::int64_t epochs) {
  TrainOptions options;
  options.base_width = 4;
  options.levels = 3;
  options.epochs = epochs;
  options.batch_size = 4;
  options.learning_rate = 5e-3;
  return options;
}

/// Asks to stop once the training has done so many steps.
class StopAt : public geo::ProgressSink {
 public:
  StopAt(geo::ExecContext& exec, std::int64_t step) : m_exec(exec), m_step(step) {
    exec.set_progress_sink(this);
  }
  void begin(std::string_view, std::int64_t) override {}
  void update(std::string_view label, std::int64_t done, std::int64_t) override {
    if (label == "training" && done >= m_step) m_exec.cancel_token().cancel();
  }
  void end(std::string_view, std::int64_t, std::int64_t) override {}

 private:
  geo::ExecContext& m_exec;
  std::int64_t m_step;
};

}  // namespace furrow::segmentation
