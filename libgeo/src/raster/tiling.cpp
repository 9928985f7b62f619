#include <furrow/geo/raster/tiling.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include <oneapi/tbb/concurrent_vector.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "gdal_support.h"

namespace furrow::geo {
namespace {

/// Where the chips begin along one axis.
class ChipAxis {
 public:
  ChipAxis(std::int64_t size, std::int64_t chip, std::int64_t overlap, ChipEdge edge)
      : m_size(size),
        m_chip(chip),
        m_step(chip - overlap),
        m_count(1 + (std::max<std::int64_t>(0, size - chip) + m_step - 1) / m_step),
        m_edge(edge) {}

  [[nodiscard]] std::int64_t count() const { return m_count; }
  [[nodiscard]] std::int64_t begin(std::int64_t i) const {
    const bool shifted = m_edge == ChipEdge::kShift && i + 1 == m_count;
    return shifted ? std::max<std::int64_t>(0, m_size - m_chip) : i * m_step;
  }
  [[nodiscard]] std::int64_t length(std::int64_t i) const {
    if (m_edge == ChipEdge::kPad) return m_chip;
    return std::min(m_chip, m_size - begin(i));
  }

 private:
  std::int64_t m_size;
  std::int64_t m_chip;
  std::int64_t m_step;
  std::int64_t m_count;
  ChipEdge m_edge;
};

/// Whole numbers that a type holds without loss.
struct IntegerRange {
  double low = 0.0;
  double high = 0.0;
};

IntegerRange range_of(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
      return {0.0, 255.0};
    case PixelType::kUint16:
      return {0.0, 65535.0};
    case PixelType::kInt16:
      return {-32768.0, 32767.0};
    case PixelType::kUint32:
      return {0.0, 4294967295.0};
    case PixelType::kInt32:
      return {-2147483648.0, 2147483647.0};
    case PixelType::kFloat32:
      return {-16777216.0, 16777216.0};
    default:
      return {-9007199254740992.0, 9007199254740992.0};
  }
}

bool is_float(PixelType type) {
  return type == PixelType::kFloat32 || type == PixelType::kFloat64;
}

/// The smallest type that holds the values of all bands.
PixelType common_type(const RasterReader& reader, std::span<const int> bands) {
  IntegerRange range;
  bool any_float = false;
  bool all_fit_single = true;
  for (const int b : bands) {
    const PixelType type = reader.band(b).type;
    if (type == PixelType::kInt8 || type == PixelType::kOther) {
      throw IoError(
          concat("band ", b + 1, " of raster ", quoted(reader.path()),
                 " has a pixel type that chips cannot hold; convert it first with gdal_translate -ot"));
    }
    if (is_float(type)) any_float = true;
    const IntegerRange single = range_of(PixelType::kFloat32);
    if (type != PixelType::kFloat32) {
      range = {std::min(range.low, range_of(type).low), std::max(range.high, range_of(type).high)};
      all_fit_single = all_fit_single && range.low >= single.low && range.high <= single.high;
    }
  }
  if (any_float) return all_fit_single ? PixelType::kFloat32 : PixelType::kFloat64;
  for (const PixelType type :
       {PixelType::kUint8, PixelType::kInt16, PixelType::kUint16, PixelType::kInt32, PixelType::kUint32}) {
    if (range_of(type).low <= range.low && range.high <= range_of(type).high) return type;
  }
  return PixelType::kFloat64;
}

bool holds(PixelType type, double value) {
  if (is_float(type)) return true;
  return value == std::floor(value) && range_of(type).low <= value && value <= range_of(type).high;
}

/// The chips of a grid by number, row by row, without a list of them all: there may be very many.
class ChipRaster {
 public:
  ChipRaster(const Grid& grid, const ChipSize& size, ChipEdge edge)
      : m_rows(grid.height, checked(size).height, size.overlap_px, edge),
        m_cols(grid.width, size.width, size.overlap_px, edge),
        m_count(grid.window().empty() ? 0 : m_rows.count() * m_cols.count()) {}

