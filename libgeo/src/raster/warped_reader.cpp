#include <furrow/geo/raster/warped_reader.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <cpl_string.h>
#include <gdalwarper.h>
#include <oneapi/tbb/enumerable_thread_specific.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "gdal_pixel_type.h"
#include "gdal_support.h"
#include "pixel_map.h"

namespace furrow::geo {
namespace {

struct Method {
  const char* name;
  GDALResampleAlg gdal;
  double
      radius_px;  ///< of the kernel, in source pixels at scale 1; 0 = looks at the pixels under the new one
};

/// In the order of Resampling.
constexpr std::array<Method, 11> kMethods{{{"nearest", GRA_NearestNeighbour, 0.0},
                                           {"bilinear", GRA_Bilinear, 1.0},
                                           {"cubic", GRA_Cubic, 2.0},
                                           {"cubicspline", GRA_CubicSpline, 2.0},
                                           {"lanczos", GRA_Lanczos, 3.0},
                                           {"average", GRA_Average, 0.0},
                                           {"mode", GRA_Mode, 0.0},
                                           {"min", GRA_Min, 0.0},
                                           {"max", GRA_Max, 0.0},
                                           {"med", GRA_Med, 0.0},
                                           {"rms", GRA_RMS, 0.0}}};

const Method& method_of(Resampling resampling) {
  return kMethods[static_cast<std::size_t>(resampling)];
}

/// How many target pixels there are to one source pixel along the source's columns (x) and rows (y) at a
/// place of the target; at most 1: kernels do not shrink.
Point scale_at(const PixelMap& to_source, Point pixel) {
  const auto here = to_source.apply(pixel);
  const auto right = to_source.apply({pixel.x + 1.0, pixel.y});
  const auto below = to_source.apply({pixel.x, pixel.y + 1.0});
  if (!here || !right || !below) return {1.0, 1.0};
  const double cols = std::hypot(right->x - here->x, below->x - here->x);
  const double rows = std::hypot(right->y - here->y, below->y - here->y);
  // As in GDAL, a few per cent are no reason to blur.
  constexpr double kSame = 0.95;
  const auto scale = [](double source_px) { return source_px * kSame <= 1.0 ? 1.0 : 1.0 / source_px; };
  return {scale(cols), scale(rows)};
}

/// Columns are told to the kernel this much too large: from column 0 on, GDAL takes a target pixel over more
/// than half of the source columns for one that wraps around the globe, and leaves out what is under it.
constexpr int kNotColumnZero = 1 << 10;

/// What the kernel asks for positions.
int to_source_pixels(void* map, int inverse, int count, double* x, double* y, double*, int* done) {
  if (inverse == 0) return FALSE;
  std::vector<Point> points(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = {x[i], y[i]};
  static_cast<const PixelMap*>(map)->apply_row(points, {done, points.size()});
  for (std::size_t i = 0; i < points.size(); ++i) {
    x[i] = points[i].x + kNotColumnZero;
    y[i] = points[i].y;
  }
  return TRUE;
}

/// One bit per pixel, as GDAL's kernels want it.
std::vector<GUInt32> to_bits(const Raster<std::uint8_t>& valid) {
  std::vector<GUInt32> bits((valid.data().size() + WARP_EXTRA_ELTS + 31) / 32, 0);
  for (std::size_t i = 0; i < valid.data().size(); ++i) {
    if (valid.data()[i] != 0) bits[i / 32] |= GUInt32{1} << (i % 32);
  }
  return bits;
}

/// Copies a window of all bands; both rasters hold it.
template <class T>
void paste(const Raster<T>& from, Raster<T>& to, std::int64_t col, std::int64_t row) {
  for (int b = 0; b < from.bands(); ++b) {
    for (std::int64_t r = 0; r < from.height(); ++r) {
      const auto line = from.band(b).subspan(static_cast<std::size_t>(r * from.width()),
                                             static_cast<std::size_t>(from.width()));
      std::ranges::copy(line, &to.at(col, row + r, b));
    }
  }
}

}  // namespace

const std::vector<std::string>& resampling_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const Method& method : kMethods) names.emplace_back(method.name);
    return names;
  }();
  return kNames;
}

