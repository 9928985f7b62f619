#include "tile_ledger.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>

#include "score_quantiser.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLedgerSchema = "furrow/tile-ledger/1";
constexpr std::string_view kHeadEnd = "rows";
constexpr std::string_view kPiecePrefix = "row-";
constexpr const char* kNote = "finished";

fs::path folder_of(const std::string& output) {
  return output + ".partial";
}

std::string head_of(const RunFacts& facts) {
  std::string text = geo::concat(kLedgerSchema, "\n");
  for (const auto& [name, value] : facts) text += geo::concat(name, "\t", value, "\n");
  return geo::concat(text, kHeadEnd, "\n");
}

/// Lines that end; what a crash left of the last one is dropped.
std::vector<std::string> whole_lines(const std::string& text) {
  std::vector<std::string> lines = geo::split(text, '\n');
  if (!lines.empty()) lines.pop_back();
  return lines;
}

/// Which facts are not those of the ledger, for people.
std::string differences(std::span<const std::string> lines, const RunFacts& facts) {
  std::map<std::string, std::string> before;
  for (const std::string& line : lines) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) before[line.substr(0, tab)] = line.substr(tab + 1);
  }
  std::vector<std::string> different;
  for (const auto& [name, value] : facts) {
    const auto found = before.find(name);
    if (found == before.end() || found->second != value) different.push_back(name);
  }
  return geo::join(different, ", ");
}

bool parse(const std::string& text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_nodata(const geo::Raster<std::uint8_t>& pixels) {
  return std::ranges::all_of(pixels.data(), [](std::uint8_t v) { return v == kNodata; });
}

}  // namespace

bool is_finished(const std::string& output, std::span<const QualityOutput> quality,
                 const std::string& checksum) {
  const fs::path note = folder_of(output) / kNote;
  std::error_code ec;
  if (!fs::is_regular_file(note, ec) || geo::read_text_file(note) != checksum) return false;
  const auto noted = fs::last_write_time(note, ec);
  const auto is_there = [&](const std::string& path) {
    return fs::is_regular_file(path, ec) && fs::last_write_time(path, ec) >= noted;
  };
  return is_there(output) && std::ranges::all_of(quality, is_there, &QualityOutput::path);
}

void forget_finished(const std::string& output) {
  std::error_code ec;  // a folder that stays does no harm
  fs::remove(folder_of(output) / kNote, ec);
  fs::remove(folder_of(output), ec);
}

TileLedger::TileLedger(const std::string& output, const PredictionPlan& plan, const RunFacts& facts)
    : m_folder(folder_of(output)),
      m_plan(plan),
      m_columns(static_cast<std::size_t>((plan.grid.width + plan.tile_px - 1) / plan.tile_px)),
      m_head(head_of(facts)) {
  const fs::path ledger = m_folder / "ledger";
  if (fs::exists(ledger)) read(geo::read_text_file(ledger), facts);
  remove_pieces(m_rows.size());
  std::error_code ec;
  fs::remove(m_folder / kNote, ec);  // of outputs that are made anew
  save();
}

void TileLedger::read(const std::string& text, const RunFacts& facts) {
  const std::vector<std::string> lines = whole_lines(text);
  const auto end = std::ranges::find(lines, kHeadEnd);
  if (end == lines.end()) return;  // not even the head was finished
  const std::span<const std::string> head(lines.begin(), end);
  if (!text.starts_with(m_head)) {
    const std::string changed = differences(head, facts);
    throw geo::InvalidArgument(
        geo::concat("cannot resume: ", geo::quoted(m_folder.string()),
                    " is of another run; what differs: ", changed.empty() ? "its format" : changed,
                    "; give what the first run was given, or delete that folder to start anew"));
  }
  for (const std::string& line : std::span<const std::string>(end + 1, lines.end())) {
    const std::vector<std::string> fields = geo::split(line, '\t');
    Row row;
    std::int64_t number = 0;
    const bool is_row = fields.size() == 4 && parse(fields[0], number) && parse(fields[2], row.empty_tiles) &&
                        parse(fields[3], row.valid_pixels) &&
                        number == static_cast<std::int64_t>(m_rows.size());
    const fs::path file = piece(m_rows.size());
    if (!is_row || !fs::exists(file) || geo::sha256_of_file(file) != fields[1]) return;
    row.sha256 = fields[1];
    m_rows.push_back(std::move(row));
  }
}