  [[nodiscard]] std::int64_t count() const { return m_count; }
  [[nodiscard]] std::int64_t rows() const { return m_count == 0 ? 0 : m_rows.count(); }
  [[nodiscard]] std::int64_t columns() const { return m_count == 0 ? 0 : m_cols.count(); }
  [[nodiscard]] ChipPlace place(std::int64_t number) const {
    const std::int64_t row = number / m_cols.count();
    const std::int64_t col = number % m_cols.count();
    return {row, col, {m_cols.begin(col), m_rows.begin(row), m_cols.length(col), m_rows.length(row)}};
  }

 private:
  static const ChipSize& checked(const ChipSize& size) {
    if (size.width < 1 || size.height < 1) throw InvalidArgument("a chip needs at least 1 pixel");
    if (size.overlap_px < 0 || size.overlap_px >= std::min(size.width, size.height)) {
      throw InvalidArgument(concat("an overlap of ", size.overlap_px, " px does not fit chips of ",
                                   size.width, " x ", size.height, " px"));
    }
    return size;
  }

  ChipAxis m_rows;
  ChipAxis m_cols;
  std::int64_t m_count;
};

}  // namespace

std::vector<ChipPlace> chip_places(const Grid& grid, const ChipSize& size, ChipEdge edge) {
  const ChipRaster chips(grid, size, edge);
  std::vector<ChipPlace> places;
  for (std::int64_t i = 0; i < chips.count(); ++i) places.push_back(chips.place(i));
  return places;
}

ChipSize chip_size_of(const Grid& grid, double side_m) {
  if (!(side_m > 0.0) || !std::isfinite(side_m)) {
    throw InvalidArgument(concat("the side of a chip must be above 0 m, got ", side_m));
  }
  const Point pixel = grid.pixel_size_m();
  if (side_m < 0.5 * std::min(pixel.x, pixel.y)) {
    throw InvalidArgument(concat("a chip of ", side_m, " m is smaller than a pixel, which has ",
                                 fixed(pixel.x, 3), " x ", fixed(pixel.y, 3), " m"));
  }
  const auto pixels = [&](double size) {
    return static_cast<std::int64_t>(std::clamp(std::round(side_m / size), 1.0, 2147483647.0));
  };
  return {pixels(pixel.x), pixels(pixel.y), 0};
}

namespace {

/// Chips in groups that one thread cuts one after the other, so that blocks which neighbouring chips share
/// are read once: columns from top to bottom, or rows where a block is as wide as the image. At least two for
/// each thread where there are as many chips.
class ChipGroups {
 public:
  ChipGroups(const ChipRaster& chips, bool by_rows, int threads)
      : m_rows(chips.rows()), m_columns(chips.columns()) {
    constexpr std::int64_t kMostColumns = 16;
    constexpr std::int64_t kMostRows = 64;
    const std::int64_t wanted = 2 * threads;
    const auto at_least_one = [](std::int64_t n) { return std::max<std::int64_t>(1, n); };
    if (by_rows) {
      m_width = m_rows < wanted ? at_least_one(m_columns * m_rows / wanted) : at_least_one(m_columns);
      return;
    }
    m_width = std::clamp<std::int64_t>(m_columns / wanted, 1, kMostColumns);
    m_height = std::min(kMostRows, at_least_one(m_rows * parts(m_columns, m_width) / wanted));
  }

  [[nodiscard]] std::int64_t count() const {
    return m_rows == 0 ? 0 : parts(m_rows, m_height) * parts(m_columns, m_width);
  }
  /// Of a group, at most.
  [[nodiscard]] std::int64_t columns() const { return std::min(m_width, m_columns); }
  /// Numbers of the chips of a group.
  [[nodiscard]] std::vector<std::int64_t> chips(std::int64_t group) const {
    const std::int64_t across = parts(m_columns, m_width);
    const std::int64_t row = group / across * m_height;
    const std::int64_t column = group % across * m_width;
    std::vector<std::int64_t> numbers;
    for (std::int64_t r = row; r < std::min(row + m_height, m_rows); ++r) {
      for (std::int64_t c = column; c < std::min(column + m_width, m_columns); ++c)
        numbers.push_back(r * m_columns + c);
    }
    return numbers;
  }

 private:
  static std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

