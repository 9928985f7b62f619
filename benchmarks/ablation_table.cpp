// Tables of an ablation from the blocks of its runs, as Markdown.
//   ablation_table RUNS BASELINE [DRAWS]
// RUNS holds PLACE/REGIME/ARM/SEED/blocks.csv (assess --blocks-out). For every place and regime: mean over
// seeds of each figure, and its difference from the arm BASELINE with a 95 % interval. One draw of the
// bootstrap takes seeds and blocks with replacement, the same ones for both arms, so that what a place or a
// campaign does to both cancels out. At the end the mean difference of each arm over its places and regimes,
// drawn independently in each, and what each risk mode adds to each method: arms METHOD+MODE beside METHOD.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <furrow/assessment/block_accuracy.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

namespace {

namespace fs = std::filesystem;
using furrow::assessment::BlockCounts;
using Place = std::pair<std::int64_t, std::int64_t>;
using Run = std::map<Place, BlockCounts>;
using Arm = std::map<std::string, Run>;  // by seed

struct Figure {
  const char* name;
  bool more_is_better;
  double (*value)(const BlockCounts&);
};
constexpr Figure kFigures[]{{"extent IoU", true, [](const BlockCounts& b) { return b.extent.iou(); }},
                            {"boundary F1", true, [](const BlockCounts& b) { return b.boundary_f1(); }},
                            {"object F1", true, [](const BlockCounts& b) { return b.object_f1(); }},
                            {"ECE", false, [](const BlockCounts& b) { return b.ece(); }}};
constexpr std::size_t kCount = std::size(kFigures);
using Values = std::array<double, kCount>;

std::vector<fs::path> folders(const fs::path& path) {
  std::vector<fs::path> result;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.is_directory()) result.push_back(entry.path());
  }
  std::sort(result.begin(), result.end());
  return result;
}

Arm read_arm(const fs::path& folder) {
  Arm arm;
  for (const fs::path& seed : folders(folder)) {
    if (!fs::exists(seed / "blocks.csv")) continue;
    Run& run = arm[seed.filename().string()];
    for (const BlockCounts& block : furrow::assessment::read_blocks((seed / "blocks.csv").string()))
      run[{block.row, block.col}] = block;
  }
  return arm;
}

/// Means over seeds of the figures of the drawn blocks.
Values figures(const Arm& arm, const std::vector<std::string>& seeds, const std::vector<Place>& places) {
  Values sums{};
  for (const std::string& seed : seeds) {
    const Run& run = arm.at(seed);
    BlockCounts total;
    for (const Place& place : places) {
      const auto block = run.find(place);
      if (block != run.end()) total += block->second;
    }
    for (std::size_t f = 0; f < kCount; ++f) sums[f] += kFigures[f].value(total);
  }
  for (double& sum : sums) sum /= static_cast<double>(seeds.size());
  return sums;
}

template <class T>
std::vector<T> drawn(const std::vector<T>& from, furrow::geo::Random& random) {
  std::vector<T> result;
  for (std::size_t i = 0; i < from.size(); ++i) result.push_back(from[random.below(from.size())]);
  return result;
}

std::vector<std::string> common_seeds(const Arm& a, const Arm& b) {
  std::vector<std::string> seeds;
  for (const auto& [seed, run] : a) {
    if (b.contains(seed)) seeds.push_back(seed);
  }
  return seeds;
}

std::vector<Place> all_places(const Arm& a, const Arm& b) {
  std::map<Place, int> places;
  for (const Arm* arm : {&a, &b}) {
    for (const auto& [seed, run] : *arm) {
      for (const auto& [place, block] : run) places[place] = 1;
    }
  }
  std::vector<Place> result;
  for (const auto& [place, one] : places) result.push_back(place);
  return result;
}

std::string signed_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%+.3f", value);
  return text;
}

/// "+0.012 [-0.003, +0.030]", bold where the interval holds no 0.
std::string difference_text(double value, std::vector<double>& draws) {
  std::erase_if(draws, [](double x) { return std::isnan(x); });
  if (draws.empty() || std::isnan(value)) return "not defined";
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double share) {
    return draws[static_cast<std::size_t>(std::llround(share * static_cast<double>(draws.size() - 1)))];
  };
  const double low = at(0.025);
  const double high = at(0.975);
  const std::string text =
      signed_number(value) + " [" + signed_number(low) + ", " + signed_number(high) + "]";
  return low > 0.0 || high < 0.0 ? "**" + text + "**" : text;
}

/// An arm beside the baseline, in one place and regime.
struct Comparison {
  std::size_t seeds = 0;
  Values value{};
  Values base{};
  std::array<std::vector<double>, kCount> draws;  ///< of the difference
};

/// @param cell  of place and regime: each has draws of its own
Comparison compare(const Arm& arm, const Arm& baseline, std::uint64_t cell, int draws) {
  const std::vector<std::string> seeds = common_seeds(arm, baseline);
  Comparison result;
  result.seeds = seeds.size();
  if (seeds.empty()) return result;
  const std::vector<Place> places = all_places(arm, baseline);
  result.value = figures(arm, seeds, places);
  result.base = figures(baseline, seeds, places);
  for (int draw = 0; draw < draws; ++draw) {
    furrow::geo::Random random(cell, static_cast<std::uint64_t>(draw));
    const auto some_seeds = drawn(seeds, random);
    const auto some_places = drawn(places, random);
    const Values a = figures(arm, some_seeds, some_places);
    const Values b = figures(baseline, some_seeds, some_places);
    for (std::size_t f = 0; f < kCount; ++f) result.draws[f].push_back(a[f] - b[f]);
  }
  return result;
}

