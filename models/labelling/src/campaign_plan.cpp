#include <furrow/labelling/campaign_plan.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/model_labeller.h>

namespace furrow::labelling {
namespace {

constexpr int kMostLabellers = 9;
constexpr std::size_t kSkillDraws = 200;
constexpr std::size_t kTeamsPerDraw = 100;  ///< that each draw of the skills is judged on
constexpr std::size_t kShareGroups = 20;
constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();

void require(bool holds, const char* message) {
  if (!holds) throw geo::InvalidArgument(geo::concat("campaign plan: ", message));
}

bool is_share(double value) {
  return value >= 0.0 && value <= 1.0;
}

bool is_cost(double value) {
  return std::isfinite(value) && value > 0.0;
}

void check(std::span<const PlanLabeller> labellers, const PlanOptions& options) {
  require(!labellers.empty(), "there is no labeller to draw from");
  for (const PlanLabeller& l : labellers) {
    for (const Estimate& e : {l.sensitivity, l.specificity})
      require(is_share(e.mean) && is_share(e.low) && is_share(e.high) && e.low <= e.high,
              "skills must be in 0..1 and intervals in order");
  }
  require(!options.field_shares.empty() && std::ranges::all_of(options.field_shares, is_share),
          "shares of field must be in 0..1");
  require(std::ranges::all_of(options.expert_shares, is_share), "shares of expert sites must be in 0..1");
  require(is_share(options.dependence) && is_share(options.expert_error) && is_share(options.max_risk),
          "dependence, the experts' error and the highest risk must be in 0..1");
  require(options.max_labellers >= 1 && options.max_labellers <= kMostLabellers,
          "there must be 1 to 9 labellers per site");
  require(is_cost(options.map_cost) && is_cost(options.expert_cost), "the costs of a map must be above 0");
  require(is_cost(options.budget), "the budget must be above 0");
  require(options.sites >= 0 && options.teams >= 1 && options.teams <= 1'000'000,
          "sites must be 0 (no limit) or more, teams 1 to 1000000");
  require(std::isnan(options.site_area_m2) || is_cost(options.site_area_m2),
          "the area of a site must be above 0");
}

struct Skill {
  double sensitivity = 0.0;
  double specificity = 0.0;
};

/// Probabilities of all combinations of answers of the first n members of a team, n = 0, 1, ...; bit j of a
/// combination is the answer of member j.
struct Answers {
  std::vector<std::vector<double>> given_field;
  std::vector<std::vector<double>> given_background;

  explicit Answers(std::span<const Skill> team) : given_field{{1.0}}, given_background{{1.0}} {
    for (const Skill& member : team) {
      given_field.push_back(extended(given_field.back(), member.sensitivity));
      given_background.push_back(extended(given_background.back(), 1.0 - member.specificity));
    }
  }

 private:
  static std::vector<double> extended(const std::vector<double>& before, double says_field) {
    std::vector<double> after(2 * before.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      after[i] = before[i] * (1.0 - says_field);
      after[before.size() + i] = before[i] * says_field;
    }
    return after;
  }
};

/// Share of wrong pixels when answers come as `real` and decisions are made as if they came as `assumed`.
double error_of(const Answers& assumed, const Answers& real, std::size_t labellers,
                std::span<const double> field_shares) {
  const auto& a1 = assumed.given_field[labellers];
  const auto& a0 = assumed.given_background[labellers];
  const auto& r1 = real.given_field[labellers];
  const auto& r0 = real.given_background[labellers];
  double error = 0.0;
  for (const double g : field_shares) {
    for (std::size_t i = 0; i < a1.size(); ++i) {
      const bool says_field = g * a1[i] > (1.0 - g) * a0[i];
      error += says_field ? (1.0 - g) * r0[i] : g * r1[i];
    }
  }
  return error / static_cast<double>(field_shares.size());
}

/// A draw from the Beta distribution with the mean and the spread of a 90 % interval.
double draw(geo::Random& random, const Estimate& estimate) {
  constexpr double kHalfWidth = 1.6448536269514722;  // 90 % of a normal distribution, in standard deviations
  const double sd = (estimate.high - estimate.low) / (2.0 * kHalfWidth);
  const double variance = estimate.mean * (1.0 - estimate.mean);
  if (sd <= 0.0 || variance <= 0.0) return estimate.mean;
  const double strength = std::max(1.0, variance / (sd * sd) - 1.0);
  return random.beta(estimate.mean * strength, (1.0 - estimate.mean) * strength);
}

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const double at = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

/// Risk of 0, 1, ... independent labellers, and its draws.
class TeamDraws {
 public:
  TeamDraws(std::span<const PlanLabeller> labellers, const PlanOptions& options)
      : m_labellers(labellers),
        m_options(options),
        m_sizes(static_cast<std::size_t>(options.max_labellers) + 1),
        m_means(skills_of([](const Estimate& e) { return e.mean; })) {
    draw_skills();
    draw_teams();
  }

