#include <furrow/labelling/site_files.h>

#include <algorithm>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "labelled_polygon.h"
#include "metric_frame.h"

namespace furrow::labelling {
namespace {

using geo::concat;
using geo::quoted;

geo::LayerReadOptions read_options(const SiteLayer& layer, const char* name, geo::InvalidGeometry invalid) {
  geo::LayerReadOptions options;
  options.layer = layer.layer;
  options.override_crs = layer.crs;
  options.crs_switch = concat("--", name, "-crs");
  options.invalid = invalid;
  return options;
}

geo::Layer read_cell(const SiteMapFiles& files) {
  geo::Layer cell = geo::read_layer(files.cell.path, read_options(files.cell, "cell", files.invalid));
  std::erase_if(cell.features, [](const geo::Feature& feature) { return feature.geometry.empty(); });
  if (cell.features.empty())
    throw geo::IoError(concat("the cell ", quoted(files.cell.path),
                              " has no polygon left; a site needs one, for example its square"));
  return cell;
}

geo::MultiPolygon united(const geo::Layer& cell) {
  if (cell.features.size() == 1) return cell.features.front().geometry;
  std::vector<geo::MultiPolygon> shapes;
  for (const auto& feature : cell.features) shapes.push_back(feature.geometry);
  return geo::union_all(shapes);
}

/// Polygons in the CRS of the cell.
std::vector<LabelledPolygon> read_map(const SiteLayer& source, const char* name, const geo::Crs& crs,
                                      geo::InvalidGeometry invalid) {
  geo::LayerReadOptions options = read_options(source, name, invalid);
  options.accept_empty = true;
  options.require_crs = false;
  geo::LayerReadReport report;
  geo::Layer layer = geo::read_layer(source.path, options, &report);
  if (layer.features.empty()) return {};
  if (report.repaired > 0)
    geo::log_info(concat(report.repaired, " invalid polygons of ", quoted(source.path), " were repaired"));
  if (report.skipped > 0)
    geo::log_warning(concat(report.skipped, " invalid polygons of ", quoted(source.path), " were left out"));
  options.require_crs = true;
  options.target_crs = crs;
  layer = geo::read_layer(source.path, options, &report);
  const int category = layer.find_field("category");
  std::vector<LabelledPolygon> polygons;
  for (auto& feature : layer.features) {
    if (!feature.geometry.empty()) polygons.push_back(labelled_polygon(std::move(feature), category));
  }
  return polygons;
}

/// Farther from the cell than ten times its size: another site, or another CRS.
void warn_when_far(const std::vector<LabelledPolygon>& map, const geo::Box& cell, const SiteLayer& source,
                   const char* name) {
  const double reach = 10.0 * std::max(cell.width(), cell.height());
  const geo::Box around{cell.min_x - reach, cell.min_y - reach, cell.max_x + reach, cell.max_y + reach};
  if (map.empty() || std::ranges::any_of(map, [&](const LabelledPolygon& polygon) {
        return geo::bounds(polygon.shape).intersects(around);
      })) {
    return;
  }
  geo::log_warning(concat("all polygons of ", quoted(source.path),
                          " lie far from the cell; if their CRS is wrong, correct it with --", name, "-crs"));
}

}  // namespace

SiteMaps read_site_maps(const SiteMapFiles& files, ScoreMode mode) {
  const geo::Layer cell = read_cell(files);
  SiteMaps maps{united(cell), {}, {}};
  if (!(geo::area(maps.cell) > 0.0))
    throw geo::GeometryError(concat("the cell ", quoted(files.cell.path), " has no area"));
  maps.reference = read_map(files.reference, "reference", cell.crs, files.invalid);
  maps.labeller = read_map(files.labels, "labels", cell.crs, files.invalid);
  const geo::Box box = geo::bounds(maps.cell);
  warn_when_far(maps.reference, box, files.reference, "reference");
  warn_when_far(maps.labeller, box, files.labels, "labels");
  const MetricFrame frame(cell.crs, maps.cell, mode);
  return {frame.apply(maps.cell), frame.apply(maps.reference), frame.apply(maps.labeller)};
}

}  // namespace furrow::labelling
