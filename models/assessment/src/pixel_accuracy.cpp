#include <furrow/assessment/pixel_accuracy.h>

#include <cmath>
#include <memory>
#include <mutex>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/box_index.h>

#include "ratios.h"

namespace furrow::assessment {
namespace {

constexpr std::int64_t kTilePx = 1024;

/// Whole counts: the order in which tiles arrive cannot matter.
void add(PixelAccuracy& sum, const PixelAccuracy& part) {
  sum.pixels += part.pixels;
  sum.agreeing += part.agreeing;
  for (std::size_t c = 0; c < 3; ++c) sum.classes[c] += part.classes[c];
  sum.extent += part.extent;
}

PixelAccuracy compare(const LabelWindow& predicted, const LabelWindow& reference,
                      std::span<const std::uint8_t> use) {
  PixelAccuracy result;
  for (std::size_t i = 0; i < use.size(); ++i) {
    const std::uint8_t p = predicted.labels.data()[i];
    const std::uint8_t r = reference.labels.data()[i];
    if (use[i] == 0 || p == geo::kIgnore || r == geo::kIgnore) continue;
    ++result.pixels;
    if (p == r) ++result.agreeing;
    for (std::uint8_t c = 0; c < 3; ++c) result.classes[c].count(p == c, r == c);
    result.extent.count(predicted.extent.data()[i] != 0, reference.extent.data()[i] != 0);
  }
  return result;
}

/// Polygons of a window, found by one index that all threads share.
class PolygonWindows {
 public:
  PolygonWindows(std::span<const geo::MultiPolygon> polygons, geo::Grid grid,
                 const geo::BoundaryOptions& boundary)
      : m_polygons(polygons), m_grid(std::move(grid)), m_boundary(boundary), m_index(boxes(polygons)) {
    // One size of pixel for all windows: in degrees each window has a size of its own.
    if (m_boundary.width_m && !m_boundary.pixel_size_m) m_boundary.pixel_size_m = m_grid.pixel_size_m();
    const geo::Point reach = geo::boundary_reach_px(m_grid, m_boundary);
    m_margin_px = static_cast<std::int64_t>(std::max(reach.x, reach.y));
  }

  [[nodiscard]] LabelWindow operator()(const geo::Window& window) const {
    // An outline just outside the window still colours pixels inside it.
    const geo::Box box = m_grid.bounds(geo::grow(window, m_margin_px));
    std::vector<geo::MultiPolygon> near;
    for (const std::size_t i : m_index.query(box)) near.push_back(m_polygons[i]);
    const geo::Grid sub = m_grid.subgrid(window);
    return {geo::rasterize_labels(near, sub, m_boundary), geo::rasterize_extent(near, sub)};
  }

 private:
  static std::vector<geo::Box> boxes(std::span<const geo::MultiPolygon> polygons) {
    std::vector<geo::Box> list;
    list.reserve(polygons.size());
    for (const auto& shape : polygons) list.push_back(geo::bounds(shape));
    return list;
  }

  std::span<const geo::MultiPolygon> m_polygons;
  geo::Grid m_grid;
  geo::BoundaryOptions m_boundary;
  geo::BoxIndex m_index;
  std::int64_t m_margin_px = 1;
};

}  // namespace

void BinaryAccuracy::count(bool predicted, bool reference) {
  if (predicted && reference) ++true_positive;
  if (predicted && !reference) ++false_positive;
  if (!predicted && reference) ++false_negative;
  if (!predicted && !reference) ++true_negative;
}
BinaryAccuracy& BinaryAccuracy::operator+=(const BinaryAccuracy& other) {
  true_positive += other.true_positive;
  false_positive += other.false_positive;
  false_negative += other.false_negative;
  true_negative += other.true_negative;
  return *this;
}
double BinaryAccuracy::precision() const {
  return ratio(true_positive, true_positive + false_positive);
}
double BinaryAccuracy::recall() const {
  return ratio(true_positive, true_positive + false_negative);
}
double BinaryAccuracy::iou() const {
  return ratio(true_positive, true_positive + false_positive + false_negative);
}
double BinaryAccuracy::f1() const {
  return ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative);
}
double PixelAccuracy::overall_accuracy() const {
  return ratio(agreeing, pixels);
}

LabelSource polygon_source(std::span<const geo::MultiPolygon> polygons, const geo::Grid& grid,
                           const geo::BoundaryOptions& boundary) {
  const auto windows = std::make_shared<const PolygonWindows>(polygons, grid, boundary);
  return [windows](const geo::Window& window) { return (*windows)(window); };
}

LabelSource raster_source(const geo::RasterReader& reader) {
  return [&reader](const geo::Window& window) {
    LabelWindow result{reader.read<std::uint8_t>(window, std::array{0}), {}};
    result.extent = geo::Raster<std::uint8_t>(window.width, window.height);
    for (std::size_t i = 0; i < result.labels.data().size(); ++i) {
      std::uint8_t& label = result.labels.data()[i];
      if (label == 3) label = geo::kIgnore;
      if (label > 2 && label != geo::kIgnore) {
        throw geo::IoError(geo::concat("label raster ", geo::quoted(reader.path()), " holds the value ",
                                       int{label}, "; labels are 0, 1, 2, and 3 or 255 for unknown"));
      }
      result.extent.data()[i] = static_cast<std::uint8_t>(label == geo::kInterior || label == geo::kBoundary);
    }
    return result;
  };
}

PixelAccuracy assess_pixels(const LabelSource& predicted, const LabelSource& reference, const geo::Grid& grid,
                            const std::optional<geo::MultiPolygon>& region, const geo::RasterReader* valid,
                            geo::ExecContext& exec) {
  const auto tiles = geo::make_tiles(grid, kTilePx, 0);
  geo::Progress progress(exec, "comparing pixels", static_cast<std::int64_t>(tiles.size()));
  PixelAccuracy total;
  std::mutex mutex;
  tbb::parallel_for(std::size_t{0}, tiles.size(), [&](std::size_t t) {
    const geo::Window& window = tiles[t].core;
    auto use = geo::Raster<std::uint8_t>(window.width, window.height, 1, 1);
    if (region) use = geo::rasterize_extent(std::span(&*region, 1), grid.subgrid(window));
    if (valid != nullptr) {
      const auto mask = valid->read_valid(window);
      for (std::size_t i = 0; i < use.data().size(); ++i) use.data()[i] &= mask.data()[i];
    }
    const PixelAccuracy part = compare(predicted(window), reference(window), use.data());
    {
      const std::scoped_lock lock(mutex);
      add(total, part);
    }
    progress.advance();
  });
  return total;
}

}  // namespace furrow::assessment
