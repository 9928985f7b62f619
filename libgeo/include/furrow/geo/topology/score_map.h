#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::geo {

/// Scores of a scene, ready to be split into fields. All three have shape [1, rows, cols].
struct ScoreMap {
  Grid grid;
  Raster<std::uint8_t>
      extent;  ///< score that the pixel lies in a field (interior or boundary), 0..200 = 0..1
  Raster<std::uint8_t> boundary;  ///< score that the pixel lies on a field's boundary, 0..200 = 0..1
  Raster<std::uint8_t> valid;     ///< 1 where scores are known; both scores are 0 elsewhere
};

/// Which bands hold what.
struct ScoreBands {
  /// 1-based; both unset = by the number of bands: 1 (extent; boundary = 1 - extent), 2 (extent, boundary),
  /// 3 (background, interior, boundary; extent = interior + boundary).
  std::optional<int> extent;
  std::optional<int> boundary;  ///< unset with `extent` set: boundary = 1 - extent
  /// score = stored value x scale; unset = scale and offset of each band's metadata.
  std::optional<double> scale;
};

/// Reads a score raster of any pixel type, in parallel, and quantises it to 200 levels.
///
/// A pixel is valid when all bands in use hold data (no nodata, mask or NaN).
/// @throws IoError  the number of bands fits no layout, a band is not there, or a valid score lies outside
/// 0..1 (with
///                  its place and the likely scale); reading failed
/// Memory: 3 bytes per pixel. Same result for any number of threads.
[[nodiscard]] ScoreMap read_scores(const RasterReader& reader, const ScoreBands& bands, ExecContext& exec);

/// Gives the scores of some whole rows of a scene (window as wide as the scene).
using ScoreRows = std::function<ScoreMap(const Window& rows, ExecContext& exec)>;

/// `read_scores` by rows. Bands and scale are looked at once, here.
/// @param reader  must outlive the result
/// @throws IoError, InvalidArgument  as read_scores
[[nodiscard]] ScoreRows score_rows(const RasterReader& reader, const ScoreBands& bands);

}  // namespace furrow::geo
