#include <furrow/assessment/isotonic.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <furrow/geo/core/error.h>

namespace furrow::assessment {

std::vector<IsotonicBlock> fit_isotonic(std::span<const WeightedPoint> points) {
  std::vector<WeightedPoint> sorted(points.begin(), points.end());
  for (const WeightedPoint& p : sorted) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y) || !std::isfinite(p.weight) || !(p.weight > 0.0))
      throw geo::InvalidArgument("isotonic regression needs finite points with positive weights");
  }
  // By all three, so that sums are the same for any order of the input.
  std::ranges::sort(sorted, {}, [](const WeightedPoint& p) { return std::tuple(p.x, p.y, p.weight); });
  std::vector<IsotonicBlock> blocks;
  for (std::size_t i = 0; i < sorted.size();) {
    IsotonicBlock block{sorted[i].x, sorted[i].x, 0.0, 0.0};
    double sum = 0.0;
    for (; i < sorted.size() && sorted[i].x == block.first_x; ++i) {
      sum += sorted[i].weight * sorted[i].y;
      block.weight += sorted[i].weight;
    }
    block.value = sum / block.weight;
    while (!blocks.empty() && blocks.back().value >= block.value) {
      const IsotonicBlock& before = blocks.back();
      const double weight = before.weight + block.weight;
      block = {before.first_x, block.last_x,
               (before.value * before.weight + block.value * block.weight) / weight, weight};
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  return blocks;
}

MonotoneCurve::MonotoneCurve(std::vector<geo::Point> knots) : m_knots(std::move(knots)) {
  if (m_knots.empty()) throw geo::InvalidArgument("a monotone curve needs a knot");
  for (std::size_t i = 0; i < m_knots.size(); ++i) {
    if (!std::isfinite(m_knots[i].x) || !std::isfinite(m_knots[i].y))
      throw geo::InvalidArgument("a knot of a monotone curve is not finite");
    if (i > 0 && (m_knots[i].x < m_knots[i - 1].x || m_knots[i].y < m_knots[i - 1].y))
      throw geo::InvalidArgument("the knots of a monotone curve descend");
  }
}

double MonotoneCurve::at(double x) const {
  const auto after = std::ranges::upper_bound(m_knots, x, {}, [](const geo::Point& knot) { return knot.x; });
  if (after == m_knots.begin()) return m_knots.front().y;
  if (after == m_knots.end()) return m_knots.back().y;
  const geo::Point& a = *(after - 1);
  const geo::Point& b = *after;
  return a.y + (x - a.x) / (b.x - a.x) * (b.y - a.y);
}

}  // namespace furrow::assessment
