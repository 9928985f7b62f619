#include "pass_sums.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "score_quantiser.h"

namespace furrow::segmentation {
namespace {

using geo::Raster;

/// Sums in double: as many floats as there are passes add up exactly, so passes that agree give their own
/// scores.
class PassSums {
 public:
  PassSums(const PredictionPlan& plan, std::int64_t width, std::int64_t height)
      : m_plan(plan), m_sums(width, height, plan.classes) {
    if (plan.mean_entropy_channel >= 0) m_entropy = Raster<double>(width, height);
  }

  void add(const Raster<float>& scores) {
    for (std::size_t i = 0; i < scores.data().size(); ++i)
      m_sums.data()[i] += static_cast<double>(scores.data()[i]);
    ++m_passes;
    if (m_entropy.empty()) return;
    std::vector<double> pixel(static_cast<std::size_t>(m_plan.classes));
    for (std::size_t i = 0; i < m_entropy.data().size(); ++i) {
      for (int k = 0; k < m_plan.classes; ++k)
        pixel[static_cast<std::size_t>(k)] = static_cast<double>(scores.band(k)[i]);
      m_entropy.data()[i] += entropy_of(pixel);
    }
  }

  [[nodiscard]] Raster<float> result() const {
    Raster<float> said(m_sums.width(), m_sums.height(), m_plan.channels);
    for (std::size_t i = 0; i < m_sums.data().size(); ++i)
      said.data()[i] = static_cast<float>(m_sums.data()[i] / m_passes);
    if (!m_entropy.empty()) {
      for (std::size_t i = 0; i < m_entropy.data().size(); ++i)
        said.band(m_plan.mean_entropy_channel)[i] = static_cast<float>(m_entropy.data()[i] / m_passes);
    }
    if (m_plan.square_channel >= 0) add_squares(said);
    return said;
  }

 private:
  void add_squares(Raster<float>& said) const {
    const auto squares = said.band(m_plan.square_channel);
    for (std::size_t i = 0; i < squares.size(); ++i) {
      double sum = 0.0;
      for (int k = 0; k < m_plan.classes; ++k) {
        const auto p = static_cast<double>(said.band(k)[i]);
        sum += p * p;
      }
      squares[i] = static_cast<float>(sum);
    }
  }

  const PredictionPlan& m_plan;
  Raster<double> m_sums;     ///< [classes]
  Raster<double> m_entropy;  ///< empty = not needed
  double m_passes = 0.0;
};

}  // namespace

Raster<float> score_in_passes(std::span<const PartScoreFunction> passes, const PredictionPlan& plan,
                              const TileJob& job, const geo::Window& part, Raster<float> memory) {
  Raster<float> scores = std::move(memory);
  scores.reshape(part.width, part.height, plan.classes);
  const auto run = [&](const PartScoreFunction& pass) {
    pass(job.pixels.data(), 1, plan.bands, job.input.height, job.input.width, part, scores.data());
  };
  if (passes.size() == 1 && plan.channels == plan.classes) {
    run(passes.front());
    return scores;
  }
  PassSums sums(plan, part.width, part.height);
  for (const PartScoreFunction& pass : passes) {
    run(pass);
    sums.add(scores);
  }
  return sums.result();
}

}  // namespace furrow::segmentation
