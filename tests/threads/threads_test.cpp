// One and four threads give the same bytes, whichever command writes them; so do options that only say how a
// command goes about its work (memory, tile size).
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <ostream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow {
namespace {

namespace fs = std::filesystem;
using geo::concat;

/// A command line. It runs in a folder beside data/ (the sample data) and beside one/, where every line has
/// run with one thread and left its outputs in a folder with the line's name.
struct Line {
  std::string name;
  std::string command;
  std::string arguments;           ///< {out} is the line's name
  std::vector<std::string> needs;  ///< lines whose outputs it reads from ../one/
  /// Options that must not change the outputs; tried one after the other, each added to the arguments.
  std::vector<std::string> indifferent = {};
  std::array<int, 2> threads = {1, 4};
  std::string before = {};  ///< shell command that runs first in the same folder; {source} is the project
};

void PrintTo(const Line& line, std::ostream* out) {
  *out << line.command << ' ' << line.arguments;
}

const std::string kCampaign =
    "../data/campaign/catalogue.csv --labels ../data/campaign/labels.gpkg --sites "
    "../data/campaign/sites.gpkg ";
const std::string kTrained =
    "../data/scene.tif --labels ../one/votes/label.tif --risk ../one/votes/risk.tif --chip-px 64 "
    "--base-width 4 "
    "--levels 3 --epochs 2 --batch 4 --seed 5 --out {out}";

/// Every command of the program has a line here, and every option that names an output stands in one of them;
/// a test sees to that.
const std::vector<Line>& lines() {
  static const std::vector<Line> all{
      {"scene",
       "simulate scene",
       "--size-px 400 --bands 6 --cloud-share 0.1 --seed 3 --out {out}",
       {},
       {"--memory 1GB"}},
      {"labellers",
       "simulate labellers",
       "../data/truth.gpkg --bbox 600000,5497333,604000,5500000 --expert-share 0.15 --pixel-m 10 --seed 6 "
       "--out "
       "{out}",
       {}},
      {"scores", "score", kCampaign + "--out {out}", {}},
      {"published_scores", "score", kCampaign + "--mode compatible --out {out}", {}},
      {"score_of_one_site",
       "score site",
       "{source}/tests/cli/score-site/reference.geojson {source}/tests/cli/score-site/labels.geojson "
       "{source}/tests/cli/score-site/cell.geojson --json",
       {}},
      {"table",
       "consensus votes",
       "{source}/tests/cli/consensus-votes/votes.csv --restarts 20 --json --out {out}",
       {}},
      {"plan",
       "consensus plan",
       "{source}/tests/cli/data/campaign/labellers.csv --field-share 0.3 0.6 --budget 100 --json --out "
       "{out}/plan.csv",
       {}},
      {"joint_on_a_grid", "consensus", kCampaign + "--grid ../data/scene.tif --by-labeller --out {out}", {}},
      {"dawid_skene", "consensus", kCampaign + "--method dawid-skene --site-px 50 --out {out}", {}},
      {"staple", "consensus", kCampaign + "--method staple --site-px 50 --out {out}", {}},
      {"table_bayes",
       "consensus votes",
       "{source}/tests/cli/consensus-votes/votes.csv --method bayes --json --out {out}",
       {}},
      {"majority", "consensus", kCampaign + "--method majority --site-px 50 --out {out}", {}},
      {"joint", "consensus", kCampaign + "--site-px 50 --out {out}", {}, {"--memory 100MB"}},
      {"two_classes",
       "consensus",
       kCampaign +
           "--method weighted --weights ../one/scores/labellers.csv --classes 2 --site-px 50 --out {out}",
       {"scores"}},
      {"votes",
       "consensus",
       kCampaign +
           "--method weighted --weights ../one/scores/labellers.csv --grid ../data/scene.tif --out {out}",
       {"scores"},
       {"--memory 100MB"}},
      {"audit",
       "consensus audit",
       "../one/votes/label.tif --scores ../one/votes/posterior.tif --sites ../data/campaign/sites.gpkg --out "
       "{out}",
       {"votes"}},
      {"votes_in_strips",
       "consensus",
       kCampaign + "--method majority --grid ../data/fine.tif --out {out}",
       {},
       {"--memory 100MB"}},
      {"fused_masks",
       "consensus",
       "--masks ../one/votes/label.tif ../one/scene_labels/labels.tif --block-px 50 --json --out {out}",
       {"votes", "scene_labels"},
       {"--memory 100MB"}},
      {"scene_labels", "rasterize", "../data/truth.gpkg --grid ../data/scene.tif --out {out}/labels.tif", {}},
      {"chips",
       "tile",
       "../data/scene.tif --labels ../data/truth.gpkg --tile-px 100 --overlap-px 10 --out {out}",
       {},
       {"--memory 1MB"}},
      {"cut_labels",
       "tile",
       "../data/scene.tif --label-raster ../one/votes/label.tif --tile-px 64 --edge partial --min-valid 0.5 "
       "--format "
       "cog --out {out}",
       {"votes"}},
      {"mosaic_chips",
       "tile",
       "../one/chips/scene_0_1.tif ../one/chips/scene_1_0.tif ../one/chips/scene_0_0.tif --mosaic "
       "--output-crs EPSG:4326 --resolution 0.0001 --tile-px 64 "
       "--labels ../data/truth.gpkg --stats --out {out}",
       {"chips"},
       {"--memory 200MB"}},
      {"stacked_chips",
       "tile",
       "../data/scene.tif ../data/scene.tif --stack --align --resolution 17 --tile-px 50 --halo-px 3 --out "
       "{out}",
       {}},
      {"labels",
       "rasterize",
       "../data/truth.gpkg --grid ../data/fine.tif --boundary-m 8 --out {out}/labels.tif",
       {},
       {"--memory 1MB"}},
      {"instances",
       "rasterize",
       "../data/truth.gpkg --kind instances --grid ../data/fine.tif --out {out}/instances.tif",
       {}},
      {"distances",
       "rasterize",
       "../data/truth.gpkg --kind distance --distance-unit field --grid ../data/fine.tif --out "
       "{out}/distance.tif",
       {},
       {"--memory 1MB"}},
      {"lacuna_labels",
       "rasterize",
       "../data/truth.gpkg --profile lacuna --grid ../data/fine.tif --out {out}/labels.tif",
       {},
       {"--memory 1MB"}},
      {"ftw_instances",
       "rasterize",
       "../data/truth.gpkg --profile ftw --kind instances --grid ../data/fine.tif --out {out}/instances.tif",
       {},
       {"--memory 1MB"}},
      {"extent",
       "rasterize",
       "../data/truth.gpkg --kind extent --ignore-outside ../data/campaign/sites.gpkg --grid "
       "../data/fine.tif --out "
       "{out}/extent.tif",
       {}},
      // Sums of floating-point numbers depend on the number of LibTorch's threads, and the page says so.
      {"model", "train", kTrained, {"votes"}, {"--memory 1MB"}, {4, 4}},
      {"model_of_one_thread", "train", kTrained, {"votes"}, {}, {1, 1}},
      {"prediction",
       "predict",
       "../data/scene.tif --model ../one/model --entropy {out}/entropy.tif --out {out}/scores.tif",
       {"model"},
       {"--memory 100MB", "--tile-px 64", "--tile-px 400 --blend crop"}},
      {"predictions",
       "predict",
       "../data/scene.tif ../one/chips/scene_1_0.tif --model ../one/model --tile-px 128 "
       "--dropout-passes 2 --entropy {out}/entropy --mutual-information {out}/doubt "
       "--disagreement {out}/seams --out {out}/scores",
       {"model", "chips"}},
      {"delineated",
       "delineate",
       "../one/votes/posterior.tif --instances {out}/instances.tif --out {out}/fields.gpkg",
       {"votes"},
       {"--memory 50MB"}},
      {"fields_by_area",
       "delineate",
       "../one/votes/posterior.tif --rejects --min-width-m 20 --simplify-method area --out {out}/fields.gpkg",
       {"votes"},
       {"--memory 50MB"}},
      {"components",
       "delineate",
       "../one/votes_in_strips/posterior.tif --mode components --simplify-px 1.5 --out {out}/fields.geojson",
       {"votes_in_strips"}},
      {"cleaned",
       "vector clean",
       "{source}/tests/cli/vector-clean/untidy.geojson --simplify-m 2 --rejects {out}/rejects.gpkg --report "
       "{out}/report.json --out {out}/clean.gpkg",
       {}},
      {"map",
       "quality",
       "../one/delineated/fields.gpkg --scores ../one/votes/posterior.tif --risk ../one/votes/risk.tif "
       "--sites "
       "../one/votes/sites.gpkg --labellers ../one/scores/labellers.csv --image-date 2021-06-15 --out "
       "{out}/fields.gpkg",
       {"delineated", "votes", "scores"}},
      {"calibrated",
       "quality",
       "../data/truth.gpkg --scores three.tif --scale 0.0001 --reference ../data/truth.gpkg --bootstrap 100 "
       "--raster ../data/scene.tif --calibration-out {out}/calibration.json --reliability-out "
       "{out}/reliability.csv --reliability-plot {out}/reliability.svg --out {out}/fields.gpkg",
       {},
       {},
       {1, 4},
       "gdal_translate -q -b 1 -b 2 -b 3 ../data/scene.tif three.tif"},
      {"listed",
       "stac",
       "../data/scene.tif ../data/truth.gpkg --image-date 2021-06-15 --out {out}/item.json",
       {}},
      {"exported",
       "vector export",
       "../one/delineated/fields.gpkg --profile fiboa --out {out}/fields.json",
       {"delineated"}},
      {"accuracy",
       "assess",
       "../one/delineated/fields.gpkg --reference ../data/truth.gpkg --grid ../data/fine.tif --out "
       "{out}/accuracy.json",
       {"delineated"}},
      {"accuracy_by_blocks",
       "assess",
       "--labels ../one/votes/label.tif --reference ../data/truth.gpkg --scores ../one/votes/posterior.tif "
       "--block-px 30 --blocks-out {out}/blocks.csv --out {out}/accuracy.json",
       {"votes"}},
      {"accuracy_of_pixels",
       "assess",
       "--labels ../one/votes/label.tif --reference ../data/truth.gpkg",
       {"votes"}},
      {"tuned",
       "tune",
       "../one/votes/posterior.tif --reference ../data/truth.gpkg --out {out}/tried.csv",
       {"votes"}},
      {"robustness",
       "assess robustness",
       "../data/scene.tif --model ../one/model --reference ../data/truth.gpkg --windows 2 --window-px 64 "
       "--out {out}/robustness.json",
       {"model"},
       {"--memory 100MB"}},
      {"run", "run", "chain.toml", {}, {}, {1, 4}, "cp {source}/tests/threads/chain.toml ."},
      {"check", "check", "{source}/tests/threads/chain.toml --no-files", {}},
      {"checked_chips", "check", "../one/chips --json", {"chips"}},
      {"schema", "workflow schema", "--out {out}/schema.json", {}},
      {"pages", "docs", "--write {out}", {}, {}, {1, 4}, "cp -r {source}/docs/commands {out}"},
      {"completion", "completion", "bash", {}},
      {"info", "info", "../data/campaign/labels.gpkg --json", {}},
      {"statistics",
       "info",
       "../data/scene.tif ../one/votes/posterior.tif --bands 1,2 --statistics --json --out {out}/s.json",
       {"votes"}},
  };
  return all;
}

void replace_all(std::string& text, const std::string& word, const std::string& value) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size())) {
    text.replace(at, word.size(), value);
  }
}

