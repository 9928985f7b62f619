#include <algorithm>
#include <cctype>
#include <optional>

#include <toml++/toml.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/workflow/common_options.h>
#include <furrow/workflow/path_check.h>
#include <furrow/workflow/workflow_file.h>

#include "workflow_problems.h"

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using geo::concat;
using geo::quoted;
using Given = Option::Given;

constexpr std::int64_t kVersion = 1;

SourcePosition position_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

std::string type_text(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "a list";
  if (node.is_string()) return "text";
  if (node.is_integer()) return "an integer";
  if (node.is_floating_point()) return "a number";
  if (node.is_boolean()) return "true or false";
  return "a date";
}

/// A --set argument: where it goes and what it says.
struct Override {
  std::string place;  ///< "vars", "run", or the id of a step
  std::string name;
  std::string value;
  std::string text;  ///< as given, for messages
  bool used = false;
};

class Reader {
 public:
  Reader(const fs::path& file, const CommandSet& commands, const WorkflowSettings& settings)
      : m_commands(commands), m_settings(settings), m_folder(file.parent_path()) {
    m_workflow.file = file;
  }

  Workflow read() {
    const std::string text = geo::read_text_file(m_workflow.file);
    toml::table document;
    try {
      document = toml::parse(text, m_workflow.file.string());
    } catch (const toml::parse_error& e) {
      m_problems.add(position_of(e.source()), std::string(e.description()));
      m_problems.throw_if_any(m_workflow.file);
    }
    read_overrides();
    read_top(document);
    read_vars(document);  // first: [run] may use them
    read_run(document);
    read_steps(document);
    resolve_after();
    report_unused_overrides();
    link_steps(m_workflow, m_settings, m_maybe_made, m_problems);
    m_problems.throw_if_any(m_workflow.file);
    choose_report();
    return std::move(m_workflow);
  }

 private:
  void read_overrides();
  void read_top(const toml::table& document);
  void read_run(const toml::table& document);
  void set_run_value(const std::string& key, const Given& value, SourcePosition position);
  void read_vars(const toml::table& document);
  void read_steps(const toml::table& document);
  void read_step(const toml::table& table, std::size_t number);
  void remember_texts(const toml::table& table);
  void read_id(const toml::table& table, WorkflowStep& step);
  void read_after(const toml::node& node, const std::string& id);
  void read_options(const toml::table& table, WorkflowStep& step);
  void read_option(const toml::key& key, const toml::node& node, WorkflowStep& step);
  [[nodiscard]] std::vector<std::string> override_values(const Override& last, bool is_list) const;
  void apply_overrides(WorkflowStep& step);
  void settle(WorkflowStep& step, bool sound);
  void resolve_after();
  void report_unused_overrides();
  void choose_report();

  std::optional<std::string> text_of(const toml::node& node, const std::string& what);
  std::optional<std::vector<Given>> values_of(const toml::node& node, const std::string& what);
  std::optional<Given> value_of(const toml::node& node, const std::string& what);
  std::string substituted(const std::string& text, SourcePosition position);
  std::string from_here(const std::string& path) const;

  const CommandSet& m_commands;
  const WorkflowSettings& m_settings;
  fs::path m_folder;
  Workflow m_workflow;
  WorkflowProblems m_problems;
  std::map<std::string, std::string> m_vars;
  std::vector<Override> m_overrides;
  struct After {
    std::size_t step;
    std::string id;
    SourcePosition position;
  };
  std::vector<After> m_after;
  std::string m_report;
  std::vector<fs::path> m_maybe_made;
  bool m_complete = true;
};

void Reader::read_overrides() {
  for (const auto& text : m_settings.set) {
    const auto equals = text.find('=');
    const auto dot = text.substr(0, equals).rfind('.');
    if (equals == std::string::npos || dot == std::string::npos) {
      m_problems.add({},
                     concat("--set ", text, ": write step.option=value, vars.name=value or run.threads=2"));
      continue;
    }
    std::string name = text.substr(dot + 1, equals - dot - 1);
    m_overrides.push_back({text.substr(0, dot), std::move(name), text.substr(equals + 1), text});
  }
}

