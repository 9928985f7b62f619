#include <cmath>

#include <nlohmann/json.hpp>

#include <furrow/workflow/workflow_file.h>

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

Json item_schema(const Option& option) {
  const std::string type = option.type_name();
  Json json{{"type", type.starts_with("flag")      ? "boolean"
                     : type.starts_with("integer") ? "integer"
                     : type.starts_with("number")  ? "number"
                                                   : "string"}};
  if (std::isfinite(option.low())) json["minimum"] = option.low();
  if (std::isfinite(option.high())) json["maximum"] = option.high();
  if (!option.allowed().empty()) json["enum"] = option.allowed();
  return json;
}

Json option_schema(const Option& option) {
  Json json = item_schema(option);
  if (option.is_list()) {
    Json list{{"type", "array"}, {"items", json}};
    if (option.value_count()) {
      list["minItems"] = *option.value_count();
      list["maxItems"] = *option.value_count();
    }
    // One value may stand for a list of one.
    json = option.value_count() ? list : Json{{"anyOf", Json::array({json, list})}};
  }
  std::string text = option.help_text();
  if (!option.unit_text().empty()) text += " (" + option.unit_text() + ")";
  json["description"] = text;
  return json;
}

Json command_schema(const StepInfo& info, const OptionTable& options) {
  const Json texts{{"type", "array"}, {"items", {{"type", "string"}}}};
  Json properties{{"use", {{"const", info.name}}},
                  {"id", {{"type", "string"}}},
                  {"after", {{"anyOf", Json::array({Json{{"type", "string"}}, texts})}}},
                  {"overwrite", {{"type", "boolean"}}}};
  Json required = Json::array({"use"});
  for (const auto& option : options.options()) {
    properties[option->name()] = option_schema(*option);
    if (option->is_required()) required.push_back(option->name());
  }
  return {{"type", "object"},
          {"description", info.summary},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

}  // namespace

std::string workflow_schema(const CommandSet& commands) {
  Json steps = Json::array();
  for (auto& step : commands.make_all()) {
    const BoundStep bound(std::move(step));
    if (bound.step->info().name == "run") continue;
    steps.push_back(command_schema(bound.step->info(), bound.options));
  }
  const Json run{{"type", "object"},
                 {"properties",
                  {{"threads", {{"type", "integer"}, {"minimum", 1}, {"maximum", 1024}}},
                   {"memory", {{"type", "string"}, {"description", "for example 4 GiB"}}},
                   {"report", {{"type", "string"}, {"description", "where run.json goes"}}},
                   {"checksums", {{"type", "boolean"}}}}},
                 {"additionalProperties", false}};
  const Json schema{
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"title", "Furrow workflow"},
      {"type", "object"},
      {"properties",
       {{"version", {{"const", 1}}},
        {"title", {{"type", "string"}}},
        {"run", run},
        {"vars", {{"type", "object"}, {"additionalProperties", {{"type", {"string", "number", "boolean"}}}}}},
        {"step", {{"type", "array"}, {"minItems", 1}, {"items", {{"oneOf", std::move(steps)}}}}}}},
      {"required", {"version", "step"}},
      {"additionalProperties", false}};
  return schema.dump(2) + '\n';
}

}  // namespace furrow::workflow
