#include <furrow/geo/raster/stack_alignment.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/chip_grid.h>

namespace furrow::geo {
namespace {

constexpr std::int64_t kWindowPx = 512;
constexpr std::int64_t kMostPerSide = 4;
constexpr int kMostBands = 4;

Window cover_of(const ChipSource::Layer& layer, const Grid& grid) {
  Box box;
  for (const ChipScene& scene : layer) box.expand(bounds_in(scene.grid, grid.crs));
  return grid.window_of(box);
}

/// Begins of windows along one axis, evenly spread.
std::vector<std::int64_t> spread(std::int64_t begin, std::int64_t size) {
  const std::int64_t count = std::clamp<std::int64_t>((size + kWindowPx - 1) / kWindowPx, 1, kMostPerSide);
  std::vector<std::int64_t> begins;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t room = std::max<std::int64_t>(0, size - kWindowPx);
    begins.push_back(begin + (count == 1 ? room / 2 : i * room / (count - 1)));
  }
  return begins;
}

std::vector<Window> sample_windows(const Window& common) {
  std::vector<Window> windows;
  if (common.empty()) return windows;
  constexpr std::int64_t kWholePx = 2048;
  if (common.width <= kWholePx && common.height <= kWholePx) return {common};
  for (const std::int64_t row : spread(common.row, common.height)) {
    for (const std::int64_t col : spread(common.col, common.width))
      windows.push_back(intersection({col, row, kWindowPx, kWindowPx}, common));
  }
  return windows;
}

Raster<float> first_bands(const Raster<float>& all, int count) {
  Raster<float> out(all.width(), all.height(), count);
  std::copy_n(all.data().begin(), out.data().size(), out.data().begin());
  return out;
}

std::optional<ImageShift> measure(const ChipSource& source, std::size_t layer, const Grid& grid) {
  const auto& layers = source.layers();
  const Window common = intersection(cover_of(layers.front(), grid), cover_of(layers[layer], grid));
  const auto windows = sample_windows(common);
  std::vector<ImagePair> pairs(windows.size());
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::size_t{0}, windows.size(), [&](std::size_t i) {
      const auto a = source.read_layer(0, grid, windows[i]);
      const auto b = source.read_layer(layer, grid, windows[i]);
      const int bands = std::min({a.values.bands(), b.values.bands(), kMostBands});
      pairs[i] = {first_bands(a.values, bands), first_bands(b.values, bands), a.valid};
      for (std::size_t p = 0; p < b.valid.data().size(); ++p) pairs[i].valid.data()[p] &= b.valid.data()[p];
    });
  });
  return estimate_shift(pairs);
}

std::string cell(const std::optional<ImageShift>& shift, double Point::*member) {
  return shift ? fixed(shift->px.*member, 3) : std::string{};
}
std::string error_cell(const std::optional<ImageShift>& shift) {
  return shift ? fixed(std::hypot(shift->error_px.x, shift->error_px.y), 3) : std::string{};
}

}  // namespace

std::vector<LayerShift> align_layers(std::vector<ChipSource::Layer>& layers, const Grid& grid,
                                     const ChipSourceOptions& options, bool correct, ExecContext& exec) {
  std::vector<LayerShift> shifts(layers.size());
  Progress progress(exec, "shifts between images", std::ssize(layers) - 1);
  for (std::size_t i = 1; i < layers.size(); ++i) {
    const auto measure_now = [&] {
      return measure(ChipSource({layers.front(), layers[i]}, grid.crs, options, exec.threads()), 1, grid);
    };
    shifts[i].measured = measure_now();
    if (correct && shifts[i].measured && shifts[i].measured->is_significant()) {
      const Point px = shifts[i].measured->px;
      const GeoTransform& t = grid.transform;
      for (ChipScene& scene : layers[i]) scene.move = {px.x * t.dx + px.y * t.rx, px.x * t.ry + px.y * t.dy};
      shifts[i].left = measure_now();
    }
    progress.advance();
  }
  return shifts;
}

void write_image_catalogue(const std::vector<ChipSource::Layer>& layers,
                           const std::vector<LayerShift>& shifts, const std::filesystem::path& folder) {
  CsvTable table;
  table.columns = {"layer",        "name",         "path",           "date",    "crs",
                   "shift_col_px", "shift_row_px", "shift_error_px", "patches", "aligned",
                   "left_col_px",  "left_row_px",  "left_error_px"};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerShift& shift = shifts[i];
    for (const ChipScene& scene : layers[i]) {
      table.rows.push_back({concat(i + 1), scene.name, scene.path, scene.date, scene.grid.crs.name(),
                            cell(shift.measured, &Point::x), cell(shift.measured, &Point::y),
                            error_cell(shift.measured), shift.measured ? concat(shift.measured->patches) : "",
                            shift.left ? "1" : "0", cell(shift.left, &Point::x), cell(shift.left, &Point::y),
                            error_cell(shift.left)});
    }
  }
  write_csv(table, folder / "images.csv", true);
}

}  // namespace furrow::geo
