#include <furrow/geo/topology/delineate.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
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

#include "delineate_rules.h"
#include "score_placement.h"
#include "strip_store.h"
#include "strips.h"

namespace furrow::geo {
namespace {

/// Of a strip, at most: about half of it with usual scores, more where scores are noise.
constexpr double kBytesPerPixel = 40.0;

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
std::vector<std::uint64_t> make_ids(const Grid& grid, const std::vector<RegionStats>& stats) {
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
  std::vector<std::uint64_t> ids(stats.size());
  for (const auto& [hash, i] : hashes) ids[i] = hash;
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
  simplify.method = options.simplify_method;
  return simplify;
}

/// What is known of a label, with its polygon: the values of its feature. Called from several threads.
using Attributes =
    std::function<std::vector<Value>(std::uint32_t label, const MultiPolygon&, const GeodesicMeasure&)>;

/// Makes features from the outlines of labels 1..count.
class FeatureMaker {
 public:
  FeatureMaker(const Grid& grid, ArcSet arcs, std::size_t count, Attributes attributes)
      : m_count(static_cast<std::uint32_t>(count)),
        m_outlines(std::move(arcs), m_count, grid.transform),
        m_attributes(std::move(attributes)),
        m_measures([crs = grid.crs] { return GeodesicMeasure(crs); }) {}

  bool next(Feature& feature) {
    if (m_place == m_made.size()) make();
    if (m_place == m_made.size()) return false;
    feature = std::move(m_made[m_place++]);
    return true;
  }

 private:
  /// Some more, in parallel.
  void make() {
    constexpr std::uint32_t kAtOnce = 8192;
    const std::uint32_t first = m_next;
    m_next = std::min(first + kAtOnce, m_count + 1);
    std::vector<MultiPolygon> shapes = m_outlines.shapes(first, m_next);
    m_made.assign(shapes.size(), {});
    m_place = 0;
    tbb::parallel_for(std::size_t{0}, shapes.size(), [&](std::size_t i) {
      const auto label = static_cast<std::uint32_t>(first + i);
      m_made[i].values = m_attributes(label, shapes[i], m_measures.local());
      m_made[i].geometry = std::move(shapes[i]);
    });
  }

  std::uint32_t m_count;
  PolygonAssembler m_outlines;
  Attributes m_attributes;
  tbb::enumerable_thread_specific<GeodesicMeasure> m_measures;
  std::uint32_t m_next = 1;
  std::vector<Feature> m_made;
  std::size_t m_place = 0;
};

FeatureSource make_fields(const Grid& grid, ArcSet arcs, std::vector<RegionStats> stats,
                          std::vector<double> weakest) {
  const std::size_t count = stats.size() - 1;
  std::vector<std::uint64_t> ids = make_ids(grid, stats);
  const auto maker = std::make_shared<FeatureMaker>(
      grid, std::move(arcs), count,
      [stats = std::move(stats), weakest = std::move(weakest), ids = std::move(ids)](
          std::uint32_t label, const MultiPolygon& shape, const GeodesicMeasure& measure) {
        return attributes(shape, measure, stats[label], label, hexadecimal(ids[label]), weakest[label]);
      });
  return [maker](Feature& feature) { return maker->next(feature); };
}

Layer empty_rejects_layer(const Crs& crs) {
  Layer layer;
  layer.name = "rejects";
  layer.crs = crs;
  layer.fields = {{"id", FieldType::kString, "Reject id"},
                  {"reason", FieldType::kString, "Why it is no field"},
                  {"area_ha", FieldType::kReal, "Area (ha)"},
                  {"width_m", FieldType::kReal, "Width (m)"},
                  {"n_pixels", FieldType::kInteger, "Pixels"},
                  {"touches_edge", FieldType::kBoolean, "Touches the raster's border"},
                  {"cut_by_nodata", FieldType::kBoolean, "Cut off by missing data"},
                  {"edge_score", FieldType::kReal, "Boundary score of its longest common edge (0-1)"}};
  return layer;
}

const char* reason_name(RejectReason reason) {
  return reason == RejectReason::kSmall ? "small" : "narrow";
}

FeatureSource make_rejects(const Grid& grid, const PixelAreas& areas, ArcSet arcs,
                           std::vector<Reject> rejects) {
  const std::size_t count = rejects.size() - 1;
  std::vector<RegionStats> stats;
  std::vector<double> width_m;
  for (const Reject& reject : rejects) {
    stats.push_back(reject.stats);
    width_m.push_back(areas.length_to_m(equivalent_width(reject.stats)));
  }
  std::vector<std::uint64_t> ids = make_ids(grid, stats);
  const auto maker = std::make_shared<FeatureMaker>(
      grid, std::move(arcs), count,
      [rejects = std::move(rejects), ids = std::move(ids), width_m = std::move(width_m)](
          std::uint32_t label, const MultiPolygon& shape, const GeodesicMeasure& measure) {
        const Reject& reject = rejects[label];
        std::vector<Value> values{hexadecimal(ids[label]),
                                  std::string(reason_name(reject.reason)),
                                  measure.area_m2(shape) / 10000.0,
                                  width_m[label],
                                  reject.stats.pixels,
                                  std::int64_t{reject.stats.touches_edge},
                                  std::int64_t{reject.stats.touches_unknown},
                                  Value{}};
        if (reject.edge_score) values.back() = *reject.edge_score;
        return values;
      });
  return [maker](Feature& feature) { return maker->next(feature); };
}

/// Gives memory that was freed back to the system: what a pass made in small pieces would else be held beside
/// what the next one makes.
void release_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

/// Traces the regions of a raster that comes strip after strip.
class RegionTracer {
 public:
  RegionTracer(const Grid& grid, const SimplifyOptions& simplify)
      : m_tracer(grid.width, grid.height), m_lines(simplify) {}

