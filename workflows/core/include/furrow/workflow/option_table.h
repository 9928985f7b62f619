#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace furrow::workflow {

/// What a path option stands for. Inputs must exist before the run (or be made by an earlier step of a
/// workflow); outputs link steps into a graph and are checked for being writable before anything starts.
enum class PathRole { kNone, kInput, kOutput };

/// One declared option; filled in by chained calls. It feeds the command line, the workflow file, --help,
/// --json-usage, the table in the command's page, and shell completion.
class Option {
 public:
  using Target = std::variant<bool*, std::int64_t*, double*, std::string*, std::optional<std::int64_t>*,
                              std::optional<double>*, std::vector<std::int64_t>*, std::vector<double>*,
                              std::vector<std::string>*>;

  /// A value as the workflow file or the command line gives it.
  using Given = std::variant<bool, std::int64_t, double, std::string>;

  Option(std::string name, Target target);

  /// One sentence, without a full stop.
  Option& help(std::string text);
  Option& unit(std::string unit);    ///< "px", "m", "m2", "degrees"
  Option& group(std::string title);  ///< heading in --help; default "Options"
  Option& required();
  /// Inclusive bounds for numbers (each number of a list).
  Option& range(double low, double high);
  Option& at_least(double low) { return range(low, std::numeric_limits<double>::infinity()); }
  /// Numbers must be finite unless this is said (a nodata value may be NaN).
  Option& nan_allowed();
  /// The only texts allowed (each text of a list).
  Option& choices(std::vector<std::string> values);
  /// The exact number of values that a list needs.
  Option& count(std::size_t values);
  Option& short_name(char letter);
  /// Also accepted without its name, in order of declaration; a list takes all that remain.
  Option& positional();
  /// A path that is read. `kind` for messages: "raster", "vector layer", "table", "model folder", "file".
  Option& input(std::string kind);
  /// A path that is written. `kind` likewise, or "folder".
  Option& output(std::string kind);
  /// An output that the step adds to or goes on with (a resumed run): no error when it exists.
  Option& may_exist();
  /// Not allowed together with another option (give it on one of the two).
  Option& excludes(std::string other);

  [[nodiscard]] const std::string& name() const noexcept { return m_name; }
  [[nodiscard]] const std::string& help_text() const noexcept { return m_help; }
  [[nodiscard]] const std::string& unit_text() const noexcept { return m_unit; }
  [[nodiscard]] const std::string& group_title() const noexcept { return m_group; }
  [[nodiscard]] bool is_required() const noexcept { return m_required; }
  [[nodiscard]] bool is_positional() const noexcept { return m_positional; }
  [[nodiscard]] bool is_list() const noexcept;
  [[nodiscard]] bool is_flag()
      const noexcept;  ///< a Boolean: no value on the command line; --no-NAME switches off
  [[nodiscard]] char short_letter() const noexcept { return m_short; }
  [[nodiscard]] PathRole role() const noexcept { return m_role; }
  [[nodiscard]] bool output_may_exist() const noexcept { return m_may_exist; }
  [[nodiscard]] const std::string& path_kind() const noexcept { return m_kind; }
  [[nodiscard]] const std::vector<std::string>& allowed() const noexcept { return m_choices; }
  [[nodiscard]] const std::vector<std::string>& excluded() const noexcept { return m_excludes; }
  [[nodiscard]] double low() const noexcept { return m_low; }
  [[nodiscard]] double high() const noexcept { return m_high; }
  [[nodiscard]] bool may_be_nan() const noexcept { return m_nan_allowed; }
  [[nodiscard]] std::optional<std::size_t> value_count() const noexcept { return m_count; }
  /// "flag", "integer", "number", "text", "path", or the same with " list".
  [[nodiscard]] std::string type_name() const;
  /// The default as text (the target's value when it was declared); empty = none.
  [[nodiscard]] const std::string& default_text() const noexcept { return m_default; }
  [[nodiscard]] bool was_set() const noexcept { return m_set; }
  /// The value now, one per list item; empty texts and unset numbers give none.
  [[nodiscard]] std::vector<Given> values() const;
  /// The value as texts, one per list item.
  [[nodiscard]] std::vector<std::string> value_texts() const;

  /// Checks type, range and choices and stores the value(s).
  /// @return empty, or what is wrong without the option's name, for example "must be an integer >= 1, got
  /// text \"ten\""
  [[nodiscard]] std::string assign(std::span<const Given> values);
  /// The same from command-line texts.
  [[nodiscard]] std::string assign_texts(std::span<const std::string> texts);
  /// Replaces every text value (paths, for instance) by what `change` makes of it; numbers and flags stay.
  void map_texts(const std::function<std::string(const std::string&)>& change);

 private:
  std::string m_name;
  Target m_target;
  std::string m_help;
  std::string m_unit;
  std::string m_group = "Options";
  std::string m_kind;
  std::string m_default;
  std::vector<std::string> m_choices;
  std::vector<std::string> m_excludes;
  std::optional<std::size_t> m_count;
  double m_low = -std::numeric_limits<double>::infinity();
  double m_high = std::numeric_limits<double>::infinity();
  PathRole m_role = PathRole::kNone;
  char m_short = '\0';
  bool m_required = false;
  bool m_positional = false;
  bool m_may_exist = false;
  bool m_nan_allowed = false;
  bool m_set = false;
};

/// The options of one step. Names are lower-case words joined by hyphens.
class OptionTable {
 public:
  /// Declares an option whose value goes to `target` (which must outlive the table) and whose default is what
  /// `target` holds now.
  Option& add(std::string name, Option::Target target);

  [[nodiscard]] Option* find(std::string_view name);
  [[nodiscard]] const Option* find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Option>>& options() const noexcept { return m_options; }
  [[nodiscard]] std::vector<std::string> names() const;
  /// Everything wrong after all values were assigned: missing required options, options that exclude each
  /// other.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  std::vector<std::unique_ptr<Option>> m_options;
};

}  // namespace furrow::workflow
