#include "mask_stack.h"

#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

namespace furrow::labelling {
namespace {

using geo::concat;
using geo::quoted;

constexpr Vote kWrong = 100;
constexpr std::size_t kMostHandles = 256;  ///< files may be open in every thread

geo::RasterReader open_mask(const std::string& path) {
  geo::RasterReadOptions options;
  options.require_crs = false;
  return geo::RasterReader(path, options);
}

/// One voice each: a file given twice would have two.
void check_repeated(std::span<const std::string> paths) {
  std::set<std::filesystem::path> seen;
  for (const auto& path : paths) {
    std::error_code ec;
    std::filesystem::path whole = std::filesystem::weakly_canonical(path, ec);
    if (ec) whole = path;
    if (!seen.insert(whole).second)
      throw geo::IoError(concat("mask ", quoted(path), " is given twice; every mask is one labeller's"));
  }
}

Vote vote_of(double value, int classes) {
  if (value == 0.0 || value == 1.0 || (value == 2.0 && classes == 3))
    return make_vote(static_cast<unsigned>(value));
  return value == 3.0 || value == 255.0 || std::isnan(value) ? kMissingVote : kWrong;
}

std::string crs_text(const geo::Crs& crs) {
  return crs.empty() ? std::string("no CRS") : concat("CRS ", crs.name());
}

}  // namespace

MaskStack::MaskStack(std::span<const std::string> paths, int classes, int threads)
    : m_paths(paths.begin(), paths.end()), m_classes(classes) {
  check_repeated(paths);
  const std::size_t handles = (m_paths.size() + 1) * (static_cast<std::size_t>(threads) + 1);
  for (const auto& path : m_paths) {
    geo::RasterReader reader = open_mask(path);
    if (reader.bands() != 1) {
      throw geo::IoError(concat("mask ", quoted(path), " has ", reader.bands(),
                                " bands, a mask has one; take one out with gdal_translate -b 1"));
    }
    if (&path == m_paths.data()) m_grid = reader.grid();
    check_grid(reader);
    if (reader.band(0).nodata == 0.0) {
      geo::log_warning(concat("mask ", quoted(path),
                              " says that 0 is nodata: its pixels of 0 are no votes; where they are "
                              "background, use gdal_edit.py -unsetnodata first"));
    }
    if (handles <= kMostHandles) m_open.push_back(std::move(reader));
  }
}

void MaskStack::check_grid(const geo::RasterReader& reader) const {
  const geo::Grid& grid = reader.grid();
  if (grid.same_as(m_grid)) return;
  const std::string pair =
      concat("masks ", quoted(m_paths.front()), " and ", quoted(reader.path()), " do not share one grid: ");
  if (grid.width != m_grid.width || grid.height != m_grid.height) {
    throw geo::IoError(concat(pair, m_grid.width, " x ", m_grid.height, " px and ", grid.width, " x ",
                              grid.height, " px; bring them onto one with gdalwarp -r near"));
  }
  if (!grid.crs.same_as(m_grid.crs)) {
    throw geo::CrsError(concat(pair, crs_text(m_grid.crs), " and ", crs_text(grid.crs),
                               "; set it with gdal_edit.py -a_srs or bring them onto one with gdalwarp"));
  }
  const auto corner = [](const geo::Grid& g) {
    return concat("corner at (", g.transform.x0, ", ", g.transform.y0, "), pixels of ", g.transform.dx, " x ",
                  g.transform.dy);
  };
  throw geo::IoError(
      concat(pair, corner(m_grid), " and ", corner(grid), "; bring them onto one with gdalwarp -r near"));
}

geo::IoError MaskStack::wrong_value(const std::string& path, double value) const {
  const char* meaning = m_classes == 3 ? "0 background, 1 interior, 2 boundary" : "0 background, 1 field";
  const char* advice = m_classes == 2 && value == 2.0
                           ? "give --classes 3, or change its values with gdal_calc.py"
                           : "change its values with gdal_calc.py, or declare it nodata";
  return geo::IoError(concat("mask ", quoted(path), " has the value ", geo::shortest(value), "; values are ",
                             meaning, ", and 3, 255 or nodata for no vote: ", advice));
}

std::vector<Vote> MaskStack::read(std::size_t mask, const geo::Window& window) const {
  std::optional<geo::RasterReader> opened;
  if (m_open.empty()) opened.emplace(open_mask(m_paths[mask]));
  const geo::RasterReader& reader = opened ? *opened : m_open[mask];
  const bool bytes = reader.band(0).type == geo::PixelType::kUint8;
  return bytes ? read_bytes(reader, window) : read_numbers(reader, window);
}

std::vector<Vote> MaskStack::read_bytes(const geo::RasterReader& reader, const geo::Window& window) const {
  std::array<Vote, 256> table{};
  for (std::size_t value = 0; value < table.size(); ++value)
    table[value] = vote_of(static_cast<double>(value), m_classes);
  const auto nodata = reader.band(0).nodata;
  if (nodata && *nodata >= 0.0 && *nodata <= 255.0 && *nodata == std::floor(*nodata))
    table[static_cast<std::size_t>(*nodata)] = kMissingVote;
  std::vector<Vote> votes = std::move(reader.read<std::uint8_t>(window).data());
  if (reader.has_mask()) {
    const auto valid = reader.read_valid(window);
    for (std::size_t i = 0; i < votes.size(); ++i)
      if (valid.data()[i] == 0) votes[i] = geo::kIgnore;
  }
  std::array<bool, 256> seen{};
  for (Vote& vote : votes) {
    seen[vote] = true;
    vote = table[vote];
  }
  for (std::size_t value = 0; value < seen.size(); ++value)
    if (seen[value] && table[value] == kWrong) throw wrong_value(reader.path(), static_cast<double>(value));
  return votes;
}

std::vector<Vote> MaskStack::read_numbers(const geo::RasterReader& reader, const geo::Window& window) const {
  const geo::BandInfo& band = reader.band(0);
  const geo::Raster<double> values = reader.read<double>(window);
  std::vector<std::uint8_t> valid;
  if (reader.has_mask()) valid = std::move(reader.read_valid(window).data());
  // A nodata value that float32 cannot hold exactly stands in the file as its nearest one.
  const double nodata = band.nodata.value_or(std::numeric_limits<double>::quiet_NaN());
  const double stored =
      band.type == geo::PixelType::kFloat32 ? static_cast<double>(static_cast<float>(nodata)) : nodata;
  std::vector<Vote> votes(values.data().size());
  for (std::size_t i = 0; i < votes.size(); ++i) {
    const double value = values.data()[i];
    const bool missing = value == nodata || value == stored || (!valid.empty() && valid[i] == 0);
    votes[i] = missing ? kMissingVote : vote_of(value, m_classes);
    if (votes[i] == kWrong) throw wrong_value(reader.path(), value);
  }
  return votes;
}

}  // namespace furrow::labelling
