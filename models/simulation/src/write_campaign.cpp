#include <algorithm>
#include <map>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/simulation/labellers.h>

namespace furrow::simulation {
namespace {

const std::vector<std::string>& catalogue_columns() {
  static const std::vector<std::string> columns{"name",
                                                "Class",
                                                "assignment_id",
                                                "Labeller",
                                                "completion_time",
                                                "label_time",
                                                "status",
                                                "Score",
                                                "N",
                                                "Edge",
                                                "Area",
                                                "FieldSkill",
                                                "NoFieldSkill",
                                                "Categorical",
                                                "rscore",
                                                "rscore2",
                                                "Qscore",
                                                "QN",
                                                "Rscore",
                                                "x",
                                                "y",
                                                "farea",
                                                "nflds",
                                                "tile",
                                                "image_date",
                                                "chip"};
  return columns;
}

std::string mean_area_ha(const labelling::Assignment& assignment, const geo::GeodesicMeasure& measure) {
  if (assignment.polygons.empty()) return "NA";
  double total = 0.0;
  for (const auto& polygon : assignment.polygons) total += measure.area_m2(polygon.shape);
  return geo::fixed(total / 1e4 / static_cast<double>(assignment.polygons.size()), 4);
}

geo::CsvTable catalogue(const SimulatedCampaign& simulated) {
  const auto& campaign = simulated.campaign;
  const geo::CoordinateTransform to_lonlat(campaign.crs, geo::lonlat_crs());
  const geo::GeodesicMeasure measure(campaign.crs);
  std::map<std::string, geo::Point> centres;
  for (const auto& site : campaign.sites)
    centres[site.name] = to_lonlat.apply(geo::bounds(site.cell).centre());
  geo::CsvTable table;
  table.columns = catalogue_columns();
  for (std::size_t i = 0; i < campaign.assignments.size(); ++i) {
    const auto& assignment = campaign.assignments[i];
    const geo::Point& centre = centres.at(assignment.site);
    std::vector<std::string> row(table.columns.size(), "NA");
    const auto set = [&](const char* column, std::string text) {
      row[table.column(column)] = std::move(text);
    };
    set("name", assignment.site);
    set("Class", assignment.site_class);
    set("assignment_id", assignment.id);
    set("Labeller", assignment.labeller);
    set("completion_time", assignment.completion_time);
    set("label_time", geo::fixed(simulated.label_minutes[i], 1));
    set("status", assignment.status);
    set("x", geo::fixed(centre.x, 8));
    set("y", geo::fixed(centre.y, 8));
    set("farea", mean_area_ha(assignment, measure));
    set("nflds", std::to_string(assignment.polygons.size()));
    set("image_date", assignment.image_date);
    table.rows.push_back(std::move(row));
  }
  return table;
}

geo::Layer label_layer(const labelling::Campaign& campaign) {
  geo::Layer layer;
  layer.name = "labels";
  layer.crs = campaign.crs;
  layer.fields = {{"name", geo::FieldType::kString, "Site"},
                  {"assignment_id", geo::FieldType::kInteger, "Assignment"},
                  {"Labeller", geo::FieldType::kString, ""},
                  {"category", geo::FieldType::kString, "Category"},
                  {"completion_time", geo::FieldType::kDateTime, "Completed (UTC)"},
                  {"image_date", geo::FieldType::kDate, "Date of the image"}};
  for (const auto& assignment : campaign.assignments) {
    for (const auto& polygon : assignment.polygons) {
      layer.features.push_back(
          {-1,
           polygon.shape,
           {assignment.site, static_cast<std::int64_t>(std::stoll(assignment.id)), assignment.labeller,
            polygon.category, assignment.completion_time, assignment.image_date}});
    }
  }
  return layer;
}

geo::Layer site_layer(const SimulatedCampaign& simulated) {
  geo::Layer layer;
  layer.name = "sites";
  layer.crs = simulated.campaign.crs;
  layer.fields = {{"name", geo::FieldType::kString, "Site"}, {"Class", geo::FieldType::kString, ""}};
  for (std::size_t i = 0; i < simulated.campaign.sites.size(); ++i) {
    const auto& site = simulated.campaign.sites[i];
    layer.features.push_back({-1, site.cell, {site.name, simulated.site_classes[i]}});
  }
  return layer;
}

}  // namespace

void write_campaign(const SimulatedCampaign& simulated, const std::filesystem::path& folder, bool overwrite) {
  geo::AtomicFolder out(folder, overwrite);
  const auto& work = out.temporary();
  geo::write_csv(catalogue(simulated), work / "catalogue.csv", false);
  const geo::PackagedLayer labels{label_layer(simulated.campaign),
                                  "Polygons drawn by simulated labellers, one row per polygon and assignment",
                                  false,
                                  {}};
  geo::write_geopackage({labels}, work / "labels.gpkg", false);
  const bool multi =
      std::ranges::any_of(simulated.campaign.sites, [](const auto& site) { return site.cell.size() > 1; });
  const geo::PackagedLayer sites{site_layer(simulated), "Cells that the labellers mapped", multi, {}};
  geo::write_geopackage({sites}, work / "sites.gpkg", false);
  geo::write_csv(skills_table(simulated.skills), work / "true_skills.csv", false);
  out.commit();
}

}  // namespace furrow::simulation