void Reader::read_top(const toml::table& document) {
  static const std::vector<std::string> kKeys{"version", "title", "run", "vars", "step"};
  for (auto&& [key, value] : document) {
    const std::string name(key.str());
    if (std::ranges::find(kKeys, name) == kKeys.end()) {
      m_problems.add(position_of(key.source()),
                     concat("unknown key ", quoted(name), geo::did_you_mean(name, kKeys)));
    }
  }
  const toml::node* version = document.get("version");
  if (version == nullptr) {
    m_problems.add({1, 1}, "'version = 1' is missing");
  } else if (version->value<std::int64_t>() != kVersion || !version->is_integer()) {
    m_problems.add(position_of(version->source()),
                   "'version' must be 1, the only version that this program knows");
  }
}

void Reader::set_run_value(const std::string& key, const Given& value, SourcePosition position) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const auto* flag = std::get_if<bool>(&value);
  if (key == "threads") {
    if (integer == nullptr || *integer < 1 || *integer > 1024) {
      m_problems.add(position, "'threads' must be an integer from 1 to 1024");
    } else {
      m_workflow.resources.threads = static_cast<int>(*integer);
    }
  } else if (key == "memory") {
    try {
      m_workflow.resources.memory_bytes = geo::parse_bytes(text == nullptr ? "" : *text);
    } catch (const geo::Error&) {
      m_problems.add(position, "'memory' must be a size between quotes, for example \"4 GiB\"");
    }
  } else if (key == "report") {
    if (text == nullptr || text->empty()) {
      m_problems.add(position, "'report' must be a path");
    } else {
      m_report = *text;
    }
  } else if (key == "checksums") {
    if (flag == nullptr) m_problems.add(position, "'checksums' must be true or false");
    m_workflow.checksums = flag == nullptr || *flag;
  } else {
    static const std::vector<std::string> kKeys{"threads", "memory", "report", "checksums"};
    m_problems.add(position, concat("[run]: unknown key ", quoted(key), geo::did_you_mean(key, kKeys)));
  }
}

void Reader::read_run(const toml::table& document) {
  if (const toml::node* node = document.get("run")) {
    const toml::table* run = node->as_table();
    if (run == nullptr) {
      m_problems.add(position_of(node->source()), concat("'run' must be a table, got ", type_text(*node)));
      return;
    }
    for (auto&& [key, value] : *run) {
      const auto given = value_of(value, concat("[run] ", quoted(std::string(key.str()))));
      if (given) set_run_value(std::string(key.str()), *given, position_of(key.source()));
    }
  }
  for (auto& o : m_overrides) {
    if (o.place != "run") continue;
    o.used = true;
    long long number = 0;
    Given given = o.value;
    if (geo::parse_number(o.value, number) && o.name == "threads") given = static_cast<std::int64_t>(number);
    if (o.value == "true" || o.value == "false") given = o.value == "true";
    set_run_value(o.name, given, {});
  }
}

void Reader::read_vars(const toml::table& document) {
  if (const toml::node* node = document.get("vars")) {
    const toml::table* vars = node->as_table();
    if (vars == nullptr) {
      m_problems.add(position_of(node->source()), concat("'vars' must be a table, got ", type_text(*node)));
      return;
    }
    for (auto&& [key, value] : *vars) {
      const auto given = value_of(value, concat("[vars] ", quoted(std::string(key.str()))));
      if (!given) continue;
      m_vars[std::string(key.str())] = std::visit(
          [](const auto& v) {
            using T = std::decay_t<decltype(v)>;
            if constexpr (std::is_same_v<T, bool>) return std::string(v ? "true" : "false");
            if constexpr (std::is_same_v<T, double>) return geo::shortest(v);
            return concat(v);
          },
          *given);
    }
  }
  for (auto& o : m_overrides) {
    if (o.place != "vars") continue;
    o.used = true;
    m_vars[o.name] = o.value;
  }
}

