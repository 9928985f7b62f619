#include "tile_scorer.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "pass_sums.h"

namespace furrow::segmentation {

using geo::Raster;

namespace {

/// The scores of a part as those of the whole, 0 elsewhere.
Raster<float> spread(const Raster<float>& scores, const geo::Window& part, const geo::Window& whole) {
  Raster<float> all(whole.width, whole.height, scores.bands());
  for (int b = 0; b < scores.bands(); ++b) {
    for (std::int64_t row = 0; row < part.height; ++row) {
      std::copy_n(&scores.at(0, row, b), part.width,
                  &all.at(part.col - whole.col, part.row - whole.row + row, b));
    }
  }
  return all;
}

}  // namespace

TileScorer::TileScorer(const PredictionPlan& plan, std::span<const PartScoreFunction> passes,
                       const ScoreQuantiser& quantiser)
    : m_plan(plan), m_passes(passes), m_quantiser(quantiser) {}

void TileScorer::run(TileJob& job) const {
  if (job.empty) return;
  job.scores = score_in_passes(m_passes, m_plan, job, within(job.wanted, job.input), std::move(job.scores));
  if (job.wanted != job.share) job.scores = spread(job.scores, job.wanted, job.share);
  const auto clear = [&](Raster<std::uint8_t>& bytes, int bands) {
    bytes.reshape(job.final.width, job.final.height, bands);
    std::ranges::fill(bytes.data(), kNodata);
  };
  clear(job.bytes, m_plan.classes);
  if (!m_plan.layers.empty()) clear(job.quality, static_cast<int>(m_plan.layers.size()));
  store_unshared(job);
}

void TileScorer::store_unshared(TileJob& job) const {
  const std::int64_t begin_col = job.core.col > 0 ? job.core.col + m_plan.blend_px : 0;
  const std::int64_t begin_row = job.core.row > 0 ? job.core.row + m_plan.blend_px : 0;
  const geo::Window alone{begin_col, begin_row, job.final.end_col() - begin_col,
                          job.final.end_row() - begin_row};
  m_quantiser.store_scores(job, alone);
  if (m_plan.layers.empty()) return;
  std::vector<double> said(static_cast<std::size_t>(m_plan.channels));
  for (std::int64_t row = alone.row; row < alone.end_row(); ++row) {
    for (std::int64_t col = alone.col; col < alone.end_col(); ++col) {
      if (job.valid.at(col - job.share.col, row - job.share.row) == 0) continue;
      for (int k = 0; k < m_plan.channels; ++k) {
        const float score = job.scores.at(col - job.share.col, row - job.share.row, k);
        said[static_cast<std::size_t>(k)] = static_cast<double>(score);
      }
      m_quantiser.store_quality(job, col, row, said, false);
    }
  }
}

}  // namespace furrow::segmentation
