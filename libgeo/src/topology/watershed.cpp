#include <furrow/geo/topology/watershed.h>

#include <array>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include <oneapi/tbb/parallel_sort.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "pair_map.h"
#include "strips.h"

namespace furrow::geo {
namespace {

using Index = std::uint32_t;
constexpr Index kNone = 0xFFFFFFFFU;

/// Boundary score in the upper 16 bits, smoothed score in the lower: pixels compare by (height, position).
using Height = std::uint32_t;
constexpr Height kOutsideMask = 0xFFFFFFFFU;
Height level_of(Height height) {
  return height >> 16;
}

/// The lowest pass between two basins.
struct Pass {
  Height high_height = 0;  ///< of the higher pixel
  Index high = 0;
  Height low_height = 0;
  Index low = 0;

  [[nodiscard]] auto rank() const { return std::tie(high_height, high, low_height, low); }
};

struct BasinPass {
  Pass pass;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};

constexpr std::int64_t kReach = 3;
constexpr std::array<int, 7> kKernel{1, 2, 3, 4, 3, 2, 1};

/// One row of boundary scores, smoothed along the row; pixels beyond the border repeat the last one.
void smooth_row(const std::uint8_t* in, std::int64_t width, std::uint16_t* out) {
  const auto slow = [&](std::int64_t col) {
    int sum = 0;
    for (std::int64_t k = -kReach; k <= kReach; ++k) {
      sum +=
          kKernel[static_cast<std::size_t>(k + kReach)] * in[std::clamp<std::int64_t>(col + k, 0, width - 1)];
    }
    return static_cast<std::uint16_t>(sum);
  };
  const std::int64_t inner_end = std::max(kReach, width - kReach);
  for (std::int64_t col = 0; col < std::min(kReach, width); ++col) out[col] = slow(col);
  for (std::int64_t col = kReach; col < width - kReach; ++col) {
    out[col] = static_cast<std::uint16_t>(in[col - 3] + in[col + 3] + 2 * (in[col - 2] + in[col + 2]) +
                                          3 * (in[col - 1] + in[col + 1]) + 4 * in[col]);
  }
  for (std::int64_t col = inner_end; col < width; ++col) out[col] = slow(col);
}

std::vector<Height> heights(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                            const std::vector<detail::Strip>& strips) {
  const std::int64_t width = boundary.width();
  const std::int64_t rows = boundary.height();
  std::vector<Height> out(static_cast<std::size_t>(boundary.pixels()));
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    const std::int64_t first = strip.begin - kReach;
    std::vector<std::uint16_t> smooth(
        static_cast<std::size_t>((strip.end - strip.begin + 2 * kReach) * width));
    const auto smooth_at = [&](std::int64_t row) { return smooth.data() + (row - first) * width; };
    for (std::int64_t row = first; row < strip.end + kReach; ++row) {
      const std::int64_t source = std::clamp<std::int64_t>(row, 0, rows - 1);
      smooth_row(boundary.data().data() + source * width, width, smooth_at(row));
    }
    for (std::int64_t row = strip.begin; row < strip.end; ++row) {
      std::array<const std::uint16_t*, 7> lines{};
      for (std::int64_t k = 0; k < 7; ++k) lines[static_cast<std::size_t>(k)] = smooth_at(row + k - kReach);
      for (std::int64_t col = 0; col < width; ++col) {
        const int sum = lines[0][col] + lines[6][col] + 2 * (lines[1][col] + lines[5][col]) +
                        3 * (lines[2][col] + lines[4][col]) + 4 * lines[3][col];
        const auto i = static_cast<std::size_t>(row * width + col);
        out[i] = mask.data()[i] == 0
                     ? kOutsideMask
                     : (static_cast<Height>(boundary.data()[i]) << 16) | static_cast<Height>(sum);
      }
    }
  });
  return out;
}

/// Where the steepest way down from each pixel ends.
class Basins {
 public:
  Basins(const Raster<std::uint8_t>& mask, const std::vector<Height>& height,
         const std::vector<detail::Strip>& strips)
      : m_width(mask.width()), m_rows(mask.height()), m_height(height), m_strips(strips) {
    m_lowest.resize(static_cast<std::size_t>(mask.pixels()), kNone);
    detail::for_each_strip(strips, [&](const detail::Strip& strip) { point_down(strip); });
    detail::for_each_strip(strips, [&](const detail::Strip& strip) { shorten(strip); });
    number();
  }

  /// Basin of each pixel, kNone outside the mask.
  [[nodiscard]] std::vector<Index>& of_pixel() { return m_basin; }
  /// Boundary score of each basin's lowest pixel.
  [[nodiscard]] const std::vector<std::uint8_t>& lowest_level() const { return m_lowest_level; }
  /// Where the numbers of the basins of each strip begin.
  [[nodiscard]] const std::vector<Index>& first_of_strip() const { return m_first; }

