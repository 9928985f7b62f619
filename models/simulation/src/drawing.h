#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/labelling/campaign.h>
#include <furrow/simulation/labeller_skill.h>

/// One labeller's map of one site. Internal to the simulation library.
namespace furrow::simulation::detail {

/// Moves between the campaign's CRS and metres around a point of it: an affine map per axis, good over a
/// cell.
struct LocalFrame {
  geo::Point origin;
  double metres_per_x = 1.0;
  double metres_per_y = 1.0;
  double steps_per_unit =
      100.0;  ///< coordinates of distorted outlines are rounded to 1 / this, in units of the CRS

  /// @throws CrsError  the CRS is empty
  static LocalFrame around(geo::Point centre, const geo::Crs& crs);
  [[nodiscard]] geo::Polygon to_local(geo::Polygon polygon) const;
  [[nodiscard]] geo::Polygon to_crs(geo::Polygon polygon) const;
};

/// A reference field as it shows in the cell.
struct FieldPart {
  geo::MultiPolygon shapes;   ///< in the campaign's CRS, exactly as clipped
  geo::MultiPolygon visible;  ///< the same in metres
  geo::Polygon local;    ///< what is drawn, in metres: goes on some way beyond the cell, as the field does
  double area_m2 = 0.0;  ///< of what is visible
};

/// What there is to draw at a site.
struct SiteView {
  LocalFrame frame;
  geo::MultiPolygon cell;        ///< in the campaign's CRS
  geo::MultiPolygon local_cell;  ///< in metres
  bool is_box = false;           ///< the cell is an axis-parallel rectangle
  double min_part_m2 = 0.0;      ///< smaller pieces are not drawn
  std::vector<FieldPart> fields;
  std::vector<std::pair<std::size_t, std::size_t>>
      neighbours;  ///< fields that face each other across at most a narrow gap
};

/// Cuts the shapes to the cell and finds neighbours. `shapes` in the campaign's CRS, in a fixed order.
[[nodiscard]] SiteView view_site(const labelling::Site& site,
                                 const std::vector<const geo::MultiPolygon*>& shapes, const geo::Crs& crs,
                                 double min_part_m2);

/// The random numbers of one kind of error of one labeller at one site.
[[nodiscard]] geo::Random error_stream(std::uint64_t seed, const std::string& site,
                                       const std::string& labeller, const std::string& kind);

/// The polygons that a labeller of this skill draws at the site, in the campaign's CRS.
[[nodiscard]] std::vector<labelling::LabelledPolygon> draw_site(const SiteView& view, const std::string& site,
                                                                const LabellerSkill& skill,
                                                                std::uint64_t seed);

/// The fields of the site as an expert maps them.
[[nodiscard]] std::vector<labelling::LabelledPolygon> expert_map(const SiteView& view);

}  // namespace furrow::simulation::detail
