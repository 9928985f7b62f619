#include "field_outlines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <furrow/geo/vector/geos.h>
#include <furrow/geo/vector/matching.h>
#include <furrow/labelling/field_partition.h>

#include "faces.h"
#include "outlines.h"
#include "overlay.h"

namespace furrow::labelling {
namespace {

/// Parts of a shape narrower than this are left-overs of overlays.
constexpr double kSliver_m = 1.0;
/// Most outlines that are overlaid at once; the work grows with the square of their number.
constexpr std::size_t kMostOutlines = 41;
/// Supports this much alike are equal: faces lie on a grid, polygons need not.
constexpr double kTie = 1e-4;
/// Less shared area than this is rounding.
constexpr double kNoArea_m2 = 1e-6;

template <typename Change>
geo::MultiPolygon moved(geo::MultiPolygon shape, const Change& change) {
  for (auto& polygon : shape) {
    for (auto& p : polygon.shell) p = change(p);
    for (auto& hole : polygon.holes) {
      for (auto& p : hole) p = change(p);
    }
  }
  return shape;
}

/// No sliver: about as wide as twice its area over its outline.
bool is_solid(const geo::Polygon& part, double least_m2) {
  const double area = geo::area(part);
  return area >= least_m2 && 2.0 * area >= kSliver_m * geo::perimeter({part});
}

/// Long parts narrower than a sliver that hang on a shape; what rounds off corners is left alone.
std::vector<geo::MultiPolygon> filaments(const geo::MultiPolygon& shape) {
  constexpr double kLong_m = 5.0;
  const geo::MultiPolygon wide = geo::buffer(geo::buffer(shape, -0.5 * kSliver_m), 0.5 * kSliver_m);
  std::vector<geo::MultiPolygon> found;
  for (const auto& part : geo::difference(shape, wide)) {
    if (geo::perimeter({part}) > 2.0 * kLong_m) found.push_back({part});
  }
  return found;
}

/// Without slivers and small parts; a shape that is nothing else stays.
void drop_slivers(geo::MultiPolygon& shape, double least_m2) {
  geo::MultiPolygon clean = shape;
  const auto thin = filaments(shape);
  if (!thin.empty()) clean = on_grid(geo::difference(shape, geo::union_all(thin)));
  double largest = 0.0;
  for (const auto& part : clean) largest = std::max(largest, geo::area(part));
  std::erase_if(
      clean, [&](const geo::Polygon& part) { return !is_solid(part, std::min(least_m2, 0.999 * largest)); });
  if (!clean.empty()) shape = std::move(clean);
}

void fill_holes(geo::MultiPolygon& shape, double below_m2) {
  for (auto& part : shape) {
    std::erase_if(part.holes,
                  [&](const geo::Ring& hole) { return std::abs(geo::signed_area(hole)) < below_m2; });
  }
}

/// Shapes of a median with their weights.
struct MedianInput {
  std::vector<geo::MultiPolygon> shapes;
  std::vector<double> weights;
  std::size_t typical = 0;

