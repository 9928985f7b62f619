#include "chip_spec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

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

}  // namespace

bool same_nodata(const std::optional<double>& a, const std::optional<double>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || *a == *b || (std::isnan(*a) && std::isnan(*b));
}

PixelType common_type(std::span<const BandInfo> bands) {
  IntegerRange range;
  bool any_float = false;
  bool all_fit_single = true;
  for (const BandInfo& band : bands) {
    if (is_float(band.type)) any_float = true;
    const IntegerRange single = range_of(PixelType::kFloat32);
    if (band.type != PixelType::kFloat32) {
      range = {std::min(range.low, range_of(band.type).low), std::max(range.high, range_of(band.type).high)};
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

bool type_holds(PixelType type, double value) {
  if (is_float(type)) return true;
  return value == std::floor(value) && range_of(type).low <= value && value <= range_of(type).high;
}

namespace {

/// Works out what the chips of some scenes look like.
class SpecMaker {
 public:
  SpecMaker(const std::vector<ChipSource::Layer>& layers, const ChipSourceOptions& options)
      : m_layers(layers), m_options(options) {}

  [[nodiscard]] RasterSpec make() {
    gather();
    m_spec.type = common_type(m_infos);
    m_spec.scale = m_infos.front().scale;
    m_spec.offset = m_infos.front().offset;
    choose_invalid();
    for (const auto& layer : m_layers) describe(layer);
    if (std::ranges::all_of(m_spec.colours, [](const std::string& c) { return c.empty(); }))
      m_spec.colours.clear();
    m_spec.bands = static_cast<int>(m_spec.descriptions.size());
    m_spec.overview = Overview::kAverage;
    const std::string date = common_date();
    if (!date.empty()) m_spec.metadata["TIFFTAG_DATETIME"] = date;
    return std::move(m_spec);
  }

 private:
  [[nodiscard]] const ChipScene& first() const { return m_layers.front().front(); }

  void gather() {
    for (const auto& layer : m_layers) {
      for (const ChipScene& scene : layer) {
        if (scene.infos.size() != layer.front().infos.size()) {
          throw IoError(concat("raster ", quoted(scene.path), " has ", scene.infos.size(),
                               " bands, but raster ", quoted(layer.front().path), " has ",
                               layer.front().infos.size(), "; choose bands that all have with --bands"));
        }
        m_has_mask = m_has_mask || scene.has_mask;
        for (const BandInfo& band : scene.infos) {
          const BandInfo& reference = first().infos.front();
          if (band.scale != reference.scale || band.offset != reference.offset) {
            throw IoError(concat("the bands of raster ", quoted(scene.path),
                                 " differ in scale or offset among themselves or from those of ",
                                 quoted(first().path),
                                 ", which one GeoTIFF cannot say; cut bands that agree with --bands"));
          }
          m_same_nodata = m_same_nodata && same_nodata(band.nodata, reference.nodata);
          if (!m_any_nodata && band.nodata) m_any_nodata = band.nodata;
          m_infos.push_back(band);
        }
      }
    }
  }

  /// Nodata value and mask.
  void choose_invalid() {
    const bool by_mask = m_options.invalid_as == InvalidAs::kMask;
    const bool by_nodata = m_options.invalid_as == InvalidAs::kNodata;
    const std::optional<double> common = m_same_nodata ? m_infos.front().nodata : std::nullopt;
    m_spec.nodata = m_options.nodata ? m_options.nodata : common;
    if (by_nodata && !m_spec.nodata) m_spec.nodata = m_any_nodata;
    // Floats have a value of their own for "nothing".
    if (!m_spec.nodata && is_float(m_spec.type) && (by_nodata || (m_options.may_miss && m_same_nodata)))
      m_spec.nodata = std::numeric_limits<double>::quiet_NaN();
    const bool usable = m_spec.nodata && type_holds(m_spec.type, *m_spec.nodata);
    if ((m_options.nodata || by_nodata) && !usable) {
      if (!m_spec.nodata) {
        throw IoError(concat("raster ", quoted(first().path),
                             " has no nodata value; name one with --nodata, or take --invalid-as mask"));
      }
      throw IoError(concat("nodata ", *m_spec.nodata, " is no value of raster ", quoted(first().path), " (",
                           pixel_type_name(m_spec.type), "); choose another with --nodata"));
    }
    const bool disagree = !m_options.nodata && !m_same_nodata;
    m_spec.mask = !by_nodata && (by_mask || m_has_mask || disagree || (m_options.may_miss && !usable));
    if (by_mask) m_spec.nodata.reset();
  }

  void describe(const ChipSource::Layer& layer) {
    const ChipScene& scene = layer.front();
    for (std::size_t i = 0; i < scene.infos.size(); ++i) {
      const BandInfo& band = scene.infos[i];
      if (m_layers.size() == 1) {
        m_spec.descriptions.push_back(band.description);
        const bool plain = band.colour == "palette" || band.colour == "alpha";
        m_spec.colours.push_back(plain ? "" : band.colour);
      } else {
        const std::string what =
            band.description.empty() ? concat("band ", scene.bands[i] + 1) : band.description;
        m_spec.descriptions.push_back(concat(layer_label(layer), ' ', what));
      }
    }
  }

  /// The date of a layer, or its name where others have the same date.
  [[nodiscard]] std::string layer_label(const ChipSource::Layer& layer) const {
    const std::string& date = layer.front().date;
    const auto same =
        std::ranges::count_if(m_layers, [&](const auto& other) { return other.front().date == date; });
    return date.empty() || same > 1 ? layer.front().name : date;
  }

  [[nodiscard]] std::string common_date() const {
    for (const auto& layer : m_layers) {
      for (const ChipScene& scene : layer) {
        if (scene.tiff_date != first().tiff_date) return {};
      }
    }
    return first().tiff_date;
  }

  const std::vector<ChipSource::Layer>& m_layers;
  const ChipSourceOptions& m_options;
  RasterSpec m_spec;
  std::vector<BandInfo> m_infos;
  std::optional<double> m_any_nodata;
  bool m_same_nodata = true;
  bool m_has_mask = false;
};

}  // namespace

RasterSpec make_chip_spec(const std::vector<ChipSource::Layer>& layers, const ChipSourceOptions& options) {
  return SpecMaker(layers, options).make();
}

}  // namespace furrow::geo
