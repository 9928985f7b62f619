#include <furrow/geo/raster/label_raster.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/raster/dataset_labels.h>
#include <furrow/geo/raster/distance.h>
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

Window WindowRasterizer::surroundings() const {
  constexpr double kWidest = 1073741824.0;  // 2^30 pixels
  const Grid& grid = m_impl->grid;
  Box pixels{0.0, 0.0, static_cast<double>(grid.width), static_cast<double>(grid.height)};
  for (const std::size_t i : m_impl->near(grid.window(), 1)) {
    const Box box = bounds(m_impl->polygons[i]);
    for (const double x : {box.min_x, box.max_x}) {
      for (const double y : {box.min_y, box.max_y}) pixels.expand(grid.transform.to_pixel({x, y}));
    }
  }
  if (!(pixels.width() < kWidest && pixels.height() < kWidest)) {
    throw InvalidArgument(
        "a field reaches absurdly far beyond the raster; cut the polygons to the surroundings of the raster");
  }
  const auto first = [](double v) { return static_cast<std::int64_t>(std::floor(v)) - 1; };
  const auto end = [](double v) { return static_cast<std::int64_t>(std::ceil(v)) + 1; };
  const Window window{first(pixels.min_x), first(pixels.min_y), 0, 0};
  return {window.col, window.row, end(pixels.max_x) - window.col, end(pixels.max_y) - window.row};
}

bool WindowRasterizer::touches(const Window& window) const {
  return !m_impl->near(window, 0).empty();
}

