#include <furrow/labelling/labeller_pairs.h>

#include <tbb/parallel_for.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include <boost/math/distributions/students_t.hpp>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/labelling/agreement.h>
#include <furrow/labelling/drift.h>

#include "metric_frame.h"
#include "outlines.h"

namespace furrow::labelling {
namespace {

/// One bit per place inside a cell.
using Bits = std::vector<std::uint64_t>;
constexpr std::size_t kWordBits = 64;

bool is_set(const Bits& bits, std::size_t place) {
  return (bits[place / kWordBits] >> (place % kWordBits) & 1U) != 0;
}
void set(Bits& bits, std::size_t place) {
  bits[place / kWordBits] |= std::uint64_t{1} << (place % kWordBits);
}

/// How many places `of` selects, a word at a time.
template <class Of>
double count(std::size_t words, const Of& of) {
  std::int64_t sum = 0;
  for (std::size_t w = 0; w < words; ++w) sum += std::popcount(of(w));
  return static_cast<double>(sum);
}

/// One labeller's map at one site.
struct SiteMap {
  std::size_t labeller = 0;
  Bits field;
  std::vector<geo::Point> corners;  ///< metres, by x; those at the cell's border left out
};

/// What two maps of a site have in common.
struct SitePair {
  std::size_t first = 0;
  std::size_t second = 0;
  double both = 0.0;
  double only_first = 0.0;
  double only_second = 0.0;
  double neither = 0.0;
  std::int64_t vertices = 0;
  std::int64_t same_vertices = 0;
  double error_correlation = std::numeric_limits<double>::quiet_NaN();
};

struct ComparedSite {
  std::vector<SitePair> pairs;
  std::vector<double> places;  ///< by number of labellers who map a field there, 0 to all
  std::string problem;
};

double distance(geo::Point p, const Segment& s) {
  const geo::Point along{s.b.x - s.a.x, s.b.y - s.a.y};
  const double squared = along.x * along.x + along.y * along.y;
  const double share = ((p.x - s.a.x) * along.x + (p.y - s.a.y) * along.y) / squared;
  const double t = std::clamp(share, 0.0, 1.0);
  return std::hypot(p.x - s.a.x - t * along.x, p.y - s.a.y - t * along.y);
}

class SiteComparison {
 public:
  SiteComparison(const Campaign& campaign, const Site& site, const PairOptions& options)
      : m_campaign(campaign), m_site(site), m_options(options), m_grid(grid()) {
    const auto cell = geo::rasterize_extent({&site.cell, 1}, m_grid);
    for (std::size_t p = 0; p < cell.data().size(); ++p) {
      if (cell.data()[p] != 0) m_places.push_back(p);
    }
  }

  ComparedSite compare(const std::map<std::string, std::size_t>& labellers) {
    read_maps(labellers);
    ComparedSite result;
    if (m_maps.size() < 2) return result;
    result.places.assign(m_maps.size() + 1, 0.0);
    for (const std::size_t votes : count_votes()) result.places[votes] += 1.0;
    find_truth();
    for (std::size_t i = 0; i < m_maps.size(); ++i) {
      for (std::size_t j = i + 1; j < m_maps.size(); ++j) result.pairs.push_back(pair(m_maps[i], m_maps[j]));
    }
    return result;
  }

 private:
  [[nodiscard]] geo::Grid grid() const {
    const geo::Box box = geo::bounds(m_site.cell);
    geo::Grid g;
    g.crs = m_campaign.crs;
    g.width = m_options.points;
    g.height = m_options.points;
    const auto n = static_cast<double>(m_options.points);
    g.transform = {box.min_x, box.width() / n, 0.0, box.max_y, 0.0, -box.height() / n};
    return g;
  }

  [[nodiscard]] Bits field_of(const Assignment& a) const {
    std::vector<geo::MultiPolygon> shapes;
    for (const auto& polygon : a.polygons) {
      if (!polygon.unsure) shapes.push_back(polygon.shape);
    }
    const auto raster = geo::rasterize_extent(shapes, m_grid);
    Bits bits((m_places.size() + kWordBits - 1) / kWordBits, 0);
    for (std::size_t i = 0; i < m_places.size(); ++i) {
      if (raster.data()[m_places[i]] != 0) set(bits, i);
    }
    return bits;
  }

  [[nodiscard]] bool is_reference(const Assignment& a) const {
    return std::ranges::find(m_options.reference_classes, a.site_class) != m_options.reference_classes.end();
  }

