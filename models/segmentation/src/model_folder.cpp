#include "model_folder.h"

#include <cmath>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/segmentation/model_spec.h>

#include "architecture_spec.h"
#include "metrics_json.h"
#include "stac_item.h"
#include "torchscript.h"
#include "training_page.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;
using geo::concat;
using nlohmann::json;
using Description = std::map<std::string, std::string>;

ModelSpec make_spec(const fs::path& folder, const UNet& network, const TrainingData& data,
                    const TrainReport& report, const Description& description) {
  ModelSpec spec;
  spec.created = geo::utc_timestamp();
  describe_network(network->options, spec);
  std::string identity;
  for (const std::string& name : data.band_names()) {
    spec.bands.push_back({name});
    identity += name + "\n";
  }
  spec.normalisation = data.normalisation();
  spec.pixel_size_m = data.pixel_size_m();
  spec.classes = {{0, "background"}, {1, "interior"}, {2, "boundary"}};
  spec.stride_px = static_cast<int>(network->stride());
  spec.receptive_radius_px = report.receptive_radius_px;
  spec.temperature = report.temperature;
  spec.weights_sha256 = geo::sha256_of_file(folder / spec.weights_file);
  spec.training = description;
  spec.training["best_epoch"] = std::to_string(report.best_epoch);
  spec.training["furrow"] = geo::furrow_version();
  spec.training["libtorch"] = TORCH_VERSION;
  for (const auto& [name, value] : description) identity += name + "=" + value + "\n";
  spec.id = geo::sha256_of(spec.weights_sha256 + "\n" + identity).substr(0, 16);
  return spec;
}

ModelFeatures write_features(const fs::path& folder, const FeatureReference& features,
                             const std::string& weights_sha256) {
  ModelFeatures entry;
  write_feature_reference(features, weights_sha256, folder / entry.file);
  entry.sha256 = geo::sha256_of_file(folder / entry.file);
  entry.window_px = features.window_px;
  entry.train_windows = features.train_windows;
  entry.reference_windows = features.reference_windows;
  return entry;
}

json bins_json(const std::vector<ReliabilityBin>& bins) {
  json list = json::array();
  for (const ReliabilityBin& bin : bins) {
    list.push_back({{"pixels", bin.pixels}, {"probability", bin.probability}, {"correct", bin.correct}});
  }
  return list;
}

/// The place goes into the catalogue item only: a training is not lost because an image has gone away
/// meanwhile.
void write_stac_item(const fs::path& folder, const ModelSpec& spec, const TrainingData& data,
                     const TrainReport& report) {
  TrainingPlace place;
  try {
    place = find_place(data);
  } catch (const geo::Error& error) {
    geo::log_warning(concat("stac-item.json has no place: ", error.what()));
  }
  geo::write_text_file(folder / "stac-item.json", stac_item(spec, place, report.parameters).dump(2) + "\n",
                       true);
}

void write_metrics(const fs::path& folder, const TrainingData& data, const TrainReport& report) {
  const TrainingDataSummary& summary = data.summary();
  json record{{"schema", "furrow/metrics/1"},
              {"best_epoch", report.best_epoch},
              {"best", epoch_json(report.epochs[static_cast<std::size_t>(report.best_epoch - 1)])},
              {"stopped_early", report.stopped_early},
              {"parameters", report.parameters},
              {"calibration",
               {{"method", "temperature"},
                {"temperature", report.temperature},
                {"ece_before", number_json(report.ece_before)},
                {"ece_after", number_json(report.ece_after)},
                {"bins", 15},
                {"reliability_before", bins_json(report.reliability_before)},
                {"reliability_after", bins_json(report.reliability_after)},
                {"fitted_on", "validation blocks"}}},
              {"data",
               {{"train_blocks", summary.train_blocks},
                {"val_blocks", summary.val_blocks},
                {"train_chips_per_epoch", summary.train_chips},
                {"val_chips", summary.val_chips},
                {"labelled_px", summary.labelled_px},
                {"labelled_without_image_px", summary.labelled_without_image_px},
                {"labelled_without_risk_px", summary.labelled_without_risk_px}}},
              {"epochs", json::array()}};
  for (const LabellerConfusion& labeller : report.labellers)
    record["labellers"].push_back({{"labeller", labeller.labeller}, {"confusion", labeller.matrix}});
  for (const EpochMetrics& epoch : report.epochs) record["epochs"].push_back(epoch_json(epoch));
  geo::write_text_file(folder / "metrics.json", record.dump(2) + "\n", true);

  geo::CsvTable table;
  table.columns = {"epoch",          "learning_rate",      "train_loss",       "val_loss",
                   "val_iou_extent", "val_iou_background", "val_iou_interior", "val_iou_boundary",
                   "val_object_f1"};
  const auto cell = [](double value) { return std::isnan(value) ? std::string() : geo::shortest(value); };
  for (const EpochMetrics& epoch : report.epochs) {
    table.rows.push_back({std::to_string(epoch.epoch), cell(epoch.learning_rate), cell(epoch.train_loss),
                          cell(epoch.val_loss), cell(epoch.val_iou_extent), cell(epoch.val_iou[0]),
                          cell(epoch.val_iou[1]), cell(epoch.val_iou[2]), cell(epoch.val_object_f1)});
  }
  geo::write_csv(table, folder / "metrics.csv", true);
}