namespace {

RasterSpec class_spec(const LabelRasterOptions& options) {
  RasterSpec spec;
  spec.overview = Overview::kMode;
  spec.classes = label_classes();
  const RasterClass boundary = spec.classes[2];
  switch (options.kind) {
    case LabelKind::kLabels:
      spec.descriptions = {"label"};
      break;
    case LabelKind::kBoundaryMask:
      spec.descriptions = {"boundary"};
      spec.classes.resize(2);
      spec.classes[1] = {1, boundary.name, boundary.rgba};
      break;
    case LabelKind::kIgnoreMask:
      spec.descriptions = {"known"};
      spec.classes = {{1, "known", spec.classes[1].rgba}};
      break;
    default:
      spec.descriptions = {"extent"};
      spec.classes.resize(2);
      spec.classes[1].name = "field";
  }
  if (options.profile == LabelProfile::kFtw && options.presence_only) {
    spec.classes.resize(options.kind == LabelKind::kLabels ? 3 : 2);
    spec.classes.push_back({3, "unknown", {150, 150, 150, 255}});
  }
  if (options.known_area && options.kind != LabelKind::kIgnoreMask) spec.nodata = kIgnore;
  return spec;
}

RasterSpec spec_of(const LabelRasterOptions& options) {
  if (options.kind != LabelKind::kInstances && options.kind != LabelKind::kDistance)
    return class_spec(options);
  RasterSpec spec;
  if (options.kind == LabelKind::kDistance) {
    spec.type = PixelType::kFloat32;
    spec.overview = Overview::kAverage;
    spec.descriptions = {"distance"};
    spec.metadata["DISTANCE_UNIT"] = options.distance == DistanceUnit::kPixels ? "pixel"
                                     : options.distance == DistanceUnit::kMetres
                                         ? "metre"
                                         : "share of the field's largest";
    return spec;
  }
  spec.type = PixelType::kUint32;
  if (!options.presence_only) spec.nodata = 0.0;
  spec.overview = Overview::kNearest;
  spec.descriptions = {"instance"};
  return spec;
}

/// Windows that fit a small share of the memory budget, in whole blocks of the file: strips as wide as the
/// grid where they fit.
struct WindowSize {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

std::int64_t window_pixels(const ExecContext& exec) {
  constexpr std::int64_t kBytesPerPixel = 16;  // labels, instances, boundary marks, mask
  return static_cast<std::int64_t>(std::min<std::size_t>(exec.memory_bytes() / 8, std::size_t{1} << 29)) /
         kBytesPerPixel;
}

WindowSize window_size(const Grid& grid, const ExecContext& exec) {
  constexpr std::int64_t kBlock = 512;
  const auto whole_blocks = [](std::int64_t pixels) {
    return std::max<std::int64_t>(1, pixels / kBlock) * kBlock;
  };
  const std::int64_t pixels = window_pixels(exec);
  const std::int64_t width = std::min(grid.width, whole_blocks(pixels / std::min(grid.height, kBlock)));
  return {width, std::min(grid.height, whole_blocks(pixels / std::max<std::int64_t>(1, width)))};
}

/// In pieces whose number fits a byte, so that many values are compared at once.
template <class T>
std::int64_t count_of(std::span<const T> values, T wanted) {
  constexpr std::size_t kPiece = 128;
  std::int64_t count = 0;
  for (std::size_t begin = 0; begin < values.size(); begin += kPiece) {
    std::uint8_t here = 0;
    for (const T value : values.subspan(begin, std::min(kPiece, values.size() - begin)))
      here = static_cast<std::uint8_t>(here + (value == wanted ? 1 : 0));
    count += here;
  }
  return count;
}

template <class T>
void count_pixels(const Raster<T>& pixels, LabelKind kind, LabelRasterReport& report) {
  constexpr std::size_t kCached = 8192;  // values that are looked at several times
  const bool classes = kind != LabelKind::kInstances && kind != LabelKind::kDistance;
  const std::span<const T> all(pixels.data());
  for (std::size_t begin = 0; begin < all.size(); begin += kCached) {
    const auto values = all.subspan(begin, std::min(kCached, all.size() - begin));
    const std::int64_t background = count_of(values, T{0});
    std::int64_t boundary = 0;
    if (kind == LabelKind::kLabels) boundary = count_of(values, T{kBoundary});
    if (kind == LabelKind::kBoundaryMask) boundary = count_of(values, T{1});
    const std::int64_t ignored = classes ? count_of(values, T{kIgnore}) + count_of(values, T{3}) : 0;
    report.background_px += background;
    report.boundary_px += boundary;
    report.ignored_px += ignored;
    report.interior_px += static_cast<std::int64_t>(values.size()) - background - boundary - ignored;
  }
}

void check_options(const LabelRasterOptions& options, std::size_t polygons) {
  const bool furrow = options.profile == LabelProfile::kFurrow;
  const LabelKind kind = options.kind;
  if (options.known_area && (!furrow || kind == LabelKind::kInstances || kind == LabelKind::kDistance)) {
    throw InvalidArgument("this kind of raster has no value for pixels to ignore");
  }
  if (kind == LabelKind::kIgnoreMask && !options.known_area) {
    throw InvalidArgument("a raster of the known area needs the known area");
  }
  const bool fits = furrow || kind == LabelKind::kLabels ||
                    (options.profile == LabelProfile::kFtw &&
                     (kind == LabelKind::kExtent || kind == LabelKind::kInstances));
  if (!fits) throw InvalidArgument("the dataset's label code makes no raster of this kind");
  if (!options.ids.empty() && options.ids.size() != polygons) {
    throw InvalidArgument("there must be one id per polygon");
  }
  if (std::ranges::find(options.ids, 0U) != options.ids.end()) {
    throw InvalidArgument("an instance's id must be 1 or more: 0 is where there is none");
  }
}

/// One label raster on its way to the file.
class LabelWriting {
 public:
  LabelWriting(const std::filesystem::path& path, const Grid& grid, const LabelRasterOptions& options,
               bool overwrite, bool no_polygons, ExecContext& exec)
      : m_grid(grid),
        m_options(options),
        m_exec(exec),
        m_writer(path, grid, finished(spec_of(options), no_polygons), overwrite),
        m_progress(exec, "pixels", grid.window().pixels()) {}

  LabelRasterReport run(std::vector<MultiPolygon> polygons) {
    switch (m_options.profile) {
      case LabelProfile::kLacuna:
        lacuna(polygons);
        break;
      case LabelProfile::kFtw:
        ftw(polygons);
        break;
      case LabelProfile::kFurrow:
        furrow(std::move(polygons));
        break;
    }
    m_writer.finish();
    return m_report;
  }

 private:
  [[nodiscard]] RasterSpec finished(RasterSpec spec, bool no_polygons) const {
    const bool lacuna = m_options.profile == LabelProfile::kLacuna;
    if (lacuna && m_options.published_types && no_polygons) spec.type = PixelType::kInt16;
    spec.threads = m_exec.threads();
    spec.cog = m_options.cog;
    spec.compression = m_options.compression;
    return spec;
  }

  template <class T>
  void write(const Window& window, const Raster<T>& pixels) {
    count_pixels(pixels, m_options.kind, m_report);
    m_writer.write(window, pixels);
    m_progress.advance(window.pixels());
  }

