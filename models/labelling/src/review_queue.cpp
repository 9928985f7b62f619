#include <furrow/labelling/review_queue.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <queue>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {
namespace {

void require(bool holds, const char* message) {
  if (!holds) throw geo::InvalidArgument(message);
}

bool is_cost(double value) {
  return std::isfinite(value) && value > 0.0;
}

void check(const ReviewOptions& options) {
  require(is_cost(options.map_cost) && is_cost(options.expert_cost),
          "review queue: the costs of a map must be above 0");
  require(options.expert_error >= 0.0 && options.expert_error <= 1.0,
          "review queue: the share that an expert gets wrong must be in 0..1");
  require(options.capacity >= 0 && options.length >= 0,
          "review queue: capacity and length must be 0 (no limit) or more");
}

/// Rows of one group.
struct Group {
  std::vector<std::size_t> rows;
  std::vector<std::uint8_t> has_votes;  ///< by voter
  double items = 0.0;
  bool is_known = false;
};

/// Confusion of all candidates, raised to the weight that votes get when there is one voter more.
struct Powers {
  double kappa = 1.0;
  std::vector<double> confusion;  ///< shape [candidates, classes, outcomes]
};

/// Everything that does not depend on the site.
class Values {
 public:
  Values(const VoteTable& votes, const FusionFit& fusion, const BayesFit& fit)
      : m_votes(votes),
        m_fusion(fusion),
        m_fit(fit),
        m_classes(static_cast<std::size_t>(votes.classes())),
        m_outcomes(static_cast<std::size_t>(votes.outcomes())),
        m_confusion(fusion.confusion) {
    m_confusion.insert(m_confusion.end(), fit.population.begin(), fit.population.end());
    for (std::size_t i = 0; i < votes.rows(); ++i) {
      const std::size_t n = count_voters(votes.row(i));
      if (!m_powers.contains(n)) m_powers.emplace(n, make_powers(n));
    }
  }

  /// Adds the value of a map of the row's items by every candidate, times their number.
  /// @param candidates  voters, or voters() for anyone else
  /// @param values      one per candidate
  void add(std::size_t row_index, std::span<const std::uint32_t> candidates, std::span<double> values) const {
    constexpr double kNothing = 1e-12;
    const VoteRow row = m_votes.row(row_index);
    const auto posterior = m_fusion.posterior_of(row_index);
    const auto best = static_cast<std::size_t>(std::ranges::max_element(posterior) - posterior.begin());
    const double risk = 1.0 - posterior[best];
    if (row.count <= 0.0 || risk <= kNothing) return;
    const Powers& powers = m_powers.at(count_voters(row));
    const std::vector<double> shares = shares_of(row.group);
    const std::vector<double> base = weigh(row, powers.kappa, shares);
    std::vector<double> after(m_classes);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::size_t first = candidates[i] * m_classes * m_outcomes;
      double value = 0.0;
      for (std::size_t o = 0; o < m_outcomes; ++o) {
        for (std::size_t c = 0; c < m_classes; ++c)
          after[c] = base[c] * powers.confusion[first + c * m_outcomes + o];
        const double gain = gain_of(after, best, shares);
        if (gain <= 0.0) continue;
        double chance = 0.0;
        for (std::size_t c = 0; c < m_classes; ++c)
          chance += posterior[c] * m_confusion[first + c * m_outcomes + o];
        value += chance * gain;
      }
      values[i] += row.count * std::min(value, risk);
    }
  }

  /// Items of a row times their risk.
  [[nodiscard]] double risk_of(std::size_t row) const {
    return m_votes.row(row).count * (1.0 - std::ranges::max(m_fusion.posterior_of(row)));
  }