  /// Lines are placed by scores.
  /// @param scores  gives those of some rows, with a margin of kPlacementMargin where there are more
  RegionTracer(const Grid& grid, const DelineateOptions& options, ScoreRows scores)
      : RegionTracer(grid, simplification(grid, options)) {
    m_scores = std::move(scores);
    m_placement.emplace(options, grid.width, grid.height);
  }

  /// The next strip. It is traced once the row below it is known.
  void add(Raster<std::uint32_t> labels, ExecContext& exec) {
    if (!m_waiting.empty()) trace(labels, exec);
    m_waiting = std::move(labels);
  }

  [[nodiscard]] ArcSet finish(const Grid& grid, ExecContext& exec) {
    if (!m_waiting.empty()) {
      trace({}, exec);
      m_waiting = {};
      m_lines.add(m_tracer.finish().arcs);
    }
    release_freed_memory();
    if (m_placement) return m_lines.finish(grid.width, grid.height, m_placement->moves(), exec);
    return m_lines.finish(grid.width, grid.height, exec);
  }

 private:
  void trace(const Raster<std::uint32_t>& next, ExecContext& exec) {
    const std::int64_t rows = m_waiting.height();
    if (m_above.empty() && next.empty()) {
      trace_rows(m_waiting, exec);
    } else {
      trace_rows(with_neighbours(next), exec);
    }
    m_first_row += rows;
    m_above.assign(m_waiting.data().end() - m_waiting.width(), m_waiting.data().end());
    m_lines.add(m_tracer.take());
  }

  /// @param labels  of the waiting strip, with its neighbours
  void trace_rows(const Raster<std::uint32_t>& labels, ExecContext& exec) {
    const std::int64_t rows = m_waiting.height();
    if (m_placement) m_placement->add(labels, rows, m_scores({0, m_first_row, labels.width(), rows}, exec));
    m_tracer.add(labels, rows, exec);
  }

  /// The waiting strip with the row above and the row below.
  [[nodiscard]] Raster<std::uint32_t> with_neighbours(const Raster<std::uint32_t>& next) const {
    const std::int64_t width = m_waiting.width();
    Raster<std::uint32_t> out(width, m_waiting.height() + (m_above.empty() ? 0 : 1) + (next.empty() ? 0 : 1));
    auto at = std::ranges::copy(m_above, out.data().begin()).out;
    at = std::ranges::copy(m_waiting.data(), at).out;
    if (!next.empty()) std::copy_n(next.data().begin(), width, at);
    return out;
  }

