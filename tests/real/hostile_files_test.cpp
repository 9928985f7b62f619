// Broken, truncated, odd and absurd files: every command answers them with an exit code and one line, in
// time.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "gdal_reference.h"
#include "support.h"

namespace furrow {
namespace {

namespace fs = std::filesystem;
using geo::concat;

std::vector<fs::path> files_of(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(test::shared(folder))) {
    if (entry.path().extension() != ".tsv") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string in_quotes(const fs::path& path) {
  return concat('\'', path.string(), '\'');
}

// Of the processor, which other programs do not take away; sanitizers need several times as much.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kMostSeconds = 60;
#else
constexpr int kMostSeconds = 10;
#endif

/// Runs commands and counts how they ended. A crash, a hang, a sanitizer's report, an answer that is not one
/// line, and anything left behind fail the test.
class Audit {
 public:
  /// @param command    what is counted
  /// @param arguments  {file} and {out} are replaced
  void run(const std::string& command, std::string arguments, const fs::path& file) {
    const test::TemporaryFolder folder;
    replace(arguments, "{file}", in_quotes(file));
    replace(arguments, "{out}", in_quotes(folder / "new"));
    const auto start = std::chrono::steady_clock::now();
    const auto result = test::run_command(concat("ulimit -t ", kMostSeconds, "; timeout 60 ",
                                                 test::furrow_program(), ' ', command, ' ', arguments));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const std::scoped_lock lock(m_mutex);
    ++m_outcomes[concat(command, ", exit code ", result.exit_code)];
    if (seconds.count() > m_slowest) {
      m_slowest = seconds.count();
      m_slowest_name = concat(command, ' ', file.filename().string());
    }
    const std::string what =
        concat(command, ' ', file.filename().string(), ": ", result.exit_code, "\n", result.err);
    EXPECT_TRUE(result.exit_code >= 0 && result.exit_code <= 3) << what;
    EXPECT_EQ(result.err.find("runtime error:"), std::string::npos) << what;
    EXPECT_EQ(result.err.find("Sanitizer"), std::string::npos) << what;
    EXPECT_EQ(result.err.find("ERROR "), std::string::npos) << "GDAL's own words: " << what;
    if (result.exit_code == 0 || result.exit_code == 3) return;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << what;
    EXPECT_NE(result.err.find("error: "), std::string::npos) << what;
    EXPECT_TRUE(fs::is_empty(folder.path())) << "left behind: " << what;
  }

  void print() const {
    for (const auto& [outcome, count] : m_outcomes) std::cout << outcome << ": " << count << " files\n";
    std::cout << "slowest: " << m_slowest_name << ", " << m_slowest << " s\n";
  }

 private:
  static void replace(std::string& text, const std::string& word, const std::string& value) {
    if (const auto at = text.find(word); at != std::string::npos) text.replace(at, word.size(), value);
  }

  std::mutex m_mutex;
  double m_slowest = 0.0;
  std::string m_slowest_name;
  std::map<std::string, int> m_outcomes;
};

void run_all(const std::vector<fs::path>& files, const std::vector<std::array<std::string, 2>>& commands) {
  Audit audit;
  tbb::parallel_for(std::size_t{0}, files.size(), [&](std::size_t i) {
    for (const auto& [command, arguments] : commands) audit.run(command, arguments, files[i]);
  });
  audit.print();
}

TEST(HostileFiles, RastersGetAnAnswerFromEveryCommand) {
  FURROW_NEEDS_SHARED_DATA();
  const std::string fields = concat(FURROW_TEST_SOURCE_DIR, "/tests/cli/data/two_fields.geojson");
  run_all(files_of("data/hostile_tiff"),
          {{"info", "{file}"},
           {"tile", "{file} --tile-px 64 --skip-empty --memory 2GB --threads 2 --out {out}"},
           {"tile",
            "{file} --output-crs EPSG:4326 --resolution 0.5 --mosaic --skip-empty --memory 2GB --threads 2 "
            "--out {out}"},
           {"rasterize", concat(fields, " --grid {file} --memory 2GB --threads 2 --out {out}.tif")},
           {"quality", concat(fields, " --scores {file} --memory 2GB --threads 2 --out {out}.gpkg")},
           {"quality",
            concat(fields, " --raster {file} --raster-names v --memory 2GB --threads 2 --out {out}.gpkg")}});
}

bool same_value(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

/// Compares the chips of a folder with what GDAL reads of the raster that they were cut from.
void expect_chips_of(const fs::path& file, const fs::path& folder) {
  const geo::RasterReader source(file.string());
  const geo::CsvTable table = geo::read_csv(folder / "chips.csv");
  const auto column = [&](const char* name) { return table.column(name); };
  const auto number = [&](const std::vector<std::string>& row, const char* name) {
    return std::int64_t{std::stoll(row[column(name)])};
  };
  for (const auto& row : table.rows) {
    const geo::Window window{number(row, "col"), number(row, "row"), number(row, "width"),
                             number(row, "height")};
    const std::string chip = (folder / row[column("image")]).string();
    EXPECT_TRUE(geo::RasterReader(chip).grid().same_as(source.grid().subgrid(window))) << file << row[0];
    const auto expected = test::gdal_values(file.string(), window);
    const auto values = test::gdal_values(chip, {0, 0, window.width, window.height});
    for (int b = 0; b < values.bands(); ++b) {
      ASSERT_TRUE(std::ranges::equal(values.band(b), expected.band(b), same_value))
          << file << row[0] << " band " << b;
    }
  }
}

// South-up, rotated, masked, with NaN or of odd types: what is cut holds what GDAL reads, pixel by pixel.
TEST(HostileFiles, ChipsHoldWhatGdalReads) {
  FURROW_NEEDS_SHARED_DATA();
  int cut = 0;
  for (const auto& file : files_of("data/hostile_tiff")) {
    const test::TemporaryFolder folder;
    const fs::path out = folder / "chips";
    const auto result = test::run_command(
        concat("ulimit -t ", kMostSeconds, "; ", test::furrow_program(), " tile ", in_quotes(file),
               " --tile-px 64 --skip-empty --edge partial --memory 2GB --out ", in_quotes(out)));
    if (result.exit_code != 0) continue;
    ++cut;
    expect_chips_of(file, out);
  }
  EXPECT_GT(cut, 80);
  std::cout << cut << " rasters cut into chips\n";
}

TEST(HostileFiles, GeoPackagesGetAnAnswerFromEveryCommand) {
  FURROW_NEEDS_SHARED_DATA();
  const test::TemporaryFolder folder;
  const geo::Grid grid{40, 40, {-10.0, 0.5, 0.0, 10.0, 0.0, -0.5}, geo::lonlat_crs()};
  geo::RasterSpec spec;
  spec.bands = 3;
  spec.scale = 0.005;
  geo::write_raster(folder / "scores.tif", grid, geo::Raster<std::uint8_t>(40, 40, 3, 100), spec, false);
  const std::string raster = (folder / "scores.tif").string();
  run_all(files_of("data/hostile_gpkg"),
          {{"info", "{file}"},
           {"rasterize", concat("{file} --threads 2 --grid ", raster, " --out {out}.tif")},
           {"rasterize", concat("{file} --threads 2 --invalid repair --grid ", raster, " --out {out}.tif")},
           {"tile", "{file} --tile-px 64 --skip-empty --memory 2GB --threads 2 --out {out}"},
           {"quality", concat("{file} --threads 2 --scores ", raster, " --out {out}.gpkg")},
           {"simulate labellers", "{file} --threads 2 --invalid repair --out {out}"}});
}

}  // namespace
}  // namespace furrow
