#include <furrow/assessment/delineation_tuning.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/delineation_sweep.h>
#include <furrow/geo/topology/watershed.h>

#include "ratios.h"
#include "scene_matches.h"

namespace furrow::assessment {

FieldCounts& FieldCounts::operator+=(const FieldCounts& other) {
  predicted += other.predicted;
  correct += other.correct;
  reference += other.reference;
  found += other.found;
  return *this;
}
FieldCounts& FieldCounts::operator-=(const FieldCounts& other) {
  predicted -= other.predicted;
  correct -= other.correct;
  reference -= other.reference;
  found -= other.found;
  return *this;
}
double FieldCounts::precision() const {
  return ratio(correct, predicted);
}
double FieldCounts::recall() const {
  return ratio(found, reference);
}
double FieldCounts::f1() const {
  return f1_of(correct, predicted, found, reference);
}

bool TuneResult::is_clear() const {
  constexpr std::int64_t kFewestBlocks = 10;
  return gain.low > 0.0 && blocks >= kFewestBlocks;
}

namespace {

using Value = double TuneSetting::*;

/// Scene and block within it.
using Place = std::pair<std::size_t, std::int64_t>;

struct BySetting {
  bool operator()(const TuneSetting& a, const TuneSetting& b) const { return key(a) < key(b); }
  static std::tuple<double, double, double, double> key(const TuneSetting& s) {
    return {s.extent_threshold, s.cut, s.boundary_threshold, s.min_area_m2};
  }
};

/// What was counted with each setting.
using Counts = std::map<TuneSetting, std::map<Place, FieldCounts>, BySetting>;

void check(const TuneOptions& o, std::size_t scenes) {
  if (scenes == 0) throw geo::InvalidArgument("tuning needs at least one scene");
  if (o.base.mode == geo::SplitMode::kInstances)
    throw geo::InvalidArgument("a raster of instances has no thresholds to tune");
  if (!(o.min_iou >= 0.5 && o.min_iou < 1.0))
    throw geo::InvalidArgument("the least IoU of a match must be 0.5 or more, and below 1");
  if (o.block_px < 1 || o.draws < 1 || o.refinements < 0)
    throw geo::InvalidArgument("blocks, draws and refinements must not be negative");
}

class Tuner {
 public:
  Tuner(std::size_t scenes, const std::function<TuneScene(std::size_t)>& scene, const TuneOptions& options,
        geo::ExecContext& exec)
      : m_scenes(scenes), m_scene(scene), m_options(options), m_exec(exec) {
    const geo::DelineateOptions& base = options.base;
    m_base = {base.extent_threshold, base.cut, base.boundary_threshold, base.min_area_m2};
    const bool watershed = base.mode == geo::SplitMode::kWatershed;
    m_values = {{&TuneSetting::extent_threshold, options.grid.extent_thresholds},
                {watershed ? &TuneSetting::cut : &TuneSetting::boundary_threshold,
                 watershed ? options.grid.cuts : options.grid.boundary_thresholds},
                {&TuneSetting::min_area_m2, options.grid.min_areas_m2}};
    for (auto& [value, list] : m_values) {
      list.push_back(m_base.*value);
      sort_unique(list);
    }
  }

  TuneResult run() {
    geo::Progress progress(m_exec, "tune", static_cast<std::int64_t>(m_scenes) * (m_options.refinements + 1));
    try_settings(product(m_values[0].list, m_values[1].list, m_values[2].list), progress);
    for (int round = 0; round < m_options.refinements; ++round) {
      std::vector<std::vector<double>> around;
      for (Values& values : m_values) around.push_back(refine(values, best(m_totals)));
      try_settings(product(around[0], around[1], around[2]), progress);
    }
    return result();
  }

 private:
  struct Values {
    Value value;
    std::vector<double> list;  ///< ascending
  };
  using Totals = std::map<TuneSetting, FieldCounts, BySetting>;

  static void sort_unique(std::vector<double>& list) {
    std::ranges::sort(list);
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }

  [[nodiscard]] std::vector<TuneSetting> product(const std::vector<double>& extents,
                                                 const std::vector<double>& splits,
                                                 const std::vector<double>& areas) const {
    std::vector<TuneSetting> all;
    for (const double extent : extents) {
      for (const double split : splits) {
        for (const double area : areas) {
          TuneSetting setting = m_base;
          setting.*m_values[0].value = extent;
          setting.*m_values[1].value = split;
          setting.*m_values[2].value = area;
          if (!m_totals.contains(setting)) all.push_back(setting);
        }
      }
    }
    return all;
  }

