#include <furrow/geo/topology/delineate.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/regions.h>
#include <furrow/geo/topology/simplify.h>
#include <furrow/geo/topology/watershed.h>

#include "strips.h"

namespace furrow::geo {
namespace {

constexpr std::size_t kBytesPerPixel = 48;
constexpr double kMinPixels = 5.0;

void check_options(const DelineateOptions& o) {
  const auto within = [](double value, double low, double high, const char* name) {
    if (!(value >= low && value <= high)) {
      throw InvalidArgument(concat(name, " must be ", low, "..", high, ", got ", value));
    }
  };
  within(o.extent_threshold, 0.0, 1.0, "the extent threshold");
  within(o.cut, 1.0 / kScoreLevels, 1.0, "the cut");
  within(o.boundary_threshold, 0.0, 1.0, "the boundary threshold");
  const auto not_negative = [](double value, const char* name) {
    if (!(value >= 0.0) || !std::isfinite(value))
      throw InvalidArgument(concat(name, " must be a number >= 0, got ", value));
  };
  not_negative(o.min_area_m2, "the minimum area");
  not_negative(o.fill_holes_m2, "the size of holes to fill");
  not_negative(o.absorb_below, "the strength below which an edge is weak");
  not_negative(o.simplify_px, "the tolerance of simplification");
  not_negative(o.simplify_m.value_or(0.0), "the tolerance of simplification");
}

int level(double score) {
  return static_cast<int>(std::ceil(score * kScoreLevels - 1e-9));
}

/// 1 where a pixel may belong to a field.
Raster<std::uint8_t> field_mask(const ScoreMap& scores, const DelineateOptions& options,
                                DelineateReport& report) {
  Raster<std::uint8_t> mask(scores.grid.width, scores.grid.height);
  const int extent = level(options.extent_threshold);
  const int boundary =
      options.mode == SplitMode::kComponents ? level(options.boundary_threshold) : kScoreLevels + 1;
  for (std::size_t i = 0; i < mask.data().size(); ++i) {
    if (scores.valid.data()[i] == 0) continue;
    ++report.valid_pixels;
    if (scores.extent.data()[i] < extent) continue;
    ++report.field_pixels;
    mask.data()[i] = scores.boundary.data()[i] < boundary ? 1 : 0;
  }
  return mask;
}

LabelledRaster split(const ScoreMap& scores, const DelineateOptions& options, DelineateReport& report,
                     ExecContext& exec) {
  const Raster<std::uint8_t> mask = field_mask(scores, options, report);
  if (options.mode == SplitMode::kComponents) return label_components(mask, Connectivity::kFour, exec);
  const LabelledRaster fields = watershed(scores.boundary, mask, level(options.cut), exec);
  // A polygon of one part needs pixels that share sides.
  return label_components(fields.labels, Connectivity::kFour, exec);
}

void mark_unknown(Raster<std::uint32_t>& instances, const Raster<std::uint8_t>& valid) {
  for (std::size_t i = 0; i < instances.data().size(); ++i) {
    if (valid.data()[i] == 0) instances.data()[i] = kUnknownInstance;
  }
}

void count_holes(const FillResult& filled, DelineateReport& report) {
  report.holes_filled += filled.holes;
  report.holes_filled_pixels += filled.pixels;
}

/// Fills holes, absorbs or rejects what is small. Returns the number of fields, numbered by first pixel.
std::uint32_t clean(LabelledRaster& fields, const ScoreMap& scores, const PixelAreas& areas,
                    const DelineateOptions& options, DelineateReport& report, ExecContext& exec) {
  const std::int64_t largest_hole = areas.from_m2(options.fill_holes_m2);
  count_holes(fill_holes(fields.labels, areas, largest_hole, exec), report);
  report.min_area_m2 = std::max(options.min_area_m2, kMinPixels * areas.pixel_m2());
  const auto stats = region_stats(fields.labels, fields.count, areas, exec);
  const auto edges = shared_edges(fields.labels, scores.boundary, exec);
  const AbsorbResult small =
      absorb_small(stats, edges, areas.from_m2(report.min_area_m2), options.absorb_below);
  report.absorbed = small.absorbed;
  report.rejected_small = small.rejected;
  report.rejected_pixels = small.rejected_pixels;
  if (small.absorbed + small.rejected > 0) {
    for (auto& label : fields.labels.data()) {
      if (is_field(label)) label = small.target[label];
    }
  }
  // What was rejected inside a field left a hole.
  if (small.rejected > 0) count_holes(fill_holes(fields.labels, areas, largest_hole, exec), report);
  return renumber_by_first_pixel(fields.labels, fields.count);
}

/// World position of a pixel's centre, in sixteenths of a pixel, as text.
std::string position_text(const Grid& grid, std::int64_t pixel) {
  const Point centre = grid.transform.to_world(
      {static_cast<double>(pixel % grid.width) + 0.5, static_cast<double>(pixel / grid.width) + 0.5});
  const auto quantised = [](double value, double size) { return std::llround(value / size * 16.0); };
  return concat(quantised(centre.x, grid.transform.pixel_width()), " ",
                quantised(centre.y, grid.transform.pixel_height()));
}

std::string hexadecimal(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15U];
  return text;
}

/// One id per field; should two ever be the same, the later field's position is hashed again with another
/// seed.
std::vector<std::string> make_ids(const Grid& grid, const std::vector<RegionStats>& stats) {
  std::vector<std::pair<std::uint64_t, std::size_t>> hashes;
  for (std::size_t i = 1; i < stats.size(); ++i)
    hashes.emplace_back(stable_hash(position_text(grid, stats[i].first_pixel)), i);
  std::ranges::sort(hashes);
  for (std::uint64_t seed = 1;; ++seed) {
    bool again = false;
    for (std::size_t k = 1; k < hashes.size(); ++k) {
      if (hashes[k].first != hashes[k - 1].first) continue;
      hashes[k].first = stable_hash(position_text(grid, stats[hashes[k].second].first_pixel), seed);
      again = true;
    }
    if (!again) break;
    std::ranges::sort(hashes);
  }
  std::vector<std::string> ids(stats.size());
  for (const auto& [hash, i] : hashes) ids[i] = hexadecimal(hash);
  return ids;
}

/// Least mean score of the edges of each field; above 1 without neighbour.
std::vector<double> weakest_edges(const std::vector<SharedEdge>& edges, std::size_t labels) {
  std::vector<double> weakest(labels, 2.0);
  for (const auto& edge : edges) {
    weakest[edge.a] = std::min(weakest[edge.a], edge.mean_score());
    weakest[edge.b] = std::min(weakest[edge.b], edge.mean_score());
  }
  return weakest;
}

Layer empty_layer(const std::string& name, const Crs& crs) {
  Layer layer;
  layer.name = name;
  layer.crs = crs;
  layer.fields = {
      {"id", FieldType::kString, "Field id"},
      {"instance", FieldType::kInteger, "Number in the instance raster"},
      {"area_ha", FieldType::kReal, "Area (ha)"},
      {"perimeter_m", FieldType::kReal, "Perimeter (m)"},
      {"compactness", FieldType::kReal, "Compactness (1 = circle)"},
      {"shape_index", FieldType::kReal, "Shape index (1 = circle)"},
      {"n_pixels", FieldType::kInteger, "Pixels"},
      {"touches_edge", FieldType::kBoolean, "Touches the raster's border"},
      {"cut_by_nodata", FieldType::kBoolean, "Cut off by missing data"},
      {"weakest_shared_edge", FieldType::kReal, "Boundary score of the weakest shared edge (0-1)"}};
  return layer;
}

std::vector<Value> attributes(const MultiPolygon& shape, const GeodesicMeasure& measure,
                              const RegionStats& stats, std::uint32_t label, std::string id, double weakest) {
  const double area_m2 = measure.area_m2(shape);
  const double perimeter_m = measure.perimeter_m(shape);
  const double pi = std::numbers::pi;
  std::vector<Value> values{std::move(id),
                            std::int64_t{label},
                            area_m2 / 10000.0,
                            perimeter_m,
                            4.0 * pi * area_m2 / (perimeter_m * perimeter_m),
                            perimeter_m / (2.0 * std::sqrt(pi * area_m2)),
                            stats.pixels,
                            std::int64_t{stats.touches_edge},
                            std::int64_t{stats.touches_unknown},
                            Value{}};
  if (weakest <= 1.0) values.back() = weakest;
  return values;
}

SimplifyOptions simplification(const Grid& grid, const DelineateOptions& options) {
  SimplifyOptions simplify;
  simplify.tolerance = options.simplify_px;
  if (options.simplify_m) {
    const Point size = grid.pixel_size_m();
    simplify = {*options.simplify_m, size.x, size.y};
  }
  return simplify;
}

}  // namespace

