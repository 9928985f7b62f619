#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/raster/normalise.h>

namespace furrow::segmentation {

struct ModelBand {
  std::string name;  ///< band description of the training image, or "band 1"
};

struct ModelClass {
  int value = 0;
  std::string name;
};

/// Features of the training windows, for measuring the shift of a scene (dataset_shift.h).
struct ModelFeatures {
  std::string file = "features.safetensors";
  std::string sha256;
  std::int64_t window_px = 0;          ///< side of the windows
  std::int64_t train_windows = 0;      ///< behind mean and covariance
  std::int64_t reference_windows = 0;  ///< that samples without shift were drawn from
};

/// The contract of a model folder (`model.json`, schema "furrow/model/1"): everything that prediction must
/// know and nothing of LibTorch. Unknown keys are kept out of the way: read by name.
struct ModelSpec {
  std::string id;                                         ///< stable: from weights and parameters
  std::string created;                                    ///< UTC
  std::string architecture;                               ///< "unet"
  std::map<std::string, double> architecture_parameters;  ///< base_width, levels, dropout, ...
  std::vector<ModelBand> bands;                           ///< in network order
  geo::Normalisation normalisation;
  double pixel_size_m = 0.0;        ///< of the training images; 0 = unknown
  std::vector<ModelClass> classes;  ///< in output order: background, interior, boundary
  int stride_px = 16;               ///< input sides must be multiples of this
  int receptive_radius_px = 0;      ///< measured: pixels farther away cannot change a score
  double temperature = 1.0;         ///< scores = softmax(logits / temperature)
  // How fields are made from the scores (`delineation`).
  double extent_threshold = 0.5;
  double watershed_cut = 0.2;
  std::optional<double> boundary_threshold;  ///< of the mode components; nullopt = that of delineate
  std::optional<double> min_area_m2;         ///< likewise
  std::string weights_file = "weights.safetensors";
  std::string weights_sha256;
  std::string torchscript_file = "model.ts";
  std::optional<ModelFeatures> features;        ///< nullopt = none were stored
  std::map<std::string, std::string> training;  ///< provenance: seed, epochs, risk mode, ...
};

/// @throws geo::IoError     no such folder, no model.json
/// @throws geo::ModelError  not a model.json of a known schema (with key and what was found)
[[nodiscard]] ModelSpec read_model_spec(const std::filesystem::path& folder);

/// Writes model.json (sorted keys, two spaces): identical specs give identical bytes.
void write_model_spec(const ModelSpec& spec, const std::filesystem::path& folder);

/// Writes the block `delineation` of the spec into the folder's model.json; all else in the file stays, keys
/// that read_model_spec does not know too. A calibration of confidence (`confidence`) that belongs to other
/// values of `delineation` is taken out, with a warning: fields are made in another way now.
/// @throws geo::IoError, geo::ModelError  as read_model_spec; the file cannot be written
void store_delineation(const ModelSpec& spec, const std::filesystem::path& folder);

/// The block `confidence` of the folder's model.json as JSON text (assessment::calibration_from_json reads
/// it); nullopt = there is none.
/// @throws geo::IoError, geo::ModelError  as read_model_spec
[[nodiscard]] std::optional<std::string> read_confidence(const std::filesystem::path& folder);

/// Writes it, a JSON object; all else in the file stays.
/// @throws geo::IoError, geo::ModelError  as read_model_spec; the file cannot be written
void store_confidence(const std::string& json, const std::filesystem::path& folder);

/// Whether pixels of that size are within a factor 2 of the training's; true where either is unknown (0).
[[nodiscard]] bool fits_pixel_size(const ModelSpec& spec, double pixel_size_m);

/// Refuses images that the model was not made for.
/// @throws geo::ModelError naming image, model and exactly what differs (number of bands, pixel size beyond a
/// factor 2)
void check_image(const ModelSpec& spec, const std::string& image, int bands, double pixel_size_m);

}  // namespace furrow::segmentation
