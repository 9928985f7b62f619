#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <furrow/labelling/variance_components.h>

/// Skills that are shares of area (sensitivity, specificity), with the spread between sites taken seriously.
namespace furrow::labelling {

/// What one labeller got right and wrong of one kind of area at one site.
struct AreaShare {
  std::size_t labeller = 0;
  double right_m2 = 0.0;
  double wrong_m2 = 0.0;
};

struct AreaSkillOptions {
  double interval = 0.9;
  double look_m2 = 100.0;  ///< area that counts as one look before sites' likeness is allowed for
};

struct AreaSkills {
  bool estimated = false;  ///< false: too little data, `skills` is empty and `note` says why
  std::string note;
  /// Likeness of looks at the same site, 0..1: a site of n looks is worth n / (1 + (n - 1) overdispersion),
  /// so never more than 1 / overdispersion however large it is.
  double overdispersion = std::numeric_limits<double>::quiet_NaN();
  double prior_a = std::numeric_limits<double>::quiet_NaN();  ///< Beta prior of a labeller: the population
  double prior_b = std::numeric_limits<double>::quiet_NaN();
  std::vector<SkillEstimate> skills;  ///< per labeller; without sites the population
  std::vector<double> looks;          ///< per labeller: worth of all sites
  std::vector<double> right;          ///< per labeller: of those looks, right
};

/// Beta-binomial skills: every site adds its looks, reduced for their likeness, to a Beta prior that is the
/// population of labellers. Sites without such area say nothing. Overdispersion: Pearson's statistic equals
/// its degrees of freedom (Williams 1982); population: moments of labellers' means (DerSimonian and Laird
/// 1986), its weight held between 2 and 200 looks. Needs three labellers with two sites and 12 repeats in all
/// (sites beyond each labeller's first).
/// @throws geo::InvalidArgument  options or a labeller out of range. Threads: safe to call concurrently.
[[nodiscard]] AreaSkills fit_area_skills(std::span<const AreaShare> shares, std::size_t labellers,
                                         const AreaSkillOptions& options = {});

}  // namespace furrow::labelling
