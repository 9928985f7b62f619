#include <furrow/geo/raster/chip_source.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/band_names.h>
#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/raster/reader_pool.h>
#include <furrow/geo/vector/box_index.h>

#include "chip_spec.h"

namespace furrow::geo {
namespace {

/// "2021:07:15 10:30:00", as TIFF writes dates, as "2021-07-15"; empty when it is no date.
std::string date_of_tag(const std::string& tag) {
  constexpr std::size_t kDate = 10;
  if (tag.size() < kDate || tag[4] != ':' || tag[7] != ':') return {};
  return concat(tag.substr(0, 4), '-', tag.substr(5, 2), '-', tag.substr(8, 2));
}

/// The other way round; empty when day or month are missing.
std::string tag_of_date(const std::string& date) {
  constexpr std::size_t kDate = 10;
  if (date.size() < kDate || date[4] != '-' || date[7] != '-') return {};
  constexpr std::size_t kWithTime = 19;
  const bool has_time = date.size() >= kWithTime && date[13] == ':' && date[16] == ':';
  return concat(date.substr(0, 4), ':', date.substr(5, 2), ':', date.substr(8, 2), ' ',
                has_time ? date.substr(11, 8) : "00:00:00");
}

/// Valid values must not look like nodata.
template <class T>
void keep_clear(MaskedRaster<T>& pixels, T nodata) {
  T next = nodata;
  if constexpr (std::is_floating_point_v<T>) {
    next = std::nextafter(nodata, std::numeric_limits<T>::max());
  } else {
    next = static_cast<T>(nodata == std::numeric_limits<T>::max() ? nodata - 1 : nodata + 1);
  }
  for (int b = 0; b < pixels.values.bands(); ++b) {
    const auto band = pixels.values.band(b);
    for (std::size_t i = 0; i < band.size(); ++i) {
      if (band[i] == nodata && pixels.valid.data()[i] != 0) band[i] = next;
    }
  }
}

template <class T>
void fill_invalid(MaskedRaster<T>& pixels, T nodata) {
  for (int b = 0; b < pixels.values.bands(); ++b) {
    const auto band = pixels.values.band(b);
    for (std::size_t i = 0; i < band.size(); ++i) {
      if (pixels.valid.data()[i] == 0) band[i] = nodata;
    }
  }
}

/// Takes what is valid in `from` where `to` is not.
/// @return true when there was any
template <class T>
bool fill_gaps(const MaskedRaster<T>& from, MaskedRaster<T>& to) {
  bool any = false;
  for (std::size_t i = 0; i < to.valid.data().size(); ++i) {
    if (to.valid.data()[i] != 0 || from.valid.data()[i] == 0) continue;
    any = true;
    to.valid.data()[i] = 1;
    for (int b = 0; b < to.values.bands(); ++b) to.values.band(b)[i] = from.values.band(b)[i];
  }
  return any;
}

bool has_valid(const Raster<std::uint8_t>& valid) {
  return std::ranges::find(valid.data(), 1) != valid.data().end();
}
bool all_valid(const Raster<std::uint8_t>& valid) {
  return std::ranges::find(valid.data(), 0) == valid.data().end();
}

}  // namespace

ChipScene look_at_scene(const std::string& path, const ChipSourceOptions& options, const std::string& name,
                        const std::string& date) {
  const RasterReader reader(path, options.read);
  ChipScene scene;
  scene.path = path;
  scene.name = name.empty() ? raster_stem(path) : name;
  const std::string tag = reader.metadata("TIFFTAG_DATETIME");
  scene.date = date.empty() ? date_of_tag(tag) : date;
  scene.tiff_date = date.empty() ? tag : tag_of_date(date);
  scene.grid = reader.grid();
  scene.bands = choose_bands(reader, options.bands);
  scene.has_mask = reader.has_mask();
  scene.by_rows = reader.block_width() >= reader.grid().width;
  for (int b = 0; b < reader.bands(); ++b) scene.pixel_bytes += pixel_type_bytes(reader.band(b).type);
  (void)reader.grid().transform.to_pixel({0.0, 0.0});  // pixels have an area
  for (const int b : scene.bands) {
    const BandInfo& band = reader.band(b);
    if (band.type == PixelType::kInt8 || band.type == PixelType::kOther) {
      throw IoError(
          concat("band ", b + 1, " of raster ", quoted(path),
                 " has a pixel type that chips cannot hold; convert it first with gdal_translate -ot"));
    }
    scene.infos.push_back(band);
  }
  return scene;
}

struct ChipSource::Impl {
  std::vector<Layer> layers;
  ChipSourceOptions options;
  RasterSpec spec;
  std::optional<double> usable_nodata;  ///< what pixels without data get
  std::vector<BoxIndex> indexes;        ///< of the scenes of each layer, in the CRS of the chips
  mutable ReaderPool<const ChipScene*, WarpedReader> pool;
  std::size_t reading_bytes = 0;