  /// Risk of a number of independent labellers that need not be whole.
  [[nodiscard]] Estimate at(double independent) const {
    const auto below = static_cast<std::size_t>(independent);
    const std::size_t above = std::min(below + 1, m_sizes - 1);
    const double part = independent - static_cast<double>(below);
    const auto between = [&](const std::vector<double>& values) {
      return values[below] + part * (values[above] - values[below]);
    };
    Estimate risk;
    risk.mean = between(m_risk);
    std::vector<double> differences;
    for (const auto& of_draw : m_differences) differences.push_back(between(of_draw));
    risk.low = std::clamp(risk.mean + quantile(differences, 0.05), 0.0, risk.mean);
    risk.high = std::clamp(risk.mean + quantile(differences, 0.95), risk.mean, 1.0);
    return risk;
  }

 private:
  template <class TDraw>
  [[nodiscard]] std::vector<Skill> skills_of(const TDraw& one) const {
    std::vector<Skill> skills;
    for (const PlanLabeller& l : m_labellers) skills.push_back({one(l.sensitivity), one(l.specificity)});
    return skills;
  }

  void draw_skills() {
    for (std::size_t b = 0; b < kSkillDraws; ++b) {
      geo::Random random(m_options.seed, 2 * b + 1);
      m_drawn.push_back(skills_of([&](const Estimate& e) { return draw(random, e); }));
    }
  }

  [[nodiscard]] std::vector<std::size_t> draw_team(std::size_t index) const {
    geo::Random random(m_options.seed, 2 * index);
    std::vector<std::size_t> team;
    for (std::size_t i = 1; i < m_sizes; ++i) team.push_back(random.below(m_labellers.size()));
    return team;
  }

  static Answers answers_of(const std::vector<std::size_t>& team, const std::vector<Skill>& skills) {
    std::vector<Skill> members;
    for (const std::size_t i : team) members.push_back(skills[i]);
    return Answers(members);
  }

  void draw_teams() {
    const auto teams = static_cast<std::size_t>(m_options.teams);
    const std::size_t judged = std::min(teams, kTeamsPerDraw);
    std::vector<std::vector<double>> risks(teams, std::vector<double>(m_sizes));
    std::vector<std::vector<double>> errors(judged);  // shape [judged][draws, sizes]
    tbb::parallel_for(std::size_t{0}, teams, [&](std::size_t t) {
      const auto team = draw_team(t);
      const Answers assumed = answers_of(team, m_means);
      for (std::size_t n = 0; n < m_sizes; ++n)
        risks[t][n] = error_of(assumed, assumed, n, m_options.field_shares);
      if (t >= judged) return;
      for (const auto& skills : m_drawn) {
        const Answers real = answers_of(team, skills);
        for (std::size_t n = 0; n < m_sizes; ++n)
          errors[t].push_back(error_of(assumed, real, n, m_options.field_shares) - risks[t][n]);
      }
    });
    m_risk.assign(m_sizes, 0.0);
    for (const auto& of_team : risks) {
      for (std::size_t n = 0; n < m_sizes; ++n) m_risk[n] += of_team[n];
    }
    for (double& risk : m_risk) risk /= static_cast<double>(teams);
    m_differences.assign(kSkillDraws, std::vector<double>(m_sizes, 0.0));
    for (const auto& of_team : errors) {
      for (std::size_t i = 0; i < of_team.size(); ++i)
        m_differences[i / m_sizes][i % m_sizes] += of_team[i] / static_cast<double>(judged);
    }
  }

