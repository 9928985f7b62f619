#include <furrow/workflow/option_table.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::workflow {
namespace {

using geo::concat;
using Given = Option::Given;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

enum class Kind { kFlag, kInteger, kNumber, kText };

struct Shape {
  Kind kind;
  bool list;
};

Shape shape_of(const Option::Target& target) {
  return std::visit(Overloaded{[](bool*) {
                                 return Shape{Kind::kFlag, false};
                               },
                               [](std::int64_t*) {
                                 return Shape{Kind::kInteger, false};
                               },
                               [](double*) {
                                 return Shape{Kind::kNumber, false};
                               },
                               [](std::string*) {
                                 return Shape{Kind::kText, false};
                               },
                               [](std::optional<std::int64_t>*) {
                                 return Shape{Kind::kInteger, false};
                               },
                               [](std::optional<double>*) {
                                 return Shape{Kind::kNumber, false};
                               },
                               [](std::vector<std::int64_t>*) {
                                 return Shape{Kind::kInteger, true};
                               },
                               [](std::vector<double>*) {
                                 return Shape{Kind::kNumber, true};
                               },
                               [](std::vector<std::string>*) {
                                 return Shape{Kind::kText, true};
                               }},
                    target);
}

std::string text_of(bool value) {
  return value ? "true" : "false";
}
std::string text_of(std::int64_t value) {
  return concat(value);
}
std::string text_of(double value) {
  return geo::readable(value);
}
std::string text_of(const std::string& value) {
  return value;
}

std::vector<Given> values_of(const Option::Target& target) {
  std::vector<Given> values;
  const auto add = [&values](const auto& value) { values.emplace_back(value); };
  std::visit(Overloaded{[&](bool* value) { add(*value); }, [&](std::int64_t* value) { add(*value); },
                        [&](double* value) { add(*value); },
                        [&](std::string* value) {
                          if (!value->empty()) add(*value);
                        },
                        [&]<class T>(std::optional<T>* value) {
                          if (value->has_value()) add(**value);
                        },
                        [&]<class T>(std::vector<T>* items) { std::ranges::for_each(*items, add); }},
             target);
  return values;
}

std::string described(const Given& given) {
  return std::visit(Overloaded{[](bool v) { return text_of(v); }, [](std::int64_t v) { return text_of(v); },
                               [](double v) { return text_of(v); },
                               [](const std::string& v) { return concat('"', v, '"'); }},
                    given);
}

std::string described_with_type(const Given& given) {
  static constexpr const char* kNames[] = {"true/false", "integer", "number", "text"};
  return concat(kNames[given.index()], " ", described(given));
}

std::string bounds_text(double low, double high) {
  const bool has_low = std::isfinite(low);
  const bool has_high = std::isfinite(high);
  if (has_low && has_high) return concat(" from ", geo::readable(low), " to ", geo::readable(high));
  if (has_low) return concat(" >= ", geo::readable(low));
  if (has_high) return concat(" <= ", geo::readable(high));
  return {};
}

std::string expectation(const Option& option, Kind kind) {
  switch (kind) {
    case Kind::kFlag:
      return "must be true or false";
    case Kind::kInteger:
      return "must be an integer" + bounds_text(option.low(), option.high());
    case Kind::kNumber:
      return "must be a number" + bounds_text(option.low(), option.high());
    case Kind::kText:
      break;
  }
  return option.role() == PathRole::kNone ? "must be text" : "must be a path";
}

std::optional<double> number_of(const Given& given, Kind kind) {
  if (const auto* integer = std::get_if<std::int64_t>(&given)) return static_cast<double>(*integer);
  const auto* number = std::get_if<double>(&given);
  if (kind == Kind::kNumber && number != nullptr) return *number;
  return std::nullopt;
}

/// What is wrong with one number, or empty.
std::string number_problem(const Option& option, Kind kind, const Given& given) {
  const auto number = number_of(given, kind);
  if (!number) return concat(expectation(option, kind), ", got ", described_with_type(given));
  const bool inside = *number >= option.low() && *number <= option.high();
  const bool allowed = std::isfinite(*number) ? inside : option.may_be_nan() && std::isnan(*number);
  if (!allowed) return concat(expectation(option, kind), ", got ", described(given));
  return {};
}

std::string text_problem(const Option& option, const Given& given) {
  const auto* text = std::get_if<std::string>(&given);
  if (text == nullptr) {
    return concat(expectation(option, Kind::kText), ", got ", described_with_type(given),
                  "; put it between quotes");
  }
  if (option.role() != PathRole::kNone && text->empty()) return "must be a path, got an empty text";
  const auto& allowed = option.allowed();
  if (!allowed.empty() && std::ranges::find(allowed, *text) == allowed.end()) {
    return concat("must be one of ", geo::join(allowed, ", "), ", got ", described(given),
                  geo::did_you_mean(*text, allowed));
  }
  return {};
}

std::string value_problem(const Option& option, Kind kind, const Given& given) {
  switch (kind) {
    case Kind::kFlag:
      return std::holds_alternative<bool>(given)
                 ? std::string{}
                 : concat(expectation(option, kind), ", got ", described_with_type(given));
    case Kind::kInteger:
    case Kind::kNumber:
      return number_problem(option, kind, given);
    case Kind::kText:
      break;
  }
  return text_problem(option, given);
}

template <class T>
T value_as(const Given& given) {
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* integer = std::get_if<std::int64_t>(&given)) return static_cast<double>(*integer);
  }
  return std::get<T>(given);
}

