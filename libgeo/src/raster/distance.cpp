#include <furrow/geo/raster/distance.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/error.h>

namespace furrow::geo {
namespace {

using Labels = Raster<std::uint32_t>;
/// By column: rows to the nearest other instance.
using Run = std::vector<std::int32_t>;

template <class Work>
void for_columns(std::int64_t width, const Work& work) {
  constexpr std::int64_t kGrain = 2048;
  // Isolated: a waiting thread must not start one of the caller's other tasks.
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, width, kGrain),
                      [&](const auto& range) { work(range.begin(), range.end()); });
  });
}

/// Distances along one row, run by run of one instance, from the vertical ones.
class RowEnvelope {
 public:
  explicit RowEnvelope(Point pixel_size) : m_size(pixel_size) {}

  /// labels, vertical: one row of the whole area; out: distances, 0 where there is no instance.
  void operator()(const std::uint32_t* labels, const std::int32_t* vertical, std::int64_t width, float* out) {
    for (std::int64_t begin = 0; begin < width;) {
      std::int64_t end = begin + 1;
      while (end < width && labels[end] == labels[begin]) ++end;
      if (labels[begin] == 0) {
        std::fill(out + begin, out + end, 0.0F);
      } else {
        run(vertical + begin, end - begin, out + begin);
      }
      begin = end;
    }
  }

 private:
  struct Parabola {
    double at;      ///< column of its lowest point, the run's first one is 1
    double height;  ///< squared vertical distance
    double from;    ///< it is the lowest one from this column on
  };

  [[nodiscard]] double meeting(const Parabola& a, double at, double height) const {
    const double squared = m_size.x * m_size.x;
    return ((height - a.height) / squared + (at - a.at) * (at + a.at)) / (2.0 * (at - a.at));
  }

  void add(double at, double height) {
    double from = -std::numeric_limits<double>::infinity();
    while (!m_stack.empty()) {
      from = meeting(m_stack.back(), at, height);
      if (from > m_stack.back().from) break;
      m_stack.pop_back();
    }
    if (m_stack.empty()) from = -std::numeric_limits<double>::infinity();
    m_stack.push_back({at, height, from});
  }

  void run(const std::int32_t* vertical, std::int64_t length, float* out) {
    m_stack.clear();
    add(0.0, 0.0);
    for (std::int64_t i = 0; i < length; ++i) {
      const double rows = static_cast<double>(vertical[i]) * m_size.y;
      add(static_cast<double>(i + 1), rows * rows);
    }
    add(static_cast<double>(length + 1), 0.0);
    std::size_t k = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      const auto at = static_cast<double>(i + 1);
      while (k + 1 < m_stack.size() && m_stack[k + 1].from <= at) ++k;
      const double columns = (at - m_stack[k].at) * m_size.x;
      out[i] = static_cast<float>(std::sqrt(columns * columns + m_stack[k].height));
    }
  }

  Point m_size;
  std::vector<Parabola> m_stack;
};

class Sweep {
 public:
  Sweep(const InstanceSource& instances, const Window& area, const DistanceOptions& options,
        ExecContext& exec)
      : m_instances(instances), m_area(area), m_options(options), m_exec(exec) {
    climb();
  }

  /// Goes down and calls visit(strip, labels, distances) for the strips that meet rows [first, end): all
  /// columns of the area, labels with a row more.
  template <class Visit>
  void descend(std::int64_t first, std::int64_t end, const Visit& visit) const {
    Run above(width(), 0);
    std::vector<std::uint32_t> before(width(), 0);
    for (std::int64_t s = 0; s < strips(); ++s) {
      const Window strip = strip_of(s);
      if (strip.row >= end) return;
      m_exec.check_cancelled();
      const Labels labels = with_next_row(strip);
      Raster<std::int32_t> vertical(strip.width, strip.height);
      down_columns(labels, m_below[static_cast<std::size_t>(s)], above, before, vertical);
      const auto last = labels.data().begin() + (strip.height - 1) * strip.width;
      std::copy(last, last + strip.width, before.begin());
      if (strip.end_row() > first) visit(strip, labels, rows(labels, vertical));
    }
  }

 private:
  [[nodiscard]] std::size_t width() const { return static_cast<std::size_t>(m_area.width); }
  [[nodiscard]] std::int64_t strips() const {
    return (m_area.height + m_options.strip_rows - 1) / m_options.strip_rows;
  }
  [[nodiscard]] Window strip_of(std::int64_t index) const {
    return intersection(
        {m_area.col, m_area.row + index * m_options.strip_rows, m_area.width, m_options.strip_rows}, m_area);
  }
  [[nodiscard]] Labels with_next_row(const Window& strip) const {
    return m_instances({strip.col, strip.row, strip.width, strip.height + 1});
  }

