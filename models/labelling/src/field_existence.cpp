#include "field_existence.h"

#include <algorithm>
#include <cmath>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling {
namespace {

constexpr int kClasses = 2;   // no field, field
constexpr int kOutcomes = 3;  // no, yes, unsure

/// Largest areas of all classes of size but the last, by equal numbers of fields.
std::vector<double> class_limits(const std::vector<VotedLand>& lands, const InstanceOptions& options) {
  std::vector<double> areas;
  for (const auto& land : lands) {
    if (!land.is_free && land.voters.size() >= 2) areas.push_back(land.area_m2);
  }
  std::ranges::sort(areas);
  const auto enough = areas.size() / static_cast<std::size_t>(options.items_per_class);
  const std::size_t classes =
      std::clamp(enough, std::size_t{1}, static_cast<std::size_t>(options.max_size_classes));
  std::vector<double> limits;
  for (std::size_t k = 1; k < classes; ++k) {
    // Between two fields: what moving coordinates rounds off does not change a field's class.
    const std::size_t next = areas.size() * k / classes;
    limits.push_back(0.5 * (areas[next - 1] + areas[next]));
  }
  const auto repeated = std::ranges::unique(limits);
  limits.erase(repeated.begin(), repeated.end());
  return limits;
}

/// One class of size: its fields, and the free land in places of their mean size.
class SizeClass {
 public:
  SizeClass(const std::vector<VotedLand>& lands, double above_m2, double up_to_m2) : m_lands(lands) {
    double sum = 0.0;
    for (std::size_t i = 0; i < lands.size(); ++i) {
      if (lands[i].is_free || !(lands[i].area_m2 > above_m2 && lands[i].area_m2 <= up_to_m2)) continue;
      m_fields.push_back(i);
      sum += lands[i].area_m2;
    }
    if (!m_fields.empty()) m_place_m2 = sum / static_cast<double>(m_fields.size());
    m_fit.up_to_ha = up_to_m2 / 1e4;
    m_fit.fields = static_cast<std::int64_t>(m_fields.size());
    m_fit.place_ha = m_place_m2 / 1e4;
  }

  [[nodiscard]] const SizeClassFit& fit() const noexcept { return m_fit; }

  void learn(std::size_t n_labellers, const InstanceOptions& options, std::vector<double>& p_exists) {
    if (m_fields.empty()) return;
    VoteTable table(kClasses, kOutcomes, n_labellers);
    for (const std::size_t i : m_fields) add(table, m_lands[i], 1.0);
    for (const auto& land : m_lands) {
      if (land.is_free && land.area_m2 > 0.0) add(table, land, land.area_m2 / m_place_m2);
    }
    BayesOptions bayes = options.bayes;
    bayes.restarts = 0;
    bayes.usual_rows = {7.6, 0.32, 0.08, 1.2, 6.4, 0.4};
    const BayesFit fit = fuse_bayes(table, bayes);
    for (std::size_t r = 0; r < m_fields.size(); ++r) p_exists[m_fields[r]] = fit.fusion.posterior_of(r)[1];
    m_fit.detection = fit.population_sensitivity;
    m_fit.rejection = fit.population_specificity;
    m_fit.dependence = fit.dependence;
    m_fit.reference_sites = fit.reference_groups;
  }

 private:
  static void add(VoteTable& table, const VotedLand& land, double count) {
    std::vector<VoteEntry> votes;
    for (std::size_t v = 0; v < land.voters.size(); ++v)
      votes.push_back({land.voters[v], static_cast<std::uint16_t>(land.answers[v]), 1});
    table.add(votes, count, land.truth, land.site);
  }

  const std::vector<VotedLand>& m_lands;
  std::vector<std::size_t> m_fields;
  double m_place_m2 = 0.0;
  SizeClassFit m_fit;
};

}  // namespace

ExistenceFit fit_existence(const std::vector<VotedLand>& lands, std::size_t n_labellers,
                           const InstanceOptions& options) {
  ExistenceFit result;
  result.p_exists.assign(lands.size(), std::numeric_limits<double>::quiet_NaN());
  std::vector<double> limits = class_limits(lands, options);
  limits.push_back(std::numeric_limits<double>::infinity());
  double above = -1.0;
  for (const double limit : limits) {
    SizeClass size_class(lands, above, limit);
    size_class.learn(n_labellers, options, result.p_exists);
    result.size_classes.push_back(size_class.fit());
    above = limit;
  }
  return result;
}

}  // namespace furrow::labelling