void check_delineate_memory(const Grid& grid, const ExecContext& exec) {
  const double needed = static_cast<double>(grid.width) * static_cast<double>(grid.height) * kBytesPerPixel;
  if (needed <= static_cast<double>(exec.memory_bytes())) return;
  throw InvalidArgument(concat("a raster of ", grid.width, " x ", grid.height, " px needs about ",
                               human_bytes(needed),
                               " to be delineated at once, more than the memory budget of ",
                               human_bytes(static_cast<double>(exec.memory_bytes())),
                               "; raise --memory or cut the raster into parts"));
}

Instances delineate_instances(const ScoreMap& scores, const PixelAreas& areas,
                              const DelineateOptions& options, ExecContext& exec) {
  check_options(options);
  Instances result;
  LabelledRaster fields = split(scores, options, result.report, exec);
  result.report.instances = fields.count;
  mark_unknown(fields.labels, scores.valid);
  result.count = clean(fields, scores, areas, options, result.report, exec);
  result.report.fields = result.count;
  result.labels = std::move(fields.labels);
  return result;
}

Delineation delineate(const ScoreMap& scores, const DelineateOptions& options, ExecContext& exec) {
  check_options(options);
  check_delineate_memory(scores.grid, exec);
  const Grid& grid = scores.grid;
  const PixelAreas areas(grid);
  Progress progress(exec, "delineate", 4);
  Delineation result;
  Instances fields = delineate_instances(scores, areas, options, exec);
  const std::uint32_t count = fields.count;
  result.report = fields.report;
  progress.advance();
  const ArcSet arcs = simplify_arcs(trace_arcs(fields.labels, exec), simplification(grid, options), exec);
  progress.advance();
  std::vector<MultiPolygon> shapes = assemble_polygons(arcs, count, grid.transform, exec);
  progress.advance();

  const auto stats = region_stats(fields.labels, count, areas, exec);
  const auto weakest = weakest_edges(shared_edges(fields.labels, scores.boundary, exec), stats.size());
  const auto ids = make_ids(grid, stats);
  result.fields = empty_layer(options.layer_name, grid.crs);
  result.fields.features.resize(count);
  tbb::enumerable_thread_specific<GeodesicMeasure> measures([&] { return GeodesicMeasure(grid.crs); });
  tbb::parallel_for(std::uint32_t{1}, count + 1, [&](std::uint32_t label) {
    Feature& feature = result.fields.features[label - 1];
    feature.values =
        attributes(shapes[label], measures.local(), stats[label], label, ids[label], weakest[label]);
    feature.geometry = std::move(shapes[label]);
  });
  result.instances = std::move(fields.labels);
  progress.advance();
  return result;
}

}  // namespace furrow::geo
