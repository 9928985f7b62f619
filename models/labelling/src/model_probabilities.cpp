#include <furrow/labelling/model_probabilities.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

std::vector<std::size_t> class_columns(const geo::CsvTable& table, const std::vector<std::string>& classes) {
  std::vector<std::size_t> columns;
  for (const auto& name : classes) {
    const int plain = table.find_column(name);
    columns.push_back(plain >= 0 ? static_cast<std::size_t>(plain) : table.column("p_" + name));
  }
  return columns;
}

std::vector<double> probabilities_in(const geo::CsvTable& table, std::size_t row,
                                     const std::vector<std::size_t>& columns) {
  std::vector<double> probabilities;
  double sum = 0.0;
  for (const std::size_t column : columns) {
    double p = 0.0;
    if (!geo::parse_number(geo::trim(table.rows[row][column]), p) || !std::isfinite(p) || p < 0.0) {
      throw geo::IoError(geo::concat(table.place(row), ": ", geo::quoted(table.rows[row][column]),
                                     " in column ", geo::quoted(table.columns[column]),
                                     " is no probability"));
    }
    probabilities.push_back(p);
    sum += p;
  }
  if (sum <= 0.0) throw geo::IoError(geo::concat(table.place(row), ": the probabilities are all 0"));
  return probabilities;
}

}  // namespace

std::vector<double> read_model_probabilities(const std::filesystem::path& path,
                                             const std::string& item_column, const NamedVotes& votes) {
  const geo::CsvTable table = geo::read_csv(path);
  const std::size_t item = table.column(item_column);
  const auto columns = class_columns(table, votes.class_names());
  std::map<std::string, std::size_t> item_at;
  for (std::size_t i = 0; i < votes.items.size(); ++i) item_at.emplace(votes.items[i], i);
  std::vector<double> model(votes.items.size() * columns.size(), -1.0);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const std::string name(geo::trim(table.rows[row][item]));
    const auto found = item_at.find(name);
    if (found == item_at.end()) continue;
    const std::size_t first = found->second * columns.size();
    if (model[first] >= 0.0)
      throw geo::IoError(geo::concat(table.place(row), ": item ", geo::quoted(name), " comes twice"));
    std::ranges::copy(probabilities_in(table, row, columns),
                      model.begin() + static_cast<std::ptrdiff_t>(first));
  }
  std::size_t missing = 0;
  std::string example;
  for (std::size_t i = votes.items.size(); i-- > 0;) {
    if (model[i * columns.size()] >= 0.0) continue;
    ++missing;
    example = votes.items[i];
  }
  if (missing > 0) {
    throw geo::IoError(geo::concat(geo::quoted(path.string()), " has no line for ", missing, " of the ",
                                   votes.items.size(), " items, for example ", geo::quoted(example),
                                   "; a model must say something of every item"));
  }
  return model;
}

}  // namespace furrow::labelling
