#include "weight_table.h"

#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

bool is_known(const LabellerWeights& w) {
  return !std::isnan(w.score) && !std::isnan(w.field_skill) && !std::isnan(w.nofield_skill);
}

double known_or(double value, double fallback) {
  return std::isnan(value) ? fallback : value;
}

}  // namespace

WeightTable::WeightTable(std::span<const LabellerWeights> weights) {
  VoterWeight sum{0.0, 0.0, 0.0};
  double known = 0.0;
  for (const auto& w : weights) {
    if (w.score < 0.0 || w.field_skill < 0.0 || w.nofield_skill < 0.0) {
      throw geo::InvalidArgument(
          geo::concat("labeller ", geo::quoted(w.labeller), " has a negative score or skill"));
    }
    m_by_name.emplace(w.labeller, w);
    if (!is_known(w)) continue;
    sum.score += w.score;
    sum.field_skill += w.field_skill;
    sum.nofield_skill += w.nofield_skill;
    known += 1.0;
  }
  if (known == 0.0) {
    throw geo::InvalidArgument(
        "no labeller has a score, a field skill and a no-field skill; score more sites or use the majority");
  }
  m_mean = {sum.score / known, sum.field_skill / known, sum.nofield_skill / known};
}

NamedWeight WeightTable::find(const std::string& labeller, bool fill) const {
  const auto it = m_by_name.find(labeller);
  const LabellerWeights w = it == m_by_name.end() ? LabellerWeights{} : it->second;
  NamedWeight found{{w.score, w.field_skill, w.nofield_skill}, it != m_by_name.end(), is_known(w)};
  if (fill) {
    found.weight = {known_or(w.score, m_mean.score), known_or(w.field_skill, m_mean.field_skill),
                    known_or(w.nofield_skill, m_mean.nofield_skill)};
  }
  return found;
}

}  // namespace furrow::labelling
