#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// Scores of a scene, ready to be split into fields. All have shape [1, rows, cols].
struct ScoreMap {
  Grid grid;
  Raster<std::uint8_t>
      extent;  ///< score that the pixel lies in a field (interior or boundary), 0..200 = 0..1
  Raster<std::uint8_t> boundary;        ///< score that the pixel lies on a field's boundary, 0..200 = 0..1
  Raster<std::uint8_t> valid;           ///< 1 where scores are known; both scores are 0 elsewhere
  Raster<std::uint32_t> instances{};    ///< numbers of fields, 0 elsewhere; empty with ScoreContent::kScores
  Raster<std::uint8_t> whole_extent{};  ///< before the outer half of the boundary was taken off; empty
                                        ///< where it never is
};

enum class ScoreContent {
  kScores,
  kInstances  ///< one band of whole numbers, one per field; 0 = no field. Extent is 1 in fields, boundary 0
};

/// Which bands hold what.
struct ScoreBands {
  /// 1-based; both unset = by the number of bands: 1 (extent; boundary = 1 - extent), 2 (extent, boundary),
  /// 3 (background, interior, boundary; extent = interior + boundary, but interior alone in the outer half of
  /// the boundary between fields and background).
  std::optional<int> extent;
  std::optional<int> boundary;  ///< unset with `extent` set: boundary = 1 - extent
  /// score = stored value x scale; unset = scale and offset of each band's metadata.
  std::optional<double> scale;
  ScoreContent content = ScoreContent::kScores;
};

/// Reads a score raster of any pixel type, in parallel, and quantises it to 200 levels.
///
/// A pixel is valid when all bands in use hold data (no nodata, mask or NaN).
///
/// Three bands. Boundaries are learnt half on each side of the outline, so interior + boundary lies half a
/// boundary outside of isolated fields. A pixel in doubt (interior and background score within 0.3 of each
/// other) counts as background when the nearest pixel that is background by more than 0.3 is nearer than the
/// nearest that is interior by more; what counts as background, within 4 px of a background score of 0.5,
/// has its interior score alone as extent. Nothing changes further away, between fields for instance.
/// @throws IoError  the number of bands fits no layout, a band is not there, or a valid score lies outside
/// 0..1 (with
///                  its place and the likely scale); reading failed
/// Memory: 3 bytes per pixel, 10 for three bands. Same result for any number of threads.
[[nodiscard]] ScoreMap read_scores(const RasterReader& reader, const ScoreBands& bands, ExecContext& exec);

/// Gives the scores of some whole rows of a scene (window as wide as the scene).
using ScoreRows = std::function<ScoreMap(const Window& rows, ExecContext& exec)>;

struct ScoreScene {
  Grid grid;
  ScoreRows rows;
};

/// Scores of one raster, or of several tiles seen as one scene, read by rows.
///
/// Tiles lie on one grid of pixels (same CRS and pixel size, whole pixels apart) and have the same bands.
/// Where they overlap, a pixel comes from the tile in which it lies furthest from the border, of those that
/// have a score there: networks see least at borders. So the scene does not depend on the order of the tiles.
/// Pixels that no tile covers are not valid. Tiles are opened when rows need them.
/// @param bands  in each tile; metadata (scale, offset) is each tile's own
/// @throws IoError          as read_scores; tiles that do not lie on one grid, or differ in the number of
/// bands;
///                          several rasters of instances, whose numbers would mix
/// @throws InvalidArgument  no path; as read_scores
/// Memory of a read: 3 bytes per pixel, for several tiles 10 more.
[[nodiscard]] ScoreScene open_scores(std::span<const std::string> paths, const ScoreBands& bands,
                                     const RasterReadOptions& options);

}  // namespace furrow::geo
