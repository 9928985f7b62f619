#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/agreement.h>
#include <furrow/labelling/model_probabilities.h>
#include <furrow/labelling/vote_fusion.h>
#include <furrow/labelling/votes_csv.h>
#include <furrow/workflow/step.h>

#include "skills_json.h"

namespace furrow::workflow {
namespace {

using labelling::FusionMethod;

class ConsensusVotes final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"consensus votes",
            "Fuse a table of several people's answers into one label per item, and say how good each is",
            "Reads a table with one answer a line (item, worker, label), as surveys of points give it, and "
            "writes the label of every item with its probability, and the skill of every worker.\n\n"
            "Method 'bayes' learns how often every worker gives each answer for each true class, together "
            "with the truth, with priors learned from all workers: who answered little is taken to be like "
            "the others, and probabilities do not run to 0 and 1. 'dawid-skene' is the same by maximum "
            "likelihood (Dawid and Skene 1979); 'one-coin' learns one accuracy per worker instead, which "
            "needs fewer answers. 'staple' (two classes) keeps the shares of the classes at those of the "
            "answers. 'majority' counts answers. 'crowdlab' takes a model's class probabilities (--model) as "
            "one more voice. Known truths (--truth, --truth-column) are kept and teach "
            "the skills.\n\n"
            "Answers of different workers are taken as independent given the truth. Workers who copy from "
            "each other, or all err on the same items, make the probabilities too certain.",
            {{"Skills and labels from a table with columns item, worker, label",
              "furrow consensus votes votes.csv --out out/votes"},
             {"Other column names, an answer that is no class, and the skills as JSON",
              "furrow consensus votes points.csv --item-column task --worker-column annotator --unsure "
              "unsure --out out/points --json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("csv", &m_csv).help("Table with one answer a line").input("table").positional().required();
    t.add("item-column", &m_item).help("Column that names the item").group("Table");
    t.add("worker-column", &m_worker).help("Column that names who answered").group("Table");
    t.add("label-column", &m_label).help("Column with the answer; empty = none").group("Table");
    t.add("classes", &m_classes)
        .help("The classes in their order; default: all labels of the tables, sorted")
        .group("Table");
    t.add("unsure", &m_unsure).help("Answers that are no classes, such as 'unsure'").group("Table");
    t.add("truth", &m_truth)
        .help("Table with the classes that experts found: the item column and 'truth'")
        .input("table")
        .group("Table");
    t.add("truth-column", &m_truth_column)
        .help("Column of the table of answers with the class that an expert found")
        .group("Table");
    declare_method(t);
    t.add("json", &m_json).help("Print the skills and the agreement as JSON");
    t.add("out", &m_out)
        .help("Folder for labels.csv and workers.csv")
        .output("folder")
        .short_name('o')
        .required();
  }

  void check() const override {
    const labelling::DawidSkeneOptions defaults;
    if (m_method == "bayes" && (m_pseudo_right != 0.0 || m_pseudo_wrong != 0.0))
      throw geo::UsageError("--method bayes learns its pseudo-counts; leave --pseudo-right and -wrong out");
    if ((m_method == "crowdlab") == m_model.empty())
      throw geo::UsageError(
          "--method crowdlab and --model, the table of a model's probabilities, belong together");
    if (m_method != "majority" && m_method != "staple" && m_method != "crowdlab") return;
    if (m_restarts != defaults.restarts || m_pseudo_right != 0.0 || m_pseudo_wrong != 0.0)
      throw geo::UsageError(geo::concat("--restarts and pseudo-counts do nothing with --method ", m_method,
                                        "; leave them out"));
  }

  void run(StepContext& context) override {
    geo::AtomicFolder folder(m_out, context.overwrite());
    const labelling::NamedVotes votes = labelling::read_votes_csv(csv_options());
    if (votes.truth_without_votes > 0) {
      geo::log_warning(geo::concat(votes.truth_without_votes, " items of ", geo::quoted(m_truth),
                                   " have no line in ", geo::quoted(m_csv), " and were left out"));
    }
    labelling::VoteFusionOptions options = fusion_options();
    if (!m_model.empty()) options.model = labelling::read_model_probabilities(m_model, m_item, votes);
    const labelling::TableFit fit = labelling::fuse_table(votes.table, options);
    if (!fit.fusion.converged) {
      geo::log_warning(geo::concat("stopped after ", fit.fusion.iterations,
                                   " iterations before the fit settled; give --max-iterations more"));
    }
    const auto summary = labelling::summarise_votes(votes.table, votes.workers, votes.labels, fit);
    geo::write_csv(labelling::label_table(votes, fit.fusion), folder.temporary() / "labels.csv", false);
    geo::write_csv(labelling::worker_table(votes, summary.workers), folder.temporary() / "workers.csv",
                   false);
    folder.commit();
    if (m_json) context.out() << skills_json(m_method, summary).dump(2) << '\n';
    record(context, votes, fit.fusion);
    if (summary.model_weight) context.record("model_weight", *summary.model_weight);
  }

 private:
  void declare_method(OptionTable& t) {
    t.add("method", &m_method)
        .help("How answers become a label")
        .choices({"bayes", "dawid-skene", "one-coin", "staple", "majority", "crowdlab"})
        .group("Method");
    t.add("model", &m_model)
        .help("crowdlab: table of a model's probabilities, the item column and p_<class> for every class")
        .input("table")
        .group("Method");
    t.add("restarts", &m_restarts)
        .help("Fits from random starts besides the one from the answers; the likeliest fit wins")
        .range(0, 100000)
        .group("Method");
    t.add("seed", &m_seed).help("Seed of the random starts").at_least(0).group("Method");
    t.add("pseudo-right", &m_pseudo_right)
        .help("Right answers, per worker and class, that each is taken to have given beforehand")
        .range(0.0, 1e9)
        .group("Method");
    t.add("pseudo-wrong", &m_pseudo_wrong)
        .help("The same for every wrong answer; a little of both keeps rare answers from 0 and 1")
        .range(0.0, 1e9)
        .group("Method");
    t.add("max-iterations", &m_max_iterations)
        .help("Stop there even when the fit still moves")
        .range(1, 1e9)
        .group("Method");
  }

  [[nodiscard]] labelling::VotesCsvOptions csv_options() const {
    labelling::VotesCsvOptions options;
    options.path = m_csv;
    options.item_column = m_item;
    options.worker_column = m_worker;
    options.label_column = m_label;
    options.truth_column = m_truth_column;
    options.truth_path = m_truth;
    options.classes = m_classes;
    options.unsure = m_unsure;
    return options;
  }

  [[nodiscard]] FusionMethod method() const {
    if (m_method == "majority") return FusionMethod::kMajority;
    if (m_method == "staple") return FusionMethod::kStaple;
    if (m_method == "bayes") return FusionMethod::kBayes;
    if (m_method == "crowdlab") return FusionMethod::kCrowdlab;
    return m_method == "one-coin" ? FusionMethod::kOneCoin : FusionMethod::kDawidSkene;
  }

  [[nodiscard]] labelling::VoteFusionOptions fusion_options() const {
    labelling::VoteFusionOptions options;
    options.method = method();
    options.dawid_skene.restarts = static_cast<int>(m_restarts);
    options.dawid_skene.seed = static_cast<std::uint64_t>(m_seed);
    options.dawid_skene.pseudo_right = m_pseudo_right;
    options.dawid_skene.pseudo_wrong = m_pseudo_wrong;
    options.dawid_skene.max_iterations = static_cast<int>(m_max_iterations);
    options.staple.max_iterations = static_cast<int>(m_max_iterations);
    options.bayes.restarts = static_cast<int>(m_restarts);
    options.bayes.seed = static_cast<std::uint64_t>(m_seed);
    options.bayes.max_iterations = static_cast<int>(m_max_iterations);
    options.bayes.tolerance = 1e-12;
    return options;
  }

  static void record(StepContext& context, const labelling::NamedVotes& votes,
                     const labelling::FusionFit& fit) {
    context.record("items", static_cast<std::int64_t>(votes.items.size()));
    context.record("workers", static_cast<std::int64_t>(votes.workers.size()));
    context.record("votes", votes.votes);
    context.record("missing_votes", votes.missing);
    context.record("repeated_votes", votes.repeated);
    context.record("known_items", votes.known);
    context.record("iterations", std::int64_t{fit.iterations});
    if (const auto alpha = labelling::krippendorff_alpha(votes.table))
      context.record("krippendorff_alpha", *alpha);
    if (const auto top = labelling::mean_top_posterior(votes.table, fit.posterior))
      context.record("mean_risk", 1.0 - *top);
  }

  std::string m_csv, m_truth, m_truth_column, m_model, m_out;
  std::string m_item = labelling::VotesCsvOptions{}.item_column;
  std::string m_worker = labelling::VotesCsvOptions{}.worker_column;
  std::string m_label = labelling::VotesCsvOptions{}.label_column;
  std::vector<std::string> m_classes, m_unsure;
  std::string m_method = "bayes";
  std::int64_t m_restarts = labelling::DawidSkeneOptions{}.restarts;
  std::int64_t m_seed = static_cast<std::int64_t>(labelling::DawidSkeneOptions{}.seed);
  double m_pseudo_right = labelling::DawidSkeneOptions{}.pseudo_right;
  double m_pseudo_wrong = labelling::DawidSkeneOptions{}.pseudo_wrong;
  std::int64_t m_max_iterations = labelling::DawidSkeneOptions{}.max_iterations;
  bool m_json = false;
};

}  // namespace

std::unique_ptr<Step> make_consensus_votes() {
  return std::make_unique<ConsensusVotes>();
}

}  // namespace furrow::workflow