using Comparisons = std::map<std::string, std::vector<Comparison>>;  // by arm

void print_heading(const char* second) {
  std::cout << "| arm | " << second;
  for (const Figure& figure : kFigures)
    std::cout << " | " << figure.name << (figure.more_is_better ? "" : " (less is better)");
  std::cout << " |\n|---|---|---|---|---|---|\n";
}

void print_row(const std::string& name, Comparison comparison, bool is_baseline) {
  std::cout << "| " << name << " | " << comparison.seeds;
  for (std::size_t f = 0; f < kCount; ++f) {
    const double value = comparison.value[f];
    std::cout << " | " << furrow::geo::fixed(value, 3);
    if (!is_baseline)
      std::cout << " (" << difference_text(value - comparison.base[f], comparison.draws[f]) << ")";
  }
  std::cout << " |\n";
}

/// Of "METHOD+MODE" the method and the risk mode; both empty for other arms, "soft+weight" among them.
std::pair<std::string, std::string> crossed_parts(const std::string& arm) {
  const std::size_t plus = arm.find('+');
  if (plus == std::string::npos || arm == "soft+weight") return {};
  return {arm.substr(0, plus), arm.substr(plus + 1)};
}

/// What risk modes add to methods in one place and regime.
void compare_crossed(const fs::path& folder, std::uint64_t cell, int draws, Comparisons& crossed) {
  for (const fs::path& path : folders(folder)) {
    const std::string name = path.filename().string();
    const std::string method = crossed_parts(name).first;
    if (method.empty() || !fs::exists(folder / method)) continue;
    Comparison comparison = compare(read_arm(path), read_arm(folder / method), cell, draws);
    if (comparison.seeds > 0) crossed[name].push_back(std::move(comparison));
  }
}

void print_regime(const fs::path& folder, const std::string& baseline_name, std::uint64_t cell, int draws,
                  Comparisons& all) {
  const Arm baseline = read_arm(folder / baseline_name);
  std::cout << "\n**" << folder.parent_path().filename().string() << ", " << folder.filename().string()
            << "**\n\n";
  print_heading("seeds");
  print_row(baseline_name, compare(baseline, baseline, cell, 0), true);
  for (const fs::path& path : folders(folder)) {
    const std::string name = path.filename().string();
    if (name == baseline_name) continue;
    Comparison comparison = compare(read_arm(path), baseline, cell, draws);
    if (comparison.seeds == 0) continue;
    print_row(name, comparison, false);
    all[name].push_back(std::move(comparison));
  }
}

/// "+0.012 [-0.003, +0.030], 7 up": mean difference over places and regimes, each counting the same.
std::string mean_text(const std::vector<Comparison>& cells, std::size_t f) {
  const auto count = static_cast<double>(cells.size());
  double mean = 0.0;
  int up = 0;
  std::vector<double> draws(cells.front().draws[f].size());
  for (const Comparison& cell : cells) {
    const double difference = cell.value[f] - cell.base[f];
    mean += difference / count;
    up += difference > 0.0 ? 1 : 0;
    for (std::size_t i = 0; i < draws.size(); ++i) draws[i] += cell.draws[f][i] / count;
  }
  return difference_text(mean, draws) + ", " + std::to_string(up) + " up";
}

void print_means(const char* title, const Comparisons& all) {
  std::cout << "\n**" << title << "**\n\n";
  print_heading("cells");
  for (const auto& [name, cells] : all) {
    std::cout << "| " << name << " | " << cells.size();
    for (std::size_t f = 0; f < kCount; ++f) std::cout << " | " << mean_text(cells, f);
    std::cout << " |\n";
  }
}

/// The same by risk mode, over all methods. Draws of one place and regime are the same for all methods.
Comparisons by_mode(const Comparisons& crossed) {
  Comparisons result;
  for (const auto& [name, cells] : crossed) {
    auto& to = result[crossed_parts(name).second];
    to.insert(to.end(), cells.begin(), cells.end());
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: ablation_table RUNS BASELINE [DRAWS]\n";
    return 2;
  }
  const int draws = argc > 3 ? std::atoi(argv[3]) : 2000;
  try {
    Comparisons all;
    Comparisons crossed;
    std::uint64_t cell = 0;
    for (const fs::path& place : folders(argv[1])) {
      for (const fs::path& regime : folders(place)) {
        if (!fs::exists(regime / argv[2])) continue;
        print_regime(regime, argv[2], ++cell, draws, all);
        compare_crossed(regime, cell, draws, crossed);
      }
    }
    print_means("Mean difference over places and regimes", all);
    print_means("A risk mode added to a method, beside the method alone", crossed);
    print_means("The same over all methods", by_mode(crossed));
  } catch (const std::exception& error) {
    std::cerr << "ablation_table: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
