#pragma once

#include <string>
#include <vector>

#include <furrow/dataset/dataset.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::workflow {

/// What `train` takes of a data set.
struct DatasetScenes {
  std::vector<segmentation::TrainingScene>
      scenes;                           ///< of splits train and val, in the order of the catalogue
  std::vector<std::string> band_names;  ///< of an image (of all windows); empty = as the files say
  std::int64_t with_risk = 0;           ///< scenes that have a risk raster
};

/// Countries to validate on, whatever splits train and val say; all others train. Other splits stay.
/// @throws geo::InvalidArgument  a country without samples (with those that are there)
void validate_on_countries(dataset::Dataset& dataset, const std::vector<std::string>& countries);

/// The scenes of a data set whose splits are complete; samples of other splits than train and val are never
/// seen. Windows of time become a stack in the order of the data set.
/// @throws geo::IoError  no sample is left, or none trains
[[nodiscard]] DatasetScenes scenes_of(const dataset::Dataset& dataset);

}  // namespace furrow::workflow