void Reader::read_steps(const toml::table& document) {
  const toml::node* node = document.get("step");
  const toml::array* steps = node == nullptr ? nullptr : node->as_array();
  if (steps == nullptr || steps->empty()) {
    m_problems.add(node == nullptr ? SourcePosition{1, 1} : position_of(node->source()),
                   "a workflow needs at least one [[step]]");
    return;
  }
  std::size_t number = 0;
  for (const auto& item : *steps) {
    ++number;
    if (const toml::table* table = item.as_table()) {
      read_step(*table, number);
    } else {
      m_problems.add(position_of(item.source()), "a step must be a table: write [[step]]");
    }
  }
}

void Reader::read_step(const toml::table& table, std::size_t number) {
  const SourcePosition position = position_of(table.source());
  const toml::node* use = table.get("use");
  const auto command = use == nullptr ? std::nullopt : text_of(*use, concat("step ", number, ": 'use'"));
  if (use == nullptr)
    m_problems.add(position, concat("step ", number, ": 'use' is missing; it names the command"));
  auto made = command ? m_commands.make(*command) : nullptr;
  // A workflow inside a workflow would hide its files from the checks.
  if (command && (made == nullptr || *command == "run")) {
    const auto names = m_commands.names();
    m_problems.add(position_of(use->source()),
                   made == nullptr ? concat("step ", number, ": unknown command ", quoted(*command),
                                            geo::did_you_mean(*command, names))
                                   : concat("step ", number, ": a step cannot be 'run'"));
    made = nullptr;
  }
  WorkflowStep step;
  step.command = command.value_or("");
  step.position = position;
  read_id(table, step);
  if (made == nullptr) {
    remember_texts(table);
    for (auto& o : m_overrides) o.used = o.used || o.place == step.id;
    return;
  }
  step.bound = std::make_unique<BoundStep>(std::move(made));
  const std::size_t problems_before = m_problems.size();
  read_options(table, step);
  apply_overrides(step);
  settle(step, m_problems.size() == problems_before);
  m_workflow.steps.push_back(std::move(step));
}

/// Of a step that cannot be read: any of its texts may be a path that it would write.
void Reader::remember_texts(const toml::table& table) {
  m_complete = false;
  for (auto&& [key, node] : table) {
    const auto text = node.value_exact<std::string>();
    if (!text || key == "use" || key == "id" || key == "after") continue;
    m_maybe_made.push_back(comparable_path(from_here(substituted(*text, position_of(node.source())))));
  }
}

void Reader::read_id(const toml::table& table, WorkflowStep& step) {
  step.id = step.command;
  SourcePosition position = step.position;
  if (const toml::node* node = table.get("id")) {
    position = position_of(node->source());
    step.id = text_of(*node, "'id'").value_or(step.command);
  }
  const auto same = std::ranges::find(m_workflow.steps, step.id, &WorkflowStep::id);
  if (same != m_workflow.steps.end()) {
    m_problems.add(position, concat("two steps have the id ", quoted(step.id), " (the other one is in line ",
                                    same->position.line, "); give one of them another 'id'"));
  }
}

void Reader::read_after(const toml::node& node, const std::string& id) {
  const auto add = [&](const toml::node& item) {
    const auto text = text_of(item, concat("step ", quoted(id), ": 'after'"));
    if (text) m_after.push_back({m_workflow.steps.size(), *text, position_of(item.source())});
  };
  if (const toml::array* list = node.as_array()) {
    for (const auto& item : *list) add(item);
  } else {
    add(node);
  }
}

void Reader::read_options(const toml::table& table, WorkflowStep& step) {
  for (auto&& [key, node] : table) {
    if (key == "use" || key == "id") continue;
    if (key == "after") {
      read_after(node, step.id);
    } else if (key == "overwrite") {
      const auto flag = node.value<bool>();
      step.overwrite = flag.value_or(false);
      if (!node.is_boolean()) {
        m_problems.add(position_of(node.source()),
                       concat("step ", quoted(step.id), ": 'overwrite' must be true or false"));
      }
    } else {
      read_option(key, node, step);
    }
  }
}

