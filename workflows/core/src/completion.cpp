#include <furrow/workflow/completion.h>

#include <map>
#include <set>

#include <furrow/geo/core/text.h>

namespace furrow::workflow {
namespace {

using geo::concat;

std::string first_word(const std::string& name) {
  return name.substr(0, name.find(' '));
}

/// First words of all commands, and for each the second words that there are. A first word may be a command
/// itself ("score" beside "score site").
std::map<std::string, std::set<std::string>> words_of(const CommandSet& commands) {
  std::map<std::string, std::set<std::string>> words;
  for (const auto& name : commands.names()) {
    auto& second = words[first_word(name)];
    if (name.find(' ') != std::string::npos) second.insert(name.substr(name.find(' ') + 1));
  }
  return words;
}

std::string option_words(const OptionTable& options) {
  std::string words;
  for (const auto& option : options.options())
    words += concat(words.empty() ? "" : " ", "--", option->name());
  return words;
}

std::string bash_values(const std::string& command, const OptionTable& options) {
  std::string text;
  for (const auto& option : options.options()) {
    if (option->allowed().empty()) continue;
    text += concat("    \"", command, " --", option->name(), "\") values=\"",
                   geo::join(option->allowed(), " "), "\" ;;\n");
  }
  return text;
}

std::string bash_script(const CommandSet& commands, const OptionTable& common) {
  std::string firsts;
  std::string seconds;
  for (const auto& [first, second] : words_of(commands)) {
    firsts += (firsts.empty() ? "" : " ") + first;
    if (second.empty()) continue;
    const std::vector<std::string> list(second.begin(), second.end());
    seconds += concat("    ", first, ") words=\"", geo::join(list, " "), "\" ;;\n");
  }
  std::string options;
  std::string values;
  for (auto& step : commands.make_all()) {
    const BoundStep bound(std::move(step));
    const std::string name = bound.step->info().name;
    options += concat("    \"", name, "\") words=\"", option_words(bound.options), "\" ;;\n");
    values += bash_values(name, bound.options);
  }
  return concat(R"(# Completion of furrow for bash: source <(furrow completion bash)
_furrow() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
  local command="${COMP_WORDS[1]}" words="" values="" seconds=()
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ")",
                firsts, R"(" -- "$current"))
    return
  fi
  case "$command" in
)",
                seconds, R"(  esac
  if [ -n "$words" ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      seconds=($(compgen -W "$words" -- "$current"))
    elif [[ " $words " == *" ${COMP_WORDS[2]} "* ]]; then
      command="$command ${COMP_WORDS[2]}"
    fi
    words=""
  fi
  case "$command $previous" in
)",
                values, R"(  esac
  if [ -n "$values" ]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
    return
  fi
  case "$command" in
)",
                options, R"(  esac
  if [ -z "$words" ]; then
    COMPREPLY=("${seconds[@]}")
    return
  fi
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words )",
                option_words(common), R"(" -- "$current")) ;;
    *) COMPREPLY=("${seconds[@]}" $(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _furrow furrow
)");
}

std::string fish_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string fish_option(const std::string& condition, const Option& option) {
  std::string line = concat("complete -c furrow", condition, " -l ", option.name());
  if (option.short_letter() != '\0') line += concat(" -s ", option.short_letter());
  if (!option.is_flag()) line += " -r";
  if (!option.allowed().empty()) line += " -f -a " + fish_quoted(geo::join(option.allowed(), " "));
  return concat(line, " -d ", fish_quoted(option.help_text()), '\n');
}

/// The command line holds this command: its words, and no second word that would make it another command.
std::string fish_condition(const std::string& name, const std::set<std::string>& seconds) {
  const std::string seen = "__fish_seen_subcommand_from ";
  const std::string first = first_word(name);
  if (first != name) return concat(seen, first, "; and ", seen, name.substr(first.size() + 1));
  if (seconds.empty()) return seen + first;
  const std::vector<std::string> list(seconds.begin(), seconds.end());
  return concat(seen, first, "; and not ", seen, geo::join(list, " "));
}

std::string fish_script(const CommandSet& commands, const OptionTable& common) {
  std::string text = "# Completion of furrow for fish: furrow completion fish | source\n";
  const auto words = words_of(commands);
  for (auto& step : commands.make_all()) {
    const BoundStep bound(std::move(step));
    const StepInfo info = bound.step->info();
    const std::string first = first_word(info.name);
    const std::string condition = fish_condition(info.name, words.at(first));
    text += concat("complete -c furrow -n __fish_use_subcommand -f -a ", first, " -d ",
                   fish_quoted(info.summary), '\n');
    if (first != info.name) {
      text += concat("complete -c furrow -n '__fish_seen_subcommand_from ", first, "' -f -a ",
                     info.name.substr(first.size() + 1), " -d ", fish_quoted(info.summary), '\n');
    }
    for (const auto& option : bound.options.options())
      text += fish_option(concat(" -n '", condition, "'"), *option);
  }
  for (const auto& option : common.options()) text += fish_option("", *option);
  return text;
}

}  // namespace

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> kShells{"bash", "zsh", "fish"};
  return kShells;
}

std::string completion_script(const std::string& shell, const CommandSet& commands,
                              const OptionTable& common) {
  if (shell == "fish") return fish_script(commands, common);
  // zsh reads bash's completions.
  const std::string prelude = shell == "zsh" ? "autoload -U +X compinit && compinit\n"
                                               "autoload -U +X bashcompinit && bashcompinit\n"
                                             : "";
  return prelude + bash_script(commands, common);
}

}  // namespace furrow::workflow