  ArcTracer m_tracer;
  PackedArcSimplifier m_lines;
  ScoreRows m_scores;
  std::optional<detail::ScorePlacement> m_placement;
  std::int64_t m_first_row = 0;  ///< of the waiting strip
  Raster<std::uint32_t> m_waiting;
  std::vector<std::uint32_t> m_above;  ///< the last row of the strip before
};

/// The passes of a delineation and what they hand on.
class StripDelineator {
 public:
  StripDelineator(const Grid& grid, const PixelAreas& areas, const DelineateOptions& options,
                  std::int64_t strip_rows, const std::filesystem::path& scratch, ExecContext& exec)
      : m_grid(grid),
        m_options(options),
        m_exec(exec),
        m_areas(areas),
        m_store(scratch, strip_rows >= grid.height) {
    for (std::int64_t row = 0; row < grid.height; row += strip_rows) {
      m_strips.push_back({{0, row, grid.width, std::min(strip_rows, grid.height - row)}, {}, {}});
    }
  }

  DelineatedFields run(const ScoreRows& scores, const InstanceSink& instances) {
    Progress progress(m_exec, "delineate", 3 * static_cast<std::int64_t>(m_strips.size()) + 2);
    std::vector<std::uint32_t> field_of_node;
    m_progress = &progress;
    split(scores, field_of_node);
    std::vector<std::uint32_t> region_of_piece = clean(field_of_node);
    field_of_node = {};
    release_freed_memory();
    DelineatedFields result;
    RegionTracer fields = field_tracer(scores);
    SimplifyOptions as_traced;
    as_traced.tolerance = 0.0;
    RegionTracer rejects(m_grid, as_traced);
    trace(std::move(region_of_piece), instances, fields, rejects);
    m_cleaned.field = {};
    m_cleaned.reject = {};
    ArcSet arcs = fields.finish(m_grid, m_exec);
    progress.advance();
    if (m_options.mode == SplitMode::kInstances) m_cleaned.edges = {};  // no boundary scores
    release_freed_memory();
    auto weakest = weakest_edges(m_cleaned.edges, m_cleaned.stats.size());
    result.layer = empty_layer(m_options.layer_name, m_grid.crs);
    result.features = make_fields(m_grid, std::move(arcs), std::move(m_cleaned.stats), std::move(weakest));
    if (m_options.keep_rejects) {
      result.rejects_layer = empty_rejects_layer(m_grid.crs);
      result.reject_features =
          make_rejects(m_grid, m_areas, rejects.finish(m_grid, m_exec), std::move(m_cleaned.rejects));
    }
    progress.advance();
    result.report = m_report;
    return result;
  }

  /// Passes 1 and 2 of a scene of one strip.
  Instances instances(const ScoreRows& scores) {
    std::vector<std::uint32_t> field_of_node;
    split(scores, field_of_node);
    const std::vector<std::uint32_t> region_of_piece = clean(field_of_node);
    Instances result{{}, static_cast<std::uint32_t>(m_report.fields), m_report};
    if (!m_strips.empty()) {
      result.labels = m_store.take_labels(m_strips[0].labels);
      relabel(result.labels, by_piece(region_of_piece, m_cleaned.field));
    }
    return result;
  }

 private:
  struct Strip {
    Window rows;
    detail::StripStore::Place labels;
    detail::StripStore::Place boundary;
  };

  /// Pass 1: scores to parts of fields, kept in the store.
  void split(const ScoreRows& scores, std::vector<std::uint32_t>& field_of_node) {
    const bool watershed = m_options.mode == SplitMode::kWatershed;
    WatershedByStrips splitter(m_grid.width, m_grid.height, detail::score_level(m_options.cut));
    for (Strip& strip : m_strips) {
      const Window rows = watershed ? with_margin(strip.rows) : strip.rows;
      const std::int64_t above = strip.rows.row - rows.row;
      ScoreMap map = scores(rows, m_exec);
      count_pixels(map, strip.rows, above);
      Raster<std::uint32_t> labels;
      if (watershed) {
        labels = splitter.add(map.boundary, detail::field_mask(map, m_options), strip.rows.height, m_exec);
      } else if (m_options.mode == SplitMode::kComponents) {
        labels = detail::as_labels(detail::field_mask(map, m_options));
      } else {
        labels = std::move(map.instances);
      }
      detail::mark_unknown(labels, map.valid, above);
      strip.labels = m_store.put(std::move(labels));
      strip.boundary = m_store.put(cut_rows(std::move(map.boundary), above, strip.rows.height));
      advance();
    }
    if (watershed) field_of_node = splitter.fields();
  }

