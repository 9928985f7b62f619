// Chips put together again are the scene, bit for bit, however the scene is stored and the chips are cut.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/tiling.h>

#include "gdal_reference.h"
#include "random_shapes.h"
#include "support.h"

namespace furrow::geo {
namespace {

std::int64_t between(Random& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

template <class T>
T pick(Random& random, std::initializer_list<T> choices) {
  return *(choices.begin() + random.below(choices.size()));
}

/// Any bit pattern but nodata: NaN with payloads, infinities and minus zero included.
template <class T>
Raster<T> random_pixels(Random& random, const Grid& grid, int bands, T nodata) {
  Raster<T> pixels(grid.width, grid.height, bands);
  for (T& value : pixels.data()) {
    const std::uint64_t bits = random.bits();
    std::memcpy(&value, &bits, sizeof value);
    if (random.chance(0.1)) value = nodata;
  }
  return pixels;
}

std::vector<std::string> random_storage(Random& random) {
  std::vector<std::string> options{
      concat("COMPRESS=", pick<const char*>(random, {"NONE", "LZW", "DEFLATE", "PACKBITS"})),
      concat("INTERLEAVE=", pick<const char*>(random, {"PIXEL", "BAND"})),
      concat("BIGTIFF=", pick<const char*>(random, {"YES", "NO"})),
      concat("ENDIANNESS=", pick<const char*>(random, {"LITTLE", "BIG"})), "SPARSE_OK=TRUE"};
  if (random.chance(0.6)) {
    options.insert(options.end(), {"TILED=YES", concat("BLOCKXSIZE=", 16 * between(random, 1, 6)),
                                   concat("BLOCKYSIZE=", 16 * between(random, 1, 6))});
  } else {
    options.push_back(concat("BLOCKYSIZE=", between(random, 1, 100)));
  }
  return options;
}

ChipOptions random_cut(Random& random) {
  ChipOptions options;
  options.flush = Flush::kLater;
  options.size = {between(random, 1, 70), between(random, 1, 70), 0};
  options.size.overlap_px = between(random, 0, std::min(options.size.width, options.size.height) - 1) / 2;
  options.edge = pick(random, {ChipEdge::kShift, ChipEdge::kPad, ChipEdge::kPartial});
  options.format = random.chance(0.2) ? ChipFormat::kCog : ChipFormat::kGeoTiff;
  options.compression = pick(random, {Compression::kNone, Compression::kLzw, Compression::kDeflate});
  return options;
}

template <class T>
std::uint64_t bits_of(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

/// The scene from its chips; a pixel that two chips give must be the same in both.
template <class T>
void expect_scene(const Raster<T>& scene, const std::vector<Chip>& chips, const std::filesystem::path& folder,
                  T nodata) {
  Raster<std::uint8_t> seen(scene.width(), scene.height());
  for (const Chip& chip : chips) {
    const RasterReader reader((folder / chip.image).string());
    const auto values = reader.read<T>(reader.grid().window());
    const Window& w = chip.place.window;
    ASSERT_EQ(values.width(), w.width);
    ASSERT_EQ(values.height(), w.height);
    for (int b = 0; b < scene.bands(); ++b) {
      for (std::int64_t row = 0; row < w.height; ++row) {
        for (std::int64_t col = 0; col < w.width; ++col) {
          const bool inside = w.col + col < scene.width() && w.row + row < scene.height();
          const T expected = inside ? scene.at(w.col + col, w.row + row, b) : nodata;
          ASSERT_EQ(bits_of(values.at(col, row, b)), bits_of(expected))
              << chip.name << ", band " << b << ", column " << col << ", row " << row;
          if (inside) seen.at(w.col + col, w.row + row) = 1;
        }
      }
    }
  }
  EXPECT_EQ(std::ranges::count(seen.data(), 1), seen.pixels()) << "pixels in no chip";
}

template <class T>
void try_random_scene(Random& random) {
  const test::TemporaryFolder folder;
  const Grid grid = test::utm_grid(between(random, 1, 160), between(random, 1, 160));
  const auto nodata = static_cast<T>(7);
  const auto pixels = random_pixels<T>(random, grid, static_cast<int>(between(random, 1, 4)), nodata);
  const std::string path = (folder / "scene.tif").string();
  const auto storage = random_storage(random);
  std::string how;
  for (const auto& option : storage) how += option + ' ';
  test::write_geotiff(path, grid, pixels, storage);
  ChipOptions options = random_cut(random);
  options.source.nodata = static_cast<double>(nodata);
  SCOPED_TRACE(concat(how, grid.width, " x ", grid.height, " px, chips of ", options.size.width, " x ",
                      options.size.height, ", overlap ", options.size.overlap_px));
  ExecContext exec({.threads = pick(random, {1, 4}),
                    .memory_bytes = pick(random, {std::size_t{1} << 20, std::size_t{1} << 30})});
  ChipReport report;
  exec.execute([&] { report = cut_image(path, folder.path(), options, {}, exec); });
  expect_scene(pixels, report.chips, folder.path(), nodata);
}

TEST(Chips, MakeUpTheSceneBitForBitHoweverItIsStoredAndCut) {
  Random random(401);
  for (int trial = 0; trial < 15 && !testing::Test::HasFatalFailure(); ++trial) {
    try_random_scene<std::uint8_t>(random);
    try_random_scene<std::int16_t>(random);
    try_random_scene<std::uint16_t>(random);
    try_random_scene<std::int32_t>(random);
    try_random_scene<float>(random);
    try_random_scene<double>(random);
  }
}

TEST(Chips, LabelChipsAreThatPartOfTheSceneAlsoWhereFieldsEndOnTheirBorders) {
  Random random(402);
  for (int trial = 0; trial < 25; ++trial) {
    const test::TemporaryFolder folder;
    const Grid grid = test::utm_grid(between(random, 20, 150), between(random, 20, 150));
    test::write_geotiff((folder / "scene.tif").string(), grid,
                        Raster<std::uint8_t>(grid.width, grid.height, 1, 9), {});
    ChipOptions options = random_cut(random);
    options.size.width = options.size.height = between(random, 8, 40);
    options.size.overlap_px = between(random, 0, 6);
    options.edge = pick(random, {ChipEdge::kShift, ChipEdge::kPartial});
    auto fields = test::random_shapes(random, grid);
    // Outlines along the chips' borders, and through the middle of the pixels beside them.
    const double step = static_cast<double>(options.size.width - options.size.overlap_px);
    test::snap_to_pixels(fields, grid, pick(random, {step, 0.5 * step, 0.5, 1.0}));
    const BoundaryOptions boundary{.width_px = pick(random, {0.0, 1.0, 2.0, 3.5})};
    const auto whole = rasterize_labels(fields, grid, boundary);
    ExecContext exec({.threads = pick(random, {1, 4})});
    ChipReport report;
    exec.execute([&] {
      report = cut_image((folder / "scene.tif").string(), folder.path(), options,
                         labels_from_polygons(fields, grid.crs, boundary), exec);
    });
    for (const Chip& chip : report.chips) {
      const RasterReader reader((folder / chip.labels).string());
      const auto labels = reader.read<std::uint8_t>(reader.grid().window());
      const Window& w = chip.place.window;
      for (std::int64_t row = 0; row < w.height; ++row) {
        for (std::int64_t col = 0; col < w.width; ++col) {
          ASSERT_EQ(labels.at(col, row), whole.at(w.col + col, w.row + row))
              << "trial " << trial << ", " << chip.name << ", column " << col << ", row " << row;
        }
      }
    }
  }
}

}  // namespace
}  // namespace furrow::geo
