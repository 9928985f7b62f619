#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/geo/raster/raster.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::test {

/// A folder that is deleted with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return m_path; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return m_path / name; }

 private:
  std::filesystem::path m_path;
};

/// A raster drawn as text: one line a row, one character a pixel. Digits are values, 'a'..'z' are 10..35, '.'
/// is 0,
/// '#' is 255. Lines may be indented; empty lines are skipped.
[[nodiscard]] geo::Raster<std::uint8_t> draw(const std::string& picture);
/// The other way round, for readable failures.
[[nodiscard]] std::string picture(const geo::Raster<std::uint8_t>& raster);

/// A north-up grid in EPSG:32632 with its upper left corner at (500000, 6000000).
[[nodiscard]] geo::Grid utm_grid(std::int64_t width, std::int64_t height, double pixel_m = 10.0);
/// One pixel is one unit, row 0 is at y = 0 and y grows downwards, so that coordinates are pixels.
/// EPSG:32632.
[[nodiscard]] geo::Grid pixel_grid(std::int64_t width, std::int64_t height);
/// EPSG:32632.
[[nodiscard]] const geo::Crs& utm();
/// From WKT.
[[nodiscard]] std::vector<geo::MultiPolygon> shapes(const std::vector<std::string>& wkts);

/// A layer of polygons from WKT, named "fields", in EPSG:32632 unless said otherwise.
[[nodiscard]] geo::Layer layer_of(const std::vector<std::string>& wkts,
                                  const std::string& crs = "EPSG:32632");

/// A path below the folder with real data; tests skip when `shared_exists()` is false.
[[nodiscard]] std::filesystem::path shared(const std::string& relative);
[[nodiscard]] bool shared_exists();

/// What a command printed and answered.
struct CommandResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};
/// The furrow program of this build.
[[nodiscard]] std::string furrow_program();
/// Runs a shell command line.
[[nodiscard]] CommandResult run_command(const std::string& command);
/// Runs the furrow program with the given arguments.
[[nodiscard]] CommandResult furrow(const std::string& arguments);

/// Whole files as bytes, to compare outputs.
[[nodiscard]] std::string bytes_of(const std::filesystem::path& path);

}  // namespace furrow::test

/// First line of every test in tests/real/.
#define FURROW_NEEDS_SHARED_DATA()    \
  if (!furrow::test::shared_exists()) \
  GTEST_SKIP() << "real data is not here; set FURROW_SHARED_DIR to the folder that holds data/ and golden/"
