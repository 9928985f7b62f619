#include <furrow/geo/raster/image_shift.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace furrow::geo {
namespace {

/// One band of floats.
using Plane = Raster<float>;

/// Gaussian of sigma 1 px, along rows and columns; borders repeat.
Plane smoothed(const Plane& in) {
  constexpr std::array<float, 7> kWeights{0.00443305F, 0.05400558F, 0.24203623F, 0.39905028F,
                                          0.24203623F, 0.05400558F, 0.00443305F};
  constexpr std::int64_t kRadius = 3;
  Plane rows(in.width(), in.height());
  Plane out(in.width(), in.height());
  const auto inside = [](std::int64_t i, std::int64_t size) {
    return std::clamp<std::int64_t>(i, 0, size - 1);
  };
  for (std::int64_t r = 0; r < in.height(); ++r) {
    for (std::int64_t c = 0; c < in.width(); ++c) {
      float sum = 0.0F;
      for (std::int64_t k = -kRadius; k <= kRadius; ++k)
        sum += kWeights[static_cast<std::size_t>(k + kRadius)] * in.at(inside(c + k, in.width()), r);
      rows.at(c, r) = sum;
    }
  }
  for (std::int64_t r = 0; r < in.height(); ++r) {
    for (std::int64_t c = 0; c < in.width(); ++c) {
      float sum = 0.0F;
      for (std::int64_t k = -kRadius; k <= kRadius; ++k)
        sum += kWeights[static_cast<std::size_t>(k + kRadius)] * rows.at(c, inside(r + k, in.height()));
      out.at(c, r) = sum;
    }
  }
  return out;
}

/// What patches are compared by: gradient magnitudes of all bands, each band with the same mean.
Plane edges_of(const Raster<float>& image, const Raster<std::uint8_t>& valid) {
  Plane sum(image.width(), image.height());
  for (int b = 0; b < image.bands(); ++b) {
    Plane band(image.width(), image.height());
    for (std::size_t i = 0; i < band.data().size(); ++i)
      band.data()[i] = valid.data()[i] != 0 ? image.band(b)[i] : 0.0F;
    const Plane soft = smoothed(band);
    Plane edges(image.width(), image.height());
    double total = 0.0;
    for (std::int64_t r = 1; r + 1 < image.height(); ++r) {
      for (std::int64_t c = 1; c + 1 < image.width(); ++c) {
        edges.at(c, r) =
            std::hypot(soft.at(c + 1, r) - soft.at(c - 1, r), soft.at(c, r + 1) - soft.at(c, r - 1));
        total += static_cast<double>(edges.at(c, r));
      }
    }
    const auto mean = static_cast<float>(total / static_cast<double>(image.pixels()));
    if (!(mean > 0.0F)) continue;
    for (std::size_t i = 0; i < sum.data().size(); ++i) sum.data()[i] += edges.data()[i] / mean;
  }
  return smoothed(sum);
}

/// The weights of four samples at -1, 0, 1, 2 for a value at `t` (0 to 1), and of its slope (Catmull-Rom).
struct CubicWeights {
  std::array<double, 4> value;
  std::array<double, 4> slope;
};

CubicWeights cubic_weights(double t) {
  const double t2 = t * t;
  const double t3 = t2 * t;
  return {{-0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1.0, -1.5 * t3 + 2.0 * t2 + 0.5 * t,
           0.5 * t3 - 0.5 * t2},
          {-1.5 * t2 + 2.0 * t - 0.5, 4.5 * t2 - 5.0 * t, -4.5 * t2 + 4.0 * t + 0.5, 1.5 * t2 - t}};
}

struct Sample {
  double value = 0.0;
  double slope_x = 0.0;
  double slope_y = 0.0;
};

Sample sample(const Plane& plane, std::int64_t col, std::int64_t row, const CubicWeights& x,
              const CubicWeights& y) {
  Sample out;
  for (std::size_t j = 0; j < 4; ++j) {
    double value = 0.0;
    double slope = 0.0;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto v = static_cast<double>(
          plane.at(col + static_cast<std::int64_t>(i) - 1, row + static_cast<std::int64_t>(j) - 1));
      value += x.value[i] * v;
      slope += x.slope[i] * v;
    }
    out.value += y.value[j] * value;
    out.slope_x += y.value[j] * slope;
    out.slope_y += y.slope[j] * value;
  }
  return out;
}

