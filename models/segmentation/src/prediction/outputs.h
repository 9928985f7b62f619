#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

#include "plan.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// @throws IoError when an output would replace the image it is made from, or two outputs are one file
void check_outputs(const std::string& image, const std::string& output,
                   std::span<const QualityOutput> quality);

/// Score map and quality layers of one scene, written side by side.
class PredictionOutputs {
 public:
  /// @param notes  more metadata of the score map
  PredictionOutputs(const std::string& scores, const geo::RasterReader& reader, const ModelSpec& spec,
                    const PredictionPlan& plan, const std::map<std::string, std::string>& notes,
                    const PredictOptions& options, int threads);
  /// Pixels never written read as nodata.
  void write(const TileJob& job);
  /// All outputs appear, or none.
  void finish();

 private:
  std::vector<QualityOutput> m_quality;
  geo::RasterWriter m_scores;
  std::vector<std::unique_ptr<geo::RasterWriter>> m_layers;  ///< of m_quality
};

}  // namespace furrow::segmentation
