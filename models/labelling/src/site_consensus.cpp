#include <furrow/labelling/site_consensus.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "weight_table.h"

namespace furrow::labelling {
namespace {

/// The platform discarded the map, or it was never handed in.
bool is_out(const Assignment& assignment) {
  const std::string status = geo::to_lower(geo::trim(assignment.status));
  return status == "rejected" || status == "untrusted" || !assignment.is_finished();
}

/// Keeps one map per labeller: the last. Labellers without a name are not told apart, so each map stands for
/// itself.
std::int64_t drop_replaced(const Campaign& campaign, std::vector<std::size_t>& assignments) {
  std::map<std::string, std::size_t> last;
  const auto later = [&](std::size_t a, std::size_t b) {
    const auto& x = campaign.assignments[a];
    const auto& y = campaign.assignments[b];
    return x.completion_time != y.completion_time ? x.completion_time > y.completion_time : a > b;
  };
  for (const std::size_t i : assignments) {
    const auto& assignment = campaign.assignments[i];
    if (assignment.labeller.empty()) continue;
    const auto [it, added] = last.emplace(assignment.labeller, i);
    if (!added && later(i, it->second)) it->second = i;
  }
  const auto replaced = [&](std::size_t i) {
    const auto& labeller = campaign.assignments[i].labeller;
    return !labeller.empty() && last.at(labeller) != i;
  };
  return static_cast<std::int64_t>(std::erase_if(assignments, replaced));
}

SiteVoters pick(const Campaign& campaign, std::span<const std::size_t> of_site,
                const ConsensusOptions& options) {
  SiteVoters voters;
  const auto all = [&](const auto& wanted) {
    std::vector<std::size_t> found;
    for (const std::size_t i : of_site) {
      const auto& assignment = campaign.assignments[i];
      if (!is_out(assignment) && wanted(assignment)) found.push_back(i);
    }
    return found;
  };
  std::vector<std::size_t> labellers = all([](const Assignment& a) { return !a.is_expert(); });
  if (options.experts == ExpertUse::kUse) {
    voters.assignments = all([](const Assignment& a) { return a.is_reference(); });
    if (voters.assignments.empty())
      voters.assignments = all([](const Assignment& a) { return a.is_expert(); });
    voters.from_expert = !voters.assignments.empty();
  }
  if (voters.from_expert) {
    (void)drop_replaced(campaign, labellers);
    if (is_joint(options.method)) voters.learners = std::move(labellers);
  } else {
    voters.assignments = std::move(labellers);
  }
  voters.replaced = drop_replaced(campaign, voters.assignments);
  return voters;
}

void weigh(const Campaign& campaign, const WeightTable& table, const ConsensusOptions& options,
           SiteVoters& voters) {
  // The platform's formula has its own rules for missing values.
  const bool fill = !options.fusion.compatible;
  std::vector<std::size_t> kept;
  for (const std::size_t i : voters.assignments) {
    const NamedWeight found = table.find(campaign.assignments[i].labeller, fill);
    if (!found.is_complete) ++voters.unknown;
    if (fill && !found.is_complete && options.unknown == UnknownLabeller::kDrop) continue;
    kept.push_back(i);
    voters.weights.push_back(found.weight);
  }
  voters.assignments = std::move(kept);
}

std::vector<geo::MultiPolygon> shapes_of(const Assignment& assignment, bool unsure) {
  std::vector<geo::MultiPolygon> shapes;
  for (const auto& polygon : assignment.polygons) {
    if (polygon.unsure == unsure) shapes.push_back(polygon.shape);
  }
  return shapes;
}

geo::Raster<std::uint8_t> rasterize(std::span<const geo::MultiPolygon> shapes, const geo::Grid& grid,
                                    int classes, const geo::BoundaryOptions& boundary) {
  if (shapes.empty()) return {grid.width, grid.height};
  return classes == 3 ? geo::rasterize_labels(shapes, grid, boundary) : geo::rasterize_extent(shapes, grid);
}

/// Straight sides of a cell, with the unit vector that points out of it.
struct Side {
  geo::Point from;
  geo::Point outward;
};

std::vector<Side> sides_of(const geo::MultiPolygon& cell) {
  std::vector<Side> sides;
  for (const auto& polygon : cell) {
    const double turn = geo::signed_area(polygon.shell) < 0.0 ? -1.0 : 1.0;
    for (std::size_t i = 0; i + 1 < polygon.shell.size(); ++i) {
      const geo::Point a = polygon.shell[i];
      const geo::Point b = polygon.shell[i + 1];
      const double length = std::hypot(b.x - a.x, b.y - a.y);
      if (length > 0.0) sides.push_back({a, {turn * (b.y - a.y) / length, turn * (a.x - b.x) / length}});
    }
  }
  return sides;
}

/// How outlines along a cell's border are opened.
struct BorderRule {
  std::vector<Side> sides;
  double tolerance = 0.0;  ///< distance from the border up to which an outline counts as a cut
  double push = 0.0;       ///< how far the cut is pushed out of the cell
};

/// Outward vector of the side along which the edge from a to b of a ring cuts the field off; zero for other
/// edges.
/// @param turn  1 for a counter-clockwise ring, -1 for a clockwise one
geo::Point cut_direction(geo::Point a, geo::Point b, double turn, const BorderRule& rule) {
  constexpr double kParallel = 0.5;  // hand-drawn cuts waver; an edge that runs into the border is none
  const double length = std::hypot(b.x - a.x, b.y - a.y);
  const auto on = [&](geo::Point p, const Side& side) {
    return std::abs((p.x - side.from.x) * side.outward.x + (p.y - side.from.y) * side.outward.y) <=
           rule.tolerance;
  };
  for (const Side& side : rule.sides) {
    const double facing = turn * ((b.y - a.y) * side.outward.x - (b.x - a.x) * side.outward.y);
    if (facing > kParallel * length && on(a, side) && on(b, side)) return side.outward;
  }
  return {};
}

/// Pushes those parts of a ring that cut the field off at the border outwards, so that no outline is left
/// there.
geo::Ring open_ring(const geo::Ring& ring, const BorderRule& rule) {
  const std::size_t n = ring.size() - 1;
  const double turn = geo::signed_area(ring) < 0.0 ? -1.0 : 1.0;
  const auto cut_at = [&](std::size_t i) {
    return cut_direction(ring[i % n], ring[(i + 1) % n], turn, rule);
  };
  geo::Ring open;
  for (std::size_t i = 0; i < n; ++i) {
    const geo::Point before = cut_at(i + n - 1);
    const geo::Point after = cut_at(i);
    const bool was_on = before != geo::Point{};
    const bool is_on = after != geo::Point{};
    const geo::Point p = ring[i];
    const auto pushed = [&](geo::Point v) {
      return geo::Point{p.x + rule.push * v.x, p.y + rule.push * v.y};
    };
    if (was_on && is_on) {
      // In the middle of a side once, at a corner of the cell along both sides.
      open.push_back(before == after ? pushed(after) : pushed({before.x + after.x, before.y + after.y}));
      continue;
    }
    if (was_on) open.push_back(pushed(before));
    open.push_back(p);
    if (is_on) open.push_back(pushed(after));
  }
  open.push_back(open.front());
  return open;
}

/// No polygon leaves the box by more than `margin`.
bool stays_within(const Assignment& assignment, const geo::Box& box, double margin) {
  return std::ranges::all_of(assignment.polygons, [&](const LabelledPolygon& polygon) {
    const geo::Box own = geo::bounds(polygon.shape);
    return own.empty() || (own.min_x >= box.min_x - margin && own.max_x <= box.max_x + margin &&
                           own.min_y >= box.min_y - margin && own.max_y <= box.max_y + margin);
  });
}

/// Fields that were cut at the cell's border get no outline there: they go on beyond it.
void open_at_border(const geo::MultiPolygon& cell, BorderRule rule, double by_hand, Assignment& assignment) {
  const geo::Box box = geo::bounds(cell);
  // Who draws past the border anywhere draws whole fields: only exact cuts, made by software, are opened
  // then.
  if (stays_within(assignment, box, by_hand)) rule.tolerance = std::max(rule.tolerance, by_hand);
  for (auto& polygon : assignment.polygons) {
    for (auto& part : polygon.shape) {
      if (part.shell.size() >= 4) part.shell = open_ring(part.shell, rule);
    }
  }
}

/// Half the width of the boundary class, in the units of the grid.
double half_boundary(const geo::Grid& grid, const geo::BoundaryOptions& boundary) {
  const double pixel = std::max(grid.transform.pixel_width(), grid.transform.pixel_height());
  if (!boundary.width_m) return 0.5 * boundary.width_px * pixel;
  const geo::Point size_m = grid.pixel_size_m();
  return 0.5 * *boundary.width_m / std::min(size_m.x, size_m.y) * pixel;
}

/// 1 within 2 px (Euclidean) of a boundary pixel or of a change of label, among the pixels that have a label.
std::vector<std::uint8_t> boundary_band(const SiteConsensus& consensus) {
  const std::int64_t width = consensus.grid.width;
  const std::int64_t height = consensus.grid.height;
  const auto label = [&](std::int64_t col, std::int64_t row) {
    if (col < 0 || row < 0 || col >= width || row >= height) return geo::kIgnore;
    return consensus.at(static_cast<std::size_t>(row * width + col)).label;
  };
  const auto is_edge = [&](std::int64_t col, std::int64_t row) {
    const std::uint8_t own = label(col, row);
    if (own == geo::kIgnore) return false;
    if (own == geo::kBoundary) return true;
    const auto differs = [own](std::uint8_t other) { return other != geo::kIgnore && other != own; };
    return differs(label(col - 1, row)) || differs(label(col + 1, row)) || differs(label(col, row - 1)) ||
           differs(label(col, row + 1));
  };
  std::vector<std::uint8_t> band(static_cast<std::size_t>(width * height), 0);
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t col = 0; col < width; ++col) {
      if (!is_edge(col, row)) continue;
      for (std::int64_t dy = -2; dy <= 2; ++dy) {
        for (std::int64_t dx = -2; dx <= 2; ++dx) {
          if (dx * dx + dy * dy > 4 || label(col + dx, row + dy) == geo::kIgnore) continue;
          band[static_cast<std::size_t>((row + dy) * width + col + dx)] = 1;
        }
      }
    }
  }
  return band;
}