Resampling resampling_of(const std::string& name) {
  const auto& names = resampling_names();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) throw InvalidArgument(concat("there is no resampling ", quoted(name)));
  return static_cast<Resampling>(found - names.begin());
}

Raster<std::uint8_t> valid_pixels(const RasterReader& raster, const Window& window,
                                  std::span<const int> bands, const std::optional<double>& nodata) {
  if (!nodata) return raster.read_valid(window, bands);
  Raster<std::uint8_t> valid(window.width, window.height, 1, 1);
  if (raster.has_mask()) valid = raster.read_valid(window, bands);
  const auto values = raster.read<double>(window, bands);
  for (int b = 0; b < values.bands(); ++b) {
    const auto band = values.band(b);
    for (std::size_t i = 0; i < band.size(); ++i) {
      if (band[i] == *nodata || std::isnan(band[i])) valid.data()[i] = 0;
    }
  }
  return valid;
}

bool pixels_coincide(const Grid& source, const Grid& target) {
  constexpr double kTolerancePx = 1e-3;
  const double width = static_cast<double>(source.width);
  const double height = static_cast<double>(source.height);
  const auto on_target = [&](Point pixel) {
    return target.transform.to_pixel(source.transform.to_world(pixel));
  };
  const Point origin = on_target({0.0, 0.0});
  const Point whole{std::round(origin.x), std::round(origin.y)};
  for (const Point corner : {Point{0.0, 0.0}, Point{width, 0.0}, Point{0.0, height}}) {
    const Point p = on_target(corner);
    if (!(std::abs(p.x - whole.x - corner.x) < kTolerancePx &&
          std::abs(p.y - whole.y - corner.y) < kTolerancePx))
      return false;
  }
  return source.crs.same_as(target.crs);
}

struct WarpedReader::Impl {
  std::shared_ptr<const RasterReader> source;
  std::vector<int> bands;
  WarpOptions options;
  bool may_be_invalid = false;  ///< pixels of the source

  /// Making one takes milliseconds; a thread mostly asks for the same target CRS.
  struct LastTransform {
    Crs target;
    std::shared_ptr<const CoordinateTransform> transform;
  };
  mutable tbb::enumerable_thread_specific<LastTransform> transforms;

  [[nodiscard]] PixelMap map_from(const Grid& target) const {
    LastTransform& last = transforms.local();
    if (!last.transform || last.target.wkt() != target.crs.wkt()) {
      last = {target.crs, std::make_shared<const CoordinateTransform>(target.crs, source->grid().crs)};
    }
    return {target, source->grid(), last.transform, options.move};
  }

  /// The source pixels that a window of the target needs.
  [[nodiscard]] Window source_window(const PixelMap& to_source, const Window& window, Point scale) const {
    const Box box = to_source.bounds_of(window);
    if (box.empty()) return {};
    constexpr double kMarginPx = 2.0;
    const double radius = method_of(options.resampling).radius_px;
    const double cols = std::ceil(radius / scale.x) + kMarginPx;
    const double rows = std::ceil(radius / scale.y) + kMarginPx;
    const Grid& grid = source->grid();
    const auto clamp_to = [](double v, std::int64_t size) {
      return static_cast<std::int64_t>(std::clamp(v, 0.0, static_cast<double>(size)));
    };
    const std::int64_t col = clamp_to(std::floor(box.min_x - cols), grid.width);
    const std::int64_t row = clamp_to(std::floor(box.min_y - rows), grid.height);
    return {col, row, clamp_to(std::ceil(box.max_x + cols), grid.width) - col,
            clamp_to(std::ceil(box.max_y + rows), grid.height) - row};
  }

