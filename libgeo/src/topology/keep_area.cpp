#include "keep_area.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <utility>

#include "lattice_triangle.h"

namespace furrow::geo::detail {
namespace {

constexpr std::size_t kPiecePoints = 512;  ///< of an arc that is looked at as a whole
constexpr std::size_t kReach = 64;         ///< pixel sides that one line may span

/// Directions from a point, seen from which all corners so far lie within the tolerance. Only tells when to
/// stop looking: the distances decide.
class Wedge {
 public:
  Wedge(LatticePoint apex, const SimplifyOptions& options) : m_apex(apex), m_options(options) {}

  /// @return false when no line from the apex can pass all corners so far
  bool add(LatticePoint corner) {
    const double x = (static_cast<double>(corner.x) - m_apex.x) * m_options.pixel_width;
    const double y = (static_cast<double>(corner.y) - m_apex.y) * m_options.pixel_height;
    const double away = std::hypot(x, y);
    if (away <= m_options.tolerance) return true;
    constexpr double kSlack = 1e-9;
    const double half = std::asin(m_options.tolerance / away) + kSlack;
    const double direction = std::atan2(y, x);
    if (m_is_open) {
      m_is_open = false;
      m_middle = direction;
      m_low = -half;
      m_high = half;
      return true;
    }
    const double turn = std::remainder(direction - m_middle, 2.0 * std::numbers::pi);
    m_low = std::max(m_low, turn - half);
    m_high = std::min(m_high, turn + half);
    return m_low <= m_high;
  }

 private:
  LatticePoint m_apex;
  const SimplifyOptions& m_options;
  bool m_is_open = true;
  double m_middle = 0.0;  ///< direction that `low` and `high` are seen from
  double m_low = 0.0;
  double m_high = 0.0;
};

/// Which lines between two corners of an arc may take the place of what lies between.
class Shortcuts {
 public:
  Shortcuts(const std::vector<LatticePoint>& points, const SimplifyOptions& options,
            const LatticeBits& corners)
      : m_points(points), m_options(options), m_corners(corners) {
    for (std::size_t i = 0; i < points.size(); ++i) m_own.emplace_back(lattice_key(points[i]), i);
    std::ranges::sort(m_own);
  }

  /// Calls found(k) for each line from corner `from`, up to corner `last`.
  template <class Found>
  void from(std::size_t from, std::size_t last, const Found& found) const {
    Wedge wedge(m_points[from], m_options);
    for (std::size_t k = from + 1; k <= std::min(last, from + kReach); ++k) {
      if (k > from + 1 && !is_free(from, k)) return;
      if (k == from + 1 || is_close(from, k)) found(k);
      if (!wedge.add(m_points[k])) return;
    }
  }

 private:
  /// The line from - k-1 may become from - k: it moves over no corner that must not change sides.
  [[nodiscard]] bool is_free(std::size_t from, std::size_t k) const {
    const LatticePoint a = m_points[from];
    const LatticePoint b = m_points[k - 1];
    const LatticePoint c = m_points[k];
    if (a == c) return false;  // once around
    return !any_in_triangle(a, b, c, [&](LatticePoint p) {
      return p != a && p != b && p != c && m_corners.test(p) && !is_between(p, from, k);
    });
  }
  [[nodiscard]] bool is_between(LatticePoint p, std::size_t from, std::size_t k) const {
    const std::uint64_t key = lattice_key(p);
    const auto it = std::ranges::lower_bound(m_own, key, {}, [](const auto& own) { return own.first; });
    return it != m_own.end() && it->first == key && it->second > from && it->second < k;
  }
  [[nodiscard]] bool is_close(std::size_t from, std::size_t k) const {
    for (std::size_t i = from + 1; i < k; ++i) {
      if (distance(m_points[i], m_points[from], m_points[k], m_options) > m_options.tolerance) return false;
    }
    return true;
  }

  const std::vector<LatticePoint>& m_points;
  const SimplifyOptions& m_options;
  const LatticeBits& m_corners;
  std::vector<std::pair<std::uint64_t, std::size_t>> m_own;
};

/// Without those between two others in one direction.
std::vector<LatticePoint> without_straight(const std::vector<LatticePoint>& points) {
  std::vector<LatticePoint> kept;
  for (const LatticePoint& p : points) {
    if (kept.size() >= 2 && cross(kept[kept.size() - 2], kept.back(), p) == 0) kept.pop_back();
    kept.push_back(p);
  }
  return kept;
}

/// The cheapest way along a piece of an arc on which gains and losses of area cancel out.
class BalancedPath {
 public:
  /// @param window  largest area, doubled, that may be exchanged on the way
  BalancedPath(const std::vector<LatticePoint>& points, const Shortcuts& shortcuts, std::int64_t window)
      : m_points(points), m_shortcuts(shortcuts), m_window(window) {}

