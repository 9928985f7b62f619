#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/site_consensus.h>
#include <furrow/labelling/vote_fusion.h>

/// Consensus methods that learn labellers' skills and the truth from all sites together.
namespace furrow::labelling {

/// What is kept of a site's maps: distinct combinations of votes and how many pixels have them.
struct SiteVotes {
  VotePatterns patterns;            ///< of the labellers, without of_pixel
  std::vector<std::int32_t> truth;  ///< of each pattern: class that the experts agree on, or -1
};

/// Rasterises the maps of one site. At a site that an expert mapped the labellers' maps
/// (SiteVoters::learners) are compared with the experts' consensus, which is the truth where the experts
/// agree. Patterns come in the order of fuse_site. Thread-safe.
[[nodiscard]] SiteVotes collect_votes(const Campaign& campaign, const Site& site, const SiteVoters& voters,
                                      const geo::Grid& grid, const ConsensusOptions& options);

/// The votes of all sites as one table; a group is a site. Outcomes: the classes, then "unsure" (an unsure
/// polygon and no sure one). A voter is a labeller by name; maps without a name are voters of their own.
class JointVotes {
 public:
  /// @param voters  from choose_voters, one per site
  JointVotes(const Campaign& campaign, std::span<const SiteVoters> voters, int classes);

  /// @param site  position in the campaign; each once
  void add(std::size_t site, const SiteVotes& votes);

  [[nodiscard]] const VoteTable& table() const noexcept { return m_table; }
  [[nodiscard]] const std::vector<std::string>& labellers() const noexcept { return m_labellers; }
  /// First row of a site in the table; its patterns follow each other. Nothing when it was not added.
  [[nodiscard]] std::optional<std::size_t> first_row(std::size_t site) const;

 private:
  std::vector<std::string> m_labellers;              ///< ascending
  std::vector<std::vector<std::uint32_t>> m_voters;  ///< per site: voter of each map in its patterns
  std::vector<std::optional<std::size_t>> m_first_row;
  VoteTable m_table;
};

/// What a joint method learned.
struct JointFit {
  std::vector<std::string> labellers;
  std::vector<std::int64_t> n_sites;  ///< mapped by each
  FusionFit fusion;
  std::optional<BayesFit> bayes;  ///< ConsensusMethod::kBayes only; its fusion.posterior is empty
};

/// Fits the method of the options to any votes. With kBayes and no BayesOptions::usual_rows a usual labeller
/// of maps leaves nine tenths of the background empty, finds four fifths of the field and hits half of the
/// boundary pixels (8 answers a class).
/// @param labellers  names of the voters
/// @throws InvalidArgument  the method is not a joint one
[[nodiscard]] JointFit fuse_jointly(const VoteTable& votes, std::vector<std::string> labellers,
                                    const ConsensusOptions& options);

/// The same for the votes of sites.
/// @throws InvalidArgument  the method is not a joint one
[[nodiscard]] JointFit fuse_jointly(const JointVotes& votes, const ConsensusOptions& options);

/// What summarise_votes tells of a joint fit.
[[nodiscard]] TableFit table_fit_of(const JointFit& fit);

/// Decisions on the patterns of a site, in their order. Where nobody voted there is none (label 255).
[[nodiscard]] std::vector<FusedVote> decide_site(const JointVotes& votes, const JointFit& fit,
                                                 std::size_t site, const FusionOptions& options);

/// Names of the classes of a consensus, then "unsure" where that is an answer.
[[nodiscard]] std::vector<std::string> answer_names(int classes, int outcomes);

/// Groups of the table that each voter voted in.
[[nodiscard]] std::vector<std::int64_t> count_sites(const VoteTable& votes);

/// Skills of the labellers: Labeller, n_sites, effective_sites, FieldSkill and NoFieldSkill (P(says field |
/// field), P(says background | background)) each with _low and _high, field_units, background_units (how many
/// independent observations they rest on), counts (0: the votes would have to be read as their opposite, and
/// do not count), and <class>_as_<answer> for the whole confusion. What a method does not know is NA.
[[nodiscard]] geo::CsvTable labeller_table(const JointFit& fit);

/// Reliability of the risk on expert sites held out: risk_low, risk_high, weight (independent pixels),
/// mean_risk, error_rate. Empty bins are left out.
[[nodiscard]] geo::CsvTable reliability_table(const CalibrationReport& report);

}  // namespace furrow::labelling
