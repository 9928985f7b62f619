#include "basins.h"

#include <array>
#include <numeric>
#include <unordered_map>

#include <furrow/geo/topology/watershed.h>

#include "pair_map.h"
#include "strips.h"

namespace furrow::geo::detail {
namespace {

constexpr Height kOutsideMask = 0xFFFFFFFFU;

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

/// Boundary scores of a row, with the highest outside the mask, so that nothing flows to the mask's edge.
void walled_row(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask, std::int64_t row,
                std::vector<std::uint8_t>& out) {
  const std::uint8_t* score = &boundary.at(0, row);
  const std::uint8_t* inside = &mask.at(0, row);
  for (std::size_t col = 0; col < out.size(); ++col)
    out[col] = inside[col] == 0 ? static_cast<std::uint8_t>(kScoreLevels) : score[col];
}

std::vector<Height> heights(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                            const std::vector<Strip>& strips) {
  const std::int64_t width = boundary.width();
  const std::int64_t rows = boundary.height();
  std::vector<Height> out(static_cast<std::size_t>(boundary.pixels()));
  for_each_strip(strips, [&](const Strip& strip) {
    const std::int64_t first = strip.begin - kReach;
    std::vector<std::uint16_t> smooth(
        static_cast<std::size_t>((strip.end - strip.begin + 2 * kReach) * width));
    const auto smooth_at = [&](std::int64_t row) { return smooth.data() + (row - first) * width; };
    std::vector<std::uint8_t> scores(static_cast<std::size_t>(width));
    for (std::int64_t row = first; row < strip.end + kReach; ++row) {
      walled_row(boundary, mask, std::clamp<std::int64_t>(row, 0, rows - 1), scores);
      smooth_row(scores.data(), width, smooth_at(row));
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
         const std::vector<Strip>& strips)
      : m_width(mask.width()),
        m_rows(mask.height()),
        m_begin(static_cast<std::size_t>(strips.front().begin * m_width)),
        m_end(static_cast<std::size_t>(strips.back().end * m_width)),
        m_height(height),
        m_strips(strips) {
    m_lowest.resize(static_cast<std::size_t>(mask.pixels()), kNone);
    for_each_strip(strips, [&](const Strip& strip) { point_down(strip); });
    for_each_strip(strips, [&](const Strip& strip) { shorten(strip); });
    number();
  }

  /// Basin of each pixel, kNone outside the mask.
  [[nodiscard]] std::vector<Index>& of_pixel() { return m_basin; }
  /// Boundary score of each basin's lowest pixel.
  [[nodiscard]] const std::vector<std::uint8_t>& lowest_level() const { return m_lowest_level; }
  /// Where the numbers of the basins of each strip begin.
  [[nodiscard]] const std::vector<Index>& first_of_strip() const { return m_first; }

  /// Makes groups of basins to basins. group: by basin, the smallest member of its group, or a member that
  /// leads there. Returns the new number of each basin.
  std::vector<Index> regroup(const std::vector<Index>& group) {
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
    for_each_strip(m_strips, [&](const Strip& strip) {
      for (std::int64_t i = strip.begin * m_width; i < strip.end * m_width; ++i) {
        Index& basin = m_basin[static_cast<std::size_t>(i)];
        if (basin != kNone) basin = number[basin];
      }
    });
    return number;
  }

 private:
  void point_down(const Strip& strip) {
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
        // Where the way leads out of the rows at hand, the pixel stays alone until they are joined.
        const bool inside = best >= m_begin && best < m_end;
        m_lowest[i] = static_cast<Index>(inside ? best : i);
      }
    }
  }

  /// Makes each pointer lead to the end of its way, or to the first pixel on it outside the strip.
  void shorten(const Strip& strip) {
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
    for_each_strip(m_strips, [&](const Strip& strip) {
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
    for_each_strip(m_strips, [&](const Strip& strip) {
      Index next = first[static_cast<std::size_t>(strip.index)];
      for (auto i = static_cast<Index>(strip.begin * m_width); i < static_cast<Index>(strip.end * m_width);
           ++i) {
        if (m_lowest[i] != i) continue;
        m_lowest_level[next] = static_cast<std::uint8_t>(level_of(m_height[i]));
        m_basin[i] = next++;
      }
    });
    for_each_strip(m_strips, [&](const Strip& strip) {
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
  std::size_t m_begin;
  std::size_t m_end;
  const std::vector<Height>& m_height;
  const std::vector<Strip>& m_strips;
  std::vector<Index> m_lowest;
  std::vector<Index> m_basin;
  std::vector<std::uint8_t> m_lowest_level;
  std::vector<Index> m_first;
};

/// Calls look(i, k) for each two neighbours i < k of different basins, i within the strip.
template <class Look>
void for_each_border(const std::vector<Index>& basin, std::int64_t width, std::int64_t rows,
                     const Strip& strip, const Look& look) {
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

struct Exit {
  Pass pass;
  Index to = kNone;  ///< the basin on the other side
};

/// The lowest pass out of each basin. Basins are numbered by their first pixel's strip: `first` holds where
/// the numbers of each strip begin; what a strip finds of another's basins is merged afterwards.
std::vector<Exit> lowest_exits(const std::vector<Index>& basin, std::size_t count,
                               const std::vector<Index>& first, const std::vector<Height>& height,
                               std::int64_t width, std::int64_t rows, const std::vector<Strip>& strips) {
  std::vector<Exit> exits(count);
  std::vector<std::unordered_map<Index, Exit>> strangers(strips.size());
  for_each_strip(strips, [&](const Strip& strip) {
    const auto s = static_cast<std::size_t>(strip.index);
    const auto offer = [&](Index from, Index to, const Pass& pass) {
      const bool own = from >= first[s] && from < first[s + 1];
      Exit& exit = own ? exits[from] : strangers[s][from];
      if (pass.rank() < exit.pass.rank()) exit = {pass, to};
    };
    for_each_border(basin, width, rows, strip, [&](std::size_t i, std::size_t k) {
      const Pass pass = pass_over(height[i], i, height[k], k);
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

/// 1 for the basins that have a pixel along a border to rows that are not here.
std::vector<std::uint8_t> open_basins(Basins& basins, const BlockRows& rows, std::int64_t width) {
  std::vector<std::uint8_t> open(basins.lowest_level().size(), 0);
  const auto mark = [&](std::int64_t row) {
    for (std::int64_t i = row * width; i < (row + 1) * width; ++i) {
      const Index basin = basins.of_pixel()[static_cast<std::size_t>(i)];
      if (basin != kNone) open[basin] = 1;
    }
  };
  if (!rows.is_first) mark(rows.begin);
  if (!rows.is_last) mark(rows.end - 1);
  return open;
}

/// One round of `contract` with the passes taken from the pixels: most basins are noise of a few pixels, and
/// a list of all their passes would be long.
void join_shallow(Basins& basins, const std::vector<Height>& height, int cut_level, const BlockRows& rows,
                  const Raster<std::uint8_t>& mask, const std::vector<Strip>& strips) {
  const std::vector<std::uint8_t>& floor = basins.lowest_level();
  const std::vector<std::uint8_t> open = open_basins(basins, rows, mask.width());
  const auto exits = lowest_exits(basins.of_pixel(), floor.size(), basins.first_of_strip(), height,
                                  mask.width(), mask.height(), strips);
  std::vector<Index> group(floor.size());
  std::iota(group.begin(), group.end(), Index{0});
  for (Index i = 0; i < exits.size(); ++i) {
    if (exits[i].to == kNone || open[i] != 0) continue;
    if (static_cast<int>(level_of(exits[i].pass.high_height)) - floor[i] >= cut_level) continue;
    const Index a = find(group, i);
    const Index b = find(group, exits[i].to);
    group[std::max(a, b)] = std::min(a, b);
  }
  basins.regroup(group);
}

/// The lowest pass between each two neighbouring basins of each strip.
std::vector<BasinPass> find_passes(const std::vector<Index>& basin, const std::vector<Height>& height,
                                   std::int64_t width, std::int64_t rows, const std::vector<Strip>& strips) {
  std::vector<std::vector<BasinPass>> found(strips.size());
  for_each_strip(strips, [&](const Strip& strip) {
    PairMap<Pass> passes;
    for_each_border(basin, width, rows, strip, [&](std::size_t i, std::size_t k) {
      const Pass pass = pass_over(height[i], i, height[k], k);
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
  return all;
}

/// Makes the ends of passes groups and forgets those inside a group.
void follow_groups(std::vector<BasinPass>& passes, std::vector<Index>& group) {
  for (auto& p : passes) {
    p.a = find(group, p.a);
    p.b = find(group, p.b);
  }
  std::erase_if(passes, [](const BasinPass& p) { return p.a == p.b; });
}

/// One round; false when nothing was left to join.
bool join_round(BasinGraph& graph, std::vector<Index>& group, int cut_level) {
  std::vector<std::size_t> exit(group.size(), graph.passes.size());
  const auto offer = [&](Index from, std::size_t pass) {
    std::size_t& best = exit[from];
    if (best == graph.passes.size() || graph.passes[pass].pass.rank() < graph.passes[best].pass.rank()) {
      best = pass;
    }
  };
  for (std::size_t i = 0; i < graph.passes.size(); ++i) {
    offer(graph.passes[i].a, i);
    offer(graph.passes[i].b, i);
  }
  bool joined = false;
  // In ascending order: the root of a set is its smallest member, so nobody has changed floor[i] or open[i]
  // before it is i's turn.
  for (Index i = 0; i < exit.size(); ++i) {
    if (exit[i] == graph.passes.size() || graph.open[i] != 0) continue;
    const BasinPass& out = graph.passes[exit[i]];
    if (static_cast<int>(level_of(out.pass.high_height)) - graph.floor[i] >= cut_level) continue;
    const auto [low, high] = std::minmax({find(group, out.a), find(group, out.b)});
    if (low == high) continue;
    group[high] = low;
    graph.floor[low] = std::min(graph.floor[low], graph.floor[high]);
    graph.open[low] |= graph.open[high];
    joined = true;
  }
  return joined;
}

/// Keeps the lowest pass between each two open groups, and the lowest from each open group to one that is
/// not.
void keep_needed_passes(BasinGraph& graph) {
  std::vector<BasinPass> kept;
  PairMap<std::size_t>
      place;  // of a pair's pass in `kept`; of a basin's lowest way out: the pair (basin, kNone)
  for (const auto& p : graph.passes) {
    if (graph.open[p.a] == 0 && graph.open[p.b] == 0) continue;
    const bool both = graph.open[p.a] != 0 && graph.open[p.b] != 0;
    bool is_new = false;
    std::size_t& at =
        both ? place.at(p.a, p.b, is_new) : place.at(graph.open[p.a] != 0 ? p.a : p.b, kNone, is_new);
    if (is_new) {
      at = kept.size();
      kept.push_back(p);
    } else if (p.pass.rank() < kept[at].pass.rank()) {
      kept[at] = p;
    }
  }
  graph.passes = std::move(kept);
}

}  // namespace

std::vector<Index> join_below(BasinGraph& graph, int cut_level) {
  std::vector<Index> group(graph.floor.size());
  std::iota(group.begin(), group.end(), Index{0});
  do {
    follow_groups(graph.passes, group);
  } while (join_round(graph, group, cut_level));
  for (Index i = 0; i < group.size(); ++i) group[i] = find(group, i);
  return group;
}

std::vector<Index> contract(BasinGraph& graph, int cut_level) {
  std::vector<Index> group = join_below(graph, cut_level);
  keep_needed_passes(graph);
  return group;
}

namespace {

/// Basins with most of the shallow ones joined, and all passes between them. Stays where it is: `basins`
/// looks at its neighbours.
struct FoundBasins {
  std::vector<Strip> strips;
  std::vector<Height> height;
  Basins basins;
  BasinGraph graph;

  FoundBasins(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask, const BlockRows& rows,
              int cut_level, ExecContext& exec)
      : strips(make_strips(rows.begin, rows.end)),
        height(heights(boundary, mask,
                       make_strips(rows.begin - (rows.is_first ? 0 : 1), rows.end + (rows.is_last ? 0 : 1)))),
        basins(mask, height, strips) {
    exec.check_cancelled();
    // Each round leaves less than half of the shallow basins.
    for (int round = 0; round < 2; ++round) {
      join_shallow(basins, height, cut_level, rows, mask, strips);
      exec.check_cancelled();
    }
    graph = {basins.lowest_level(), open_basins(basins, rows, mask.width()),
             find_passes(basins.of_pixel(), height, mask.width(), mask.height(), strips)};
    exec.check_cancelled();
  }
  FoundBasins(const FoundBasins&) = delete;
  FoundBasins& operator=(const FoundBasins&) = delete;
};

}  // namespace

WholeBasins whole_basins(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                         int cut_level, ExecContext& exec) {
  FoundBasins found(boundary, mask, {0, mask.height(), 0, true, true}, cut_level, exec);
  const std::vector<Index> number = found.basins.regroup(join_below(found.graph, cut_level));
  for (auto& p : found.graph.passes) {
    p.a = number[p.a];
    p.b = number[p.b];
  }
  found.graph.floor = found.basins.lowest_level();
  found.graph.open.assign(found.graph.floor.size(), 0);
  return {std::move(found.basins.of_pixel()), std::move(found.graph)};
}

BlockBasins block_basins(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                         const BlockRows& rows, int cut_level, ExecContext& exec) {
  const std::int64_t width = mask.width();
  FoundBasins found(boundary, mask, rows, cut_level, exec);
  Basins& basins = found.basins;
  BasinGraph& graph = found.graph;
  const std::vector<Index> number = basins.regroup(contract(graph, cut_level));
  const auto offset = static_cast<std::uint64_t>(rows.first * width);
  for (auto& p : graph.passes) {
    p = {{p.pass.high_height, p.pass.low_height, p.pass.high + offset, p.pass.low + offset},
         number[p.a],
         number[p.b]};
  }
  graph.floor = basins.lowest_level();
  graph.open = open_basins(basins, rows, width);
  const auto line = [&](std::int64_t row) {
    return std::vector<Height>(found.height.begin() + row * width, found.height.begin() + (row + 1) * width);
  };
  return {std::move(basins.of_pixel()), std::move(graph), line(rows.begin), line(rows.end - 1)};
}

}  // namespace furrow::geo::detail
