#include <furrow/labelling/campaign.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

#include "labelled_polygon.h"

namespace furrow::labelling {

bool Assignment::is_finished() const {
  static constexpr std::array kUnfinished{"abandoned", "returned", "assigned", "pending"};
  const std::string lower = geo::to_lower(status);
  return std::ranges::none_of(kUnfinished, [&](const char* text) { return lower == text; });
}

const Site* Campaign::find_site(const std::string& name) const {
  const auto found = std::ranges::lower_bound(sites, name, {}, &Site::name);
  return found != sites.end() && found->name == name ? &*found : nullptr;
}

std::vector<std::size_t> Campaign::assignments_of(const std::string& site) const {
  const auto range = std::ranges::equal_range(assignments, site, {}, &Assignment::site);
  std::vector<std::size_t> positions;
  for (auto it = range.begin(); it != range.end(); ++it) {
    positions.push_back(static_cast<std::size_t>(it - assignments.begin()));
  }
  return positions;
}

namespace {

using geo::concat;
using geo::quoted;

/// "100001.0" and "100001" are one id; anything else stays as it is written.
std::string id_text(std::string_view text) {
  std::string id(geo::trim(text));
  const std::size_t point = id.find('.');
  if (point == std::string::npos || point == 0) return id;
  const bool digits = std::ranges::all_of(id.substr(0, point), [](char c) { return c >= '0' && c <= '9'; });
  const bool zeros = id.find_first_not_of('0', point + 1) == std::string::npos;
  return digits && zeros ? id.substr(0, point) : id;
}

std::string id_of(const geo::Value& value) {
  const auto* real = std::get_if<double>(&value);
  if (real != nullptr && std::isfinite(*real)) return id_text(geo::fixed(*real, 6));
  return id_text(geo::as_text(value));
}

/// A catalogue row with what is needed to place and check it.
struct CatalogueRow {
  std::size_t row = 0;
  Assignment assignment;
  geo::Point position;       ///< x, y in degrees; only read when sites are cells around them
  bool says_fields = false;  ///< nflds > 0
  bool says_none = false;    ///< nflds = 0
};

class CatalogueReader {
 public:
  CatalogueReader(const CampaignOptions& options, std::vector<CampaignProblem>& problems)
      : m_table(geo::read_csv(options.catalogue)),
        m_problems(problems),
        m_needs_position(options.sites.empty()),
        m_name(m_table.column("name")),
        m_class(m_table.column("Class")),
        m_id(m_table.column("assignment_id")),
        m_labeller(m_table.column("Labeller")),
        m_x(m_needs_position ? m_table.column("x") : 0),
        m_y(m_needs_position ? m_table.column("y") : 0) {}

  std::vector<CatalogueRow> read() {
    std::vector<CatalogueRow> rows;
    for (std::size_t row = 0; row < m_table.rows.size(); ++row) {
      if (auto entry = read_row(row)) rows.push_back(std::move(*entry));
    }
    check_duplicates(rows);
    return rows;
  }

  [[nodiscard]] std::string place(std::size_t row) const { return m_table.place(row); }

 private:
  [[nodiscard]] std::string cell(std::size_t row, std::size_t column) const {
    const std::string& text = m_table.rows[row][column];
    return geo::is_missing(text) ? std::string() : std::string(geo::trim(text));
  }

  [[nodiscard]] std::string optional_cell(std::size_t row, const char* column) const {
    const int index = m_table.find_column(column);
    return index < 0 ? std::string() : cell(row, static_cast<std::size_t>(index));
  }

  std::optional<CatalogueRow> problem(std::size_t row, std::string message) {
    m_problems.push_back({place(row), std::move(message)});
    return std::nullopt;
  }