/// The folders that all lines share.
class Bench {
 public:
  Bench() {
    fs::copy(fs::path(FURROW_TEST_SOURCE_DIR) / "sample_data", m_folder / "data",
             fs::copy_options::recursive);
    // More rows than a strip of blocks has, so that strips matter.
    geo::Grid fine = geo::RasterReader((m_folder / "data/scene.tif").string()).grid();
    fine.width = fine.height = 1334;
    fine.transform.dx = 3.0;
    fine.transform.dy = -3.0;
    geo::write_raster(m_folder / "data/fine.tif", fine, geo::Raster<std::uint8_t>(fine.width, fine.height),
                      {}, false);
  }

  /// Runs a line in the folder `place`.
  test::CommandResult run(const Line& line, const std::string& place, int threads,
                          const std::string& more = "") {
    for (const auto& name : line.needs) (void)first(name);
    fs::create_directories(m_folder / place);
    const std::string memory = more.find("--memory") == std::string::npos ? " --memory 2GB" : "";
    std::string text =
        concat("cd ", (m_folder / place).string(), " && ", line.before.empty() ? ":" : line.before,
               " && SOURCE_DATE_EPOCH=1600000000 ", test::furrow_program(), ' ', line.command, ' ',
               line.arguments, ' ', more, memory, " --threads ", threads);
    replace_all(text, "{out}", line.name);
    replace_all(text, "{source}", FURROW_TEST_SOURCE_DIR);
    return test::run_command(text);
  }