void store(const Option::Target& target, std::span<const Given> values) {
  std::visit(Overloaded{[&]<class T>(T* value) { *value = value_as<T>(values.front()); },
                        [&]<class T>(std::optional<T>* value) { *value = value_as<T>(values.front()); },
                        [&]<class T>(std::vector<T>* list) {
                          list->clear();
                          for (const auto& given : values) list->push_back(value_as<T>(given));
                        }},
             target);
}

/// A command-line text as the type that is wanted; what does not fit stays a text, so that the message can
/// show it.
Given given_of(const std::string& text, Kind kind) {
  if (kind == Kind::kFlag) {
    const std::string lower = geo::to_lower(text);
    for (const char* word : {"true", "yes", "on", "1"}) {
      if (lower == word) return true;
    }
    for (const char* word : {"false", "no", "off", "0"}) {
      if (lower == word) return false;
    }
  }
  long long integer = 0;
  if (kind == Kind::kInteger && geo::parse_number(text, integer)) return static_cast<std::int64_t>(integer);
  double number = 0.0;
  if ((kind == Kind::kNumber || kind == Kind::kInteger) && geo::parse_number(text, number)) return number;
  return text;
}

}  // namespace

Option::Option(std::string name, Target target) : m_name(std::move(name)), m_target(target) {
  m_default = geo::join(value_texts(), ",");
}

Option& Option::help(std::string text) {
  m_help = std::move(text);
  return *this;
}

Option& Option::unit(std::string unit) {
  m_unit = std::move(unit);
  return *this;
}

Option& Option::group(std::string title) {
  m_group = std::move(title);
  return *this;
}

Option& Option::required() {
  m_required = true;
  return *this;
}

Option& Option::range(double low, double high) {
  m_low = low;
  m_high = high;
  return *this;
}

Option& Option::nan_allowed() {
  m_nan_allowed = true;
  return *this;
}

Option& Option::choices(std::vector<std::string> values) {
  m_choices = std::move(values);
  return *this;
}

Option& Option::count(std::size_t values) {
  m_count = values;
  return *this;
}

Option& Option::short_name(char letter) {
  m_short = letter;
  return *this;
}

Option& Option::positional() {
  m_positional = true;
  return *this;
}

Option& Option::input(std::string kind) {
  m_role = PathRole::kInput;
  m_kind = std::move(kind);
  return *this;
}

Option& Option::output(std::string kind) {
  m_role = PathRole::kOutput;
  m_kind = std::move(kind);
  return *this;
}

