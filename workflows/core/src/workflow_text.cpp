#include <furrow/workflow/workflow_text.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include <furrow/geo/core/text.h>
#include <furrow/workflow/path_check.h>

namespace furrow::workflow {
namespace {

/// A brace would begin a variable.
std::string with_doubled_braces(const std::string& text) {
  std::string result;
  for (const char c : text) result.append(c == '{' ? 2 : 1, c);
  return result;
}

std::string toml_value(const Option& option, const std::string& text) {
  const std::string type = option.type_name();
  if (option.role() != PathRole::kNone && !is_not_a_plain_path(text)) {
    return toml_quoted(with_doubled_braces(std::filesystem::absolute(text).lexically_normal().string()));
  }
  if (type.starts_with("text") || type.starts_with("path")) return toml_quoted(with_doubled_braces(text));
  // TOML tells numbers from integers by the point or exponent.
  const bool is_plain_number = text.find_first_not_of("0123456789-") == std::string::npos;
  return type.starts_with("number") && is_plain_number ? text + ".0" : text;
}

}  // namespace

std::string toml_quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      quoted += code.data();
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string workflow_text(const std::string& command, const OptionTable& options) {
  std::string text = geo::concat("version = 1\n\n[[step]]\nuse = ", toml_quoted(command), '\n');
  for (const auto& option : options.options()) {
    if (!option->was_set()) continue;
    std::vector<std::string> values;
    for (const auto& value : option->value_texts()) values.push_back(toml_value(*option, value));
    const std::string joined = geo::join(values, ", ");
    if (values.empty() && !option->is_list()) continue;
    text += geo::concat(option->name(), " = ", option->is_list() ? "[" + joined + "]" : joined, '\n');
  }
  return text;
}

}  // namespace furrow::workflow
