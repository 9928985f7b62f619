#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/regions.h>
#include <furrow/geo/topology/score_map.h>
#include <furrow/geo/topology/simplify.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::geo {

enum class SplitMode {
  kWatershed,   ///< touching fields are split along ridges of the boundary score; fields keep their boundary
                ///< pixels
  kComponents,  ///< connected pieces of what is left without boundary pixels; fields lose them
  kInstances    ///< connected pieces of each number of ScoreMap::instances; thresholds and cut are not used
};

/// Where outlines run.
enum class OutlinePlacement {
  kPixel,  ///< along pixel sides
  kScore   ///< less than half a pixel off them, where the scores say that the border is. There are no
           ///< stairs then: a tolerance of 0.2 px is enough, 1 px would take away what is won
};

struct DelineateOptions {
  SplitMode mode = SplitMode::kWatershed;
  double extent_threshold = 0.5;    ///< 0..1; a pixel with at least this extent score may belong to a field
  double cut = 0.2;                 ///< 0..1; least height of a ridge above the calmer side (kWatershed)
  double boundary_threshold = 0.5;  ///< 0..1; pixels from here up are boundary (kComponents)
  double min_area_m2 = 500.0;       ///< smaller fields are absorbed or rejected; at least 5 px in any case
  double min_width_m = 0.0;         ///< so are narrower ones (equivalent_width); 0 = off
  double absorb_below = 0.5;  ///< mean boundary score under which a small field's longest common edge is weak
  double fill_holes_m2 = 500.0;      ///< smaller holes are filled
  double simplify_px = 1.0;          ///< tolerance of simplification; 0 = pixel outlines
  std::optional<double> simplify_m;  ///< the same in metres, instead
  SimplifyMethod simplify_method = SimplifyMethod::kDistance;
  OutlinePlacement placement = OutlinePlacement::kPixel;  ///< kScore: not with kInstances or kArea
  std::string layer_name = "fields";
  bool keep_rejects = false;  ///< make the layer of rejects
};

/// What became of the instances on the way to fields.
struct DelineateReport {
  std::int64_t valid_pixels = 0;
  std::int64_t field_pixels = 0;  ///< at or above the extent threshold
  double highest_extent = 0.0;    ///< 0..1, of valid pixels
  std::int64_t instances = 0;     ///< after splitting
  std::int64_t absorbed = 0;  ///< small or narrow, joined to the neighbour with the longest, weak common edge
  std::int64_t rejected_small = 0;   ///< small, without neighbour or behind a strong edge; see the layer of
                                     ///< rejects
  std::int64_t rejected_narrow = 0;  ///< likewise, large enough but under the minimum width
  std::int64_t rejected_pixels = 0;
  std::int64_t holes_filled = 0;
  std::int64_t holes_filled_pixels = 0;  ///< of background
  std::int64_t fields = 0;
  double min_area_m2 = 0.0;  ///< as applied
};

struct Delineation {
  Layer fields;
  Layer rejects;  ///< empty without DelineateOptions::keep_rejects
  Raster<std::uint32_t>
      instances;  ///< 1..n as in attribute `instance`, 0 no field, kUnknownInstance no scores
  DelineateReport report;
};

struct Instances {
  Raster<std::uint32_t> labels;  ///< 1..count by first pixel, 0 no field, kUnknownInstance no scores
  std::uint32_t count = 0;
  DelineateReport report;
};

/// The first half of `delineate`: which pixels belong to which field, without outlines. Needs no CRS.
///
/// @param areas  of the pixels; minimum area and holes are measured with it
/// @throws InvalidArgument  options out of range
/// Memory: about 32 bytes per pixel. Same result for any number of threads.
[[nodiscard]] Instances delineate_instances(const ScoreMap& scores, const PixelAreas& areas,
                                            const DelineateOptions& options, ExecContext& exec);

struct DelineatedFields {
  Layer layer;             ///< without features
  FeatureSource features;  ///< the fields; made some at a time, by all threads. Keeps what it needs alive
  DelineateReport report;
  Layer rejects_layer{};  ///< both empty without DelineateOptions::keep_rejects
  FeatureSource reject_features{};
};

