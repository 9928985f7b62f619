#include "score_quantiser.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {

namespace {

std::uint8_t score_byte(double p) {
  return static_cast<std::uint8_t>(std::min(std::max(0.0, p), 1.0) * kScoreSteps + 0.5);
}

std::uint8_t below_nodata(double steps) {
  return static_cast<std::uint8_t>(std::min(steps + 0.5, 254.0));
}

}  // namespace

double entropy_of(std::span<const double> scores) {
  double entropy = 0.0;
  for (const double p : scores) {
    if (p > 0.0) entropy -= p * std::log(p);
  }
  return entropy;
}

ScoreQuantiser::ScoreQuantiser(const PredictionPlan& plan, std::string image)
    : m_plan(plan), m_image(std::move(image)) {}

void ScoreQuantiser::store(TileJob& job, std::int64_t col, std::int64_t row, std::span<const double> said,
                           bool is_shared) const {
  const std::int64_t x = col - job.final.col;
  const std::int64_t y = row - job.final.row;
  for (int k = 0; k < m_plan.classes; ++k) {
    const double p = said[static_cast<std::size_t>(k)];
    if (std::isnan(p)) fail(col, row);
    job.bytes.at(x, y, k) = score_byte(p);
  }
  store_quality(job, col, row, said, is_shared);
}

void ScoreQuantiser::store_quality(TileJob& job, std::int64_t col, std::int64_t row,
                                   std::span<const double> said, bool is_shared) const {
  for (std::size_t i = 0; i < m_plan.layers.size(); ++i) {
    job.quality.at(col - job.final.col, row - job.final.row, static_cast<int>(i)) =
        quality_byte(m_plan.layers[i], said, is_shared);
  }
}

void ScoreQuantiser::store_scores(TileJob& job, const geo::Window& window) const {
  if (window.empty()) return;
  const auto count = static_cast<std::size_t>(window.width);
  for (std::int64_t row = window.row; row < window.end_row(); ++row) {
    const std::uint8_t* valid = &job.valid.at(window.col - job.share.col, row - job.share.row);
    for (int k = 0; k < m_plan.classes; ++k) {
      const float* scores = &job.scores.at(window.col - job.share.col, row - job.share.row, k);
      std::uint8_t* bytes = &job.bytes.at(window.col - job.final.col, row - job.final.row, k);
      bool are_numbers = true;
      for (std::size_t i = 0; i < count; ++i) {
        const auto p = static_cast<double>(scores[i]);
        const bool is_used = valid[i] != 0;
        are_numbers &= !is_used || p == p;
        bytes[i] = is_used ? score_byte(p) : kNodata;
      }
      if (!are_numbers) fail_in_row(job, window, row, k);
    }
  }
}

void ScoreQuantiser::fail_in_row(const TileJob& job, const geo::Window& window, std::int64_t row,
                                 int channel) const {
  std::int64_t col = window.col;
  while (job.valid.at(col - job.share.col, row - job.share.row) == 0 ||
         !std::isnan(job.scores.at(col - job.share.col, row - job.share.row, channel))) {
    ++col;
  }
  fail(col, row);
}

std::uint8_t ScoreQuantiser::quality_byte(QualityLayer layer, std::span<const double> said,
                                          bool is_shared) const {
  const auto scores = said.first(static_cast<std::size_t>(m_plan.classes));
  if (layer == QualityLayer::kDisagreement) {
    if (!is_shared) return kNodata;
    double variances = said[static_cast<std::size_t>(m_plan.square_channel)];
    for (const double p : scores) variances -= p * p;
    return below_nodata(std::sqrt(std::max(0.0, variances) / 2.0) * kScoreSteps);
  }
  double entropy = entropy_of(scores);
  if (layer == QualityLayer::kMutualInformation)
    entropy -= said[static_cast<std::size_t>(m_plan.mean_entropy_channel)];
  return below_nodata(std::max(0.0, entropy) * m_plan.entropy_steps);
}

void ScoreQuantiser::fail(std::int64_t col, std::int64_t row) const {
  throw geo::ModelError(geo::concat("the network gave a score that is not a number for image ",
                                    geo::quoted(m_image), " at column ", col, ", row ", row,
                                    "; the model is broken"));
}

}  // namespace furrow::segmentation