std::string readme(const ModelSpec& spec, const TrainReport& report) {
  const EpochMetrics& best = report.epochs[static_cast<std::size_t>(report.best_epoch - 1)];
  std::vector<std::string> bands;
  for (const ModelBand& band : spec.bands) bands.push_back(band.name);
  const auto percent = [](double value) {
    return std::isnan(value) ? std::string("not measured") : geo::fixed(100.0 * value, 1) + " %";
  };
  return concat(
      "# Field segmentation model ", spec.id, "\n\nA ",
      spec.architecture == "unet" ? "U-Net" : "residual U-Net",
      " that gives each pixel the probability of background, field "
      "interior and field boundary.\nTrained by furrow ",
      spec.training.at("furrow"), ", ", spec.created, ".\n\n| | |\n|---|---|\n", "| bands, in this order | ",
      geo::join(bands, ", "), " |\n| pixel size | ", geo::fixed(spec.pixel_size_m, 3),
      " m |\n| normalisation | ", spec.training.at("normalise"), ", statistics per ",
      spec.training.at("norm_scope"), " |\n| sides must be multiples of | ", spec.stride_px,
      " px |\n| receptive radius | ", spec.receptive_radius_px, " px |\n| parameters | ", report.parameters,
      " |\n| best epoch | ", report.best_epoch, " of ", report.epochs.size(),
      " |\n| validation IoU, fields (interior and boundary) | ", percent(best.val_iou_extent),
      " |\n| validation IoU, interior | ", percent(best.val_iou[1]), " |\n| validation IoU, boundary | ",
      percent(best.val_iou[2]), " |\n| validation F1 of fields at IoU 0.5 | ", percent(best.val_object_f1),
      " |\n| calibration error before, after | ", percent(report.ece_before), ", ", percent(report.ece_after),
      " (temperature ", geo::fixed(report.temperature, 3), ") |\n",
      "\nValidation pixels come from the same scenes, in blocks that were not trained on; the "
      "temperature was fitted on "
      "them.\n\n- `weights.safetensors`: parameters and buffers, named as PyTorch names them\n"
      "- `model.ts`: TorchScript; `forward` takes [N, ",
      spec.bands.size(),
      ", H, W] float32, normalised, and gives [N, 3, "
      "H, W] logits. Probabilities are softmax(logits / ",
      geo::shortest(spec.temperature),
      ").\n"
      "- `model.json`: everything that prediction must know\n- `metrics.json`, `metrics.csv`: "
      "figures of every epoch\n- `training.html`: their curves\n- `stac-item.json`: entry for a STAC "
      "catalogue of models\n",
      spec.features ? "- `features.safetensors`: features of the training windows, by which `predict` "
                      "knows images that are unlike them\n"
                    : "",
      "\n"
      "Use it: `furrow predict --model FOLDER image.tif --out scores.tif`, or in Python "
      "`torch.jit.load(\"model.ts\")`.\n");
}

}  // namespace

void write_model(const fs::path& folder, const UNet& network, const TrainingData& data,
                 const TrainReport& report, const std::optional<FeatureReference>& features,
                 const Description& description) {
  SafeTensors content = to_tensors(*network);
  content.metadata = {{"format", "pt"},
                      {"architecture", kNetworkNames[static_cast<std::size_t>(network->options.network)]}};
  write_safetensors(folder / "weights.safetensors", content);
  write_torchscript(network, folder / "model.ts");
  ModelSpec spec = make_spec(folder, network, data, report, description);
  if (features) spec.features = write_features(folder, *features, spec.weights_sha256);
  write_model_spec(spec, folder);
  write_metrics(folder, data, report);
  write_stac_item(folder, spec, data, report);
  geo::write_text_file(folder / "training.html", training_page(spec, report, data.summary()), true);
  geo::write_text_file(folder / "README.md", readme(spec, report), true);
}

}  // namespace furrow::segmentation
