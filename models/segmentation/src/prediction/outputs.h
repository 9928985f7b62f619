#pragma once

#include <map>
#include <optional>
#include <string>

#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/predictor.h>

#include "plan.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// @throws IoError when an output would replace the image it is made from, or both outputs are one file
void check_outputs(const std::string& image, const std::string& output, const std::string& entropy);

/// Score map and entropy of one scene, written side by side.
class PredictionOutputs {
 public:
  /// @param notes  more metadata of the score map
  PredictionOutputs(const std::string& scores, const geo::RasterReader& reader, const ModelSpec& spec,
                    const PredictionPlan& plan, const std::map<std::string, std::string>& notes,
                    const PredictOptions& options, int threads);
  /// Pixels never written read as nodata.
  void write(const TileJob& job);
  /// Both outputs appear, or none.
  void finish();

 private:
  std::string m_entropy_path;
  geo::RasterWriter m_scores;
  std::optional<geo::RasterWriter> m_entropy;
};

}  // namespace furrow::segmentation
