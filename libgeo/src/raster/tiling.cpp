#include <furrow/geo/raster/tiling.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <oneapi/tbb/concurrent_vector.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/block_cache_limit.h>
#include <furrow/geo/raster/writer.h>

#include "chip_groups.h"
#include "gdal_support.h"

namespace furrow::geo {
namespace {

template <class T>
ChipBandStatistics statistics_of(std::span<const T> values, const Raster<std::uint8_t>& valid) {
  ChipBandStatistics out{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 0,
                         0};
  double count = 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (valid.data()[i] == 0) continue;
    const auto v = static_cast<double>(values[i]);
    out.min = std::min(out.min, v);
    out.max = std::max(out.max, v);
    sum += v;
    count += 1.0;
  }
  out.mean = sum / count;
  double squares = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (valid.data()[i] == 0) continue;
    const double d = static_cast<double>(values[i]) - out.mean;
    squares += d * d;
  }
  out.sd = std::sqrt(squares / count);
  return out;
}

/// Cuts the chips of one plan.
class ChipCutter {
 public:
  ChipCutter(const ChipSource& source, const ChipPlan& plan, const std::string& scene,
             const std::filesystem::path& folder, const ChipOutput& output, const LabelsOfGrid& labels)
      : m_source(source),
        m_plan(plan),
        m_scene(scene),
        m_folder(folder),
        m_output(output),
        m_labels(labels),
        m_date(source.date()),
        m_spec(source.spec()) {
    m_spec.cog = output.format == ChipFormat::kCog;
    m_spec.compression = output.compression;
    m_spec.flush = output.flush;
    m_mosaic = source.layers().size() == 1 && source.layers().front().size() > 1;
    if (labels && plan.grid()) {
      const std::string& path = source.layers().front().front().path;
      m_shared_labels = labels(plan.grid()->subgrid(plan.extent()), quoted(path));
    }
  }

