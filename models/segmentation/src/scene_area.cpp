#include <furrow/segmentation/scene_area.h>

namespace furrow::segmentation {
namespace {

constexpr int kPointsASide = 20;

/// The box around a box in another CRS, whose sides may bend there.
geo::Box transformed(const geo::Box& box, const geo::Crs& from, const geo::Crs& to) {
  const geo::CoordinateTransform transform(from, to);
  if (transform.is_identity()) return box;
  geo::Box around;
  const auto take = [&](double x, double y) { around.expand(transform.apply(geo::Point{x, y})); };
  for (int i = 0; i <= kPointsASide; ++i) {
    const double share = static_cast<double>(i) / kPointsASide;
    const double x = box.min_x + share * box.width();
    const double y = box.min_y + share * box.height();
    take(x, box.min_y);
    take(x, box.max_y);
    take(box.min_x, y);
    take(box.max_x, y);
  }
  return around;
}

}  // namespace

AreaOnGrid place_area(const SceneArea& area, const geo::Grid& image) {
  AreaOnGrid placed{image.window(), {}};
  if (area.window) placed.window = geo::intersection(placed.window, *area.window);
  if (area.bbox) {
    const geo::Box box =
        area.bbox_crs.empty() ? *area.bbox : transformed(*area.bbox, area.bbox_crs, image.crs);
    placed.window = geo::intersection(placed.window, image.window_of(box));
  }
  if (area.cutline.empty()) return placed;
  const geo::CoordinateTransform transform(area.cutline_crs, image.crs);
  geo::Box around;
  for (const geo::MultiPolygon& shape : area.cutline) {
    placed.cutline.push_back(transform.apply(shape));
    around.expand(geo::bounds(placed.cutline.back()));
  }
  placed.window = geo::intersection(placed.window, image.window_of(around));
  return placed;
}

}  // namespace furrow::segmentation