  /// Notes for each strip how far down the instances of the row below it go.
  void climb() {
    m_below.resize(static_cast<std::size_t>(strips()));
    Run below(width(), 1);
    for (std::int64_t s = strips() - 1; s >= 0; --s) {
      m_exec.check_cancelled();
      m_below[static_cast<std::size_t>(s)] = below;
      if (s == 0) return;
      const Window strip = strip_of(s);
      const Labels labels = with_next_row(strip);
      for_columns(strip.width, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = strip.height - 1; row >= 0; --row)
          go_on(labels, row, row + 1, begin, end, below.data() + begin);
      });
    }
  }

  /// One row further from `next` to `row`: a longer way within an instance, 1 where another one begins.
  /// run: by column from `begin` on.
  static void go_on(const Labels& labels, std::int64_t row, std::int64_t next, std::int64_t begin,
                    std::int64_t end, std::int32_t* run) {
    const std::uint32_t* here = &labels.at(0, row);
    const std::uint32_t* there = &labels.at(0, next);
    for (std::int64_t c = begin; c < end; ++c, ++run) *run = here[c] == there[c] ? *run + 1 : 1;
  }

  static void down_columns(const Labels& labels, const Run& below, Run& above,
                           const std::vector<std::uint32_t>& before, Raster<std::int32_t>& vertical) {
    for_columns(vertical.width(), [&](std::int64_t begin, std::int64_t end) {
      Run run(below.begin() + begin, below.begin() + end);
      for (std::int64_t row = vertical.height() - 1; row >= 0; --row) {
        go_on(labels, row, row + 1, begin, end, run.data());
        std::ranges::copy(run, &vertical.at(begin, row));
      }
      for (std::int64_t row = 0; row < vertical.height(); ++row) {
        const std::uint32_t* here = &labels.at(0, row);
        const std::uint32_t* there = row == 0 ? before.data() : &labels.at(0, row - 1);
        for (std::int64_t c = begin; c < end; ++c) {
          auto& way = above[static_cast<std::size_t>(c)];
          way = here[c] == there[c] ? way + 1 : 1;
          vertical.at(c, row) = std::min(vertical.at(c, row), way);
        }
      }
    });
  }

  [[nodiscard]] Raster<float> rows(const Labels& labels, const Raster<std::int32_t>& vertical) const {
    Raster<float> distances(vertical.width(), vertical.height());
    tbb::this_task_arena::isolate([&] {
      tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, vertical.height()), [&](const auto& range) {
        RowEnvelope envelope(m_options.pixel_size);
        for (std::int64_t row = range.begin(); row < range.end(); ++row) {
          envelope(&labels.at(0, row), &vertical.at(0, row), vertical.width(), &distances.at(0, row));
        }
      });
    });
    return distances;
  }

  const InstanceSource& m_instances;
  Window m_area;
  const DistanceOptions& m_options;
  ExecContext& m_exec;
  std::vector<Run> m_below;
};

/// The largest distance of each instance.
std::vector<float> largest_distances(const Sweep& sweep, const Window& area, std::uint32_t highest) {
  // The bits of floats that are not negative are in the order of the floats.
  std::vector<std::atomic<std::uint32_t>> largest(std::size_t{highest} + 1);
  sweep.descend(
      area.row, area.end_row(), [&](const Window& strip, const Labels& labels, const Raster<float>& d) {
        tbb::this_task_arena::isolate([&] {
          tbb::parallel_for(std::int64_t{0}, strip.height, [&](std::int64_t row) {
            for (std::int64_t col = 0; col < strip.width; ++col) {
              if (labels.at(col, row) == 0) continue;
              const auto bits = std::bit_cast<std::uint32_t>(d.at(col, row));
              auto& most = largest[labels.at(col, row)];
              std::uint32_t seen = most.load(std::memory_order_relaxed);
              while (bits > seen && !most.compare_exchange_weak(seen, bits, std::memory_order_relaxed)) {
              }
            }
          });
        });
      });
  std::vector<float> result;
  for (const auto& bits : largest) result.push_back(std::bit_cast<float>(bits.load()));
  return result;
}

bool inside(const Window& part, const Window& whole) {
  return intersection(part, whole) == part;
}

}  // namespace

void field_distances(const InstanceSource& instances, const Window& area, const Window& wanted,
                     std::uint32_t highest, const DistanceOptions& options, ExecContext& exec,
                     const std::function<void(const Window&, const Raster<float>&)>& write) {
  if (options.strip_rows < 1) throw InvalidArgument("strips of distances need a row or more");
  if (!(options.pixel_size.x > 0.0 && options.pixel_size.y > 0.0)) {
    throw InvalidArgument("distances need a pixel size above 0");
  }
  if (wanted.empty()) return;
  if (!inside(wanted, area)) throw InvalidArgument("the distances that are wanted lie outside the area");
  const Sweep sweep(instances, area, options, exec);
  std::vector<float> largest;
  if (options.per_field) largest = largest_distances(sweep, area, highest);
  sweep.descend(
      wanted.row, wanted.end_row(), [&](const Window& strip, const Labels& labels, const Raster<float>& d) {
        const Window part = intersection(strip, wanted);
        Raster<float> out(part.width, part.height);
        for (std::int64_t row = 0; row < part.height; ++row) {
          for (std::int64_t col = 0; col < part.width; ++col) {
            const std::int64_t c = part.col - strip.col + col;
            const std::int64_t r = part.row - strip.row + row;
            const std::uint32_t label = labels.at(c, r);
            out.at(col, row) = largest.empty() || label == 0 ? d.at(c, r) : d.at(c, r) / largest[label];
          }
        }
        write(part, out);
      });
}

}  // namespace furrow::geo
