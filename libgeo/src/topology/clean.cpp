#include <furrow/geo/topology/clean.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "clean_shapes.h"
#include "duplicates.h"
#include "face_owners.h"
#include "face_rings.h"
#include "precision_grid.h"

namespace furrow::geo {
namespace {

void check(const CleanOptions& options) {
  const auto at_least = [](double value, double low, const char* name) {
    if (!(value >= low) || !std::isfinite(value)) {
      throw InvalidArgument(concat(name, " must be a number >= ", low));
    }
  };
  at_least(options.precision_m, 1e-9, "the precision");
  at_least(options.duplicate_iou, 0.01, "the overlap of duplicates");
  at_least(options.gaps_m, 0.0, "the width of gaps");
  at_least(options.min_width_m, 0.0, "the width of slivers");
  at_least(options.min_area_m2, 0.0, "the least area");
  at_least(options.simplify_m, 0.0, "the tolerance of simplification");
  if (options.seams == SeamMerge::kGrid && !(options.seam_grid.dx > 0.0 && options.seam_grid.dy > 0.0)) {
    throw InvalidArgument("the grid of seams needs distances above 0");
  }
}

/// One feature on its way through the cleaning.
struct Entry {
  std::size_t position = 0;  ///< in the layer
  MultiPolygon shape;        ///< repaired
  detail::GridShape grid;
  detail::Wide doubled_area = 0;  ///< on the grid
  std::string reason;             ///< why it is left out; empty = it is not
};

/// Numbers before texts; numbers by value.
std::tuple<double, std::string> id_key(const Value& value) {
  const std::string text = as_text(value);
  double number = 0.0;
  return {parse_number(text, number) ? number : std::numeric_limits<double>::infinity(), text};
}

class LayerCleaner {
 public:
  LayerCleaner(Layer layer, const CleanOptions& options, ExecContext& exec)
      : m_layer(std::move(layer)),
        m_options(options),
        m_exec(exec),
        m_grid(m_layer.crs, options.precision_m) {
    if (!options.id.empty()) m_id = m_layer.field(options.id);
  }

  CleanedLayer run() {
    m_report.features = static_cast<std::int64_t>(m_layer.features.size());
    prepare_entries();
    order_entries();
    drop_duplicates();
    take_shapes();
    if (!m_shapes.empty()) {
      clean_ground();
      check_shapes();
    }
    return finish();
  }

 private:
  /// Repairs shapes and rounds them to the grid.
  void prepare_entries() {
    m_entries.resize(m_layer.features.size());
    std::vector<std::uint8_t> repaired(m_entries.size(), 0);
    tbb::parallel_for(std::size_t{0}, m_entries.size(), [&](std::size_t i) {
      Entry& entry = m_entries[i];
      entry.position = i;
      entry.shape = m_layer.features[i].geometry;
      if (entry.shape.empty()) {
        entry.reason = "no polygon";
        return;
      }
      if (!check_validity(entry.shape).valid) {
        entry.shape = make_valid(entry.shape);
        repaired[i] = entry.shape.empty() ? 0 : 1;
        if (entry.shape.empty()) entry.reason = "invalid";
      }
      entry.grid = m_grid.to_grid(entry.shape);
      for (const auto& ring : entry.grid.rings) entry.doubled_area += detail::doubled_area(ring);
      if (entry.reason.empty() && entry.grid.rings.empty()) entry.reason = "small";
    });
    const GeodesicMeasure measure(m_layer.crs);
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
      if (m_entries[i].shape.empty()) continue;
      const double area_m2 = measure.area_m2(m_entries[i].shape);
      m_report.area_before_m2 += area_m2;
      if (repaired[i] != 0) add(m_report.repaired, area_m2);
    }
  }

  static void add(ChangeCount& total, double area_m2) {
    ++total.count;
    total.area_m2 += area_m2;
  }

