#include <furrow/geo/raster/reader.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>

#include <gdal_priv.h>
#include <oneapi/tbb/enumerable_thread_specific.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/core/text.h>

#include "gdal_pixel_type.h"
#include "gdal_support.h"

namespace furrow::geo {
namespace {

GDALDatasetUniquePtr open_raster(const std::string& path) {
  register_gdal();
  const RemoteAccess access(path);
  GdalErrorScope errors;
  GDALDatasetUniquePtr dataset(GDALDataset::Open(remote_path(path).c_str(),
                                                 GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR));
  if (!dataset) throw IoError(why_not_opened(path, "raster", errors));
  return dataset;
}

/// GDAL opens a truncated TIFF without the tags behind its end: such a file only seems to have no CRS.
/// @throws IoError when tags of the file could not be read
void check_tags(const std::string& path) {
  const RemoteAccess access(path);
  GdalErrorScope messages;
  const GDALDatasetUniquePtr again(
      GDALDataset::Open(remote_path(path).c_str(), GDAL_OF_RASTER | GDAL_OF_READONLY));
  if (messages.warning().find("IO error during reading") == std::string::npos) return;
  throw IoError(concat("cannot read raster ", quoted(path), ": the file is truncated or damaged (",
                       messages.warning(), "); fetch or make it again"));
}

PixelType from_gdal(GDALRasterBand* band) {
  switch (band->GetRasterDataType()) {
    case GDT_Byte: {
      const char* kind = band->GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE");
      return kind != nullptr && std::strcmp(kind, "SIGNEDBYTE") == 0 ? PixelType::kInt8 : PixelType::kUint8;
    }
    case GDT_UInt16:
      return PixelType::kUint16;
    case GDT_Int16:
      return PixelType::kInt16;
    case GDT_UInt32:
      return PixelType::kUint32;
    case GDT_Int32:
      return PixelType::kInt32;
    case GDT_Float32:
      return PixelType::kFloat32;
    case GDT_Float64:
      return PixelType::kFloat64;
    default:
      return PixelType::kOther;
  }
}

BandInfo band_info(GDALRasterBand* band) {
  BandInfo info;
  info.type = from_gdal(band);
  int has = 0;
  const double nodata = band->GetNoDataValue(&has);
  if (has != 0) info.nodata = nodata;
  info.scale = band->GetScale();
  info.offset = band->GetOffset();
  info.description = band->GetDescription();
  const GDALColorInterp colour = band->GetColorInterpretation();
  if (colour != GCI_Undefined) info.colour = to_lower(GDALGetColorInterpretationName(colour));
  return info;
}

/// GDAL before 3.7 reads signed bytes as 0 to 255. Types without a sign get 0 for what is negative.
template <class T>
void restore_signs(std::span<T> values) {
  for (T& value : values) {
    const int stored = static_cast<int>(value);
    if (stored > 127) value = std::is_signed_v<T> ? static_cast<T>(stored - 256) : T{0};
  }
}

std::string window_text(const Window& w) {
  return concat("columns ", w.col, "-", w.end_col() - 1, ", rows ", w.row, "-", w.end_row() - 1);
}

}  // namespace

const char* pixel_type_name(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
      return "uint8";
    case PixelType::kInt8:
      return "int8";
    case PixelType::kUint16:
      return "uint16";
    case PixelType::kInt16:
      return "int16";
    case PixelType::kUint32:
      return "uint32";
    case PixelType::kInt32:
      return "int32";
    case PixelType::kFloat32:
      return "float32";
    case PixelType::kFloat64:
      return "float64";
    case PixelType::kOther:
      break;
  }
  return "other";
}

std::size_t pixel_type_bytes(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
    case PixelType::kInt8:
      return 1;
    case PixelType::kUint16:
    case PixelType::kInt16:
      return 2;
    case PixelType::kUint32:
    case PixelType::kInt32:
    case PixelType::kFloat32:
      return 4;
    case PixelType::kFloat64:
      return 8;
    case PixelType::kOther:
      break;
  }
  return 16;
}

