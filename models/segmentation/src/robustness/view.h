#pragma once

#include <span>
#include <string>

#include <furrow/geo/raster/normalise.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

#include "../prediction/plan.h"
#include "perturb.h"
#include "scene_window.h"

namespace furrow::segmentation {

/// Shows windows to the network, as they are and perturbed. Scores come back as [classes, core]. Thread-safe.
struct NetworkView {
  const PredictionPlan& plan;
  const ModelSpec& spec;
  const ScoreFunction& score;
  std::span<const geo::BandStatistics> statistics;  ///< for the normalisation
  const std::string& image;                         ///< for messages

  /// As prediction sees it.
  /// @throws geo::ModelError  a score that is not a number
  [[nodiscard]] geo::Raster<float> scores(const SceneWindow& window) const;
  /// @param bands  mean and standard deviation of each band
  [[nodiscard]] geo::Raster<float> perturbed_scores(const SceneWindow& window,
                                                    const Perturbation& perturbation,
                                                    std::span<const geo::BandStatistics> bands) const;

 private:
  [[nodiscard]] geo::Raster<float> input(const SceneWindow& window, const geo::Window& seen) const;
  [[nodiscard]] geo::Raster<float> answer(const geo::Raster<float>& input) const;
  [[nodiscard]] geo::Raster<float> scores_of(const SceneWindow& window, const geo::Window& seen) const;
  [[nodiscard]] geo::Raster<float> turned_scores(const SceneWindow& window, int turn) const;
  [[nodiscard]] geo::Raster<float> resampled_scores(const SceneWindow& window, double pixel_size) const;
};

}  // namespace furrow::segmentation
