#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <furrow/assessment/block_accuracy.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/score_map.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::assessment {

/// What is tuned of a delineation. Of `cut` and `boundary_threshold` only the one of the mode.
struct TuneSetting {
  double extent_threshold = 0.5;
  double cut = 0.2;
  double boundary_threshold = 0.5;
  double min_area_m2 = 500.0;
  friend bool operator==(const TuneSetting&, const TuneSetting&) = default;
};

/// Fields counted as ObjectAccuracy counts them.
struct FieldCounts {
  std::int64_t predicted = 0;
  std::int64_t correct = 0;  ///< counted predicted fields with a match
  std::int64_t reference = 0;
  std::int64_t found = 0;  ///< counted reference fields with a match

  FieldCounts& operator+=(const FieldCounts& other);
  FieldCounts& operator-=(const FieldCounts& other);
  [[nodiscard]] double precision() const;
  [[nodiscard]] double recall() const;
  [[nodiscard]] double f1() const;  ///< NaN without any field
};

/// Scores and the true fields over them.
struct TuneScene {
  geo::ScoreMap scores;
  std::vector<geo::MultiPolygon> truth;     ///< in the CRS of scores.grid; may reach beyond it
  std::optional<geo::MultiPolygon> region;  ///< where truth is complete, same CRS; nullopt = all of the scene
};

/// The values to try first; each list holds the value of `TuneOptions::base` too, given or not.
struct TuneGrid {
  std::vector<double> extent_thresholds{0.3, 0.4, 0.5, 0.6, 0.7};
  std::vector<double> cuts{0.05, 0.1, 0.2, 0.3, 0.5};
  std::vector<double> boundary_thresholds{0.2, 0.3, 0.4, 0.5, 0.6};
  std::vector<double> min_areas_m2{0.0, 500.0, 1000.0, 2500.0, 5000.0};
};

struct TuneOptions {
  /// Mode (not kInstances), what is not tuned, and the setting that others are compared with.
  geo::DelineateOptions base;
  TuneGrid grid;
  int refinements = 3;   ///< rounds of trying what lies between the best values and their neighbours, or
                         ///< beyond a best value at an end of its list
  double min_iou = 0.5;  ///< a match needs more than this; 0.5 or more, so that matches are one to one
  std::int64_t block_px = 64;  ///< side of the squares that intervals and held-out counts are made from
  std::int64_t draws = 1000;   ///< of the bootstrap
  std::uint64_t seed = 1;
};

struct TriedSetting {
  TuneSetting setting;
  FieldCounts counts;  ///< over all scenes
};

struct TuneResult {
  std::vector<TriedSetting> tried;  ///< ordered by extent threshold, cut or boundary threshold, minimum area
  std::size_t best = 0;             ///< in `tried`
  std::size_t base = 0;             ///< in `tried`: the setting of TuneOptions::base
  Interval best_f1;                 ///< 95 %
  Interval gain;                    ///< 95 %, of the best setting's F1 minus the base's, drawn together
  FieldCounts held_out;             ///< of settings chosen without the fields they are counted on
  std::int64_t folds = 0;           ///< parts that were held out in turn: scenes, or blocks of the only scene
  std::int64_t blocks = 0;          ///< with fields

  /// The gain's interval lies above 0, and there are 10 blocks or more: with fewer it is too short to be
  /// believed.
  [[nodiscard]] bool is_clear() const;
};

/// Finds the setting of a delineation with the highest object F1 on scenes whose fields are known.
///
/// Fields and truth are compared on the pixels, before lines are simplified: a predicted and a true field
/// match when their common pixels are more than `min_iou` of those of either. A true field counts when at
/// least half of its area lies in the region and has scores, a predicted one when half of its pixels do;
/// either may be matched by one that does not count. Every setting of the grid is tried, then, `refinements`
/// times, those around the best one. Ties go to the setting closest to the base (fewest values that differ,
/// then the smallest relative difference).
///
/// The best of many settings looks better on the fields it was chosen on than it is. So two more figures:
/// - `held_out`: each scene (or block, when there is one scene) in turn is left out, the setting is chosen on
/// the
///   others, and counted on the one left out;
/// - `gain`: percentile interval of best minus base by a bootstrap of blocks, as bootstrap_blocks.
///
/// @param scene  called with 0..scenes-1, in order, once and once more per refinement; one scene is in memory
///               at a time
/// @throws geo::InvalidArgument  options out of range, no scene, or no true field that counts
/// Memory: about 50 bytes per pixel of a scene, 16 per setting and block. Same result for any number of
/// threads.
[[nodiscard]] TuneResult tune_delineation(std::size_t scenes,
                                          const std::function<TuneScene(std::size_t)>& scene,
                                          const TuneOptions& options, geo::ExecContext& exec);

}  // namespace furrow::assessment