/// How a scene is cut into strips of rows that are worked on one after the other.
struct StripOptions {
  std::int64_t rows = 0;          ///< of a strip; 0 = what fits three quarters of the memory budget
  std::filesystem::path scratch;  ///< folder of the temporary file; needed for more than one strip
};

/// Takes the instance raster, strip after strip from the top.
using InstanceSink = std::function<void(const Window&, const Raster<std::uint32_t>&)>;

/// Turns scores into fields: split, clean, trace, simplify, measure.
///
/// Fields are polygons of one part in the raster's CRS, valid, without gaps and overlaps between neighbours,
/// ordered by their first pixel in row-major order. An instance whose pixels hang together only diagonally is
/// several. Attributes:
/// - id (text): 16 hexadecimal digits from the world position of the field's first pixel; the same field gets
/// the same
///   id from any window of the same grid; unique in the layer
/// - instance: number in the instance raster
/// - area_ha, perimeter_m: of the polygon, geodesic; compactness 4 pi A / P^2; shape_index P / (2 sqrt(pi A))
/// - n_pixels
/// - touches_edge: has a pixel on the raster's border; cut_by_nodata: has a side in common with a pixel
/// without scores
/// - weakest_shared_edge: least mean boundary score (0..1) along the common edge with one neighbour; unset
/// without
///   neighbour, and for kInstances. Values below the cut are possible: the cut looks at the lowest pass, this
///   at the mean
///
/// With OutlinePlacement::kScore every pixel corner along the outlines moves by less than half a pixel in
/// column and in row before they are simplified, so with the same tolerance outlines have more corners.
/// Between field and background it goes to where the interpolated score that decided crosses its threshold,
/// between two fields to the top of the ridge of the boundary score (the lowest extent without boundary
/// scores); what alternates from corner to corner is smoothed out. Corners where three regions meet or two
/// touch diagonally, and those at the raster's border or beside missing data, stay. Fields, ids, n_pixels and
/// rejects are those of kPixel, and neighbours share their edges as there. Needs rasters of at most 2^22 - 1
/// rows and columns.
///
/// Rejects (DelineateOptions::keep_rejects) are a layer of their own, "rejects": instances that became no
/// field, each with what it had absorbed before, as the pixels lie (not simplified, so fields do not depend
/// on whether it is wanted, and simplified fields may reach into it), ordered by their first pixel.
/// Attributes: id (as for fields), reason ("small": under the minimum area; "narrow": under the minimum width
/// only), width_m (equivalent_width), area_ha, n_pixels, touches_edge, cut_by_nodata, edge_score (mean
/// boundary score of the longest common edge with a neighbour, which was too strong for joining; unset
/// without neighbour). Rejects that were filled as holes of a field are part of it.
///
/// @throws CrsError         the grid has no CRS
/// @throws InvalidArgument  options out of range
/// Same result for any number of threads.
[[nodiscard]] Delineation delineate(const ScoreMap& scores, const DelineateOptions& options,
                                    ExecContext& exec);

/// The same, to the byte, for scenes of any size: in three passes over strips of rows (split; find regions;
/// trace), with what fields need from each other across strips kept in memory.
///
/// Memory: about 40 bytes per pixel of one strip, then 1 bit per pixel of the scene, about 1 kB per field
/// and, when they are kept, 300 bytes per reject. Disk: at most 17 bytes per pixel in the scratch folder,
/// with fields of some hundred pixels about 2.
/// With OutlinePlacement::kScore also 2 bytes per pixel side of the outlines.
/// @param scores     called for strips from the top; some rows twice; for kScore once more in the same way
/// @param instances  may be empty
/// @throws CrsError         the grid has no CRS
/// @throws InvalidArgument  options out of range; rows so long that not even 16 fit the memory budget
/// @throws IoError          as `scores` and `instances`; the scratch folder is full
/// Same result for any number of threads and any height of the strips.
[[nodiscard]] DelineatedFields delineate_by_strips(const Grid& grid, const ScoreRows& scores,
                                                   const DelineateOptions& options,
                                                   const StripOptions& strips, const InstanceSink& instances,
                                                   ExecContext& exec);

/// Rows of a strip within the memory budget.
/// @throws InvalidArgument  not even 16 rows fit
[[nodiscard]] std::int64_t delineate_strip_rows(const Grid& grid, const ExecContext& exec);

}  // namespace furrow::geo