  ChipReport cut(ExecContext& exec) const {
    ChipReport report;
    Progress progress(exec, concat("chips of ", m_scene), m_plan.count());
    const std::size_t bytes = chip_bytes(exec);
    const bool copies = !resamples() && !m_mosaic;
    const ChipScene& scene = m_source.layers().front().front();
    const ChipGroups groups(m_plan, copies && scene.by_rows, exec.threads());
    // A mosaic or another grid may come back to blocks.
    std::optional<BlockCacheLimit> cache;
    if (copies) cache.emplace(cache_bytes(groups.columns()) * static_cast<std::size_t>(exec.threads()));
    std::int64_t next = 0;
    tbb::concurrent_vector<std::string> begun;
    Cleaner cleaner{m_folder, begun};
    using Group = std::vector<std::optional<Chip>>;
    // Isolated: a waiting thread must not start one of the caller's other tasks.
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_pipeline(
          exec.tokens(bytes),
          tbb::make_filter<void, std::int64_t>(tbb::filter_mode::serial_in_order,
                                               [&](tbb::flow_control& flow) {
                                                 if (next == groups.count()) flow.stop();
                                                 return next < groups.count() ? next++ : next;
                                               }) &
              tbb::make_filter<std::int64_t, Group>(tbb::filter_mode::parallel,
                                                    [&](std::int64_t group) {
                                                      Group cut;
                                                      for (const auto i : groups.chips(group)) {
                                                        cut.push_back(cut_chip(m_plan.chip(i), begun));
                                                        progress.advance();
                                                      }
                                                      return cut;
                                                    }) &
              tbb::make_filter<Group, void>(tbb::filter_mode::serial_in_order, [&](Group group) {
                for (auto& chip : group) collect(std::move(chip), report);
              }));
    });
    std::ranges::sort(report.chips, {}, [](const Chip& c) { return std::pair(c.place.row, c.place.col); });
    find_centres(report.chips);
    cleaner.armed = false;
    return report;
  }

 private:
  /// Takes the chips of an image that failed half-way out of the folder again.
  struct Cleaner {
    const std::filesystem::path& folder;
    const tbb::concurrent_vector<std::string>& begun;  ///< names
    bool armed = true;
    ~Cleaner() {
      if (!armed) return;
      for (const std::string& name : begun) {
        const std::string file = name + ".tif";
        for (const auto& path : {folder / file, folder / "labels" / file}) {
          std::error_code ec;
          std::filesystem::remove(path, ec);
          std::filesystem::remove(path.string() + ".aux.xml", ec);
        }
      }
    }
  };

  /// What one chip takes: values twice (a second image of a mosaic, the layers of a stack), masks, labels.
  [[nodiscard]] std::size_t chip_bytes(const ExecContext& exec) const {
    const auto pixels = static_cast<std::size_t>(m_plan.width() * m_plan.height());
    const std::size_t bytes = pixels * (static_cast<std::size_t>(m_spec.bands) * 8 * 2 + 16) +
                              (resamples() ? m_source.reading_bytes() : 0);
    if (bytes > exec.memory_bytes()) {
      throw InvalidArgument(concat(
          "a chip of ", m_plan.width(), " x ", m_plan.height(), " px needs about ",
          human_bytes(static_cast<double>(bytes)), ", more than the memory budget of ",
          human_bytes(static_cast<double>(exec.memory_bytes())), "; make chips smaller or raise --memory"));
    }
    return bytes;
  }

  /// The blocks that a row of `chips` chips touches, from the image and in the files that are written.
  [[nodiscard]] std::size_t cache_bytes(std::int64_t chips) const {
    constexpr std::int64_t kBlock = 512;
    std::size_t bytes = 0;
    for (const auto& layer : m_source.layers()) {
      const ChipScene& scene = layer.front();
      const std::int64_t columns = std::min(chips * m_plan.width(), scene.grid.width) + 2 * kBlock;
      bytes += static_cast<std::size_t>(columns * (m_plan.height() + 2 * kBlock)) * scene.pixel_bytes;
    }
    return bytes;
  }

  [[nodiscard]] bool resamples() const {
    if (!m_plan.grid()) return true;
    return !std::ranges::all_of(m_source.layers(), [&](const ChipSource::Layer& layer) {
      return std::ranges::all_of(layer, [&](const ChipScene& scene) {
        return scene.move == Point{} && pixels_coincide(scene.grid, *m_plan.grid());
      });
    });
  }

  [[nodiscard]] std::optional<Chip> cut_chip(const PlannedChip& planned,
                                             tbb::concurrent_vector<std::string>& begun) const {
    const Window& window = planned.place.window;
    std::vector<std::size_t> used;
    const ChipPixels pixels = m_source.read(planned.grid, window, m_mosaic ? &used : nullptr);
    const auto count = std::count(pixels.valid.data().begin(), pixels.valid.data().end(), 1);
    const double share = static_cast<double>(count) / static_cast<double>(window.pixels());
    if ((m_output.skip_empty && count == 0) || share < m_output.min_valid) return std::nullopt;
    Chip chip;
    chip.name = planned.name;
    chip.scene = m_scene;
    chip.image = chip.name + ".tif";
    chip.place = planned.place;
    chip.core = planned.core;
    chip.valid = share;
    chip.date = m_date;
    place_on_ground(planned.grid, chip);
    if (m_mosaic) name_sources(used, chip);
    if (m_output.statistics && count > 0) add_statistics(pixels, chip);
    begun.push_back(chip.name);
    write_image(planned.grid.subgrid(window), pixels, count == window.pixels(), chip);
    if (m_labels) write_labels(planned, pixels.valid, chip);
    return chip;
  }

  /// The images of a mosaic that gave pixels, and their date when it is the same.
  void name_sources(const std::vector<std::size_t>& used, Chip& chip) const {
    const ChipSource::Layer& scenes = m_source.layers().front();
    for (const std::size_t i : used) {
      if (!chip.sources.empty()) chip.sources += ' ';
      chip.sources += scenes[i].name;
    }
    const bool one_date = !used.empty() && std::ranges::all_of(used, [&](std::size_t i) {
      return scenes[i].date == scenes[used.front()].date;
    });
    chip.date = one_date ? scenes[used.front()].date : std::string{};
  }

  void write_image(const Grid& grid, const ChipPixels& pixels, bool complete, const Chip& chip) const {
    RasterSpec spec = m_spec;
    // A chip without a mask is valid everywhere.
    spec.mask = spec.mask && !complete;
    std::visit(
        [&](const auto& values) {
          write_raster(m_folder / chip.image, grid, values, spec, false, &pixels.valid);
        },
        pixels.values);
  }

  static void add_statistics(const ChipPixels& pixels, Chip& chip) {
    std::visit(
        [&](const auto& values) {
          for (int b = 0; b < values.bands(); ++b)
            chip.statistics.push_back(statistics_of(values.band(b), pixels.valid));
        },
        pixels.values);
  }

  void write_labels(const PlannedChip& planned, const Raster<std::uint8_t>& valid, Chip& chip) const {
    chip.labels = "labels/" + chip.image;
    const Window& window = planned.place.window;
    const Grid grid = planned.grid.subgrid(window);
    Raster<std::uint8_t> labels;
    if (m_shared_labels) {
      const Window& extent = m_plan.extent();
      labels =
          m_shared_labels({window.col - extent.col, window.row - extent.row, window.width, window.height});
    } else {
      labels = m_labels(grid, {})(grid.window());
    }
    for (std::size_t i = 0; i < labels.data().size(); ++i) {
      if (valid.data()[i] == 0) labels.data()[i] = kIgnore;
    }
    RasterSpec spec;
    spec.nodata = kIgnore;
    spec.descriptions = {"label"};
    spec.classes = label_classes();
    spec.cog = m_spec.cog;
    spec.compression = m_spec.compression;
    spec.flush = m_spec.flush;
    spec.overview = Overview::kMode;
    write_raster(m_folder / chip.labels, grid, labels, spec, false);
  }

  static void collect(std::optional<Chip> chip, ChipReport& report) {
    if (chip) {
      report.chips.push_back(std::move(*chip));
    } else {
      ++report.left_out;
    }
  }

  static void place_on_ground(const Grid& grid, Chip& chip) {
    const GeoTransform& t = grid.transform;
    const auto corner = [&](std::int64_t col, std::int64_t row) {
      return t.to_world({static_cast<double>(col), static_cast<double>(row)});
    };
    const Window& w = chip.place.window;
    chip.crs = grid.crs;
    chip.pixel_size = {t.pixel_width(), t.pixel_height()};
    chip.footprint.shell = {corner(w.col, w.row), corner(w.col, w.end_row()),
                            corner(w.end_col(), w.end_row()), corner(w.end_col(), w.row),
                            corner(w.col, w.row)};
    const Point centre = t.to_world(
        {0.5 * static_cast<double>(w.col + w.end_col()), 0.5 * static_cast<double>(w.row + w.end_row())});
    chip.lon_deg = centre.x;
    chip.lat_deg = centre.y;
  }

  /// Centres in degrees; until here they are in the chips' CRS.
  static void find_centres(std::vector<Chip>& chips) {
    if (chips.empty()) return;
    const CoordinateTransform to_degrees(chips.front().crs, lonlat_crs());
    for (Chip& chip : chips) {
      const Point centre = to_degrees.apply(Point{chip.lon_deg, chip.lat_deg});
      chip.lon_deg = centre.x;
      chip.lat_deg = centre.y;
    }
  }

  const ChipSource& m_source;
  const ChipPlan& m_plan;
  const std::string& m_scene;
  const std::filesystem::path& m_folder;
  const ChipOutput& m_output;
  const LabelsOfGrid& m_labels;
  LabelsOfWindow m_shared_labels;
  std::string m_date;
  RasterSpec m_spec;
  bool m_mosaic = false;
};

}  // namespace

