#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/geometry.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/labelling/instance_consensus.h>

namespace furrow::labelling {

/// Metres around the middle of a cell, by stretching x and y alone: straight edges stay straight, and shapes
/// that touch still touch when they are moved back.
class SiteFrame {
 public:
  SiteFrame(const geo::Crs& crs, const geo::MultiPolygon& cell);

  [[nodiscard]] geo::MultiPolygon apply(geo::MultiPolygon shape) const;
  [[nodiscard]] geo::MultiPolygon invert(geo::MultiPolygon shape) const;

 private:
  geo::Point m_origin;
  geo::Point m_scale;  ///< metres per unit
};

/// Cuts shapes to a cell; those inside stay as they are. Not thread-safe.
class CellCutter {
 public:
  explicit CellCutter(const geo::MultiPolygon& cell);
  [[nodiscard]] geo::MultiPolygon cut(const geo::MultiPolygon& shape) const;

 private:
  const geo::MultiPolygon& m_cell;
  geo::geos::Geometry m_shape;
  geo::geos::Prepared m_prepared;
};

/// A polygon of one of a site's maps, in the site's frame.
struct SitePolygon {
  geo::MultiPolygon whole;
  geo::MultiPolygon inside;  ///< the part in the cell
  std::uint32_t map = 0;     ///< position among the site's maps
  bool unsure = false;
  const geo::MultiPolygon* original = nullptr;  ///< as it was drawn
};

/// The maps of a site that are compared with each other.
struct SiteMapSet {
  std::vector<SitePolygon> polygons;
  std::vector<double> weights;    ///< one per map
  std::vector<bool> draws_whole;  ///< per map: it has polygons that leave the cell
};

/// A field that the maps of a site have in common.
struct FieldOutline {
  geo::MultiPolygon whole;
  geo::MultiPolygon inside;
  std::vector<std::size_t> members;  ///< positions in SiteMapSet::polygons, ordered by form
  std::vector<std::size_t> alone;    ///< of them, those that did not join it with another field
  std::size_t typical = 0;
};

/// Groups the polygons of a set of maps into fields that share no area (find_fields: division and outline),
/// from north-west to south-east.
/// @param cell  in the frame of the polygons
[[nodiscard]] std::vector<FieldOutline> outline_fields(const SiteMapSet& maps, const geo::MultiPolygon& cell,
                                                       const InstanceOptions& options);

/// How far the outlines of those who drew it alone lie from the field's; NaN with fewer than two, or where no
/// outline is off the cell's border.
struct OutlineSpread {
  double iou_mean = std::numeric_limits<double>::quiet_NaN();
  double mean_m = std::numeric_limits<double>::quiet_NaN();
  double p95_m = std::numeric_limits<double>::quiet_NaN();
};
[[nodiscard]] OutlineSpread measure_spread(const FieldOutline& field, const SiteMapSet& maps,
                                           const geo::MultiPolygon& cell);

/// What the maker of a map says about a field.
struct FieldVote {
  enum Answer : std::uint8_t { kNo, kYes, kUnsure };
  Answer answer = kNo;
  bool is_split = false;   ///< drew it as several
  bool is_merged = false;  ///< drew it joined with another one
};

/// @return  shape [fields, maps], row-major
[[nodiscard]] std::vector<FieldVote> vote_on_fields(std::span<const FieldOutline> fields,
                                                    const SiteMapSet& maps);

}  // namespace furrow::labelling
