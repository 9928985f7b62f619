#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <furrow/assessment/delineation_tuning.h>
#include <furrow/geo/topology/delineation_sweep.h>

namespace furrow::assessment {

/// Counts by block (row of blocks x blocks in a row + block).
using BlockFields = std::map<std::int64_t, FieldCounts>;

/// The truth of a scene on its pixels.
class SceneTruth {
 public:
  SceneTruth(const TuneScene& scene, double min_iou, std::int64_t block_px);

  [[nodiscard]] bool any() const;

  /// How regions and true fields lie on each other; the same for every way to clean the regions.
  struct Overlaps {
    struct Pair {
      std::uint32_t region = 0;
      std::uint32_t truth = 0;
      std::int64_t pixels = 0;
    };
    struct Sums {
      std::int64_t pixels = 0;
      std::int64_t inside = 0;  ///< of the region of interest
      std::int64_t cols = 0;    ///< sums of positions, for the centroid
      std::int64_t rows = 0;
    };
    std::vector<Pair> pairs;
    std::vector<Sums> regions;  ///< by region
  };
  [[nodiscard]] Overlaps overlaps(const geo::SceneRegions& regions) const;

  /// Matches the fields that regions belong to.
  /// @param field  by region: number of its field, or 0
  [[nodiscard]] BlockFields count(const Overlaps& overlaps, const std::vector<std::uint32_t>& field) const;

 private:
  struct Field {
    std::int64_t pixels = 0;
    bool counts = false;
    std::int64_t block = 0;
  };
  [[nodiscard]] std::int64_t block_of(const Overlaps::Sums& sums) const;

  double m_min_iou;
  std::int64_t m_block_px;
  std::int64_t m_blocks_in_row;
  geo::Raster<std::uint32_t> m_truth;  ///< position + 1, 0 where none; without pixels that have no scores
  geo::Raster<std::uint8_t> m_inside;  ///< 1 in the region where there are scores
  std::vector<Field> m_fields;         ///< by number
};

}  // namespace furrow::assessment
