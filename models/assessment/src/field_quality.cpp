#include <furrow/assessment/field_quality.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <numbers>
#include <optional>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/coverage.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/box_index.h>

#include "computed_fields.h"
#include "coverage_summary.h"
#include "iso_date.h"
#include "quality_attributes.h"

namespace furrow::assessment {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
// Room around a field for its neighbours and for the pixels across its outline.
constexpr std::int64_t kMarginPx = 3;
// A shared edge of fewer samples (a sample every half pixel) is a touch, not an edge.
constexpr int kLeastEdgeSamples = 4;
constexpr double kWeakBoundary = 0.3;
constexpr double kLowScore = 0.6;
// Positions in quality_attributes() of those that are set apart from the others.
constexpr std::size_t kPixels = 11;
constexpr std::size_t kImageDate = 14;
constexpr std::size_t kConfidence = 15;
constexpr std::size_t kMatchProbability = 16;
constexpr std::size_t kFlag = 17;

struct RasterQuality {
  double p_mean = kUndefined;
  double p_min = kUndefined;
  double entropy_mean = kUndefined;
  double risk_mean = kUndefined;
  double boundary_strength = kUndefined;
  double weakest_shared_edge = kUndefined;
  std::int64_t n_pixels = 0;
  bool touches_edge = false;
  bool cut_by_nodata = false;
};

/// A mean whose order of summation is fixed by the caller.
class Mean {
 public:
  void add(double value) {
    m_sum += value;
    ++m_count;
  }
  [[nodiscard]] int count() const { return m_count; }
  [[nodiscard]] double value() const { return m_count == 0 ? kUndefined : m_sum / m_count; }

 private:
  double m_sum = 0.0;
  int m_count = 0;
};

/// The rasters behind the figures, opened once; safe to read from several threads.
struct Sources {
  geo::RasterReader scores;
  double scale = 1.0;
  std::optional<geo::RasterReader> entropy;
  std::optional<geo::RasterReader> risk;

  explicit Sources(const QualityOptions& options)
      : scores(options.scores, reading(options)), m_reading(reading(options)) {
    if (scores.bands() != 3) {
      throw geo::InvalidArgument(geo::concat("score raster ", geo::quoted(options.scores), " has ",
                                             scores.bands(),
                                             " bands; three are needed: background, interior, boundary"));
    }
    scale = options.scale > 0.0 ? options.scale : scores.band(0).scale;
    if (!options.entropy.empty()) entropy.emplace(open_aligned(options.entropy, "entropy"));
    if (!options.risk.empty()) risk.emplace(open_aligned(options.risk, "risk"));
  }

  static geo::RasterReadOptions reading(const QualityOptions& options) {
    geo::RasterReadOptions read;
    read.override_crs = options.scores_crs;
    read.crs_switch = "--scores-crs";
    return read;
  }

  [[nodiscard]] geo::RasterReader open_aligned(const std::string& path, const char* what) const {
    geo::RasterReader reader(path, m_reading);
    if (!reader.grid().same_as(scores.grid())) {
      throw geo::InvalidArgument(geo::concat(what, " raster ", geo::quoted(path),
                                             " does not have the grid of score raster ",
                                             geo::quoted(scores.path()), "; make both from the same image"));
    }
    return reader;
  }