  /// Adds the corners that stay in (first, last] to `kept`.
  void run(std::size_t first, std::size_t last, std::vector<LatticePoint>& kept) {
    const std::size_t states = static_cast<std::size_t>(2 * m_window + 1);
    m_best.assign((last - first + 1) * states, State{});
    m_best[static_cast<std::size_t>(m_window)].cost = 0;
    m_swept.assign(last - first + 1, 0);
    for (std::size_t i = first; i < last; ++i) {
      m_swept[i + 1 - first] = m_swept[i - first] + cross(m_points[first], m_points[i], m_points[i + 1]);
    }
    for (std::size_t i = first; i < last; ++i) {
      m_shortcuts.from(i, last, [&](std::size_t k) {
        relax(&m_best[(i - first) * states], &m_best[(k - first) * states],
              {gain(first, i, k), length(i, k), static_cast<std::uint8_t>(k - i)});
      });
    }
    follow_back(first, last, states, kept);
  }

 private:
  /// Corners so far in the upper bits, length in the lower: cheaper is better.
  struct State {
    std::uint32_t cost = std::numeric_limits<std::uint32_t>::max();
    std::uint8_t step = 0;  ///< corners back to the one before
  };
  struct Line {
    std::int64_t gain = 0;  ///< doubled area between the traced line and it
    std::uint32_t length = 0;
    std::uint8_t step = 0;
  };
  static constexpr std::uint32_t kCornerCost = 1U << 20U;

  [[nodiscard]] std::int64_t gain(std::size_t first, std::size_t i, std::size_t k) const {
    return m_swept[k - first] - m_swept[i - first] - cross(m_points[first], m_points[i], m_points[k]);
  }
  /// In 1/1024 px: a piece of kPiecePoints stays below kCornerCost.
  [[nodiscard]] std::uint32_t length(std::size_t i, std::size_t k) const {
    const double squared = std::pow(static_cast<double>(m_points[k].x) - m_points[i].x, 2) +
                           std::pow(static_cast<double>(m_points[k].y) - m_points[i].y, 2);
    return static_cast<std::uint32_t>(std::lround(1024.0 * std::sqrt(squared)));
  }

  void relax(const State* from, State* to, const Line& line) const {
    if (std::abs(line.gain) > m_window) return;
    const std::uint32_t cost = kCornerCost + line.length;
    const std::int64_t states = 2 * m_window + 1;
    const std::int64_t begin = std::max<std::int64_t>(0, -line.gain);
    const std::int64_t end = std::min(states, states - line.gain);
    for (std::int64_t i = begin; i < end; ++i) {
      if (from[i].cost == std::numeric_limits<std::uint32_t>::max()) continue;
      State& state = to[i + line.gain];
      if (from[i].cost + cost < state.cost) state = {from[i].cost + cost, line.step};
    }
  }

  void follow_back(std::size_t first, std::size_t last, std::size_t states,
                   std::vector<LatticePoint>& kept) const {
    std::vector<LatticePoint> way;
    std::int64_t area = m_window;  // as an index: 0
    for (std::size_t k = last; k > first;) {
      way.push_back(m_points[k]);
      const std::size_t i = k - m_best[(k - first) * states + static_cast<std::size_t>(area)].step;
      area -= gain(first, i, k);
      k = i;
    }
    kept.insert(kept.end(), way.rbegin(), way.rend());
  }

  const std::vector<LatticePoint>& m_points;
  const Shortcuts& m_shortcuts;
  std::int64_t m_window;
  std::vector<State> m_best;          ///< by corner and area
  std::vector<std::int64_t> m_swept;  ///< doubled area between the piece's start and the line so far
};

}  // namespace

std::vector<LatticePoint> pixel_corners(const std::vector<LatticePoint>& turns) {
  std::vector<LatticePoint> all{turns.front()};
  for (std::size_t i = 1; i < turns.size(); ++i) {
    const LatticePoint d{(turns[i].x > turns[i - 1].x) - (turns[i].x < turns[i - 1].x),
                         (turns[i].y > turns[i - 1].y) - (turns[i].y < turns[i - 1].y)};
    while (!(all.back() == turns[i])) all.push_back({all.back().x + d.x, all.back().y + d.y});
  }
  return all;
}

std::vector<LatticePoint> simplify_keeping_area(const std::vector<LatticePoint>& traced,
                                                const SimplifyOptions& options, const LatticeBits& corners) {
  if (traced.size() <= 2) return traced;
  const std::vector<LatticePoint> points = pixel_corners(traced);
  const double tolerance_px = options.tolerance / std::min(options.pixel_width, options.pixel_height);
  const auto window = static_cast<std::int64_t>(std::clamp(32.0 * tolerance_px, 64.0, 512.0));
  const Shortcuts shortcuts(points, options, corners);
  BalancedPath path(points, shortcuts, window);
  std::vector<LatticePoint> kept{points.front()};
  for (std::size_t first = 0; first + 1 < points.size(); first += kPiecePoints) {
    path.run(first, std::min(first + kPiecePoints, points.size() - 1), kept);
  }
  return without_straight(kept);
}

}  // namespace furrow::geo::detail
