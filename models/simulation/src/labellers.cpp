#include <furrow/simulation/labellers.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/box_index.h>

#include "calendar.h"
#include "drawing.h"

namespace furrow::simulation {
namespace {

constexpr std::size_t kFewestExpertSites = 3;
constexpr std::int64_t kFirstExpertId = 100001;
constexpr int kCampaignWeeks = 8;

/// Who maps a site.
struct SitePlan {
  std::string site_class;              ///< 1a, 2 or 4
  std::vector<std::size_t> labellers;  ///< positions in the options
};

void check(const std::vector<labelling::Site>& sites, const LabellerOptions& options) {
  const auto share = [](double value, const char* name) {
    if (!(value >= 0.0 && value <= 1.0))
      throw geo::InvalidArgument(geo::concat(name, " must be between 0 and 1, got ", value));
  };
  share(options.expert_share, "the share of expert sites");
  share(options.single_share, "the share of sites with a single labeller");
  if (options.labellers_per_site < 1) throw geo::InvalidArgument("a site needs at least one labeller");
  if (!(options.pixel_m >= 0.0)) throw geo::InvalidArgument("the pixel size must not be negative");
  if (sites.empty())
    throw geo::InvalidArgument(
        "there is no site to label; is the box smaller than a cell, or outside the reference?");
  if (options.skills.empty()) throw geo::InvalidArgument("a campaign needs at least one labeller");
  std::set<std::string> names;
  for (const auto& skill : options.skills) {
    if (!names.insert(skill.labeller).second)
      throw geo::InvalidArgument(geo::concat("two labellers are called ", geo::quoted(skill.labeller)));
  }
}

/// A number in [0, 1) that belongs to a site and a question.
double lot(std::uint64_t seed, const std::string& site, const std::string& question) {
  return detail::error_stream(seed, site, "", question).uniform();
}

std::vector<std::size_t> choose_labellers(const std::string& site, const LabellerOptions& options,
                                          std::size_t count) {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i < options.skills.size(); ++i) {
    ranked.emplace_back(lot(options.seed, site, "who\n" + options.skills[i].labeller), i);
  }
  std::ranges::sort(ranked);
  ranked.resize(std::min(count, ranked.size()));
  std::vector<std::size_t> chosen;
  for (const auto& entry : ranked) chosen.push_back(entry.second);
  std::ranges::sort(chosen);
  return chosen;
}

/// Classes come from each site's own lot, so that another site changes none of them; only where that gives
/// fewer than three expert sites are the sites with the lowest lots taken too.
std::vector<SitePlan> plan_sites(const std::vector<labelling::Site>& sites, const LabellerOptions& options) {
  std::vector<std::pair<double, std::string>> lots;
  for (const auto& site : sites) lots.emplace_back(lot(options.seed, site.name, "expert"), site.name);
  auto sorted = lots;
  std::ranges::sort(sorted);
  const auto& last_needed = sorted[std::min(kFewestExpertSites, sorted.size()) - 1];
  std::vector<SitePlan> plans(sites.size());
  for (std::size_t i = 0; i < sites.size(); ++i) {
    auto& plan = plans[i];
    if (options.expert_share > 0.0 && (lots[i].first < options.expert_share || lots[i] <= last_needed)) {
      plan.site_class = "1a";
      plan.labellers = choose_labellers(sites[i].name, options, options.skills.size());
    } else {
      const bool single = lot(options.seed, sites[i].name, "single") < options.single_share;
      plan.site_class = single ? "2" : "4";
      plan.labellers = choose_labellers(sites[i].name, options,
                                        single ? 1 : static_cast<std::size_t>(options.labellers_per_site));
    }
  }
  return plans;
}

/// Working days and hours over some weeks, half a year after the image.
std::string completion_time(std::chrono::sys_days image, geo::Random& random) {
  auto monday = image + std::chrono::days(182);
  while (std::chrono::weekday(monday) != std::chrono::Monday) monday += std::chrono::days(1);
  const auto week = static_cast<int>(random.below(kCampaignWeeks));
  const auto weekday = static_cast<int>(random.below(5));
  const auto minute = static_cast<unsigned>(random.below(9 * 60));
  return detail::iso_time(monday + std::chrono::days(7 * week + weekday), 8 * 60 + minute);
}

struct SiteResult {
  std::vector<labelling::Assignment> assignments;
  std::vector<double> minutes;
};

void hand_in(SiteResult& result, labelling::Assignment assignment,
             std::vector<labelling::LabelledPolygon> polygons, const LabellerOptions& options) {
  geo::Random random = detail::error_stream(options.seed, assignment.site, assignment.labeller, "time");
  assignment.completion_time = completion_time(detail::parse_date(options.image_date), random);
  assignment.image_date = options.image_date;
  const double minutes = (1.0 + 0.4 * static_cast<double>(polygons.size())) * std::exp(0.3 * random.normal());
  assignment.polygons = std::move(polygons);
  result.assignments.push_back(std::move(assignment));
  result.minutes.push_back(std::round(minutes * 10.0) / 10.0);
}

SiteResult map_site(const labelling::Site& site, const SitePlan& plan, const detail::SiteView& view,
                    const LabellerOptions& options) {
  SiteResult result;
  for (const std::size_t who : plan.labellers) {
    const auto& skill = options.skills[who];
    labelling::Assignment assignment;
    assignment.site = site.name;
    assignment.labeller = skill.labeller;
    assignment.site_class = plan.site_class == "1a" ? "1c" : plan.site_class;
    assignment.status = "Approved";
    hand_in(result, std::move(assignment), detail::draw_site(view, site.name, skill, options.seed), options);
  }
  if (plan.site_class == "1a") {
    labelling::Assignment expert;
    expert.site = site.name;
    expert.labeller = "expert1";
    expert.site_class = "1a";
    expert.status = "None";
    hand_in(result, std::move(expert), detail::expert_map(view), options);
  }
  return result;
}

/// Sites by name; ids run over the labellers' assignments, then over the experts'.
SimulatedCampaign collect(const geo::Crs& crs, const std::vector<labelling::Site>& sites,
                          std::vector<SiteResult> results, const std::vector<SitePlan>& plans,
                          const LabellerOptions& options) {
  SimulatedCampaign simulated;
  simulated.campaign.crs = crs;
  simulated.skills = options.skills;
  std::vector<std::size_t> order(sites.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) -> const std::string& { return sites[i].name; });
  std::int64_t drawn = 0;
  for (const auto& result : results) {
    drawn += std::ranges::count_if(result.assignments, [](const auto& a) { return !a.is_expert(); });
  }
  std::int64_t next_id = 1;
  std::int64_t next_expert_id = std::max(kFirstExpertId, drawn + 1);
  for (const std::size_t i : order) {
    simulated.campaign.sites.push_back(sites[i]);
    simulated.site_classes.push_back(plans[i].site_class);
    for (std::size_t k = 0; k < results[i].assignments.size(); ++k) {
      auto& assignment = results[i].assignments[k];
      assignment.id = std::to_string(assignment.is_expert() ? next_expert_id++ : next_id++);
      simulated.campaign.assignments.push_back(std::move(assignment));
      simulated.label_minutes.push_back(results[i].minutes[k]);
    }
  }
  return simulated;
}

}  // namespace