  /// Copies what coincides.
  template <class T>
  void copy(const Grid& target, const Window& window, MaskedRaster<T>& out) const {
    const Point origin = source->grid().transform.to_pixel(target.transform.to_world({0.0, 0.0}));
    const Window wanted{window.col + std::llround(origin.x), window.row + std::llround(origin.y),
                        window.width, window.height};
    const Window there = intersection(wanted, source->grid().window());
    if (there.empty()) return;
    auto values = source->read<T>(there, bands);
    auto valid = valid_pixels(*source, there, bands, options.nodata);
    if (there == wanted) {
      out = {std::move(values), std::move(valid)};
      return;
    }
    paste(values, out.values, there.col - wanted.col, there.row - wanted.row);
    paste(valid, out.valid, there.col - wanted.col, there.row - wanted.row);
  }

  /// Warps a part of the window; in pieces where it needs many source pixels.
  template <class T>
  void warp(const PixelMap& to_source, const Window& window, const Window& part, Point scale,
            MaskedRaster<T>& out) const {
    const Window there = source_window(to_source, part, scale);
    if (there.empty()) return;
    constexpr std::size_t kMostBytes = std::size_t{64} << 20;
    const std::size_t bytes = static_cast<std::size_t>(there.pixels()) * (bands.size() * sizeof(T) + 2);
    if (bytes > kMostBytes && part.pixels() > 1) {
      const bool wide = part.width >= part.height;
      Window first = part;
      Window second = part;
      (wide ? first.width : first.height) /= 2;
      (wide ? second.col : second.row) += wide ? first.width : first.height;
      (wide ? second.width : second.height) -= wide ? first.width : first.height;
      warp(to_source, window, first, scale, out);
      warp(to_source, window, second, scale, out);
      return;
    }
    if (bytes > std::max(16 * kMostBytes, memory_budget().bytes / 2)) {
      throw IoError(concat("one pixel of the new grid covers ", there.width, " x ", there.height,
                           " px of raster ", quoted(source->path()),
                           "; choose a finer resolution, or reduce the raster first"));
    }
    run_kernel(to_source, window, part, there, scale, out);
  }

  template <class T>
  void run_kernel(const PixelMap& to_source, const Window& window, const Window& part, const Window& there,
                  Point scale, MaskedRaster<T>& out) const {
    auto values = source->read<T>(there, bands);
    values.data().resize(values.data().size() + WARP_EXTRA_ELTS);  // GDAL reads in vectors
    std::vector<GUInt32> valid;
    if (may_be_invalid) valid = to_bits(valid_pixels(*source, there, bands, options.nodata));
    const int count = static_cast<int>(bands.size());
    Raster<T> made(part.width, part.height, count, static_cast<T>(options.fill));
    std::vector<float> density(static_cast<std::size_t>(part.pixels()), 0.0F);
    std::vector<GByte*> from;
    std::vector<GByte*> to;
    for (int b = 0; b < count; ++b) {
      const auto pixels = static_cast<std::size_t>(there.pixels());
      from.push_back(reinterpret_cast<GByte*>(values.data().data() + static_cast<std::size_t>(b) * pixels));
      to.push_back(reinterpret_cast<GByte*>(made.band(b).data()));
    }
    CPLStringList warp_options;
    warp_options.SetNameValue("EXTRA_ELTS", "1");
    warp_options.SetNameValue("XSCALE", shortest(scale.x).c_str());
    warp_options.SetNameValue("YSCALE", shortest(scale.y).c_str());
    GDALWarpKernel kernel;
    kernel.papszWarpOptions = warp_options.List();
    kernel.eResample = method_of(options.resampling).gdal;
    kernel.eWorkingDataType = gdal_type<T>();
    kernel.nBands = count;
    kernel.nSrcXSize = static_cast<int>(there.width);
    kernel.nSrcYSize = static_cast<int>(there.height);
    kernel.nSrcXOff = static_cast<int>(there.col) + kNotColumnZero;
    kernel.nSrcYOff = static_cast<int>(there.row);
    kernel.papabySrcImage = from.data();
    kernel.panUnifiedSrcValid = may_be_invalid ? valid.data() : nullptr;
    kernel.nDstXSize = static_cast<int>(part.width);
    kernel.nDstYSize = static_cast<int>(part.height);
    kernel.nDstXOff = static_cast<int>(part.col);
    kernel.nDstYOff = static_cast<int>(part.row);
    kernel.papabyDstImage = to.data();
    kernel.pafDstDensity = density.data();
    kernel.pfnTransformer = to_source_pixels;
    kernel.pTransformerArg = const_cast<PixelMap*>(&to_source);
    kernel.pfnProgress = GDALDummyProgress;
    const GdalErrorScope errors;
    if (kernel.PerformWarp() != CE_None)
      throw IoError(concat("cannot resample raster ", quoted(source->path()), errors.suffix()));
    Raster<std::uint8_t> is_valid(part.width, part.height);
    std::ranges::transform(density, is_valid.data().begin(),
                           [](float d) { return static_cast<std::uint8_t>(d > 0.0F ? 1 : 0); });
    paste(made, out.values, part.col - window.col, part.row - window.row);
    paste(is_valid, out.valid, part.col - window.col, part.row - window.row);
  }
};