 private:
  [[nodiscard]] std::size_t count_voters(const VoteRow& row) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < row.votes.size(); ++i) {
      const bool is_new = i == 0 || row.votes[i].voter != row.votes[i - 1].voter;
      if (is_new && !m_fit.skills[row.votes[i].voter].is_silenced) ++count;
    }
    return count;
  }

  [[nodiscard]] Powers make_powers(std::size_t voters) const {
    Powers powers{m_fit.kappa_of(voters + 1), m_confusion};
    if (powers.kappa == 1.0) return powers;
    for (double& p : powers.confusion) p = std::pow(p, powers.kappa);
    return powers;
  }

  [[nodiscard]] std::vector<double> shares_of(std::size_t group) const {
    const std::size_t first = group * m_classes;
    const double* shares =
        first < m_fit.group_shares.size() ? m_fit.group_shares.data() + first : m_fusion.class_shares.data();
    return {shares, shares + m_classes};
  }

  /// Prior and votes of an item, up to a factor: what a further answer is multiplied to.
  [[nodiscard]] std::vector<double> weigh(const VoteRow& row, double kappa,
                                          const std::vector<double>& shares) const {
    std::vector<double> logs(m_classes);
    for (std::size_t c = 0; c < m_classes; ++c) {
      for (const VoteEntry& vote : row.votes) {
        if (m_fit.skills[vote.voter].is_silenced) continue;
        logs[c] +=
            vote.times * std::log(m_fusion.confusion_at(vote.voter, static_cast<int>(c), vote.outcome));
      }
      logs[c] = kappa * logs[c] + std::log(shares[c]);
    }
    const double largest = std::ranges::max(logs);
    for (double& l : logs) l = std::exp(l - largest);
    return logs;
  }

  /// How much more probable the then best class is than the present one.
  /// @param after  the posterior after an answer, not normalised; changed in place
  [[nodiscard]] double gain_of(std::vector<double>& after, std::size_t best,
                               const std::vector<double>& shares) const {
    const RiskCalibration& calibration = m_fit.calibration.calibration;
    // A power keeps the order of the classes, a lapse need not.
    if (calibration.lapse == 0.0 && std::ranges::max(after) <= after[best]) return 0.0;
    double total = 0.0;
    for (const double p : after) total += p;
    if (!(total > 0.0)) return 0.0;
    for (double& p : after) p /= total;
    calibration.apply(after, shares);
    return std::ranges::max(after) - after[best];
  }

  const VoteTable& m_votes;
  const FusionFit& m_fusion;
  const BayesFit& m_fit;
  std::size_t m_classes;
  std::size_t m_outcomes;
  std::vector<double> m_confusion;         ///< of the voters, then of the population
  std::map<std::size_t, Powers> m_powers;  ///< by number of voters so far
};

std::vector<Group> collect_groups(const VoteTable& votes) {
  std::vector<Group> groups(votes.groups());
  for (std::size_t i = 0; i < votes.rows(); ++i) {
    const VoteRow row = votes.row(i);
    Group& group = groups[row.group];
    group.is_known = group.is_known || row.truth >= 0;
    group.has_votes.resize(votes.voters(), 0);
    for (const VoteEntry& vote : row.votes) group.has_votes[vote.voter] = 1;
    if (row.count <= 0.0) continue;
    group.rows.push_back(i);
    group.items += row.count;
  }
  return groups;
}

/// Who may be asked; votes.voters() stands for anyone else.
std::vector<std::uint32_t> candidates_of(const Group& group, const ReviewSite& site, const BayesFit& fit) {
  std::vector<std::uint8_t> taken = group.has_votes;
  for (const std::uint32_t voter : site.not_asked) taken[voter] = 1;
  std::vector<std::uint32_t> candidates;
  for (std::uint32_t v = 0; v < taken.size(); ++v) {
    if (taken[v] == 0 && !fit.skills[v].is_silenced) candidates.push_back(v);
  }
  if (candidates.empty()) candidates.push_back(static_cast<std::uint32_t>(taken.size()));
  return candidates;
}

SiteReview review_site(std::uint32_t index, const Group& group, const ReviewSite& site, const Values& values,
                       const BayesFit& fit, const ReviewOptions& options) {
  SiteReview review;
  review.group = index;
  review.items = group.items;
  review.item_area = site.item_area;
  const auto candidates = candidates_of(group, site, fit);
  std::vector<double> removed(candidates.size(), 0.0);
  for (const std::size_t row : group.rows) {
    values.add(row, candidates, removed);
    review.risk += values.risk_of(row);
  }
  review.risk /= group.items;
  review.expert_removed = std::max(0.0, review.risk - options.expert_error);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool known = candidates[i] < group.has_votes.size();
    review.labellers.push_back({known ? candidates[i] : kAnyoneElse, removed[i] / group.items});
  }
  std::ranges::stable_sort(review.labellers, std::greater<>{}, &ReviewChoice::removed);
  return review;
}

void check_sizes(const VoteTable& votes, const FusionFit& fusion, const BayesFit& fit,
                 std::span<const ReviewSite> sites) {
  const auto cells = static_cast<std::size_t>(votes.classes() * votes.outcomes());
  require(fusion.classes == votes.classes() && fusion.outcomes == votes.outcomes() &&
              fusion.confusion.size() == votes.voters() * cells && fit.skills.size() == votes.voters() &&
              fit.population.size() == cells &&
              fusion.posterior.size() == votes.rows() * static_cast<std::size_t>(votes.classes()),
          "review queue: the fit does not belong to the table of votes");
  require(sites.empty() || sites.size() >= votes.groups(), "review queue: a site per group is needed");
  for (const ReviewSite& site : sites) {
    require(std::isfinite(site.item_area) && site.item_area >= 0.0,
            "review queue: the area of an item must be 0 or more");
    for (const std::uint32_t voter : site.not_asked)
      require(voter < votes.voters(), "review queue: a voter is out of range");
  }
}

/// A site in the queue and where it stands in its list of labellers.
struct Waiting {
  double per_cost = 0.0;
  std::size_t site = 0;
  std::size_t labeller = 0;  ///< position of the best one with room; size() = none

