#include "score_quantiser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {

ScoreQuantiser::ScoreQuantiser(const PredictionPlan& plan, std::string image)
    : m_plan(plan), m_image(std::move(image)) {}

void ScoreQuantiser::store(TileJob& job, std::int64_t col, std::int64_t row,
                           std::span<const double> scores) const {
  const std::int64_t x = col - job.final.col;
  const std::int64_t y = row - job.final.row;
  for (int k = 0; k < m_plan.classes; ++k) {
    const double p = scores[static_cast<std::size_t>(k)];
    if (std::isnan(p)) fail(col, row);
    job.bytes.at(x, y, k) = static_cast<std::uint8_t>(std::clamp(p, 0.0, 1.0) * kScoreSteps + 0.5);
  }
  if (!job.entropy.empty()) job.entropy.at(x, y) = entropy_byte(scores);
}

std::uint8_t ScoreQuantiser::entropy_byte(std::span<const double> scores) const {
  double entropy = 0.0;
  for (const double p : scores) {
    if (p > 0.0) entropy -= p * std::log(p);
  }
  const double stored = std::max(0.0, entropy) * m_plan.entropy_steps + 0.5;
  return static_cast<std::uint8_t>(std::min(stored, 254.0));
}

void ScoreQuantiser::fail(std::int64_t col, std::int64_t row) const {
  throw geo::ModelError(geo::concat("the network gave a score that is not a number for image ",
                                    geo::quoted(m_image), " at column ", col, ", row ", row,
                                    "; the model is broken"));
}

}  // namespace furrow::segmentation
