#include <furrow/assessment/block_accuracy.h>

#include <type_traits>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

/// The columns and where their values lie; one list for writing and reading.
template <class Block, class Use>
void for_each_column(Block& block, const Use& use) {
  use("block_col", block.col);
  use("block_row", block.row);
  use("pixels", block.pixels);
  use("extent_tp", block.extent.true_positive);
  use("extent_fp", block.extent.false_positive);
  use("extent_fn", block.extent.false_negative);
  use("extent_tn", block.extent.true_negative);
  use("boundary_predicted", block.boundary_predicted);
  use("boundary_correct", block.boundary_correct);
  use("boundary_reference", block.boundary_reference);
  use("boundary_found", block.boundary_found);
  use("fields_predicted", block.predicted);
  use("fields_correct", block.correct);
  use("fields_reference", block.reference);
  use("fields_found", block.found);
  use("scored", block.scored);
  use("squared_error", block.squared_error);
  for (std::size_t b = 0; b < BlockCounts::kBins; ++b) {
    use(geo::concat("bin", b, "_pixels"), block.bin_pixels[b]);
    use(geo::concat("bin", b, "_score"), block.bin_score[b]);
    use(geo::concat("bin", b, "_correct"), block.bin_correct[b]);
  }
}

std::string text_of(std::int64_t value) {
  return std::to_string(value);
}
std::string text_of(double value) {
  return geo::shortest(value);
}

template <class Number>
void parse(const geo::CsvTable& table, std::size_t row, const std::string& column, Number& to) {
  using Parsed = std::conditional_t<std::is_same_v<Number, double>, double, long long>;
  Parsed value{};
  const std::string& cell = table.rows[row][table.column(column)];
  if (!geo::parse_number(cell, value)) {
    throw geo::IoError(geo::concat(table.place(row), ": column ", geo::quoted(column), " holds ",
                                   geo::quoted(cell), ", which is no number"));
  }
  to = static_cast<Number>(value);
}

}  // namespace

void write_blocks(std::span<const BlockCounts> blocks, const std::string& path, bool overwrite) {
  geo::CsvTable table;
  BlockCounts none;
  for_each_column(none, [&](const std::string& name, auto&) { table.columns.push_back(name); });
  for (const BlockCounts& block : blocks) {
    std::vector<std::string> row;
    for_each_column(block, [&](const std::string&, const auto& value) { row.push_back(text_of(value)); });
    table.rows.push_back(std::move(row));
  }
  geo::write_csv(table, path, overwrite);
}

std::vector<BlockCounts> read_blocks(const std::string& path) {
  const geo::CsvTable table = geo::read_csv(path);
  std::vector<BlockCounts> blocks(table.rows.size());
  for (std::size_t row = 0; row < blocks.size(); ++row) {
    for_each_column(blocks[row],
                    [&](const std::string& name, auto& value) { parse(table, row, name, value); });
  }
  return blocks;
}

}  // namespace furrow::assessment