  std::optional<CatalogueRow> read_row(std::size_t row) {
    CatalogueRow entry;
    entry.row = row;
    Assignment& a = entry.assignment;
    a.id = id_text(cell(row, m_id));
    a.site = cell(row, m_name);
    a.labeller = id_text(cell(row, m_labeller));
    if (a.site.empty()) return problem(row, "the row has no site name; fill in 'name' or delete the row");
    if (a.id.empty()) return problem(row, "the row has no assignment_id; fill it in or delete the row");
    if (a.labeller.empty()) return problem(row, "the row has no Labeller; fill it in or delete the row");
    a.site_class = geo::to_lower(id_text(cell(row, m_class)));
    a.status = optional_cell(row, "status");
    a.completion_time = optional_cell(row, "completion_time");
    a.image_date = optional_cell(row, "image_date");
    const std::string fields = optional_cell(row, "nflds");
    double count = 0.0;
    if (!fields.empty() && !geo::parse_number(fields, count)) {
      return problem(row, concat("nflds is ", quoted(fields), ", which is no number"));
    }
    entry.says_fields = count > 0.0;
    entry.says_none = !fields.empty() && count == 0.0;
    if (m_needs_position) {
      const std::string x = cell(row, m_x);
      const std::string y = cell(row, m_y);
      if (!geo::parse_number(x, entry.position.x) || !geo::parse_number(y, entry.position.y) ||
          !(std::abs(entry.position.x) <= 180.0) || !(std::abs(entry.position.y) <= 90.0)) {
        return problem(row,
                       concat("x, y = ", quoted(x), ", ", quoted(y),
                              " is no position in degrees; give longitude and latitude, or a layer of site ",
                              "cells with --sites"));
      }
    }
    return entry;
  }

  void check_duplicates(const std::vector<CatalogueRow>& rows) const {
    std::map<std::string, std::size_t> first;
    for (const auto& entry : rows) {
      const auto [found, is_new] = first.emplace(entry.assignment.id, entry.row);
      if (is_new) continue;
      throw geo::IoError(concat(place(entry.row), ": assignment_id ", quoted(entry.assignment.id),
                                " is already at ", place(found->second),
                                "; every assignment needs an id of its own"));
    }
  }