 private:
  geo::RasterReadOptions m_reading;
};

/// Everything about one field's surroundings in memory.
struct FieldWindow {
  geo::Window window;
  geo::Raster<float> scores;
  geo::Raster<std::uint8_t> valid;
  geo::Raster<std::uint32_t> instances;  ///< position among `near` + 1
  std::uint32_t self = 0;
  geo::MultiPolygon shape;            ///< in window pixels
  std::vector<geo::CoveredRun> runs;  ///< of the field, in window pixels
};

geo::MultiPolygon to_pixels(const geo::MultiPolygon& shape, const geo::Grid& grid) {
  geo::MultiPolygon moved = shape;
  for (auto& polygon : moved) {
    for (auto& p : polygon.shell) p = grid.transform.to_pixel(p);
    for (auto& hole : polygon.holes) {
      for (auto& p : hole) p = grid.transform.to_pixel(p);
    }
  }
  return moved;
}

double score_at(const FieldWindow& f, std::int64_t col, std::int64_t row, int band, double scale) {
  return std::clamp(static_cast<double>(f.scores.at(col, row, band)) * scale, 0.0, 1.0);
}

double entropy_at(const FieldWindow& f, std::int64_t col, std::int64_t row, double scale) {
  std::array<double, 3> p{};
  double sum = 0.0;
  for (int b = 0; b < 3; ++b) sum += p[static_cast<std::size_t>(b)] = score_at(f, col, row, b, scale);
  double entropy = 0.0;
  for (const double v : p) {
    if (v > 0.0 && sum > 0.0) entropy -= v / sum * std::log(v / sum);
  }
  return entropy;
}

bool beside_nodata(const FieldWindow& f, std::int64_t col, std::int64_t row) {
  for (std::int64_t r = std::max<std::int64_t>(0, row - 1); r <= std::min(row + 1, f.valid.height() - 1);
       ++r) {
    for (std::int64_t c = std::max<std::int64_t>(0, col - 1); c <= std::min(col + 1, f.valid.width() - 1);
         ++c) {
      if (f.valid.at(c, r) == 0) return true;
    }
  }
  return false;
}

/// Mean over the field of a single-band raster on the same grid, where it is valid.
double raster_mean(const geo::RasterReader& reader, const FieldWindow& f) {
  const auto values = reader.read<float>(f.window, std::array{0});
  const auto valid = reader.read_valid(f.window, std::array{0});
  const auto& band = reader.band(0);
  CoverageSummary sum;
  for_each_covered(f.runs, [&](std::int64_t col, std::int64_t row, double share) {
    if (valid.at(col, row) != 0)
      sum.add(static_cast<double>(values.at(col, row)) * band.scale + band.offset, share);
  });
  return sum.mean();
}

/// Stored values without their scale would pass for certain scores.
void check_scores(const FieldWindow& f, std::int64_t col, std::int64_t row, const Sources& sources) {
  constexpr double kSlack = 0.01;  // of rounding
  for (int b = 0; b < 3; ++b) {
    const double score = static_cast<double>(f.scores.at(col, row, b)) * sources.scale;
    if (score >= -kSlack && score <= 1.0 + kSlack) continue;
    throw geo::InvalidArgument(geo::concat(
        "raster ", geo::quoted(sources.scores.path()), " has the score ", score, " in band ", b + 1,
        " at column ", f.window.col + col, ", row ", f.window.row + row,
        ", outside 0..1; say how stored values become scores with --scale, for example --scale 0.005"));
  }
}

/// Whether the field's own pixels lie at the raster's border or beside nodata. A field that covers no pixel
/// to the half has those that it covers most.
void look_for_cuts(const FieldWindow& f, const geo::Grid& grid, RasterQuality& q) {
  double own = 0.0;
  for (const geo::CoveredRun& run : f.runs) own = std::max(own, run.share);
  own = std::min(own, kOwnShare);
  for_each_covered(f.runs, [&](std::int64_t col, std::int64_t row, double share) {
    if (share < own) return;
    const std::int64_t scene_col = f.window.col + col;
    const std::int64_t scene_row = f.window.row + row;
    q.touches_edge |=
        scene_col == 0 || scene_row == 0 || scene_col == grid.width - 1 || scene_row == grid.height - 1;
    q.cut_by_nodata |= beside_nodata(f, col, row);
  });
}

void add_pixel_figures(const FieldWindow& f, const Sources& sources, RasterQuality& q) {
  look_for_cuts(f, sources.scores.grid(), q);
  CoverageSummary p;
  CoverageSummary entropy;
  for_each_covered(f.runs, [&](std::int64_t col, std::int64_t row, double share) {
    if (f.valid.at(col, row) == 0) return;
    check_scores(f, col, row, sources);
    p.add(1.0 - score_at(f, col, row, 0, sources.scale), share);
    entropy.add(entropy_at(f, col, row, sources.scale), share);
  });
  q.n_pixels = p.own_pixels();
  q.p_mean = p.mean();
  q.p_min = p.least();
  q.entropy_mean = sources.entropy ? raster_mean(*sources.entropy, f) : entropy.mean();
  if (sources.risk) q.risk_mean = raster_mean(*sources.risk, f);
  if (q.risk_mean < 0.0 || q.risk_mean > 1.0) {
    throw geo::InvalidArgument(geo::concat("risk raster ", geo::quoted(sources.risk->path()),
                                           " has a mean risk of ", q.risk_mean,
                                           " in a field; risks lie in 0..1"));
  }
}

/// Collects boundary scores along the outline, per neighbour and in all.
class OutlineWalk {
 public:
  OutlineWalk(const FieldWindow& field, double scale) : m_field(field), m_scale(scale) {}

