#include <furrow/labelling/votes_csv.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

using geo::concat;
using geo::quoted;

constexpr std::size_t kMostLabels = 256;

/// Whole numbers above 2^53 are not all different as doubles.
bool plain_number(const std::string& text, double& value) {
  return geo::parse_number(text, value) && std::abs(value) < 9.0e15;
}

bool all_numbers(const std::vector<std::string>& texts) {
  double value = 0.0;
  return std::ranges::all_of(texts, [&](const auto& text) { return plain_number(text, value); });
}

/// The names of items or workers: each text is a name of its own; numbers are sorted as numbers.
std::vector<std::string> sorted_names(const std::set<std::string>& texts) {
  std::vector<std::string> names(texts.begin(), texts.end());
  if (!all_numbers(names)) return names;
  std::vector<std::pair<double, std::string>> by_value;
  for (auto& name : names) {
    double value = 0.0;
    (void)geo::parse_number(name, value);
    by_value.emplace_back(value, std::move(name));
  }
  std::ranges::sort(by_value);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::move(by_value[i].second);
  return names;
}

std::map<std::string, std::size_t> positions(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> result;
  for (std::size_t i = 0; i < names.size(); ++i) result.emplace(names[i], i);
  return result;
}

/// The names of labels. Where all are numbers, 1, 01 and 1.0 are one label.
class LabelNames {
 public:
  explicit LabelNames(std::vector<std::string> names)
      : m_names(std::move(names)), m_numeric(all_numbers(m_names)) {
    for (std::size_t i = 0; i < m_names.size(); ++i) m_positions.emplace(key(m_names[i]), i);
  }
  /// All different labels of a table, sorted and written the shortest way.
  static LabelNames sorted(const std::set<std::string>& texts) {
    std::vector<std::string> names = sorted_names(texts);
    if (all_numbers(names)) {
      for (auto& name : names) name = number_text(name);
      names.erase(std::unique(names.begin(), names.end()), names.end());
    }
    return LabelNames(std::move(names));
  }

  /// Position of a label; -1 when it is not there.
  [[nodiscard]] std::int64_t find(const std::string& text) const {
    const auto found = m_positions.find(key(text));
    return found == m_positions.end() ? -1 : static_cast<std::int64_t>(found->second);
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return m_names; }
  [[nodiscard]] bool has_doubles() const { return m_positions.size() != m_names.size(); }

 private:
  /// A number the shortest way; another text as it is.
  static std::string number_text(const std::string& text) {
    double value = 0.0;
    if (!plain_number(text, value)) return text;
    return geo::readable(value == 0.0 ? 0.0 : value);  // no minus zero
  }
  [[nodiscard]] std::string key(const std::string& text) const {
    return m_numeric ? number_text(text) : text;
  }

  std::vector<std::string> m_names;
  bool m_numeric;
  std::map<std::string, std::size_t> m_positions;
};

/// A cell without the spaces around it; empty where the value is missing.
std::string value_in(const std::string& cell) {
  return geo::is_missing(cell) ? std::string() : std::string(geo::trim(cell));
}

struct Line {
  std::string item, worker, label, truth;
  std::string place;  ///< file and line
};

/// The cell of a column that must be filled in.
std::string needed(const geo::CsvTable& table, std::size_t row, std::size_t column) {
  std::string value = value_in(table.rows[row][column]);
  if (value.empty())
    throw geo::IoError(concat(table.place(row), ": the column ", quoted(table.columns[column]), " is empty"));
  return value;
}

std::vector<Line> read_lines(const VotesCsvOptions& options) {
  const geo::CsvTable table = geo::read_csv(options.path);
  const std::size_t item = table.column(options.item_column);
  const std::size_t worker = table.column(options.worker_column);
  const std::size_t label = table.column(options.label_column);
  const bool has_truth = !options.truth_column.empty();
  const std::size_t truth = has_truth ? table.column(options.truth_column) : 0;
  std::vector<Line> lines;
  lines.reserve(table.rows.size());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    lines.push_back({needed(table, i, item), needed(table, i, worker), value_in(table.rows[i][label]),
                     has_truth ? value_in(table.rows[i][truth]) : "", table.place(i)});
  }
  if (lines.empty()) throw geo::IoError(concat("table ", quoted(options.path.string()), " has no vote"));
  return lines;
}

/// Lines of the table of truths; `label` and `worker` stay empty.
std::vector<Line> read_truths(const VotesCsvOptions& options) {
  std::vector<Line> lines;
  if (options.truth_path.empty()) return lines;
  const geo::CsvTable table = geo::read_csv(options.truth_path);
  const std::size_t item = table.column(options.item_column);
  const std::size_t truth = table.column("truth");
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    lines.push_back({needed(table, i, item), "", "", value_in(table.rows[i][truth]), table.place(i)});
  }
  return lines;
}

