#include <furrow/labelling/labeller_weights.h>

#include <map>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

using geo::concat;
using geo::quoted;

/// A share between 0 and 1; NaN where the cell says "missing".
double share(const geo::CsvTable& table, std::size_t row, std::size_t column) {
  const std::string& text = table.rows[row][column];
  if (geo::is_missing(text)) return std::numeric_limits<double>::quiet_NaN();
  double value = 0.0;
  if (!geo::parse_number(geo::trim(text), value) || !(value >= 0.0 && value <= 1.0)) {
    throw geo::IoError(concat(table.place(row), ": ", table.columns[column], " is ", quoted(text),
                              "; it must be a number from 0 to 1, or NA"));
  }
  return value;
}

}  // namespace

std::vector<LabellerWeights> read_labeller_weights(const std::filesystem::path& path) {
  const geo::CsvTable table = geo::read_csv(path);
  const std::size_t labeller = table.column("Labeller");
  const std::size_t scored = table.column("n_scored");
  const std::size_t score = table.column("Score");
  const std::size_t field_skill = table.column("FieldSkill");
  const std::size_t nofield_skill = table.column("NoFieldSkill");
  std::vector<LabellerWeights> weights;
  std::map<std::string, std::size_t> first;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    LabellerWeights w;
    w.labeller = geo::trim(table.rows[row][labeller]);
    if (w.labeller.empty()) throw geo::IoError(concat(table.place(row), ": the row has no Labeller"));
    const auto [found, is_new] = first.emplace(w.labeller, row);
    if (!is_new) {
      throw geo::IoError(concat(table.place(row), ": labeller ", quoted(w.labeller), " is already at ",
                                table.place(found->second)));
    }
    long long count = 0;
    if (!geo::parse_number(geo::trim(table.rows[row][scored]), count) || count < 0) {
      throw geo::IoError(concat(table.place(row), ": n_scored is ", quoted(table.rows[row][scored]),
                                "; it must be a whole number from 0"));
    }
    w.scored = count;
    w.score = share(table, row, score);
    w.field_skill = share(table, row, field_skill);
    w.nofield_skill = share(table, row, nofield_skill);
    weights.push_back(std::move(w));
  }
  return weights;
}

}  // namespace furrow::labelling
