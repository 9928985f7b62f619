#include <furrow/geo/raster/chip_labels.h>

#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/chip_grid.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/raster/warped_reader.h>
#include <furrow/geo/vector/box_index.h>

namespace furrow::geo {
namespace {

/// Polygons in their own CRS, found by place.
class PolygonStore {
 public:
  PolygonStore(std::vector<MultiPolygon> polygons, Crs crs)
      : m_polygons(std::move(polygons)), m_crs(std::move(crs)), m_index(boxes_of(m_polygons)) {}

  [[nodiscard]] std::size_t size() const { return m_polygons.size(); }

  /// Those that may touch a grid or lie a little beside it, in the grid's CRS.
  [[nodiscard]] std::vector<MultiPolygon> near(const Grid& grid, const BoundaryOptions& boundary) const {
    const CoordinateTransform transform(m_crs.empty() ? grid.crs : m_crs, grid.crs);
    const Point reach = boundary_reach_px(grid, boundary);
    Grid wide = grid.subgrid(
        grow(grid.window(), static_cast<std::int64_t>(std::ceil(std::max(reach.x, reach.y))) + 2));
    const Box box = m_crs.empty() || transform.is_identity() ? wide.bounds() : bounds_in(wide, m_crs);
    std::vector<MultiPolygon> here;
    for (const std::size_t i : m_index.query(box)) here.push_back(transform.apply(m_polygons[i]));
    return here;
  }

 private:
  static std::vector<Box> boxes_of(const std::vector<MultiPolygon>& polygons) {
    std::vector<Box> boxes;
    for (const MultiPolygon& polygon : polygons) boxes.push_back(bounds(polygon));
    return boxes;
  }

  std::vector<MultiPolygon> m_polygons;
  Crs m_crs;
  BoxIndex m_index;
};

/// A label raster seen from a grid.
class LabelRasterWindow {
 public:
  LabelRasterWindow(std::shared_ptr<const RasterReader> labels, const Grid& grid, const std::string& what,
                    LabelsOffGrid off_grid)
      : m_labels(labels), m_grid(grid), m_coincide(pixels_coincide(labels->grid(), grid)) {
    if (!m_coincide && off_grid == LabelsOffGrid::kError) {
      throw IoError(concat("label raster ", quoted(m_labels->path()), " does not lie on the pixels of image ",
                           what, "; bring it there with gdalwarp -r near -tap"));
    }
    WarpOptions options;
    options.fill = kIgnore;
    options.nodata = kNothing;
    m_warped = std::make_shared<const WarpedReader>(std::move(labels), std::vector<int>{0}, options);
  }

  [[nodiscard]] Raster<std::uint8_t> operator()(const Window& window) const {
    const auto values = m_warped->read<double>(m_grid, window);
    Raster<std::uint8_t> out(window.width, window.height, 1, kIgnore);
    for (std::size_t i = 0; i < out.data().size(); ++i) out.data()[i] = label_of(values.values.data()[i]);
    return out;
  }

 private:
  /// No label: the file's nodata is not looked at.
  static constexpr double kNothing = -1e300;

  [[nodiscard]] std::uint8_t label_of(double value) const {
    if (value == kBackground || value == kInterior || value == kBoundary)
      return static_cast<std::uint8_t>(value);
    if (value == 3.0 || value == kIgnore || std::isnan(value)) return kIgnore;
    throw IoError(concat("label raster ", quoted(m_labels->path()), " holds the value ", value,
                         "; labels are 0, 1, 2, and 3 or 255 for unknown"));
  }

  std::shared_ptr<const RasterReader> m_labels;
  Grid m_grid;
  bool m_coincide;
  std::shared_ptr<const WarpedReader> m_warped;
};

}  // namespace

LabelsOfGrid labels_from_polygons(std::vector<MultiPolygon> polygons, Crs crs,
                                  const BoundaryOptions& boundary) {
  auto store = std::make_shared<const PolygonStore>(std::move(polygons), std::move(crs));
  return [store, boundary](const Grid& grid, const std::string& what) -> LabelsOfWindow {
    auto fields = std::make_shared<const WindowRasterizer>(store->near(grid, boundary), grid, boundary);
    if (!what.empty() && store->size() == 0) {
      log_warning("the layer of labels has no polygons; all label chips are background");
    } else if (!what.empty() && !fields->touches(grid.window())) {
      log_warning(concat("none of the ", store->size(), " label polygons touches image ", what));
    }
    return [fields](const Window& window) { return fields->labels(window); };
  };
}

LabelsOfGrid labels_from_raster(const std::string& path, const RasterReadOptions& read,
                                LabelsOffGrid off_grid) {
  auto labels = std::make_shared<const RasterReader>(path, read);
  return [labels, off_grid](const Grid& grid, const std::string& what) -> LabelsOfWindow {
    return LabelRasterWindow(labels, grid, what, off_grid);
  };
}

}  // namespace furrow::geo
