#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/assessment/analyst_layer.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/labelling/consensus_output.h>
#include <furrow/labelling/instance_consensus.h>
#include <furrow/labelling/labeller_rasters.h>
#include <furrow/labelling/review_output.h>
#include <furrow/workflow/step.h>

#include "consensus_masks.h"
#include "skills_json.h"
#include "vector_options.h"

namespace furrow::workflow {
namespace {

class Consensus final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "consensus",
        "Fuse several labellers' maps of each site into one label with its risk",
        "Reads a labelling campaign (catalogue and polygons), lets the labellers vote on every pixel of a "
        "site, and writes the label, the posterior of the classes and the risk, the probability that the "
        "label is wrong. With --grid all sites lie in one raster; else each site has its own.\n\n"
        "Method 'bayes' learns how often each labeller is right, how much labellers repeat each other's "
        "errors, and the truth, from all sites together: sites that an expert mapped teach it, and it "
        "works without any. Its risk is a probability, calibrated on expert sites where there are enough. "
        "It writes the labellers' skills with intervals, and a review queue: which sites to map again, and "
        "by whom, to remove most risk per cost.\n\n"
        "Methods 'dawid-skene' and 'staple' are the classical models by maximum likelihood. 'majority' "
        "gives each labeller one voice. 'weighted' weighs a vote with the labeller's mean score times the "
        "skill that the vote is about, as the published platform does; it needs the table of labellers "
        "that 'score' writes. The last two are no calibrated probabilities: where two or more labellers "
        "agree their risk is 0.\n\n"
        "It also finds the fields that the labellers mean: where they divide the land differently, the "
        "majority decides, so neighbours stay apart. Layer consensus_fields has their outlines, the "
        "probability that each exists, and the votes for drawing it as several or joined.\n\n"
        "With --model-scores a model of the image votes as one more labeller, whose skill is learned like "
        "the others'.\n\n"
        "Sites that an expert mapped take the expert's map unless --experts ignore is given.\n\n"
        "With --masks there is no campaign: every labeller gives one raster of classes, all on one grid. "
        "Labellers are known by their files' names.",
        {{"Labels, risk and skills from all labellers together, one set of rasters per site",
          "furrow consensus sample_data/campaign/catalogue.csv --labels "
          "sample_data/campaign/labels.gpkg --sites sample_data/campaign/sites.gpkg --out out/consensus"},
         {"Weighted vote on the pixels of an image",
          "furrow consensus sample_data/campaign/catalogue.csv --labels "
          "sample_data/campaign/labels.gpkg --sites sample_data/campaign/sites.gpkg --method weighted "
          "--weights out/scores/labellers.csv --grid sample_data/scene.tif --out out/consensus_weighted"},
         {"Several maps on one grid as masks, and their skills as JSON",
          "furrow consensus --masks labels.tif out/consensus_weighted/label.tif --json --out "
          "out/fused"}}};
  }

  void declare(OptionTable& t) override {
    declare_inputs(t);
    declare_votes(t);
    declare_model(t);
    declare_pixels(t);
    declare_review(t);
    t.add("fields", &m_fields)
        .help("Whole fields as well: layer consensus_fields in sites.gpkg")
        .group("Fields");
    t.add("field-threshold", &m_field_threshold)
        .help(
            "Fields at least this probable are in the consensus; the others are written with in_consensus 0")
        .range(0.0, 1.0)
        .group("Fields");
    m_masks.declare(t);
    t.add("json", &m_json).help("Print the skills and the agreement as JSON");
    t.add("format", &m_format)
        .choices({"cog", "gtiff"})
        .help(
            "With --grid or --masks: cloud-optimised GeoTIFFs with overviews, or plain ones, written sooner");
    t.add("out", &m_out)
        .help("Folder for the rasters and tables")
        .output("folder")
        .short_name('o')
        .required();
  }

  void check() const override {
    if (!m_masks.is_chosen() && (m_catalogue.empty() || m_labels.empty()))
      throw geo::UsageError("give a campaign (CATALOGUE and --labels), or --masks");
    m_masks.check(m_method);
    if (m_json && !m_masks.is_chosen() && !labelling::is_joint(method())) {
      throw geo::UsageError(geo::concat("--json prints skills, which --method ", m_method,
                                        " does not learn; use bayes, dawid-skene or staple"));
    }
    if (m_method == "weighted" && m_weights.empty()) {
      throw geo::UsageError(
          "--method weighted needs --weights: the table labellers.csv that 'furrow score' writes");
    }
    if (m_method != "weighted" && !m_weights.empty())
      throw geo::UsageError("--weights is used with --method weighted only");
    if (m_method != "bayes" && m_dependence)
      throw geo::UsageError("--dependence is used with --method bayes only");
    if (m_model_scores.empty() && (m_model.scale || !m_model_crs.empty()))
      throw geo::UsageError("--model-scale and --model-crs are used with --model-scores only");
    if (m_mode == "compatible" && !m_model_scores.empty())
      throw geo::UsageError("--mode compatible knows no model as a labeller; leave --model-scores out");
    if (m_by_labeller && (m_grid.empty() || m_classes != 3))
      throw geo::UsageError("--by-labeller needs --grid and three classes");
    if (m_mode == "compatible" && (m_classes != 2 || m_method != "weighted"))
      throw geo::UsageError("--mode compatible needs --classes 2 and --method weighted");
  }

  void run(StepContext& context) override {
    geo::AtomicFolder folder(m_out, context.overwrite());
    std::vector<labelling::LabellerWeights> weights;
    if (!m_weights.empty()) weights = labelling::read_labeller_weights(m_weights);
    if (m_masks.is_chosen()) {
      m_masks.run(context, consensus_options(), weights, m_method, m_json, folder.temporary());
      folder.commit();
      return;
    }
    const labelling::ConsensusTarget target = read_target();
    std::vector<labelling::CampaignProblem> problems;
    const labelling::Campaign campaign = labelling::read_campaign(campaign_options(), problems);
    const labelling::ConsensusOptions options = consensus_options();
    const auto voters = labelling::choose_voters(campaign, weights, options);
    const auto result =
        labelling::write_consensus(campaign, voters, options, target, folder.temporary(), context.exec());
    throw_if_nothing_done(result);
    if (result.joint && !result.joint->fusion.converged)
      geo::log_warning(geo::concat("the fit had not settled after ", result.joint->fusion.iterations,
                                   " iterations; look at labellers.csv before you use it"));
    const auto queue = review(campaign, voters, result);
    const auto fields = find_fields(campaign, voters, result, context.exec());
    write_tables(campaign, result, queue, fields, folder.temporary());
    if (m_by_labeller) write_by_labeller(campaign, voters, *target.grid, folder.temporary(), context.exec());
    folder.commit();
    if (m_json) print_skills(context, result);
    problems.insert(problems.end(), result.problems.begin(), result.problems.end());
    if (fields) problems.insert(problems.end(), fields->problems.begin(), fields->problems.end());
    for (const auto& problem : problems) context.fail(problem.input, problem.message);
    record(context, voters, result);
    if (fields) record_fields(context, *fields);
    record_queue(context, queue);
  }

 private:
  void declare_inputs(OptionTable& t) {
    t.add("catalogue", &m_catalogue)
        .help("Table of assignments: name, Class, assignment_id, Labeller, ...")
        .input("table")
        .positional();
    t.add("labels", &m_labels)
        .help("Polygons that the labellers drew, joined by assignment_id")
        .input("vector layer");
    m_vector.declare(t, "labels");
    t.add("sites", &m_sites)
        .help("Polygons of the sites with a field 'name'; without it squares around the catalogue's x and y")
        .input("vector layer");
    t.add("sites-crs", &m_sites_crs).help("CRS of --sites whatever the file says, for example EPSG:4326");
    t.add("cell-degrees", &m_cell_degrees)
        .help("Side of those squares")
        .unit("degrees")
        .range(1e-6, 10.0)
        .excludes("sites");
  }

  void declare_votes(OptionTable& t) {
    t.add("method", &m_method)
        .help("How votes become a label")
        .choices({"bayes", "dawid-skene", "staple", "majority", "weighted"})
        .group("Votes");
    t.add("dependence", &m_dependence)
        .help(
            "bayes: how much labellers repeat each other's errors, 0 (not at all) to 1 (copies); default: "
            "what predicts the expert sites best where there are 5 or more, else 0.2")
        .range(0.0, 1.0)
        .group("Votes");
    t.add("seed", &m_seed).help("bayes: seed of the random starts").at_least(0).group("Votes");
    t.add("weights", &m_weights)
        .help("Scores and skills of the labellers, as 'score' writes them (labellers.csv)")
        .input("table")
        .group("Votes");
    t.add("unknown-labeller", &m_unknown)
        .help("A labeller without score or skills gets the mean of the others, or does not vote")
        .choices({"mean", "drop"})
        .group("Votes");
    t.add("experts", &m_experts)
        .help("Whether an expert's map decides where there is one, or experts do not count")
        .choices({"use", "ignore"})
        .group("Votes");
    t.add("prior-field-share", &m_prior)
        .help("weighted: share of field expected beforehand; used where only one labeller voted")
        .range(0.001, 0.999)
        .group("Votes");
    t.add("classes", &m_classes)
        .help("3: background, interior, boundary; 2: field or not")
        .range(2, 3)
        .group("Votes");
    t.add("mode", &m_mode)
        .help("'compatible' repeats the published platform's formula with its defects (two classes)")
        .choices({"corrected", "compatible"})
        .group("Votes");
    t.add("label-threshold", &m_label_threshold)
        .help("Two classes: field where the heat is above this")
        .range(0.0, 1.0)
        .group("Votes");
    t.add("risk-threshold", &m_risk_threshold)
        .help("Pixels above this risk count as risky in the statistics")
        .range(0.0, 1.0)
        .group("Votes");
  }

  void declare_model(OptionTable& t) {
    t.add("model-scores", &m_model_scores)
        .help(
            "Score maps of a model (probabilities of background, interior, boundary) that votes as one more "
            "labeller, called (model); it must not have been trained on these maps")
        .input("raster")
        .group("Model as labeller");
    t.add("model-sure-above", &m_model.least_probability)
        .help("Where its most probable class has less than this, the model is unsure")
        .range(0.0, 1.0)
        .group("Model as labeller");
    t.add("model-scale", &m_model.scale)
        .help("Probability = stored value x this; default: scale and offset of the file")
        .range(1e-9, 1e9)
        .group("Model as labeller");
    t.add("model-crs", &m_model_crs)
        .help("CRS of the score maps whatever they say")
        .group("Model as labeller");
  }

  void declare_pixels(OptionTable& t) {
    t.add("grid", &m_grid)
        .help("Raster whose pixels are labelled; all sites go into one raster")
        .input("raster")
        .group("Pixels")
        .excludes("images");
    t.add("grid-crs", &m_grid_crs).help("CRS of --grid whatever the file says").group("Pixels");
    t.add("by-labeller", &m_by_labeller)
        .help("Also write what each labeller drew on --grid, listed in labels.csv, to train by labeller")
        .group("Pixels");
    t.add("images", &m_images)
        .help("Table with columns name and image: each site gets the pixels of its image")
        .input("table")
        .group("Pixels");
    t.add("site-px", &m_site_px)
        .help("Without --grid and --images: pixels along each side of a site")
        .unit("px")
        .range(1, 20000)
        .group("Pixels")
        .excludes("grid")
        .excludes("images");
    t.add("boundary-px", &m_boundary_px)
        .help("Width of the boundary class, in total")
        .unit("px")
        .range(0, 1000)
        .group("Pixels");
    t.add("boundary-m", &m_boundary_m)
        .help("The same in metres")
        .unit("m")
        .range(0, 10000)
        .group("Pixels")
        .excludes("boundary-px");
    t.add("border-px", &m_border_px)
        .help(
            "In a map that keeps to its cell, outlines this near to the cell's border are cuts, not "
            "boundaries")
        .unit("px")
        .range(0, 100)
        .group("Pixels");
  }

  void declare_review(OptionTable& t) {
    t.add("map-cost", &m_review.map_cost)
        .help("bayes: cost of one more labeller's map, in any unit")
        .range(1e-9, 1e12)
        .group("Review queue");
    t.add("expert-cost", &m_review.expert_cost)
        .help("bayes: cost of an expert's map in the same unit")
        .range(1e-9, 1e12)
        .group("Review queue");
    t.add("sites-per-labeller", &m_review.capacity)
        .help("bayes: most sites in the queue for one labeller; 0 = no limit")
        .range(0, 1'000'000'000)
        .group("Review queue");
    t.add("queue-length", &m_review.length)
        .help("bayes: most sites in the queue; 0 = all that another map would improve")
        .range(0, 1'000'000'000)
        .group("Review queue");
  }

  [[nodiscard]] labelling::ConsensusTarget read_target() const {
    labelling::ConsensusTarget target;
    target.site_px = m_site_px;
    if (!m_images.empty()) target.images = labelling::read_site_images(m_images);
    if (!m_grid.empty()) {
      geo::RasterReadOptions read;
      read.crs_switch = "--grid-crs";
      if (!m_grid_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_grid_crs);
      target.grid = geo::RasterReader(m_grid, read).grid();
    }
    return target;
  }

  [[nodiscard]] labelling::CampaignOptions campaign_options() const {
    const geo::LayerReadOptions read = m_vector.read_options("--labels-crs");
    labelling::CampaignOptions options;
    options.catalogue = m_catalogue;
    options.labels = m_labels;
    options.labels_layer = read.layer;
    options.labels_crs = read.override_crs;
    options.invalid = read.invalid;
    options.sites = m_sites;
    if (!m_sites_crs.empty()) options.sites_crs = geo::Crs::from_user_input(m_sites_crs);
    options.cell_degrees = m_cell_degrees;
    return options;
  }

  [[nodiscard]] labelling::ConsensusMethod method() const {
    using labelling::ConsensusMethod;
    if (m_method == "majority") return ConsensusMethod::kMajority;
    if (m_method == "weighted") return ConsensusMethod::kWeighted;
    if (m_method == "dawid-skene") return ConsensusMethod::kDawidSkene;
    return m_method == "staple" ? ConsensusMethod::kStaple : ConsensusMethod::kBayes;
  }

  [[nodiscard]] labelling::ConsensusOptions consensus_options() const {
    labelling::ConsensusOptions options;
    options.method = method();
    options.bayes.dependence = m_dependence;
    options.bayes.seed = static_cast<std::uint64_t>(m_seed);
    options.fusion.classes = static_cast<int>(m_classes);
    options.fusion.compatible = m_mode == "compatible";
    options.fusion.label_threshold = m_label_threshold;
    options.fusion.prior_field_share = m_prior;
    options.unknown =
        m_unknown == "drop" ? labelling::UnknownLabeller::kDrop : labelling::UnknownLabeller::kMean;
    options.experts = m_experts == "ignore" ? labelling::ExpertUse::kIgnore : labelling::ExpertUse::kUse;
    options.boundary = {m_boundary_px, m_boundary_m};
    options.border_px = m_border_px;
    options.risk_threshold = m_risk_threshold;
    options.cog = m_format == "cog";
    if (!m_model_scores.empty()) options.model = model_labeller();
    return options;
  }

  [[nodiscard]] std::shared_ptr<const labelling::ModelLabeller> model_labeller() const {
    labelling::ModelLabellerOptions options = m_model;
    options.classes = static_cast<int>(m_classes);
    options.read.crs_switch = "--model-crs";
    if (!m_model_crs.empty()) options.read.override_crs = geo::Crs::from_user_input(m_model_crs);
    std::vector<std::string> paths;
    for (auto& map : geo::list_rasters(m_model_scores)) paths.push_back(std::move(map.path));
    return std::make_shared<const labelling::ModelLabeller>(paths, options);
  }

  /// Sites worth another map; nothing with methods whose risk is no probability.
  [[nodiscard]] std::vector<labelling::ReviewedSite> review(const labelling::Campaign& campaign,
                                                            const std::vector<labelling::SiteVoters>& voters,
                                                            const labelling::ConsensusResult& result) const {
    if (!result.joint || !result.joint->bayes) return {};
    return labelling::review_campaign(campaign, voters, *result.votes, *result.joint, result.sites, m_review);
  }

  [[nodiscard]] std::optional<labelling::InstanceConsensus> find_fields(
      const labelling::Campaign& campaign, const std::vector<labelling::SiteVoters>& voters,
      const labelling::ConsensusResult& result, geo::ExecContext& exec) const {
    if (!m_fields) return std::nullopt;
    labelling::InstanceOptions options;
    options.threshold = m_field_threshold;
    options.bayes.dependence = m_dependence;
    options.bayes.seed = static_cast<std::uint64_t>(m_seed);
    if (m_method != "majority")
      options.influence = labelling::labeller_influence(campaign, voters, result.joint);
    return labelling::find_fields(campaign, voters, options, exec);
  }

  void write_tables(const labelling::Campaign& campaign, const labelling::ConsensusResult& result,
                    const std::vector<labelling::ReviewedSite>& queue,
                    const std::optional<labelling::InstanceConsensus>& fields,
                    const std::filesystem::path& folder) const {
    geo::write_csv(labelling::site_table(result.sites), folder / "sites.csv", false);
    if (m_grid.empty()) geo::write_csv(labelling::chip_table(result.files), folder / "chips.csv", false);
    if (result.joint) {
      geo::write_csv(labelling::labeller_table(*result.joint), folder / "labellers.csv", false);
      const bool judged = result.joint->bayes && result.joint->bayes->calibration.groups > 0;
      if (judged) {
        geo::write_csv(labelling::reliability_table(result.joint->bayes->calibration),
                       folder / "reliability.csv", false);
      }
    }
    using assessment::AnalystLayer;
    std::vector<geo::PackagedLayer> layers{
        assessment::for_analysts(labelling::site_layer(campaign, result.sites), AnalystLayer::kSites)};
    layers.front().description = geo::concat("Consensus of the labellers per site (", m_method,
                                             "); risk is the probability that a "
                                             "pixel's label is wrong, areas in m2");
    if (m_method == "bayes") {
      geo::write_csv(labelling::review_table(campaign, queue), folder / "review_queue.csv", false);
      layers.push_back(
          assessment::for_analysts(labelling::review_layer(campaign, queue), AnalystLayer::kReviewQueue));
    }
    if (fields) {
      layers.push_back(assessment::for_analysts(labelling::consensus_field_layer(campaign, fields->fields),
                                                AnalystLayer::kConsensusFields));
      layers.back().description =
          "Fields that the labellers mean; p_exists is the probability that there is one, areas in ha, "
          "distances in m";
    }
    geo::write_geopackage(layers, folder / "sites.gpkg", false);
  }

  void write_by_labeller(const labelling::Campaign& campaign,
                         const std::vector<labelling::SiteVoters>& voters, const geo::Grid& grid,
                         const std::filesystem::path& folder, geo::ExecContext& exec) const {
    geo::CsvTable table;
    table.columns = {"labeller", "labels"};
    for (const auto& raster :
         labelling::write_labeller_rasters(campaign, voters, consensus_options(), grid, folder, exec))
      table.rows.push_back({raster.labeller, raster.file});
    geo::write_csv(table, folder / "labels.csv", false);
  }

  /// Nothing at all came of it: that is a failure of the command, not of its inputs.
  static void throw_if_nothing_done(const labelling::ConsensusResult& result) {
    const bool any = std::ranges::any_of(result.sites, [](const auto& site) { return site.n_pixels > 0; });
    if (any || result.problems.empty()) return;
    const auto& first = result.problems.front();
    throw geo::IoError(geo::concat("no site could be done (", result.problems.size(),
                                   " problems); the first: ", first.input, ": ", first.message));
  }

  void print_skills(StepContext& context, const labelling::ConsensusResult& result) const {
    const labelling::VoteTable& table = result.votes->table();
    const auto summary = labelling::summarise_votes(
        table, result.joint->labellers, labelling::answer_names(table.classes(), table.outcomes()),
        labelling::table_fit_of(*result.joint));
    context.out() << skills_json(m_method, summary).dump(2) << '\n';
  }

  static void record(StepContext& context, const std::vector<labelling::SiteVoters>& voters,
                     const labelling::ConsensusResult& result) {
    std::int64_t maps = 0;
    std::int64_t unknown = 0;
    std::int64_t replaced = 0;
    for (const auto& v : voters) {
      maps += static_cast<std::int64_t>(v.assignments.size());
      unknown += v.unknown;
      replaced += v.replaced;
    }
    double pixels = 0.0;
    double risk = 0.0;
    for (const auto& site : result.sites) {
      if (site.n_pixels == 0) continue;
      pixels += static_cast<double>(site.n_pixels);
      risk += site.mean_risk * static_cast<double>(site.n_pixels);
    }
    context.record("sites", static_cast<std::int64_t>(result.sites.size()));
    context.record("sites_without_vote", result.without_vote);
    context.record("sites_outside_grid", result.outside);
    context.record("maps", maps);
    context.record("maps_of_unknown_labellers", unknown);
    context.record("maps_replaced_by_later_ones", replaced);
    if (pixels > 0.0) context.record("mean_risk", risk / pixels);
    if (result.joint) record_fit(context, *result.joint);
  }

  void record_queue(StepContext& context, const std::vector<labelling::ReviewedSite>& queue) const {
    if (m_method != "bayes") return;
    double removed = 0.0;
    double cost = 0.0;
    for (const auto& site : queue) {
      removed += site.risk_removed_m2;
      cost += site.cost;
    }
    context.record("review_sites", static_cast<std::int64_t>(queue.size()));
    context.record("review_risk_removed_m2", removed);
    context.record("review_cost", cost);
  }

  static void record_fields(StepContext& context, const labelling::InstanceConsensus& fields) {
    const auto in_consensus = std::ranges::count_if(fields.fields, &labelling::ConsensusField::in_consensus);
    context.record("fields", static_cast<std::int64_t>(fields.fields.size()));
    context.record("fields_in_consensus", static_cast<std::int64_t>(in_consensus));
  }

  static void record_fit(StepContext& context, const labelling::JointFit& joint) {
    context.record("labellers", static_cast<std::int64_t>(joint.labellers.size()));
    context.record("iterations", std::int64_t{joint.fusion.iterations});
    if (!joint.bayes) return;
    const labelling::BayesFit& fit = *joint.bayes;
    context.record("labellers_silenced",
                   std::ranges::count_if(fit.skills, [](const auto& s) { return s.is_silenced; }));
    context.record("population_field_skill", fit.population_sensitivity.mean);
    context.record("population_nofield_skill", fit.population_specificity.mean);
    context.record("reference_sites", static_cast<std::int64_t>(fit.reference_groups));
    context.record("dependence", fit.dependence);
    context.record("kappa", fit.kappa);
    if (fit.calibration.groups == 0) return;
    context.record("calibration_power", fit.calibration.calibration.power);
    context.record("calibration_lapse", fit.calibration.calibration.lapse);
    context.record("ece_before", fit.calibration.before.ece);
    context.record("ece_after", fit.calibration.after.ece);
    context.record("brier_before", fit.calibration.before.brier);
    context.record("brier_after", fit.calibration.after.brier);
  }

  bool m_by_labeller = false;
  std::string m_catalogue, m_labels, m_sites, m_sites_crs, m_weights, m_grid, m_grid_crs, m_images, m_out;
  VectorOptions m_vector;
  MaskBranch m_masks;
  bool m_json = false;
  std::string m_format = "cog";
  double m_cell_degrees = labelling::CampaignOptions{}.cell_degrees;
  std::string m_method = "bayes";
  std::optional<double> m_dependence;
  std::int64_t m_seed = 1;
  std::string m_unknown = "mean";
  std::string m_experts = "use";
  std::string m_mode = "corrected";
  std::int64_t m_classes = 3;
  double m_prior = labelling::FusionOptions{}.prior_field_share;
  double m_label_threshold = labelling::FusionOptions{}.label_threshold;
  double m_risk_threshold = labelling::ConsensusOptions{}.risk_threshold;
  std::int64_t m_site_px = labelling::ConsensusTarget{}.site_px;
  double m_boundary_px = geo::BoundaryOptions{}.width_px;
  std::optional<double> m_boundary_m;
  double m_border_px = labelling::ConsensusOptions{}.border_px;
  std::vector<std::string> m_model_scores;
  labelling::ModelLabellerOptions m_model;
  std::string m_model_crs;
  labelling::ReviewOptions m_review;
  bool m_fields = true;
  double m_field_threshold = labelling::InstanceOptions{}.threshold;
};

}  // namespace

std::unique_ptr<Step> make_consensus() {
  return std::make_unique<Consensus>();
}

}  // namespace furrow::workflow
