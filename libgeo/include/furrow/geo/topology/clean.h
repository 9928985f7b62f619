#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::geo {

/// Who gets the ground that several polygons cover.
enum class OverlapRule {
  kSmaller,      ///< the polygon with the smaller area: no field is lost inside a larger one
  kLarger,       ///< the polygon with the larger area
  kLongestEdge,  ///< the one whose own ground lies along most of the overlap's outline; else the smaller
  kFirst         ///< the one that comes first, by id where there is one
};

/// Lines x = x0 + i dx and y = y0 + j dy at which a layer was cut into tiles; CRS units.
struct SeamGrid {
  double x0 = 0.0;
  double y0 = 0.0;
  double dx = 0.0;
  double dy = 0.0;
};

enum class SeamMerge { kOff, kFound, kGrid };

/// Lengths are metres and areas square metres on the ground, whatever the CRS.
struct CleanOptions {
  double precision_m = 0.01;  ///< step of the grid on which all coordinates lie; > 0
  /// Of polygons with at least this intersection over union one is kept; above 1 = keep all.
  double duplicate_iou = 0.95;
  OverlapRule overlaps = OverlapRule::kSmaller;
  double gaps_m = 1.0;  ///< gaps narrower than this are closed; 0 = none
  SeamMerge seams = SeamMerge::kOff;
  SeamGrid seam_grid;
  double min_width_m = 0.2;  ///< narrower pieces are slivers; 0 = none
  double min_area_m2 = 0.0;  ///< smaller pieces are absorbed or rejected
  double simplify_m = 0.0;   ///< tolerance of simplification; 0 = none
  std::string id;            ///< field that tells features apart; empty = their order does
};

struct ChangeCount {
  std::int64_t count = 0;
  double area_m2 = 0.0;
};

/// What was changed. features = fields + merged + the sum of rejected features.
struct CleanReport {
  std::int64_t features = 0;       ///< read
  std::int64_t fields = 0;         ///< written
  ChangeCount repaired;            ///< invalid polygons and their area after repair
  ChangeCount overlaps;            ///< pieces of ground that several polygons covered
  ChangeCount gaps;                ///< closed
  ChangeCount merged;              ///< features joined to another one at a seam
  std::vector<std::string> seams;  ///< lines at which fields were merged, "x = 500000"
  ChangeCount absorbed;            ///< pieces too small or narrow that went to a neighbour
  /// Features that are not in the result, by reason: "no polygon", "invalid", "duplicate", "overlapped"
  /// (others got all of it), "absorbed", "small", "sliver".
  std::map<std::string, ChangeCount> rejected;
  ChangeCount rejected_pieces;  ///< too small or narrow, without a neighbour, of features that live on
  double area_before_m2 = 0.0;  ///< sum over the polygons, overlaps counted as often as there are polygons
  double area_after_m2 = 0.0;
};

struct CleanedLayer {
  Layer layer;    ///< features in the order of the input, with their attributes
  Layer rejects;  ///< what is not in the result, with a field "reason"; shapes as read, or the piece
  CleanReport report;
};

/// Makes a coverage of any polygon layer: no two polygons overlap, no gap between two is narrower than a
/// width, neighbours share their edges vertex by vertex, all polygons are valid.
///
/// 1. Invalid polygons are repaired (make_valid).
/// 2. Of near duplicates the largest is kept; of equals that with the lower id, else the first.
/// 3. All outlines are rounded to the precision grid and cut where they meet (snap rounding). This divides
///    the plane into faces; each knows the polygons that cover it, by winding numbers.
/// 4. Faces covered by several polygons go to one of them (OverlapRule).
/// 5. Uncovered faces in which no circle of diameter `gaps_m` fits go to the feature with the longest common
///    edge. Lines from corners to the nearest point of another feature, not longer than `gaps_m`, divide
///    narrow ground from wide ground before; a gap that opens is closed up to 95 % of the width. Its end
///    stays when it is less than half as long as the width.
/// 6. Features cut at a tile border are merged, see SeamMerge: two pieces whose box ends at the same straight
///    line from both sides, with 80 % of what lies on the line in common. The merged feature has the
///    attributes of the largest. kGrid: the line is one of the grid. kFound: there are at least 3 such pairs
///    on the line, and no feature crosses the line between one and the next.
/// 7. Connected pieces under `min_area_m2`, or narrower than `min_width_m` (the shorter side of the rectangle
///    of the same area and perimeter), go to the feature with the longest common edge, the smallest first;
///    those without a neighbour are rejected.
/// 8. Edges between two features are simplified once for both, by the rules of simplify_arcs; ends stay.
///    Vertices that only the cutting made are dropped where they lie within a step of the line.
///
/// Same result for any number of threads, and for any order of the features where `id` tells them apart (or
/// no two have the same shape). Steps 5 and 7 are repeated until nothing changes, so that cleaning the result
/// again changes nothing, but in rare cases (gaps as wide as `gaps_m` to a step of the grid; simplification).
///
/// @param layer  polygons in any CRS; may be invalid, empty, of several parts
/// @throws InvalidArgument  an option out of its range
/// @throws CrsError         no CRS
/// @throws IoError          no field `id`
/// Clusters of features further apart than three times `gaps_m` are cleaned apart, and side by side.
/// Memory: about 3 KB per feature, and 1.5 KB per vertex at the peak of the clusters in hand (one for each
/// thread; with seams to merge, of the whole layer). Uses threads inside.
[[nodiscard]] CleanedLayer clean_layer(Layer layer, const CleanOptions& options, ExecContext& exec);

/// The report as JSON, and as a table for people.
[[nodiscard]] std::string to_json(const CleanReport& report);
[[nodiscard]] std::string to_table(const CleanReport& report);

}  // namespace furrow::geo