std::size_t TileLedger::first_tile() const {
  const std::size_t finished = m_rows.size() * m_columns;
  const bool needs_row_above = m_plan.blend_px > 0 && !m_rows.empty() && finished < m_plan.tiles.size();
  return needs_row_above ? finished - m_columns : finished;
}

bool TileLedger::has(const geo::Window& core) const {
  return core.row < static_cast<std::int64_t>(m_rows.size()) * m_plan.tile_px;
}

void TileLedger::replay(PredictionOutputs& outputs, PredictReport& report) const {
  geo::RasterReadOptions as_they_are;
  as_they_are.require_crs = false;
  for (std::size_t r = 0; r < m_rows.size(); ++r) {
    const geo::RasterReader reader(piece(r).string(), as_they_are);
    for (std::size_t c = 0; c < m_columns; ++c) {
      TileJob job;
      job.final = m_plan.final_window(m_plan.tiles[r * m_columns + c].core);
      const auto stack = reader.read<std::uint8_t>({job.final.col, 0, job.final.width, job.final.height});
      if (is_nodata(stack)) continue;
      job.bytes = bands_of(stack, 0, m_plan.classes);
      job.quality = bands_of(stack, m_plan.classes, static_cast<int>(m_plan.layers.size()));
      outputs.write(job);
    }
    report.empty_tiles += m_rows[r].empty_tiles;
    report.valid_pixels += m_rows[r].valid_pixels;
  }
}

void TileLedger::add(const TileJob& job, std::int64_t valid_pixels) {
  if (!m_piece) {
    geo::RasterSpec spec;
    spec.bands = m_plan.classes + static_cast<int>(m_plan.layers.size());
    spec.nodata = kNodata;
    spec.cog = false;
    const geo::Window strip{0, job.final.row, m_plan.grid.width, job.final.height};
    m_piece.emplace(piece(m_rows.size()), m_plan.grid.subgrid(strip), spec, true);
    m_row = {};
  }
  if (!job.empty) m_piece->write({job.final.col, 0, job.final.width, job.final.height}, stacked(job));
  m_row.empty_tiles += job.empty ? 1 : 0;
  m_row.valid_pixels += valid_pixels;
  if (job.core.end_col() < m_plan.grid.width) return;
  m_piece->finish();
  m_piece.reset();
  m_row.sha256 = geo::sha256_of_file(piece(m_rows.size()));
  m_rows.push_back(m_row);
  save();
}

void TileLedger::mark_complete(const std::string& checksum) const {
  geo::write_text_file(m_folder / kNote, checksum, true);
}

void TileLedger::remove_rows() const {
  remove_pieces(0);
  std::error_code ec;  // a file that stays does no harm
  fs::remove(m_folder / "ledger", ec);
}

/// The whole text anew: a few kilobytes, and never a torn line.
void TileLedger::save() const {
  std::string text = m_head;
  for (std::size_t r = 0; r < m_rows.size(); ++r) {
    const Row& row = m_rows[r];
    text += geo::concat(r, "\t", row.sha256, "\t", row.empty_tiles, "\t", row.valid_pixels, "\n");
  }
  geo::write_text_file(m_folder / "ledger", text, true);
}

/// Rasters of rows that do not count, and what a killed run left of one.
void TileLedger::remove_pieces(std::size_t from) const {
  std::vector<fs::path> kept;
  for (std::size_t r = 0; r < from; ++r) kept.push_back(piece(r));
  std::error_code ec;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(m_folder, ec)) files.push_back(entry.path());
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    const bool is_ours =
        name.starts_with(kPiecePrefix) || name.starts_with("ledger.") || name.starts_with("finished.");
    if (is_ours && std::ranges::find(kept, file) == kept.end()) fs::remove(file, ec);
  }
}

fs::path TileLedger::piece(std::size_t row) const {
  return m_folder / geo::concat(kPiecePrefix, row, ".tif");
}

geo::Raster<std::uint8_t> TileLedger::stacked(const TileJob& job) const {
  const int layers = job.quality.bands();
  if (layers == 0) return job.bytes;
  geo::Raster<std::uint8_t> stack(job.final.width, job.final.height, m_plan.classes + layers);
  for (int b = 0; b < m_plan.classes; ++b) std::ranges::copy(job.bytes.band(b), stack.band(b).begin());
  for (int b = 0; b < layers; ++b)
    std::ranges::copy(job.quality.band(b), stack.band(m_plan.classes + b).begin());
  return stack;
}

}  // namespace furrow::segmentation