  /// The largest first; of equals by id, then shape, then place in the layer.
  void order_entries() {
    std::vector<std::tuple<double, std::string>> ids(m_entries.size());
    if (m_id) {
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = id_key(m_layer.features[i].values[*m_id]);
    }
    std::ranges::sort(m_entries, [&](const Entry& a, const Entry& b) {
      if (a.doubled_area != b.doubled_area) return a.doubled_area > b.doubled_area;
      if (ids[a.position] != ids[b.position]) return ids[a.position] < ids[b.position];
      return std::tie(a.grid.rings, a.position) < std::tie(b.grid.rings, b.position);
    });
    m_id_rank.resize(m_entries.size());
    std::iota(m_id_rank.begin(), m_id_rank.end(), std::size_t{0});
    std::ranges::sort(m_id_rank, [&](std::size_t a, std::size_t b) {
      const std::size_t p = m_entries[a].position;
      const std::size_t q = m_entries[b].position;
      return std::tie(ids[p], p) < std::tie(ids[q], q);
    });
  }

  void drop_duplicates() {
    if (m_options.duplicate_iou > 1.0) return;
    std::vector<MultiPolygon> shapes(m_entries.size());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (m_entries[i].reason.empty()) shapes[i] = m_entries[i].shape;
    }
    const auto dropped = detail::find_duplicates(shapes, m_options.duplicate_iou, m_exec);
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      if (dropped[i] != 0) m_entries[i].reason = "duplicate";
    }
  }

  /// Numbers what is left from 0 on, and says who goes first where several want the same ground.
  void take_shapes() {
    std::vector<std::uint32_t> number(m_entries.size(), detail::kNoOwner);
    for (std::size_t i = 0; i < m_entries.size(); ++i) {
      if (!m_entries[i].reason.empty()) continue;
      number[i] = static_cast<std::uint32_t>(m_shapes.size());
      m_entry_of.push_back(i);
      m_shapes.push_back(std::move(m_entries[i].grid));
    }
    const auto count = static_cast<std::uint32_t>(m_shapes.size());
    m_precedence.resize(count);
    std::uint32_t next = 0;
    switch (m_options.overlaps) {
      case OverlapRule::kLarger:
        std::iota(m_precedence.begin(), m_precedence.end(), 0U);
        break;
      case OverlapRule::kSmaller:
      case OverlapRule::kLongestEdge:
        for (std::uint32_t f = 0; f < count; ++f) m_precedence[f] = count - 1 - f;
        break;
      case OverlapRule::kFirst:
        for (const std::size_t i : m_id_rank) {
          if (number[i] != detail::kNoOwner) m_precedence[number[i]] = next++;
        }
        break;
    }
  }

  void clean_ground() {
    const detail::GroundScale scale(m_layer.crs, m_grid, m_shapes);
    detail::CleanedShapes cleaned =
        detail::clean_shapes(std::move(m_shapes), m_precedence, m_grid, scale, m_options, m_report, m_exec);
    const GeodesicMeasure measure(m_layer.crs);
    for (std::size_t f = 0; f < cleaned.shapes.size(); ++f) {
      Entry& entry = m_entries[m_entry_of[f]];
      entry.reason = reason(cleaned.outcomes[f]);
      if (cleaned.outcomes[f] == detail::Outcome::kMerged) add(m_report.merged, measure.area_m2(entry.shape));
      m_cleaned.push_back(m_grid.to_world(cleaned.shapes[f]));
    }
    m_lost = std::move(cleaned.rejected);
  }

  static std::string reason(detail::Outcome outcome) {
    switch (outcome) {
      case detail::Outcome::kKept:
        break;
      case detail::Outcome::kOverlapped:
        return "overlapped";
      case detail::Outcome::kMerged:
        return "merged";
      case detail::Outcome::kAbsorbed:
        return "absorbed";
      case detail::Outcome::kSmall:
        return "small";
      case detail::Outcome::kSliver:
        return "sliver";
    }
    return {};
  }

  /// The rules promise valid polygons; nothing else leaves.
  void check_shapes() const {
    tbb::parallel_for(std::size_t{0}, m_cleaned.size(), [&](std::size_t f) {
      if (m_cleaned[f].empty()) return;
      const Validity validity = check_validity(m_cleaned[f]);
      if (validity.valid) return;
      const Feature& feature = m_layer.features[m_entries[m_entry_of[f]].position];
      throw GeometryError(concat("cleaning layer ", quoted(m_layer.name), " made the polygon with fid ",
                                 feature.fid, " invalid (", validity.reason,
                                 "); please report this with the file"));
    });
  }

  CleanedLayer finish() {
    CleanedLayer result;
    result.layer = m_layer;
    result.layer.features.clear();
    result.rejects = result.layer;
    result.rejects.name = "rejects";
    const GeodesicMeasure measure(m_layer.crs);
    std::vector<std::size_t> number(m_entries.size(), 0);
    for (std::size_t f = 0; f < m_entry_of.size(); ++f) number[m_entries[m_entry_of[f]].position] = f;
    std::vector<const Entry*> by_position(m_entries.size());
    for (const Entry& entry : m_entries) by_position[entry.position] = &entry;
    std::vector<std::pair<Feature, std::string>> rejects = lost_pieces();
    for (const auto& [piece, reason] : rejects)
      add(m_report.rejected_pieces, measure.area_m2(piece.geometry));
    for (std::size_t i = 0; i < by_position.size(); ++i) {
      Feature feature = std::move(m_layer.features[i]);
      const std::string& reason = by_position[i]->reason;
      if (reason.empty()) {
        feature.geometry = std::move(m_cleaned[number[i]]);
        m_report.area_after_m2 += measure.area_m2(feature.geometry);
        result.layer.features.push_back(std::move(feature));
      } else if (reason != "merged") {
        const MultiPolygon& shape = by_position[i]->shape;
        add(m_report.rejected[reason], shape.empty() ? 0.0 : measure.area_m2(shape));
        rejects.emplace_back(std::move(feature), reason);
      }
    }
    m_report.fields = static_cast<std::int64_t>(result.layer.features.size());
    write_rejects(result.rejects, std::move(rejects));
    result.report = std::move(m_report);
    return result;
  }

  /// Copies of features that live on, with the pieces that they lost.
  [[nodiscard]] std::vector<std::pair<Feature, std::string>> lost_pieces() const {
    std::vector<std::pair<Feature, std::string>> pieces;
    for (const detail::RejectedPiece& piece : m_lost) {
      const Entry& entry = m_entries[m_entry_of[piece.owner]];
      if (!entry.reason.empty()) continue;
      Feature feature = m_layer.features[entry.position];
      feature.geometry = m_grid.to_world(piece.shape);
      pieces.emplace_back(std::move(feature), piece.is_sliver ? "sliver piece" : "small piece");
    }
    return pieces;
  }

  static void write_rejects(Layer& layer, std::vector<std::pair<Feature, std::string>> rejects) {
    const std::size_t field = layer.fields.size();
    std::string name = "reason";
    for (int i = 1; layer.find_field(name) >= 0; ++i) name = concat("reason_", i);
    layer.fields.push_back({name, FieldType::kString, "Why it is not in the result"});
    for (auto& [feature, reason] : rejects) {
      feature.values.resize(field + 1);
      feature.values[field] = reason;
      layer.features.push_back(std::move(feature));
    }
  }

  Layer m_layer;
  const CleanOptions& m_options;
  ExecContext& m_exec;
  detail::PrecisionGrid m_grid;
  std::optional<std::size_t> m_id;
  CleanReport m_report;
  std::vector<Entry> m_entries;             // the largest first
  std::vector<std::size_t> m_id_rank;       // entries by id, then place in the layer
  std::vector<detail::GridShape> m_shapes;  // of entries that are not left out
  std::vector<std::size_t> m_entry_of;      // by shape
  std::vector<std::uint32_t> m_precedence;  // by shape
  std::vector<MultiPolygon> m_cleaned;      // by shape
  std::vector<detail::RejectedPiece> m_lost;
};

}  // namespace

CleanedLayer clean_layer(Layer layer, const CleanOptions& options, ExecContext& exec) {
  check(options);
  if (layer.crs.empty()) {
    throw CrsError(concat("layer ", quoted(layer.name), " has no CRS; distances in metres need one"));
  }
  return LayerCleaner(std::move(layer), options, exec).run();
}

}  // namespace furrow::geo