  std::span<const PlanLabeller> m_labellers;
  const PlanOptions& m_options;
  std::size_t m_sizes;
  std::vector<Skill> m_means;
  std::vector<std::vector<Skill>> m_drawn;
  std::vector<double> m_risk;
  std::vector<std::vector<double>> m_differences;  ///< shape [draws][sizes]: error less risk
};

PlanRow make_row(const TeamRisk& team, double expert_share, double prior_risk, const PlanOptions& options) {
  const auto mixed = [&](double of_team, double of_expert) {
    return (1.0 - expert_share) * of_team + expert_share * of_expert;
  };
  PlanRow row;
  row.labellers = team.labellers;
  row.expert_share = expert_share;
  row.site_cost = mixed(team.labellers * options.map_cost, options.expert_cost);
  const double paid = std::floor(options.budget / row.site_cost * (1.0 + 1e-12));
  constexpr double kMostSites = 9e15;
  row.sites = static_cast<std::int64_t>(std::min(paid, kMostSites));
  if (options.sites > 0) row.sites = std::min(row.sites, options.sites);
  const auto sites = static_cast<double>(row.sites);
  row.cost = sites * row.site_cost;
  row.risk = {mixed(team.risk.mean, options.expert_error), mixed(team.risk.low, options.expert_error),
              mixed(team.risk.high, options.expert_error)};
  row.correct_area_m2 = sites * options.site_area_m2 * (1.0 - row.risk.mean);
  row.wrong_area_m2 = sites * options.site_area_m2 * row.risk.mean;
  row.gained_sites = sites * (prior_risk - row.risk.mean);
  return row;
}

std::optional<std::size_t> best_of(const std::vector<PlanRow>& rows, const PlanOptions& options) {
  constexpr double kEqual = 1e-9;
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const PlanRow& row = rows[i];
    if (row.sites == 0 || row.risk.mean > options.max_risk || row.gained_sites <= kEqual) continue;
    if (best) {
      const PlanRow& so_far = rows[*best];
      const double margin = kEqual * (1.0 + std::abs(so_far.gained_sites));
      if (row.gained_sites < so_far.gained_sites - margin) continue;
      if (row.gained_sites <= so_far.gained_sites + margin && row.cost >= so_far.cost) continue;
    }
    best = i;
  }
  return best;
}

/// A share between 0 and 1; NaN where the cell says "missing".
double share_at(const geo::CsvTable& table, std::size_t row, int column) {
  if (column < 0) return kNotGiven;
  const std::string& text = table.rows[row][static_cast<std::size_t>(column)];
  if (geo::is_missing(text)) return kNotGiven;
  double value = 0.0;
  if (!geo::parse_number(geo::trim(text), value) || !is_share(value)) {
    throw geo::IoError(geo::concat(table.place(row), ": ", table.columns[static_cast<std::size_t>(column)],
                                   " is ", geo::quoted(text), "; it must be a number from 0 to 1, or NA"));
  }
  return value;
}

Estimate estimate_at(const geo::CsvTable& table, std::size_t row, const std::string& name) {
  Estimate e;
  e.mean = share_at(table, row, table.find_column(name));
  e.low = share_at(table, row, table.find_column(name + "_low"));
  e.high = share_at(table, row, table.find_column(name + "_high"));
  if (std::isnan(e.low) || std::isnan(e.high)) e.low = e.high = e.mean;
  if (e.low > e.high)
    throw geo::IoError(geo::concat(table.place(row), ": ", name, "_low is above ", name, "_high"));
  return e;
}

std::string text(double value) {
  return std::isnan(value) ? "NA" : geo::shortest(value);
}

}  // namespace

