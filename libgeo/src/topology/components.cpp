#include <furrow/geo/topology/components.h>

#include <numeric>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "strips.h"

namespace furrow::geo {
namespace {

using Index = std::uint32_t;

/// Union-find whose roots are the smallest members, so that a root is a component's first pixel.
class PixelSets {
 public:
  explicit PixelSets(std::size_t size) : m_parent(size) {
    std::iota(m_parent.begin(), m_parent.end(), Index{0});
  }

  /// Shortens paths; only for indices that the calling task owns.
  Index find_and_shorten(Index i) {
    while (m_parent[i] != i) {
      m_parent[i] = m_parent[m_parent[i]];
      i = m_parent[i];
    }
    return i;
  }
  [[nodiscard]] Index find(Index i) const {
    while (m_parent[i] != i) i = m_parent[i];
    return i;
  }
  void unite(Index a, Index b) {
    a = find_and_shorten(a);
    b = find_and_shorten(b);
    if (a == b) return;
    m_parent[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<Index> m_parent;
};

template <class T>
bool counts(T value) {
  if constexpr (sizeof(T) == 4) return is_field(value);
  return value != 0;
}

/// Unites a pixel with its equal neighbours in the row above.
template <class T>
void unite_upwards(const Raster<T>& values, std::int64_t row, Connectivity connectivity, PixelSets& sets) {
  const std::int64_t width = values.width();
  const T* here = values.data().data() + row * width;
  const T* above = here - width;
  const auto first = static_cast<Index>(row * width);
  const auto first_above = static_cast<Index>((row - 1) * width);
  for (std::int64_t col = 0; col < width; ++col) {
    if (!counts(here[col])) continue;
    const auto i = first + static_cast<Index>(col);
    const auto up = first_above + static_cast<Index>(col);
    if (above[col] == here[col]) sets.unite(up, i);
    if (connectivity == Connectivity::kFour) continue;
    if (col > 0 && above[col - 1] == here[col]) sets.unite(up - 1, i);
    if (col + 1 < width && above[col + 1] == here[col]) sets.unite(up + 1, i);
  }
}

template <class T>
LabelledRaster label(const Raster<T>& values, Connectivity connectivity) {
  const std::int64_t width = values.width();
  const std::int64_t height = values.height();
  if (values.pixels() >= static_cast<std::int64_t>(kOutsideInstance)) {
    throw InvalidArgument(concat("a raster of ", width, " x ", height, " px is too large to label at once"));
  }
  LabelledRaster result{Raster<std::uint32_t>(width, height), 0};
  PixelSets sets(static_cast<std::size_t>(values.pixels()));
  const auto strips = detail::make_strips(height);
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    for (std::int64_t row = strip.begin; row < strip.end; ++row) {
      const T* here = values.data().data() + row * width;
      for (std::int64_t col = 1; col < width; ++col) {
        const auto i = static_cast<Index>(row * width + col);
        if (counts(here[col]) && here[col] == here[col - 1]) sets.unite(i - 1, i);
      }
      if (row > strip.begin) unite_upwards(values, row, connectivity, sets);
    }
    for (std::int64_t i = strip.begin * width; i < strip.end * width; ++i)
      sets.find_and_shorten(static_cast<Index>(i));
  });
  for (const auto& strip : strips) {
    if (strip.begin > 0) unite_upwards(values, strip.begin, connectivity, sets);
  }
  // Number the roots: first each strip counts its own, then all know where their numbers start.
  std::vector<std::uint32_t> first(strips.size() + 1, 0);
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    std::uint32_t roots = 0;
    for (std::int64_t i = strip.begin * width; i < strip.end * width; ++i) {
      const auto k = static_cast<std::size_t>(i);
      if (counts(values.data()[k]) && sets.find(static_cast<Index>(i)) == static_cast<Index>(i)) {
        result.labels.data()[k] = ++roots;
      }
    }
    first[static_cast<std::size_t>(strip.index) + 1] = roots;
  });
  std::partial_sum(first.begin(), first.end(), first.begin());
  result.count = first.back();
  // Roots hold their number within the strip until everything else has read it.
  std::vector<std::uint32_t>& out = result.labels.data();
  const auto number_of = [&](Index root) {
    return out[root] +
           first[static_cast<std::size_t>(static_cast<std::int64_t>(root) / width / detail::kStripRows)];
  };
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    for (std::int64_t i = strip.begin * width; i < strip.end * width; ++i) {
      const auto k = static_cast<std::size_t>(i);
      if (!counts(values.data()[k])) continue;
      const Index root = sets.find(static_cast<Index>(i));
      if (root != static_cast<Index>(i)) out[k] = number_of(root);
    }
  });
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    const std::uint32_t offset = first[static_cast<std::size_t>(strip.index)];
    for (std::int64_t i = strip.begin * width; i < strip.end * width; ++i) {
      const auto k = static_cast<std::size_t>(i);
      if (counts(values.data()[k]) && sets.find(static_cast<Index>(i)) == static_cast<Index>(i))
        out[k] += offset;
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
