#include <furrow/geo/raster/dataset_labels.h>

#include <array>
#include <cmath>
#include <optional>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/vector/geos.h>

#include "gdal_burn.h"

namespace furrow::geo {
namespace {

/// The fields of a chip: cut to it, and buffered both ways.
struct Buffered {
  std::vector<MultiPolygon> cut;
  std::vector<MultiPolygon> shrunk;
  std::vector<MultiPolygon> exploded;
};

Buffered buffer_fields(std::span<const MultiPolygon> polygons, const Grid& grid) {
  constexpr int kQuadrantSegments = 16;
  const double res = 0.5 * (std::abs(grid.transform.dx) + std::abs(grid.transform.dy));
  const Box box = grid.bounds();
  const MultiPolygon chip{to_polygon(box)};
  Buffered result;
  for (auto* list : {&result.cut, &result.shrunk, &result.exploded}) list->resize(polygons.size());
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::size_t{0}, polygons.size(), [&](std::size_t i) {
      if (polygons[i].empty() || !bounds(polygons[i]).intersects(box)) return;
      result.cut[i] = intersection(polygons[i], chip);
      if (result.cut[i].empty()) return;
      result.shrunk[i] = buffer(polygons[i], -res, kQuadrantSegments);
      result.exploded[i] = buffer(polygons[i], res, kQuadrantSegments);
    });
  });
  return result;
}

/// The published arithmetic, in 8 bits, for the eight cases burned + 2 shrunk + 4 exploded.
std::array<std::uint8_t, 8> lacuna_classes(bool outer_ring) {
  std::array<std::uint8_t, 8> table{};
  for (unsigned k = 0; k < table.size(); ++k) {
    const unsigned burned = k & 1U;
    const unsigned shrunk = k >> 1U & 1U;
    const unsigned exploded = k >> 2U & 1U;
    const auto ring = static_cast<std::uint8_t>(exploded * 2 - burned);
    const unsigned outer = !outer_ring || ring == 1 ? 0U : ring;
    table[k] = static_cast<std::uint8_t>(burned * 2 - shrunk + outer);
  }
  return table;
}

}  // namespace

struct LacunaLabels::Impl {
  GdalBurn burned;
  GdalBurn shrunk;
  GdalBurn exploded;
  bool outer_ring;

  Impl(const Buffered& fields, const Grid& grid)
      : burned(fields.cut, grid),
        shrunk(fields.shrunk, grid),
        exploded(fields.exploded, grid),
        outer_ring(!shrunk.empty() || burned.empty()) {}
};

LacunaLabels::LacunaLabels(std::span<const MultiPolygon> polygons, const Grid& grid) {
  if (!grid.transform.is_axis_parallel()) {
    throw InvalidArgument(
        "labels as the Lacuna data has them need a grid that is neither rotated nor sheared");
  }
  m_impl = std::make_unique<Impl>(buffer_fields(polygons, grid), grid);
}
LacunaLabels::~LacunaLabels() = default;
LacunaLabels::LacunaLabels(LacunaLabels&&) noexcept = default;

bool LacunaLabels::dropped_outer_ring() const {
  return !m_impl->outer_ring;
}

Raster<std::uint8_t> LacunaLabels::labels(const Window& window) const {
  Raster<std::uint8_t> burned(window.width, window.height);
  Raster<std::uint8_t> shrunk(window.width, window.height);
  Raster<std::uint8_t> exploded(window.width, window.height);
  const auto one = [](std::size_t) { return std::uint8_t{1}; };
  m_impl->burned.fill(window, burned, one);
  m_impl->shrunk.fill(window, shrunk, one);
  m_impl->exploded.fill(window, exploded, one);
  const auto classes = lacuna_classes(m_impl->outer_ring);
  for (std::size_t i = 0; i < burned.data().size(); ++i) {
    burned.data()[i] =
        classes[static_cast<std::size_t>(burned.data()[i] + 2 * shrunk.data()[i] + 4 * exploded.data()[i])];
  }
  return burned;
}

struct FtwMasks::Impl {
  GdalBurn fields;
  std::uint8_t background;

  /// Fields by centre with their values, then outlines.
  template <class T, class ValueOf>
  [[nodiscard]] Raster<T> burn(const Window& window, const ValueOf& value_of, T outline) const {
    Raster<T> mask(window.width, window.height, 1, background);
    fields.fill(window, mask, value_of);
    fields.outlines(window, mask, outline);
    return mask;
  }
};

FtwMasks::FtwMasks(std::span<const MultiPolygon> polygons, const Grid& grid, std::uint8_t background)
    : m_impl(std::make_unique<Impl>(Impl{GdalBurn(polygons, grid), background})) {}
FtwMasks::~FtwMasks() = default;
FtwMasks::FtwMasks(FtwMasks&&) noexcept = default;

Raster<std::uint8_t> FtwMasks::three_classes(const Window& window) const {
  return m_impl->burn<std::uint8_t>(
      window, [](std::size_t) { return kInterior; }, kBoundary);
}

Raster<std::uint8_t> FtwMasks::two_classes(const Window& window) const {
  return m_impl->burn<std::uint8_t>(
      window, [](std::size_t) { return kInterior; }, m_impl->background);
}

Raster<std::uint32_t> FtwMasks::instances(const Window& window, std::span<const std::uint32_t> ids) const {
  return m_impl->burn<std::uint32_t>(
      window,
      [&](std::size_t polygon) {
        return ids.empty() ? static_cast<std::uint32_t>(polygon + 1) : ids[polygon];
      },
      m_impl->background);
}

}  // namespace furrow::geo