  /// Pass 2: regions and what becomes of them. Returns the region of each piece.
  std::vector<std::uint32_t> clean(const std::vector<std::uint32_t>& field_of_node) {
    RegionsByStrips regions(m_grid.width, m_grid.height, m_areas);
    for (Strip& strip : m_strips) {
      Raster<std::uint32_t> labels = m_store.take_labels(strip.labels);
      if (!field_of_node.empty()) relabel(labels, field_of_node);
      strip.labels = m_store.put(regions.add(labels, m_store.take_bytes(strip.boundary), m_exec));
      advance();
    }
    std::vector<std::uint32_t> region_of_piece;
    const RegionGraph graph = regions.finish(region_of_piece);
    m_report.instances = graph.fields;
    m_report.min_area_m2 = detail::min_area_m2(m_options, m_areas);
    m_cleaned = clean_regions(graph, detail::clean_rules(m_options, m_areas));
    m_report.absorbed = m_cleaned.absorbed;
    m_report.holes_filled = m_cleaned.holes;
    m_report.holes_filled_pixels = m_cleaned.hole_pixels;
    m_report.fields = static_cast<std::int64_t>(m_cleaned.stats.size()) - 1;
    for (std::size_t i = 1; i < m_cleaned.rejects.size(); ++i) {
      const Reject& reject = m_cleaned.rejects[i];
      ++(reject.reason == RejectReason::kSmall ? m_report.rejected_small : m_report.rejected_narrow);
      m_report.rejected_pixels += reject.stats.pixels;
    }
    return region_of_piece;
  }

  [[nodiscard]] RegionTracer field_tracer(const ScoreRows& scores) const {
    if (m_options.placement == OutlinePlacement::kPixel) return {m_grid, simplification(m_grid, m_options)};
    return {m_grid, m_options, [this, &scores](const Window& rows, ExecContext& exec) {
              return scores(intersection(grow(rows, detail::kPlacementMargin), m_grid.window()), exec);
            }};
  }

  /// Pass 3: the instance raster and the lines in it, and those of the rejects.
  void trace(std::vector<std::uint32_t> region_of_piece, const InstanceSink& instances, RegionTracer& fields,
             RegionTracer& rejects) {
    std::vector<std::uint32_t> reject;
    if (m_options.keep_rejects) reject = by_piece(region_of_piece, m_cleaned.reject);
    const std::vector<std::uint32_t> field = by_piece(std::move(region_of_piece), m_cleaned.field);
    for (const Strip& strip : m_strips) {
      Raster<std::uint32_t> labels = m_store.take_labels(strip.labels);
      if (m_options.keep_rejects) {
        Raster<std::uint32_t> rejected = labels;
        relabel(rejected, reject);
        // Missing data is background here: it would only pin points along straight sides.
        detail::for_each_pixel(rejected, [&](std::size_t i) {
          if (rejected.data()[i] == kUnknownInstance) rejected.data()[i] = 0;
        });
        rejects.add(std::move(rejected), m_exec);
      }
      relabel(labels, field);
      if (instances) instances(strip.rows, labels);
      fields.add(std::move(labels), m_exec);
      advance();
    }
  }

  static std::vector<std::uint32_t> by_piece(std::vector<std::uint32_t> region_of_piece,
                                             const std::vector<std::uint32_t>& by_region) {
    for (std::uint32_t& region : region_of_piece) region = by_region[region];
    return region_of_piece;
  }

  void advance() {
    if (m_progress != nullptr) m_progress->advance();
  }

  [[nodiscard]] Window with_margin(const Window& rows) const {
    return intersection(grow(rows, WatershedByStrips::kMargin), m_grid.window());
  }

