#include "clean_shapes.h"

#include <algorithm>
#include <map>
#include <utility>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_sort.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/vector/box_index.h>

#include "clean_groups.h"
#include "dissolve.h"
#include "face_owners.h"
#include "gap_bridges.h"
#include "pieces.h"
#include "planar_partition.h"
#include "seams.h"
#include "snap_rounding.h"

namespace furrow::geo::detail {
namespace {

/// Vertices of all shapes, sorted.
std::vector<GridPoint> vertices_of(std::span<const GridShape> shapes) {
  std::vector<GridPoint> vertices;
  for (const GridShape& shape : shapes) {
    for (const GridRing& ring : shape.rings) vertices.insert(vertices.end(), ring.begin(), ring.end());
  }
  tbb::parallel_sort(vertices.begin(), vertices.end());
  vertices.erase(std::unique(vertices.begin(), vertices.end()), vertices.end());
  return vertices;
}

/// By node: a vertex lies there. Both lists are sorted.
std::vector<bool> corners_of(const PlanarPartition& partition, const std::vector<GridPoint>& vertices) {
  std::vector<bool> is_corner(partition.nodes().size(), false);
  auto vertex = vertices.begin();
  for (std::size_t n = 0; n < is_corner.size(); ++n) {
    const GridPoint node = partition.nodes()[n];
    vertex = std::lower_bound(vertex, vertices.end(), node);
    is_corner[n] = vertex != vertices.end() && *vertex == node;
  }
  return is_corner;
}

/// How near a shape is to one that got ground in the round before.
enum class Nearness : std::uint8_t { kChanged, kNear, kContext };

/// The shapes that a round of closing gaps looks at.
struct Neighbourhood {
  std::vector<std::uint32_t> shapes;  ///< ascending
  std::vector<Nearness> nearness;     ///< by position in `shapes`
};

Neighbourhood all_of(std::span<const GridShape> shapes) {
  Neighbourhood all;
  for (std::uint32_t s = 0; s < shapes.size(); ++s) {
    if (!shapes[s].rings.empty()) all.shapes.push_back(s);
  }
  all.nearness.assign(all.shapes.size(), Nearness::kChanged);
  return all;
}

/// Changed shapes, those in reach of them, and those in reach of these.
Neighbourhood round_changed(std::span<const GridShape> shapes, const BoxIndex& index,
                            const std::vector<bool>& changed, const GroundScale& scale, double width_m) {
  std::map<std::uint32_t, Nearness> found;
  std::vector<std::uint32_t> last;
  for (std::uint32_t s = 0; s < shapes.size(); ++s) {
    if (!changed[s] || shapes[s].rings.empty()) continue;
    found.emplace(s, Nearness::kChanged);
    last.push_back(s);
  }
  for (const Nearness nearness : {Nearness::kNear, Nearness::kContext}) {
    std::vector<std::uint32_t> next;
    for (const std::uint32_t s : last) {
      const StepLength step = scale.at(shapes[s].rings.front().front());
      const double x = width_m / step.x * 1.1 + 2.0;
      const double y = width_m / step.y * 1.1 + 2.0;
      const Box& box = shapes[s].box;
      for (const std::size_t other :
           index.query({box.min_x - x, box.min_y - y, box.max_x + x, box.max_y + y})) {
        const auto number = static_cast<std::uint32_t>(other);
        if (found.emplace(number, nearness).second) next.push_back(number);
      }
    }
    last = std::move(next);
  }
  Neighbourhood result;
  for (const auto& [s, nearness] : found) {
    result.shapes.push_back(s);
    result.nearness.push_back(nearness);
  }
  return result;
}

/// Uncovered faces whose outlines and ground are known in full though shapes further off are not there: they
/// touch a changed shape, no shape of the context, and no box of a shape that is left out.
std::vector<std::uint8_t> known_faces(const PlanarPartition& partition, const FaceOwners& owners,
                                      const Neighbourhood& neighbourhood, const BoxIndex& index) {
  std::vector<std::uint8_t> known(partition.faces(), 0);
  std::vector<std::uint8_t> touches_context(partition.faces(), 0);
  std::vector<Box> boxes(partition.faces());
  for (std::uint32_t h = 0; h < partition.half_edges(); ++h) {
    const std::uint32_t face = partition.face(h);
    if (face == 0 || owners[face] != kNoOwner) continue;
    boxes[face].expand(
        Point{static_cast<double>(partition.start(h).x), static_cast<double>(partition.start(h).y)});
    const std::uint32_t owner = owners[partition.face(PlanarPartition::twin(h))];
    if (owner == kNoOwner) continue;
    if (neighbourhood.nearness[owner] == Nearness::kChanged) known[face] = 1;
    if (neighbourhood.nearness[owner] == Nearness::kContext) touches_context[face] = 1;
  }
  for (std::uint32_t face = 1; face < partition.faces(); ++face) {
    if (known[face] == 0) continue;
    const bool is_whole = std::ranges::all_of(index.query(boxes[face]), [&](std::size_t s) {
      return std::ranges::binary_search(neighbourhood.shapes, static_cast<std::uint32_t>(s));
    });
    known[face] = is_whole && touches_context[face] == 0 ? 1 : 0;
  }
  return known;
}

class ShapeCleaner {
 public:
  ShapeCleaner(std::vector<GridShape> shapes, std::span<const std::uint32_t> precedence,
               const PrecisionGrid& grid, const GroundScale& scale, const CleanOptions& options,
               CleanReport& report, ExecContext& exec)
      : m_precedence(precedence),
        m_grid(grid),
        m_scale(scale),
        m_options(options),
        m_report(report),
        m_exec(exec) {
    m_result.outcomes.assign(shapes.size(), Outcome::kKept);
    m_result.shapes = std::move(shapes);
    m_vertices = vertices_of(m_result.shapes);
  }

