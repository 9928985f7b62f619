#include <furrow/labelling/field_partition.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <numeric>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/matching.h>

#include "exclusive_choice.h"

namespace furrow::labelling {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// What one polygon shares with another.
struct Overlap {
  std::size_t with = 0;
  double shared = 0.0;
  double iou = 0.0;
};

/// By place and form alone, so that the order of labellers does not matter.
std::strong_ordering compare(const geo::Ring& a, const geo::Ring& b) {
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(),
                                                [](const geo::Point& p, const geo::Point& q) {
                                                  const auto by_x = std::strong_order(p.x, q.x);
                                                  return by_x != nullptr ? by_x : std::strong_order(p.y, q.y);
                                                });
}

std::strong_ordering compare(const geo::MultiPolygon& a, const geo::MultiPolygon& b) {
  const geo::Box box_a = geo::bounds(a);
  const geo::Box box_b = geo::bounds(b);
  if (const auto by_x = std::strong_order(box_a.min_x, box_b.min_x); by_x != nullptr) return by_x;
  if (const auto by_y = std::strong_order(box_b.max_y, box_a.max_y); by_y != nullptr) return by_y;
  if (const auto parts = a.size() <=> b.size(); parts != nullptr) return parts;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (const auto shell = compare(a[i].shell, b[i].shell); shell != nullptr) return shell;
    if (const auto holes = a[i].holes.size() <=> b[i].holes.size(); holes != nullptr) return holes;
    for (std::size_t h = 0; h < a[i].holes.size(); ++h) {
      if (const auto hole = compare(a[i].holes[h], b[i].holes[h]); hole != nullptr) return hole;
    }
  }
  return std::strong_ordering::equal;
}

/// Positions of the polygons in an order that depends on places, forms and weights only.
std::vector<std::size_t> canonical_order(std::span<const DrawnPolygon> polygons,
                                         std::span<const double> weights) {
  std::vector<std::size_t> order(polygons.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const auto by_form = compare(polygons[a].shape, polygons[b].shape);
    if (by_form != nullptr) return by_form < nullptr;
    return weights[polygons[a].labeller] > weights[polygons[b].labeller];
  });
  return order;
}

void check(std::span<const DrawnPolygon> polygons, std::span<const double> weights, double min_iou) {
  if (!(min_iou > 0.0 && min_iou <= 1.0))
    throw geo::InvalidArgument("the least IoU of equal fields must be above 0 and at most 1");
  for (const double w : weights) {
    if (!(std::isfinite(w) && w >= 0.0)) throw geo::InvalidArgument("weights of labellers must be 0 or more");
  }
  for (const auto& polygon : polygons) {
    if (polygon.labeller >= weights.size()) throw geo::InvalidArgument("a labeller has no weight");
  }
}

/// Polygons in canonical order with everything that they share.
class Overlaps {
 public:
  Overlaps(std::span<const DrawnPolygon> polygons, std::span<const double> weights)
      : m_order(canonical_order(polygons, weights)), m_of(polygons.size()) {
    std::vector<geo::MultiPolygon> shapes;
    shapes.reserve(polygons.size());
    for (const std::size_t i : m_order) {
      shapes.push_back(polygons[i].shape);
      m_labeller.push_back(polygons[i].labeller);
      m_weight.push_back(weights[polygons[i].labeller]);
      m_area.push_back(geo::area(polygons[i].shape));
    }
    for (const auto& pair : geo::overlaps(shapes, shapes))
      m_of[pair.a].push_back({pair.b, pair.intersection, pair.iou});
  }

  [[nodiscard]] std::size_t size() const noexcept { return m_of.size(); }
  [[nodiscard]] std::size_t original(std::size_t i) const { return m_order[i]; }
  [[nodiscard]] std::uint32_t labeller(std::size_t i) const { return m_labeller[i]; }
  [[nodiscard]] double weight(std::size_t i) const { return m_weight[i]; }
  [[nodiscard]] double area(std::size_t i) const { return m_area[i]; }
  [[nodiscard]] const std::vector<Overlap>& of(std::size_t i) const { return m_of[i]; }

 private:
  std::vector<std::size_t> m_order;
  std::vector<std::vector<Overlap>> m_of;  ///< ascending by `with`; the polygon itself, too
  std::vector<std::uint32_t> m_labeller;
  std::vector<double> m_weight;
  std::vector<double> m_area;
};

/// Clusters of polygons of different labellers that mean the same field.
class Grouping {
 public:
  Grouping(const Overlaps& overlaps, double min_iou)
      : m_overlaps(overlaps), m_min_iou(min_iou), m_free(overlaps.size(), true) {
    for (std::size_t i = 0; i < overlaps.size(); ++i) m_agreement.push_back(agreement(matches(i)));
  }

  /// Candidates in the order found, without gains.
  std::vector<CandidateField> run() {
    std::vector<CandidateField> candidates;
    for (std::size_t left = m_overlaps.size(); left > 0;) {
      const std::size_t typical = best();
      CandidateField candidate{typical, {}, 0.0, false};
      for (const Overlap& match : matches(typical)) candidate.members.push_back(match.with);
      std::ranges::sort(candidate.members);
      left -= candidate.members.size();
      take(candidate.members);
      candidates.push_back(std::move(candidate));
    }
    return candidates;
  }