  std::int64_t m_rows;
  std::int64_t m_columns;
  std::int64_t m_height = 1;
  std::int64_t m_width = 1;
};

/// Cuts the chips of one image.
class ImageCutter {
 public:
  ImageCutter(const std::string& image, const std::filesystem::path& folder, const ChipOptions& options,
              const LabelsOfImage& labels)
      : m_reader(image, options.read), m_folder(folder), m_options(options), m_bands(options.bands) {
    if (m_bands.empty()) {
      m_bands.resize(static_cast<std::size_t>(m_reader.bands()));
      std::iota(m_bands.begin(), m_bands.end(), 0);
    }
    if (labels) m_labels = labels(m_reader);
    m_stem = std::filesystem::path(image).stem().string();
    make_spec();
  }

  ChipReport cut(ExecContext& exec) const {
    ChipSize size = m_options.size;
    if (m_options.side_m) {
      size = chip_size_of(m_reader.grid(), *m_options.side_m);
      size.overlap_px = m_options.size.overlap_px;
    }
    const ChipRaster places(m_reader.grid(), size, m_options.edge);
    ChipReport report;
    Progress progress(exec, concat("chips of ", m_stem), places.count());
    // Values, a copy for padding, mask, labels.
    const bool pad = m_options.edge == ChipEdge::kPad;
    const std::int64_t width = pad ? size.width : std::min(size.width, m_reader.grid().width);
    const std::int64_t height = pad ? size.height : std::min(size.height, m_reader.grid().height);
    const auto bytes = static_cast<std::size_t>(width * height) * (m_bands.size() * 8 * 2 + 16);
    if (bytes > exec.memory_bytes()) {
      throw InvalidArgument(concat(
          "a chip of ", width, " x ", height, " px needs about ", human_bytes(static_cast<double>(bytes)),
          ", more than the memory budget of ", human_bytes(static_cast<double>(exec.memory_bytes())),
          "; make chips smaller or raise --memory"));
    }
    const ChipGroups groups(places, m_reader.block_width() >= m_reader.grid().width, exec.threads());
    const BlockCacheLimit cache(cache_bytes(groups.columns(), width, height) *
                                static_cast<std::size_t>(exec.threads()));
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
                                                        cut.push_back(cut_chip(places.place(i), begun));
                                                        progress.advance();
                                                      }
                                                      return cut;
                                                    }) &
              tbb::make_filter<Group, void>(tbb::filter_mode::serial_in_order, [&](Group group) {
                for (auto& chip : group) collect(std::move(chip), report);
              }));
    });
    std::ranges::sort(report.chips, {}, [](const Chip& c) { return std::pair(c.place.row, c.place.col); });
    locate(report.chips);
    cleaner.armed = false;
    return report;
  }

 private:
  /// The blocks that a row of `chips` chips touches, from the image and in the files that are written.
  [[nodiscard]] std::size_t cache_bytes(std::int64_t chips, std::int64_t width, std::int64_t height) const {
    constexpr std::int64_t kBlock = 512;
    const std::int64_t columns = std::min(chips * width, m_reader.grid().width) + 2 * kBlock;
    std::size_t bytes = 0;
    for (int b = 0; b < m_reader.bands(); ++b) bytes += pixel_type_bytes(m_reader.band(b).type);
    return static_cast<std::size_t>(columns * (height + 2 * kBlock)) * bytes;
  }

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

  [[nodiscard]] std::string name_of(const ChipPlace& place) const {
    return concat(m_stem, '_', place.row, '_', place.col);
  }

  void make_spec() {
    m_spec.type = common_type(m_reader, m_bands);
    m_spec.bands = static_cast<int>(m_bands.size());
    const BandInfo& first = m_reader.band(m_bands.front());
    m_spec.nodata = m_options.nodata ? m_options.nodata : first.nodata;
    m_spec.scale = first.scale;
    m_spec.offset = first.offset;
    m_spec.cog = m_options.format == ChipFormat::kCog;
    m_spec.compression = m_options.compression;
    m_spec.overview = Overview::kAverage;
    m_spec.flush = m_options.flush;
    for (const int b : m_bands) {
      const BandInfo& band = m_reader.band(b);
      if ((!m_options.nodata && !same_nodata(band.nodata, first.nodata)) || band.scale != first.scale ||
          band.offset != first.offset) {
        throw IoError(
            concat("the bands of raster ", quoted(m_reader.path()),
                   " differ in nodata, scale or offset, which one GeoTIFF cannot say; cut bands that agree ",
                   "with --bands"));
      }
      m_spec.descriptions.push_back(band.description);
    }
    const std::string date = m_reader.metadata("TIFFTAG_DATETIME");
    if (!date.empty()) m_spec.metadata["TIFFTAG_DATETIME"] = date;
    if (m_options.nodata && !holds(m_spec.type, *m_options.nodata)) {
      throw IoError(concat("nodata ", *m_options.nodata, " is no value of raster ", quoted(m_reader.path()),
                           " (", pixel_type_name(m_spec.type), "); choose another with --nodata"));
    }
    if (m_options.edge == ChipEdge::kPad && !(m_spec.nodata && holds(m_spec.type, *m_spec.nodata))) {
      throw IoError(concat("raster ", quoted(m_reader.path()),
                           " has no nodata value to pad with; name one with --nodata, or use --edge shift"));
    }
    if (m_reader.has_mask()) {
      log_warning(concat("raster ", quoted(m_reader.path()),
                         " has a mask or an alpha band; chips keep its values but not the mask"));
    }
  }

  static bool same_nodata(const std::optional<double>& a, const std::optional<double>& b) {
    if (a.has_value() != b.has_value()) return false;
    return !a || *a == *b || (std::isnan(*a) && std::isnan(*b));
  }

  /// 1 where the chip's pixel is valid; padding is not. Shape of the whole chip.
  [[nodiscard]] Raster<std::uint8_t> valid_pixels(const Window& whole, const Window& inside) const {
    Raster<std::uint8_t> valid(whole.width, whole.height);
    const auto read = m_options.nodata ? valid_by_option(inside) : m_reader.read_valid(inside, m_bands);
    for (std::int64_t row = 0; row < inside.height; ++row) {
      for (std::int64_t col = 0; col < inside.width; ++col) valid.at(col, row) = read.at(col, row);
    }
    return valid;
  }

  /// By the nodata value of the options, whatever the file says; its mask still counts.
  [[nodiscard]] Raster<std::uint8_t> valid_by_option(const Window& inside) const {
    Raster<std::uint8_t> valid(inside.width, inside.height, 1, 1);
    if (m_reader.has_mask()) valid = m_reader.read_valid(inside, m_bands);
    const auto values = m_reader.read<double>(inside, m_bands);
    for (int b = 0; b < values.bands(); ++b) {
      const auto band = values.band(b);
      for (std::size_t i = 0; i < band.size(); ++i) {
        if (band[i] == *m_options.nodata || std::isnan(band[i])) valid.data()[i] = 0;
      }
    }
    return valid;
  }

  [[nodiscard]] std::optional<Chip> cut_chip(const ChipPlace& place,
                                             tbb::concurrent_vector<std::string>& begun) const {
    const Window& window = place.window;
    const Window inside = intersection(window, m_reader.grid().window());
    const auto valid = valid_pixels(window, inside);
    const auto count = std::count(valid.data().begin(), valid.data().end(), 1);
    const double share = static_cast<double>(count) / static_cast<double>(window.pixels());
    if ((m_options.skip_empty && count == 0) || share < m_options.min_valid) return std::nullopt;
    Chip chip;
    chip.place = place;
    chip.valid = share;
    chip.name = name_of(place);
    chip.scene = m_stem;
    chip.image = chip.name + ".tif";
    begun.push_back(chip.name);
    write_image(chip, inside);
    if (m_labels) {
      chip.labels = "labels/" + chip.image;
      write_labels(chip, valid);
    }
    return chip;
  }

  void write_image(const Chip& chip, const Window& inside) const {
    switch (m_spec.type) {
      case PixelType::kUint8:
        return write_values<std::uint8_t>(chip, inside);
      case PixelType::kInt16:
        return write_values<std::int16_t>(chip, inside);
      case PixelType::kUint16:
        return write_values<std::uint16_t>(chip, inside);
      case PixelType::kInt32:
        return write_values<std::int32_t>(chip, inside);
      case PixelType::kUint32:
        return write_values<std::uint32_t>(chip, inside);
      case PixelType::kFloat32:
        return write_values<float>(chip, inside);
      default:
        return write_values<double>(chip, inside);
    }
  }

  template <class T>
  void write_values(const Chip& chip, const Window& inside) const {
    const Window& window = chip.place.window;
    Raster<T> values = m_reader.read<T>(inside, m_bands);
    if (inside != window) {
      Raster<T> padded(window.width, window.height, m_spec.bands, static_cast<T>(*m_spec.nodata));
      for (int b = 0; b < m_spec.bands; ++b) {
        for (std::int64_t row = 0; row < inside.height; ++row) {
          const auto line = values.band(b).subspan(static_cast<std::size_t>(row * inside.width),
                                                   static_cast<std::size_t>(inside.width));
          std::ranges::copy(line, &padded.at(0, row, b));
        }
      }
      values = std::move(padded);
    }
    write_raster(m_folder / chip.image, m_reader.grid().subgrid(window), values, m_spec, false);
  }

  void write_labels(const Chip& chip, const Raster<std::uint8_t>& valid) const {
    Raster<std::uint8_t> labels = m_labels(chip.place.window);
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
    write_raster(m_folder / chip.labels, m_reader.grid().subgrid(chip.place.window), labels, spec, false);
  }

  static void collect(std::optional<Chip> chip, ChipReport& report) {
    if (chip) {
      report.chips.push_back(std::move(*chip));
    } else {
      ++report.left_out;
    }
  }

  /// Says where on the ground the chips lie.
  void locate(std::vector<Chip>& chips) const {
    const CoordinateTransform to_degrees(m_reader.grid().crs, lonlat_crs());
    const GeoTransform& t = m_reader.grid().transform;
    const auto corner = [&](std::int64_t col, std::int64_t row) {
      return t.to_world({static_cast<double>(col), static_cast<double>(row)});
    };
    for (Chip& chip : chips) {
      const Window& w = chip.place.window;
      chip.crs = m_reader.grid().crs;
      chip.footprint.shell = {corner(w.col, w.row), corner(w.col, w.end_row()),
                              corner(w.end_col(), w.end_row()), corner(w.end_col(), w.row),
                              corner(w.col, w.row)};
      const Point centre = to_degrees.apply(t.to_world(
          {0.5 * static_cast<double>(w.col + w.end_col()), 0.5 * static_cast<double>(w.row + w.end_row())}));
      chip.lon_deg = centre.x;
      chip.lat_deg = centre.y;
    }
  }

  RasterReader m_reader;
  std::filesystem::path m_folder;
  const ChipOptions& m_options;
  std::vector<int> m_bands;
  LabelsOfWindow m_labels;
  std::string m_stem;
  RasterSpec m_spec;
};

