#pragma once

#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>

namespace furrow::assessment {

/// Layers and tables whose columns are known here.
enum class AnalystLayer {
  kFields,           ///< fields, as `delineate` and `quality` write them
  kRejects,          ///< what became no field
  kSites,            ///< sites with label risk
  kReviewQueue,      ///< sites worth another map
  kConsensusFields,  ///< what labellers drew
  kLabellers,        ///< table of labellers
  kTiles,            ///< footprints of images, chips or tiles
  kRunInfo           ///< table of key and value
};

/// A layer as analysts get it: with titles, descriptions and meanings of codes of the columns that are known,
/// and QGIS styles for those attributes that are there (fields by confidence or else by size, and as
/// outlines; sites by risk; review queue by rank; consensus fields by the probability that they exist; tiles
/// as outlines; tables with their titles only). The layer gets its usual name (`fields`, `sites`, ...) when
/// it has none, and the usual description.
[[nodiscard]] geo::PackagedLayer for_analysts(geo::Layer layer, AnalystLayer kind);

}  // namespace furrow::assessment