  void add(const geo::MultiPolygon& shape, double weight, bool is_typical) {
    if (is_typical) typical = shapes.size();
    shapes.push_back(shape);
    weights.push_back(weight);
  }
  [[nodiscard]] geo::MultiPolygon median() const { return median_shape(shapes, weights, typical); }
};

/// The members most like the typical one, as many as an overlay can take; in their order.
std::vector<std::size_t> closest_members(const FieldOutline& field, const SiteMapSet& maps) {
  if (field.members.size() <= kMostOutlines) return field.members;
  const geo::MultiPolygon& typical = maps.polygons[field.typical].inside;
  std::vector<std::pair<double, std::size_t>> ranked;
  for (const std::size_t m : field.members) {
    const geo::MultiPolygon& shape = maps.polygons[m].inside;
    const double shared = m == field.typical ? geo::area(shape) : geo::intersection_area(shape, typical);
    ranked.emplace_back(-shared / (geo::area(shape) + geo::area(typical) - shared), ranked.size());
  }
  std::ranges::sort(ranked);
  ranked.resize(kMostOutlines);
  std::vector<std::size_t> positions;
  for (const auto& [iou, position] : ranked) positions.push_back(position);
  std::ranges::sort(positions);
  std::vector<std::size_t> closest;
  for (const std::size_t position : positions) closest.push_back(field.members[position]);
  return closest;
}

/// The outline of one field from its members.
geo::MultiPolygon median_of(const FieldOutline& field, const SiteMapSet& maps, const geo::MultiPolygon& cell,
                            const InstanceOptions& options) {
  MedianInput inside;
  MedianInput whole;
  bool leaves = false;
  for (const std::size_t m : closest_members(field, maps)) {
    const SitePolygon& polygon = maps.polygons[m];
    const double weight = maps.weights[polygon.map];
    inside.add(polygon.inside, weight, m == field.typical);
    if (!maps.draws_whole[polygon.map]) continue;
    whole.add(polygon.whole, weight, m == field.typical);
    leaves = leaves || geo::area(polygon.whole) > geo::area(polygon.inside) + kNoArea_m2;
  }
  geo::MultiPolygon median;
  if (leaves && whole.shapes.size() == inside.shapes.size()) {
    median = whole.median();
  } else {
    median = inside.median();
    const geo::MultiPolygon beyond = leaves ? geo::difference(whole.median(), cell) : geo::MultiPolygon{};
    if (!beyond.empty()) median = geo::union_all(std::vector<geo::MultiPolygon>{median, beyond});
  }
  if (inside.shapes.size() > 1) {
    fill_holes(median, options.min_field_m2);
    drop_slivers(median, options.min_field_m2);
  }
  return median.empty() ? maps.polygons[field.typical].whole : median;
}

/// Which members drew the field alone; those that cover another field, too, have the outline of both.
void find_alone(std::vector<FieldOutline>& fields, const SiteMapSet& maps) {
  std::vector<geo::MultiPolygon> typical;
  std::vector<geo::MultiPolygon> drawn;
  for (const auto& field : fields) typical.push_back(maps.polygons[field.typical].inside);
  for (const auto& polygon : maps.polygons) drawn.push_back(polygon.inside);
  std::vector<int> covered(drawn.size(), 0);
  for (const auto& pair : geo::overlaps(typical, drawn)) {
    const bool is_shared = fields[pair.a].members.size() > 1;
    if (is_shared && pair.intersection > 0.5 * geo::area(typical[pair.a])) ++covered[pair.b];
  }
  for (auto& field : fields) {
    std::ranges::copy_if(field.members, std::back_inserter(field.alone),
                         [&](std::size_t m) { return m == field.typical || covered[m] < 2; });
  }
}

/// Weight of the members that include a piece of land, as far as they do.
double support(const FieldOutline& field, const SiteMapSet& maps, const geo::MultiPolygon& piece) {
  double sum = 0.0;
  for (const std::size_t m : field.members) {
    const SitePolygon& polygon = maps.polygons[m];
    sum += maps.weights[polygon.map] * geo::intersection_area(polygon.whole, piece);
  }
  return sum;
}

/// Which of several fields a piece of land belongs to: the one with more weight of members there, then the
/// smaller one.
std::size_t owner_of(const geo::MultiPolygon& piece, const std::vector<std::size_t>& claims,
                     const std::vector<FieldOutline>& fields, const SiteMapSet& maps) {
  std::size_t owner = claims.front();
  double most = support(fields[owner], maps, piece);
  for (const std::size_t f : claims) {
    const double own = support(fields[f], maps, piece);
    const bool is_tie = std::abs(own - most) <= kTie * (own + most);
    if (is_tie ? geo::area(fields[f].whole) < geo::area(fields[owner].whole) : own > most) {
      owner = f;
      most = own;
    }
  }
  return owner;
}

/// Gives what the outlines of a group share to one of them, piece by piece.
/// @param least_m2  parts below are dropped, slivers too; 0 = nothing is
void separate(const std::vector<std::size_t>& group, std::vector<FieldOutline>& fields,
              const SiteMapSet& maps, double least_m2) {
  std::vector<geo::MultiPolygon> shapes;
  for (const std::size_t f : group) shapes.push_back(fields[f].whole);
  std::vector<std::vector<overlay::Geometry>> parts(group.size());
  for (auto& face : faces_of(shapes)) {
    const geo::Point inner = point_in(face);
    std::vector<std::size_t> claims;
    for (const std::size_t f : group) {
      if (geo::contains(fields[f].whole, inner)) claims.push_back(f);
    }
    if (claims.empty()) continue;
    const std::size_t owner = claims.size() == 1
                                  ? claims.front()
                                  : owner_of(geo::geos::from_geos(face.get()), claims, fields, maps);
    parts[static_cast<std::size_t>(std::ranges::lower_bound(group, owner) - group.begin())].push_back(
        std::move(face));
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    geo::MultiPolygon& shape = fields[group[i]].whole;
    shape = geo::geos::from_geos(overlay::unite(std::move(parts[i])).get());
    if (least_m2 > 0.0) drop_slivers(shape, least_m2);
  }
}

/// Fields that overlap, directly or through others, together; ascending. Fields that overlap none are left
/// out.
std::vector<std::vector<std::size_t>> overlapping_groups(const std::vector<FieldOutline>& fields) {
  std::vector<geo::MultiPolygon> shapes;
  shapes.reserve(fields.size());
  for (const auto& field : fields) shapes.push_back(field.whole);
  std::vector<std::size_t> group_of(fields.size());
  std::iota(group_of.begin(), group_of.end(), std::size_t{0});
  for (const auto& pair : geo::overlaps(shapes, shapes)) {
    if (pair.a >= pair.b || pair.intersection <= kNoArea_m2) continue;
    const std::size_t from = group_of[pair.b];
    const std::size_t to = group_of[pair.a];
    std::ranges::replace(group_of, from, to);
  }
  std::map<std::size_t, std::vector<std::size_t>> groups;
  for (std::size_t f = 0; f < fields.size(); ++f) groups[group_of[f]].push_back(f);
  std::vector<std::vector<std::size_t>> found;
  for (auto& [label, group] : groups) {
    if (group.size() > 1) found.push_back(std::move(group));
  }
  return found;
}

/// What is cut apart comes to lie on the grid of faces and may then overlap neighbours that only touched it,
/// by a fraction of a square centimetre per metre: further rounds take those in. The last one drops nothing,
/// so its edges are exact.
void separate_all(std::vector<FieldOutline>& fields, const SiteMapSet& maps, double least_m2) {
  constexpr int kRounds = 4;
  for (int round = 1; round <= kRounds; ++round) {
    const auto groups = overlapping_groups(fields);
    if (groups.empty()) return;
    for (const auto& group : groups) separate(group, fields, maps, round < kRounds ? least_m2 : 0.0);
  }
}

/// Edges off the cell's border.
std::vector<Segment> inner_outline(const geo::MultiPolygon& shape, const geo::MultiPolygon& inner) {
  std::vector<Segment> segments;
  const auto region = geo::geos::to_geos(inner);
  append_segments(overlay::intersection(geo::geos::outlines(shape), region).get(), segments);
  return segments;
}

OutlineIndex index_of(const geo::MultiPolygon& shape) {
  std::vector<Segment> segments;
  append_segments(shape, segments);
  return OutlineIndex(segments);
}

/// What one map shares with one field.
struct Piece {
  double shared = 0.0;
  double polygon_m2 = 0.0;
  std::size_t polygon = 0;
};

FieldVote vote_of(double field_m2, std::span<const Piece> pieces, const SiteMapSet& maps,
                  const std::vector<int>& fields_in) {
  double sure = 0.0;
  double all = 0.0;
  double parts = 0.0;
  int n_parts = 0;
  FieldVote vote;
  for (const Piece& piece : pieces) {
    all += piece.shared;
    if (!maps.polygons[piece.polygon].unsure) sure += piece.shared;
    if (piece.shared > 0.5 * piece.polygon_m2) {
      parts += piece.shared;
      ++n_parts;
    }
    vote.is_merged = vote.is_merged || (piece.shared > 0.5 * field_m2 && fields_in[piece.polygon] >= 2);
  }
  if (all >= 0.5 * field_m2) vote.answer = sure >= 0.5 * field_m2 ? FieldVote::kYes : FieldVote::kUnsure;
  // Parts that cover the field twice are no parts but copies.
  vote.is_split = !vote.is_merged && n_parts >= 2 && parts >= 0.5 * field_m2 && parts <= 1.5 * field_m2;
  if (vote.answer == FieldVote::kNo) vote.is_split = vote.is_merged = false;
  return vote;
}

}  // namespace

SiteFrame::SiteFrame(const geo::Crs& crs, const geo::MultiPolygon& cell) {
  const geo::Box box = geo::bounds(cell);
  m_origin = box.centre();
  const double dx = 0.25 * box.width();
  const double dy = 0.25 * box.height();
  const geo::GeodesicMeasure measure(crs);
  m_scale.x = measure.distance_m({m_origin.x - dx, m_origin.y}, {m_origin.x + dx, m_origin.y}) / (2.0 * dx);
  m_scale.y = measure.distance_m({m_origin.x, m_origin.y - dy}, {m_origin.x, m_origin.y + dy}) / (2.0 * dy);
}

geo::MultiPolygon SiteFrame::apply(geo::MultiPolygon shape) const {
  return moved(std::move(shape), [this](geo::Point p) {
    return geo::Point{(p.x - m_origin.x) * m_scale.x, (p.y - m_origin.y) * m_scale.y};
  });
}

geo::MultiPolygon SiteFrame::invert(geo::MultiPolygon shape) const {
  return moved(std::move(shape), [this](geo::Point p) {
    return geo::Point{p.x / m_scale.x + m_origin.x, p.y / m_scale.y + m_origin.y};
  });
}

CellCutter::CellCutter(const geo::MultiPolygon& cell)
    : m_cell(cell), m_shape(geo::geos::to_geos(cell)), m_prepared(geo::geos::prepare(m_shape.get())) {}

geo::MultiPolygon CellCutter::cut(const geo::MultiPolygon& shape) const {
  if (shape.empty()) return {};
  const auto geometry = geo::geos::to_geos(shape);
  const auto context = overlay::context();
  if (geo::geos::check(GEOSPreparedCovers_r(context, m_prepared.get(), geometry.get()), "covers"))
    return shape;
  return geo::intersection(shape, m_cell);
}

std::vector<FieldOutline> outline_fields(const SiteMapSet& maps, const geo::MultiPolygon& cell,
                                         const InstanceOptions& options) {
  std::vector<DrawnPolygon> drawn;
  drawn.reserve(maps.polygons.size());
  for (const auto& polygon : maps.polygons) drawn.push_back({polygon.inside, polygon.map});
  // A single map is not divided against another: all its polygons are fields.
  const bool keeps_all = maps.weights.size() == 1;
  std::vector<FieldOutline> fields;
  for (auto& candidate : partition_fields(drawn, maps.weights, options.min_iou)) {
    if (!candidate.is_chosen && !keeps_all) continue;
    fields.push_back({{}, {}, std::move(candidate.members), {}, candidate.typical});
  }
  find_alone(fields, maps);
  for (auto& field : fields) field.whole = median_of(field, maps, cell, options);
  separate_all(fields, maps, options.min_field_m2);
  const CellCutter cutter(cell);
  for (auto& field : fields) field.inside = cutter.cut(field.whole);
  std::erase_if(fields, [&](const FieldOutline& f) {
    return f.inside.empty() || geo::area(f.inside) < options.min_field_m2;
  });
  // Whole metres: what moving the coordinates rounds off does not change the order.
  std::ranges::stable_sort(fields, {}, [](const FieldOutline& f) {
    const geo::Box box = geo::bounds(f.whole);
    return std::pair(-std::llround(box.max_y), std::llround(box.min_x));
  });
  return fields;
}

OutlineSpread measure_spread(const FieldOutline& field, const SiteMapSet& maps,
                             const geo::MultiPolygon& cell) {
  OutlineSpread spread;
  if (field.alone.size() < 2) return spread;
  const geo::MultiPolygon inner = geo::buffer(cell, -kCellBorder_m);
  const std::vector<Segment> own = inner_outline(field.inside, inner);
  const OutlineIndex own_index = index_of(field.inside);
  const double own_m = total_length(own);
  const double own_m2 = geo::area(field.inside);
  double iou = 0.0;
  double mean = 0.0;
  double p95 = 0.0;
  for (const std::size_t m : field.alone) {
    const geo::MultiPolygon& shape = maps.polygons[m].inside;
    const double area = geo::area(shape);
    const double shared = std::min({geo::intersection_area(shape, field.inside), area, own_m2});
    iou += shared / (area + own_m2 - shared);
    if (own_m <= 0.0) continue;
    mean += (area + own_m2 - 2.0 * shared) / own_m;
    const std::vector<Segment> other = inner_outline(shape, inner);
    p95 += outline_distance(own, own_index, other, index_of(shape), 0.95);
  }
  const auto n = static_cast<double>(field.alone.size());
  spread.iou_mean = iou / n;
  if (own_m > 0.0) {
    spread.mean_m = mean / n;
    spread.p95_m = p95 / n;
  }
  return spread;
}

std::vector<FieldVote> vote_on_fields(std::span<const FieldOutline> fields, const SiteMapSet& maps) {
  const std::size_t n_maps = maps.weights.size();
  std::vector<geo::MultiPolygon> shapes;
  std::vector<geo::MultiPolygon> drawn;
  for (const auto& field : fields) shapes.push_back(field.inside);
  for (const auto& polygon : maps.polygons) drawn.push_back(polygon.inside);
  std::vector<std::vector<Piece>> pieces(fields.size() * n_maps);
  std::vector<int> fields_in(drawn.size(), 0);
  std::vector<double> field_m2;
  for (const auto& shape : shapes) field_m2.push_back(geo::area(shape));
  for (const auto& pair : geo::overlaps(shapes, drawn)) {
    pieces[pair.a * n_maps + maps.polygons[pair.b].map].push_back(
        {pair.intersection, geo::area(drawn[pair.b]), pair.b});
    if (pair.intersection > 0.5 * field_m2[pair.a]) ++fields_in[pair.b];
  }
  std::vector<FieldVote> votes;
  votes.reserve(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i)
    votes.push_back(vote_of(field_m2[i / n_maps], pieces[i], maps, fields_in));
  return votes;
}

}  // namespace furrow::labelling