void Reader::read_option(const toml::key& key, const toml::node& node, WorkflowStep& step) {
  std::string name(key.str());
  std::ranges::replace(name, '_', '-');
  const std::string label = concat("step ", quoted(step.id), ": ");
  Option* option = step.bound->options.find(name);
  if (option == nullptr) {
    CommonOptions common;
    OptionTable common_table;
    common.declare(common_table);
    const auto names = step.bound->options.names();
    m_problems.add(position_of(key.source()),
                   common_table.find(name) != nullptr
                       ? concat(label, quoted(name),
                                " belongs to the whole run; put it into [run] or on the command line")
                       : concat(label, "unknown option ", quoted(name), geo::did_you_mean(name, names)));
    return;
  }
  step.option_positions[name] = position_of(node.source());
  const auto values = values_of(node, label + quoted(name));
  if (!values) return;
  const std::string problem = option->assign(*values);
  if (!problem.empty()) m_problems.add(position_of(node.source()), concat(label, quoted(name), " ", problem));
}

/// What --set says of an option: repeated, it gives a list its values one by one; else the last one counts.
std::vector<std::string> Reader::override_values(const Override& last, bool is_list) const {
  std::vector<std::string> values;
  for (const Override& o : m_overrides) {
    if (o.place == last.place && o.name == last.name && (is_list || &o == &last)) values.push_back(o.value);
  }
  return values;
}

void Reader::apply_overrides(WorkflowStep& step) {
  for (auto& o : m_overrides) {
    if (o.place != step.id) continue;
    o.used = true;
    if (o.name == "overwrite" && (o.value == "true" || o.value == "false")) {
      step.overwrite = o.value == "true";
      continue;
    }
    Option* option = step.bound->options.find(o.name);
    if (option == nullptr) {
      const auto names = step.bound->options.names();
      m_problems.add({}, concat("--set ", o.text, ": unknown option ", quoted(o.name),
                                geo::did_you_mean(o.name, names)));
      continue;
    }
    step.option_positions.erase(o.name);
    const std::string problem = option->assign_texts(override_values(o, option->is_list()));
    if (!problem.empty()) m_problems.add({}, concat("--set ", o.text, ": ", quoted(o.name), " ", problem));
  }
}

/// Paths as seen from the working folder, then the rules that need all values.
/// @param sound  every option has a value that fits, so that the step may judge them together
void Reader::settle(WorkflowStep& step, bool sound) {
  step.overwrite = step.overwrite || m_settings.overwrite;
  for (const auto& option : step.bound->options.options()) {
    if (option->role() == PathRole::kNone || !option->was_set()) continue;
    // A path on the command line is seen from the working folder already.
    const bool from_file = step.option_positions.contains(option->name());
    if (from_file) option->map_texts([&](const std::string& path) { return from_here(path); });
  }
  auto problems = step.bound->options.problems();
  if (problems.empty() && sound) {
    try {
      step.bound->step->check();
    } catch (const geo::Error& e) {
      problems.emplace_back(e.what());
    }
  }
  for (const auto& problem : problems) {
    // An option with a wrong value was told already.
    const bool told = std::ranges::any_of(step.option_positions, [&](const auto& given) {
      return problem == concat("option ", quoted(given.first), " is missing");
    });
    if (!told) m_problems.add(step.position, concat("step ", quoted(step.id), ": ", problem));
  }
}

void Reader::resolve_after() {
  std::vector<std::string> ids;
  for (const auto& step : m_workflow.steps) ids.push_back(step.id);
  for (const auto& after : m_after) {
    const auto found = std::ranges::find(ids, after.id);
    if (found != ids.end()) {
      m_workflow.steps[after.step].waits_for.push_back(static_cast<std::size_t>(found - ids.begin()));
    } else if (m_complete) {
      m_problems.add(after.position,
                     concat("step ", quoted(m_workflow.steps[after.step].id), ": 'after' names ",
                            quoted(after.id), ", which is no step", geo::did_you_mean(after.id, ids)));
    }
  }
}