  /// The largest comes out of the queue first.
  friend bool operator<(const Waiting& a, const Waiting& b) {
    return a.per_cost != b.per_cost ? a.per_cost < b.per_cost : a.site > b.site;
  }
};

class Queue {
 public:
  Queue(std::span<const SiteReview> sites, const ReviewOptions& options)
      : m_sites(sites), m_options(options) {
    for (std::size_t i = 0; i < sites.size(); ++i) push(i, 0);
  }

  [[nodiscard]] std::vector<ReviewItem> run() {
    std::vector<ReviewItem> items;
    while (!m_waiting.empty() && !is_long_enough(items.size())) {
      const Waiting next = m_waiting.top();
      m_waiting.pop();
      const std::size_t now = with_room(next.site, next.labeller);
      if (now != next.labeller) {
        push(next.site, now);
      } else {
        items.push_back(take(next));
      }
    }
    return items;
  }

 private:
  [[nodiscard]] bool is_long_enough(std::size_t items) const {
    return m_options.length > 0 && items >= static_cast<std::size_t>(m_options.length);
  }

  [[nodiscard]] std::size_t with_room(std::size_t site, std::size_t from) const {
    const auto& labellers = m_sites[site].labellers;
    while (from < labellers.size() && !has_room(labellers[from].voter)) ++from;
    return from;
  }

  [[nodiscard]] bool has_room(std::uint32_t voter) const {
    if (m_options.capacity == 0 || voter == kAnyoneElse) return true;
    const auto asked = m_asked.find(voter);
    return asked == m_asked.end() || asked->second < m_options.capacity;
  }

  [[nodiscard]] double per_cost(std::size_t site, const ReviewChoice& choice) const {
    const double cost = choice.voter == kExpert ? m_options.expert_cost : m_options.map_cost;
    return m_sites[site].items * m_sites[site].item_area * choice.removed / cost;
  }

  [[nodiscard]] ReviewChoice expert_of(std::size_t site) const {
    return {kExpert, m_sites[site].expert_removed};
  }

  /// The better per cost of a labeller and the expert.
  [[nodiscard]] ReviewChoice best_of(std::size_t site, std::size_t labeller) const {
    const auto& labellers = m_sites[site].labellers;
    const ReviewChoice expert = expert_of(site);
    if (labeller >= labellers.size()) return expert;
    return per_cost(site, labellers[labeller]) >= per_cost(site, expert) ? labellers[labeller] : expert;
  }

  void push(std::size_t site, std::size_t labeller) {
    labeller = with_room(site, labeller);
    const double value = per_cost(site, best_of(site, labeller));
    if (value > 0.0) m_waiting.push({value, site, labeller});
  }

  ReviewItem take(const Waiting& waiting) {
    ReviewItem item;
    item.site = waiting.site;
    item.ask = best_of(waiting.site, waiting.labeller);
    const bool by_expert = item.ask.voter == kExpert;
    item.cost = by_expert ? m_options.expert_cost : m_options.map_cost;
    item.per_cost = waiting.per_cost;
    item.removed_area = item.per_cost * item.cost;
    if (by_expert) {
      item.has_second = waiting.labeller < m_sites[waiting.site].labellers.size();
      if (item.has_second) item.second = m_sites[waiting.site].labellers[waiting.labeller];
    } else {
      ++m_asked[item.ask.voter];
      item.has_second = true;
      item.second = best_of(waiting.site, with_room(waiting.site, waiting.labeller + 1));
    }
    item.has_second = item.has_second && item.second.removed > 0.0;
    if (!item.has_second) item.second = {};
    return item;
  }

  std::span<const SiteReview> m_sites;
  const ReviewOptions& m_options;
  std::priority_queue<Waiting> m_waiting;
  std::map<std::uint32_t, std::int64_t> m_asked;
};

}  // namespace

std::vector<SiteReview> value_of_maps(const VoteTable& votes, const FusionFit& fusion, const BayesFit& fit,
                                      std::span<const ReviewSite> sites, const ReviewOptions& options) {
  check(options);
  check_sizes(votes, fusion, fit, sites);
  const std::vector<Group> groups = collect_groups(votes);
  const Values values(votes, fusion, fit);
  const ReviewSite plain;
  const auto site_of = [&](std::size_t g) -> const ReviewSite& { return sites.empty() ? plain : sites[g]; };
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    if (groups[g].items > 0.0 && !groups[g].is_known && site_of(g).is_wanted) wanted.push_back(g);
  }
  std::vector<SiteReview> reviews(wanted.size());
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, wanted.size(), 1), [&](const auto& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i)
      reviews[i] = review_site(wanted[i], groups[wanted[i]], site_of(wanted[i]), values, fit, options);
  });
  return reviews;
}

std::vector<ReviewItem> queue_reviews(std::span<const SiteReview> sites, const ReviewOptions& options) {
  check(options);
  return Queue(sites, options).run();
}

}  // namespace furrow::labelling