namespace {

std::size_t block_bytes_of(GDALDataset& dataset) {
  const char* order = dataset.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE");
  const bool mixed = order != nullptr && std::strcmp(order, "PIXEL") == 0;
  std::size_t total = 0;
  std::size_t largest = 0;
  for (int b = 1; b <= dataset.GetRasterCount(); ++b) {
    GDALRasterBand* band = dataset.GetRasterBand(b);
    int width = 0;
    int height = 0;
    band->GetBlockSize(&width, &height);
    const std::size_t bytes = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                              static_cast<std::size_t>(GDALGetDataTypeSizeBytes(band->GetRasterDataType()));
    total += bytes;
    largest = std::max(largest, bytes);
  }
  return mixed ? total : largest;
}

/// What to do about a raster without a geotransform.
const char* why_no_position(GDALDataset& dataset) {
  if (dataset.GetGCPCount() > 0)
    return " is positioned by ground control points only; bring it onto a grid first with gdalwarp";
  if (dataset.GetMetadata("RPC") != nullptr)
    return " is positioned by a camera model (RPC) only; bring it onto a grid first with gdalwarp -rpc";
  return " has no position (no geotransform); georeference it first, for example with gdal_translate -a_ullr";
}

}  // namespace

struct RasterReader::Impl {
  std::string path;
  Grid grid;
  std::vector<BandInfo> bands;
  std::map<std::string, std::string> metadata;
  std::int64_t block_width = 0;
  std::int64_t block_height = 0;
  std::size_t block_bytes = 0;  ///< what GDAL holds of one block at least: all bands when they are mixed
  bool has_mask = false;
  /// An alpha band that GDAL makes no mask of, as it does for rasters of two and four bands only; -1 = none.
  int plain_alpha = -1;
  // One handle per thread: GDAL datasets must not be shared.
  mutable tbb::enumerable_thread_specific<GDALDatasetUniquePtr> handles;

  explicit Impl(const std::string& file) : path(file), handles([file] { return open_raster(file); }) {}

  [[nodiscard]] GDALDataset& local() const { return *handles.local(); }

  /// A second time with a new handle where reading fails: some codecs can only be read from the start of the
  /// file onward, and whether a handle may jump must not depend on what its thread read before.
  template <class Read>
  CPLErr try_twice(const Read& read) const {
    const CPLErr first = read(local());
    if (first == CE_None || is_remote(path)) return first;
    handles.local() = open_raster(path);
    return read(local());
  }

  void check_window(const Window& w) const {
    if (w.empty() || intersection(w, grid.window()) != w) {
      throw InvalidArgument(concat("window (", window_text(w), ") lies outside raster ", quoted(path), " of ",
                                   grid.width, " x ", grid.height, " px"));
    }
  }
  /// A file of a few huge blocks is read as a whole, whatever the window: every thread holds a block.
  void check_blocks() const {
    const MemoryBudget budget = memory_budget();
    constexpr std::size_t kAlwaysFine = std::size_t{64} << 20;
    const std::size_t needed = block_bytes * static_cast<std::size_t>(budget.threads);
    if (budget.bytes == 0 || needed <= std::max(budget.bytes / 2, kAlwaysFine)) return;
    throw IoError(concat("raster ", quoted(path), " is stored in blocks of ", block_width, " x ",
                         block_height, " px, of which ", budget.threads, " threads need ",
                         human_bytes(static_cast<double>(needed)), ", more than half of the memory budget (",
                         human_bytes(static_cast<double>(budget.bytes)),
                         "); rewrite it with gdal_translate -co TILED=YES, or change --memory or --threads"));
  }
  [[nodiscard]] std::vector<int> chosen(std::span<const int> wanted) const {
    std::vector<int> list(wanted.begin(), wanted.end());
    if (list.empty()) {
      list.resize(bands.size());
      std::iota(list.begin(), list.end(), 0);
    }
    for (const int b : list) {
      if (b < 0 || b >= static_cast<int>(bands.size())) {
        throw InvalidArgument(
            concat("raster ", quoted(path), " has ", bands.size(), " bands; there is no band ", b + 1));
      }
    }
    return list;
  }

  /// Sets `valid` to 0 where the band's mask or nodata value says so.
  void mark_invalid(const Window& window, int band, Raster<std::uint8_t>& valid) const {
    if (!nodata_among_values(band)) return mark_masked(window, band, valid);
    switch (bands[static_cast<std::size_t>(band)].type) {
      case PixelType::kUint16:
        return mark_nodata<std::uint16_t>(window, band, valid);
      case PixelType::kInt16:
        return mark_nodata<std::int16_t>(window, band, valid);
      default:
        return mark_nodata<std::uint8_t>(window, band, valid);  // bytes, with and without a sign
    }
  }

