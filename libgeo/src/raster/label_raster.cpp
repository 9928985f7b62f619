#include <furrow/geo/raster/label_raster.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/box_index.h>

namespace furrow::geo {
namespace {

std::vector<Box> boxes_of(std::span<const MultiPolygon> polygons) {
  std::vector<Box> boxes;
  boxes.reserve(polygons.size());
  for (const auto& polygon : polygons) boxes.push_back(bounds(polygon));
  return boxes;
}

}  // namespace

struct WindowRasterizer::Impl {
  std::vector<MultiPolygon> polygons;
  Grid grid;
  BoundaryOptions boundary;
  std::int64_t reach_px = 0;
  BoxIndex index;

  Impl(std::vector<MultiPolygon> shapes, const Grid& g, const BoundaryOptions& b)
      : polygons(std::move(shapes)), grid(g), boundary(b), index(boxes_of(polygons)) {
    // Every window measures with the whole grid's pixel, so that windows agree.
    if (boundary.width_m && !boundary.pixel_size_m) boundary.pixel_size_m = grid.pixel_size_m();
    const Point reach = boundary_reach_px(grid, boundary);
    reach_px = static_cast<std::int64_t>(std::max(reach.x, reach.y));
  }

  /// Positions of the polygons within `margin_px` of a window.
  [[nodiscard]] std::vector<std::size_t> near(const Window& window, std::int64_t margin_px) const {
    return index.query(grid.bounds(grow(window, margin_px)));
  }
  [[nodiscard]] std::vector<MultiPolygon> take(const std::vector<std::size_t>& positions) const {
    std::vector<MultiPolygon> taken;
    taken.reserve(positions.size());
    for (const std::size_t i : positions) taken.push_back(polygons[i]);
    return taken;
  }
};

WindowRasterizer::WindowRasterizer(std::vector<MultiPolygon> polygons, const Grid& grid,
                                   const BoundaryOptions& boundary)
    : m_impl(std::make_unique<Impl>(std::move(polygons), grid, boundary)) {}
WindowRasterizer::~WindowRasterizer() = default;
WindowRasterizer::WindowRasterizer(WindowRasterizer&&) noexcept = default;

Raster<std::uint8_t> WindowRasterizer::labels(const Window& window) const {
  const auto near = m_impl->take(m_impl->near(window, m_impl->reach_px));
  return rasterize_labels(near, m_impl->grid.subgrid(window), m_impl->boundary);
}

Raster<std::uint8_t> WindowRasterizer::extent(const Window& window) const {
  return rasterize_extent(m_impl->take(m_impl->near(window, 1)), m_impl->grid.subgrid(window));
}

Raster<std::uint32_t> WindowRasterizer::instances(const Window& window) const {
  const auto positions = m_impl->near(window, 1);
  auto instances = rasterize_instances(m_impl->take(positions), m_impl->grid.subgrid(window));
  for (std::uint32_t& value : instances.data()) {
    if (value != 0) value = static_cast<std::uint32_t>(positions[value - 1]) + 1;
  }
  return instances;
}

bool WindowRasterizer::touches(const Window& window) const {
  return !m_impl->near(window, 0).empty();
}

namespace {

RasterSpec spec_of(const LabelRasterOptions& options) {
  RasterSpec spec;
  spec.overview = Overview::kMode;
  if (options.kind == LabelKind::kInstances) {
    spec.type = PixelType::kUint32;
    spec.nodata = 0.0;
    spec.overview = Overview::kNearest;
    spec.descriptions = {"instance"};
    return spec;
  }
  spec.descriptions = {options.kind == LabelKind::kLabels ? "label" : "extent"};
  spec.classes = label_classes();
  if (options.kind == LabelKind::kExtent) {
    spec.classes.resize(2);
    spec.classes[1].name = "field";
  }
  if (options.known_area) spec.nodata = kIgnore;
  return spec;
}

/// Windows that fit a small share of the memory budget, in whole blocks of the file: strips as wide as the
/// grid where they fit.
struct WindowSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

WindowSize window_size(const Grid& grid, const ExecContext& exec) {
  constexpr std::int64_t kBlock = 512;
  constexpr std::int64_t kBytesPerPixel = 16;  // labels, instances, boundary marks, mask
  const auto budget =
      static_cast<std::int64_t>(std::min<std::size_t>(exec.memory_bytes() / 8, std::size_t{1} << 29));
  const auto whole_blocks = [](std::int64_t pixels) {
    return std::max<std::int64_t>(1, pixels / kBlock) * kBlock;
  };
  const std::int64_t pixels = budget / kBytesPerPixel;
  const std::int64_t width = std::min(grid.width, whole_blocks(pixels / std::min(grid.height, kBlock)));
  return {width, std::min(grid.height, whole_blocks(pixels / std::max<std::int64_t>(1, width)))};
}

template <class T>
void count_pixels(const Raster<T>& pixels, LabelKind kind, LabelRasterReport& report) {
  for (const T value : pixels.data()) {
    if (value == 0) {
      ++report.background_px;
    } else if (kind != LabelKind::kInstances && value == kIgnore) {
      ++report.ignored_px;
    } else if (kind == LabelKind::kLabels && value == kBoundary) {
      ++report.boundary_px;
    } else {
      ++report.interior_px;
    }
  }
}

Raster<std::uint8_t> label_window(const WindowRasterizer& fields,
                                  const std::optional<WindowRasterizer>& known, LabelKind kind,
                                  const Window& window) {
  auto pixels = kind == LabelKind::kLabels ? fields.labels(window) : fields.extent(window);
  if (!known) return pixels;
  const auto inside = known->extent(window);
  for (std::size_t i = 0; i < pixels.data().size(); ++i) {
    if (inside.data()[i] == 0) pixels.data()[i] = kIgnore;
  }
  return pixels;
}

}  // namespace

LabelRasterReport write_label_raster(const std::filesystem::path& path, std::vector<MultiPolygon> polygons,
                                     const Grid& grid, const LabelRasterOptions& options, bool overwrite,
                                     ExecContext& exec) {
  if (options.known_area && options.kind == LabelKind::kInstances) {
    throw InvalidArgument("an instance raster has no value for pixels to ignore");
  }
  const WindowRasterizer fields(std::move(polygons), grid, options.boundary);
  std::optional<WindowRasterizer> known;
  if (options.known_area) known.emplace(*options.known_area, grid);
  RasterSpec spec = spec_of(options);
  spec.threads = exec.threads();
  RasterWriter writer(path, grid, spec, overwrite);
  LabelRasterReport report;
  const WindowSize size = window_size(grid, exec);
  Progress progress(exec, "pixels", grid.window().pixels());
  for (std::int64_t row = 0; row < grid.height; row += size.height) {
    for (std::int64_t col = 0; col < grid.width; col += size.width) {
      const Window window = intersection({col, row, size.width, size.height}, grid.window());
      if (options.kind == LabelKind::kInstances) {
        const auto pixels = fields.instances(window);
        count_pixels(pixels, options.kind, report);
        writer.write(window, pixels);
      } else {
        const auto pixels = label_window(fields, known, options.kind, window);
        count_pixels(pixels, options.kind, report);
        writer.write(window, pixels);
      }
      progress.advance(window.pixels());
    }
  }
  writer.finish();
  return report;
}

}  // namespace furrow::geo