  explicit Impl(int threads) : pool(threads) {}

  [[nodiscard]] std::shared_ptr<const WarpedReader> open(const ChipScene& scene) const {
    return pool.get(&scene, [&](const ChipScene* wanted) {
      WarpOptions warp;
      warp.resampling = options.resampling;
      warp.nodata = options.nodata;
      warp.fill = usable_nodata.value_or(0.0);
      warp.move = wanted->move;
      auto reader = std::make_shared<const RasterReader>(wanted->path, options.read);
      if (reader->grid().width != wanted->grid.width || reader->grid().height != wanted->grid.height)
        throw IoError(concat("raster ", quoted(wanted->path), " changed while it was read"));
      return std::make_shared<const WarpedReader>(std::move(reader), wanted->bands, warp);
    });
  }

  template <class T>
  [[nodiscard]] MaskedRaster<T> read_scene(const ChipScene& scene, const Grid& grid,
                                           const Window& window) const {
    auto pixels = open(scene)->read<T>(grid, window);
    if (!usable_nodata) return pixels;
    const T nodata = static_cast<T>(*usable_nodata);
    const bool own_nodata =
        options.nodata || std::ranges::all_of(scene.infos, [&](const BandInfo& band) {
          return same_nodata(band.nodata, usable_nodata) || (!band.nodata && std::isnan(*usable_nodata));
        });
    const bool copied = scene.move == Point{} && pixels_coincide(scene.grid, grid);
    if (!own_nodata || !copied) keep_clear(pixels, nodata);
    if (!own_nodata || options.invalid_as == InvalidAs::kNodata) fill_invalid(pixels, nodata);
    return pixels;
  }

  template <class T>
  [[nodiscard]] MaskedRaster<T> read_layer(std::size_t number, const Grid& grid, const Window& window,
                                           std::vector<std::size_t>* used) const {
    const Layer& layer = layers[number];
    MaskedRaster<T> out;
    for (const std::size_t i : indexes[number].query(grid.bounds(window))) {
      auto pixels = read_scene<T>(layer[i], grid, window);
      const bool is_first = out.values.empty();
      const bool gave = is_first ? has_valid(pixels.valid) : fill_gaps(pixels, out);
      if (gave && used != nullptr) used->push_back(i);
      if (is_first) out = std::move(pixels);
      if (all_valid(out.valid)) break;
    }
    if (out.values.empty()) {
      const int bands = static_cast<int>(layer.front().bands.size());
      out = {{window.width, window.height, bands, static_cast<T>(usable_nodata.value_or(0.0))},
             {window.width, window.height}};
    }
    return out;
  }

