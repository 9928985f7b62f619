#include <furrow/workflow/usage_json.h>

#include <cmath>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/version.h>
#include <furrow/workflow/help.h>

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

Json option_json(const Option& option) {
  Json json{{"name", option.name()}, {"type", option.type_name()}, {"help", option.help_text()}};
  if (option.short_letter() != '\0') json["short"] = std::string(1, option.short_letter());
  json["group"] = option.group_title();
  json["required"] = option.is_required();
  json["positional"] = option.is_positional();
  if (!option.unit_text().empty()) json["unit"] = option.unit_text();
  if (std::isfinite(option.low())) json["minimum"] = option.low();
  if (std::isfinite(option.high())) json["maximum"] = option.high();
  if (!option.allowed().empty()) json["choices"] = option.allowed();
  if (option.value_count()) json["count"] = *option.value_count();
  if (!option.default_text().empty()) json["default"] = option.default_text();
  if (option.role() != PathRole::kNone) {
    json["path"] = {{"role", option.role() == PathRole::kInput ? "input" : "output"},
                    {"kind", option.path_kind()}};
  }
  if (!option.excluded().empty()) json["excludes"] = option.excluded();
  return json;
}

Json options_json(const OptionTable& table) {
  Json options = Json::array();
  for (const auto& option : table.options()) options.push_back(option_json(*option));
  return options;
}

Json command_json(const StepInfo& info, const OptionTable& options) {
  Json examples = Json::array();
  for (const auto& example : info.examples)
    examples.push_back({{"title", example.title}, {"command", example.command}});
  return {{"name", info.name},       {"summary", info.summary}, {"synopsis", synopsis(info, options)},
          {"details", info.details}, {"examples", examples},    {"options", options_json(options)}};
}

}  // namespace

std::string usage_json(const StepInfo& info, const OptionTable& options) {
  return command_json(info, options).dump(2) + '\n';
}

std::string usage_json(const CommandSet& commands, const OptionTable& common) {
  Json json{{"program", "furrow"}, {"version", geo::furrow_version()}};
  Json list = Json::array();
  for (auto& step : commands.make_all()) {
    const BoundStep bound(std::move(step));
    list.push_back(command_json(bound.step->info(), bound.options));
  }
  json["commands"] = std::move(list);
  json["common_options"] = options_json(common);
  Json codes = Json::object();
  for (const auto& [code, meaning] : exit_code_texts()) codes[std::to_string(code)] = meaning;
  json["exit_codes"] = std::move(codes);
  return json.dump(2) + '\n';
}

}  // namespace furrow::workflow