  /// A nodata value that whole numbers of type T can have, when it alone makes pixels invalid.
  template <class T>
  [[nodiscard]] bool plain_nodata(int band) const {
    const auto& nodata = bands[static_cast<std::size_t>(band)].nodata;
    return local().GetRasterBand(band + 1)->GetMaskFlags() == GMF_NODATA && nodata &&
           *nodata == std::floor(*nodata) && *nodata >= std::numeric_limits<T>::lowest() &&
           *nodata <= std::numeric_limits<T>::max();
  }

  /// Signed bytes are unsigned ones to GDAL before 3.7, which makes no mask of a negative nodata value. Files
  /// give it as -1 or as the byte that stands for it, 255.
  [[nodiscard]] bool signed_nodata(int band) const {
    const auto& nodata = bands[static_cast<std::size_t>(band)].nodata;
    const int flags = local().GetRasterBand(band + 1)->GetMaskFlags();
    return (flags == GMF_NODATA || flags == GMF_ALL_VALID) && nodata && *nodata == std::floor(*nodata) &&
           *nodata >= -128.0 && *nodata <= 255.0;
  }

  /// The value of a band of small whole numbers that alone makes its pixels invalid, as read<float>() gives
  /// it.
  [[nodiscard]] std::optional<float> nodata_among_values(int band) const {
    const BandInfo& info = bands[static_cast<std::size_t>(band)];
    if ((info.type == PixelType::kUint8 && plain_nodata<std::uint8_t>(band)) ||
        (info.type == PixelType::kUint16 && plain_nodata<std::uint16_t>(band)) ||
        (info.type == PixelType::kInt16 && plain_nodata<std::int16_t>(band))) {
      return static_cast<float>(*info.nodata);
    }
    if (info.type == PixelType::kInt8 && signed_nodata(band))
      return static_cast<float>(static_cast<std::int8_t>(std::llround(*info.nodata)));
    return std::nullopt;
  }

  /// What GDAL's mask says, from the values themselves: half the work.
  template <class T>
  void mark_nodata(const Window& window, int band, Raster<std::uint8_t>& valid) const {
    const auto nodata = static_cast<T>(std::llround(*bands[static_cast<std::size_t>(band)].nodata));
    std::vector<T> values(static_cast<std::size_t>(window.pixels()));
    read_band(
        window, [band](GDALDataset& d) { return d.GetRasterBand(band + 1); }, values);
    std::uint8_t* mark = valid.data().data();
    for (std::size_t i = 0; i < values.size(); ++i) mark[i] &= static_cast<std::uint8_t>(values[i] != nodata);
  }

  void mark_masked(const Window& window, int band, Raster<std::uint8_t>& valid) const {
    GDALRasterBand* file = local().GetRasterBand(band + 1);
    if ((file->GetMaskFlags() & GMF_ALL_VALID) != 0) return;
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(window.pixels()));
    read_band(
        window, [band](GDALDataset& d) { return d.GetRasterBand(band + 1)->GetMaskBand(); }, mask);
    for (std::size_t i = 0; i < mask.size(); ++i) valid.data()[i] &= static_cast<std::uint8_t>(mask[i] != 0);
  }

  template <class Pick, class T>
  void read_band(const Window& window, const Pick& band_of, std::vector<T>& values) const {
    GdalErrorScope errors;
    const auto err = try_twice([&](GDALDataset& dataset) {
      return band_of(dataset)->RasterIO(GF_Read, static_cast<int>(window.col), static_cast<int>(window.row),
                                        static_cast<int>(window.width), static_cast<int>(window.height),
                                        values.data(), static_cast<int>(window.width),
                                        static_cast<int>(window.height), gdal_type<T>(), 0, 0, nullptr);
    });
    if (err != CE_None) {
      throw IoError(concat("cannot read raster ", quoted(path), " (", window_text(window), ")",
                           why_not_read(path, errors)));
    }
  }
};

