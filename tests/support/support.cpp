#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

namespace fs = std::filesystem;

namespace furrow::test {

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "furrow-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder: " + name);
  m_path = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ec;
  fs::remove_all(m_path, ec);
}

geo::Raster<std::uint8_t> draw(const std::string& picture) {
  std::vector<std::string> rows;
  std::istringstream in(picture);
  for (std::string line; std::getline(in, line);) {
    const auto text = geo::trim(line);
    if (!text.empty()) rows.emplace_back(text);
  }
  if (rows.empty()) return {};
  geo::Raster<std::uint8_t> raster(static_cast<std::int64_t>(rows.front().size()),
                                   static_cast<std::int64_t>(rows.size()));
  for (std::int64_t row = 0; row < raster.height(); ++row) {
    const auto& text = rows[static_cast<std::size_t>(row)];
    if (static_cast<std::int64_t>(text.size()) != raster.width())
      throw std::invalid_argument("rows differ in length");
    for (std::int64_t col = 0; col < raster.width(); ++col) {
      const char c = text[static_cast<std::size_t>(col)];
      int value = 0;
      if (c >= '0' && c <= '9') value = c - '0';
      if (c >= 'a' && c <= 'z') value = c - 'a' + 10;
      if (c == '#') value = 255;
      raster.at(col, row) = static_cast<std::uint8_t>(value);
    }
  }
  return raster;
}

std::string picture(const geo::Raster<std::uint8_t>& raster) {
  std::string text;
  for (std::int64_t row = 0; row < raster.height(); ++row) {
    for (std::int64_t col = 0; col < raster.width(); ++col) {
      const int v = raster.at(col, row);
      text += v == 0   ? '.'
              : v < 10 ? static_cast<char>('0' + v)
              : v < 36 ? static_cast<char>('a' + v - 10)
                       : '#';
    }
    text += '\n';
  }
  return text;
}

const geo::Crs& utm() {
  static const geo::Crs kUtm = geo::Crs::from_user_input("EPSG:32632");
  return kUtm;
}

geo::Grid utm_grid(std::int64_t width, std::int64_t height, double pixel_m) {
  return {width, height, {500000.0, pixel_m, 0.0, 6000000.0, 0.0, -pixel_m}, utm()};
}

geo::Grid pixel_grid(std::int64_t width, std::int64_t height) {
  return {width, height, {0.0, 1.0, 0.0, 0.0, 0.0, 1.0}, utm()};
}

std::vector<geo::MultiPolygon> shapes(const std::vector<std::string>& wkts) {
  std::vector<geo::MultiPolygon> out;
  for (const auto& wkt : wkts) out.push_back(geo::from_wkt(wkt));
  return out;
}

geo::Layer layer_of(const std::vector<std::string>& wkts, const std::string& crs) {
  geo::Layer layer;
  layer.name = "fields";
  layer.crs = geo::Crs::from_user_input(crs);
  for (const auto& wkt : wkts) {
    geo::Feature feature;
    feature.fid = static_cast<std::int64_t>(layer.features.size()) + 1;
    feature.geometry = geo::from_wkt(wkt);
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

fs::path shared(const std::string& relative) {
  return fs::path(FURROW_TEST_SHARED_DIR) / relative;
}

bool shared_exists() {
  return fs::exists(shared("data")) && fs::exists(shared("golden"));
}

CommandResult run_command(const std::string& command) {
  const TemporaryFolder folder;
  const std::string line =
      geo::concat("( ", command, " ) >", (folder / "out").string(), " 2>", (folder / "err").string());
  const int status = std::system(line.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), bytes_of(folder / "out"),
          bytes_of(folder / "err")};
}

std::string furrow_program() {
  return FURROW_TEST_BINARY;
}

CommandResult furrow(const std::string& arguments) {
  return run_command(furrow_program() + " " + arguments);
}

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace furrow::test