  void count_pixels(const ScoreMap& scores, const Window& rows, std::int64_t above) {
    const int extent = detail::score_level(m_options.extent_threshold);
    std::uint8_t highest = 0;
    for (auto i = static_cast<std::size_t>(above * rows.width);
         i < static_cast<std::size_t>((above + rows.height) * rows.width); ++i) {
      if (scores.valid.data()[i] == 0) continue;
      ++m_report.valid_pixels;
      highest = std::max(highest, scores.extent.data()[i]);
      if (scores.extent.data()[i] >= extent) ++m_report.field_pixels;
    }
    m_report.highest_extent = std::max(m_report.highest_extent, static_cast<double>(highest) / kScoreLevels);
  }

  static Raster<std::uint8_t> cut_rows(Raster<std::uint8_t> values, std::int64_t first, std::int64_t rows) {
    if (values.height() == rows) return values;
    Raster<std::uint8_t> out(values.width(), rows);
    std::copy_n(values.data().begin() + first * values.width(), out.pixels(), out.data().begin());
    return out;
  }

  static void relabel(Raster<std::uint32_t>& labels, const std::vector<std::uint32_t>& number) {
    detail::for_each_pixel(labels, [&](std::size_t i) {
      std::uint32_t& label = labels.data()[i];
      if (label != kUnknownInstance) label = number[label];
    });
  }

  const Grid& m_grid;
  const DelineateOptions& m_options;
  ExecContext& m_exec;
  Progress* m_progress = nullptr;  ///< shown while all passes run
  const PixelAreas& m_areas;
  detail::StripStore m_store;
  std::vector<Strip> m_strips;
  CleanResult m_cleaned;
  DelineateReport m_report;
};

}  // namespace

std::int64_t delineate_strip_rows(const Grid& grid, const ExecContext& exec) {
  constexpr std::int64_t kLeastRows = 16;
  const double row_bytes = static_cast<double>(std::max<std::int64_t>(1, grid.width)) * kBytesPerPixel;
  const double rows = 0.75 * static_cast<double>(exec.memory_bytes()) / row_bytes;
  if (rows >= static_cast<double>(grid.height)) return std::max<std::int64_t>(1, grid.height);
  if (rows >= kLeastRows) return static_cast<std::int64_t>(rows);
  throw InvalidArgument(concat("rows of ", grid.width, " px need at least ",
                               human_bytes(row_bytes * kLeastRows / 0.75),
                               " to be delineated, more than the memory budget of ",
                               human_bytes(static_cast<double>(exec.memory_bytes())), "; raise --memory"));
}

DelineatedFields delineate_by_strips(const Grid& grid, const ScoreRows& scores,
                                     const DelineateOptions& options, const StripOptions& strips,
                                     const InstanceSink& instances, ExecContext& exec) {
  detail::check_options(options);
  const std::int64_t rows = strips.rows > 0 ? strips.rows : delineate_strip_rows(grid, exec);
  const PixelAreas areas(grid);
  return StripDelineator(grid, areas, options, rows, strips.scratch, exec).run(scores, instances);
}

Instances delineate_instances(const ScoreMap& scores, const PixelAreas& areas,
                              const DelineateOptions& options, ExecContext& exec) {
  detail::check_options(options);
  const std::int64_t rows = std::max<std::int64_t>(1, scores.grid.height);
  return StripDelineator(scores.grid, areas, options, rows, {}, exec)
      .instances([&](const Window&, ExecContext&) { return scores; });
}

Delineation delineate(const ScoreMap& scores, const DelineateOptions& options, ExecContext& exec) {
  Delineation result;
  StripOptions whole;
  whole.rows = std::max<std::int64_t>(1, scores.grid.height);
  auto fields = delineate_by_strips(
      scores.grid, [&](const Window&, ExecContext&) { return scores; }, options, whole,
      [&](const Window&, const Raster<std::uint32_t>& labels) { result.instances = labels; }, exec);
  result.fields = std::move(fields.layer);
  for (Feature feature; fields.features(feature);) result.fields.features.push_back(std::move(feature));
  result.rejects = std::move(fields.rejects_layer);
  if (fields.reject_features) {
    for (Feature feature; fields.reject_features(feature);)
      result.rejects.features.push_back(std::move(feature));
  }
  result.report = fields.report;
  return result;
}

}  // namespace furrow::geo