  void walk(const geo::Ring& ring) {
    constexpr double kStepPx = 0.5;
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      const double dx = ring[i + 1].x - ring[i].x;
      const double dy = ring[i + 1].y - ring[i].y;
      const int steps = std::max(1, static_cast<int>(std::ceil(std::hypot(dx, dy) / kStepPx)));
      for (int s = 0; s < steps; ++s) {
        const double t = (s + 0.5) / steps;
        sample({ring[i].x + t * dx, ring[i].y + t * dy});
      }
    }
  }

  [[nodiscard]] double strength() const { return m_all.value(); }
  [[nodiscard]] double weakest() const {
    double least = kUndefined;
    for (const auto& [neighbour, mean] : m_neighbours) {
      if (mean.count() >= kLeastEdgeSamples && !(least <= mean.value())) least = mean.value();
    }
    return least;
  }

 private:
  void sample(geo::Point p) {
    const auto col = static_cast<std::int64_t>(std::floor(p.x));
    const auto row = static_cast<std::int64_t>(std::floor(p.y));
    double highest = -1.0;
    std::array<std::uint32_t, 9> seen{};
    std::size_t n = 0;
    for (std::int64_t r = row - 1; r <= row + 1; ++r) {
      for (std::int64_t c = col - 1; c <= col + 1; ++c) {
        if (c < 0 || r < 0 || c >= m_field.valid.width() || r >= m_field.valid.height()) continue;
        if (m_field.valid.at(c, r) != 0) highest = std::max(highest, score_at(m_field, c, r, 2, m_scale));
        const std::uint32_t id = m_field.instances.at(c, r);
        if (id != 0 && id != m_field.self &&
            std::find(seen.begin(), seen.begin() + n, id) == seen.begin() + n)
          seen[n++] = id;
      }
    }
    if (highest < 0.0) return;
    m_all.add(highest);
    for (std::size_t i = 0; i < n; ++i) m_neighbours[seen[i]].add(highest);
  }

  const FieldWindow& m_field;
  double m_scale;
  Mean m_all;
  std::map<std::uint32_t, Mean> m_neighbours;
};

/// All fields in the raster's CRS, with an index to find neighbours.
class FieldSet {
 public:
  FieldSet(const geo::Layer& fields, const geo::Grid& grid)
      : m_shapes(moved(fields, grid)), m_index(boxes(m_shapes)) {}

  [[nodiscard]] std::optional<FieldWindow> window(std::size_t i, const Sources& sources,
                                                  const geo::ExecContext& exec) const {
    const geo::Grid& grid = sources.scores.grid();
    const geo::Window tight = grid.window_of(geo::bounds(m_shapes[i]));
    const geo::Window window = geo::intersection(geo::grow(tight, kMarginPx), grid.window());
    if (m_shapes[i].empty() || tight.empty()) return std::nullopt;
    check_memory(i, window, exec);
    FieldWindow f;
    f.window = window;
    std::vector<geo::MultiPolygon> near;
    for (const std::size_t j : m_index.query(grid.bounds(window))) {
      if (j == i) continue;
      near.push_back(m_shapes[j]);
    }
    near.push_back(m_shapes[i]);  // last: its pixels win where polygons overlap
    const geo::Grid sub = grid.subgrid(window);
    f.self = static_cast<std::uint32_t>(near.size());
    f.instances = geo::rasterize_instances(near, sub);
    f.shape = to_pixels(m_shapes[i], sub);
    f.runs = geo::covered_runs(m_shapes[i], sub);
    f.scores = sources.scores.read<float>(window);
    f.valid = sources.scores.read_valid(window);
    return f;
  }

  /// Centre of gravity in the raster's CRS.
  [[nodiscard]] geo::Point centre(std::size_t i) const { return geo::centroid(m_shapes[i]); }

