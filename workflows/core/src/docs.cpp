#include <furrow/workflow/docs.h>

#include <algorithm>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/workflow/help.h>

namespace furrow::workflow {
namespace {

using geo::concat;

constexpr std::string_view kBegin = "<!-- generated:begin -->\n";
constexpr std::string_view kEnd = "<!-- generated:end -->";

/// A bar would end the table's cell.
std::string cell(std::string text) {
  for (auto at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
    text.replace(at, 1, "\\|");
  return text;
}

std::string name_cell(const Option& option) {
  std::string text = concat("`--", option.name(), '`');
  if (option.short_letter() != '\0') text += concat(", `-", option.short_letter(), '`');
  if (option.is_positional())
    text += option.is_list() ? ", or the words without a name" : ", or without a name";
  return text;
}

std::string value_cell(const Option& option) {
  std::string text = option.allowed().empty() ? option.type_name() : geo::join(option.allowed(), ", ");
  if (!option.allowed().empty() && option.is_list()) text += " (list)";
  if (!option.unit_text().empty()) text += ", " + option.unit_text();
  if (const std::string bounds = bounds_note(option); !bounds.empty()) text += ", " + bounds;
  if (option.value_count()) text += concat(", ", *option.value_count(), " values");
  return text;
}

std::string default_cell(const Option& option) {
  if (option.is_required()) return "required";
  if (option.is_flag())
    return option.default_text() == "true" ? concat("on; `--no-", option.name(), '`') : "off";
  return option.default_text();
}

std::string meaning_cell(const Option& option) {
  std::string text = option.help_text();
  for (const auto& other : option.excluded()) text += concat("; not with `--", other, '`');
  return text;
}

std::string option_rows(const OptionTable& options) {
  std::string text = "| option | value | default | meaning |\n|---|---|---|---|\n";
  for (const auto& option : options.options()) {
    text += concat("| ", name_cell(*option), " | ", cell(value_cell(*option)), " | ",
                   cell(default_cell(*option)), " | ", cell(meaning_cell(*option)), " |\n");
  }
  return text;
}

}  // namespace

std::string command_reference(const StepInfo& info, const OptionTable& options) {
  std::string text = concat(info.summary, ".\n\n```\n", synopsis(info, options), "\n```\n\n");
  if (!options.options().empty()) text += option_rows(options);
  text += "\nAlso the [common options](README.md#common-options). Exit codes: ";
  for (const auto& [code, meaning] : exit_code_texts())
    text += concat(code == 0 ? "" : "; ", code, ' ', meaning);
  return text + ".\n";
}

std::string command_index(const CommandSet& commands, const OptionTable& common) {
  std::string text = "| command | does |\n|---|---|\n";
  for (const auto& step : commands.make_all()) {
    const StepInfo info = step->info();
    text += concat("| [", info.name, "](", page_name(info.name), ") | ", cell(info.summary), " |\n");
  }
  return concat(text, "\n## Common options\n\n", option_rows(common));
}

std::string page_name(const std::string& command) {
  std::string name = command;
  std::ranges::replace(name, ' ', '-');
  return name + ".md";
}

std::string with_generated(const std::string& page, const std::string& generated) {
  const auto begin = page.find(kBegin);
  const auto end = page.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw geo::InvalidArgument("the lines <!-- generated:begin --> and <!-- generated:end --> are missing");
  }
  return page.substr(0, begin + kBegin.size()) + generated + page.substr(end);
}

}  // namespace furrow::workflow
