#include "exclusive_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace furrow::labelling {
namespace {

/// Branch and bound in one connected component, among things that gain something.
class Search {
 public:
  Search(const ExclusiveChoice& choice, std::vector<std::size_t> things, std::size_t steps)
      : m_things(std::move(things)), m_steps(steps), m_excludes(m_things.size()) {
    // The most valuable first: good sets are found early. Ties: position.
    std::ranges::stable_sort(m_things,
                             [&](std::size_t a, std::size_t b) { return choice.gains[a] > choice.gains[b]; });
    for (std::size_t i = 0; i < m_things.size(); ++i) {
      m_gain.push_back(choice.gains[m_things[i]]);
      m_rounding += 1e-9 * std::abs(m_gain.back());
      const auto& excluded = choice.excludes[m_things[i]];
      m_excludes[i].assign(m_things.size(), false);
      for (std::size_t j = 0; j < m_things.size(); ++j)
        m_excludes[i][j] = std::ranges::binary_search(excluded, m_things[j]);
    }
    cover();
  }

  std::vector<std::size_t> run() {
    m_blocked.assign(m_things.size(), 0);
    descend(0, 0.0);
    std::vector<std::size_t> found;
    for (const std::size_t i : m_best) found.push_back(m_things[i]);
    return found;
  }

 private:
  /// Groups in which every thing excludes every other: of each, one at most can be chosen.
  void cover() {
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < m_things.size(); ++i) {
      const auto fits = std::ranges::find_if(groups, [&](const auto& group) {
        return std::ranges::all_of(group, [&](std::size_t j) { return m_excludes[i][j]; });
      });
      m_group.push_back(static_cast<std::size_t>(fits - groups.begin()));
      if (fits == groups.end()) {
        groups.push_back({i});
      } else {
        fits->push_back(i);
      }
    }
    m_groups = groups.size();
  }

  /// Most that the things from `from` on can add.
  [[nodiscard]] double bound(std::size_t from) const {
    std::vector<bool> seen(m_groups, false);
    double sum = 0.0;
    for (std::size_t i = from; i < m_things.size(); ++i) {
      // Gains descend, so the first of a group is its highest.
      if (m_blocked[i] != 0 || seen[m_group[i]]) continue;
      seen[m_group[i]] = true;
      sum += m_gain[i];
    }
    return sum;
  }

  void descend(std::size_t i, double sum) {
    if (++m_used > m_steps && m_has_best) return;
    while (i < m_things.size() && m_blocked[i] != 0) ++i;
    if (i == m_things.size()) {
      keep(sum);
      return;
    }
    if (m_has_best && sum + bound(i) < m_best_sum - m_rounding) return;
    m_chosen.push_back(i);
    block(i, 1);
    descend(i + 1, sum + m_gain[i]);
    block(i, -1);
    m_chosen.pop_back();
    // Leaving out a thing that excludes nothing which is still open cannot help.
    if (excludes_open(i)) descend(i + 1, sum);
  }

  [[nodiscard]] bool excludes_open(std::size_t i) const {
    for (std::size_t j = i + 1; j < m_things.size(); ++j) {
      if (m_excludes[i][j] && m_blocked[j] == 0) return true;
    }
    return false;
  }

  void block(std::size_t i, int change) {
    for (std::size_t j = i + 1; j < m_things.size(); ++j) {
      if (m_excludes[i][j]) m_blocked[j] += change;
    }
  }

  void keep(double sum) {
    const bool better = !m_has_best || sum > m_best_sum + m_rounding;
    const bool equal = !better && sum >= m_best_sum - m_rounding;
    if (!better && !(equal && m_chosen.size() > m_best.size())) return;
    m_has_best = true;
    m_best = m_chosen;
    m_best_sum = sum;
  }

  std::vector<std::size_t> m_things;
  std::size_t m_steps;
  std::vector<std::vector<bool>> m_excludes;
  std::vector<double> m_gain;
  double m_rounding = 0.0;
  std::vector<std::size_t> m_group;
  std::size_t m_groups = 0;
  std::vector<int> m_blocked;
  std::vector<std::size_t> m_chosen;
  bool m_has_best = false;
  std::vector<std::size_t> m_best;
  double m_best_sum = -std::numeric_limits<double>::infinity();
  std::size_t m_used = 0;
};

/// Adds what the chosen things do not exclude, the most valuable first.
void fill(const ExclusiveChoice& choice, std::vector<std::size_t> component,
          std::vector<std::size_t>& chosen) {
  std::ranges::stable_sort(component,
                           [&](std::size_t a, std::size_t b) { return choice.gains[a] > choice.gains[b]; });
  for (const std::size_t i : component) {
    const auto in_the_way = [&](std::size_t j) {
      return i == j || std::ranges::binary_search(choice.excludes[i], j);
    };
    if (std::ranges::none_of(chosen, in_the_way)) chosen.push_back(i);
  }
}

std::vector<std::vector<std::size_t>> components(const ExclusiveChoice& choice) {
  std::vector<bool> seen(choice.gains.size(), false);
  std::vector<std::vector<std::size_t>> all;
  for (std::size_t start = 0; start < seen.size(); ++start) {
    if (seen[start]) continue;
    std::vector<std::size_t> component{start};
    seen[start] = true;
    for (std::size_t next = 0; next < component.size(); ++next) {
      for (const std::size_t j : choice.excludes[component[next]]) {
        if (!seen[j]) component.push_back(j);
        seen[j] = true;
      }
    }
    std::ranges::sort(component);
    all.push_back(std::move(component));
  }
  return all;
}

}  // namespace

std::vector<std::size_t> choose_exclusive(const ExclusiveChoice& choice, std::size_t steps) {
  std::vector<std::size_t> chosen;
  for (const auto& component : components(choice)) {
    std::vector<std::size_t> gainful;
    std::ranges::copy_if(component, std::back_inserter(gainful),
                         [&](std::size_t i) { return choice.gains[i] > 0.0; });
    std::vector<std::size_t> found;
    if (!gainful.empty()) found = Search(choice, std::move(gainful), steps).run();
    fill(choice, component, found);
    chosen.insert(chosen.end(), found.begin(), found.end());
  }
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace furrow::labelling