RasterReader::RasterReader(const std::string& path, const RasterReadOptions& options)
    : m_impl(std::make_unique<Impl>(path)) {
  GDALDataset& dataset = m_impl->local();
  GdalErrorScope errors;
  if (dataset.GetRasterCount() == 0) throw IoError(concat("raster ", quoted(path), " has no band"));
  m_impl->grid.width = dataset.GetRasterXSize();
  m_impl->grid.height = dataset.GetRasterYSize();
  double t[6] = {0, 1, 0, 0, 0, -1};
  if (dataset.GetGeoTransform(t) != CE_None) {
    const double plain[6] = {0, 1, 0, 0, 0, -1};
    std::memcpy(t, plain, sizeof t);
    if (options.require_crs) {
      check_tags(path);
      throw CrsError(concat("raster ", quoted(path), why_no_position(dataset)));
    }
  }
  m_impl->grid.transform = {t[0], t[1], t[2], t[3], t[4], t[5]};
  for (const double v : t) {
    if (!std::isfinite(v))
      throw IoError(concat("raster ", quoted(path), " has a geotransform that is not finite"));
  }
  if (!options.override_crs.empty()) {
    m_impl->grid.crs = options.override_crs;
  } else {
    const char* wkt = dataset.GetProjectionRef();
    m_impl->grid.crs = Crs::from_wkt(wkt == nullptr ? "" : wkt);
  }
  if (m_impl->grid.crs.empty() && options.require_crs) {
    check_tags(path);
    throw CrsError(concat("raster ", quoted(path), " has no CRS; say which one it is in with ",
                          options.crs_switch, ", for example ", options.crs_switch, " EPSG:32632"));
  }
  for (int b = 1; b <= dataset.GetRasterCount(); ++b) {
    m_impl->bands.push_back(band_info(dataset.GetRasterBand(b)));
    if ((dataset.GetRasterBand(b)->GetMaskFlags() & (GMF_PER_DATASET | GMF_ALPHA)) != 0)
      m_impl->has_mask = true;
  }
  for (std::size_t b = 0; b < m_impl->bands.size() && !m_impl->has_mask; ++b) {
    if (m_impl->bands[b].colour == "alpha" && m_impl->bands.size() > 1) {
      m_impl->plain_alpha = static_cast<int>(b);
      m_impl->has_mask = true;
    }
  }
  int block_width = 0;
  int block_height = 0;
  dataset.GetRasterBand(1)->GetBlockSize(&block_width, &block_height);
  m_impl->block_width = block_width;
  m_impl->block_height = block_height;
  m_impl->block_bytes = block_bytes_of(dataset);
  for (CSLConstList item = dataset.GetMetadata(); item != nullptr && *item != nullptr; ++item) {
    char* key = nullptr;
    const char* value = CPLParseNameValue(*item, &key);
    if (key != nullptr && value != nullptr) m_impl->metadata[key] = value;
    CPLFree(key);
  }
}

RasterReader::~RasterReader() = default;
RasterReader::RasterReader(RasterReader&&) noexcept = default;
RasterReader& RasterReader::operator=(RasterReader&&) noexcept = default;

const std::string& RasterReader::path() const noexcept {
  return m_impl->path;
}
const Grid& RasterReader::grid() const noexcept {
  return m_impl->grid;
}
int RasterReader::bands() const noexcept {
  return static_cast<int>(m_impl->bands.size());
}
std::int64_t RasterReader::block_width() const noexcept {
  return m_impl->block_width;
}
std::int64_t RasterReader::block_height() const noexcept {
  return m_impl->block_height;
}
bool RasterReader::has_mask() const noexcept {
  return m_impl->has_mask;
}

const BandInfo& RasterReader::band(int band) const {
  if (band < 0 || band >= bands()) (void)m_impl->chosen(std::array{band});
  return m_impl->bands[static_cast<std::size_t>(band)];
}

std::string RasterReader::metadata(const std::string& key) const {
  const auto it = m_impl->metadata.find(key);
  return it == m_impl->metadata.end() ? std::string{} : it->second;
}

template <class T>
Raster<T> RasterReader::read(const Window& window, std::span<const int> bands) const {
  Raster<T> pixels;
  read(window, bands, pixels);
  return pixels;
}

template <class T>
void RasterReader::read(const Window& window, std::span<const int> bands, Raster<T>& pixels) const {
  m_impl->check_window(window);
  m_impl->check_blocks();
  std::vector<int> list = m_impl->chosen(bands);
  pixels.reshape(window.width, window.height, static_cast<int>(list.size()));
  for (int& b : list) ++b;
  GdalErrorScope errors;
  const auto err = m_impl->try_twice([&](GDALDataset& dataset) {
    return dataset.RasterIO(GF_Read, static_cast<int>(window.col), static_cast<int>(window.row),
                            static_cast<int>(window.width), static_cast<int>(window.height),
                            pixels.data().data(), static_cast<int>(window.width),
                            static_cast<int>(window.height), gdal_type<T>(), static_cast<int>(list.size()),
                            list.data(), 0, 0, 0, nullptr);
  });
  if (err != CE_None) {
    throw IoError(concat("cannot read raster ", quoted(m_impl->path), " (", window_text(window), ")",
                         why_not_read(m_impl->path, errors)));
  }
  for (int i = 0; i < pixels.bands(); ++i) {
    // `list` holds GDAL's numbers, from 1.
    if (m_impl->bands[static_cast<std::size_t>(list[static_cast<std::size_t>(i)] - 1)].type ==
        PixelType::kInt8) {
      restore_signs(pixels.band(i));
    }
  }
}