Option& Option::may_exist() {
  m_may_exist = true;
  return *this;
}

Option& Option::excludes(std::string other) {
  m_excludes.push_back(std::move(other));
  return *this;
}

bool Option::is_list() const noexcept {
  return shape_of(m_target).list;
}
bool Option::is_flag() const noexcept {
  return shape_of(m_target).kind == Kind::kFlag;
}

std::string Option::type_name() const {
  static constexpr const char* kNames[] = {"flag", "integer", "number", "text"};
  const Shape shape = shape_of(m_target);
  const std::string name = m_role == PathRole::kNone ? kNames[static_cast<int>(shape.kind)] : "path";
  return shape.list ? name + " list" : name;
}

std::vector<Given> Option::values() const {
  return values_of(m_target);
}

std::vector<std::string> Option::value_texts() const {
  std::vector<std::string> texts;
  for (const auto& value : values()) {
    texts.push_back(std::visit([](const auto& v) { return text_of(v); }, value));
  }
  return texts;
}

std::string Option::assign(std::span<const Given> values) {
  const Shape shape = shape_of(m_target);
  if (!shape.list && values.size() != 1) return concat("takes one value, got ", values.size());
  if (m_count && values.size() != *m_count) return concat("needs ", *m_count, " values, got ", values.size());
  if (m_required && values.empty()) return "needs at least one value";
  for (const auto& value : values) {
    std::string problem = value_problem(*this, shape.kind, value);
    if (!problem.empty()) return problem;
  }
  store(m_target, values);
  m_set = true;
  return {};
}

std::string Option::assign_texts(std::span<const std::string> texts) {
  const Shape shape = shape_of(m_target);
  // Numbers and fixed words never hold a comma, paths may.
  const bool split_commas = shape.list && (shape.kind != Kind::kText || !m_choices.empty());
  std::vector<Given> values;
  for (const auto& text : texts) {
    if (!split_commas) {
      values.push_back(given_of(text, shape.kind));
      continue;
    }
    for (const auto& part : geo::split(text, ',')) {
      values.push_back(given_of(std::string(geo::trim(part)), shape.kind));
    }
  }
  return assign(values);
}

void Option::map_texts(const std::function<std::string(const std::string&)>& change) {
  std::visit(Overloaded{[&](std::string* value) {
                          if (!value->empty()) *value = change(*value);
                        },
                        [&](std::vector<std::string>* values) {
                          for (auto& value : *values) value = change(value);
                        },
                        [](auto*) {}},
             m_target);
}

Option& OptionTable::add(std::string name, Option::Target target) {
  if (find(name) != nullptr)
    throw geo::InvalidArgument(concat("option ", geo::quoted(name), " is declared twice"));
  m_options.push_back(std::make_unique<Option>(std::move(name), target));
  return *m_options.back();
}

Option* OptionTable::find(std::string_view name) {
  const auto it =
      std::ranges::find_if(m_options, [name](const auto& option) { return option->name() == name; });
  return it == m_options.end() ? nullptr : it->get();
}

const Option* OptionTable::find(std::string_view name) const {
  const auto it =
      std::ranges::find_if(m_options, [name](const auto& option) { return option->name() == name; });
  return it == m_options.end() ? nullptr : it->get();
}

std::vector<std::string> OptionTable::names() const {
  std::vector<std::string> names;
  for (const auto& option : m_options) names.push_back(option->name());
  return names;
}

std::vector<std::string> OptionTable::problems() const {
  std::vector<std::string> problems;
  for (const auto& option : m_options) {
    if (option->is_required() && !option->was_set()) {
      problems.push_back(concat("option ", geo::quoted(option->name()), " is missing"));
    }
    if (!option->was_set()) continue;
    for (const auto& name : option->excluded()) {
      const Option* other = find(name);
      if (other != nullptr && other->was_set()) {
        problems.push_back(concat("options ", geo::quoted(option->name()), " and ", geo::quoted(name),
                                  " exclude each other; give only one"));
      }
    }
  }
  return problems;
}

}  // namespace furrow::workflow
