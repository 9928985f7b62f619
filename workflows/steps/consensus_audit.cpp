#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/labelling/raster_audit.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {
namespace {

namespace fs = std::filesystem;

class ConsensusAudit final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "consensus audit",
        "Find doubtful labels with a model's score maps, where one labeller has nobody to disagree with",
        "Compares label rasters with the score maps that 'predict' makes of the same images, and tells which "
        "labels the model contradicts: a score per site (the worst first), the share of doubtful pixels, and "
        "a mask of them.\n\n"
        "Method: confident learning (Northcutt, Jiang and Chuang 2021). A class's threshold is the model's "
        "mean probability where the class is labelled, so a model that is unsure of boundaries does not "
        "accuse all of them. The model must not have been trained on these labels: train on other sites, or "
        "on parts in turn.\n\n"
        "The labels are one raster, with the sites in it if there are (--sites), or a table with a raster "
        "per "
        "site, such as chips.csv of 'consensus'.",
        {{"One raster with many sites; only those that one labeller mapped",
          "furrow consensus audit out/consensus/label.tif --scores out/scores.tif --sites "
          "out/consensus/sites.gpkg --single --out out/audit"},
         {"One raster per site, score maps in a folder",
          "furrow consensus audit out/consensus/chips.csv --scores out/scores --out out/audit"}}};
  }

  void declare(OptionTable& t) override {
    t.add("labels", &m_labels)
        .help("Label raster (0, 1, 2; 255 = none), or a table (.csv) with columns name and labels")
        .input("raster or table")
        .positional()
        .required();
    t.add("scores", &m_scores)
        .help(
            "Score map of the same pixels; with a table the folder of the score maps, named as the images "
            "(column image, else name); not needed where the table has a column scores")
        .input("folder or raster");
    t.add("labels-crs", &m_labels_crs)
        .help("CRS of the label rasters whatever they say, for example EPSG:32632");
    t.add("scores-crs", &m_scores_crs).help("CRS of the score maps whatever they say");
    t.add("sites", &m_sites)
        .help("Polygons of the sites with a field 'name'; pixels outside them do not count")
        .input("vector layer")
        .group("Sites");
    t.add("sites-crs", &m_sites_crs).help("CRS of --sites whatever the file says").group("Sites");
    t.add("layer", &m_layer)
        .help("Layer of --sites; default: 'sites', or its only polygon layer")
        .group("Sites");
    t.add("invalid", &m_invalid)
        .choices({"error", "repair", "skip"})
        .help("What to do with polygons that cross themselves")
        .group("Sites");
    t.add("single", &m_single)
        .help("Only sites that one labeller mapped (n_labellers of --sites, as 'consensus' writes it)")
        .group("Sites");
    t.add("temperature", &m_options.temperature)
        .help("Of the site score: lower looks at the worst pixels only")
        .range(1e-6, 1e3);
    t.add("out", &m_out)
        .help("Folder for audit.csv, audit.gpkg and the masks")
        .output("folder")
        .short_name('o')
        .required();
  }

  void check() const override {
    if (m_single && m_sites.empty())
      throw geo::UsageError("--single needs --sites: sites.gpkg that 'furrow consensus' writes");
    if (m_scores.empty() && !is_table())
      throw geo::UsageError("a label raster needs --scores: the score map of the same pixels");
  }

  void run(StepContext& context) override {
    geo::AtomicFolder folder(m_out, context.overwrite());
    if (!m_labels_crs.empty()) m_options.labels_crs = geo::Crs::from_user_input(m_labels_crs);
    if (!m_scores_crs.empty()) m_options.scores_crs = geo::Crs::from_user_input(m_scores_crs);
    const auto rasters = is_table() ? from_table() : from_raster();
    const labelling::RasterAudit audit =
        labelling::audit_rasters(rasters, m_options, folder.temporary(), context.exec());
    geo::write_csv(labelling::audit_table(audit), folder.temporary() / "audit.csv", false);
    geo::PackagedLayer layer;
    layer.layer = labelling::audit_layer(audit);
    layer.description = "Sites by how far a model contradicts their labels, the most doubtful first";
    layer.multi_polygon = true;
    geo::write_geopackage({layer}, folder.temporary() / "audit.gpkg", false);
    folder.commit();
    for (const auto& problem : audit.problems) context.fail(problem.input, problem.message);
    record(context, audit);
  }

 private:
  [[nodiscard]] bool is_table() const { return geo::to_lower(m_labels).ends_with(".csv"); }

  /// The sites that are asked for, in the order of the layer; m_options gets their CRS.
  std::vector<labelling::Site> read_sites() {
    geo::LayerReadOptions read;
    read.layer = m_layer;
    read.usual_layer = "sites";
    read.crs_switch = "--sites-crs";
    if (!m_sites_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_sites_crs);
    read.invalid = m_invalid == "repair" ? geo::InvalidGeometry::kRepair
                   : m_invalid == "skip" ? geo::InvalidGeometry::kSkip
                                         : geo::InvalidGeometry::kError;
    const geo::Layer layer = geo::read_layer(m_sites, read);
    m_options.sites_crs = layer.crs;
    const std::size_t name = layer.field("name");
    std::vector<labelling::Site> sites;
    for (const auto& feature : layer.features) {
      if (!m_single || geo::as_text(feature.values[layer.field("n_labellers")]) == "1")
        sites.push_back({geo::as_text(feature.values[name]), feature.geometry});
    }
    if (sites.empty()) {
      throw geo::IoError(geo::concat(geo::quoted(m_sites), " has no site",
                                     m_single ? " that one labeller mapped; leave --single out" : ""));
    }
    return sites;
  }

  std::vector<labelling::AuditRasters> from_raster() {
    labelling::AuditRasters rasters{fs::path(m_labels).stem().string(), m_labels, m_scores, {}};
    if (!m_sites.empty()) rasters.sites = read_sites();
    return {std::move(rasters)};
  }

  std::vector<labelling::AuditRasters> from_table() {
    const geo::CsvTable table = geo::read_csv(m_labels);
    const std::size_t name = table.column("name");
    const std::size_t labels = table.column("labels");
    if (table.find_column("scores") < 0 && m_scores.empty()) {
      throw geo::IoError(geo::concat(
          geo::quoted(m_labels), " has no column scores; name the folder of the score maps with --scores"));
    }
    std::map<std::string, labelling::Site> sites;
    if (!m_sites.empty()) {
      for (auto& site : read_sites()) sites.emplace(site.name, site);
    }
    std::vector<labelling::AuditRasters> rasters;
    for (const auto& row : table.rows) {
      if (geo::is_missing(row[labels])) continue;
      const auto site = sites.find(row[name]);
      if (!m_sites.empty() && site == sites.end()) continue;
      auto& r = rasters.emplace_back();
      r.name = row[name];
      r.labels = beside_table(row[labels]);
      r.scores = scores_of(table, row);
      if (site != sites.end()) r.sites = {site->second};
    }
    if (rasters.empty())
      throw geo::IoError(geo::concat(geo::quoted(m_labels), " has no label raster of a site to audit"));
    return rasters;
  }

  [[nodiscard]] std::string beside_table(const std::string& path) const {
    const bool absolute = fs::path(path).is_absolute() || path.starts_with("/vsi");
    return absolute ? path : (fs::path(m_labels).parent_path() / path).string();
  }

  /// From the table's column, else the file in the folder that is named as the image, as 'predict' does.
  [[nodiscard]] std::string scores_of(const geo::CsvTable& table, const std::vector<std::string>& row) const {
    const int scores = table.find_column("scores");
    if (scores >= 0 && !geo::is_missing(row[static_cast<std::size_t>(scores)]))
      return beside_table(row[static_cast<std::size_t>(scores)]);
    const int image = table.find_column("image");
    const bool has_image = image >= 0 && !geo::is_missing(row[static_cast<std::size_t>(image)]);
    const std::string stem = has_image ? fs::path(row[static_cast<std::size_t>(image)]).stem().string()
                                       : row[table.column("name")];
    return (fs::path(m_scores) / (stem + ".tif")).string();
  }

  static void record(StepContext& context, const labelling::RasterAudit& audit) {
    std::int64_t pixels = 0;
    std::int64_t issues = 0;
    for (const auto& site : audit.sites) {
      pixels += site.n_pixels;
      issues += site.n_issues;
    }
    context.record("sites", static_cast<std::int64_t>(audit.sites.size()));
    context.record("labelled_px", pixels);
    context.record("doubtful_px", issues);
    for (std::size_t c = 0; c < audit.class_threshold.size(); ++c) {
      if (!std::isnan(audit.class_threshold[c]))
        context.record(geo::concat("threshold_class_", c), audit.class_threshold[c]);
    }
  }

  labelling::RasterAuditOptions m_options;
  std::string m_labels, m_scores, m_labels_crs, m_scores_crs, m_sites, m_sites_crs, m_layer, m_out;
  std::string m_invalid = "error";
  bool m_single = false;
};

}  // namespace

std::unique_ptr<Step> make_consensus_audit() {
  return std::make_unique<ConsensusAudit>();
}

}  // namespace furrow::workflow