  CleanedShapes run() {
    PlanarPartition partition = divide(m_result.shapes, {});
    FaceOwners owners = resolve_overlaps(partition, m_scale, m_precedence, m_options.overlaps,
                                         face_areas_m2(partition, m_scale), m_report.overlaps);
    note(owners, [](std::uint32_t) { return Outcome::kOverlapped; });
    m_result.shapes = dissolved(partition, owners, 0.0);
    constexpr int kMostRounds =
        10;  // two or three are usual; the last one only finds that nothing is left to do
    for (int round = 0; round < kMostRounds; ++round) {
      const bool closed = close_all_gaps();
      if (closed) {
        partition = divide(m_result.shapes, {});
        owners = owners_of_coverage(partition);
      } else if (round > 0) {
        break;
      }
      const FaceOwners before = owners;
      const std::vector<double> areas = face_areas_m2(partition, m_scale);
      if (round == 0 && m_options.seams != SeamMerge::kOff) merge_seams(partition, areas, owners);
      const auto lost =
          absorb_pieces(partition, m_scale, m_precedence, areas, m_options, owners, m_report.absorbed);
      reject(partition, lost, owners);
      if (!closed && owners == before) break;
      m_result.shapes = dissolved(partition, owners, 0.0);
    }
    m_result.shapes = dissolved(partition, owners, m_options.simplify_m);
    return std::move(m_result);
  }

 private:
  [[nodiscard]] PlanarPartition divide(std::span<const GridShape> shapes,
                                       std::span<const OutlineSegment> bridges) const {
    std::vector<OutlineSegment> segments = outline_segments(shapes);
    segments.insert(segments.end(), bridges.begin(), bridges.end());
    m_exec.check_cancelled();
    return {snap_round(segments, m_exec), m_exec};
  }

  [[nodiscard]] std::vector<GridShape> dissolved(const PlanarPartition& partition, const FaceOwners& owners,
                                                 double simplify_m) const {
    const std::vector<bool> is_corner = corners_of(partition, m_vertices);
    return dissolve(partition, owners, m_result.shapes.size(), is_corner, m_scale, {simplify_m}, m_exec);
  }

  /// Of shapes that do not overlap.
  static FaceOwners owners_of_coverage(const PlanarPartition& partition) {
    FaceOwners owners(partition.faces(), kNoOwner);
    for (std::uint32_t face = 1; face < partition.faces(); ++face) {
      if (!partition.cover(face).empty()) owners[face] = partition.cover(face).front();
    }
    return owners;
  }