  geo::CsvTable m_table;
  std::vector<CampaignProblem>& m_problems;
  bool m_needs_position;
  std::size_t m_name;
  std::size_t m_class;
  std::size_t m_id;
  std::size_t m_labeller;
  std::size_t m_x;
  std::size_t m_y;
};

/// Polygons by assignment, and the assignments that lost some as invalid.
struct Labels {
  geo::Crs crs;
  std::map<std::string, std::vector<LabelledPolygon>> polygons;
  std::map<std::string, std::vector<std::int64_t>> fids;
  std::map<std::string, std::vector<std::int64_t>> left_out;
};

geo::LayerReadOptions labels_options(const CampaignOptions& options) {
  geo::LayerReadOptions read;
  read.layer = options.labels_layer;
  read.override_crs = options.labels_crs;
  read.crs_switch = "--labels-crs";
  read.invalid = options.invalid;
  return read;
}

/// Finds out whose polygons `skip` left out: an assignment that lost all of them is not an empty map.
void find_left_out(const CampaignOptions& options, const geo::Layer& kept, std::size_t id_field,
                   Labels& labels) {
  std::set<std::int64_t> fids;
  for (const auto& feature : kept.features) fids.insert(feature.fid);
  geo::LayerReadOptions read = labels_options(options);
  read.invalid = geo::InvalidGeometry::kRepair;
  geo::LayerReadReport unused;  // the repairs of this second look concern nobody
  for (const auto& feature : geo::read_layer(options.labels, read, &unused).features) {
    if (!fids.contains(feature.fid)) labels.left_out[id_of(feature.values[id_field])].push_back(feature.fid);
  }
}

/// The field that joins polygons to assignments. A Shapefile cuts names after ten characters, and files made
/// from one keep that.
std::size_t id_field_of(const geo::Layer& layer) {
  const int whole = layer.find_field("assignment_id");
  const int cut = layer.find_field(std::string("assignment_id").substr(0, 10));
  if (whole < 0 && cut >= 0) return static_cast<std::size_t>(cut);
  return layer.field("assignment_id");
}

/// @param may_be_empty  the catalogue says that nobody found a field; else an empty layer is the wrong one
Labels read_labels(const CampaignOptions& options, bool may_be_empty,
                   std::vector<CampaignProblem>& problems) {
  geo::LayerReadReport report;
  geo::LayerReadOptions read = labels_options(options);
  read.accept_empty = may_be_empty;
  geo::Layer layer = geo::read_layer(options.labels, read, &report);
  Labels labels;
  labels.crs = layer.crs;
  if (layer.features.empty()) return labels;
  const std::size_t id_field = id_field_of(layer);
  const int category_field = layer.find_field("category");
  if (report.repaired > 0) {
    geo::log_info(concat(report.repaired, " invalid polygons of ", quoted(options.labels), " were repaired"));
  }
  if (report.skipped > 0) {
    geo::log_warning(
        concat(report.skipped, " invalid polygons of ", quoted(options.labels), " were left out"));
    find_left_out(options, layer, id_field, labels);
  }
  for (auto& feature : layer.features) {
    if (feature.geometry.empty()) continue;
    const std::string id = id_of(feature.values[id_field]);
    if (id.empty()) {
      problems.push_back({concat(options.labels, " fid ", feature.fid),
                          "the polygon has no assignment_id; it was left out"});
      continue;
    }
    const std::int64_t fid = feature.fid;
    labels.polygons[id].push_back(labelled_polygon(std::move(feature), category_field));
    labels.fids[id].push_back(fid);
  }
  return labels;
}

/// Cells by site name.
std::map<std::string, geo::MultiPolygon> read_sites(const CampaignOptions& options, geo::Crs& campaign_crs) {
  geo::LayerReadOptions read;
  read.usual_layer = "sites";
  read.override_crs = options.sites_crs;
  read.crs_switch = "--sites-crs";
  read.invalid = options.invalid;
  read.target_crs = campaign_crs;
  geo::Layer layer = geo::read_layer(options.sites, read);
  const std::size_t name_field = layer.field("name");
  if (campaign_crs.empty()) campaign_crs = layer.crs;
  std::map<std::string, geo::MultiPolygon> cells;
  std::map<std::string, std::int64_t> fids;
  for (auto& feature : layer.features) {
    if (feature.geometry.empty()) continue;
    const std::string name(geo::trim(geo::as_text(feature.values[name_field])));
    if (name.empty()) {
      throw geo::IoError(
          concat("the site with fid ", feature.fid, " in ", quoted(options.sites), " has no name"));
    }
    const auto [found, is_new] = fids.emplace(name, feature.fid);
    if (!is_new) {
      throw geo::IoError(concat("site ", quoted(name), " is twice in ", quoted(options.sites), " (fid ",
                                found->second, " and ", feature.fid,
                                "); every site needs a name of its own"));
    }
    cells[name] = std::move(feature.geometry);
  }
  return cells;
}

geo::MultiPolygon square_cell(geo::Point centre, double side, const geo::CoordinateTransform& transform) {
  const double half = 0.5 * side;
  return transform.apply(geo::MultiPolygon{
      geo::to_polygon({centre.x - half, centre.y - half, centre.x + half, centre.y + half})});
}

/// Cells around x, y; leaves out rows that place their site elsewhere than its first row does.
std::map<std::string, geo::MultiPolygon> place_sites(std::vector<CatalogueRow>& rows,
                                                     const CatalogueReader& reader,
                                                     const CampaignOptions& options, const geo::Crs& crs,
                                                     std::vector<CampaignProblem>& problems) {
  // About a tenth of a metre: the same site written with another number of digits.
  constexpr double kSamePlace_deg = 1e-6;
  const geo::CoordinateTransform transform(geo::lonlat_crs(), crs);
  std::map<std::string, geo::MultiPolygon> cells;
  std::map<std::string, const CatalogueRow*> first;
  std::set<std::size_t> elsewhere;
  for (const auto& entry : rows) {
    const auto [found, is_new] = first.emplace(entry.assignment.site, &entry);
    const geo::Point p = found->second->position;
    if (is_new) {
      cells[entry.assignment.site] = square_cell(p, options.cell_degrees, transform);
    } else if (std::abs(p.x - entry.position.x) > kSamePlace_deg ||
               std::abs(p.y - entry.position.y) > kSamePlace_deg) {
      elsewhere.insert(entry.row);
      problems.push_back({reader.place(entry.row),
                          concat("site ", quoted(entry.assignment.site), " lies elsewhere than at ",
                                 reader.place(found->second->row), "; give both rows the same x and y")});
    }
  }
  std::erase_if(rows, [&](const CatalogueRow& entry) { return elsewhere.contains(entry.row); });
  return cells;
}

/// Says why an assignment cannot be used although its row is fine; empty = it can.
std::string missing_polygons(const CatalogueRow& entry, const CampaignOptions& options,
                             const Labels& labels) {
  const Assignment& a = entry.assignment;
  if (labels.polygons.contains(a.id)) return {};
  if (const auto lost = labels.left_out.find(a.id); lost != labels.left_out.end()) {
    return concat("every polygon of assignment ", quoted(a.id), " was left out as invalid (fid ",
                  lost->second.front(), " of ", quoted(options.labels),
                  "); mend it, or use --invalid repair");
  }
  if (entry.says_fields && !options.labels.empty()) {
    return concat("nflds says that assignment ", quoted(a.id), " has fields, but ", quoted(options.labels),
                  " has no polygon of it; add its polygons or correct nflds");
  }
  return {};
}

void report_unknown(const Labels& labels, const std::set<std::string>& known, const CampaignOptions& options,
                    std::vector<CampaignProblem>& problems) {
  for (const auto& [id, fids] : labels.fids) {
    if (known.contains(id)) continue;
    problems.push_back(
        {concat(options.labels, " fid ", fids.front()),
         concat("assignment ", quoted(id), " is not in ", quoted(options.catalogue), "; its ", fids.size(),
                fids.size() == 1 ? " polygon was" : " polygons were", " left out")});
  }
}

/// Polygons that all miss their sites are in another CRS than somebody said.
void check_places(const Campaign& campaign, const CampaignOptions& options) {
  std::size_t polygons = 0;
  for (const Assignment& a : campaign.assignments) {
    const Site* site = campaign.find_site(a.site);
    const geo::Box cell = geo::bounds(site->cell);
    for (const auto& polygon : a.polygons) {
      if (geo::bounds(polygon.shape).intersects(cell)) return;
      ++polygons;
    }
  }
  if (polygons == 0) return;
  throw geo::CrsError(concat("none of the ", polygons, " polygons of ", quoted(options.labels),
                             " touches the cell of its site; they are taken to be in ", campaign.crs.name(),
                             ": correct that with --labels-crs",
                             options.sites.empty() ? ", or x and y of the catalogue" : " or --sites-crs"));
}

}  // namespace

Campaign read_campaign(const CampaignOptions& options, std::vector<CampaignProblem>& problems) {
  if (!(options.cell_degrees > 0.0))
    throw geo::InvalidArgument("the side of a site's cell must be above 0 degrees");
  CatalogueReader reader(options, problems);
  std::vector<CatalogueRow> rows = reader.read();
  std::set<std::string> known;
  for (const auto& entry : rows) known.insert(entry.assignment.id);

  Campaign campaign;
  Labels labels;
  const bool all_empty =
      !rows.empty() && std::ranges::all_of(rows, [](const CatalogueRow& entry) { return entry.says_none; });
  if (!options.labels.empty()) labels = read_labels(options, all_empty, problems);
  campaign.crs = labels.crs;
  if (options.sites.empty() && campaign.crs.empty()) campaign.crs = geo::lonlat_crs();
  auto cells = options.sites.empty() ? place_sites(rows, reader, options, campaign.crs, problems)
                                     : read_sites(options, campaign.crs);
  report_unknown(labels, known, options, problems);

  for (auto& entry : rows) {
    std::string message = missing_polygons(entry, options, labels);
    if (message.empty() && !cells.contains(entry.assignment.site)) {
      message = concat("site ", quoted(entry.assignment.site), " is not in ", quoted(options.sites),
                       "; add its cell or delete the row");
    }
    if (!message.empty()) {
      problems.push_back({reader.place(entry.row), std::move(message)});
      continue;
    }
    if (const auto found = labels.polygons.find(entry.assignment.id); found != labels.polygons.end()) {
      entry.assignment.polygons = std::move(found->second);
    }
    campaign.assignments.push_back(std::move(entry.assignment));
  }
  if (campaign.assignments.empty()) {
    throw geo::IoError(concat("catalogue ", quoted(options.catalogue), " has no usable row",
                              problems.empty() ? ""
                                               : concat("; the first problem: ", problems.front().input, ": ",
                                                        problems.front().message)));
  }
  for (auto& [name, cell] : cells) campaign.sites.push_back({name, std::move(cell)});
  std::ranges::sort(campaign.assignments, [](const Assignment& a, const Assignment& b) {
    return a.site != b.site ? a.site < b.site : a.id < b.id;
  });
  check_places(campaign, options);
  return campaign;
}

}  // namespace furrow::labelling