/// Solves a symmetric system of four equations by elimination.
/// @return false when it has no single solution
bool solve(std::array<std::array<double, 5>, 4>& m) {
  for (std::size_t i = 0; i < 4; ++i) {
    std::size_t best = i;
    for (std::size_t r = i + 1; r < 4; ++r) {
      if (std::abs(m[r][i]) > std::abs(m[best][i])) best = r;
    }
    std::swap(m[i], m[best]);
    if (std::abs(m[i][i]) < 1e-12) return false;
    for (std::size_t r = 0; r < 4; ++r) {
      if (r == i) continue;
      const double factor = m[r][i] / m[i][i];
      for (std::size_t c = i; c < 5; ++c) m[r][c] -= factor * m[i][c];
    }
  }
  for (std::size_t i = 0; i < 4; ++i) m[i][4] /= m[i][i];
  return true;
}

/// Compares one square of two planes.
class Patch {
 public:
  Patch(const Plane& reference, const Plane& other, const Window& window, int largest)
      : m_reference(reference), m_other(other), m_window(window), m_largest(largest) {}

  [[nodiscard]] std::optional<Point> shift() const {
    double best = -1.0;
    std::int64_t best_col = 0;
    std::int64_t best_row = 0;
    for (std::int64_t dr = -m_largest; dr <= m_largest; ++dr) {
      for (std::int64_t dc = -m_largest; dc <= m_largest; ++dc) {
        const double r = correlation(dc, dr);
        if (r > best) {
          best = r;
          best_col = dc;
          best_row = dr;
        }
      }
    }
    constexpr double kLowest = 0.3;
    if (best < kLowest || std::abs(best_col) == m_largest || std::abs(best_row) == m_largest)
      return std::nullopt;
    return refined({static_cast<double>(best_col), static_cast<double>(best_row)});
  }

 private:
  [[nodiscard]] double correlation(std::int64_t dc, std::int64_t dr) const {
    double a = 0.0;
    double b = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    double ab = 0.0;
    for (std::int64_t r = m_window.row; r < m_window.end_row(); ++r) {
      for (std::int64_t c = m_window.col; c < m_window.end_col(); ++c) {
        const auto x = static_cast<double>(m_reference.at(c, r));
        const auto y = static_cast<double>(m_other.at(c + dc, r + dr));
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
      }
    }
    const auto n = static_cast<double>(m_window.pixels());
    const double va = aa - a * a / n;
    const double vb = bb - b * b / n;
    return va > 0.0 && vb > 0.0 ? (ab - a * b / n) / std::sqrt(va * vb) : -1.0;
  }

  /// Least squares of gain * other(x + shift) + offset = reference(x).
  [[nodiscard]] std::optional<Point> refined(Point start) const {
    Point shift = start;
    double gain = 1.0;
    constexpr int kMostSteps = 20;
    constexpr double kEnoughPx = 1e-4;
    for (int step = 0; step < kMostSteps; ++step) {
      std::array<std::array<double, 5>, 4> m{};
      gather(shift, gain, m);
      if (!solve(m)) return std::nullopt;
      shift = {shift.x + m[0][4], shift.y + m[1][4]};
      gain = m[2][4];
      const bool near = std::abs(shift.x - start.x) < 1.5 && std::abs(shift.y - start.y) < 1.5;
      if (!near || !(gain > 0.0)) return std::nullopt;
      if (std::hypot(m[0][4], m[1][4]) < kEnoughPx) return shift;
    }
    return std::nullopt;
  }

  /// The normal equations of one step: columns gain * slope_x, gain * slope_y, value, 1.
  void gather(Point shift, double gain, std::array<std::array<double, 5>, 4>& m) const {
    const double fx = std::floor(shift.x);
    const double fy = std::floor(shift.y);
    const CubicWeights x = cubic_weights(shift.x - fx);
    const CubicWeights y = cubic_weights(shift.y - fy);
    const auto dc = static_cast<std::int64_t>(fx);
    const auto dr = static_cast<std::int64_t>(fy);
    for (std::int64_t r = m_window.row; r < m_window.end_row(); ++r) {
      for (std::int64_t c = m_window.col; c < m_window.end_col(); ++c) {
        const Sample s = sample(m_other, c + dc, r + dr, x, y);
        const std::array<double, 5> row{gain * s.slope_x, gain * s.slope_y, s.value, 1.0,
                                        static_cast<double>(m_reference.at(c, r))};
        for (std::size_t i = 0; i < 4; ++i) {
          for (std::size_t j = 0; j < 5; ++j) m[i][j] += row[i] * row[j];
        }
      }
    }
  }

  const Plane& m_reference;
  const Plane& m_other;
  Window m_window;
  std::int64_t m_largest;
};

