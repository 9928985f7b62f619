#include <furrow/assessment/zonal_statistics.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/coverage.h>
#include <furrow/geo/raster/reader.h>

#include "computed_fields.h"
#include "coverage_summary.h"
#include "quality_attributes.h"

namespace furrow::assessment {
namespace {

// A table of a GeoPackage has 2000 columns at most; some are left to what the fields have already.
constexpr std::size_t kMostAttributes = 1500;
// Values in memory at a time: 8 MB.
constexpr std::int64_t kPieceValues = std::int64_t{1} << 20;
constexpr std::int64_t kPieceSide = 1024;

using FieldType = geo::FieldType;

bool is_name(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::vector<geo::FieldDefinition> definitions_of(const std::string& prefix, const std::string& title) {
  return {{prefix + "_mean", FieldType::kReal, title + ": mean"},
          {prefix + "_std", FieldType::kReal, title + ": standard deviation"},
          {prefix + "_min", FieldType::kReal, title + ": least"},
          {prefix + "_max", FieldType::kReal, title + ": largest"},
          {prefix + "_coverage", FieldType::kReal, title + ": share of the area with data"}};
}

/// The attributes of one raster, band after band.
std::vector<geo::FieldDefinition> definitions_of(const ZonalRaster& raster, const geo::RasterReader& reader) {
  std::vector<geo::FieldDefinition> all;
  for (int b = 0; b < reader.bands(); ++b) {
    const std::string prefix = reader.bands() == 1 ? raster.name : geo::concat(raster.name, '_', b + 1);
    const std::string& description = reader.band(b).description;
    std::ranges::copy(definitions_of(prefix, description.empty() ? prefix : description),
                      std::back_inserter(all));
  }
  return all;
}

/// Statistics of one raster, a summary per band.
class RasterSums {
 public:
  RasterSums(const geo::RasterReader& reader, const geo::CoordinateTransform& transform)
      : m_reader(reader), m_transform(transform) {}

  /// @return the polygon's area in pixels
  double add(const geo::MultiPolygon& geometry, std::vector<CoverageSummary>& bands) const {
    const geo::MultiPolygon shape = m_transform.apply(geometry);
    const geo::Grid& grid = m_reader.grid();
    const geo::Window window = shape.empty() ? geo::Window{} : grid.window_of(geo::bounds(shape));
    const double pixel_area =
        std::abs(grid.transform.dx * grid.transform.dy - grid.transform.rx * grid.transform.ry);
    for (const geo::Window& piece : pieces(window)) add_piece(shape, piece, bands);
    return geo::area(shape) / pixel_area;
  }

 private:
  /// The window in one piece where that is small, else cut along the file's blocks, so that none is read
  /// twice.
  [[nodiscard]] std::vector<geo::Window> pieces(const geo::Window& window) const {
    if (window.empty()) return {};
    if (window.pixels() * m_reader.bands() <= kPieceValues) return {window};
    const std::int64_t block_width = m_reader.block_width();
    const std::int64_t block_height = m_reader.block_height();
    const std::int64_t width = block_width * std::max<std::int64_t>(1, kPieceSide / block_width);
    const std::int64_t rows = kPieceValues / (std::min(width, window.width) * m_reader.bands());
    const std::int64_t height = block_height * std::max<std::int64_t>(1, rows / block_height);
    std::vector<geo::Window> list;
    for (std::int64_t row = window.row / height * height; row < window.end_row(); row += height) {
      for (std::int64_t col = window.col / width * width; col < window.end_col(); col += width)
        list.push_back(geo::intersection({col, row, width, height}, window));
    }
    return list;
  }

  void add_piece(const geo::MultiPolygon& shape, const geo::Window& piece,
                 std::vector<CoverageSummary>& bands) const {
    const auto runs = geo::covered_runs(shape, m_reader.grid().subgrid(piece));
    if (runs.empty()) return;
    const geo::Raster<double> values = m_reader.read<double>(piece);
    for (int b = 0; b < m_reader.bands(); ++b) {
      const geo::Raster<std::uint8_t> valid = m_reader.read_valid(piece, std::array{b});
      const geo::BandInfo& info = m_reader.band(b);
      CoverageSummary& sum = bands[static_cast<std::size_t>(b)];
      for_each_covered(runs, [&](std::int64_t col, std::int64_t row, double share) {
        if (valid.at(col, row) != 0) sum.add(values.at(col, row, b) * info.scale + info.offset, share);
      });
    }
  }

  const geo::RasterReader& m_reader;
  const geo::CoordinateTransform& m_transform;
};

geo::Value number(double value) {
  return std::isnan(value) ? geo::Value{} : geo::Value{value};
}

void set_values(geo::Feature& feature, std::span<const std::size_t> columns,
                std::span<const CoverageSummary> bands, double area_px) {
  std::size_t column = 0;
  for (const CoverageSummary& sum : bands) {
    const double coverage = area_px > 0.0 ? std::min(1.0, sum.weight() / area_px) : 0.0;
    for (const double value : {sum.mean(), sum.deviation(), sum.least(), sum.most(), coverage})
      feature.values[columns[column++]] = number(value);
  }
}

/// The columns of the raster's attributes, made where they are not there yet.
std::vector<std::size_t> columns_of(geo::Layer& layer, const std::vector<geo::FieldDefinition>& definitions) {
  set_aside_foreign(layer, definitions);
  std::vector<std::size_t> columns;
  for (const geo::FieldDefinition& definition : definitions) {
    columns.push_back(layer.add_field(definition));
    layer.fields[columns.back()] = definition;
  }
  return columns;
}

void add_raster(geo::Layer& layer, const ZonalRaster& raster, const geo::RasterReader& reader,
                geo::ExecContext& exec) {
  const auto columns = columns_of(layer, definitions_of(raster, reader));
  geo::Progress progress(exec, geo::concat("statistics of ", raster.name),
                         static_cast<std::int64_t>(layer.features.size()));
  // Making a transformation takes milliseconds, and no two threads may share one.
  tbb::enumerable_thread_specific<geo::CoordinateTransform> transforms(
      [&] { return geo::CoordinateTransform(layer.crs, reader.grid().crs); });
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, layer.features.size(), 16), [&](const auto& range) {
    const RasterSums sums(reader, transforms.local());
    for (std::size_t i = range.begin(); i < range.end(); ++i) {
      std::vector<CoverageSummary> bands(static_cast<std::size_t>(reader.bands()));
      const double area_px = sums.add(layer.features[i].geometry, bands);
      set_values(layer.features[i], columns, bands, area_px);
      progress.advance();
    }
  });
  const bool any = std::ranges::any_of(layer.features, [&](const geo::Feature& feature) {
    return geo::as_real(feature.values[columns[4]]) > 0.0;
  });
  if (!any) {
    geo::log_warning(geo::concat("no polygon has a valid pixel of raster ", geo::quoted(raster.path),
                                 "; are they of the same place?"));
  }
}

/// @throws geo::InvalidArgument  as add_zonal_statistics
void check_number(std::span<const ZonalRaster> rasters, std::span<const geo::RasterReader> readers) {
  std::size_t attributes = 0;
  for (std::size_t i = 0; i < rasters.size(); ++i) {
    attributes += definitions_of(rasters[i], readers[i]).size();
    if (attributes <= kMostAttributes) continue;
    throw geo::InvalidArgument(geo::concat("the ", readers[i].bands(), " bands of ",
                                           geo::quoted(rasters[i].path), " make more than ", kMostAttributes,
                                           " attributes; choose bands with gdal_translate -b"));
  }
}

/// @throws geo::InvalidArgument  as add_zonal_statistics
void check_names(std::span<const ZonalRaster> rasters, std::span<const geo::RasterReader> readers) {
  std::set<std::string> taken;
  for (const geo::FieldDefinition& field : quality_attributes()) taken.insert(field.name);
  for (std::size_t i = 0; i < rasters.size(); ++i) {
    const std::string& name = rasters[i].name;
    if (!is_name(name)) {
      throw geo::InvalidArgument(
          geo::concat("raster ", geo::quoted(rasters[i].path), " cannot be called ", geo::quoted(name),
                      "; give it a name of letters, digits and _ with --raster-names"));
    }
    for (const geo::FieldDefinition& field : definitions_of(rasters[i], readers[i])) {
      if (taken.insert(geo::to_lower(field.name)).second) continue;
      throw geo::InvalidArgument(geo::concat("raster ", geo::quoted(rasters[i].path), " makes the attribute ",
                                             geo::quoted(field.name),
                                             ", which is there already; give it another name with "
                                             "--raster-names"));
    }
  }
}

}  // namespace

void add_zonal_statistics(geo::Layer& layer, const ZonalOptions& options, geo::ExecContext& exec) {
  geo::RasterReadOptions reading;
  reading.override_crs = options.crs;
  reading.crs_switch = "--raster-crs";
  std::vector<geo::RasterReader> readers;
  for (const ZonalRaster& raster : options.rasters) readers.emplace_back(raster.path, reading);
  check_number(options.rasters, readers);
  check_names(options.rasters, readers);
  for (std::size_t i = 0; i < readers.size(); ++i) add_raster(layer, options.rasters[i], readers[i], exec);
}

}  // namespace furrow::assessment