  /// make(window): the pixels of a window.
  template <class Make>
  void by_windows(const Make& make) {
    const WindowSize size = window_size(m_grid, m_exec);
    for (std::int64_t row = 0; row < m_grid.height; row += size.height) {
      for (std::int64_t col = 0; col < m_grid.width; col += size.width) {
        const Window window = intersection({col, row, size.width, size.height}, m_grid.window());
        write(window, make(window));
      }
    }
  }

  void lacuna(const std::vector<MultiPolygon>& polygons) {
    const LacunaLabels fields(polygons, m_grid);
    if (fields.dropped_outer_ring()) {
      log_warning(
          "all fields are narrower than two pixels: labels without outer ring, where the published code "
          "gives none");
    }
    by_windows([&](const Window& window) { return fields.labels(window); });
  }

  void ftw(const std::vector<MultiPolygon>& polygons) {
    const FtwMasks fields(polygons, m_grid, m_options.presence_only ? 3 : 0);
    if (m_options.kind == LabelKind::kInstances) {
      by_windows([&](const Window& window) { return fields.instances(window, m_options.ids); });
    } else if (m_options.kind == LabelKind::kExtent) {
      by_windows([&](const Window& window) { return fields.two_classes(window); });
    } else {
      by_windows([&](const Window& window) { return fields.three_classes(window); });
    }
  }

  void furrow(std::vector<MultiPolygon> polygons) {
    const std::size_t count = polygons.size();
    const WindowRasterizer fields(std::move(polygons), m_grid, m_options.boundary);
    if (m_options.kind == LabelKind::kDistance) {
      distances(fields, count);
    } else if (m_options.kind == LabelKind::kInstances) {
      by_windows([&](const Window& window) { return with_ids(fields.instances(window)); });
    } else {
      std::optional<WindowRasterizer> known;
      if (m_options.known_area) known.emplace(*m_options.known_area, m_grid);
      by_windows([&](const Window& window) { return classes(fields, known, window); });
    }
  }

  [[nodiscard]] Raster<std::uint32_t> with_ids(Raster<std::uint32_t> instances) const {
    if (m_options.ids.empty()) return instances;
    for (std::uint32_t& value : instances.data()) {
      if (value != 0) value = m_options.ids[value - 1];
    }
    return instances;
  }

  [[nodiscard]] Raster<std::uint8_t> classes(const WindowRasterizer& fields,
                                             const std::optional<WindowRasterizer>& known,
                                             const Window& window) const {
    Raster<std::uint8_t> pixels;
    if (m_options.kind == LabelKind::kIgnoreMask) {
      pixels = Raster<std::uint8_t>(window.width, window.height, 1, 1);
    } else if (m_options.kind == LabelKind::kExtent) {
      pixels = fields.extent(window);
    } else {
      pixels = fields.labels(window);
    }
    if (m_options.kind == LabelKind::kBoundaryMask) {
      for (std::uint8_t& value : pixels.data()) value = value == kBoundary ? 1 : 0;
    }
    if (!known) return pixels;
    const auto inside = known->extent(window);
    for (std::size_t i = 0; i < pixels.data().size(); ++i) {
      if (inside.data()[i] == 0) pixels.data()[i] = kIgnore;
    }
    return pixels;
  }

  void distances(const WindowRasterizer& fields, std::size_t polygons) {
    DistanceOptions how;
    how.per_field = m_options.distance == DistanceUnit::kPerField;
    if (m_options.distance == DistanceUnit::kMetres || (how.per_field && !m_grid.crs.empty())) {
      how.pixel_size = m_grid.pixel_size_m();
    }
    const Window area = fields.surroundings();
    how.strip_rows = std::clamp<std::int64_t>(window_pixels(m_exec) / area.width, 16, 512);
    field_distances([&](const Window& window) { return fields.instances(window); }, area, m_grid.window(),
                    static_cast<std::uint32_t>(polygons), how, m_exec,
                    [&](const Window& window, const Raster<float>& pixels) { write(window, pixels); });
  }

  const Grid& m_grid;
  const LabelRasterOptions& m_options;
  ExecContext& m_exec;
  RasterWriter m_writer;
  Progress m_progress;
  LabelRasterReport m_report;
};

}  // namespace

LabelRasterReport write_label_raster(const std::filesystem::path& path, std::vector<MultiPolygon> polygons,
                                     const Grid& grid, const LabelRasterOptions& options, bool overwrite,
                                     ExecContext& exec) {
  check_options(options, polygons.size());
  LabelWriting writing(path, grid, options, overwrite, polygons.empty(), exec);
  return writing.run(std::move(polygons));
}

}  // namespace furrow::geo
