#pragma once

#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/vector/geometry.h>

namespace furrow::workflow {

/// @param values  of --bbox: none, or xmin, ymin, xmax, ymax
/// @throws geo::UsageError
inline void check_bbox(const std::vector<double>& values) {
  if (!values.empty() && (values[0] >= values[2] || values[1] >= values[3]))
    throw geo::UsageError("--bbox must be xmin,ymin,xmax,ymax with xmin < xmax and ymin < ymax");
}

[[nodiscard]] inline geo::Box bbox_of(const std::vector<double>& values) {
  return {values[0], values[1], values[2], values[3]};
}

}  // namespace furrow::workflow
