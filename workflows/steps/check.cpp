#include <filesystem>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/dataset/check.h>
#include <furrow/dataset/dataset.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/step.h>
#include <furrow/workflow/workflow_file.h>

#include "dataset_options.h"

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kClassNames[] = {"background", "interior", "boundary", "unknown"};

/// Problems of each kind, in the order of the kinds.
std::map<dataset::ProblemKind, std::vector<const dataset::Problem*>> by_kind(
    const dataset::CheckReport& report) {
  std::map<dataset::ProblemKind, std::vector<const dataset::Problem*>> kinds;
  for (const auto& problem : report.problems) kinds[problem.kind].push_back(&problem);
  return kinds;
}

Json report_json(const dataset::Dataset& data, const dataset::CheckReport& report) {
  Json splits = Json::object();
  for (const auto& [name, balance] : report.splits) {
    Json pixels = Json::object();
    for (std::size_t c = 0; c < balance.pixels.size(); ++c) pixels[kClassNames[c]] = balance.pixels[c];
    splits[name.empty() ? "(none)" : name] = {{"samples", balance.samples},
                                              {"without_field", balance.without_field},
                                              {"pixels", std::move(pixels)}};
  }
  Json counts = Json::object();
  for (const auto& [kind, list] : by_kind(report)) counts[dataset::problem_name(kind)] = list.size();
  Json problems = Json::array();
  for (const auto& problem : report.problems) {
    problems.push_back(
        {{"kind", dataset::problem_name(problem.kind)}, {"id", problem.id}, {"message", problem.message}});
  }
  return {{"kind", "dataset check"},
          {"path", data.root},
          {"layout", dataset::layout_name(data.layout)},
          {"listed", data.listed},
          {"samples", data.samples.size()},
          {"splits", std::move(splits)},
          {"crs", report.crs},
          {"sizes_px", report.sizes},
          {"label_types", report.label_types},
          {"labels_with_a_class_as_nodata", report.class_as_nodata},
          {"problem_counts", std::move(counts)},
          {"problems", std::move(problems)}};
}

/// `text` at the left or right of a column.
std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(text.size() < width ? width - text.size() : 0, ' ');
  return right ? space + text : text + space;
}

/// Rows of cells in aligned columns; the first column to the left, the others to the right.
void print_table(const std::vector<std::vector<std::string>>& rows, std::ostream& out) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c)
      line += (c == 0 ? "" : "  ") + padded(row[c], widths[c], c != 0);
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

std::string counted(const std::map<std::string, std::int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(geo::concat(name, " (", count, ")"));
  return geo::join(parts, ", ");
}

void print_balance(const dataset::CheckReport& report, std::ostream& out) {
  std::vector<std::vector<std::string>> rows{
      {"split", "samples", "without field", "background", "interior", "boundary", "unknown"}};
  for (const auto& [name, balance] : report.splits) {
    std::int64_t total = 0;
    for (const std::int64_t count : balance.pixels) total += count;
    std::vector<std::string> row{name.empty() ? "(none)" : name, std::to_string(balance.samples),
                                 total == 0 ? "-" : std::to_string(balance.without_field)};
    for (const std::int64_t count : balance.pixels) {
      const double share = total == 0 ? 0.0 : 100.0 * static_cast<double>(count) / static_cast<double>(total);
      row.push_back(total == 0 ? "-" : geo::fixed(share, 1) + " %");
    }
    rows.push_back(std::move(row));
  }
  print_table(rows, out);
}