/// Squares of a window, with a margin for the search around them, where everything is valid.
std::vector<Window> patches_of(const Raster<std::uint8_t>& valid, std::int64_t side, std::int64_t margin) {
  std::vector<Window> patches;
  const Window inside = grow({0, 0, valid.width(), valid.height()}, -margin);
  for (std::int64_t row = inside.row; row + side <= inside.end_row(); row += side) {
    for (std::int64_t col = inside.col; col + side <= inside.end_col(); col += side) {
      const Window patch{col, row, side, side};
      const Window all = grow(patch, margin);
      bool good = true;
      for (std::int64_t r = all.row; good && r < all.end_row(); ++r) {
        const auto line = valid.band(0).subspan(static_cast<std::size_t>(r * valid.width() + all.col),
                                                static_cast<std::size_t>(all.width));
        good = std::ranges::find(line, 0) == line.end();
      }
      if (good) patches.push_back(patch);
    }
  }
  return patches;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// Mean and standard error of the values near the median.
struct RobustMean {
  std::vector<std::size_t> kept;
  Point mean;
  Point error;
};

RobustMean robust_mean(const std::vector<Point>& shifts) {
  constexpr double kToSd = 1.4826;
  constexpr double kLeastSdPx = 0.03;
  constexpr double kWidth = 3.0;
  const auto along = [&](auto member) {
    std::vector<double> values;
    for (const Point& p : shifts) values.push_back(p.*member);
    const double centre = median(values);
    for (double& v : values) v = std::abs(v - centre);
    return std::pair{centre, kWidth * std::max(kLeastSdPx, kToSd * median(values))};
  };
  const auto [x, reach_x] = along(&Point::x);
  const auto [y, reach_y] = along(&Point::y);
  RobustMean out;
  for (std::size_t i = 0; i < shifts.size(); ++i) {
    if (std::abs(shifts[i].x - x) > reach_x || std::abs(shifts[i].y - y) > reach_y) continue;
    out.kept.push_back(i);
    out.mean = {out.mean.x + shifts[i].x, out.mean.y + shifts[i].y};
  }
  const auto n = static_cast<double>(out.kept.size());
  if (n < 2.0) return out;
  out.mean = {out.mean.x / n, out.mean.y / n};
  Point squares;
  for (const std::size_t i : out.kept) {
    squares.x += (shifts[i].x - out.mean.x) * (shifts[i].x - out.mean.x);
    squares.y += (shifts[i].y - out.mean.y) * (shifts[i].y - out.mean.y);
  }
  out.error = {std::sqrt(squares.x / (n - 1.0) / n), std::sqrt(squares.y / (n - 1.0) / n)};
  return out;
}

}  // namespace

double ImageShift::length_px() const noexcept {
  return std::hypot(px.x, px.y);
}

bool ImageShift::is_significant() const noexcept {
  constexpr double kLeastPx = 0.05;
  constexpr double kErrors = 3.0;
  return length_px() > std::max(kLeastPx, kErrors * std::hypot(error_px.x, error_px.y));
}

std::optional<ImageShift> estimate_shift(std::span<const ImagePair> windows, int largest_px) {
  const int largest = std::clamp(largest_px, 1, 16);
  // The gradient and two smoothings reach this far, and the sampling of the refinement.
  const std::int64_t margin = largest + 10;
  constexpr std::array<std::int64_t, 3> kSides{64, 48, 32};
  constexpr std::size_t kEnough = 12;
  std::vector<std::pair<std::size_t, Window>> patches;
  for (const std::int64_t side : kSides) {
    if (patches.size() >= kEnough) break;
    patches.clear();
    for (std::size_t i = 0; i < windows.size(); ++i) {
      for (const Window& patch : patches_of(windows[i].valid, side, margin)) patches.emplace_back(i, patch);
    }
  }
  std::vector<std::pair<Plane, Plane>> edges(windows.size());
  std::vector<std::optional<Point>> found(patches.size());
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(std::size_t{0}, windows.size(), [&](std::size_t i) {
      edges[i] = {edges_of(windows[i].reference, windows[i].valid),
                  edges_of(windows[i].other, windows[i].valid)};
    });
    tbb::parallel_for(std::size_t{0}, patches.size(), [&](std::size_t i) {
      const auto& [window, place] = patches[i];
      found[i] = Patch(edges[window].first, edges[window].second, place, largest).shift();
    });
  });
  std::vector<Point> shifts;
  for (const auto& shift : found) {
    if (shift) shifts.push_back(*shift);
  }
  constexpr std::size_t kLeast = 3;
  if (shifts.size() < kLeast) return std::nullopt;
  const RobustMean mean = robust_mean(shifts);
  if (mean.kept.size() < kLeast) return std::nullopt;
  return ImageShift{mean.mean, mean.error, std::ssize(mean.kept)};
}

}  // namespace furrow::geo
