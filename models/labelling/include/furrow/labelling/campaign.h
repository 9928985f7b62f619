#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/layer.h>

/// Labelling campaigns: who mapped which site, and what they drew.
namespace furrow::labelling {

/// One polygon of one assignment.
struct LabelledPolygon {
  geo::MultiPolygon shape;  ///< in the campaign's CRS
  std::string category;     ///< as drawn, for example "annualcropland"; may be empty
  bool unsure = false;      ///< the category begins with "unsure"
};

/// One labeller's map of one site. No polygons = "no field here", which is an answer.
struct Assignment {
  std::string id;        ///< assignment_id
  std::string site;      ///< name of the site
  std::string labeller;  ///< Labeller
  std::string
      site_class;  ///< Class: 1a expert reference, 1b other expert, 1c on a 1a site, 1d on a 1b site, 2, 4
  std::string status;           ///< Approved, Untrusted, Rejected, ... or empty
  std::string completion_time;  ///< ISO 8601, or empty
  std::string image_date;       ///< as in the catalogue, or empty
  std::vector<LabelledPolygon> polygons;

  /// Class 1a or 1b: drawn by an expert.
  [[nodiscard]] bool is_expert() const { return site_class == "1a" || site_class == "1b"; }
  /// Class 1a: the reference that others are scored against.
  [[nodiscard]] bool is_reference() const { return site_class == "1a"; }
  /// The labeller handed the map in: the status is not Abandoned, Returned, Assigned or Pending. An
  /// unfinished assignment without polygons says nothing about its site.
  [[nodiscard]] bool is_finished() const;
};

/// A cell that labellers map.
struct Site {
  std::string name;
  geo::MultiPolygon cell;  ///< in the campaign's CRS
};

struct Campaign {
  geo::Crs crs;                         ///< of all shapes
  std::vector<Site> sites;              ///< ordered by name
  std::vector<Assignment> assignments;  ///< ordered by site, then id

  [[nodiscard]] const Site* find_site(const std::string& name) const;
  /// Positions in `assignments` of one site.
  [[nodiscard]] std::vector<std::size_t> assignments_of(const std::string& site) const;
};

/// What was wrong with one input row or polygon; the others went on.
struct CampaignProblem {
  std::string input;    ///< "catalogue.csv:17", "labels.gpkg fid 12"
  std::string message;  ///< what and what to do
};

struct CampaignOptions {
  std::string catalogue;     ///< CSV with the published column names (ecosystem.md 8.1)
  std::string labels;        ///< polygon layer, joined by assignment_id ("assignment" in a Shapefile)
  std::string labels_layer;  ///< empty = the only one
  geo::Crs labels_crs;       ///< overrides the file's; switch --labels-crs
  std::string sites;  ///< polygon layer with a field `name` (of several layers "sites"); empty = square cells
                      ///< around x, y
  geo::Crs sites_crs;           ///< overrides the file's; switch --sites-crs
  double cell_degrees = 0.005;  ///< side of those cells
  geo::InvalidGeometry invalid = geo::InvalidGeometry::kError;
};

/// Reads catalogue and polygons and joins them.
///
/// Ids are texts; "100001.0", as tables with missing values write whole numbers, is the same id as "100001".
/// Sites without a layer are squares of `cell_degrees` around x, y, moved into the campaign's CRS by their
/// corners. Needed columns: name, Class, assignment_id, Labeller; x and y (lon, lat in degrees) when `sites`
/// is empty. Read when there: status, completion_time, image_date, nflds. Extra columns are ignored; names
/// compare without case. The campaign's CRS is that of the labels layer (of the sites layer when there are no
/// labels).
/// @throws IoError    file or column missing; duplicate assignment_id or site name (both places named); no
///                    usable row
/// @throws CrsError, GeometryError  as geo::read_layer; CrsError also when no polygon touches its site's cell
/// Problems that concern single rows or polygons are appended to `problems`, and the row or polygon is left
/// out: polygon of an unknown assignment; row without name, assignment_id or Labeller; x or y that is no
/// position or differs from the site's first row; site that the site layer lacks; nflds > 0 but no polygon
/// (they are missing: an empty map would be a wrong answer; a layer without features is taken for what it
/// says only where nflds is 0 in every row); every polygon of an assignment left out as invalid. Memory: all
/// polygons. Threads: safe to call concurrently.
[[nodiscard]] Campaign read_campaign(const CampaignOptions& options, std::vector<CampaignProblem>& problems);

}  // namespace furrow::labelling