struct Mean {
  double sum = 0.0;
  std::int64_t count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  [[nodiscard]] double value() const {
    return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
  }
};

double pixel_area_m2(const geo::Grid& grid) {
  const auto& t = grid.transform;
  const auto corner = [&](std::int64_t col, std::int64_t row) {
    return t.to_world({static_cast<double>(col), static_cast<double>(row)});
  };
  const geo::Polygon outline{{corner(0, 0), corner(0, grid.height), corner(grid.width, grid.height),
                              corner(grid.width, 0), corner(0, 0)},
                             {}};
  return geo::GeodesicMeasure(grid.crs).area_m2({outline}) / static_cast<double>(grid.width * grid.height);
}

}  // namespace

std::vector<SiteVoters> choose_voters(const Campaign& campaign, std::span<const LabellerWeights> weights,
                                      const ConsensusOptions& options) {
  std::map<std::string, std::vector<std::size_t>> of_site;
  for (std::size_t i = 0; i < campaign.assignments.size(); ++i)
    of_site[campaign.assignments[i].site].push_back(i);
  const bool weighted = options.method == ConsensusMethod::kWeighted;
  std::optional<WeightTable> table;
  if (weighted) table.emplace(weights);
  std::vector<SiteVoters> all;
  all.reserve(campaign.sites.size());
  for (const auto& site : campaign.sites) {
    SiteVoters voters = pick(campaign, of_site[site.name], options);
    if (weighted && !voters.from_expert) {
      weigh(campaign, *table, options, voters);
    } else {
      voters.weights.assign(voters.assignments.size(), VoterWeight{});
    }
    voters.has_model = options.model && !voters.assignments.empty();
    if (voters.has_model && !voters.from_expert)
      voters.weights.push_back(weighted ? table->find(kModelLabeller, true).weight : VoterWeight{});
    all.push_back(std::move(voters));
  }
  return all;
}

