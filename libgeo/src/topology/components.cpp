#include <furrow/geo/topology/components.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "strips.h"
#include "union_find.h"

namespace furrow::geo {
namespace {

/// Neighbouring pixels of one value in one row, [begin, end) by position in the raster.
struct Run {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

template <class T>
bool counts(T value) {
  if constexpr (sizeof(T) == 4) return is_field(value);
  return value != 0;
}

/// The runs of one strip in row-major order and what belongs together within it.
template <class T>
class StripRuns {
 public:
  StripRuns() = default;
  StripRuns(const Raster<T>& values, const detail::Strip& strip, Connectivity connectivity)
      : m_values(values.data()), m_reach(connectivity == Connectivity::kEight ? 1 : 0) {
    m_row_first.push_back(0);
    for (std::int64_t row = strip.begin; row < strip.end; ++row) {
      find_runs(static_cast<std::uint32_t>(row * values.width()), static_cast<std::uint32_t>(values.width()));
      m_row_first.push_back(m_runs.size());
    }
    m_parent.resize(m_runs.size());
    std::iota(m_parent.begin(), m_parent.end(), std::uint32_t{0});
    const auto width = static_cast<std::uint32_t>(values.width());
    for (std::size_t row = 1; row + 1 < m_row_first.size(); ++row) {
      for_each_touching(row_of_runs(row - 1), row_of_runs(row), width,
                        [&](std::size_t above, std::size_t here) {
                          detail::unite(m_parent, static_cast<std::uint32_t>(m_row_first[row - 1] + above),
                                        static_cast<std::uint32_t>(m_row_first[row] + here));
                        });
    }
  }

  [[nodiscard]] const std::vector<Run>& runs() const { return m_runs; }
  /// By run, the first of the runs that it belongs with.
  [[nodiscard]] std::uint32_t root(std::size_t run) {
    return detail::find(m_parent, static_cast<std::uint32_t>(run));
  }
  /// The parents are only needed until the strips are joined.
  void forget_parents() { m_parent = {}; }

  /// Calls unite(run of this strip, run of the next one) for runs of one value that touch.
  template <class Unite>
  void for_each_touching_below(const StripRuns& next, std::uint32_t width, const Unite& unite) const {
    const std::size_t last = m_row_first.size() - 2;
    for_each_touching(row_of_runs(last), next.row_of_runs(0), width,
                      [&](std::size_t above, std::size_t here) { unite(m_row_first[last] + above, here); });
  }

 private:
  void find_runs(std::uint32_t begin, std::uint32_t width) {
    const std::uint32_t row_end = begin + width;
    while (begin < row_end) {
      const T value = m_values[begin];
      std::uint32_t end = begin + 1;
      while (end < row_end && m_values[end] == value) ++end;
      if (counts(value)) m_runs.push_back({begin, end});
      begin = end;
    }
  }

  [[nodiscard]] std::span<const Run> row_of_runs(std::size_t row) const {
    return std::span(m_runs).subspan(m_row_first[row], m_row_first[row + 1] - m_row_first[row]);
  }

  template <class Unite>
  void for_each_touching(std::span<const Run> above, std::span<const Run> here, std::uint32_t width,
                         const Unite& unite) const {
    std::size_t first = 0;
    for (std::size_t i = 0; i < here.size(); ++i) {
      // In 64 bits: the last positions of a row of the largest raster still have neighbours.
      const std::uint64_t begin = here[i].begin;
      const std::uint64_t end = here[i].end;
      const auto moved = [&](std::uint32_t position) { return std::uint64_t{position} + width; };
      while (first < above.size() && moved(above[first].end) + m_reach <= begin) ++first;
      for (std::size_t k = first; k < above.size() && moved(above[k].begin) < end + m_reach; ++k) {
        if (m_values[above[k].begin] == m_values[here[i].begin]) unite(k, i);
      }
    }
  }