WarpedReader::WarpedReader(std::shared_ptr<const RasterReader> source, std::vector<int> bands,
                           const WarpOptions& options)
    : m_impl(std::make_unique<Impl>()) {
  if (bands.empty()) throw InvalidArgument("a raster is resampled with at least one band");
  m_impl->source = std::move(source);
  m_impl->bands = std::move(bands);
  m_impl->options = options;
  m_impl->may_be_invalid = options.nodata.has_value() || m_impl->source->has_mask();
  for (const int b : m_impl->bands) {
    const BandInfo& band = m_impl->source->band(b);
    if (band.nodata || band.type == PixelType::kFloat32 || band.type == PixelType::kFloat64)
      m_impl->may_be_invalid = true;
  }
}

WarpedReader::~WarpedReader() = default;
WarpedReader::WarpedReader(WarpedReader&&) noexcept = default;
WarpedReader& WarpedReader::operator=(WarpedReader&&) noexcept = default;

const RasterReader& WarpedReader::source() const noexcept {
  return *m_impl->source;
}

template <class T>
MaskedRaster<T> WarpedReader::read(const Grid& target, const Window& window) const {
  MaskedRaster<T> out{{window.width, window.height, static_cast<int>(m_impl->bands.size()),
                       static_cast<T>(m_impl->options.fill)},
                      {window.width, window.height}};
  if (m_impl->options.move == Point{} && pixels_coincide(m_impl->source->grid(), target)) {
    m_impl->copy(target, window, out);
    return out;
  }
  const PixelMap to_source = m_impl->map_from(target);
  // Blocks that lie fast on the target: the scale is that of the block, whatever window is read.
  constexpr std::int64_t kBlock = 1024;
  const auto block_of = [](std::int64_t i) { return i >= 0 ? i / kBlock : -((kBlock - 1 - i) / kBlock); };
  for (std::int64_t row = block_of(window.row); row <= block_of(window.end_row() - 1); ++row) {
    for (std::int64_t col = block_of(window.col); col <= block_of(window.end_col() - 1); ++col) {
      const Window block{col * kBlock, row * kBlock, kBlock, kBlock};
      constexpr double kHalf = 0.5 * static_cast<double>(kBlock);
      const Point centre{static_cast<double>(block.col) + kHalf, static_cast<double>(block.row) + kHalf};
      m_impl->warp(to_source, window, intersection(block, window), scale_at(to_source, centre), out);
    }
  }
  return out;
}

template MaskedRaster<std::uint8_t> WarpedReader::read(const Grid&, const Window&) const;
template MaskedRaster<std::int16_t> WarpedReader::read(const Grid&, const Window&) const;
template MaskedRaster<std::uint16_t> WarpedReader::read(const Grid&, const Window&) const;
template MaskedRaster<std::int32_t> WarpedReader::read(const Grid&, const Window&) const;
template MaskedRaster<std::uint32_t> WarpedReader::read(const Grid&, const Window&) const;
template MaskedRaster<float> WarpedReader::read(const Grid&, const Window&) const;
template MaskedRaster<double> WarpedReader::read(const Grid&, const Window&) const;

}  // namespace furrow::geo
