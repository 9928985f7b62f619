#include <furrow/geo/topology/score_map.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/warped_reader.h>
#include <furrow/geo/topology/watershed.h>

#include "outer_boundary.h"
#include "strips.h"

namespace furrow::geo {
namespace {

/// What a raster's bands mean, 0-based.
struct Layout {
  int extent = 0;
  int boundary = -1;                ///< -1: 1 - extent
  bool extent_is_interior = false;  ///< extent = interior + boundary
  bool is_instances = false;        ///< band `extent` holds instance numbers
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
    if (bands.content == ScoreContent::kInstances) return {check(*bands.extent, "extent"), -1, false, true};
    return {check(*bands.extent, "extent"), bands.boundary ? check(*bands.boundary, "boundary") : -1, false,
            false};
  }
  if (bands.content == ScoreContent::kInstances) {
    if (reader.bands() == 1) return {0, -1, false, true};
    throw IoError(concat("raster ", quoted(reader.path()), " has ", reader.bands(),
                         " bands; say which one holds the instances with --extent-band"));
  }
  switch (reader.bands()) {
    case 1:
      return {0, -1, false, false};
    case 2:
      return {0, 1, false, false};
    case 3:
      return {1, 2, true, false};
    default:
      break;
  }
  throw IoError(concat(
      "raster ", quoted(reader.path()), " has ", reader.bands(),
      " bands; scores have 1 (extent), 2 (extent, boundary) or 3 (background, interior, boundary); say "
      "which bands to use with --extent-band and --boundary-band"));
}

/// The scale that would bring values up to the largest into 0..1, as people store scores.
std::string likely_scale(double largest) {
  if (largest <= 100.0) return "0.01";
  if (largest <= 200.0) return "0.005";
  if (largest <= 255.0) return "0.00392156862745098";
  if (largest <= 10000.0) return "0.0001";
  return "one that brings it there";
}

struct OutOfRange {};

/// Stored values of a band as levels.
class Quantiser {
 public:
  Quantiser(const RasterReader& reader, int band, const std::optional<double>& scale)
      : m_scale(scale.value_or(reader.band(band).scale)), m_offset(scale ? 0.0 : reader.band(band).offset) {}

  [[nodiscard]] double score(float stored) const { return static_cast<double>(stored) * m_scale + m_offset; }

  [[nodiscard]] static bool is_score(double score) {
    // Network outputs and resampling overshoot by rounding noise, never by half a level.
    constexpr double kSlack = 0.5 / kScoreLevels;
    return score >= -kSlack && score <= 1.0 + kSlack;
  }

  /// @throws OutOfRange
  [[nodiscard]] std::uint8_t operator()(float stored) const {
    const double value = score(stored);
    if (!is_score(value)) throw OutOfRange{};
    return static_cast<std::uint8_t>(
        std::clamp(std::floor(value * kScoreLevels + 0.5), 0.0, double{kScoreLevels}));
  }