 private:
  void check_memory(std::size_t i, const geo::Window& window, const geo::ExecContext& exec) const {
    constexpr double kBytesPerPixel = 40.0;  // scores, masks, instances
    const double needed =
        kBytesPerPixel * static_cast<double>(window.width) * static_cast<double>(window.height);
    if (needed <= static_cast<double>(exec.memory_bytes())) return;
    throw geo::InvalidArgument(geo::concat("field ", i + 1, " covers ", window.width, " x ", window.height,
                                           " px of the scores, which needs about ", geo::human_bytes(needed),
                                           ", more than the memory budget of ",
                                           geo::human_bytes(static_cast<double>(exec.memory_bytes())),
                                           "; raise --memory or correct the field"));
  }
  static std::vector<geo::MultiPolygon> moved(const geo::Layer& fields, const geo::Grid& grid) {
    const geo::CoordinateTransform transform(fields.crs, grid.crs);
    std::vector<geo::MultiPolygon> shapes;
    shapes.reserve(fields.features.size());
    for (const auto& feature : fields.features) shapes.push_back(transform.apply(feature.geometry));
    return shapes;
  }
  static std::vector<geo::Box> boxes(const std::vector<geo::MultiPolygon>& shapes) {
    std::vector<geo::Box> list;
    list.reserve(shapes.size());
    for (const auto& shape : shapes) list.push_back(geo::bounds(shape));
    return list;
  }

  std::vector<geo::MultiPolygon> m_shapes;
  geo::BoxIndex m_index;
};

RasterQuality quality_of(std::size_t i, const FieldSet& set, const Sources& sources,
                         const geo::ExecContext& exec) {
  RasterQuality q;
  const auto f = set.window(i, sources, exec);
  if (!f) return q;
  add_pixel_figures(*f, sources, q);
  OutlineWalk outline(*f, sources.scale);
  for (const auto& polygon : f->shape) {
    outline.walk(polygon.shell);
    for (const auto& hole : polygon.holes) outline.walk(hole);
  }
  q.boundary_strength = outline.strength();
  q.weakest_shared_edge = outline.weakest();
  return q;
}

geo::Value number(double value) {
  return std::isnan(value) ? geo::Value{} : geo::Value{value};
}
/// A share as a whole number of percent.
geo::Value percent(double share) {
  return std::isnan(share) ? geo::Value{}
                           : geo::Value{static_cast<std::int64_t>(std::llround(100.0 * share))};
}
double clean(double value, int digits) {
  double parsed = value;
  if (std::isfinite(value)) (void)geo::parse_number(geo::fixed(value, digits), parsed);
  return parsed;
}

double confidence_of(const RasterQuality& q) {
  if (std::isnan(q.p_mean) || std::isnan(q.boundary_strength) || std::isnan(q.entropy_mean))
    return kUndefined;
  const double certainty = std::clamp(1.0 - q.entropy_mean / std::log(3.0), 0.0, 1.0);
  return std::min(1.0, std::cbrt(std::max(0.0, q.p_mean) * std::max(0.0, q.boundary_strength) * certainty));
}

std::string flags_of(const RasterQuality& q) {
  std::vector<std::string> flags;
  if (std::isnan(q.p_mean)) flags.emplace_back("no_data");
  if (q.touches_edge) flags.emplace_back("edge");
  if (q.cut_by_nodata) flags.emplace_back("nodata");
  if (q.weakest_shared_edge < kWeakBoundary) flags.emplace_back("weak_boundary");
  if (q.p_mean < kLowScore) flags.emplace_back("low_score");
  return geo::join(flags, ";");
}

/// @param scores  null = none
std::string date_of(const QualityOptions& options, const geo::RasterReader* scores) {
  if (options.image_date.empty())
    return scores == nullptr ? std::string() : iso_date(scores->metadata("TIFFTAG_DATETIME"));
  const std::string date = iso_date(options.image_date);
  if (date.empty()) {
    throw geo::InvalidArgument(
        geo::concat("--image-date ", geo::quoted(options.image_date), " is not a date; write YYYY-MM-DD"));
  }
  return date;
}

std::string id_of(const geo::MultiPolygon& shape) {
  std::string text;
  for (const auto& polygon : shape) {
    for (const auto& p : polygon.shell) text += geo::concat(geo::fixed(p.x, 6), " ", geo::fixed(p.y, 6), ";");
  }
  std::string id = geo::concat(std::hex, geo::stable_hash(text));
  return "f" + std::string(16 - std::min<std::size_t>(16, id.size()), '0') + id;
}

/// Puts the attributes of quality_attributes() first, in their order; others of the input follow.
void arrange_fields(geo::Layer& layer) {
  set_aside_foreign(layer, quality_attributes().subspan(1));  // ids are kept, whatever they are
  std::vector<geo::FieldDefinition> fields(quality_attributes().begin(), quality_attributes().end());
  std::vector<int> from;
  for (const auto& f : fields) from.push_back(layer.find_field(f.name));
  for (std::size_t i = 0; i < layer.fields.size(); ++i) {
    if (std::ranges::find(from, static_cast<int>(i)) != from.end()) continue;
    fields.push_back(layer.fields[i]);
    from.push_back(static_cast<int>(i));
  }
  for (auto& feature : layer.features) {
    std::vector<geo::Value> values(fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (from[i] >= 0) values[i] = feature.values[static_cast<std::size_t>(from[i])];
    }
    feature.values = std::move(values);
  }
  layer.fields = std::move(fields);
}

