#include "convex.h"

#include <cmath>
#include <limits>

namespace furrow::simulation::detail {
namespace {

/// The part of a convex polygon where (p - origin) . normal <= limit (Sutherland and Hodgman 1974).
Corners clip(const Corners& corners, const Line& line, double limit) {
  Corners result;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const geo::Point a = corners[i];
    const geo::Point b = corners[(i + 1) % corners.size()];
    const double da = (a.x - line.origin.x) * line.normal.x + (a.y - line.origin.y) * line.normal.y - limit;
    const double db = (b.x - line.origin.x) * line.normal.x + (b.y - line.origin.y) * line.normal.y - limit;
    if (da <= 0.0) result.push_back(a);
    if ((da < 0.0 && db > 0.0) || (da > 0.0 && db < 0.0)) {
      const double t = da / (da - db);
      result.push_back({a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)});
    }
  }
  if (result.size() < 3 || area(result) < 1e-6) result.clear();
  return result;
}

}  // namespace

double area(const Corners& corners) {
  double twice = 0.0;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const geo::Point a = corners[i];
    const geo::Point b = corners[(i + 1) % corners.size()];
    twice += (a.x - corners[0].x) * (b.y - corners[0].y) - (b.x - corners[0].x) * (a.y - corners[0].y);
  }
  return 0.5 * twice;
}

Extent extent(const Corners& corners) {
  Extent best;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const geo::Point a = corners[i];
    const geo::Point b = corners[(i + 1) % corners.size()];
    const double side = std::hypot(b.x - a.x, b.y - a.y);
    if (side < 1e-9) continue;
    const geo::Point u{(b.x - a.x) / side, (b.y - a.y) / side};
    geo::Box box;
    for (const geo::Point& p : corners) box.expand(geo::Point{p.x * u.x + p.y * u.y, -p.x * u.y + p.y * u.x});
    if (box.width() * box.height() >= least) continue;
    least = box.width() * box.height();
    const geo::Point c = box.centre();
    best.centre = {c.x * u.x - c.y * u.y, c.x * u.y + c.y * u.x};
    const bool along = box.width() >= box.height();
    best.axis = along ? u : geo::Point{-u.y, u.x};
    best.length = along ? box.width() : box.height();
    best.width = along ? box.height() : box.width();
  }
  return best;
}

Corners between(const Corners& corners, const Line& line, double low, double high) {
  const Line opposite{line.origin, {-line.normal.x, -line.normal.y}};
  return clip(clip(corners, line, high), opposite, -low);
}

}  // namespace furrow::simulation::detail