  /// The last map of every labeller, and the latest reference.
  void read_maps(const std::map<std::string, std::size_t>& labellers) {
    std::map<std::size_t, const Assignment*> last;
    const Assignment* reference = nullptr;
    for (const std::size_t i : m_campaign.assignments_of(m_site.name)) {
      const Assignment& a = m_campaign.assignments[i];
      if (!a.is_finished()) continue;
      const bool known = is_reference(a);
      const Assignment*& slot = known ? reference : last[labellers.at(a.labeller)];
      if (slot == nullptr || a.completion_time > slot->completion_time) slot = &a;
    }
    if (last.size() < 2) return;
    if (reference != nullptr) m_reference = field_of(*reference);
    const MetricFrame frame(m_campaign.crs, m_site.cell, ScoreMode::kCorrected);
    std::vector<Segment> border;
    append_segments(frame.apply(m_site.cell), border);
    for (const auto& [labeller, assignment] : last)
      m_maps.push_back({labeller, field_of(*assignment), corners(*assignment, frame, border)});
  }

  static std::vector<geo::Point> corners(const Assignment& a, const MetricFrame& frame,
                                         const std::vector<Segment>& border) {
    std::vector<geo::Point> points;
    const auto add = [&](const geo::Ring& ring) {
      for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
        const bool at_border = std::ranges::any_of(
            border, [&](const Segment& segment) { return distance(ring[i], segment) <= kCellBorder_m; });
        if (!at_border) points.push_back(ring[i]);
      }
    };
    for (const auto& polygon : a.polygons) {
      for (const auto& part : frame.apply(polygon.shape)) {
        add(part.shell);
        for (const auto& hole : part.holes) add(hole);
      }
    }
    std::ranges::sort(points, [](geo::Point p, geo::Point q) { return p.x != q.x ? p.x < q.x : p.y < q.y; });
    return points;
  }

  [[nodiscard]] std::vector<std::size_t> count_votes() const {
    std::vector<std::size_t> votes(m_places.size(), 0);
    for (const auto& map : m_maps) {
      for (std::size_t p = 0; p < votes.size(); ++p) votes[p] += is_set(map.field, p) ? 1 : 0;
    }
    return votes;
  }

  /// Places whose truth is the same for every pair, and those where it hangs on who is left out.
  void find_truth() {
    m_truly_field.assign((m_places.size() + kWordBits - 1) / kWordBits, 0);
    m_truly_none = m_truly_field;
    const std::size_t others = m_maps.size() - 2;
    if (m_reference.empty() && others < 3) return;
    const auto votes = m_reference.empty() ? count_votes() : std::vector<std::size_t>{};
    for (std::size_t p = 0; p < m_places.size(); ++p) {
      if (!m_reference.empty()) {
        set(is_set(m_reference, p) ? m_truly_field : m_truly_none, p);
      } else if (2 * votes[p] > others + 4) {
        set(m_truly_field, p);
      } else if (2 * votes[p] < others) {
        set(m_truly_none, p);
      } else {
        m_close.push_back({p, votes[p]});
      }
    }
  }

  [[nodiscard]] SitePair pair(const SiteMap& a, const SiteMap& b) const {
    SitePair result{a.labeller, b.labeller};
    const std::size_t words = a.field.size();
    result.both = count(words, [&](std::size_t w) { return a.field[w] & b.field[w]; });
    result.only_first = count(words, [&](std::size_t w) { return a.field[w] & ~b.field[w]; });
    result.only_second = count(words, [&](std::size_t w) { return b.field[w] & ~a.field[w]; });
    result.neither =
        static_cast<double>(m_places.size()) - result.both - result.only_first - result.only_second;
    const auto& fewer = a.corners.size() <= b.corners.size() ? a.corners : b.corners;
    const auto& more = a.corners.size() <= b.corners.size() ? b.corners : a.corners;
    result.vertices = static_cast<std::int64_t>(fewer.size());
    for (const geo::Point p : fewer) result.same_vertices += has_near(more, p) ? 1 : 0;
    result.error_correlation = error_correlation(a, b);
    return result;
  }

  [[nodiscard]] bool has_near(const std::vector<geo::Point>& points, geo::Point p) const {
    const double d = m_options.vertex_m;
    auto it = std::ranges::lower_bound(points, p.x - d, {}, &geo::Point::x);
    for (; it != points.end() && it->x <= p.x + d; ++it) {
      if (std::hypot(it->x - p.x, it->y - p.y) <= d) return true;
    }
    return false;
  }

  struct Counts {
    double places = 0.0, first = 0.0, second = 0.0, both = 0.0;
  };