void set_shape_attributes(geo::Feature& feature, const geo::GeodesicMeasure& measure) {
  const double area_m2 = measure.area_m2(feature.geometry);
  const double perimeter_m = measure.perimeter_m(feature.geometry);
  auto& v = feature.values;
  v[0] = geo::as_text(v[0]).empty() ? geo::Value{id_of(feature.geometry)} : geo::Value{geo::as_text(v[0])};
  v[1] = clean(area_m2 / 1e4, 6);
  v[2] = clean(perimeter_m, 3);
  v[3] = perimeter_m > 0.0 ? number(clean(4.0 * std::numbers::pi * area_m2 / (perimeter_m * perimeter_m), 6))
                           : geo::Value{};
  v[4] = area_m2 > 0.0 ? number(clean(perimeter_m / (2.0 * std::sqrt(std::numbers::pi * area_m2)), 6))
                       : geo::Value{};
}

void set_score_attributes(geo::Feature& feature, const RasterQuality& q, double confidence) {
  auto& v = feature.values;
  v[5] = number(clean(q.p_mean, 6));
  v[6] = number(clean(q.p_min, 6));
  v[7] = number(clean(q.boundary_strength, 6));
  v[8] = number(clean(q.entropy_mean, 6));
  v[9] = number(clean(q.risk_mean, 6));
  v[10] = number(clean(q.weakest_shared_edge, 6));
  v[11] = q.n_pixels;
  v[12] = std::int64_t{q.touches_edge};
  v[13] = std::int64_t{q.cut_by_nodata};
  v[kConfidence] = percent(confidence);
  v[kMatchProbability] = geo::Value{};
  v[kFlag] = flags_of(q);
}

void warn_of_nothing(const geo::Layer& fields, const std::string& scores) {
  const bool any = std::ranges::any_of(
      fields.features, [&](const geo::Feature& f) { return geo::as_integer(f.values[kPixels]) > 0; });
  if (any) return;
  geo::log_warning(geo::concat("no field has a valid pixel of raster ", geo::quoted(scores),
                               "; are they of the same place?"));
}

}  // namespace

FieldConfidences add_field_quality(geo::Layer& fields, const QualityOptions& options,
                                   geo::ExecContext& exec) {
  std::optional<Sources> sources;
  if (!options.scores.empty()) sources.emplace(options);
  std::optional<FieldSet> set;
  if (sources) set.emplace(fields, sources->scores.grid());
  const std::string date = date_of(options, sources ? &sources->scores : nullptr);
  arrange_fields(fields);
  FieldConfidences result;
  if (sources) result = {sources->scores.grid(), std::vector<FieldConfidence>(fields.features.size())};
  geo::Progress progress(exec, "quality of fields", static_cast<std::int64_t>(fields.features.size()));
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, fields.features.size(), 16), [&](const auto& range) {
    const geo::GeodesicMeasure measure(fields.crs);
    for (std::size_t i = range.begin(); i < range.end(); ++i) {
      set_shape_attributes(fields.features[i], measure);
      if (!date.empty()) fields.features[i].values[kImageDate] = date;
      if (sources) {
        const RasterQuality q = quality_of(i, *set, *sources, exec);
        result.fields[i] = {confidence_of(q), !q.touches_edge && !q.cut_by_nodata, set->centre(i)};
        set_score_attributes(fields.features[i], q, result.fields[i].raw);
      }
      progress.advance();
    }
  });
  if (sources) warn_of_nothing(fields, options.scores);
  return result;
}

void set_match_probabilities(geo::Layer& fields, const FieldConfidences& confidences,
                             const MonotoneCurve& curve) {
  for (std::size_t i = 0; i < confidences.fields.size(); ++i) {
    const double raw = confidences.fields[i].raw;
    const double p = std::isnan(raw) ? kUndefined : curve.at(raw);
    fields.features[i].values[kMatchProbability] = number(clean(p, 6));
    fields.features[i].values[kConfidence] = percent(p);
  }
}

}  // namespace furrow::assessment