  template <class T>
  [[nodiscard]] ChipPixels read(const Grid& grid, const Window& window,
                                std::vector<std::size_t>* used) const {
    auto stack = read_layer<T>(0, grid, window, used);
    if (layers.size() == 1) return {std::move(stack.values), std::move(stack.valid)};
    Raster<T> values(window.width, window.height, spec.bands);
    auto end = std::ranges::copy(stack.values.data(), values.data().begin()).out;
    for (std::size_t i = 1; i < layers.size(); ++i) {
      const auto layer = read_layer<T>(i, grid, window, nullptr);
      end = std::ranges::copy(layer.values.data(), end).out;
      std::ranges::transform(stack.valid.data(), layer.valid.data(), stack.valid.data().begin(),
                             [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a & b); });
    }
    return {std::move(values), std::move(stack.valid)};
  }
};

ChipSource::ChipSource(std::vector<Layer> layers, const Crs& crs, const ChipSourceOptions& options,
                       int threads)
    : m_impl(std::make_unique<Impl>(threads)) {
  std::erase_if(layers, [](const Layer& layer) { return layer.empty(); });
  if (layers.empty()) throw InvalidArgument("there is no image to cut");
  m_impl->layers = std::move(layers);
  m_impl->options = options;
  m_impl->spec = make_chip_spec(m_impl->layers, options);
  const auto& nodata = m_impl->spec.nodata;
  if (nodata && type_holds(m_impl->spec.type, *nodata)) m_impl->usable_nodata = nodata;
  constexpr std::size_t kMostBytes = std::size_t{96} << 20;  // a WarpedReader's
  for (const Layer& layer : m_impl->layers) {
    std::vector<Box> boxes;
    for (const ChipScene& scene : layer) {
      boxes.push_back(bounds_in(scene.grid, crs));
      constexpr std::size_t kBytes = 8;
      const auto bytes =
          static_cast<std::size_t>(scene.grid.width * scene.grid.height) * scene.bands.size() * kBytes;
      m_impl->reading_bytes = std::max(m_impl->reading_bytes, std::min(kMostBytes, bytes));
    }
    m_impl->indexes.emplace_back(boxes);
  }
}

ChipSource::~ChipSource() = default;
ChipSource::ChipSource(ChipSource&&) noexcept = default;
ChipSource& ChipSource::operator=(ChipSource&&) noexcept = default;

const std::vector<ChipSource::Layer>& ChipSource::layers() const noexcept {
  return m_impl->layers;
}
const RasterSpec& ChipSource::spec() const noexcept {
  return m_impl->spec;
}
std::size_t ChipSource::reading_bytes() const noexcept {
  return m_impl->reading_bytes;
}

std::string ChipSource::date() const {
  std::vector<std::string> dates;
  for (const Layer& layer : m_impl->layers) {
    const std::string& date = layer.front().date;
    const bool same = std::ranges::all_of(layer, [&](const ChipScene& scene) { return scene.date == date; });
    if (!same || date.empty()) return {};
    dates.push_back(date);
  }
  return join(dates, " ");
}

ChipPixels ChipSource::read(const Grid& grid, const Window& window, std::vector<std::size_t>* used) const {
  switch (m_impl->spec.type) {
    case PixelType::kUint8:
      return m_impl->read<std::uint8_t>(grid, window, used);
    case PixelType::kInt16:
      return m_impl->read<std::int16_t>(grid, window, used);
    case PixelType::kUint16:
      return m_impl->read<std::uint16_t>(grid, window, used);
    case PixelType::kInt32:
      return m_impl->read<std::int32_t>(grid, window, used);
    case PixelType::kUint32:
      return m_impl->read<std::uint32_t>(grid, window, used);
    case PixelType::kFloat32:
      return m_impl->read<float>(grid, window, used);
    default:
      return m_impl->read<double>(grid, window, used);
  }
}

MaskedRaster<float> ChipSource::read_layer(std::size_t layer, const Grid& grid, const Window& window) const {
  return m_impl->read_layer<float>(layer, grid, window, nullptr);
}

}  // namespace furrow::geo