  /// The best value, and what lies halfway to the next ones, or beyond it at an end of the list; they are
  /// added to the list.
  static std::vector<double> refine(Values& values, const TuneSetting& best) {
    const double here = best.*values.value;
    const auto at = std::ranges::lower_bound(values.list, here);
    const bool is_first = at == values.list.begin();
    const bool is_last = at + 1 == values.list.end();
    std::vector<double> around{here};
    if (!is_first) around.push_back(halfway(values.value, *(at - 1), here));
    if (!is_last) around.push_back(halfway(values.value, here, *(at + 1)));
    if (is_first && !is_last) around.push_back(beyond(values.value, *(at + 1), here));
    if (is_last && !is_first) around.push_back(beyond(values.value, *(at - 1), here));
    sort_unique(around);
    values.list.insert(values.list.end(), around.begin(), around.end());
    sort_unique(values.list);
    return around;
  }
  /// Scores come in steps of 1/200; areas in whole metres, and by ratio.
  static double halfway(Value value, double low, double high) {
    if (value == &TuneSetting::min_area_m2) {
      return std::round(low > 0.0 ? std::sqrt(low * high) : 0.5 * high);
    }
    const double middle = std::floor(0.5 * (low + high) * geo::kScoreLevels + 0.5) / geo::kScoreLevels;
    return middle < high ? middle : low;
  }

  /// As far on as it is from the neighbour, and half as far for areas by ratio.
  static double beyond(Value value, double neighbour, double end) {
    if (value == &TuneSetting::min_area_m2)
      return end > neighbour ? std::round(2.0 * end) : std::round(0.5 * end);
    const double least = value == &TuneSetting::cut ? 1.0 / geo::kScoreLevels : 0.0;
    const double next = std::clamp(end + (end - neighbour), least, 1.0);
    return std::floor(next * geo::kScoreLevels + 0.5) / geo::kScoreLevels;
  }

  [[nodiscard]] geo::DelineateOptions delineation(const TuneSetting& setting) const {
    geo::DelineateOptions options = m_options.base;
    options.extent_threshold = setting.extent_threshold;
    options.cut = setting.cut;
    options.boundary_threshold = setting.boundary_threshold;
    options.min_area_m2 = setting.min_area_m2;
    return options;
  }

  /// @param settings  those that differ in minimum area only, and in extent threshold, side by side
  void try_settings(const std::vector<TuneSetting>& settings, geo::Progress& progress) {
    double lowest_cut = 1.0;
    for (const auto& setting : settings) lowest_cut = std::min(lowest_cut, setting.cut);
    for (std::size_t number = 0; number < m_scenes && !settings.empty(); ++number) {
      const TuneScene scene = m_scene(number);
      const geo::PixelAreas areas(scene.scores.grid);
      const SceneTruth truth(scene, m_options.min_iou, m_options.block_px);
      m_has_truth |= truth.any();
      geo::DelineationSweep sweep(scene.scores, areas, lowest_cut);
      geo::SceneRegions regions;
      SceneTruth::Overlaps overlaps;
      for (std::size_t i = 0; i < settings.size(); ++i) {
        m_exec.check_cancelled();
        const geo::DelineateOptions options = delineation(settings[i]);
        if (i == 0 || !same_regions(settings[i], settings[i - 1])) {
          regions = sweep.regions(options, m_exec);
          overlaps = truth.overlaps(regions);
        }
        for (const auto& [block, counts] : truth.count(overlaps, sweep.fields(regions.graph, options)))
          m_counts[settings[i]][{number, block}] = counts;
      }
      progress.advance();
    }
    for (const auto& setting : settings) {
      FieldCounts& total = m_totals[setting];
      for (const auto& [place, counts] : m_counts[setting]) total += counts;
    }
    if (!m_has_truth) throw geo::InvalidArgument("no true field lies on the scores, in the region");
  }
  static bool same_regions(TuneSetting a, const TuneSetting& b) {
    a.min_area_m2 = b.min_area_m2;
    return a == b;
  }

  /// Fewest values that differ from the base, then the smallest relative difference, then by value.
  [[nodiscard]] std::tuple<int, double, std::tuple<double, double, double, double>> distance(
      const TuneSetting& setting) const {
    int differ = 0;
    double sum = 0.0;
    for (const auto& [value, list] : m_values) {
      const double a = setting.*value;
      const double b = m_base.*value;
      if (a == b) continue;
      ++differ;
      sum += std::abs(a - b) / std::max(std::abs(a), std::abs(b));
    }
    return {differ, sum, BySetting::key(setting)};
  }