  static BoxIndex index_of(std::span<const GridShape> shapes) {
    std::vector<Box> boxes;
    for (const GridShape& shape : shapes) boxes.push_back(shape.box);
    return BoxIndex(boxes);
  }

  /// Closes gaps until there are none. Shapes that got nothing stay as they are, to the last vertex.
  /// @return something was closed
  bool close_all_gaps() {
    if (m_options.gaps_m == 0.0) return false;
    bool any = false;
    Neighbourhood active = all_of(m_result.shapes);
    constexpr int kMostRounds = 50;  // each smaller than the one before
    for (int round = 0; round < kMostRounds; ++round) {
      const std::vector<bool> changed = close_some_gaps(active, index_of(m_result.shapes));
      if (std::ranges::none_of(changed, [](bool is_changed) { return is_changed; })) break;
      any = true;
      active = round_changed(m_result.shapes, index_of(m_result.shapes), changed, m_scale, m_options.gaps_m);
    }
    return any;
  }

  /// @return by shape: it got ground
  std::vector<bool> close_some_gaps(const Neighbourhood& active, const BoxIndex& index) {
    std::vector<GridShape> shapes;
    std::vector<std::uint32_t> precedence;
    for (const std::uint32_t s : active.shapes) {
      shapes.push_back(m_result.shapes[s]);
      precedence.push_back(m_precedence[s]);
    }
    std::vector<bool> changed(m_result.shapes.size(), false);
    const auto bridges = gap_bridges(shapes, outline_segments(shapes), m_scale, m_options.gaps_m, m_exec);
    const PlanarPartition partition = divide(shapes, bridges);
    FaceOwners owners = owners_of_coverage(partition);
    const FaceOwners before = owners;
    close_gaps(partition, m_scale, precedence, m_options.gaps_m, face_areas_m2(partition, m_scale),
               known_faces(partition, owners, active, index), owners, m_report.gaps, m_exec);
    if (owners == before) return changed;
    for (std::uint32_t face = 0; face < partition.faces(); ++face) {
      if (owners[face] != before[face]) changed[active.shapes[owners[face]]] = true;
    }
    const std::vector<bool> is_corner = corners_of(partition, m_vertices);
    auto closed = dissolve(partition, owners, shapes.size(), is_corner, m_scale, {}, m_exec);
    for (std::size_t i = 0; i < closed.size(); ++i) {
      if (changed[active.shapes[i]]) m_result.shapes[active.shapes[i]] = std::move(closed[i]);
    }
    return changed;
  }

  void merge_seams(const PlanarPartition& partition, std::span<const double> areas, FaceOwners& owners) {
    const auto merged =
        merge_at_seams(partition, m_grid, m_scale, m_result.shapes.size(), areas, m_options, owners);
    m_report.seams = merged.seams;
    note(owners, [&](std::uint32_t s) { return merged.into[s] == s ? Outcome::kKept : Outcome::kMerged; });
  }

  /// Shapes that have no ground left get the outcome that `why` says, unless they have one already.
  template <class Why>
  void note(const FaceOwners& owners, const Why& why) {
    std::vector<bool> there(m_result.outcomes.size(), false);
    for (const std::uint32_t owner : owners) {
      if (owner != kNoOwner) there[owner] = true;
    }
    for (std::uint32_t s = 0; s < there.size(); ++s) {
      Outcome& outcome = m_result.outcomes[s];
      if (!there[s] && outcome == Outcome::kKept) outcome = why(s);
    }
  }