SimulatedCampaign simulate_labellers(const geo::Layer& reference, const std::vector<labelling::Site>& sites,
                                     const LabellerOptions& options, geo::ExecContext& exec) {
  check(sites, options);
  static_cast<void>(detail::parse_date(options.image_date));
  if (reference.crs.empty())
    throw geo::CrsError(geo::concat("layer ", geo::quoted(reference.name),
                                    " has no CRS; distances cannot be measured in it"));
  std::vector<geo::Box> boxes;
  for (const auto& feature : reference.features) boxes.push_back(geo::bounds(feature.geometry));
  const geo::BoxIndex index(boxes);
  const auto plans = plan_sites(sites, options);
  std::vector<SiteResult> results(sites.size());
  geo::Progress progress(exec, "labelling sites", static_cast<std::int64_t>(sites.size()));
  exec.execute([&] {
    tbb::parallel_for(std::size_t{0}, sites.size(), [&](std::size_t i) {
      std::vector<const geo::MultiPolygon*> shapes;
      for (const std::size_t k : index.query(geo::bounds(sites[i].cell))) {
        if (!boxes[k].empty()) shapes.push_back(&reference.features[k].geometry);
      }
      const auto view =
          detail::view_site(sites[i], shapes, reference.crs, 2.0 * options.pixel_m * options.pixel_m);
      results[i] = map_site(sites[i], plans[i], view, options);
      progress.advance();
    });
  });
  return collect(reference.crs, sites, std::move(results), plans, options);
}

}  // namespace furrow::simulation