 private:
  double m_scale;
  double m_offset;
};

/// Says which value of a raster is no score: the first one, and, for the likely scale, how large they get.
/// Looks at the whole raster again, so that the words depend on nothing but the raster.
/// @throws IoError always
[[noreturn]] void refuse_values(const RasterReader& reader, const std::vector<int>& bands,
                                const std::optional<double>& scale) {
  std::string first;
  float least = 0.0F;
  float largest = 0.0F;
  const Window all = reader.grid().window();
  for (std::int64_t top = 0; top < all.height; top += detail::kStripRows) {
    const Window window = intersection({0, top, all.width, detail::kStripRows}, all);
    const Raster<float> pixels = reader.read<float>(window, bands);
    const Raster<std::uint8_t> valid = reader.read_valid(window, bands);
    for (std::int64_t i = 0; i < window.pixels(); ++i) {
      if (valid.data()[static_cast<std::size_t>(i)] == 0) continue;
      for (std::size_t b = 0; b < bands.size(); ++b) {
        const float stored = pixels.band(static_cast<int>(b))[static_cast<std::size_t>(i)];
        least = std::min(least, stored);
        largest = std::max(largest, stored);
        const double score = Quantiser(reader, bands[b], scale).score(stored);
        if (!first.empty() || Quantiser::is_score(score)) continue;
        first = concat("the score ", shortest(score), " in band ", bands[b] + 1, " at column ",
                       i % window.width, ", row ", top + i / window.width);
      }
    }
  }
  const std::string remedy =
      least < 0.0F
          ? concat("values go down to ", shortest(static_cast<double>(least)),
                   "; if they stand for no data, mark them with gdal_edit.py -a_nodata, else say how stored "
                   "values become scores with --scale")
          : concat("stored values go up to ", shortest(static_cast<double>(largest)),
                   "; say how they become scores with --scale, for example --scale ",
                   likely_scale(static_cast<double>(largest)));
  throw IoError(concat("raster ", quoted(reader.path()), " has ", first, ", outside 0..1; ", remedy));
}

ScoreMap empty_map(const Grid& grid, const Window& rows) {
  return {grid.subgrid(rows),
          Raster<std::uint8_t>(rows.width, rows.height),
          Raster<std::uint8_t>(rows.width, rows.height),
          Raster<std::uint8_t>(rows.width, rows.height),
          {},
          {}};
}

/// Calls work(window) for parts of some rows, in parallel. Whole blocks of the file are read once: parts are
/// as high as a block, and begin where blocks begin.
template <class Work>
void for_each_part(const RasterReader& reader, const Window& rows, const Work& work) {
  const std::int64_t step = std::max<std::int64_t>(detail::kStripRows, reader.block_height());
  tbb::parallel_for(rows.row / step, (rows.end_row() + step - 1) / step, [&](std::int64_t part) {
    work(intersection({0, part * step, rows.width, step}, rows));
  });
}

ScoreMap read_instances(const RasterReader& reader, const Layout& layout, const Window& rows) {
  ScoreMap map = empty_map(reader.grid(), rows);
  map.instances = Raster<std::uint32_t>(rows.width, rows.height);
  const std::vector<int> used = layout.bands();
  for_each_part(reader, rows, [&](const Window& window) {
    const Raster<double> pixels = reader.read<double>(window, used);
    const Raster<std::uint8_t> valid = reader.read_valid(window, used);
    for (std::int64_t row = 0; row < window.height; ++row) {
      const std::int64_t y = window.row + row - rows.row;
      for (std::int64_t col = 0; col < window.width; ++col) {
        if (valid.at(col, row) == 0) continue;
        map.valid.at(col, y) = 1;
        const double value = pixels.at(col, row);
        if (!(value >= 0.0 && value < 4294967293.0) || value != std::floor(value)) {
          throw IoError(concat("raster ", quoted(reader.path()), " has the value ", shortest(value),
                               " at column ", col, ", row ", window.row + row,
                               "; instances are whole numbers from 0 to 4294967292"));
        }
        map.instances.at(col, y) = static_cast<std::uint32_t>(value);
        if (value > 0.0) map.extent.at(col, y) = kScoreLevels;
      }
    }
  });
  return map;
}

/// Scores as they are stored; the extent of three bands is interior + boundary.
ScoreMap read_rows(const RasterReader& reader, const Layout& layout, const std::optional<double>& scale,
                   const Window& rows) {
  if (layout.is_instances) return read_instances(reader, layout, rows);
  const std::vector<int> used = layout.bands();
  ScoreMap map = empty_map(reader.grid(), rows);
  const Quantiser extent_of(reader, layout.extent, scale);
  const Quantiser boundary_of(reader, std::max(layout.boundary, 0), scale);
  const auto quantise = [&](const Window& window) {
    const Raster<float> pixels = reader.read<float>(window, used);
    const Raster<std::uint8_t> valid = reader.read_valid(window, used);
    for (std::int64_t row = 0; row < window.height; ++row) {
      const std::int64_t y = window.row + row - rows.row;
      for (std::int64_t col = 0; col < window.width; ++col) {
        if (valid.at(col, row) == 0) continue;
        int extent = extent_of(pixels.at(col, row, 0));
        int boundary = kScoreLevels - extent;
        if (layout.boundary >= 0) boundary = boundary_of(pixels.at(col, row, 1));
        if (layout.extent_is_interior) extent = std::min(kScoreLevels, extent + boundary);
        map.extent.at(col, y) = static_cast<std::uint8_t>(extent);
        map.boundary.at(col, y) = static_cast<std::uint8_t>(boundary);
        map.valid.at(col, y) = 1;
      }
    }
  };
  try {
    for_each_part(reader, rows, quantise);
  } catch (const OutOfRange&) {
    refuse_values(reader, used, scale);
  }
  return map;
}

/// What `read(window)` gives for some rows, with the boundary between fields and background halved where the
/// extent holds all of it.
template <class Read>
ScoreMap with_halved_boundary(bool is_whole, const Grid& scene, const Window& rows, const Read& read) {
  if (!is_whole) return read(rows);
  const std::int64_t first = std::max<std::int64_t>(0, rows.row - detail::kOuterBoundaryReach);
  const std::int64_t end = std::min(scene.height, rows.end_row() + detail::kOuterBoundaryReach);
  return detail::halve_outer_boundary(read(Window{0, first, rows.width, end - first}), rows.row - first,
                                      rows.height);
}

}  // namespace