  std::span<const T> m_values;
  std::uint64_t m_reach = 0;
  std::vector<Run> m_runs;
  std::vector<std::size_t> m_row_first;  ///< by row of the strip its first run, and at last their number
  std::vector<std::uint32_t> m_parent;
};

/// By run, counted through all strips, the first of the runs that it belongs with.
template <class T>
std::vector<std::uint32_t> join_strips(std::vector<StripRuns<T>>& strips,
                                       const std::vector<std::size_t>& first, std::uint32_t width) {
  std::vector<std::uint32_t> parent(first.back());
  tbb::parallel_for(std::size_t{0}, strips.size(), [&](std::size_t s) {
    for (std::size_t i = 0; i < strips[s].runs().size(); ++i)
      parent[first[s] + i] = static_cast<std::uint32_t>(first[s] + strips[s].root(i));
    strips[s].forget_parents();
  });
  for (std::size_t s = 1; s < strips.size(); ++s) {
    strips[s - 1].for_each_touching_below(strips[s], width, [&](std::size_t above, std::size_t here) {
      detail::unite(parent, static_cast<std::uint32_t>(first[s - 1] + above),
                    static_cast<std::uint32_t>(first[s] + here));
    });
  }
  return parent;
}

/// Numbers components in the order of their first runs, which is that of their first pixels.
/// @return  by run its number, 1..count, and count
std::pair<std::vector<std::uint32_t>, std::uint32_t> number_roots(const std::vector<std::uint32_t>& parent) {
  std::vector<std::uint32_t> number(parent.size());
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < parent.size(); ++i) {
    // A parent is never after its child, so it has its number already.
    number[i] = parent[i] == i ? ++count : number[parent[i]];
  }
  return {std::move(number), count};
}

template <class T>
LabelledRaster label(const Raster<T>& values, Connectivity connectivity) {
  if (values.pixels() >= static_cast<std::int64_t>(kOutsideInstance)) {
    throw InvalidArgument(
        concat("a raster of ", values.width(), " x ", values.height(), " px is too large to label at once"));
  }
  const auto strips = detail::make_strips(values.height());
  std::vector<StripRuns<T>> runs(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    runs[static_cast<std::size_t>(strip.index)] = StripRuns<T>(values, strip, connectivity);
  });
  std::vector<std::size_t> first(strips.size() + 1, 0);
  for (std::size_t s = 0; s < strips.size(); ++s) first[s + 1] = first[s] + runs[s].runs().size();
  const auto parent = join_strips(runs, first, static_cast<std::uint32_t>(values.width()));
  const auto [number, count] = number_roots(parent);

  LabelledRaster result{Raster<std::uint32_t>(values.width(), values.height()), count};
  detail::for_each_strip(strips, [&, &numbers = number](const detail::Strip& strip) {
    const auto s = static_cast<std::size_t>(strip.index);
    for (std::size_t i = 0; i < runs[s].runs().size(); ++i) {
      const Run run = runs[s].runs()[i];
      std::fill_n(result.labels.data().begin() + run.begin, run.end - run.begin, numbers[first[s] + i]);
    }
  });
  return result;
}

}  // namespace

LabelledRaster label_components(const Raster<std::uint8_t>& values, Connectivity connectivity,
                                ExecContext& exec) {
  exec.check_cancelled();
  return label(values, connectivity);
}

LabelledRaster label_components(const Raster<std::uint32_t>& values, Connectivity connectivity,
                                ExecContext& exec) {
  exec.check_cancelled();
  return label(values, connectivity);
}

std::uint32_t renumber_by_first_pixel(Raster<std::uint32_t>& labels, std::uint32_t largest) {
  std::vector<std::uint32_t> number(static_cast<std::size_t>(largest) + 1, 0);
  std::uint32_t count = 0;
  for (auto& label : labels.data()) {
    if (!is_field(label)) continue;
    if (number[label] == 0) number[label] = ++count;
    label = number[label];
  }
  return count;
}

}  // namespace furrow::geo