std::vector<Vote> rasterize_votes(const Assignment& assignment, const geo::MultiPolygon& cell,
                                  const geo::Grid& grid, const ConsensusOptions& options) {
  const int classes = options.fusion.classes;
  Assignment open = assignment;
  if (classes == 3) {
    const double pixel = std::max(grid.transform.pixel_width(), grid.transform.pixel_height());
    const double by_hand = options.border_px * pixel;
    const double push = half_boundary(grid, options.boundary) + by_hand + 3.0 * pixel;
    open_at_border(cell, {sides_of(cell), 0.05 * pixel, push}, by_hand, open);
  }
  const auto sure = rasterize(shapes_of(open, false), grid, classes, options.boundary);
  const auto unsure_shapes = shapes_of(open, true);
  if (unsure_shapes.empty()) return sure.data();
  const auto unsure = rasterize(unsure_shapes, grid, classes, options.boundary);
  std::vector<Vote> votes(sure.data().size());
  for (std::size_t i = 0; i < votes.size(); ++i) votes[i] = make_vote(sure.data()[i], unsure.data()[i]);
  return votes;
}

std::vector<Vote> keep_inside(std::vector<Vote> votes, std::span<const std::uint8_t> inside) {
  for (std::size_t p = 0; p < votes.size(); ++p) {
    if (inside[p] == 0) votes[p] = kMissingVote;
  }
  return votes;
}