  /// Makes groups of basins to basins. group: by basin, the smallest member of its group, or a member that
  /// leads there.
  void regroup(std::vector<Index>& group) {
    std::vector<std::uint8_t> level = m_lowest_level;
    std::vector<Index> number(group.size());
    std::vector<Index> first(m_first.size(), 0);
    Index count = 0;
    for (std::size_t strip = 0; strip + 1 < m_first.size(); ++strip) {
      first[strip] = count;
      for (Index i = m_first[strip]; i < m_first[strip + 1]; ++i) {
        if (group[i] == i) {
          level[count] = m_lowest_level[i];
          number[i] = count++;
          continue;
        }
        // Members come after the one they lead to, which knows its number already.
        number[i] = number[group[i]];
        level[number[i]] = std::min(level[number[i]], m_lowest_level[i]);
      }
    }
    first.back() = count;
    level.resize(count);
    m_first = std::move(first);
    m_lowest_level = std::move(level);
    detail::for_each_strip(m_strips, [&](const detail::Strip& strip) {
      for (std::int64_t i = strip.begin * m_width; i < strip.end * m_width; ++i) {
        Index& basin = m_basin[static_cast<std::size_t>(i)];
        if (basin != kNone) basin = number[basin];
      }
    });
  }

 private:
  void point_down(const detail::Strip& strip) {
    for (std::int64_t row = strip.begin; row < strip.end; ++row) {
      const std::int64_t top = std::max<std::int64_t>(0, row - 1);
      const std::int64_t bottom = std::min(m_rows - 1, row + 1);
      for (std::int64_t col = 0; col < m_width; ++col) {
        const auto i = static_cast<std::size_t>(row * m_width + col);
        if (m_height[i] == kOutsideMask) continue;
        const std::int64_t left = std::max<std::int64_t>(0, col - 1);
        const std::int64_t right = std::min(m_width - 1, col + 1);
        // Row-major order makes the first of equals the lowest in rank.
        auto best = static_cast<std::size_t>(top * m_width + left);
        for (std::int64_t r = top; r <= bottom; ++r) {
          const auto end = static_cast<std::size_t>(r * m_width + right);
          for (auto k = static_cast<std::size_t>(r * m_width + left); k <= end; ++k) {
            best = m_height[k] < m_height[best] ? k : best;
          }
        }
        m_lowest[i] = static_cast<Index>(best);
      }
    }
  }

  /// Makes each pointer lead to the end of its way, or to the first pixel on it outside the strip.
  void shorten(const detail::Strip& strip) {
    const auto begin = static_cast<Index>(strip.begin * m_width);
    const auto end = static_cast<Index>(strip.end * m_width);
    const auto inside = [&](Index i) { return i >= begin && i < end; };
    for (Index i = begin; i < end; ++i) {
      if (m_lowest[i] == kNone) continue;
      Index last = i;
      while (inside(last) && m_lowest[last] != last) last = m_lowest[last];
      for (Index k = i; k != last;) {
        const Index next = m_lowest[k];
        m_lowest[k] = last;
        k = next;
      }
    }
  }

  /// Numbers the basins by their lowest pixel in row-major order.
  void number() {
    std::vector<Index> first(m_strips.size() + 1, 0);
    detail::for_each_strip(m_strips, [&](const detail::Strip& strip) {
      Index count = 0;
      for (auto i = static_cast<Index>(strip.begin * m_width); i < static_cast<Index>(strip.end * m_width);
           ++i) {
        if (m_lowest[i] == i) ++count;
      }
      first[static_cast<std::size_t>(strip.index) + 1] = count;
    });
    std::partial_sum(first.begin(), first.end(), first.begin());
    m_lowest_level.resize(first.back());
    m_basin.assign(m_lowest.size(), kNone);
    detail::for_each_strip(m_strips, [&](const detail::Strip& strip) {
      Index next = first[static_cast<std::size_t>(strip.index)];
      for (auto i = static_cast<Index>(strip.begin * m_width); i < static_cast<Index>(strip.end * m_width);
           ++i) {
        if (m_lowest[i] != i) continue;
        m_lowest_level[next] = static_cast<std::uint8_t>(level_of(m_height[i]));
        m_basin[i] = next++;
      }
    });
    detail::for_each_strip(m_strips, [&](const detail::Strip& strip) {
      for (auto i = static_cast<Index>(strip.begin * m_width); i < static_cast<Index>(strip.end * m_width);
           ++i) {
        Index k = m_lowest[i];
        if (k == kNone || k == i) continue;
        while (m_lowest[k] != k) k = m_lowest[k];
        m_basin[i] = m_basin[k];
      }
    });
    m_lowest = {};
    m_first = std::move(first);
  }

