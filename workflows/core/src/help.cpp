#include <furrow/workflow/help.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/text.h>

namespace furrow::workflow {
namespace {

using geo::concat;

constexpr std::size_t kWidth = 100;
constexpr std::size_t kHelpColumn = 30;

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    if (c == '-') return '_';
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

/// "-o, --out PATH", or "SCENE, --scene PATH" for an option that needs no name.
std::string left_column(const Option& option) {
  std::string text = option.short_letter() != '\0' ? concat('-', option.short_letter(), ", ") : "    ";
  if (option.is_positional()) text = concat(upper(option.name()), option.is_list() ? "..." : "", ", ");
  text += "--" + option.name();
  if (option.name() == "progress") return text + "[=json]";
  const std::string word = value_word(option);
  return word.empty() ? text : concat(text, ' ', word);
}

std::string option_line(const Option& option) {
  std::string left = "  " + left_column(option);
  std::string text = option.help_text();
  const std::string notes = geo::join(option_notes(option), "; ");
  if (!notes.empty()) text += concat(" [", notes, "]");
  std::string right = wrapped(text, kWidth, kHelpColumn);
  if (left.size() + 2 <= kHelpColumn) return left + right.substr(left.size());
  return left + "\n" + right;
}

std::string options_text(const OptionTable& options) {
  std::vector<std::string> groups;
  for (const auto& option : options.options()) {
    if (std::ranges::find(groups, option->group_title()) == groups.end())
      groups.push_back(option->group_title());
  }
  std::string text;
  for (const auto& group : groups) {
    text += concat('\n', group, ":\n");
    for (const auto& option : options.options()) {
      if (option->group_title() == group) text += option_line(*option);
    }
  }
  return text;
}

/// Paragraphs are wrapped; lines that begin with a space or a list mark stay as they are.
std::string details_text(const std::string& details) {
  std::string text;
  std::string paragraph;
  const auto flush = [&] {
    if (!paragraph.empty()) text += wrapped(paragraph, kWidth, 0);
    paragraph.clear();
  };
  for (const auto& line : geo::split(geo::trim(details), '\n')) {
    const bool keep = line.starts_with(' ') || line.starts_with("- ");
    if (!keep && !line.empty()) {
      paragraph += (paragraph.empty() ? "" : " ") + line;
      continue;
    }
    flush();
    text += line + '\n';
  }
  flush();
  return text;
}

}  // namespace

const std::vector<ExitCodeText>& exit_code_texts() {
  static const std::vector<ExitCodeText> kTexts{
      {0, "done"},
      {1, "processing failed"},
      {2, "the command line or the workflow file is wrong; nothing was written"},
      {3, "finished, but some inputs failed; they are listed"},
      {130, "interrupted; finished outputs are intact"}};
  return kTexts;
}

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::string line(indent, ' ');
  bool line_has_word = false;
  for (const auto& word : geo::split(text, ' ')) {
    if (word.empty()) continue;
    if (line_has_word && line.size() + 1 + word.size() > width) {
      result += line + '\n';
      line.assign(indent, ' ');
      line_has_word = false;
    }
    if (line_has_word) line += ' ';
    line += word;
    line_has_word = true;
  }
  return result + line + '\n';
}

std::string value_word(const Option& option) {
  if (option.is_flag()) return {};
  if (!option.allowed().empty() && geo::join(option.allowed(), "|").size() <= 30) {
    return geo::join(option.allowed(), "|");
  }
  std::string type = option.type_name();
  type = upper(type.substr(0, type.find(' ')));
  return option.is_list() ? type + "..." : type;
}

std::string bounds_note(const Option& option) {
  const bool has_low = std::isfinite(option.low());
  const bool has_high = std::isfinite(option.high());
  if (has_low && has_high) return concat(geo::readable(option.low()), " to ", geo::readable(option.high()));
  if (has_low) return ">= " + geo::readable(option.low());
  if (has_high) return "<= " + geo::readable(option.high());
  return {};
}

std::vector<std::string> option_notes(const Option& option) {
  std::vector<std::string> notes;
  if (option.is_required()) notes.emplace_back("required");
  if (!option.unit_text().empty()) notes.push_back(option.unit_text());
  if (!option.allowed().empty() && value_word(option).find('|') == std::string::npos) {
    notes.push_back("one of " + geo::join(option.allowed(), ", "));
  }
  if (const std::string bounds = bounds_note(option); !bounds.empty()) notes.push_back(bounds);
  if (option.value_count()) notes.push_back(concat(*option.value_count(), " values"));
  if (option.is_list() && !option.value_count() && !option.is_positional())
    notes.emplace_back("may be repeated");
  if (option.is_flag() && option.default_text() == "true") {
    notes.push_back(concat("default on; --no-", option.name(), " switches it off"));
  } else if (!option.is_flag() && !option.is_required() && !option.default_text().empty() &&
             option.group_title() != "Common options") {
    notes.push_back("default " + option.default_text());
  }
  for (const auto& other : option.excluded()) notes.push_back("not with --" + other);
  return notes;
}

std::string synopsis(const StepInfo& info, const OptionTable& options) {
  std::string text = "furrow " + info.name;
  for (const auto& option : options.options()) {
    if (!option->is_positional()) continue;
    const std::string word = upper(option->name()) + (option->is_list() ? "..." : "");
    text += option->is_required() ? " " + word : concat(" [", word, "]");
  }
  for (const auto& option : options.options()) {
    if (option->is_required() && !option->is_positional()) {
      text += concat(" --", option->name(), ' ', value_word(*option));
    }
  }
  return text + " [options]";
}

std::string command_help(const StepInfo& info, const OptionTable& options, const OptionTable& common) {
  std::string text =
      concat("furrow ", info.name, ": ", info.summary, "\n\nUsage: ", synopsis(info, options), "\n");
  if (!info.details.empty()) text += "\n" + details_text(info.details);
  text += options_text(options);
  text += options_text(common);
  if (!info.examples.empty()) text += "\nExamples:\n";
  for (const auto& example : info.examples)
    text += concat("  # ", example.title, "\n  ", example.command, '\n');
  text += "\nExit codes:\n";
  for (const auto& [code, meaning] : exit_code_texts()) text += concat("  ", code, "  ", meaning, '\n');
  return text;
}

std::string overview_help(const CommandSet& commands, const OptionTable& common) {
  std::string text =
      "furrow: maps agricultural fields from satellite images and several labellers' polygons\n\n"
      "Usage: furrow COMMAND [options]\n\nCommands:\n";
  constexpr std::size_t kSummaryColumn = 22;
  for (const auto& step : commands.make_all()) {
    const StepInfo info = step->info();
    const std::string left = "  " + info.name;
    const std::string right = wrapped(info.summary, kWidth, kSummaryColumn);
    text += left.size() + 1 < kSummaryColumn ? left + right.substr(left.size()) : left + "\n" + right;
  }
  text += options_text(common);
  return text + "\n'furrow COMMAND --help' says more about one command.\n";
}

}  // namespace furrow::workflow