  [[nodiscard]] TuneSetting best(const Totals& totals) const {
    const auto value = [](const FieldCounts& counts) {
      const double f1 = counts.f1();
      return std::isnan(f1) ? -1.0 : f1;
    };
    const auto* found = &*totals.begin();
    for (const auto& entry : totals) {
      const double a = value(entry.second);
      const double b = value(found->second);
      if (a > b || (a == b && distance(entry.first) < distance(found->first))) found = &entry;
    }
    return found->first;
  }

  /// Each part in turn: chosen on the others, counted on it.
  void hold_out(TuneResult& result, const std::vector<Place>& places) const {
    const auto part = [&](const Place& place) { return m_scenes > 1 ? Place{place.first, 0} : place; };
    std::map<Place, Totals> parts;
    for (const auto& [setting, counts] : m_counts) {
      for (const auto& [place, fields] : counts) parts[part(place)][setting] += fields;
    }
    result.blocks = static_cast<std::int64_t>(places.size());
    result.folds = static_cast<std::int64_t>(parts.size());
    if (parts.size() < 2) return;
    for (const auto& [place, own] : parts) {
      Totals others = m_totals;
      for (const auto& [setting, fields] : own) others[setting] -= fields;
      const auto it = own.find(best(others));
      if (it != own.end()) result.held_out += it->second;
    }
  }

  /// Percentile intervals of the best F1 and of its gain over the base.
  void draw(TuneResult& result, const std::vector<Place>& places) const {
    const auto& best = m_counts.at(result.tried[result.best].setting);
    const auto& base = m_counts.at(m_base);
    const auto at = [](const std::map<Place, FieldCounts>& counts, const Place& place) {
      const auto it = counts.find(place);
      return it == counts.end() ? FieldCounts{} : it->second;
    };
    std::vector<double> f1;
    std::vector<double> gain;
    for (std::int64_t draw = 0; draw < m_options.draws && places.size() > 1; ++draw) {
      geo::Random random(m_options.seed, geo::stable_hash(geo::concat("blocks ", draw)));
      FieldCounts of_best;
      FieldCounts of_base;
      for (std::size_t i = 0; i < places.size(); ++i) {
        const Place& place = places[random.below(places.size())];
        of_best += at(best, place);
        of_base += at(base, place);
      }
      if (!std::isnan(of_best.f1())) f1.push_back(of_best.f1());
      if (!std::isnan(of_best.f1() - of_base.f1())) gain.push_back(of_best.f1() - of_base.f1());
    }
    result.best_f1 = percentiles(f1);
    result.gain = percentiles(gain);
  }
  static Interval percentiles(std::vector<double>& values) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    if (values.empty()) return {kNone, kNone};
    std::ranges::sort(values);
    const auto at = [&](double share) {
      return values[static_cast<std::size_t>(std::llround(share * static_cast<double>(values.size() - 1)))];
    };
    return {at(0.025), at(0.975)};
  }

  [[nodiscard]] TuneResult result() const {
    TuneResult result;
    const TuneSetting chosen = best(m_totals);
    for (const auto& [setting, counts] : m_totals) {
      if (setting == chosen) result.best = result.tried.size();
      if (setting == m_base) result.base = result.tried.size();
      result.tried.push_back({setting, counts});
    }
    std::map<Place, char> seen;
    for (const auto& [setting, counts] : m_counts) {
      for (const auto& [place, fields] : counts) seen[place] = 1;
    }
    std::vector<Place> places;
    for (const auto& [place, yes] : seen) places.push_back(place);
    hold_out(result, places);
    draw(result, places);
    return result;
  }

  std::size_t m_scenes;
  const std::function<TuneScene(std::size_t)>& m_scene;
  const TuneOptions& m_options;
  geo::ExecContext& m_exec;
  TuneSetting m_base;
  std::vector<Values> m_values;
  Counts m_counts;
  Totals m_totals;
  bool m_has_truth = false;
};

}  // namespace

TuneResult tune_delineation(std::size_t scenes, const std::function<TuneScene(std::size_t)>& scene,
                            const TuneOptions& options, geo::ExecContext& exec) {
  check(options, scenes);
  return Tuner(scenes, scene, options, exec).run();
}

}  // namespace furrow::assessment