/// A label raster beside an image: how many pixels it is moved against it.
class LabelRasterWindow {
 public:
  LabelRasterWindow(std::shared_ptr<const RasterReader> labels, const RasterReader& image)
      : m_labels(std::move(labels)) {
    const Grid& mine = m_labels->grid();
    const Grid& other = image.grid();
    const Point origin = mine.transform.to_pixel(other.transform.to_world({0.0, 0.0}));
    const Point end = mine.transform.to_pixel(
        other.transform.to_world({static_cast<double>(other.width), static_cast<double>(other.height)}));
    m_col = std::llround(origin.x);
    m_row = std::llround(origin.y);
    constexpr double kTolerancePx = 1e-3;
    const bool aligned = std::abs(origin.x - std::round(origin.x)) < kTolerancePx &&
                         std::abs(origin.y - std::round(origin.y)) < kTolerancePx &&
                         std::abs(end.x - origin.x - static_cast<double>(other.width)) < kTolerancePx &&
                         std::abs(end.y - origin.y - static_cast<double>(other.height)) < kTolerancePx;
    if (!aligned || !mine.crs.same_as(other.crs)) {
      throw IoError(concat("label raster ", quoted(m_labels->path()), " does not lie on the pixels of image ",
                           quoted(image.path()), "; bring it there with gdalwarp -r near -tap"));
    }
  }

