#include <memory>
#include <optional>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/simulation/labellers.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {
namespace {

class SimulateLabellers final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"simulate labellers",
            "Draw a reference layer as several labellers of stated skill would",
            "Lays square cells (sites) over a polygon layer and lets labellers map them. Each labeller "
            "misses small fields, "
            "invents others, merges and splits, and draws wavering, shifted outlines, at rates that are "
            "known. The result "
            "is a campaign in the published catalogue format, to try 'score' and 'consensus' on and to "
            "measure them "
            "against the truth. At expert sites (class 1a) the reference itself is handed in and every "
            "labeller maps "
            "them too. What a labeller draws at a site depends on the seed and the two names only.\n\n"
            "Skills fall evenly from very good (L01) to poor unless a table of skills is given. The rates "
            "are those of the "
            "simulation, not estimates of real people.",
            {{"Five labellers over the sample fields",
              "furrow simulate labellers sample_data/truth.gpkg --out out/campaign --labellers 5 --seed 7"},
             {"Labellers of stated skill",
              "furrow simulate labellers sample_data/truth.gpkg --out out/campaign2 --skills "
              "sample_data/campaign/true_skills.csv"}}};
  }

  void declare(OptionTable& t) override {
    t.add("reference", &m_reference)
        .help("Polygon layer with the true fields")
        .input("vector layer")
        .positional()
        .required();
    t.add("out", &m_out)
        .help("Folder for catalogue.csv, labels.gpkg, sites.gpkg and true_skills.csv")
        .output("folder")
        .short_name('o')
        .required();
    t.add("layer", &m_layer)
        .help("Layer of the reference; needed when the file has several")
        .group("Reference");
    t.add("reference-crs", &m_reference_crs)
        .help("CRS of the reference's coordinates, whatever the file says")
        .group("Reference");
    t.add("invalid", &m_invalid)
        .help("What to do with invalid polygons")
        .choices({"error", "repair", "skip"})
        .group("Reference");
    t.add("sites", &m_sites)
        .help("Polygon layer of cells to use (names from its field 'name') instead of a square grid")
        .input("vector layer")
        .group("Sites");
    t.add("sites-crs", &m_sites_crs)
        .help("CRS of --sites whatever the file says, for example EPSG:32632")
        .group("Sites");
    t.add("cell-m", &m_cell_m)
        .help("Side of a cell when the reference's CRS is projected (500 when not given)")
        .unit("m")
        .range(1.0, 1e7)
        .group("Sites")
        .excludes("sites");
    t.add("cell-degrees", &m_cell_degrees)
        .help("Side of a cell when the reference is in degrees (0.005 when not given)")
        .unit("degrees")
        .range(1e-5, 90.0)
        .group("Sites")
        .excludes("sites");
    t.add("bbox", &m_bbox)
        .help("Only cells wholly inside this box: xmin ymin xmax ymax in the reference's CRS")
        .count(4)
        .group("Sites");
    t.add("prefix", &m_prefix).help("Letters before the seven digits of a site's name").group("Sites");
    t.add("labellers", &m_labellers)
        .help("How many labellers, from very good to poor")
        .range(1, 1000)
        .group("Labellers");
    t.add("skills", &m_skills)
        .help("Table of labellers and their skills (columns as in true_skills.csv)")
        .input("table")
        .group("Labellers")
        .excludes("labellers");
    t.add("expert-share", &m_options.expert_share)
        .help("Share of sites with an expert's reference; 0 = none, else at least 3 sites")
        .range(0.0, 1.0)
        .group("Campaign");
    t.add("single-share", &m_options.single_share)
        .help("Share of the other sites that one labeller maps")
        .range(0.0, 1.0)
        .group("Campaign");
    t.add("per-site", &m_per_site)
        .help("Labellers on each of the remaining sites")
        .range(1, 1000)
        .group("Campaign");
    t.add("image-date", &m_options.image_date).help("Date of the image, YYYY-MM-DD").group("Campaign");
    t.add("pixel-m", &m_options.pixel_m)
        .help("Pixel of the image that is labelled; pieces of fields under two pixels are not drawn")
        .unit("m")
        .at_least(0.0)
        .group("Campaign");
    t.add("seed", &m_seed).help("Random seed").at_least(0).group("Campaign");
  }

  void run(StepContext& context) override {
    geo::check_output_folder(m_out, context.overwrite());
    auto options = m_options;
    options.seed = static_cast<std::uint64_t>(m_seed);
    options.labellers_per_site = static_cast<int>(m_per_site);
    options.skills = m_skills.empty() ? simulation::default_skills(static_cast<int>(m_labellers))
                                      : simulation::read_skills(m_skills);
    const geo::Layer reference = read_reference();
    const auto simulated =
        simulation::simulate_labellers(reference, read_sites(reference), options, context.exec());
    simulation::write_campaign(simulated, m_out, context.overwrite());
    std::int64_t polygons = 0;
    for (const auto& assignment : simulated.campaign.assignments)
      polygons += static_cast<std::int64_t>(assignment.polygons.size());
    context.record("sites", static_cast<std::int64_t>(simulated.campaign.sites.size()));
    context.record("assignments", static_cast<std::int64_t>(simulated.campaign.assignments.size()));
    context.record("polygons", polygons);
  }

 private:
  [[nodiscard]] geo::Layer read_reference() const {
    geo::LayerReadOptions read;
    read.layer = m_layer;
    read.crs_switch = "--reference-crs";
    if (!m_reference_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_reference_crs);
    if (m_invalid == "repair") read.invalid = geo::InvalidGeometry::kRepair;
    if (m_invalid == "skip") read.invalid = geo::InvalidGeometry::kSkip;
    return geo::read_layer(m_reference, read);
  }

  [[nodiscard]] std::vector<labelling::Site> read_sites(const geo::Layer& reference) const {
    std::vector<labelling::Site> sites;
    if (!m_sites.empty()) {
      geo::LayerReadOptions read;
      read.crs_switch = "--sites-crs";
      if (!m_sites_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_sites_crs);
      if (m_invalid == "repair") read.invalid = geo::InvalidGeometry::kRepair;
      if (m_invalid == "skip") read.invalid = geo::InvalidGeometry::kSkip;
      read.target_crs = reference.crs;
      sites = simulation::sites_from_layer(geo::read_layer(m_sites, read), m_prefix);
    } else {
      const bool degrees = reference.crs.is_geographic();
      if (degrees ? m_cell_m && !m_cell_degrees : m_cell_degrees && !m_cell_m) {
        throw geo::CrsError(
            geo::concat("the reference ", geo::quoted(m_reference), " is in ", reference.crs.name(),
                        degrees ? ", in degrees; give --cell-degrees instead of --cell-m"
                                : ", not in degrees; give --cell-m instead of --cell-degrees"));
      }
      simulation::CellOptions cells;
      cells.cell_m = m_cell_m.value_or(cells.cell_m);
      cells.cell_degrees = m_cell_degrees.value_or(cells.cell_degrees);
      cells.prefix = m_prefix;
      // Nobody asked for a campaign over a whole country: it takes long and fills the disk.
      constexpr std::int64_t kMostUnasked = 10'000;
      if (!m_cell_m && !m_cell_degrees && m_bbox.empty()) cells.most_sites = kMostUnasked;
      sites = simulation::make_cells(reference, cells);
    }
    if (!m_bbox.empty())
      sites = simulation::sites_inside(std::move(sites), {m_bbox[0], m_bbox[1], m_bbox[2], m_bbox[3]});
    return sites;
  }

  std::string m_reference, m_out, m_layer, m_reference_crs, m_sites, m_sites_crs, m_skills;
  std::string m_invalid = "error";
  std::string m_prefix = "XX";
  std::optional<double> m_cell_m, m_cell_degrees;
  std::vector<double> m_bbox;
  std::int64_t m_labellers = 5;
  std::int64_t m_per_site = 3;
  std::int64_t m_seed = 1;
  simulation::LabellerOptions m_options;
};

}  // namespace

std::unique_ptr<Step> make_simulate_labellers() {
  return std::make_unique<SimulateLabellers>();
}

}  // namespace furrow::workflow
