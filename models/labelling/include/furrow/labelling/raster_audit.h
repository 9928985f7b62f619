#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/campaign.h>
#include <furrow/labelling/label_audit.h>

/// Audit of label rasters against score maps: the only check there is where one labeller mapped a site.
namespace furrow::labelling {

/// A label raster, the score map of the same pixels, and the sites in it.
struct AuditRasters {
  std::string name;    ///< of the site, when `sites` is empty
  std::string labels;  ///< classes 0, 1, ...; 255, the file's nodata and, of three classes, 3 = no label
  std::string scores;  ///< one band per class: probabilities, after the file's scale and offset
  std::vector<Site>
      sites;  ///< only pixels whose centre lies in a cell count (overlaps: the later); empty = all
};

struct RasterAuditOptions {
  double temperature = 0.1;  ///< as LabelAuditOptions::temperature
  geo::Crs sites_crs;        ///< of the cells
  geo::Crs labels_crs;       ///< of the label rasters, whatever they say; empty = believe them
  geo::Crs scores_crs;       ///< of the score maps, likewise
};

/// One site.
struct AuditedSite {
  std::string name;
  std::string labels;         ///< label raster, as given
  std::string mask;           ///< file name in the output folder
  geo::MultiPolygon cell;     ///< in RasterAudit::crs
  std::int64_t n_pixels = 0;  ///< with a label and scores
  std::int64_t n_issues = 0;  ///< doubtful ones
  /// As LabelAudit::image_score: 1 = the model is sure of every label, 0 = it contradicts some. NaN without
  /// pixels.
  double score = std::numeric_limits<double>::quiet_NaN();
  std::int32_t labelled = -1;   ///< most frequent kind of issue: labelled so, ...
  std::int32_t predicted = -1;  ///< ... but the model says this; -1 = no issue
};

struct RasterAudit {
  int classes = 0;
  std::vector<double> class_threshold;    ///< as LabelAudit
  std::vector<AuditedSite> sites;         ///< worst first: by score, then name; sites without pixels last
  geo::Crs crs;                           ///< of the cells: RasterAuditOptions::sites_crs, else EPSG:4326
  std::vector<CampaignProblem> problems;  ///< rasters that could not be used; the others went on
};

/// audit_labels over rasters of any size, with thresholds and the number of issues shared by all of them.
///
/// Writes a mask per label raster into `folder`: <stem>_issues.tif, a COG on the same grid, 1 = doubtful, 0 =
/// not, 255 = no label, no score or no site. Labels and scores must lie on the same grid and in the same CRS.
///
/// Method: the numbers of audit_labels (equal up to rounding in the scores), in five passes over strips of
/// about a million pixels; the cut between doubtful and other pixels is found exactly by counting the bit
/// patterns of the probabilities, upper half first. Memory: about 20 MB per thread. Rasters and strips run in
/// parallel; the result does not depend on threads. Of equally probable labels the first are taken, by order
/// of the rasters, then by row.
/// @throws InvalidArgument  temperature not above 0
/// @throws IoError          no raster can be used (the first problem is told); two masks would have the same
///                          name; writing fails
[[nodiscard]] RasterAudit audit_rasters(std::span<const AuditRasters> rasters,
                                        const RasterAuditOptions& options,
                                        const std::filesystem::path& folder, geo::ExecContext& exec);

/// rank, site, score, n_pixels, n_issues, issue_share, main_issue ("background should be interior"), labels,
/// mask. Missing values are NA.
[[nodiscard]] geo::CsvTable audit_table(const RasterAudit& audit);

/// The same with the cells (without sites: the rasters' bounds) as polygons, named `label_audit`.
[[nodiscard]] geo::Layer audit_layer(const RasterAudit& audit);

}  // namespace furrow::labelling
