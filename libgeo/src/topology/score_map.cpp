#include <furrow/geo/topology/score_map.h>

#include <cmath>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/watershed.h>

#include "strips.h"

namespace furrow::geo {
namespace {

/// What a raster's bands mean, 0-based.
struct Layout {
  int extent = 0;
  int boundary = -1;                ///< -1: 1 - extent
  bool extent_is_interior = false;  ///< extent = interior + boundary
  [[nodiscard]] std::vector<int> bands() const {
    if (boundary < 0) return {extent};
    return {extent, boundary};
  }
};

Layout layout_of(const RasterReader& reader, const ScoreBands& bands) {
  const auto check = [&](int band, const char* what) {
    if (band < 1 || band > reader.bands()) {
      throw IoError(concat("raster ", quoted(reader.path()), " has ", reader.bands(), " bands; band ", band,
                           ", given for the ", what, " score, is not there"));
    }
    return band - 1;
  };
  if (bands.boundary && !bands.extent) {
    throw InvalidArgument("a band for the boundary score needs one for the extent score too");
  }
  if (bands.extent) {
    return {check(*bands.extent, "extent"), bands.boundary ? check(*bands.boundary, "boundary") : -1, false};
  }
  switch (reader.bands()) {
    case 1:
      return {0, -1, false};
    case 2:
      return {0, 1, false};
    case 3:
      return {1, 2, true};
    default:
      break;
  }
  throw IoError(concat(
      "raster ", quoted(reader.path()), " has ", reader.bands(),
      " bands; scores have 1 (extent), 2 (extent, boundary) or 3 (background, interior, boundary); say "
      "which bands to use with --extent-band and --boundary-band"));
}

/// The scale that would bring a value into 0..1, as people store scores.
std::string likely_scale(double value) {
  if (value <= 100.0) return "0.01";
  if (value <= 200.0) return "0.005";
  if (value <= 255.0) return "0.00392156862745098";
  if (value <= 10000.0) return "0.0001";
  return "one that brings it there";
}

class Quantiser {
 public:
  Quantiser(const RasterReader& reader, int band, const std::optional<double>& scale)
      : m_reader(reader), m_band(band) {
    const BandInfo& info = reader.band(band);
    m_scale = scale.value_or(info.scale);
    m_offset = scale ? 0.0 : info.offset;
  }

  [[nodiscard]] std::uint8_t operator()(float stored, std::int64_t col, std::int64_t row) const {
    const double score = static_cast<double>(stored) * m_scale + m_offset;
    // Network outputs and resampling overshoot by rounding noise, never by half a level.
    constexpr double kSlack = 0.5 / kScoreLevels;
    if (!(score >= -kSlack && score <= 1.0 + kSlack)) {
      throw IoError(concat("raster ", quoted(m_reader.path()), " has the score ", shortest(score),
                           " in band ", m_band + 1, " at column ", col, ", row ", row,
                           ", outside 0..1; say how stored values become scores with ",
                           "--scale, for example --scale ", likely_scale(static_cast<double>(stored))));
    }
    return static_cast<std::uint8_t>(
        std::clamp(std::floor(score * kScoreLevels + 0.5), 0.0, double{kScoreLevels}));
  }

 private:
  const RasterReader& m_reader;
  int m_band;
  double m_scale = 1.0;
  double m_offset = 0.0;
};

ScoreMap read_rows(const RasterReader& reader, const Layout& layout, const std::optional<double>& scale,
                   const Window& rows) {
  const std::vector<int> used = layout.bands();
  ScoreMap map{reader.grid().subgrid(rows), Raster<std::uint8_t>(rows.width, rows.height),
               Raster<std::uint8_t>(rows.width, rows.height), Raster<std::uint8_t>(rows.width, rows.height)};
  const Quantiser extent_of(reader, layout.extent, scale);
  const Quantiser boundary_of(reader, std::max(layout.boundary, 0), scale);
  // Whole blocks of the file are read once: strips of rows as high as a block, and from where blocks begin.
  const std::int64_t step = std::max<std::int64_t>(detail::kStripRows, reader.block_height());
  const std::int64_t first = rows.row / step;
  const std::int64_t last = (rows.end_row() + step - 1) / step;
  tbb::parallel_for(first, last, [&](std::int64_t s) {
    const Window window = intersection({0, s * step, rows.width, step}, rows);
    const Raster<float> pixels = reader.read<float>(window, used);
    const Raster<std::uint8_t> valid = reader.read_valid(window, used);
    for (std::int64_t row = 0; row < window.height; ++row) {
      const std::int64_t y = window.row + row;
      for (std::int64_t col = 0; col < window.width; ++col) {
        if (valid.at(col, row) == 0) continue;
        int extent = extent_of(pixels.at(col, row, 0), col, y);
        int boundary = kScoreLevels - extent;
        if (layout.boundary >= 0) boundary = boundary_of(pixels.at(col, row, 1), col, y);
        if (layout.extent_is_interior) extent = std::min(kScoreLevels, extent + boundary);
        map.extent.at(col, y - rows.row) = static_cast<std::uint8_t>(extent);
        map.boundary.at(col, y - rows.row) = static_cast<std::uint8_t>(boundary);
        map.valid.at(col, y - rows.row) = 1;
      }
    }
  });
  return map;
}

}  // namespace

ScoreRows score_rows(const RasterReader& reader, const ScoreBands& bands) {
  return [&reader, layout = layout_of(reader, bands), scale = bands.scale](const Window& rows,
                                                                           ExecContext& exec) {
    exec.check_cancelled();
    return read_rows(reader, layout, scale, rows);
  };
}

ScoreMap read_scores(const RasterReader& reader, const ScoreBands& bands, ExecContext& exec) {
  return score_rows(reader, bands)(reader.grid().window(), exec);
}

}  // namespace furrow::geo