ScoreMap read_scores(const RasterReader& reader, const ScoreBands& bands, ExecContext& exec) {
  exec.check_cancelled();
  const Layout layout = layout_of(reader, bands);
  return with_halved_boundary(
      layout.extent_is_interior, reader.grid(), reader.grid().window(),
      [&](const Window& rows) { return read_rows(reader, layout, bands.scale, rows); });
}

namespace {

/// One of several rasters of a scene.
struct ScoreTile {
  std::string path;
  Window place;  ///< in the scene
  Grid grid;
};

/// Where a tile lies, in whole pixels from the first one.
/// @throws IoError when its pixels do not coincide with those of the first
Window place_of(const ScoreTile& tile, const ScoreTile& first) {
  const bool same_crs = tile.grid.crs.same_as(first.grid.crs);
  if (!same_crs || !pixels_coincide(tile.grid, first.grid)) {
    throw IoError(concat("score tiles ", quoted(first.path), " and ", quoted(tile.path),
                         same_crs ? " do not lie on one grid of pixels" : " have different CRS",
                         "; bring them onto one with gdalwarp, or delineate them apart"));
  }
  const Point corner = first.grid.transform.to_pixel(tile.grid.transform.to_world({0.0, 0.0}));
  return {std::llround(corner.x), std::llround(corner.y), tile.grid.width, tile.grid.height};
}

/// Tiles by their place, and the grid of all of them.
Grid arrange(std::vector<ScoreTile>& tiles) {
  for (ScoreTile& tile : tiles) tile.place = place_of(tile, tiles.front());
  std::ranges::sort(tiles, {},
                    [](const ScoreTile& t) { return std::tuple(t.place.row, t.place.col, t.path); });
  Window all = tiles.front().place;
  for (const ScoreTile& tile : tiles) {
    const std::int64_t col = std::min(all.col, tile.place.col);
    all = {col, all.row, std::max(all.end_col(), tile.place.end_col()) - col,
           std::max(all.end_row(), tile.place.end_row()) - all.row};
  }
  const ScoreTile& reference = tiles.front();
  Grid grid = reference.grid.subgrid({all.col - reference.place.col, 0, all.width, all.height});
  for (ScoreTile& tile : tiles) {
    tile.place.col -= all.col;
    tile.place.row -= all.row;
  }
  return grid;
}

class TiledScores {
 public:
  TiledScores(std::vector<ScoreTile> tiles, const ScoreBands& bands, const RasterReadOptions& options)
      : m_tiles(std::move(tiles)), m_grid(arrange(m_tiles)), m_bands(bands), m_options(options) {}

  [[nodiscard]] const Grid& grid() const { return m_grid; }

  [[nodiscard]] ScoreMap read(const Window& rows, ExecContext& exec) const {
    std::vector<const ScoreTile*> here;
    for (const ScoreTile& tile : m_tiles) {
      if (!intersection(tile.place, rows).empty()) here.push_back(&tile);
    }
    ScoreMap map = empty_map(m_grid, rows);
    Raster<std::uint32_t> depth(rows.width, rows.height);
    // Some at a time, read by all threads and put in their places in order.
    const auto group = static_cast<std::size_t>(std::max(1, exec.threads()));
    for (std::size_t first = 0; first < here.size(); first += group) {
      exec.check_cancelled();
      std::vector<ScoreMap> read(std::min(group, here.size() - first));
      tbb::parallel_for(std::size_t{0}, read.size(),
                        [&](std::size_t i) { read[i] = read_tile(*here[first + i], rows); });
      for (std::size_t i = 0; i < read.size(); ++i) put(read[i], *here[first + i], rows, map, depth);
    }
    return map;
  }

