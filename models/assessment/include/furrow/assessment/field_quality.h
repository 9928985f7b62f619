#pragma once

#include <string>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

struct QualityOptions {
  std::string scores;      ///< score raster: 3 bands background, interior, boundary; scale from its metadata
  std::string entropy;     ///< entropy raster in nats; empty = computed from the three scores
  std::string risk;        ///< risk raster, 0..1; empty = risk_mean stays unset
  double scale = 0.0;      ///< score = stored value * scale; 0 = from the metadata of the score raster
  std::string image_date;  ///< ISO 8601; empty = TIFFTAG_DATETIME of the score raster, else unset
  geo::Crs
      scores_crs{};  ///< of all three rasters whatever they say; empty = as they say; switch --scores-crs
};

/// Adds to every field how far to trust it. Fields may come from anywhere; attributes that are there already
/// keep their value only when they are not among those below.
///
/// | attribute | meaning |
/// |---|---|
/// | id | kept; made from the polygon's own coordinates when missing |
/// | area_ha, perimeter_m | geodesic |
/// | compactness | 4 pi area / perimeter^2, 1 = circle |
/// | shape_index | perimeter / (2 sqrt(pi area)), 1 = circle |
/// | p_field_mean, p_field_min | mean and least field score (1 - background) over the field's pixels, 0..1 |
/// | boundary_strength | mean along the outline (a sample every half pixel) of the highest boundary score in
/// the 3 x 3 pixels around | | entropy_mean | mean entropy of the class scores over the field's pixels, nats
/// | | risk_mean | mean label risk over those of the field's pixels that have one | | weakest_shared_edge |
/// least mean boundary score along the edge with one neighbour; unset without neighbour | | n_pixels | valid
/// pixels whose centre lies in the field | | touches_edge, cut_by_nodata | 1 when a pixel of the field lies
/// at the raster's border, or beside nodata | | image_date | date of the image | | confidence | 0..100: 100 x
/// geometric mean of p_field_mean, boundary_strength and 1 - entropy_mean / ln 3; not a probability | | flag
/// | what to look at: edge, nodata, weak_boundary, low_score, no_data; joined by ";" |
///
/// A field's pixels are those whose centre lies in it; a field too small for that gets the pixel of its
/// centre.
/// @param fields  polygons in any CRS; moved to the raster's CRS for the look-ups only
/// @throws geo::IoError, geo::CrsError; geo::InvalidArgument when the score raster does not have three bands,
/// a score or risk lies outside 0..1, or the image date is no date
/// Reads one window a field, in parallel; the same for any number of threads.
void add_field_quality(geo::Layer& fields, const QualityOptions& options, geo::ExecContext& exec);

}  // namespace furrow::assessment
