#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "plan.h"
#include "tile_job.h"

namespace furrow::segmentation {

constexpr std::uint8_t kNodata = 255;
/// -sum p ln p, in nats.
[[nodiscard]] double entropy_of(std::span<const double> scores);

constexpr double kScoreSteps = 200.0;  ///< stored value of a score of 1

/// Turns what tiles say of one pixel into its stored bytes. Safe from several threads.
class ScoreQuantiser {
 public:
  ScoreQuantiser(const PredictionPlan& plan, std::string image);

  /// Stores a pixel at (col, row) of the scene, which lies in job.final. Only called for valid pixels.
  /// @param said       [PredictionPlan::channels]
  /// @param is_shared  several tiles scored it
  /// @throws geo::ModelError when a score is not a number
  void store(TileJob& job, std::int64_t col, std::int64_t row, std::span<const double> said,
             bool is_shared) const;
  /// The layers of store() alone.
  void store_quality(TileJob& job, std::int64_t col, std::int64_t row, std::span<const double> said,
                     bool is_shared) const;
  /// The bytes that store() gives for the scores in job.scores, of all valid pixels of a window in job.final
  /// and job.share.
  void store_scores(TileJob& job, const geo::Window& window) const;

 private:
  [[nodiscard]] std::uint8_t quality_byte(QualityLayer layer, std::span<const double> said,
                                          bool is_shared) const;
  [[noreturn]] void fail_in_row(const TileJob& job, const geo::Window& window, std::int64_t row,
                                int channel) const;
  [[noreturn]] void fail(std::int64_t col, std::int64_t row) const;

  const PredictionPlan& m_plan;
  std::string m_image;
};

}  // namespace furrow::segmentation
