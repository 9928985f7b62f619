#include <furrow/geo/raster/coverage.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

constexpr double kLeastShare = 1e-10;

/// What the edges in one pixel add.
struct Cell {
  std::int64_t row = 0;
  std::int64_t col = 0;
  double area = 0.0;    ///< to the pixel itself
  double height = 0.0;  ///< to every pixel right of it
};

/// A piece of an edge within one row of pixels; x0 <= x1.
struct RowPiece {
  std::int64_t row = 0;
  double x0 = 0.0;
  double x1 = 0.0;
  double height = 0.0;  ///< signed
};

class OutlineSums {
 public:
  explicit OutlineSums(const Grid& grid) : m_grid(grid) {}

  /// @param inside  +1 for a shell, -1 for a hole
  void add_ring(const Ring& ring, double inside) {
    m_pixels.clear();
    for (const Point& p : ring) {
      m_pixels.push_back(m_grid.transform.to_pixel(p));
      if (!std::isfinite(m_pixels.back().x) || !std::isfinite(m_pixels.back().y)) {
        throw GeometryError(concat("a polygon has the vertex (", p.x, ", ", p.y, "), which is not finite"));
      }
    }
    // The sum of height x (distance to the right side) over a ring is minus its signed area.
    const double sign = signed_area(m_pixels) > 0.0 ? -inside : inside;
    for (std::size_t i = 0; i + 1 < m_pixels.size(); ++i) add_edge(m_pixels[i], m_pixels[i + 1], sign);
  }

  [[nodiscard]] std::vector<CoveredRun> runs() {
    std::ranges::sort(m_cells, {}, [](const Cell& c) { return std::pair(c.row, c.col); });
    std::vector<CoveredRun> runs;
    double inside = 0.0;  // share of the pixels right of the last cell
    for (std::size_t i = 0; i < m_cells.size();) {
      Cell sum = m_cells[i];
      for (++i; i < m_cells.size() && m_cells[i].row == sum.row && m_cells[i].col == sum.col; ++i) {
        sum.area += m_cells[i].area;
        sum.height += m_cells[i].height;
      }
      append(runs, {sum.row, sum.col, sum.col + 1, inside + sum.area});
      inside += sum.height;
      const bool last = i == m_cells.size() || m_cells[i].row != sum.row;
      append(runs, {sum.row, sum.col + 1, last ? m_grid.width : m_cells[i].col, inside});
      if (last) inside = 0.0;
    }
    return runs;
  }

 private:
  void add_edge(Point a, Point b, double sign) {
    if (a.y == b.y) return;
    if (a.y > b.y) {
      std::swap(a, b);
      sign = -sign;
    }
    const double top = std::max(a.y, 0.0);
    const double bottom = std::min(b.y, static_cast<double>(m_grid.height));
    const auto x_at = [&](double y) {
      const double x = y == b.y ? b.x : a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x);
      return std::clamp(x, std::min(a.x, b.x), std::max(a.x, b.x));
    };
    double x = x_at(top);
    for (double y = top; y < bottom;) {
      const double row = std::floor(y);
      const double next = std::min(row + 1.0, bottom);
      const double next_x = x_at(next);
      add_piece(
          {static_cast<std::int64_t>(row), std::min(x, next_x), std::max(x, next_x), sign * (next - y)});
      y = next;
      x = next_x;
    }
  }

  void add_piece(const RowPiece& piece) {
    const auto width = static_cast<double>(m_grid.width);
    if (piece.x0 >= width) return;
    if (piece.x1 <= 0.0) {
      add_cell(piece.row, 0.0, 0.0, piece.height);
      return;
    }
    const double per_column = piece.x1 > piece.x0 ? piece.height / (piece.x1 - piece.x0) : 0.0;
    if (piece.x0 < 0.0) add_cell(piece.row, 0.0, 0.0, -piece.x0 * per_column);
    const double end = std::min(piece.x1, width);
    double x = std::max(piece.x0, 0.0);
    if (end <= std::floor(x) + 1.0) {
      const double whole = x == piece.x0 && end == piece.x1 ? piece.height : (end - x) * per_column;
      add_cell(piece.row, x, end, whole);
      return;
    }
    while (x < end) {
      const double next = std::min(std::floor(x) + 1.0, end);
      add_cell(piece.row, x, next, (next - x) * per_column);
      x = next;
    }
  }

  /// A piece from x0 to x1 within the column of x0.
  void add_cell(std::int64_t row, double x0, double x1, double height) {
    const double col = std::floor(x0);
    m_cells.push_back(
        {row, static_cast<std::int64_t>(col), height * (1.0 - (0.5 * (x0 + x1) - col)), height});
  }

  static void append(std::vector<CoveredRun>& runs, CoveredRun run) {
    // Rounding leaves next to nothing of what adds up to 0, and next to 1 of what is whole.
    if (run.share < kLeastShare || run.pixels() <= 0) return;
    if (run.share > 1.0 - kLeastShare) run.share = 1.0;
    if (!runs.empty() && runs.back().row == run.row && runs.back().end_col == run.col &&
        runs.back().share == run.share) {
      runs.back().end_col = run.end_col;
    } else {
      runs.push_back(run);
    }
  }

  const Grid& m_grid;
  Ring m_pixels;
  std::vector<Cell> m_cells;
};

}  // namespace

std::vector<CoveredRun> covered_runs(const MultiPolygon& shape, const Grid& grid) {
  OutlineSums sums(grid);
  for (const Polygon& polygon : shape) {
    sums.add_ring(polygon.shell, 1.0);
    for (const Ring& hole : polygon.holes) sums.add_ring(hole, -1.0);
  }
  return sums.runs();
}

}  // namespace furrow::geo