SiteConsensus collect_patterns(const Campaign& campaign, const Site& site, const SiteVoters& voters,
                               const geo::Grid& grid, const ConsensusOptions& options) {
  SiteConsensus consensus;
  consensus.grid = grid;
  consensus.inside = geo::rasterize_extent(std::span(&site.cell, 1), grid).data();
  PatternBuilder patterns(consensus.inside.size());
  for (const std::size_t i : voters.assignments) {
    patterns.add(
        keep_inside(rasterize_votes(campaign.assignments[i], site.cell, grid, options), consensus.inside));
  }
  if (voters.has_model && !voters.from_expert)
    patterns.add(keep_inside(options.model->votes(grid), consensus.inside));
  consensus.patterns = std::move(patterns).finish();
  return consensus;
}

SiteConsensus fuse_site(const Campaign& campaign, const Site& site, const SiteVoters& voters,
                        const geo::Grid& grid, const ConsensusOptions& options) {
  SiteConsensus consensus = collect_patterns(campaign, site, voters, grid, options);
  consensus.fused = fuse_patterns(consensus.patterns, voters.weights, options.fusion);
  return consensus;
}

std::vector<SiteStatistics> describe_sites(const Campaign& campaign, std::span<const SiteVoters> voters) {
  std::vector<SiteStatistics> sites(campaign.sites.size());
  const geo::CoordinateTransform to_lonlat(campaign.crs, geo::lonlat_crs());
  for (std::size_t i = 0; i < sites.size(); ++i) {
    sites[i].name = campaign.sites[i].name;
    sites[i].lonlat = to_lonlat.apply(geo::bounds(campaign.sites[i].cell).centre());
    sites[i].n_labellers = static_cast<std::int64_t>(voters[i].assignments.size());
    sites[i].from_expert = voters[i].from_expert;
  }
  return sites;
}

void measure_site(const SiteConsensus& consensus, double risk_threshold, SiteStatistics& statistics) {
  const auto band = boundary_band(consensus);
  Mean risk;
  Mean risky;
  Mean field;
  Mean interior;
  Mean in_band;
  Mean risk_band;
  Mean risk_inside;
  Mean risk_outside;
  for (std::size_t p = 0; p < band.size(); ++p) {
    const FusedVote& fused = consensus.at(p);
    if (fused.label == geo::kIgnore) continue;
    risk.add(fused.risk);
    risky.add(fused.risk > risk_threshold ? 1.0 : 0.0);
    field.add(fused.label != geo::kBackground ? 1.0 : 0.0);
    interior.add(fused.label == geo::kInterior ? 1.0 : 0.0);
    in_band.add(band[p]);
    Mean& part = band[p] != 0 ? risk_band : fused.label == geo::kBackground ? risk_outside : risk_inside;
    part.add(fused.risk);
  }
  statistics.n_pixels = risk.count;
  if (statistics.n_pixels > 0) {
    const double pixel_m2 = pixel_area_m2(consensus.grid);
    statistics.area_m2 = pixel_m2 * static_cast<double>(statistics.n_pixels);
    statistics.wrong_area_m2 = pixel_m2 * risk.sum;
  }
  statistics.mean_risk = risk.value();
  statistics.risky_share = risky.value();
  statistics.field_share = field.value();
  statistics.interior_share = interior.value();
  statistics.band_share = in_band.value();
  statistics.risk_band = risk_band.value();
  statistics.risk_inside = risk_inside.value();
  statistics.risk_outside = risk_outside.value();
}

}  // namespace furrow::labelling