  /// What the line printed when it ran in one/; it runs when it has not yet.
  const test::CommandResult& first(const std::string& name) {
    const auto known = m_first.find(name);
    if (known != m_first.end()) return known->second;
    const auto line = std::ranges::find(lines(), name, &Line::name);
    return m_first.emplace(name, run(*line, "one", line->threads[0])).first->second;
  }

  /// The files that a line left in the folder `place`, by path.
  [[nodiscard]] std::map<std::string, std::string> files(const Line& line, const std::string& place) const {
    std::map<std::string, std::string> files;
    const fs::path folder = m_folder / place / line.name;
    if (!fs::exists(folder)) return files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      std::string bytes = test::bytes_of(entry.path());
      // What a workflow's run says of itself, and should: how long it took, with how many threads.
      if (entry.path().filename() == "run.json") {
        bytes = std::regex_replace(bytes, std::regex(R"re("(seconds|threads)": [^,\n]*)re"), "");
      }
      files[entry.path().lexically_relative(folder).string()] = std::move(bytes);
    }
    return files;
  }

 private:
  test::TemporaryFolder m_folder;
  std::map<std::string, test::CommandResult> m_first;
};

void expect_same_files(const std::map<std::string, std::string>& a,
                       const std::map<std::string, std::string>& b) {
  for (const auto& [path, bytes] : a) {
    const auto other = b.find(path);
    if (other == b.end()) {
      ADD_FAILURE() << path << " is missing";
      continue;
    }
    const auto [at, unused] = std::ranges::mismatch(bytes, other->second);
    EXPECT_TRUE(bytes == other->second)
        << path << ": " << bytes.size() << " and " << other->second.size()
        << " bytes, the first that differs is number " << std::distance(bytes.begin(), at);
  }
  for (const auto& [path, bytes] : b) EXPECT_TRUE(a.contains(path)) << path << " is there once only";
}