  [[nodiscard]] Raster<std::uint8_t> operator()(const Window& window) const {
    Raster<std::uint8_t> out(window.width, window.height, 1, kIgnore);
    const Window wanted{window.col + m_col, window.row + m_row, window.width, window.height};
    const Window there = intersection(wanted, m_labels->grid().window());
    if (there.empty()) return out;
    const auto values = m_labels->read<double>(there, std::array{0});
    for (std::int64_t row = 0; row < there.height; ++row) {
      for (std::int64_t col = 0; col < there.width; ++col) {
        out.at(there.col - wanted.col + col, there.row - wanted.row + row) = label_of(values.at(col, row));
      }
    }
    return out;
  }

 private:
  [[nodiscard]] std::uint8_t label_of(double value) const {
    if (value == kBackground || value == kInterior || value == kBoundary)
      return static_cast<std::uint8_t>(value);
    if (value == 3.0 || value == kIgnore || std::isnan(value)) return kIgnore;
    throw IoError(concat("label raster ", quoted(m_labels->path()), " holds the value ", value,
                         "; labels are 0, 1, 2, and 3 or 255 for unknown"));
  }

  std::shared_ptr<const RasterReader> m_labels;
  std::int64_t m_col = 0;
  std::int64_t m_row = 0;
};

Layer chip_index(const std::vector<Chip>& chips) {
  Layer layer;
  layer.name = "chips";
  const bool one_crs =
      std::ranges::all_of(chips, [&](const Chip& c) { return c.crs.same_as(chips.front().crs); });
  layer.crs = one_crs && !chips.empty() ? chips.front().crs : lonlat_crs();
  layer.fields = {{"name", FieldType::kString, ""},  {"scene", FieldType::kString, ""},
                  {"image", FieldType::kString, ""}, {"labels", FieldType::kString, ""},
                  {"row", FieldType::kInteger, ""},  {"col", FieldType::kInteger, ""},
                  {"valid", FieldType::kReal, ""}};
  for (const Chip& chip : chips) {
    Feature feature;
    feature.geometry = CoordinateTransform(chip.crs, layer.crs).apply(MultiPolygon{chip.footprint});
    feature.values = {
        chip.name, chip.scene, chip.image, chip.labels, chip.place.window.row, chip.place.window.col,
        chip.valid};
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

}  // namespace

ChipReport cut_image(const std::string& image, const std::filesystem::path& folder,
                     const ChipOptions& options, const LabelsOfImage& labels, ExecContext& exec) {
  return ImageCutter(image, folder, options, labels).cut(exec);
}

void write_chip_catalogue(const std::vector<Chip>& chips, const std::filesystem::path& folder) {
  CsvTable table;
  table.columns = {"name", "scene", "image", "labels", "col", "row", "width", "height", "valid", "x", "y"};
  for (const Chip& chip : chips) {
    const Window& w = chip.place.window;
    table.rows.push_back({chip.name, chip.scene, chip.image, chip.labels, concat(w.col), concat(w.row),
                          concat(w.width), concat(w.height), fixed(chip.valid, 6), fixed(chip.lon_deg, 8),
                          fixed(chip.lat_deg, 8)});
  }
  write_csv(table, folder / "chips.csv", true);
  write_layer(chip_index(chips), folder / "chips.gpkg", true);
}

LabelsOfImage labels_from_polygons(std::vector<MultiPolygon> polygons, Crs crs,
                                   const BoundaryOptions& boundary) {
  auto shared = std::make_shared<const std::vector<MultiPolygon>>(std::move(polygons));
  return [shared, crs, boundary](const RasterReader& image) -> LabelsOfWindow {
    const CoordinateTransform transform(crs.empty() ? image.grid().crs : crs, image.grid().crs);
    std::vector<MultiPolygon> here;
    for (const auto& polygon : *shared) here.push_back(transform.apply(polygon));
    auto fields = std::make_shared<const WindowRasterizer>(std::move(here), image.grid(), boundary);
    if (shared->empty()) {
      log_warning("the layer of labels has no polygons; all label chips are background");
    } else if (!fields->touches(image.grid().window())) {
      log_warning(
          concat("none of the ", shared->size(), " label polygons touches image ", quoted(image.path())));
    }
    return [fields](const Window& window) { return fields->labels(window); };
  };
}

LabelsOfImage labels_from_raster(const std::string& path, const RasterReadOptions& read) {
  auto labels = std::make_shared<const RasterReader>(path, read);
  return [labels](const RasterReader& image) -> LabelsOfWindow { return LabelRasterWindow(labels, image); };
}

}  // namespace furrow::geo
