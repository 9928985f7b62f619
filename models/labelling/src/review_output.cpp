#include <furrow/labelling/review_output.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

/// Voter of a labeller's name; nothing when the labeller did not vote anywhere.
std::optional<std::uint32_t> find_voter(const std::vector<std::string>& labellers, const std::string& name) {
  const auto at = std::ranges::lower_bound(labellers, name);
  if (at == labellers.end() || *at != name) return std::nullopt;
  return static_cast<std::uint32_t>(at - labellers.begin());
}

/// Voters that are single maps without a labeller's name.
std::vector<std::uint32_t> nameless_voters(const Campaign& campaign,
                                           const std::vector<std::string>& labellers) {
  std::vector<std::string> names;
  for (const Assignment& a : campaign.assignments) names.push_back(a.labeller);
  std::ranges::sort(names);
  std::vector<std::uint32_t> nameless;
  for (std::uint32_t v = 0; v < labellers.size(); ++v) {
    if (!std::ranges::binary_search(names, labellers[v])) nameless.push_back(v);
  }
  return nameless;
}

std::vector<ReviewSite> describe(const Campaign& campaign, std::span<const SiteVoters> voters,
                                 const std::vector<std::string>& labellers,
                                 std::span<const SiteStatistics> statistics) {
  const auto nameless = nameless_voters(campaign, labellers);
  std::vector<ReviewSite> sites(campaign.sites.size());
  for (std::size_t i = 0; i < sites.size(); ++i) {
    sites[i].is_wanted =
        !voters[i].from_expert && !voters[i].assignments.empty() && statistics[i].n_pixels > 0;
    if (!sites[i].is_wanted) continue;
    sites[i].item_area = statistics[i].area_m2 / static_cast<double>(statistics[i].n_pixels);
    sites[i].not_asked = nameless;
    for (const std::size_t a : campaign.assignments_of(campaign.sites[i].name)) {
      const auto voter = find_voter(labellers, campaign.assignments[a].labeller);
      if (voter) sites[i].not_asked.push_back(*voter);
    }
  }
  return sites;
}

std::string area_text(double area_m2) {
  const bool small = area_m2 < 1000.0;
  return small ? geo::concat(geo::fixed(area_m2, 0), " m2")
               : geo::concat(geo::fixed(area_m2 / 1e4, area_m2 < 1e5 ? 2 : 1), " ha");
}

std::string percent(double share) {
  return geo::concat(geo::fixed(100.0 * share, share < 0.1 ? 1 : 0), " %");
}

/// Turns lines of a queue into sites of a campaign.
class Describer {
 public:
  Describer(const JointFit& fit, std::span<const SiteReview> reviews,
            std::span<const SiteStatistics> statistics)
      : m_fit(fit), m_reviews(reviews), m_statistics(statistics) {}

  [[nodiscard]] ReviewedSite operator()(const ReviewItem& item, std::int64_t rank) const {
    const SiteReview& review = m_reviews[item.site];
    const double area = review.items * review.item_area;
    ReviewedSite site;
    site.site = review.group;
    site.rank = rank;
    site.n_labellers = m_statistics[review.group].n_labellers;
    site.mean_risk = review.risk;
    site.wrong_area_m2 = area * review.risk;
    site.risk_removed_m2 = item.removed_area;
    site.risk_removed = item.ask.removed;
    site.ask = name_of(item.ask.voter);
    site.cost = item.cost;
    site.per_cost = item.per_cost;
    if (item.has_second) {
      site.second_choice = name_of(item.second.voter);
      site.second_removed_m2 = area * item.second.removed;
    }
    site.expert_removed_m2 = area * review.expert_removed;
    site.reason = reason_of(site, item);
    return site;
  }

 private:
  [[nodiscard]] std::string name_of(std::uint32_t voter) const {
    if (voter == kExpert) return "(expert)";
    return voter == kAnyoneElse ? "(another labeller)" : m_fit.labellers[voter];
  }

  [[nodiscard]] std::string who(std::uint32_t voter) const {
    if (voter == kExpert) return "an expert";
    if (voter == kAnyoneElse) return "another labeller (all known ones have mapped it)";
    const VoterSkill& skill = m_fit.bayes->skills[voter];
    return geo::concat(m_fit.labellers[voter], " (finds ", percent(skill.sensitivity.mean), " of field, ",
                       percent(skill.specificity.mean), " of background)");
  }

  [[nodiscard]] std::string reason_of(const ReviewedSite& site, const ReviewItem& item) const {
    const std::string maps = site.n_labellers == 1 ? "one map" : geo::concat(site.n_labellers, " maps");
    return geo::concat(percent(site.mean_risk), " of the area is expected to be wrong after ", maps, " (",
                       area_text(site.wrong_area_m2), "); a map by ", who(item.ask.voter), " should correct ",
                       area_text(site.risk_removed_m2), " of it");
  }