namespace {

bool can_be_non_finite(PixelType type) {
  return type == PixelType::kFloat32 || type == PixelType::kFloat64 || type == PixelType::kOther;
}

void mark_non_finite(std::span<const float> values, Raster<std::uint8_t>& valid) {
  std::uint8_t* mark = valid.data().data();
  for (std::size_t i = 0; i < values.size(); ++i)
    mark[i] &= static_cast<std::uint8_t>(std::isfinite(values[i]));
}

}  // namespace

void RasterReader::mark_transparent(const Window& window, Raster<std::uint8_t>& valid) const {
  if (m_impl->plain_alpha < 0) return;
  const auto alpha = read<float>(window, std::array{m_impl->plain_alpha});
  for (std::size_t i = 0; i < alpha.data().size(); ++i) {
    if (!(alpha.data()[i] > 0.0F)) valid.data()[i] = 0;
  }
}

Raster<std::uint8_t> RasterReader::read_valid(const Window& window, std::span<const int> bands) const {
  m_impl->check_window(window);
  m_impl->check_blocks();
  Raster<std::uint8_t> valid(window.width, window.height, 1, 1);
  mark_transparent(window, valid);
  for (const int b : m_impl->chosen(bands)) {
    m_impl->mark_invalid(window, b, valid);
    if (can_be_non_finite(m_impl->bands[static_cast<std::size_t>(b)].type))
      mark_non_finite(read<float>(window, std::array{b}).data(), valid);
  }
  return valid;
}

void RasterReader::read_with_valid(const Window& window, std::span<const int> bands, Raster<float>& pixels,
                                   Raster<std::uint8_t>& valid) const {
  read(window, bands, pixels);
  valid.reshape(window.width, window.height);
  std::ranges::fill(valid.data(), std::uint8_t{1});
  mark_transparent(window, valid);
  const std::vector<int> list = m_impl->chosen(bands);
  for (int i = 0; i < pixels.bands(); ++i) {
    const int b = list[static_cast<std::size_t>(i)];
    const auto values = std::as_const(pixels).band(i);
    if (const auto nodata = m_impl->nodata_among_values(b)) {
      std::uint8_t* mark = valid.data().data();
      for (std::size_t k = 0; k < values.size(); ++k)
        mark[k] &= static_cast<std::uint8_t>(values[k] != *nodata);
    } else {
      m_impl->mark_masked(window, b, valid);
    }
    if (can_be_non_finite(m_impl->bands[static_cast<std::size_t>(b)].type)) mark_non_finite(values, valid);
  }
}

bool RasterReader::is_left_out(const Window& window, std::span<const int> bands) const {
  m_impl->check_window(window);
  const GdalErrorScope errors;
  return std::ranges::any_of(m_impl->chosen(bands), [&](int b) {
    GDALRasterBand* band = m_impl->local().GetRasterBand(b + 1);
    return band->GetMaskFlags() == GMF_NODATA &&
           band->GetDataCoverageStatus(static_cast<int>(window.col), static_cast<int>(window.row),
                                       static_cast<int>(window.width), static_cast<int>(window.height), 0,
                                       nullptr) == GDAL_DATA_COVERAGE_STATUS_EMPTY;
  });
}

template Raster<std::uint8_t> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<std::uint8_t>&) const;
template Raster<std::int16_t> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<std::int16_t>&) const;
template Raster<std::uint16_t> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<std::uint16_t>&) const;
template Raster<std::int32_t> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<std::int32_t>&) const;
template Raster<std::uint32_t> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<std::uint32_t>&) const;
template Raster<float> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<float>&) const;
template Raster<double> RasterReader::read(const Window&, std::span<const int>) const;
template void RasterReader::read(const Window&, std::span<const int>, Raster<double>&) const;

}  // namespace furrow::geo
