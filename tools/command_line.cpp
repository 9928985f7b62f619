#include "command_line.h"

#include <algorithm>
#include <map>
#include <utility>

#include <CLI/CLI.hpp>

#include <furrow/geo/core/text.h>

namespace furrow::tools {
namespace {

using geo::concat;
using geo::quoted;
using workflow::Option;
using workflow::OptionTable;

using Bindings = std::vector<std::pair<CLI::Option*, Option*>>;

void bind(CLI::App& app, OptionTable& table, Bindings& bindings) {
  for (const auto& option : table.options()) {
    std::string names = option->short_letter() != '\0' ? concat('-', option->short_letter(), ',') : "";
    names += "--" + option->name();
    if (option->is_flag()) {
      names += ",!--no-" + option->name();
      bindings.emplace_back(app.add_flag(names)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll),
                            option.get());
      continue;
    }
    if (option->is_positional()) names = option->name() + "," + names;
    auto* bound =
        app.add_option_function<std::vector<std::string>>(names, [](const std::vector<std::string>&) {});
    if (!option->is_list()) bound->expected(1)->allow_extra_args(false);
    bound->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    // Tells the parser to leave enough words for it; that it was given is checked later, with everything
    // else.
    if (option->is_positional() && option->is_required()) bound->required();
    bindings.emplace_back(bound, option.get());
  }
}

/// "--out --overwrite": the value of an option was forgotten.
bool is_an_option(const std::string& text, const Bindings& bindings) {
  return std::ranges::any_of(bindings, [&](const auto& pair) { return text == "--" + pair.second->name(); });
}

void assign(const Bindings& bindings, ParseResult& result) {
  for (const auto& [given, option] : bindings) {
    if (given->count() == 0) continue;
    std::vector<std::string> texts = given->results();
    if (option->is_flag()) {
      if (option->name() == "verbose") result.verbosity = static_cast<int>(texts.size());
      texts.erase(texts.begin(), texts.end() - 1);  // the last one counts
    } else if (is_an_option(texts.back(), bindings)) {
      result.problems.push_back(
          concat("option '--", option->name(), "' needs a value, got ", quoted(texts.back())));
      continue;
    }
    const std::string problem = option->assign_texts(texts);
    if (!problem.empty()) result.problems.push_back(concat("'--", option->name(), "' ", problem));
  }
}

void name_extras(const Bindings& bindings, ParseResult& result) {
  std::vector<std::string> names;
  for (const auto& [given, option] : bindings) names.push_back("--" + option->name());
  bool may_be_its_value = false;  // of an unknown option
  for (const auto& extra : result.rest) {
    if (extra.size() > 1 && extra.front() == '-') {
      may_be_its_value = extra.find('=') == std::string::npos;
      const std::string name = extra.substr(0, extra.find('='));
      result.problems.push_back(concat("unknown option ", quoted(name), geo::did_you_mean(name, names)));
    } else if (!std::exchange(may_be_its_value, false)) {
      result.problems.push_back(concat("unexpected argument ", quoted(extra)));
    }
  }
}

/// Lets CLI11 cut the arguments up. Its own complaints about missing values become problems.
void parse(CLI::App& app, const std::vector<std::string>& arguments, ParseResult& result) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::RequiredError&) {
    // OptionTable::problems names everything that is missing, not only the first.
  } catch (const CLI::ArgumentMismatch& e) {
    const std::string message = e.what();
    result.problems.push_back(
        concat("option ", quoted(message.substr(0, message.find(':'))), " needs a value"));
  } catch (const CLI::ParseError& e) {
    std::string message = e.what();
    std::ranges::replace(message, '\n', ' ');
    result.problems.push_back(message);
  }
  result.rest = app.remaining();
}

}  // namespace

std::vector<std::string> normalised(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  bool options_ended = false;
  for (std::string argument : arguments) {
    options_ended = options_ended || argument == "--";
    if (!options_ended && argument.starts_with("--")) {
      const auto end = std::min(argument.find('='), argument.size());
      std::replace(argument.begin() + 2, argument.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
      if (argument == "--progress") argument = "--progress=on";
      if (argument == "--no-progress") argument = "--progress=none";
    }
    result.push_back(std::move(argument));
  }
  return result;
}

ParseResult parse_before_command(const std::vector<std::string>& arguments, OptionTable& common) {
  CLI::App app;
  app.set_help_flag();
  app.prefix_command();
  Bindings bindings;
  bind(app, common, bindings);
  ParseResult result;
  parse(app, arguments, result);
  assign(bindings, result);
  const bool unknown_option = !result.rest.empty() && result.rest.front().starts_with('-');
  if (unknown_option) name_extras(bindings, result);
  return result;
}

ParseResult parse_command(const std::vector<std::string>& arguments, OptionTable& options,
                          OptionTable& common) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  Bindings bindings;
  bind(app, options, bindings);
  bind(app, common, bindings);
  ParseResult result;
  parse(app, arguments, result);
  assign(bindings, result);
  name_extras(bindings, result);
  return result;
}

ChosenCommand choose_command(const std::vector<std::string>& words, const workflow::CommandSet& commands) {
  const auto names = commands.names();
  const auto known = [&](const std::string& name) { return std::ranges::find(names, name) != names.end(); };
  if (words.empty()) return {"", 0, "a command is needed; 'furrow --help' lists them"};
  const std::string& first = words.front();
  const std::string both = words.size() > 1 ? concat(first, ' ', words[1]) : first;
  if (words.size() > 1 && known(both)) return {both, 2, ""};
  if (known(first)) return {first, 1, ""};

  std::vector<std::string> members;
  for (const auto& name : names) {
    if (name.starts_with(first + " ")) members.push_back(name.substr(first.size() + 1));
  }
  if (members.empty()) {
    std::string near = geo::did_you_mean(both, names);
    if (near.empty()) near = geo::did_you_mean(first, names);
    return {"", 0,
            concat("unknown command ", quoted(first),
                   near.empty() ? "; 'furrow --help' lists the commands" : near)};
  }
  const bool has_second = words.size() > 1 && !words[1].starts_with('-');
  return {"", 0,
          has_second ? concat("unknown command ", quoted(both), geo::did_you_mean(words[1], members), " (",
                              first, " has: ", geo::join(members, ", "), ")")
                     : concat(quoted(first), " needs one of: ", geo::join(members, ", "))};
}

}  // namespace furrow::tools