  const JointFit& m_fit;
  std::span<const SiteReview> m_reviews;
  std::span<const SiteStatistics> m_statistics;
};

/// One column of the queue.
struct ReviewColumn {
  const char* name;
  geo::FieldType type;
  const char* alias;
  std::function<geo::Value(const ReviewedSite&)> value;
};

geo::Value text_or_missing(const std::string& text) {
  if (text.empty()) return {};
  return text;
}

geo::Value number(double value) {
  if (std::isnan(value)) return {};
  return value;
}

std::vector<ReviewColumn> columns(const Campaign& campaign) {
  using geo::FieldType;
  using S = ReviewedSite;
  return {{"rank", FieldType::kInteger, "Rank", [](const S& s) { return geo::Value(s.rank); }},
          {"site", FieldType::kString, "Site",
           [&campaign](const S& s) { return geo::Value(campaign.sites[s.site].name); }},
          {"n_labellers", FieldType::kInteger, "Maps so far",
           [](const S& s) { return geo::Value(s.n_labellers); }},
          {"mean_risk", FieldType::kReal, "Mean risk", [](const S& s) { return number(s.mean_risk); }},
          {"wrong_area_m2", FieldType::kReal, "Area expected wrong (m2)",
           [](const S& s) { return number(s.wrong_area_m2); }},
          {"risk_removed_m2", FieldType::kReal, "Area that the map should correct (m2)",
           [](const S& s) { return number(s.risk_removed_m2); }},
          {"risk_removed", FieldType::kReal, "Mean risk that the map should remove",
           [](const S& s) { return number(s.risk_removed); }},
          {"ask", FieldType::kString, "Whom to ask", [](const S& s) { return geo::Value(s.ask); }},
          {"cost", FieldType::kReal, "Cost of the map", [](const S& s) { return number(s.cost); }},
          {"removed_per_cost", FieldType::kReal, "Area corrected per cost (m2)",
           [](const S& s) { return number(s.per_cost); }},
          {"second_choice", FieldType::kString, "Second choice",
           [](const S& s) { return text_or_missing(s.second_choice); }},
          {"second_removed_m2", FieldType::kReal, "Area that the second choice should correct (m2)",
           [](const S& s) { return number(s.second_removed_m2); }},
          {"expert_risk_removed_m2", FieldType::kReal, "Area that an expert should correct (m2)",
           [](const S& s) { return number(s.expert_removed_m2); }},
          {"reason", FieldType::kString, "Why", [](const S& s) { return geo::Value(s.reason); }}};
}

}  // namespace

std::vector<ReviewedSite> review_campaign(const Campaign& campaign, std::span<const SiteVoters> voters,
                                          const JointVotes& votes, const JointFit& fit,
                                          std::span<const SiteStatistics> statistics,
                                          const ReviewOptions& options) {
  if (!fit.bayes) throw geo::InvalidArgument("the review queue needs a fit of the method 'bayes'");
  if (voters.size() != campaign.sites.size() || statistics.size() != campaign.sites.size())
    throw geo::InvalidArgument("the review queue needs the voters and the statistics of every site");
  const auto sites = describe(campaign, voters, fit.labellers, statistics);
  const auto reviews = value_of_maps(votes.table(), fit.fusion, *fit.bayes, sites, options);
  const Describer describer(fit, reviews, statistics);
  std::vector<ReviewedSite> queue;
  for (const ReviewItem& item : queue_reviews(reviews, options))
    queue.push_back(describer(item, static_cast<std::int64_t>(queue.size()) + 1));
  return queue;
}

geo::CsvTable review_table(const Campaign& campaign, std::span<const ReviewedSite> queue) {
  const auto all = columns(campaign);
  geo::CsvTable table;
  for (const auto& column : all) table.columns.emplace_back(column.name);
  for (const auto& site : queue) {
    auto& row = table.rows.emplace_back();
    for (const auto& column : all) {
      const geo::Value value = column.value(site);
      row.push_back(std::holds_alternative<std::monostate>(value) ? "NA" : geo::as_text(value));
    }
  }
  return table;
}

geo::Layer review_layer(const Campaign& campaign, std::span<const ReviewedSite> queue) {
  const auto all = columns(campaign);
  geo::Layer layer;
  layer.name = "review_queue";
  layer.crs = campaign.crs;
  for (const auto& column : all) layer.fields.push_back({column.name, column.type, column.alias});
  for (const auto& site : queue) {
    geo::Feature feature;
    feature.geometry = campaign.sites[site.site].cell;
    for (const auto& column : all) feature.values.push_back(column.value(site));
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

}  // namespace furrow::labelling
