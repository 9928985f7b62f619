#include <algorithm>
#include <cmath>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/simulation/labellers.h>

namespace furrow::simulation {
namespace {

std::string site_name(const std::string& prefix, std::int64_t number) {
  const std::string digits = std::to_string(number);
  return prefix + std::string(digits.size() < 7 ? 7 - digits.size() : 0, '0') + digits;
}

}  // namespace

std::vector<labelling::Site> make_cells(const geo::Layer& reference, const CellOptions& options) {
  geo::Box extent;
  for (const auto& feature : reference.features) {
    if (!feature.geometry.empty()) extent.expand(geo::bounds(feature.geometry));
  }
  if (extent.empty())
    throw geo::InvalidArgument(
        geo::concat("layer ", geo::quoted(reference.name), " has no polygon to lay cells over"));
  const double side =
      reference.crs.is_geographic() ? options.cell_degrees : options.cell_m / reference.crs.metres_per_unit();
  if (!(side > 0.0) || !std::isfinite(side))
    throw geo::InvalidArgument("the side of a cell must be greater than 0");
  const double first_col = std::floor(extent.min_x / side);
  const double first_row = std::floor(extent.min_y / side);
  // A field that ends exactly on a border does not reach into the next cell.
  const double cols = std::max(1.0, std::ceil(extent.max_x / side) - first_col);
  const double rows = std::max(1.0, std::ceil(extent.max_y / side) - first_row);
  if (cols * rows > static_cast<double>(options.most_sites)) {
    throw geo::InvalidArgument(geo::concat(
        "cells of ", geo::shortest(reference.crs.is_geographic() ? options.cell_degrees : options.cell_m),
        reference.crs.is_geographic() ? " degrees" : " m", " over the polygons of ",
        geo::quoted(reference.source.empty() ? reference.name : reference.source), " would be ",
        geo::fixed(cols, 0), " x ", geo::fixed(rows, 0), " sites, more than ", options.most_sites,
        "; choose their size with ", reference.crs.is_geographic() ? "--cell-degrees" : "--cell-m",
        ", a part of the region with --bbox, or give --sites"));
  }
  std::vector<labelling::Site> sites;
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(rows); ++row) {
    for (std::int64_t col = 0; col < static_cast<std::int64_t>(cols); ++col) {
      const double x = first_col + static_cast<double>(col);
      const double y = first_row + static_cast<double>(row);
      const geo::Box cell{x * side, y * side, (x + 1.0) * side, (y + 1.0) * side};
      sites.push_back(
          {site_name(options.prefix, static_cast<std::int64_t>(sites.size()) + 1), {geo::to_polygon(cell)}});
    }
  }
  return sites;
}

std::vector<labelling::Site> sites_from_layer(const geo::Layer& layer, const std::string& prefix) {
  const int name_field = layer.find_field("name");
  std::vector<labelling::Site> sites;
  std::set<std::string> names;
  for (const auto& feature : layer.features) {
    if (feature.geometry.empty()) continue;
    std::string name = name_field < 0 ? site_name(prefix, static_cast<std::int64_t>(sites.size()) + 1)
                                      : geo::as_text(feature.values[static_cast<std::size_t>(name_field)]);
    if (name.empty()) {
      throw geo::IoError(geo::concat(layer.source, ": site with fid ", feature.fid,
                                     " has an empty name; every site needs one"));
    }
    if (!names.insert(name).second) {
      throw geo::IoError(
          geo::concat(layer.source, ": two sites are called ", geo::quoted(name), "; names must differ"));
    }
    sites.push_back({std::move(name), feature.geometry});
  }
  return sites;
}

std::vector<labelling::Site> sites_inside(std::vector<labelling::Site> sites, const geo::Box& box) {
  std::erase_if(sites, [&](const labelling::Site& site) {
    const geo::Box cell = geo::bounds(site.cell);
    return cell.min_x < box.min_x || cell.max_x > box.max_x || cell.min_y < box.min_y ||
           cell.max_y > box.max_y;
  });
  return sites;
}

}  // namespace furrow::simulation
