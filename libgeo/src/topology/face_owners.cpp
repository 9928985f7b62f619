#include "face_owners.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/vector/geos.h>

#include "face_rings.h"
#include "union_find.h"

namespace furrow::geo::detail {
namespace {

template <class Visit>
void along(const PlanarPartition& partition, std::uint32_t first, const Visit& visit) {
  std::uint32_t h = first;
  do {
    visit(h);
    h = partition.next(h);
  } while (h != first);
}

template <class Visit>
void round_face(const PlanarPartition& partition, std::uint32_t face, const Visit& visit) {
  for (const std::uint32_t first : partition.outlines(face)) along(partition, first, visit);
}

double edge_m(const PlanarPartition& partition, const GroundScale& scale, std::uint32_t h) {
  const std::uint32_t up = h & ~1U;  // the same length from both sides, to the bit
  return scale.length_m(partition.start(up), partition.end(up));
}

std::uint32_t first_of(const std::vector<std::uint32_t>& features,
                       std::span<const std::uint32_t> precedence) {
  return *std::ranges::min_element(features, {}, [&](std::uint32_t f) { return precedence[f]; });
}

/// Connected faces of the same overlap go to the feature that alone lies along most of their outline.
void give_to_longest_edge(const PlanarPartition& partition, const GroundScale& scale,
                          std::span<const std::uint32_t> precedence, FaceOwners& owners) {
  UnionFind groups(partition.faces());
  for (std::uint32_t h = 0; h < partition.half_edges(); h += 2) {
    const auto& left = partition.cover(partition.face(h));
    if (left.size() > 1 && left == partition.cover(partition.face(h + 1))) {
      groups.unite(partition.face(h), partition.face(h + 1));
    }
  }
  std::map<std::uint32_t, std::map<std::uint32_t, double>> lengths;
  for (std::uint32_t face = 1; face < partition.faces(); ++face) {
    const auto& cover = partition.cover(face);
    if (cover.size() < 2) continue;
    auto& own = lengths[groups.root(face)];
    round_face(partition, face, [&](std::uint32_t h) {
      const auto& other = partition.cover(partition.face(PlanarPartition::twin(h)));
      if (other.size() == 1 && std::ranges::binary_search(cover, other.front())) {
        own[other.front()] += edge_m(partition, scale, h);
      }
    });
  }
  for (std::uint32_t face = 1; face < partition.faces(); ++face) {
    if (partition.cover(face).size() < 2) continue;
    const auto& own = lengths[groups.root(face)];
    if (!own.empty()) owners[face] = longest(own, precedence);
  }
}

/// No circle of that diameter fits into the face.
bool is_narrow(const PlanarPartition& partition, const GroundScale& scale, std::uint32_t face, double area_m2,
               double width_m) {
  double perimeter = 0.0;
  round_face(partition, face, [&](std::uint32_t h) { perimeter += edge_m(partition, scale, h); });
  // The area is at most the radius of the largest circle times the perimeter.
  if (2.0 * area_m2 > width_m * perimeter) return false;
  const GridPoint pivot = partition.start(partition.outlines(face).front());
  const StepLength step = scale.at(pivot);
  Polygon polygon;
  for (const std::uint32_t first : partition.outlines(face)) {
    GridRing walk;
    along(partition, first, [&](std::uint32_t h) { walk.push_back(partition.start(h)); });
    for (const GridRing& ring : simple_rings(walk)) {
      Ring metres;
      for (const GridPoint& p : ring) {
        metres.push_back(
            {static_cast<double>(p.x - pivot.x) * step.x, static_cast<double>(p.y - pivot.y) * step.y});
      }
      metres.push_back(metres.front());
      if (doubled_area(ring) > 0 && polygon.shell.empty()) {
        polygon.shell = std::move(metres);
      } else {
        polygon.holes.push_back(std::move(metres));
      }
    }
  }
  if (polygon.shell.empty()) return true;
  return buffer({polygon}, -0.5 * width_m).empty();
}

/// Features round an uncovered face, ascending.
std::vector<std::uint32_t> owners_round(const PlanarPartition& partition, const FaceOwners& owners,
                                        std::uint32_t face) {
  std::vector<std::uint32_t> round;
  round_face(partition, face, [&](std::uint32_t h) {
    const std::uint32_t owner = owners[partition.face(PlanarPartition::twin(h))];
    if (owner != kNoOwner) round.push_back(owner);
  });
  std::ranges::sort(round);
  round.erase(std::unique(round.begin(), round.end()), round.end());
  return round;
}

class GapCloser {
 public:
  /// @param narrow  by face, 1 = uncovered and narrow
  GapCloser(const PlanarPartition& partition, const GroundScale& scale,
            std::span<const std::uint32_t> precedence, const std::vector<std::uint8_t>& narrow,
            double width_m, FaceOwners& owners)
      : m_partition(partition),
        m_scale(scale),
        m_precedence(precedence),
        m_narrow(narrow),
        m_shortest(kShortestEnd * width_m),
        m_owners(owners) {}

