#include "pixel_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace furrow::geo {

PixelMap::PixelMap(const Grid& from, const Grid& to, std::shared_ptr<const CoordinateTransform> transform,
                   Point move)
    : m_from(from.transform), m_to(to.transform), m_move(move), m_transform(std::move(transform)) {
  if (!m_transform) m_transform = std::make_shared<const CoordinateTransform>(from.crs, to.crs);
  (void)m_to.to_pixel({0.0, 0.0});  // has an inverse
  if (to.crs.is_geographic()) m_centre_deg = to.bounds().centre().x;
}

void PixelMap::apply(std::span<Point> pixels, std::span<int> done) const {
  for (Point& p : pixels) {
    p = m_from.to_world(p);
    p = {p.x + m_move.x, p.y + m_move.y};
  }
  m_transform->try_apply(pixels, done);
  constexpr double kTurnDeg = 360.0;
  for (Point& p : pixels) {
    if (m_centre_deg) p.x += kTurnDeg * std::round((*m_centre_deg - p.x) / kTurnDeg);
    p = m_to.to_pixel(p);
  }
}

std::optional<Point> PixelMap::apply(Point pixel) const {
  std::array<int, 1> done{};
  apply(std::span<Point>(&pixel, 1), done);
  if (done[0] == 0) return std::nullopt;
  return pixel;
}

namespace {

constexpr double kPiecePx = 64.0;
/// Of a piece: both ends and the middle, which make the parabola, and the place where it is checked (near its
/// largest error).
constexpr std::array<double, 4> kNodes{0.0, 0.5, 1.0, 0.25};

/// The parabola through the values at 0, 0.5 and 1.
double parabola(double at_0, double at_half, double at_1, double t) {
  const double a = 2.0 * (at_0 - 2.0 * at_half + at_1);
  const double b = at_1 - at_0 - a;
  return (a * t + b) * t + at_0;
}

}  // namespace

/// Positions in the same 64 columns.
struct PixelMap::Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
  double first_col = 0.0;
};

void PixelMap::apply_row(std::span<Point> pixels, std::span<int> done) const {
  if (is_affine()) return apply(pixels, done);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double first_col = std::floor(pixels[i].x / kPiecePx) * kPiecePx;
    if (pieces.empty() || pieces.back().first_col != first_col) pieces.push_back({i, i, first_col});
    pieces.back().end = i + 1;
  }
  apply_pieces(pieces, pixels, done);
}

void PixelMap::apply_pieces(std::span<Piece> pieces, std::span<Point> pixels, std::span<int> done) const {
  std::vector<Point> nodes;
  for (const Piece& piece : pieces) {
    for (const double t : kNodes) nodes.push_back({piece.first_col + t * kPiecePx, pixels[piece.begin].y});
  }
  std::vector<int> known(nodes.size());
  apply(nodes, known);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const std::span<const Point> n(nodes.data() + i * kNodes.size(), kNodes.size());
    const bool all = std::ranges::all_of(std::span(known).subspan(i * kNodes.size(), kNodes.size()),
                                         [](int is_known) { return is_known != 0; });
    const auto at = [&](double t) {
      return Point{parabola(n[0].x, n[1].x, n[2].x, t), parabola(n[0].y, n[1].y, n[2].y, t)};
    };
    constexpr double kLargestErrorPx = 1e-5;
    const Point checked = at(kNodes[3]);
    const auto here = pixels.subspan(piece.begin, piece.end - piece.begin);
    const auto here_done = done.subspan(piece.begin, here.size());
    if (!all || !(std::hypot(checked.x - n[3].x, checked.y - n[3].y) < kLargestErrorPx)) {
      apply(here, here_done);
      continue;
    }
    for (Point& p : here) p = at((p.x - piece.first_col) / kPiecePx);
    std::ranges::fill(here_done, 1);
  }
}

Box PixelMap::bounds_of(const Window& window) const {
  // Enough for the curves that map projections make of a chip's sides.
  constexpr std::int64_t kMostSteps = 32;
  const auto steps = [kMostSteps](std::int64_t size) {
    return std::clamp<std::int64_t>(size, 1, kMostSteps);
  };
  const std::int64_t cols = steps(window.width);
  const std::int64_t rows = steps(window.height);
  std::vector<Point> points;
  for (std::int64_t r = 0; r <= rows; ++r) {
    for (std::int64_t c = 0; c <= cols; ++c) {
      const auto part = [](std::int64_t i, std::int64_t n, std::int64_t begin, std::int64_t size) {
        return static_cast<double>(begin) + static_cast<double>(i * size) / static_cast<double>(n);
      };
      points.push_back({part(c, cols, window.col, window.width), part(r, rows, window.row, window.height)});
    }
  }
  std::vector<int> done(points.size());
  apply(points, done);
  Box box;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (done[i] != 0) box.expand(points[i]);
  }
  return box;
}

}  // namespace furrow::geo
