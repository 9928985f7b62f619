#include "consensus_masks.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/mask_consensus.h>

#include "skills_json.h"

namespace furrow::workflow {
namespace {

void record(StepContext& context, const labelling::MaskConsensus& result) {
  context.record("masks", static_cast<std::int64_t>(result.fit.labellers.size()));
  context.record("maps_of_unknown_labellers", result.n_unknown);
  context.record("pixels", result.n_pixels);
  context.record("vote_patterns", result.n_patterns);
  context.record("blocks", result.n_sites);
  if (!std::isnan(result.mean_risk)) {
    context.record("mean_risk", result.mean_risk);
    context.record("field_share", result.field_share);
  }
  context.record("iterations", std::int64_t{result.fit.fusion.iterations});
  if (!result.fit.bayes) return;
  const labelling::BayesFit& fit = *result.fit.bayes;
  context.record("labellers_silenced",
                 std::ranges::count_if(fit.skills, [](const auto& s) { return s.is_silenced; }));
  context.record("dependence", fit.dependence);
  context.record("reference_blocks", static_cast<std::int64_t>(fit.reference_groups));
}

}  // namespace

void MaskBranch::declare(OptionTable& t) {
  Option& masks = t.add("masks", &m_masks)
                      .help(
                          "Instead of a campaign: one raster of classes per labeller, all on one grid; 0 "
                          "background, 1 interior, 2 boundary, nodata, 3 or 255 no vote")
                      .input("raster")
                      .group("Masks");
  for (const char* other :
       {"catalogue",    "labels",      "layer",        "labels-crs",  "invalid",
        "sites",        "sites-crs",   "cell-degrees", "experts",     "risk-threshold",
        "grid",         "grid-crs",    "images",       "site-px",     "boundary-px",
        "boundary-m",   "border-px",   "map-cost",     "expert-cost", "sites-per-labeller",
        "queue-length", "model-scores"}) {
    masks.excludes(other);
  }
  t.add("truth", &m_truth)
      .help("Masks: raster of the classes that are known, nodata or 255 elsewhere; it teaches the skills")
      .input("raster")
      .group("Masks");
  t.add("block-px", &m_block_px)
      .help(
          "Masks: squares of this many pixels count as sites, whose pixels resemble each other; default: "
          "the whole image is one site")
      .unit("px")
      .range(8, 1e6)
      .group("Masks");
}

void MaskBranch::check(const std::string& method) const {
  if (!is_chosen() && !m_truth.empty()) throw geo::UsageError("--truth is used with --masks only");
  if (!is_chosen() && m_block_px != 0) throw geo::UsageError("--block-px is used with --masks only");
  if (!m_truth.empty() && (method == "majority" || method == "weighted")) {
    throw geo::UsageError(geo::concat("--truth teaches skills, which --method ", method,
                                      " does not learn; use bayes, dawid-skene or staple"));
  }
}

void MaskBranch::run(StepContext& context, const labelling::ConsensusOptions& options,
                     const std::vector<labelling::LabellerWeights>& weights, const std::string& method,
                     bool json, const std::filesystem::path& folder) const {
  const auto result = labelling::write_mask_consensus({m_masks, m_truth, m_block_px}, weights, options,
                                                      folder, context.exec());
  if (!result.fit.fusion.converged)
    geo::log_warning(geo::concat("the fit had not settled after ", result.fit.fusion.iterations,
                                 " iterations; look at labellers.csv before you use it"));
  geo::write_csv(labelling::labeller_table(result.fit), folder / "labellers.csv", false);
  if (result.fit.bayes && result.fit.bayes->calibration.groups > 0) {
    geo::write_csv(labelling::reliability_table(result.fit.bayes->calibration), folder / "reliability.csv",
                   false);
  }
  if (json) context.out() << skills_json(method, result.summary).dump(2) << '\n';
  record(context, result);
}

}  // namespace furrow::workflow
