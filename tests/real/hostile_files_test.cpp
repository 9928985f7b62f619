// Broken, truncated, odd and absurd files: every command answers them with an exit code and one line, in
// time.
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/writer.h>

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
    const auto result =
        test::run_command(concat("timeout 60 ", test::furrow_program(), ' ', command, ' ', arguments));
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
           {"rasterize", concat(fields, " --grid {file} --memory 2GB --threads 2 --out {out}.tif")},
           {"quality", concat(fields, " --scores {file} --memory 2GB --threads 2 --out {out}.gpkg")}});
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
