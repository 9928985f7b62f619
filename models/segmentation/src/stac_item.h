#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include <furrow/geo/vector/geometry.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// Where and when the training images were taken.
struct TrainingPlace {
  geo::Box lonlat;        ///< degrees, around all images
  std::string first_day;  ///< "2021-07-15" from the images' TIFFTAG_DATETIME; empty = no image says
  std::string last_day;
};

/// Looks at the images of a training again.
/// @throws geo::IoError, geo::CrsError  an image is gone, or has no place on the globe
[[nodiscard]] TrainingPlace find_place(const TrainingData& data);

/// A STAC item (1.1.0) of a model folder by the Machine Learning Model extension (MLM 1.5.2), so that
/// catalogues of models can list it. Links to the files of the folder by relative paths. Geometry: the box
/// around the training images. Time: first to last day of the images; the day of the training where no image
/// has one. value_scaling: the stored statistics; a formula in words where each scene has its own.
/// @param place       without box: the item has no geometry
/// @param parameters  trained numbers
[[nodiscard]] nlohmann::json stac_item(const ModelSpec& spec, const TrainingPlace& place,
                                       std::int64_t parameters);

}  // namespace furrow::segmentation
