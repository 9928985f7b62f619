#include "seam_blender.h"

#include <algorithm>
#include <utility>

#include <furrow/geo/raster/blend.h>

namespace furrow::segmentation {
namespace {

std::size_t index(std::int64_t value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

SeamBlender::SeamBlender(const PredictionPlan& plan, const ScoreQuantiser& quantiser)
    : m_plan(plan),
      m_quantiser(quantiser),
      m_above(plan.blend_px > 0 ? plan.grid.width : 0, 2 * plan.blend_px, plan.channels),
      m_below(m_above),
      m_left(2 * plan.blend_px, plan.tile_px + plan.blend_px, plan.channels),
      m_scores(static_cast<std::size_t>(plan.channels)) {}

void SeamBlender::add(TileJob& job) {
  if (m_plan.blend_px == 0) return;
  if (job.core.row != m_row) {
    std::swap(m_above, m_below);
    std::ranges::fill(m_below.data(), 0.0);
    m_row = job.core.row;
  }
  // A tile without valid pixels shares none with its neighbours: what they left for it is not needed.
  if (job.empty) return;
  const auto x_weights =
      geo::blend_weights(job.core.col, job.core.end_col(), m_plan.grid.width, m_plan.blend_px);
  const auto y_weights =
      geo::blend_weights(job.core.row, job.core.end_row(), m_plan.grid.height, m_plan.blend_px);
  const std::int64_t top_end = job.core.row > 0 ? job.core.row + m_plan.blend_px : 0;
  const std::int64_t left_end = job.core.col > 0 ? job.core.col + m_plan.blend_px : 0;
  for (std::int64_t row = job.share.row; row < job.share.end_row(); ++row) {
    const bool whole_row = row < top_end || row >= job.final.end_row();
    for (std::int64_t col = job.share.col; col < job.share.end_col(); ++col) {
      if (!whole_row && col >= left_end && col < job.final.end_col()) {
        col = job.final.end_col() - 1;  // stored already: no neighbour shares these
        continue;
      }
      weigh(job, col, row, x_weights[index(col - job.share.col)] * y_weights[index(row - job.share.row)]);
      place(job, col, row, col < left_end, row < top_end);
    }
  }
}

void SeamBlender::weigh(const TileJob& job, std::int64_t col, std::int64_t row, float weight) {
  for (int k = 0; k < m_plan.channels; ++k) {
    const float score = job.scores.at(col - job.share.col, row - job.share.row, k);
    m_scores[static_cast<std::size_t>(k)] = static_cast<double>(weight) * static_cast<double>(score);
  }
}

void SeamBlender::place(TileJob& job, std::int64_t col, std::int64_t row, bool in_left_band,
                        bool in_top_band) {
  const bool for_below = row >= job.final.end_row();
  const bool for_right = col >= job.final.end_col();
  for (int k = 0; k < m_plan.channels; ++k) {
    double& sum = m_scores[static_cast<std::size_t>(k)];
    if (for_below) {
      m_below.at(col, row - job.final.end_row(), k) += sum;
      continue;
    }
    if (for_right) {
      m_left.at(col - job.final.end_col(), row - job.final.row, k) = sum;
      continue;
    }
    if (in_left_band) sum += m_left.at(col - job.final.col, row - job.final.row, k);
    if (in_top_band) sum += m_above.at(col, row - job.final.row, k);
  }
  if (for_below || for_right || job.valid.at(col - job.share.col, row - job.share.row) == 0) return;
  m_quantiser.store(job, col, row, m_scores, in_left_band || in_top_band);
}

}  // namespace furrow::segmentation