CampaignPlan plan_campaign(std::span<const PlanLabeller> labellers, const PlanOptions& options) {
  check(labellers, options);
  const TeamDraws draws(labellers, options);
  CampaignPlan plan;
  for (const double g : options.field_shares)
    plan.prior_risk += std::min(g, 1.0 - g) / static_cast<double>(options.field_shares.size());
  for (int n = 1; n <= options.max_labellers; ++n) {
    const double independent = n / (1.0 + (n - 1) * options.dependence);
    plan.teams.push_back({n, independent, draws.at(independent)});
  }
  for (const double share : options.expert_shares) {
    if (share >= 1.0) continue;
    for (const TeamRisk& team : plan.teams)
      plan.rows.push_back(make_row(team, share, plan.prior_risk, options));
  }
  plan.rows.push_back(make_row({}, 1.0, plan.prior_risk, options));
  plan.best = best_of(plan.rows, options);
  if (plan.best) plan.rows[*plan.best].is_best = true;
  return plan;
}

std::vector<PlanLabeller> read_plan_labellers(const std::filesystem::path& path,
                                              std::vector<std::string>& left_out) {
  const geo::CsvTable table = geo::read_csv(path);
  const std::size_t name = table.column("Labeller");
  (void)table.column("FieldSkill");
  (void)table.column("NoFieldSkill");
  const int counts = table.find_column("counts");
  std::vector<PlanLabeller> labellers;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    if (table.rows[row][name] == kModelLabeller) continue;  // nobody to give a site to
    PlanLabeller l{table.rows[row][name], estimate_at(table, row, "FieldSkill"),
                   estimate_at(table, row, "NoFieldSkill")};
    const bool unknown = std::isnan(l.sensitivity.mean) || std::isnan(l.specificity.mean);
    if (unknown || share_at(table, row, counts) == 0.0) {
      left_out.push_back(l.name);
    } else {
      labellers.push_back(std::move(l));
    }
  }
  if (labellers.empty()) {
    throw geo::IoError(geo::concat(geo::quoted(path.string()), " has no labeller with FieldSkill and ",
                                   "NoFieldSkill; score the labellers, or fuse their maps, first"));
  }
  return labellers;
}

PlanSites read_plan_sites(const std::filesystem::path& path) {
  const geo::CsvTable table = geo::read_csv(path);
  const auto share = static_cast<int>(table.column("field_share"));
  const std::size_t area = table.column("area_m2");
  std::vector<double> shares;
  PlanSites sites;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const double value = share_at(table, row, share);
    if (std::isnan(value)) continue;
    double m2 = 0.0;
    if (!geo::parse_number(geo::trim(table.rows[row][area]), m2) || !is_cost(m2)) {
      throw geo::IoError(geo::concat(table.place(row), ": area_m2 is ", geo::quoted(table.rows[row][area]),
                                     "; it must be a number above 0"));
    }
    shares.push_back(value);
    sites.site_area_m2 += m2;
  }
  if (shares.empty())
    throw geo::IoError(geo::concat(geo::quoted(path.string()), " has no site with a field_share"));
  sites.site_area_m2 /= static_cast<double>(shares.size());
  std::ranges::sort(shares);
  const std::size_t groups = std::min(shares.size(), kShareGroups);
  for (std::size_t g = 0; g < groups; ++g) {
    const auto from = shares.begin() + static_cast<std::ptrdiff_t>(g * shares.size() / groups);
    const auto to = shares.begin() + static_cast<std::ptrdiff_t>((g + 1) * shares.size() / groups);
    sites.field_shares.push_back(std::accumulate(from, to, 0.0) / static_cast<double>(to - from));
  }
  return sites;
}

geo::CsvTable plan_table(const CampaignPlan& plan) {
  geo::CsvTable table;
  table.columns = {"labellers", "expert_share", "site_cost",       "sites",         "cost",         "risk",
                   "risk_low",  "risk_high",    "correct_area_m2", "wrong_area_m2", "gained_sites", "best"};
  for (const PlanRow& row : plan.rows) {
    table.rows.push_back({std::to_string(row.labellers), text(row.expert_share), text(row.site_cost),
                          std::to_string(row.sites), text(row.cost), text(row.risk.mean), text(row.risk.low),
                          text(row.risk.high), text(row.correct_area_m2), text(row.wrong_area_m2),
                          text(row.gained_sites), row.is_best ? "1" : "0"});
  }
  return table;
}

}  // namespace furrow::labelling
