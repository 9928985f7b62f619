#pragma once

#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/labelling/consensus.h>

namespace furrow::labelling {

/// Name of the model among the labellers.
inline constexpr const char* kModelLabeller = "(model)";

struct ModelLabellerOptions {
  int classes = 3;  ///< 3: background, interior, boundary; 2: field or not
  /// Where the most probable class has less than this, the model is unsure.
  double least_probability = 0.5;
  std::optional<double> scale;  ///< probability = stored value x scale; empty = scale and offset of the file
  geo::RasterReadOptions read;
};

/// A model of the image as one more labeller: what it finds most probable at a pixel is a vote like any
/// other, and a pixel that it is not sure of is an "unsure" vote. Methods that learn skills learn the model's
/// too, so its votes count for as much as it agrees with experts and labellers.
///
/// The idea is CROWDLAB's (see crowdlab.h); there the model's probabilities enter the mean of the votes.
/// The model must not have been trained on the maps of these sites (predict out of sample), or it only
/// repeats them. Thread-safe.
class ModelLabeller {
 public:
  /// @param score_maps  rasters of probabilities with bands background, interior, boundary (for two classes
  ///                    also one band, P(field)), in any CRS. Where several cover a pixel the first with data
  ///                    counts
  /// @throws IoError, CrsError    a file cannot be opened or has another number of bands
  /// @throws InvalidArgument      least_probability outside 0..1, classes not 2 or 3
  ModelLabeller(const std::vector<std::string>& score_maps, const ModelLabellerOptions& options);

  /// The model's votes on a grid, row-major: each pixel takes the score pixel that its centre lies in, no
  /// vote where there is none or it has no data (or zero for every class).
  /// @throws IoError  reading failed, or a probability lies outside 0..1
  [[nodiscard]] std::vector<Vote> votes(const geo::Grid& grid) const;

 private:
  void add_votes(const geo::RasterReader& map, const geo::Grid& grid, std::vector<Vote>& votes) const;
  [[nodiscard]] Vote vote_of(const geo::RasterReader& map, const geo::Raster<float>& scores, std::int64_t col,
                             std::int64_t row) const;

  ModelLabellerOptions m_options;
  std::vector<geo::RasterReader> m_maps;
};

}  // namespace furrow::labelling