  void reject(const PlanarPartition& partition, const std::vector<LostPiece>& lost,
              const FaceOwners& owners) {
    std::vector<Outcome> outcomes(m_result.outcomes.size(), Outcome::kAbsorbed);
    for (const LostPiece& piece : lost) {
      outcomes[piece.owner] = piece.is_sliver ? Outcome::kSliver : Outcome::kSmall;
    }
    note(owners, [&](std::uint32_t s) { return outcomes[s]; });
    if (lost.empty()) return;
    FaceOwners faces(partition.faces(), kNoOwner);
    for (std::uint32_t i = 0; i < lost.size(); ++i) {
      for (const std::uint32_t face : lost[i].faces) faces[face] = i;
    }
    const std::vector<bool> all(partition.nodes().size(), true);
    auto shapes = dissolve(partition, faces, lost.size(), all, m_scale, {}, m_exec);
    for (std::size_t i = 0; i < lost.size(); ++i) {
      m_result.rejected.push_back({lost[i].owner, std::move(shapes[i]), lost[i].is_sliver});
    }
  }

  std::span<const std::uint32_t> m_precedence;
  const PrecisionGrid& m_grid;
  const GroundScale& m_scale;
  const CleanOptions& m_options;
  CleanReport& m_report;
  ExecContext& m_exec;
  CleanedShapes m_result;
  std::vector<GridPoint> m_vertices;  // of the input; what the cutting adds may go again
};

/// Cleans one list of shapes, which it takes out of `shapes`.
CleanedShapes clean_group(std::span<const std::uint32_t> group, std::vector<GridShape>& shapes,
                          std::span<const std::uint32_t> precedence, const PrecisionGrid& grid,
                          const GroundScale& scale, const CleanOptions& options, CleanReport& report,
                          ExecContext& exec) {
  std::vector<GridShape> own;
  std::vector<std::uint32_t> own_precedence;
  for (const std::uint32_t s : group) {
    own.push_back(std::move(shapes[s]));
    own_precedence.push_back(precedence[s]);
  }
  return ShapeCleaner(std::move(own), own_precedence, grid, scale, options, report, exec).run();
}

void add(ChangeCount& total, const ChangeCount& part) {
  total.count += part.count;
  total.area_m2 += part.area_m2;
}

void put_back(std::span<const std::uint32_t> group, CleanedShapes part, CleanedShapes& all) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    all.shapes[group[i]] = std::move(part.shapes[i]);
    all.outcomes[group[i]] = part.outcomes[i];
  }
  for (RejectedPiece& piece : part.rejected) {
    piece.owner = group[piece.owner];
    all.rejected.push_back(std::move(piece));
  }
}

}  // namespace

CleanedShapes clean_shapes(std::vector<GridShape> shapes, std::span<const std::uint32_t> precedence,
                           const PrecisionGrid& grid, const GroundScale& scale, const CleanOptions& options,
                           CleanReport& report, ExecContext& exec) {
  // Ground that a closed gap adds lies within a width of both its sides, and a simplified line within the
  // tolerance of what it was: so far apart, nothing is ever shared.
  const double reach_m = 3.0 * options.gaps_m + 2.0 * options.simplify_m;
  constexpr std::size_t kLeastVertices = 20'000;  // enough work for a thread, little for the memory
  // What is a seam shows along all of the layer.
  const auto groups = options.seams == SeamMerge::kOff ? groups_apart(shapes, scale, reach_m, kLeastVertices)
                                                       : std::vector<std::vector<std::uint32_t>>{};
  if (groups.size() < 2)
    return ShapeCleaner(std::move(shapes), precedence, grid, scale, options, report, exec).run();
  CleanedShapes all;
  all.shapes.resize(shapes.size());
  all.outcomes.resize(shapes.size());
  std::vector<CleanedShapes> parts(groups.size());
  std::vector<CleanReport> reports(groups.size());
  tbb::parallel_for(std::size_t{0}, groups.size(), [&](std::size_t g) {
    exec.check_cancelled();
    // Isolated: a thread that waits must not hold a second group meanwhile.
    tbb::this_task_arena::isolate([&] {
      parts[g] = clean_group(groups[g], shapes, precedence, grid, scale, options, reports[g], exec);
    });
  });
  for (std::size_t g = 0; g < groups.size(); ++g) {
    put_back(groups[g], std::move(parts[g]), all);
    add(report.overlaps, reports[g].overlaps);
    add(report.gaps, reports[g].gaps);
    add(report.absorbed, reports[g].absorbed);
  }
  return all;
}

}  // namespace furrow::geo::detail
