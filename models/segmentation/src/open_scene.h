#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/raster/normalise.h>
#include <furrow/segmentation/training_data.h>

#include "aligned_raster.h"
#include "augment.h"
#include "polygon_layer.h"
#include "scene_labels.h"

namespace furrow::segmentation {

inline constexpr int kSoftClasses = 3;

/// A scene whose files were looked at. Holds no open file.
struct OpenScene {
  SceneImage image;
  SceneLabels labels;
  std::optional<AlignedRaster> risk;
  std::optional<AlignedRaster> posterior;
  std::vector<geo::BandStatistics> statistics;
  /// The label raster declares a class as nodata, which is used as that class.
  std::optional<double> class_as_nodata;
};

/// Looks at scenes. Polygon files are read once for all of them. Thread-safe.
class SceneOpener {
 public:
  /// Both must outlive the opener; the pool also the scenes.
  SceneOpener(const TrainingDataOptions& options, RasterPool& pool);

  /// @throws geo::IoError, geo::CrsError, geo::GeometryError, geo::InvalidArgument  as TrainingData
  [[nodiscard]] OpenScene open(const TrainingScene& source);
  /// The polygons whose blocks validate; nullptr = none were given.
  [[nodiscard]] PolygonLayer* val_area() { return m_val_area ? &*m_val_area : nullptr; }

 private:
  [[nodiscard]] SceneLabels labels_of_polygons(const TrainingScene& source, const SceneImage& image);
  void open_risk(const TrainingScene& source, OpenScene& scene) const;
  [[nodiscard]] PolygonLayer& label_layer(const std::string& path);

  const TrainingDataOptions& m_options;
  RasterPool& m_pool;
  std::optional<PolygonLayer> m_label_area;
  std::optional<PolygonLayer> m_val_area;
  std::mutex m_mutex;
  std::map<std::string, PolygonLayer> m_label_layers;
};

/// Reads a window of a scene as the network sees it; labels count inside `own` only. What lies outside the
/// image is padded with zeros and ignored. Thread-safe.
/// @throws geo::IoError  a file cannot be read; values that are no labels; risk or posterior out of range
[[nodiscard]] Patch load_patch(const OpenScene& scene, const geo::Window& window, const geo::Window& own,
                               const TrainingDataOptions& options);

/// Checksum of what the network sees of a patch.
[[nodiscard]] std::string checksum(const Patch& patch);

}  // namespace furrow::segmentation