void Reader::report_unused_overrides() {
  std::vector<std::string> places{"vars", "run"};
  for (const auto& step : m_workflow.steps) places.push_back(step.id);
  for (const auto& o : m_overrides) {
    if (!o.used)
      m_problems.add(
          {}, concat("--set ", o.text, ": no step ", quoted(o.place), geo::did_you_mean(o.place, places)));
  }
}

void Reader::choose_report() {
  if (!m_report.empty()) {
    m_workflow.report = from_here(substituted(m_report, {}));
    return;
  }
  for (const auto& step : m_workflow.steps) {
    const auto outputs = used_paths(step.bound->options, PathRole::kOutput);
    if (outputs.empty()) continue;
    fs::path first = outputs.front().text;
    if (!first.has_filename()) first = first.parent_path();
    m_workflow.report = first.parent_path() / "run.json";
    return;
  }
}

std::optional<std::string> Reader::text_of(const toml::node& node, const std::string& what) {
  if (const auto text = node.value_exact<std::string>())
    return substituted(*text, position_of(node.source()));
  m_problems.add(position_of(node.source()), concat(what, " must be text, got ", type_text(node)));
  return std::nullopt;
}

std::optional<Given> Reader::value_of(const toml::node& node, const std::string& what) {
  if (const auto v = node.value_exact<bool>()) return *v;
  if (const auto v = node.value_exact<std::int64_t>()) return *v;
  if (const auto v = node.value_exact<double>()) return *v;
  if (const auto v = node.value_exact<std::string>()) return substituted(*v, position_of(node.source()));
  m_problems.add(position_of(node.source()),
                 concat(what, " must be text, a number, true or false, got ", type_text(node)));
  return std::nullopt;
}

std::optional<std::vector<Given>> Reader::values_of(const toml::node& node, const std::string& what) {
  std::vector<Given> values;
  const toml::array* list = node.as_array();
  if (list == nullptr) {
    const auto value = value_of(node, what);
    if (!value) return std::nullopt;
    return std::vector<Given>{*value};
  }
  for (const auto& item : *list) {
    const auto value = value_of(item, what);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

/// {name} becomes the variable of that name, {{ a brace. Braces around anything but a name stay.
std::string Reader::substituted(const std::string& text, SourcePosition position) {
  const auto is_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') {
      result += text[i];
      continue;
    }
    if (text.substr(i, 2) == "{{") {
      result += text[i++];
      continue;
    }
    std::size_t end = i + 1;
    while (end < text.size() && is_name(text[end])) ++end;
    if (end == i + 1 || end == text.size() || text[end] != '}') {
      result += text[i];
      continue;
    }
    const std::string name = text.substr(i + 1, end - i - 1);
    const auto found = m_vars.find(name);
    if (found == m_vars.end()) {
      std::vector<std::string> names;
      for (const auto& [known, value] : m_vars) names.push_back(known);
      m_problems.add(position, concat("unknown variable {", name, "}", geo::did_you_mean(name, names),
                                      "; variables are set in [vars]"));
    } else {
      result += found->second;
    }
    i = end;
  }
  return result;
}

std::string Reader::from_here(const std::string& path) const {
  const bool relative = fs::path(path).is_relative() && path != "-" && path.find("://") == std::string::npos;
  const bool connection = path.find(':') != std::string::npos;
  if (!relative || connection || m_folder.empty()) return path;
  return (m_folder / path).lexically_normal().string();
}

}  // namespace

Workflow read_workflow(const fs::path& file, const CommandSet& commands, const WorkflowSettings& settings) {
  return Reader(file, commands, settings).read();
}

}  // namespace furrow::workflow