ChipReport cut_chips(const ChipSource& source, const ChipPlan& plan, const std::string& scene,
                     const std::filesystem::path& folder, const ChipOutput& output,
                     const LabelsOfGrid& labels, ExecContext& exec) {
  return ChipCutter(source, plan, scene, folder, output, labels).cut(exec);
}

ChipSize chip_size_on(const Grid& grid, const ChipOptions& options) {
  ChipSize size = options.size;
  if (options.side_m) size = chip_size_of(grid, *options.side_m);
  if (options.side_deg) size = chip_size_of_degrees(grid, *options.side_deg);
  size.overlap_px = options.size.overlap_px;
  size.halo_px = options.size.halo_px;
  return size;
}

ChipReport cut_image(const ChipScene& image, const std::filesystem::path& folder, const ChipOptions& options,
                     const LabelsOfGrid& labels, ExecContext& exec) {
  ChipSourceOptions source_options = options.source;
  source_options.may_miss = source_options.may_miss || options.edge == ChipEdge::kPad;
  const ChipSource source({{image}}, image.grid.crs, source_options, exec.threads());
  const ChipPlan plan = plan_grid(image.name, image.grid, chip_size_on(image.grid, options), options.edge);
  return cut_chips(source, plan, image.name, folder, options, labels, exec);
}

ChipReport cut_image(const std::string& path, const std::filesystem::path& folder, const ChipOptions& options,
                     const LabelsOfGrid& labels, ExecContext& exec) {
  return cut_image(look_at_scene(path, options.source), folder, options, labels, exec);
}

}  // namespace furrow::geo
