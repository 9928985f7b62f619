#include "tile_scorer.h"

#include <cstdint>
#include <vector>

namespace furrow::segmentation {

using geo::Raster;

TileScorer::TileScorer(const PredictionPlan& plan, const PartScoreFunction& score,
                       const ScoreQuantiser& quantiser, bool with_entropy)
    : m_plan(plan), m_score(score), m_quantiser(quantiser), m_with_entropy(with_entropy) {}

void TileScorer::run(TileJob& job) const {
  if (job.empty) return;
  job.scores = Raster<float>(job.share.width, job.share.height, m_plan.classes);
  m_score(job.pixels.data(), 1, m_plan.bands, job.input.height, job.input.width, within(job.share, job.input),
          job.scores.data());
  job.pixels = {};
  job.bytes = Raster<std::uint8_t>(job.final.width, job.final.height, m_plan.classes, kNodata);
  if (m_with_entropy) job.entropy = Raster<std::uint8_t>(job.final.width, job.final.height, 1, kNodata);
  store_unshared(job);
}

void TileScorer::store_unshared(TileJob& job) const {
  const std::int64_t begin_col = job.core.col > 0 ? job.core.col + m_plan.blend_px : 0;
  const std::int64_t begin_row = job.core.row > 0 ? job.core.row + m_plan.blend_px : 0;
  std::vector<double> scores(static_cast<std::size_t>(m_plan.classes));
  for (std::int64_t row = begin_row; row < job.final.end_row(); ++row) {
    for (std::int64_t col = begin_col; col < job.final.end_col(); ++col) {
      if (job.valid.at(col - job.share.col, row - job.share.row) == 0) continue;
      for (int k = 0; k < m_plan.classes; ++k) {
        const float score = job.scores.at(col - job.share.col, row - job.share.row, k);
        scores[static_cast<std::size_t>(k)] = static_cast<double>(score);
      }
      m_quantiser.store(job, col, row, scores);
    }
  }
}

}  // namespace furrow::segmentation