 private:
  [[nodiscard]] ScoreMap read_tile(const ScoreTile& tile, const Window& rows) const {
    const RasterReader reader(tile.path, m_options);
    if (reader.grid().width != tile.grid.width || reader.grid().height != tile.grid.height) {
      throw IoError(concat("raster ", quoted(tile.path), " changed while it was read"));
    }
    Window window = intersection(tile.place, rows);
    window.row -= tile.place.row;
    window.col = 0;
    return read_rows(reader, layout_of(reader, m_bands), m_bands.scale, window);
  }

  /// Takes the pixels that lie deeper in this tile than in those before.
  static void put(const ScoreMap& from, const ScoreTile& tile, const Window& rows, ScoreMap& map,
                  Raster<std::uint32_t>& depth) {
    const Window& place = tile.place;
    const Window window = intersection(place, rows);
    tbb::parallel_for(std::int64_t{0}, window.height, [&](std::int64_t row) {
      const std::int64_t y = window.row + row;
      const std::int64_t rows_deep = std::min(y - place.row, place.end_row() - 1 - y);
      for (std::int64_t col = 0; col < window.width; ++col) {
        if (from.valid.at(col, row) == 0) continue;
        const std::int64_t deep = std::min({rows_deep, col, window.width - 1 - col});
        const std::int64_t x = window.col + col - rows.col;
        const auto rank = static_cast<std::uint32_t>(deep + 1);
        if (rank <= depth.at(x, y - rows.row)) continue;
        depth.at(x, y - rows.row) = rank;
        map.extent.at(x, y - rows.row) = from.extent.at(col, row);
        map.boundary.at(x, y - rows.row) = from.boundary.at(col, row);
        map.valid.at(x, y - rows.row) = 1;
      }
    });
  }

  std::vector<ScoreTile> m_tiles;
  Grid m_grid;
  ScoreBands m_bands;
  RasterReadOptions m_options;
};

}  // namespace

ScoreScene open_scores(std::span<const std::string> paths, const ScoreBands& bands,
                       const RasterReadOptions& options) {
  if (paths.empty()) throw InvalidArgument("there is no score raster");
  if (paths.size() == 1) {
    const auto reader = std::make_shared<const RasterReader>(paths.front(), options);
    return {reader->grid(), [reader, layout = layout_of(*reader, bands), scale = bands.scale](
                                const Window& rows, ExecContext& exec) {
              exec.check_cancelled();
              return with_halved_boundary(
                  layout.extent_is_interior, reader->grid(), rows,
                  [&](const Window& w) { return read_rows(*reader, layout, scale, w); });
            }};
  }
  if (bands.content == ScoreContent::kInstances) {
    throw IoError(
        "instances come from one raster: numbers of several tiles would mix; number them through and make a "
        "VRT "
        "with gdalbuildvrt");
  }
  std::vector<ScoreTile> tiles;
  int count = 0;
  bool is_whole = false;
  for (const std::string& path : paths) {
    const RasterReader reader(path, options);
    is_whole = layout_of(reader, bands).extent_is_interior;
    if (!tiles.empty() && reader.bands() != count) {
      throw IoError(concat("score tiles ", quoted(tiles.front().path), " and ", quoted(path), " have ", count,
                           " and ", reader.bands(), " bands; tiles of one scene have the same"));
    }
    count = reader.bands();
    tiles.push_back({path, {}, reader.grid()});
  }
  const auto scores = std::make_shared<const TiledScores>(std::move(tiles), bands, options);
  return {scores->grid(), [scores, is_whole](const Window& rows, ExecContext& exec) {
            return with_halved_boundary(is_whole, scores->grid(), rows,
                                        [&](const Window& w) { return scores->read(w, exec); });
          }};
}

}  // namespace furrow::geo