  std::int64_t m_width;
  std::int64_t m_rows;
  const std::vector<Height>& m_height;
  const std::vector<detail::Strip>& m_strips;
  std::vector<Index> m_lowest;
  std::vector<Index> m_basin;
  std::vector<std::uint8_t> m_lowest_level;
  std::vector<Index> m_first;
};

/// Calls look(i, k) for each two neighbours i < k of different basins, i within the strip.
template <class Look>
void for_each_border(const std::vector<Index>& basin, std::int64_t width, std::int64_t rows,
                     const detail::Strip& strip, const Look& look) {
  const auto line = static_cast<std::size_t>(width);
  const auto check = [&](std::size_t i, std::size_t k) {
    if (basin[k] != basin[i] && basin[k] != kNone) look(i, k);
  };
  for (std::int64_t row = strip.begin; row < strip.end; ++row) {
    const bool has_below = row + 1 < rows;
    for (std::int64_t col = 0; col < width; ++col) {
      const auto i = static_cast<std::size_t>(row * width + col);
      if (basin[i] == kNone) continue;
      if (col + 1 < width) check(i, i + 1);
      if (!has_below) continue;
      if (col > 0) check(i, i + line - 1);
      check(i, i + line);
      if (col + 1 < width) check(i, i + line + 1);
    }
  }
}

/// The way over two neighbours i < k. At equal height k, which comes later, is the higher one.
Pass pass_over(const std::vector<Height>& height, std::size_t i, std::size_t k) {
  const bool k_higher = height[k] >= height[i];
  const std::size_t high = k_higher ? k : i;
  const std::size_t low = k_higher ? i : k;
  return {height[high], static_cast<Index>(high), height[low], static_cast<Index>(low)};
}

constexpr Pass kNoPass{0xFFFFFFFFU, kNone, 0xFFFFFFFFU, kNone};

struct Exit {
  Pass pass = kNoPass;
  Index to = kNone;  ///< the basin on the other side
};

/// The lowest pass out of each basin. Basins are numbered by their first pixel's strip: `first` holds where
/// the numbers of each strip begin; what a strip finds of another's basins is merged afterwards.
std::vector<Exit> lowest_exits(const std::vector<Index>& basin, std::size_t count,
                               const std::vector<Index>& first, const std::vector<Height>& height,
                               std::int64_t width, std::int64_t rows,
                               const std::vector<detail::Strip>& strips) {
  std::vector<Exit> exits(count);
  std::vector<std::unordered_map<Index, Exit>> strangers(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    const auto s = static_cast<std::size_t>(strip.index);
    const auto offer = [&](Index from, Index to, const Pass& pass) {
      const bool own = from >= first[s] && from < first[s + 1];
      Exit& exit = own ? exits[from] : strangers[s][from];
      if (pass.rank() < exit.pass.rank()) exit = {pass, to};
    };
    for_each_border(basin, width, rows, strip, [&](std::size_t i, std::size_t k) {
      const Pass pass = pass_over(height, i, k);
      offer(basin[i], basin[k], pass);
      offer(basin[k], basin[i], pass);
    });
  });
  for (const auto& found : strangers) {
    for (const auto& [from, exit] : found) {
      if (exit.pass.rank() < exits[from].pass.rank()) exits[from] = exit;
    }
  }
  return exits;
}

Index find(std::vector<Index>& parent, Index i) {
  while (parent[i] != i) {
    parent[i] = parent[parent[i]];
    i = parent[i];
  }
  return i;
}

/// Joins every basin that is shallower than the cut to the neighbour behind its lowest exit (a second step of
/// Boruvka's algorithm). Kruskal's algorithm would do the same: when it comes to that pass, nothing has
/// joined the basin yet, so the climb is at most the basin's own depth. The lower floor that the neighbour
/// may get by it cannot undo a join that comes before that pass: a climb from that floor to a pass below the
/// exit is again less than the cut.
void join_shallow(Basins& basins, const std::vector<Height>& height, int cut_level, std::int64_t width,
                  std::int64_t rows, const std::vector<detail::Strip>& strips) {
  std::vector<Index>& basin = basins.of_pixel();
  const std::vector<std::uint8_t>& floor = basins.lowest_level();
  const auto exits = lowest_exits(basin, floor.size(), basins.first_of_strip(), height, width, rows, strips);
  std::vector<Index> group(floor.size());
  std::iota(group.begin(), group.end(), Index{0});
  for (Index i = 0; i < exits.size(); ++i) {
    if (exits[i].to == kNone) continue;
    if (static_cast<int>(level_of(exits[i].pass.high_height)) - floor[i] >= cut_level) continue;
    const Index a = find(group, i);
    const Index b = find(group, exits[i].to);
    group[std::max(a, b)] = std::min(a, b);
  }
  basins.regroup(group);
}