bool is_torch_command(const std::string& command) {
  return command == "train" || command == "predict" || command == "assess robustness";
}

class Threads : public ::testing::TestWithParam<Line> {
 protected:
  static void SetUpTestSuite() {
    s_bench = std::make_unique<Bench>();
    s_without_torch = test::furrow("--version").out.find("Torch not built in") != std::string::npos;
  }
  static void TearDownTestSuite() { s_bench.reset(); }

  void expect_as_first(const std::string& place, int threads, const std::string& more = "") {
    SCOPED_TRACE(concat(threads, " threads ", more));
    const Line& line = GetParam();
    const auto& first = s_bench->first(line.name);
    const auto again = s_bench->run(line, place, threads, more);
    EXPECT_EQ(again.exit_code, first.exit_code) << again.err;
    EXPECT_EQ(again.out, first.out);
    // A warning that there is little memory is welcome.
    if (more.empty()) {
      EXPECT_EQ(again.err, first.err);
    }
    expect_same_files(s_bench->files(line, "one"), s_bench->files(line, place));
  }

  inline static std::unique_ptr<Bench> s_bench;
  inline static bool s_without_torch = false;
};

TEST_P(Threads, GiveTheSameBytes) {
  const Line& line = GetParam();
  if (s_without_torch && is_torch_command(line.command)) GTEST_SKIP() << "built without LibTorch";
  const auto& first = s_bench->first(line.name);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto files = s_bench->files(line, "one");
  ASSERT_FALSE(files.empty() && first.out.empty()) << "nothing to compare";
  expect_as_first("four", line.threads[1]);
  int number = 0;
  for (const auto& option : line.indifferent) {
    expect_as_first("other" + std::to_string(++number), line.threads[1], option);
  }
}

INSTANTIATE_TEST_SUITE_P(Commands, Threads, ::testing::ValuesIn(lines()),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(ThreadsTable, HoldsEveryCommandAndEveryOptionThatNamesAnOutput) {
  const auto usage = nlohmann::json::parse(test::furrow("--json-usage").out);
  std::set<std::string> known;
  for (const auto& command : usage.at("commands")) {
    const std::string name = command.at("name");
    known.insert(name);
    std::string written;
    for (const auto& line : lines()) {
      if (line.command == name) written += line.arguments + ' ';
    }
    EXPECT_FALSE(written.empty()) << "no line for the command '" << name << "'";
    for (const auto& option : command.at("options")) {
      if (!option.contains("path") || option.at("path").at("role") != "output") continue;
      const std::string text = concat("--", option.at("name").get<std::string>(), ' ');
      EXPECT_NE(written.find(text), std::string::npos) << "no line of '" << name << "' has " << text;
    }
  }
  for (const auto& line : lines()) {
    EXPECT_TRUE(known.contains(line.command) || is_torch_command(line.command))
        << line.command << " is no command any more";
  }
}

}  // namespace
}  // namespace furrow
