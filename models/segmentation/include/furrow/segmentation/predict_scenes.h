#pragma once

#include <exception>
#include <span>
#include <string>
#include <vector>

#include <furrow/segmentation/predictor.h>

namespace furrow::segmentation {

/// One image of a run, and where its rasters go.
struct SceneTask {
  std::string image;
  std::string output;
  std::vector<QualityOutput> quality = {};
  std::vector<std::string> other_dates = {};
};

struct SceneOutcome {
  PredictReport report;
  std::exception_ptr failure;  ///< the geo::Error that ended it; null = scored
};

/// Scores many images, each as predict_scene() does: an image that fails stops no other one.
///
/// An image of few tiles cannot keep all threads at work, so neighbours in the list of at most kFewTiles
/// tiles are scored side by side, as many as there are threads, where the memory budget holds a tile for each
/// thread; larger and remote ones one after the other. The rasters are the same in either case; messages of
/// images side by side come in any order, and their progress is shown as one.
/// @param options  of all; `quality` and `other_dates` are the tasks' own
/// @param tasks    outputs all different
/// @return one outcome for each task, in their order
/// @throws geo::Cancelled, and what is no geo::Error
[[nodiscard]] std::vector<SceneOutcome> predict_scenes(std::span<const SceneTask> tasks,
                                                       const ModelSpec& spec,
                                                       std::span<const PartScoreFunction> passes,
                                                       const PredictOptions& options, geo::ExecContext& exec);

/// Tiles of an image that is scored beside others, at most.
inline constexpr std::size_t kFewTiles = 4;

}  // namespace furrow::segmentation
