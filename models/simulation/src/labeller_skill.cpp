#include <furrow/simulation/labeller_skill.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::simulation {
namespace {

/// A number of LabellerSkill as a column of the table.
struct Column {
  const char* name;
  double LabellerSkill::*member;
  double low;
  double high;
};

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr std::array<Column, 13> kColumns{{
    {"omission_floor", &LabellerSkill::omission_floor, 0.0, 1.0},
    {"omission_50_ha", &LabellerSkill::omission_50_ha, 0.0, kInf},
    {"omission_slope", &LabellerSkill::omission_slope, 0.0, kInf},
    {"false_fields_per_km2", &LabellerSkill::false_fields_per_km2, 0.0, 1000.0},
    {"false_field_ha", &LabellerSkill::false_field_ha, 1e-4, 1e4},
    {"merge_rate", &LabellerSkill::merge_rate, 0.0, 1.0},
    {"split_rate", &LabellerSkill::split_rate, 0.0, 1.0},
    {"jitter_m", &LabellerSkill::jitter_m, 0.0, kInf},
    {"jitter_length_m", &LabellerSkill::jitter_length_m, 0.1, kInf},
    {"bias_m", &LabellerSkill::bias_m, -kInf, kInf},
    {"shift_x_m", &LabellerSkill::shift_x_m, -kInf, kInf},
    {"shift_y_m", &LabellerSkill::shift_y_m, -kInf, kInf},
    {"unsure_rate", &LabellerSkill::unsure_rate, 0.0, 1.0},
}};

std::vector<std::string> column_names() {
  std::vector<std::string> names{"labeller"};
  for (const auto& column : kColumns) names.emplace_back(column.name);
  names.emplace_back("spam");
  return names;
}

void check_columns(const geo::CsvTable& table) {
  const auto known = column_names();
  std::set<std::string> seen;
  for (const auto& name : table.columns) {
    const std::string lower = geo::to_lower(name);
    if (std::find(known.begin(), known.end(), lower) == known.end()) {
      throw geo::IoError(geo::concat("table ", geo::quoted(table.path.string()), " has a column ",
                                     geo::quoted(name), " that is no skill", geo::did_you_mean(lower, known),
                                     " (known: ", geo::join(known, ", "), ")"));
    }
    if (!seen.insert(lower).second) {
      throw geo::IoError(geo::concat("table ", geo::quoted(table.path.string()), " has the column ",
                                     geo::quoted(name), " twice"));
    }
  }
}

std::string place(const geo::CsvTable& table, std::size_t row, const std::string& column) {
  return geo::concat("table ", geo::quoted(table.path.string()), ", row ", row + 1, ", column ",
                     geo::quoted(column));
}

double read_number(const geo::CsvTable& table, std::size_t row, const Column& column, double missing) {
  const int index = table.find_column(column.name);
  if (index < 0) return missing;
  const std::string& cell = table.rows[row][static_cast<std::size_t>(index)];
  if (geo::is_missing(cell)) return missing;
  double value = 0.0;
  const bool ok = geo::parse_number(geo::trim(cell), value) && std::isfinite(value) && value >= column.low &&
                  value <= column.high;
  if (ok) return value;
  std::string range = "a number";
  if (column.low > -kInf) range += geo::concat(" >= ", column.low);
  if (column.high < kInf) range += geo::concat(" and <= ", column.high);
  throw geo::IoError(
      geo::concat(place(table, row, column.name), ": must be ", range, ", got ", geo::quoted(cell)));
}

bool read_spam(const geo::CsvTable& table, std::size_t row) {
  const int index = table.find_column("spam");
  if (index < 0) return false;
  const std::string& cell = table.rows[row][static_cast<std::size_t>(index)];
  const std::string text = geo::to_lower(geo::trim(cell));
  if (text.empty() || text == "0" || text == "false" || text == "na") return false;
  if (text == "1" || text == "true") return true;
  throw geo::IoError(geo::concat(place(table, row, "spam"), ": must be 0 or 1, got ", geo::quoted(cell)));
}

double between(double good, double poor, double t) {
  return good + (poor - good) * t;
}

}  // namespace