 private:
  /// The free polygon itself and the most similar free one of every other labeller, by position.
  [[nodiscard]] std::vector<Overlap> matches(std::size_t i) const {
    std::vector<Overlap> found{{i, m_overlaps.area(i), 1.0}};
    for (const Overlap& o : m_overlaps.of(i)) {
      const std::uint32_t labeller = m_overlaps.labeller(o.with);
      if (!m_free[o.with] || o.iou < m_min_iou || labeller == m_overlaps.labeller(i)) continue;
      const auto same = std::ranges::find_if(
          found, [&](const Overlap& f) { return m_overlaps.labeller(f.with) == labeller; });
      if (same == found.end()) {
        found.push_back(o);
      } else if (o.iou > same->iou) {
        *same = o;
      }
    }
    std::ranges::sort(found, {}, &Overlap::with);
    return found;
  }

  [[nodiscard]] double agreement(const std::vector<Overlap>& matches) const {
    double sum = 0.0;
    for (const Overlap& match : matches) sum += m_overlaps.weight(match.with) * match.iou;
    return sum;
  }

  /// Differences below rounding are ties: the first in canonical order.
  [[nodiscard]] std::size_t best() const {
    std::size_t found = kNone;
    for (std::size_t i = 0; i < m_free.size(); ++i) {
      if (m_free[i] && (found == kNone || m_agreement[i] > m_agreement[found] * (1.0 + 1e-9))) found = i;
    }
    return found;
  }

  void take(const std::vector<std::size_t>& members) {
    for (const std::size_t i : members) m_free[i] = false;
    std::vector<std::size_t> changed;
    for (const std::size_t i : members) {
      for (const Overlap& o : m_overlaps.of(i)) {
        if (m_free[o.with]) changed.push_back(o.with);
      }
    }
    std::ranges::sort(changed);
    const auto repeated = std::ranges::unique(changed);
    changed.erase(repeated.begin(), repeated.end());
    for (const std::size_t i : changed) m_agreement[i] = agreement(matches(i));
  }

  const Overlaps& m_overlaps;
  double m_min_iou;
  std::vector<bool> m_free;
  std::vector<double> m_agreement;
};

double gain_of(const Overlaps& overlaps, std::size_t typical) {
  struct Sums {
    std::uint32_t labeller;
    double weight, squares, mapped;
  };
  std::vector<Sums> all;
  for (const Overlap& o : overlaps.of(typical)) {
    const std::uint32_t labeller = overlaps.labeller(o.with);
    const auto it = std::ranges::find(all, labeller, &Sums::labeller);
    Sums& sums = it != all.end() ? *it : all.emplace_back(Sums{labeller, overlaps.weight(o.with), 0.0, 0.0});
    sums.squares += o.shared * o.shared;
    sums.mapped += o.shared;
  }
  const double area = overlaps.area(typical);
  double gain = 0.0;
  for (const Sums& s : all) {
    const double mapped = std::min(area, s.mapped);
    gain += s.weight * (2.0 * s.squares - mapped * mapped - 2.0 * mapped * (area - mapped));
  }
  return gain;
}

/// Which candidates share more than half of the smaller one.
ExclusiveChoice exclusions(const Overlaps& overlaps, const std::vector<CandidateField>& candidates) {
  std::vector<std::size_t> candidate_of(overlaps.size(), kNone);
  for (std::size_t c = 0; c < candidates.size(); ++c) candidate_of[candidates[c].typical] = c;
  ExclusiveChoice choice;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const std::size_t typical = candidates[c].typical;
    choice.gains.push_back(candidates[c].gain);
    choice.excludes.emplace_back();
    for (const Overlap& o : overlaps.of(typical)) {
      const std::size_t other = candidate_of[o.with];
      const double smaller = std::min(overlaps.area(typical), overlaps.area(o.with));
      if (other != kNone && other != c && o.shared > 0.5 * smaller) choice.excludes[c].push_back(other);
    }
    std::ranges::sort(choice.excludes[c]);
  }
  return choice;
}

}  // namespace

std::vector<CandidateField> partition_fields(std::span<const DrawnPolygon> polygons,
                                             std::span<const double> weights, double min_iou) {
  check(polygons, weights, min_iou);
  const Overlaps overlaps(polygons, weights);
  std::vector<CandidateField> candidates = Grouping(overlaps, min_iou).run();
  std::ranges::sort(candidates, {}, &CandidateField::typical);
  for (auto& candidate : candidates) candidate.gain = gain_of(overlaps, candidate.typical);
  for (const std::size_t c : choose_exclusive(exclusions(overlaps, candidates)))
    candidates[c].is_chosen = true;
  for (auto& candidate : candidates) {
    candidate.typical = overlaps.original(candidate.typical);
    for (auto& member : candidate.members) member = overlaps.original(member);
  }
  return candidates;
}

}  // namespace furrow::labelling
