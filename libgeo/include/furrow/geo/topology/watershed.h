#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/topology/components.h>

namespace furrow::geo {

/// Scores are stored in steps of 1/200: 0..200 stands for 0..1.
inline constexpr int kScoreLevels = 200;

/// Splits a mask of fields along ridges of the boundary score: hierarchical watershed, cut by dynamics.
///
/// The mask's pixels form a graph of 8 neighbours. The altitude of an edge is the **larger** boundary score
/// of its two pixels, so that a line one pixel wide separates with its full score (the mean of two pixels
/// would halve it) and the dynamics are those of Grimaud (1992): how far one must climb from the calmest
/// pixel of a field to get to a calmer one. Fields are the minima whose dynamics reach `cut_level`; each mask
/// pixel goes to exactly one field, boundary pixels included (no lines, no erosion).
///
/// Ties. Pixels are ranked by (boundary score, boundary score smoothed over 7 x 7 px, position in row-major
/// order) and edges by (rank of the higher pixel, rank of the lower one). The smoothing makes a broad ridge
/// of equal scores split along its middle; what lies outside the mask counts as 200 in it, so that a broad
/// edge of the mask goes to the field inside. The ranking is a strict order that looks 3 pixels far, so the
/// minimum spanning forest is unique: the result depends on nothing but the input, and can be put together
/// from blocks.
///
/// Method: every pixel first joins its lowest neighbour, then every basin shallower than the cut joins the
/// neighbour behind its lowest pass, until none is left (steps of Boruvka's algorithm, in parallel). This
/// gives what Kruskal's algorithm would, keeping the lowest score on each side of a pass and joining where
/// the pass rises less than the cut above the shallower one. Cousty and Najman, "Incremental algorithm for
/// hierarchical minimum spanning forests and saliency of watershed cuts" (2011); Najman, Cousty and Perret,
/// "Playing with Kruskal" (2013); docs/decisions/007-delineation-by-strips.md.
///
/// @param boundary   shape [1, rows, cols]; boundary score 0..200
/// @param mask       same shape; not 0 where a field may be
/// @param cut_level  1..200, in score levels (40 = 0.2)
/// @return           same shape; fields numbered 1..count by their first pixel in row-major order, 0 outside
/// the mask
/// @throws InvalidArgument  shapes differ, cut_level outside 1..200, or 2^32 - 2 pixels or more
/// Memory: about 16 bytes per pixel. Same result for any number of threads.
[[nodiscard]] LabelledRaster watershed(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask,
                                       int cut_level, ExecContext& exec);

namespace detail {
struct BasinPass;
struct WholeBasins;
}  // namespace detail

/// The same watershed for many cuts: the work on pixels is done once.
///
/// Memory: about 16 bytes per pixel while it is made, then 4 and 32 for each pass between two basins. Safe to
/// use concurrently.
class WatershedHierarchy {
 public:
  /// @param boundary, mask  as `watershed`
  /// @param lowest_cut      1..200, in score levels; the higher, the less memory and time
  /// @throws InvalidArgument  as `watershed`
  WatershedHierarchy(const Raster<std::uint8_t>& boundary, const Raster<std::uint8_t>& mask, int lowest_cut,
                     ExecContext& exec);
  ~WatershedHierarchy();
  WatershedHierarchy(WatershedHierarchy&&) noexcept;
  WatershedHierarchy& operator=(WatershedHierarchy&&) noexcept;

  /// What `watershed` gives for the cut.
  /// @throws InvalidArgument  cut_level outside lowest_cut..200
  [[nodiscard]] LabelledRaster cut(int cut_level) const;

 private:
  std::int64_t m_width;
  std::int64_t m_height;
  int m_lowest_cut;
  std::unique_ptr<detail::WholeBasins> m_basins;
};

/// The same watershed, strip of rows after strip of rows: the partition is that of `watershed` over the whole
/// raster, for any height of the strips.
///
/// Memory: about 16 bytes per pixel of one strip, and 5 bytes per basin that touches a border between strips
/// or is a field. Not thread-safe; uses threads inside.
class WatershedByStrips {
 public:
  /// Rows that `add` looks at beside its strip: the ranking looks 3 px far, and so does that of neighbours.
  static constexpr std::int64_t kMargin = 4;

  /// @param width, height  of the whole raster, px
  /// @throws InvalidArgument  cut_level outside 1..200
  WatershedByStrips(std::int64_t width, std::int64_t height, int cut_level);
  ~WatershedByStrips();
  WatershedByStrips(const WatershedByStrips&) = delete;
  WatershedByStrips& operator=(const WatershedByStrips&) = delete;

  /// Splits the next `rows` rows.
  /// @param boundary, mask  as `watershed`, with kMargin more rows above and below (fewer where the raster
  ///                        ends)
  /// @return  shape [1, rows, width]: 0 outside the mask, else a node, 1 or more
  /// @throws InvalidArgument  other shapes; 2^32 - 2 pixels in a strip, or nodes, or more
  [[nodiscard]] Raster<std::uint32_t> add(const Raster<std::uint8_t>& boundary,
                                          const Raster<std::uint8_t>& mask, std::int64_t rows,
                                          ExecContext& exec);

  /// By node: one node of its field, the same for all nodes of the field; entry 0 is 0.
  /// @throws InvalidArgument  rows are missing
  [[nodiscard]] std::vector<std::uint32_t> fields();

 private:
  struct Frontier;
  void join(std::vector<detail::BasinPass> passes, const Raster<std::uint32_t>& nodes,
            const std::vector<std::uint32_t>& first_row, std::vector<std::uint32_t> last_row, bool is_last);
  void contract_nodes(std::vector<detail::BasinPass>& passes, std::vector<std::uint32_t> open);

  std::int64_t m_width;
  std::int64_t m_height;
  int m_cut_level;
  std::int64_t m_next_row = 0;
  std::vector<std::uint32_t> m_parent;
  std::vector<std::uint8_t> m_floor;
  std::unique_ptr<Frontier> m_frontier;
};

}  // namespace furrow::geo