double LabellerSkill::omission(double area_ha) const {
  if (omission_50_ha <= 0.0) return omission_floor;
  return omission_floor + (1.0 - omission_floor) / (1.0 + std::pow(area_ha / omission_50_ha, omission_slope));
}

LabellerSkill perfect_labeller(std::string name) {
  LabellerSkill skill;
  skill.labeller = std::move(name);
  skill.omission_floor = 0.0;
  skill.omission_50_ha = 0.0;
  skill.false_fields_per_km2 = 0.0;
  skill.merge_rate = 0.0;
  skill.split_rate = 0.0;
  skill.jitter_m = 0.0;
  skill.unsure_rate = 0.0;
  return skill;
}

std::vector<LabellerSkill> default_skills(int count) {
  if (count < 1) throw geo::InvalidArgument("a campaign needs at least one labeller");
  // Labellers err in different directions: the golden angle spreads them evenly for any number.
  constexpr double kGoldenAngle = 2.399963229728653;
  std::vector<LabellerSkill> skills;
  for (int i = 0; i < count; ++i) {
    const double t = count == 1 ? 0.3 : static_cast<double>(i) / (count - 1);
    LabellerSkill skill;
    skill.labeller = geo::concat("L", i + 1 < 10 ? "0" : "", i + 1);
    skill.omission_floor = between(0.01, 0.12, t);
    skill.omission_50_ha = between(0.02, 0.30, t);
    skill.omission_slope = between(2.5, 1.5, t);
    skill.false_fields_per_km2 = between(0.2, 2.5, t);
    skill.false_field_ha = between(0.5, 1.2, t);
    skill.merge_rate = between(0.01, 0.22, t);
    skill.split_rate = between(0.01, 0.12, t);
    skill.jitter_m = between(1.2, 7.0, t);
    skill.jitter_length_m = between(80.0, 45.0, t);
    skill.bias_m = (i % 2 == 0 ? -1.0 : 1.0) * between(0.2, 3.0, t);
    const double shift_m = between(0.5, 5.0, t);
    skill.shift_x_m = shift_m * std::cos(kGoldenAngle * i);
    skill.shift_y_m = shift_m * std::sin(kGoldenAngle * i);
    skill.unsure_rate = between(0.02, 0.10, t);
    skills.push_back(std::move(skill));
  }
  return skills;
}

std::vector<LabellerSkill> read_skills(const std::filesystem::path& path) {
  const geo::CsvTable table = geo::read_csv(path);
  check_columns(table);
  const std::size_t name_column = table.column("labeller");
  std::vector<LabellerSkill> skills;
  std::set<std::string> names;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    LabellerSkill skill;
    skill.labeller = std::string(geo::trim(table.rows[row][name_column]));
    if (skill.labeller.empty())
      throw geo::IoError(place(table, row, "labeller") + ": is empty; every labeller needs a name");
    if (!names.insert(skill.labeller).second) {
      throw geo::IoError(
          geo::concat(place(table, row, "labeller"), ": ", geo::quoted(skill.labeller), " is there twice"));
    }
    for (const auto& column : kColumns)
      skill.*column.member = read_number(table, row, column, skill.*column.member);
    skill.spam = read_spam(table, row);
    skills.push_back(std::move(skill));
  }
  if (skills.empty())
    throw geo::IoError(geo::concat("table ", geo::quoted(path.string()), " names no labeller"));
  return skills;
}

geo::CsvTable skills_table(const std::vector<LabellerSkill>& skills) {
  geo::CsvTable table;
  table.columns = column_names();
  for (const auto& skill : skills) {
    std::vector<std::string> row{skill.labeller};
    for (const auto& column : kColumns) row.push_back(geo::shortest(skill.*column.member));
    row.emplace_back(skill.spam ? "1" : "0");
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace furrow::simulation