  /// Gives the faces of `open` that touch a feature away and leaves the others in it.
  void round(std::vector<std::uint32_t>& open, std::span<const double> areas_m2, ChangeCount& closed) {
    std::vector<std::vector<std::uint32_t>> neighbours(m_partition.faces());
    for (const std::uint32_t face : open) neighbours[face] = owners_round(m_partition, m_owners, face);
    UnionFind groups(m_partition.faces());
    for (const std::uint32_t face : open) {
      if (neighbours[face].empty()) continue;
      round_face(m_partition, face, [&](std::uint32_t h) {
        const std::uint32_t other = m_partition.face(PlanarPartition::twin(h));
        if (neighbours[other] == neighbours[face]) groups.unite(face, other);
      });
    }
    std::map<std::uint32_t, Group> found;
    for (const std::uint32_t face : open) {
      Group& group = found[groups.root(face)];
      round_face(m_partition, face, [&](std::uint32_t h) {
        const std::uint32_t other = m_partition.face(PlanarPartition::twin(h));
        if (m_owners[other] != kNoOwner) {
          group.lengths[m_owners[other]] += edge_m(m_partition, m_scale, h);
        } else if (m_narrow[other] == 0) {
          group.is_end = true;
        }
      });
    }
    std::vector<std::uint32_t> left;
    for (const std::uint32_t face : open) {
      const Group& group = found[groups.root(face)];
      if (neighbours[face].empty()) {
        left.push_back(face);
        continue;
      }
      const std::uint32_t owner = longest(group.lengths, m_precedence);
      if (group.is_end && group.shorter_side() < m_shortest) continue;
      m_owners[face] = owner;
      closed.area_m2 += areas_m2[face];
      if (groups.root(face) == face) ++closed.count;
    }
    open = std::move(left);
  }

 private:
  /// Narrow faces that touch each other and the same features.
  struct Group {
    std::map<std::uint32_t, double> lengths;  ///< of common edges, m, by feature
    bool is_end = false;                      ///< opens to wide ground

    /// The second longest of the common edges.
    [[nodiscard]] double shorter_side() const {
      std::array<double, 2> most{0.0, 0.0};
      for (const auto& [feature, length] : lengths) {
        most[1] = std::max(most[1], std::min(most[0], length));
        most[0] = std::max(most[0], length);
      }
      return most[1];
    }
  };

  /// Where a gap opens to wide ground, what is shorter than this part of the width stays: closing it moves
  /// the opening a little, where the next bridge would be a little longer, and so on.
  static constexpr double kShortestEnd = 0.25;

  const PlanarPartition& m_partition;
  const GroundScale& m_scale;
  std::span<const std::uint32_t> m_precedence;
  const std::vector<std::uint8_t>& m_narrow;
  double m_shortest;
  FaceOwners& m_owners;
};

}  // namespace

std::uint32_t longest(const std::map<std::uint32_t, double>& lengths,
                      std::span<const std::uint32_t> precedence) {
  std::uint32_t best = kNoOwner;
  double length = -1.0;
  for (const auto& [feature, m] : lengths) {
    if (m > length || (m == length && precedence[feature] < precedence[best])) {
      best = feature;
      length = m;
    }
  }
  return best;
}

std::vector<double> face_areas_m2(const PlanarPartition& partition, const GroundScale& scale) {
  std::vector<double> areas(partition.faces(), 0.0);
  tbb::parallel_for(std::uint32_t{1}, static_cast<std::uint32_t>(partition.faces()), [&](std::uint32_t face) {
    const GridPoint pivot = partition.start(partition.outlines(face).front());
    Wide doubled = 0;
    round_face(partition, face,
               [&](std::uint32_t h) { doubled += turn(pivot, partition.start(h), partition.end(h)); });
    const StepLength step = scale.at(pivot);
    areas[face] = 0.5 * static_cast<double>(doubled) * step.x * step.y;
  });
  return areas;
}

FaceOwners resolve_overlaps(const PlanarPartition& partition, const GroundScale& scale,
                            std::span<const std::uint32_t> precedence, OverlapRule rule,
                            std::span<const double> areas_m2, ChangeCount& resolved) {
  FaceOwners owners(partition.faces(), kNoOwner);
  for (std::uint32_t face = 1; face < partition.faces(); ++face) {
    const auto& cover = partition.cover(face);
    if (!cover.empty()) owners[face] = first_of(cover, precedence);
    if (cover.size() < 2) continue;
    ++resolved.count;
    resolved.area_m2 += areas_m2[face];
  }
  if (rule == OverlapRule::kLongestEdge) give_to_longest_edge(partition, scale, precedence, owners);
  return owners;
}

void close_gaps(const PlanarPartition& partition, const GroundScale& scale,
                std::span<const std::uint32_t> precedence, double width_m, std::span<const double> areas_m2,
                std::span<const std::uint8_t> candidates, FaceOwners& owners, ChangeCount& closed,
                ExecContext& exec) {
  std::vector<std::uint8_t> narrow(partition.faces(), 0);
  tbb::parallel_for(std::uint32_t{1}, static_cast<std::uint32_t>(partition.faces()), [&](std::uint32_t face) {
    if (owners[face] == kNoOwner) {
      narrow[face] = is_narrow(partition, scale, face, areas_m2[face], width_m) ? 1 : 0;
    }
  });
  exec.check_cancelled();
  std::vector<std::uint32_t> open;
  for (std::uint32_t face = 1; face < partition.faces(); ++face) {
    if (narrow[face] != 0 && candidates[face] != 0) open.push_back(face);
  }
  GapCloser closer(partition, scale, precedence, narrow, width_m, owners);
  for (std::size_t before = open.size() + 1; !open.empty() && open.size() < before;) {
    before = open.size();
    closer.round(open, areas_m2, closed);
  }
}

}  // namespace furrow::geo::detail