void print_report(const dataset::Dataset& data, const dataset::CheckReport& report, std::int64_t limit,
                  std::ostream& out) {
  out << data.root << ": layout " << dataset::layout_name(data.layout) << ", " << data.samples.size()
      << " of " << data.listed << " samples with all files\n\n";
  print_balance(report, out);
  out << "\nCRS: " << counted(report.crs) << "\nsize in px: " << counted(report.sizes)
      << "\nlabel type: " << counted(report.label_types) << '\n';
  if (report.class_as_nodata > 0) {
    out << report.class_as_nodata
        << " label rasters declare a class (0, 1 or 2) as nodata; their values are used all the same\n";
  }
  for (const auto& [kind, list] : by_kind(report)) {
    out << '\n' << dataset::problem_name(kind) << ": " << list.size() << '\n';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (limit > 0 && i == static_cast<std::size_t>(limit)) {
        out << "  ... and " << list.size() - i << " more (--limit 0 lists all)\n";
        break;
      }
      out << "  " << list[i]->message << '\n';
    }
  }
  if (report.problems.empty()) out << "\nno problem\n";
}

class Check : public Step {
 public:
  StepInfo info() const override {
    return {"check",
            "Check a workflow file, or a data set, without changing anything",
            "Workflow file (.toml): tells everything that is wrong with it: syntax, unknown commands and "
            "options, "
            "values of the wrong type or out of range, missing options, steps that wait for each other, two "
            "steps "
            "that write the same file, inputs that are missing and that no step makes, outputs that exist or "
            "cannot "
            "be written. With --no-files it says nothing about files, so that a workflow can be checked on "
            "another "
            "machine.\n\n"
            "Data set (a folder, or a table of images and labels): opens every file and lists missing and "
            "unreadable "
            "files, images and labels of different size, place or CRS, wrong bands, label values that are no "
            "classes, "
            "ids that occur twice, places or equal images in two splits; and how the classes are balanced in "
            "each "
            "split. Exit code 3 when there is a problem.",
            {{"Before a long run", "furrow check workflow.toml"},
             {"Before training", "furrow check ftw --json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("path", &m_path)
        .positional()
        .required()
        .input("file")
        .help("Workflow file (.toml), data set folder, or table of a data set");
    t.add("json", &m_json).help("Print the report on a data set as JSON");
    t.add("set", &m_set)
        .group("Workflow")
        .help("Replace a value: step.option=value, vars.name=value or run.threads=2");
    t.add("files", &m_files)
        .group("Workflow")
        .help("Also check that inputs are there and outputs can be written");
    m_dataset.declare(t);
    t.add("pixels", &m_check.read_pixels)
        .group("Data set")
        .help("Read every pixel: values, class balance, truncated files, equal images");
    t.add("limit", &m_limit)
        .at_least(0)
        .group("Data set")
        .help("Problems of each kind that the table lists; 0 = all");
  }

  void run(StepContext& context) override {
    if (fs::path(m_path).extension() == ".toml") return check_workflow(context);
    const dataset::Dataset data = dataset::read_dataset(m_path, m_dataset.read_options());
    const dataset::CheckReport report = dataset::check_dataset(data, m_check, context.exec());
    context.record("samples", static_cast<std::int64_t>(data.samples.size()));
    context.record("problems", static_cast<std::int64_t>(report.problems.size()));
    if (m_json) {
      context.out() << report_json(data, report).dump(2) << '\n';
    } else {
      print_report(data, report, m_limit, context.out());
    }
    if (!report.problems.empty()) {
      throw geo::Error(geo::concat("data set ", geo::quoted(m_path), " has ", report.problems.size(),
                                   report.problems.size() == 1 ? " problem" : " problems"),
                       geo::ExitCode::kPartial);
    }
  }

 private:
  void check_workflow(StepContext& context) {
    const CommandSet commands(make_all_steps);
    const Workflow workflow = read_workflow(m_path, commands, {m_set, context.overwrite(), m_files});
    context.out() << m_path << ": " << workflow.steps.size() << " steps, no problem\n";
  }

  std::string m_path;
  std::vector<std::string> m_set;
  bool m_files = true;
  bool m_json = false;
  std::int64_t m_limit = 10;
  DatasetOptions m_dataset;
  dataset::CheckOptions m_check;
};

}  // namespace

std::unique_ptr<Step> make_check() {
  return std::make_unique<Check>();
}

}  // namespace furrow::workflow