  /// Places of one truth where each and where both are wrong.
  [[nodiscard]] static Counts errors(const Bits& truth, const Bits& a, const Bits& b, bool wrong_when) {
    // A place is wrong where the map differs from the truth: bits flipped for truth "field".
    const std::uint64_t flip = wrong_when ? 0 : ~std::uint64_t{0};
    const std::size_t words = truth.size();
    return {count(words, [&](std::size_t w) { return truth[w]; }),
            count(words, [&](std::size_t w) { return truth[w] & (a[w] ^ flip); }),
            count(words, [&](std::size_t w) { return truth[w] & (b[w] ^ flip); }),
            count(words, [&](std::size_t w) { return truth[w] & (a[w] ^ flip) & (b[w] ^ flip); })};
  }

  /// Adds the places where what most others say depends on who the pair is; ties have no truth.
  void add_close(const SiteMap& a, const SiteMap& b, Counts (&counts)[2]) const {
    const std::size_t others = m_maps.size() - 2;
    for (const auto& [place, votes] : m_close) {
      const bool x = is_set(a.field, place);
      const bool y = is_set(b.field, place);
      const std::size_t field = votes - (x ? 1 : 0) - (y ? 1 : 0);
      if (2 * field == others) continue;
      const bool truth = 2 * field > others;
      Counts& c = counts[truth ? 1 : 0];
      c.places += 1.0;
      c.first += x != truth ? 1.0 : 0.0;
      c.second += y != truth ? 1.0 : 0.0;
      c.both += x != truth && y != truth ? 1.0 : 0.0;
    }
  }

  /// Correlation of the places where each is wrong, within field and within no field; NaN when one of them
  /// makes no error or nothing else.
  [[nodiscard]] double error_correlation(const SiteMap& a, const SiteMap& b) const {
    Counts counts[2] = {errors(m_truly_none, a.field, b.field, true),
                        errors(m_truly_field, a.field, b.field, false)};
    add_close(a, b, counts);
    double together = 0.0;
    double spread_a = 0.0;
    double spread_b = 0.0;
    for (const Counts& c : counts) {
      if (c.places == 0.0) continue;
      together += c.both - c.first * c.second / c.places;
      spread_a += c.first * (1.0 - c.first / c.places);
      spread_b += c.second * (1.0 - c.second / c.places);
    }
    if (!(spread_a > 0.0 && spread_b > 0.0)) return std::numeric_limits<double>::quiet_NaN();
    return together / std::sqrt(spread_a * spread_b);
  }

  const Campaign& m_campaign;
  const Site& m_site;
  const PairOptions& m_options;
  geo::Grid m_grid;
  std::vector<std::size_t> m_places;  ///< pixels whose centre lies in the cell
  Bits m_reference;                   ///< empty = none
  std::vector<SiteMap> m_maps;
  Bits m_truly_field;
  Bits m_truly_none;
  std::vector<std::pair<std::size_t, std::size_t>> m_close;  ///< place and votes
};

/// One pair over all sites.
struct PairSum {
  std::int64_t sites = 0;
  double iou = 0.0;
  std::int64_t iou_sites = 0;
  double both = 0.0, only_first = 0.0, only_second = 0.0, neither = 0.0;
  std::int64_t vertices = 0;
  std::int64_t same_vertices = 0;
  std::vector<double> excess;  ///< of error correlations, per site

  void add(const SitePair& p) {
    ++sites;
    const double united = p.both + p.only_first + p.only_second;
    if (united > 0.0) {
      iou += p.both / united;
      ++iou_sites;
    }
    both += p.both;
    only_first += p.only_first;
    only_second += p.only_second;
    neither += p.neither;
    vertices += p.vertices;
    same_vertices += p.same_vertices;
  }

