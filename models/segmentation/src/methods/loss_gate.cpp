#include "loss_gate.h"

#include <cmath>
#include <numeric>

namespace furrow::segmentation {

void LossGate::fit(std::span<const double> losses) {
  std::vector<double> known;
  for (const double loss : losses) {
    if (!std::isnan(loss)) known.push_back(loss);
  }
  const LossMixture mixture = fit_loss_mixture(known);
  m_clean.clear();
  for (const double loss : losses)
    m_clean.push_back(std::isnan(loss) ? 1.0 : mixture.clean_probability(loss));
}

torch::Tensor LossGate::window_weights(const Batch& batch) const {
  std::vector<float> weights;
  for (const std::int64_t block : batch.blocks)
    weights.push_back(m_clean.empty() ? 1.0f : static_cast<float>(m_clean[static_cast<std::size_t>(block)]));
  return torch::tensor(weights);
}

double LossGate::clean_blocks() const {
  return std::accumulate(m_clean.begin(), m_clean.end(), 0.0);
}

}  // namespace furrow::segmentation