/// The lowest passes between neighbouring basins, in ascending order.
std::vector<BasinPass> find_passes(const std::vector<Index>& basin, const std::vector<Height>& height,
                                   std::int64_t width, std::int64_t rows,
                                   const std::vector<detail::Strip>& strips) {
  std::vector<std::vector<BasinPass>> found(strips.size());
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    detail::PairMap<Pass> passes;
    for_each_border(basin, width, rows, strip, [&](std::size_t i, std::size_t k) {
      const Pass pass = pass_over(height, i, k);
      bool is_new = false;
      Pass& best = passes.at(basin[i], basin[k], is_new);
      if (is_new || pass.rank() < best.rank()) best = pass;
    });
    auto& out = found[static_cast<std::size_t>(strip.index)];
    out.reserve(passes.entries().size());
    for (const auto& entry : passes.entries()) out.push_back({entry.value, entry.a, entry.b});
  });
  std::vector<BasinPass> all;
  for (auto& part : found) {
    all.insert(all.end(), part.begin(), part.end());
    part = {};
  }
  tbb::parallel_sort(all.begin(), all.end(),
                     [](const BasinPass& x, const BasinPass& y) { return x.pass.rank() < y.pass.rank(); });
  return all;
}

/// Field of each basin: passes in ascending order; one that rises less than the cut above the shallower side
/// joins.
std::vector<Index> join_basins(const std::vector<BasinPass>& passes, std::vector<std::uint8_t> lowest,
                               int cut_level) {
  std::vector<Index> flooded(lowest.size());  // what water has joined so far
  std::iota(flooded.begin(), flooded.end(), Index{0});
  std::vector<Index> field = flooded;  // what stays joined after the cut
  for (const auto& [pass, basin_a, basin_b] : passes) {
    const Index a = find(flooded, basin_a);
    const Index b = find(flooded, basin_b);
    if (a == b) continue;
    const int shallower = std::max(lowest[a], lowest[b]);
    const int climb = static_cast<int>(level_of(pass.high_height)) - shallower;
    const Index root = std::min(a, b);
    flooded[std::max(a, b)] = root;
    lowest[root] = std::min(lowest[a], lowest[b]);
    if (climb >= cut_level) continue;
    const Index p = find(field, basin_a);
    const Index q = find(field, basin_b);
    field[std::max(p, q)] = std::min(p, q);
  }
  for (Index i = 0; i < field.size(); ++i) field[i] = find(field, i);
  return field;
}

}  // namespace

LabelledRaster watershed(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                         int cut_level, ExecContext& exec) {
  if (boundary.width() != mask.width() || boundary.height() != mask.height()) {
    throw InvalidArgument("boundary scores and mask differ in size");
  }
  if (cut_level < 1 || cut_level > kScoreLevels) {
    throw InvalidArgument(concat("the cut must be 1..", kScoreLevels, " score levels, got ", cut_level));
  }
  if (boundary.pixels() >= static_cast<std::int64_t>(kOutsideInstance)) {
    throw InvalidArgument(
        concat("a raster of ", mask.width(), " x ", mask.height(), " px is too large to split at once"));
  }
  LabelledRaster result{Raster<std::uint32_t>(mask.width(), mask.height()), 0};
  if (mask.empty()) return result;
  const auto strips = detail::make_strips(mask.height());
  const std::vector<Height> height = heights(boundary, mask, strips);
  exec.check_cancelled();
  Basins basins(mask, height, strips);
  exec.check_cancelled();
  // Each round leaves less than half of the shallow basins.
  for (int round = 0; round < 2; ++round) {
    join_shallow(basins, height, cut_level, mask.width(), mask.height(), strips);
    exec.check_cancelled();
  }
  const auto passes = find_passes(basins.of_pixel(), height, mask.width(), mask.height(), strips);
  exec.check_cancelled();
  const std::vector<Index> field = join_basins(passes, basins.lowest_level(), cut_level);
  const std::vector<Index>& basin = basins.of_pixel();
  detail::for_each_strip(strips, [&](const detail::Strip& strip) {
    for (std::int64_t i = strip.begin * mask.width(); i < strip.end * mask.width(); ++i) {
      const auto k = static_cast<std::size_t>(i);
      if (basin[k] != kNone) result.labels.data()[k] = field[basin[k]] + 1;
    }
  });
  result.count = renumber_by_first_pixel(result.labels, static_cast<std::uint32_t>(field.size()));
  return result;
}

}  // namespace furrow::geo