  [[nodiscard]] double kappa() const {
    const double n = both + only_first + only_second + neither;
    const double first = (both + only_first) / n;
    const double second = (both + only_second) / n;
    const double by_chance = first * second + (1.0 - first) * (1.0 - second);
    if (!(by_chance < 1.0)) return std::numeric_limits<double>::quiet_NaN();
    return ((both + neither) / n - by_chance) / (1.0 - by_chance);
  }
};

/// Above the mean of the other pairs of the site; without other pairs above that of all sites.
void add_excess(const std::vector<ComparedSite>& sites,
                std::map<std::pair<std::size_t, std::size_t>, PairSum>& sums) {
  double all = 0.0;
  double count = 0.0;
  for (const auto& site : sites) {
    for (const auto& pair : site.pairs) {
      if (std::isnan(pair.error_correlation)) continue;
      all += pair.error_correlation;
      count += 1.0;
    }
  }
  for (const auto& site : sites) {
    double here = 0.0;
    double pairs = 0.0;
    for (const auto& pair : site.pairs) {
      if (std::isnan(pair.error_correlation)) continue;
      here += pair.error_correlation;
      pairs += 1.0;
    }
    for (const auto& pair : site.pairs) {
      const double c = pair.error_correlation;
      if (std::isnan(c)) continue;
      const double usual = pairs > 1.0   ? (here - c) / (pairs - 1.0)
                           : count > 1.0 ? (all - c) / (count - 1.0)
                                         : c;
      sums[{pair.first, pair.second}].excess.push_back(c - usual);
    }
  }
}

/// Is the mean above 0? @return p-value
double t_test(const std::vector<double>& values, double& mean) {
  const auto n = static_cast<double>(values.size());
  mean = 0.0;
  for (const double v : values) mean += v / n;
  double squares = 0.0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  // A spread of 0.01 at least: equal figures by chance prove nothing.
  constexpr double kLeastSpread = 0.01;
  const double spread = std::max(std::sqrt(squares / (n - 1.0)), kLeastSpread);
  const boost::math::students_t distribution(n - 1.0);
  return boost::math::cdf(boost::math::complement(distribution, mean / (spread / std::sqrt(n))));
}

LabellerPair summed_up(const PairSum& sum, std::int64_t least_sites) {
  LabellerPair pair;
  pair.sites = sum.sites;
  if (sum.iou_sites > 0) pair.iou = sum.iou / static_cast<double>(sum.iou_sites);
  pair.kappa = sum.kappa();
  pair.vertices = sum.vertices;
  if (sum.vertices > 0)
    pair.same_vertices = static_cast<double>(sum.same_vertices) / static_cast<double>(sum.vertices);
  pair.error_sites = static_cast<std::int64_t>(sum.excess.size());
  if (pair.error_sites >= least_sites) pair.shared_errors_p = t_test(sum.excess, pair.shared_errors);
  return pair;
}

/// Alpha needs only how many say what at a place, so one voter stands for all.
std::optional<double> alpha_of(const std::vector<ComparedSite>& sites) {
  VoteTable votes(2, 2, 1);
  for (const auto& site : sites) {
    for (std::size_t field = 0; field < site.places.size(); ++field) {
      if (site.places[field] == 0.0) continue;
      std::vector<VoteEntry> row;
      const std::size_t none = site.places.size() - 1 - field;
      if (none > 0) row.push_back({0, 0, static_cast<std::uint16_t>(none)});
      if (field > 0) row.push_back({0, 1, static_cast<std::uint16_t>(field)});
      votes.add(row, site.places[field]);
    }
  }
  return votes.rows() == 0 ? std::nullopt : krippendorff_alpha(votes);
}

}  // namespace

PairAgreement compare_labellers(const Campaign& campaign, const PairOptions& options,
                                geo::ExecContext& exec) {
  if (options.points < 10 || options.points > 1000)
    throw geo::InvalidArgument("maps are compared at 10 to 1000 points along each side");
  if (!(options.vertex_m > 0.0)) throw geo::InvalidArgument("the distance of same corners must be above 0");
  if (options.least_sites < 2) throw geo::InvalidArgument("a test of shared errors needs two sites");
  std::map<std::string, std::size_t> labellers;
  for (const auto& a : campaign.assignments) labellers.emplace(a.labeller, 0);
  std::vector<std::string> names;
  for (auto& [name, position] : labellers) {
    position = names.size();
    names.push_back(name);
  }
  std::vector<ComparedSite> sites(campaign.sites.size());
  geo::Progress progress(exec, "comparing labellers", static_cast<std::int64_t>(sites.size()));
  exec.execute([&] {
    tbb::parallel_for(std::size_t{0}, sites.size(), [&](std::size_t i) {
      try {
        sites[i] = SiteComparison(campaign, campaign.sites[i], options).compare(labellers);
      } catch (const geo::Error& error) {
        sites[i].problem = error.what();
      }
      progress.advance();
    });
  });
  std::map<std::pair<std::size_t, std::size_t>, PairSum> sums;
  for (const auto& site : sites) {
    for (const auto& pair : site.pairs) sums[{pair.first, pair.second}].add(pair);
  }
  add_excess(sites, sums);
  PairAgreement result;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (!sites[i].problem.empty())
      result.problems.push_back({"site " + campaign.sites[i].name, sites[i].problem});
  }
  std::vector<double> p_values;
  for (const auto& [key, sum] : sums) {
    LabellerPair pair = summed_up(sum, options.least_sites);
    pair.first = names[key.first];
    pair.second = names[key.second];
    p_values.push_back(pair.shared_errors_p);
    result.pairs.push_back(std::move(pair));
  }
  const auto adjusted = adjust_p_values(p_values);
  for (std::size_t i = 0; i < adjusted.size(); ++i) result.pairs[i].shared_errors_p_adjusted = adjusted[i];
  result.alpha = alpha_of(sites);
  return result;
}

}  // namespace furrow::labelling
