#pragma once

#include <cstdint>
#include <vector>

#include <furrow/geo/vector/geometry.h>

#include "surface.h"

/// Where everything lies. Internal to the simulation library. Metres, x to the east and y to the north of the
/// scene's lower left corner.
namespace furrow::simulation::detail {

struct LandscapeOptions {
  double width_m = 0.0;
  double height_m = 0.0;
  double mean_field_ha = 3.0;
  double smallest_field_m2 = 200.0;
  double day_of_year = 166.0;
  std::vector<geo::MultiPolygon> given_fields;  ///< valid; these fields instead of invented ones
  std::uint64_t seed = 1;
};

/// A patch of ground; later ones lie over earlier ones.
struct Patch {
  geo::MultiPolygon shape;
  Surface surface;
};

struct TrueField {
  geo::Polygon shape;  ///< valid, inside the scene, disjoint from the others
  std::size_t crop = 0;
  Surface surface;
};

struct Landscape {
  std::vector<Patch> below;  ///< ground, roads, margins, woodland, settlements
  std::vector<TrueField> fields;
  std::vector<Patch> above;  ///< water and trees
};

/// With given fields the invented land shows between them; water and groves, which would cover them, are left
/// out. Where given fields overlap the earlier one keeps the ground.
[[nodiscard]] Landscape make_landscape(const LandscapeOptions& options);

}  // namespace furrow::simulation::detail
