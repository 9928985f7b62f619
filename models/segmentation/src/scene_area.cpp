#include <furrow/segmentation/scene_area.h>

namespace furrow::segmentation {
AreaOnGrid place_area(const SceneArea& area, const geo::Grid& image) {
  AreaOnGrid placed{image.window(), {}};
  if (area.window) placed.window = geo::intersection(placed.window, *area.window);
  if (area.bbox) {
    const geo::Box box = area.bbox_crs.empty()
                             ? *area.bbox
                             : geo::CoordinateTransform(area.bbox_crs, image.crs).apply(*area.bbox);
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