/// The classes, then the unsure labels.
class Labels {
 public:
  Labels(const VotesCsvOptions& options, const std::vector<Line>& lines, const std::vector<Line>& truths)
      : m_unsure(options.unsure), m_classes(class_names(options, lines, truths)) {
    for (const auto& label : options.unsure) {
      if (m_classes.find(label) >= 0)
        throw geo::IoError(concat("the label ", quoted(label), " cannot be a class and unsure as well"));
    }
    if (m_classes.names().size() < 2) {
      throw geo::IoError(concat("the votes of ", quoted(options.path.string()), " name ",
                                m_classes.names().empty() ? "no class" : "one class only",
                                "; say which classes there are"));
    }
    if (m_classes.names().size() + m_unsure.names().size() > kMostLabels) {
      throw geo::IoError(concat("the column ", quoted(options.label_column), " of ",
                                quoted(options.path.string()), " has ", m_classes.names().size(),
                                " different labels; at most ", kMostLabels, " can be fused"));
    }
  }

  [[nodiscard]] std::size_t classes() const { return m_classes.names().size(); }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names = m_classes.names();
    names.insert(names.end(), m_unsure.names().begin(), m_unsure.names().end());
    return names;
  }

  [[nodiscard]] std::uint16_t outcome(const Line& line) const {
    const std::int64_t unsure = m_unsure.find(line.label);
    if (unsure >= 0) return static_cast<std::uint16_t>(classes() + static_cast<std::size_t>(unsure));
    return static_cast<std::uint16_t>(known_class(line.label, line.place));
  }
  [[nodiscard]] std::int32_t truth(const Line& line) const { return known_class(line.truth, line.place); }

 private:
  static LabelNames class_names(const VotesCsvOptions& options, const std::vector<Line>& lines,
                                const std::vector<Line>& truths) {
    if (!options.classes.empty()) {
      LabelNames classes(options.classes);
      if (classes.has_doubles() || classes.find("") >= 0)
        throw geo::IoError("the classes must have names, and each its own");
      return classes;
    }
    const LabelNames unsure(options.unsure);
    std::set<std::string> texts;
    for (const auto& line : lines) {
      if (unsure.find(line.label) < 0) texts.insert(line.label);
      texts.insert(line.truth);
    }
    for (const auto& line : truths) texts.insert(line.truth);
    texts.erase("");
    return LabelNames::sorted(texts);
  }

  [[nodiscard]] std::int32_t known_class(const std::string& text, const std::string& place) const {
    const std::int64_t found = m_classes.find(text);
    if (found >= 0) return static_cast<std::int32_t>(found);
    throw geo::IoError(concat(place, ": the label ", quoted(text), " is none of the classes",
                              geo::did_you_mean(text, m_classes.names()),
                              " (they are: ", geo::join(m_classes.names(), ", "), ")"));
  }

  LabelNames m_unsure;
  LabelNames m_classes;
};

std::set<std::string> texts_of(const std::vector<Line>& lines, std::string Line::*part) {
  std::set<std::string> texts;
  for (const auto& line : lines) texts.insert(line.*part);
  return texts;
}

/// Notes the truth of an item, which must be the only one.
void note_truth(std::vector<std::int32_t>& truths, std::size_t item, const Line& line, const Labels& labels) {
  const std::int32_t truth = labels.truth(line);
  if (truths[item] >= 0 && truths[item] != truth) {
    throw geo::IoError(concat(line.place, ": item ", quoted(line.item), " is ",
                              quoted(labels.names()[static_cast<std::size_t>(truth)]), " here and ",
                              quoted(labels.names()[static_cast<std::size_t>(truths[item])]), " before"));
  }
  truths[item] = truth;
}

/// Votes beyond each worker's first.
std::int64_t repeated_votes(const std::vector<VoteEntry>& votes) {
  std::set<std::uint32_t> voters;
  for (const VoteEntry& vote : votes) voters.insert(vote.voter);
  return static_cast<std::int64_t>(votes.size() - voters.size());
}

}  // namespace

NamedVotes read_votes_csv(const VotesCsvOptions& options) {
  const std::vector<Line> lines = read_lines(options);
  const std::vector<Line> truth_lines = read_truths(options);
  const std::vector<std::string> items = sorted_names(texts_of(lines, &Line::item));
  const std::vector<std::string> workers = sorted_names(texts_of(lines, &Line::worker));
  const auto item_at = positions(items);
  const auto worker_at = positions(workers);
  const Labels labels(options, lines, truth_lines);
  NamedVotes result{
      VoteTable(static_cast<int>(labels.classes()), static_cast<int>(labels.names().size()), workers.size()),
      items, workers, labels.names()};

  std::vector<std::vector<VoteEntry>> votes(items.size());
  std::vector<std::int32_t> truths(items.size(), -1);
  for (const Line& line : lines) {
    const std::size_t item = item_at.at(line.item);
    if (!line.truth.empty()) note_truth(truths, item, line, labels);
    if (line.label.empty()) {
      ++result.missing;
    } else {
      votes[item].push_back({static_cast<std::uint32_t>(worker_at.at(line.worker)), labels.outcome(line)});
    }
  }
  for (const Line& line : truth_lines) {
    if (line.truth.empty()) continue;
    const auto item = item_at.find(line.item);
    if (item == item_at.end()) {
      ++result.truth_without_votes;
    } else {
      note_truth(truths, item->second, line, labels);
    }
  }
  for (std::size_t i = 0; i < votes.size(); ++i) {
    result.table.add(votes[i], 1.0, truths[i]);
    result.known += truths[i] >= 0 ? 1 : 0;
    result.votes += static_cast<std::int64_t>(votes[i].size());
    result.repeated += repeated_votes(votes[i]);
  }
  return result;
}

}  // namespace furrow::labelling
