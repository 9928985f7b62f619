#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/dataset/dataset.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/model_spec.h>
#include <furrow/workflow/path_check.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/step.h>
#include <furrow/workflow/workflow_file.h>

#include "dataset_options.h"
#include "statistics_options.h"

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

Json raster_json(const geo::RasterReader& reader) {
  const geo::Grid& grid = reader.grid();
  const geo::Box box = grid.bounds();
  Json json{{"kind", "raster"},
            {"path", reader.path()},
            {"width_px", grid.width},
            {"height_px", grid.height},
            {"crs", grid.crs.name()},
            {"bounds", {box.min_x, box.min_y, box.max_x, box.max_y}},
            {"pixel_size", {grid.transform.pixel_width(), grid.transform.pixel_height()}}};
  if (!grid.crs.empty()) {
    const geo::Point metres = grid.pixel_size_m();
    json["pixel_size_m"] = {metres.x, metres.y};
  }
  json["block_px"] = {reader.block_width(), reader.block_height()};
  Json bands = Json::array();
  for (int i = 0; i < reader.bands(); ++i) {
    const geo::BandInfo& band = reader.band(i);
    Json item{{"band", i + 1}, {"type", geo::pixel_type_name(band.type)}};
    if (!band.description.empty()) item["description"] = band.description;
    // As text: JSON has no NaN.
    item["nodata"] = band.nodata ? Json(geo::shortest(*band.nodata)) : Json("none");
    if (band.scale != 1.0 || band.offset != 0.0) {
      item["scale"] = band.scale;
      item["offset"] = band.offset;
    }
    bands.push_back(std::move(item));
  }
  json["bands"] = std::move(bands);
  return json;
}

Json vector_json(const std::string& path, const std::vector<geo::LayerInfo>& layers) {
  Json list = Json::array();
  for (const auto& layer : layers) {
    Json fields = Json::object();
    for (const auto& field : layer.fields) fields[field.name] = geo::field_type_name(field.type);
    list.push_back({{"layer", layer.name},
                    {"geometry", layer.geometry},
                    {"features", layer.features},
                    {"crs", layer.crs.name()},
                    {"fields", std::move(fields)}});
  }
  return {{"kind", "vector"}, {"path", path}, {"layers", std::move(list)}};
}

Json table_json(const std::string& path) {
  const geo::CsvTable table = geo::read_csv(path);
  return {{"kind", "table"}, {"path", path}, {"rows", table.rows.size()}, {"columns", table.columns}};
}

Json normalisation_json(const geo::Normalisation& how) {
  static constexpr const char* kMethods[] = {"minmax", "zscore", "divide"};
  Json json{{"method", kMethods[static_cast<int>(how.method)]}};
  if (how.method == geo::NormaliseMethod::kDivide) {
    json["divisor"] = how.divisor;
    return json;
  }
  json["statistics_of"] = how.scope == geo::NormaliseScope::kScene ? "each scene" : "the training scenes";
  json["per_band"] = how.per_band;
  if (how.method == geo::NormaliseMethod::kMinMax)
    json["percentiles"] = {how.low_percentile, how.high_percentile};
  for (const geo::BandStatistics& s : how.stored) {
    json["stored"].push_back({{"low", s.low}, {"high", s.high}, {"mean", s.mean}, {"sd", s.sd}});
  }
  return json;
}

/// Figures of the kept epoch and of the calibration; empty for a model folder without metrics.json.
Json metrics_json(const fs::path& folder) {
  const fs::path file = folder / "metrics.json";
  std::error_code ec;
  if (!fs::exists(file, ec)) return Json::object();
  try {
    const Json metrics = Json::parse(geo::read_text_file(file));
    Json json{{"best_epoch", metrics.at("best_epoch")}, {"epochs", metrics.at("epochs").size()}};
    for (const auto& [key, value] : metrics.at("best").items()) {
      if (key.starts_with("val_")) json[key] = value;
    }
    json["parameters"] = metrics.at("parameters");
    for (const char* key : {"ece_before", "ece_after"}) json[key] = metrics.at("calibration").at(key);
    return json;
  } catch (const Json::exception& error) {
    throw geo::ModelError(
        geo::concat(geo::quoted(file.string()), " is no metrics file of furrow (", error.what(), ")"));
  }
}

Json model_json(const std::string& path) {
  const segmentation::ModelSpec spec = segmentation::read_model_spec(path);
  Json bands = Json::array();
  for (const auto& band : spec.bands) bands.push_back(band.name);
  Json classes = Json::object();
  for (const auto& c : spec.classes) classes[std::to_string(c.value)] = c.name;
  Json metrics = metrics_json(path);
  Json calibration{{"temperature", spec.temperature}};
  for (const char* key : {"ece_before", "ece_after"}) {
    if (metrics.contains(key)) calibration[key] = metrics[key];
    metrics.erase(key);
  }
  Json json{{"kind", "model"},
            {"path", path},
            {"id", spec.id},
            {"created", spec.created},
            {"architecture", spec.architecture},
            {"architecture_options", spec.architecture_parameters}};
  if (metrics.contains("parameters")) json["parameters"] = metrics["parameters"];
  metrics.erase("parameters");
  json["receptive_radius_px"] = spec.receptive_radius_px;
  json["stride_px"] = spec.stride_px;
  json["bands"] = std::move(bands);
  json["pixel_size_m"] = spec.pixel_size_m;
  json["normalisation"] = normalisation_json(spec.normalisation);
  json["classes"] = std::move(classes);
  json["extent_threshold"] = spec.extent_threshold;
  json["watershed_cut"] = spec.watershed_cut;
  if (spec.boundary_threshold) json["boundary_threshold"] = *spec.boundary_threshold;
  if (spec.min_area_m2) json["min_area_m2"] = *spec.min_area_m2;
  json["calibration"] = std::move(calibration);
  json["weights"] = spec.weights_file;
  json["weights_sha256"] = spec.weights_sha256;
  if (const auto& features = spec.features) {
    json["features"] = {{"file", features->file},
                        {"window_px", features->window_px},
                        {"train_windows", features->train_windows},
                        {"reference_windows", features->reference_windows}};
  }
  if (!metrics.empty()) json["validation"] = std::move(metrics);
  json["training"] = spec.training;
  return json;
}

Json workflow_json(const std::string& path) {
  const Workflow workflow = read_workflow(path, CommandSet(make_all_steps), {{}, false, false});
  Json steps = Json::array();
  for (const std::size_t i : workflow.order) {
    const WorkflowStep& step = workflow.steps[i];
    Json json{{"step", step.id}, {"use", step.command}};
    for (const std::size_t earlier : step.waits_for) json["after"].push_back(workflow.steps[earlier].id);
    for (const auto& used : used_paths(step.bound->options, PathRole::kInput))
      json["reads"].push_back(used.text);
    for (const auto& used : used_paths(step.bound->options, PathRole::kOutput))
      json["writes"].push_back(used.text);
    steps.push_back(std::move(json));
  }
  return {{"kind", "workflow"}, {"path", path}, {"steps", std::move(steps)}};
}

template <class Key>
Json counts_json(const std::map<Key, std::int64_t>& counts) {
  Json json = Json::object();
  for (const auto& [key, count] : counts) json[key.empty() ? "(none)" : key] = count;
  return json;
}

/// Size, bands and CRS of the first image that can be opened.
Json first_image_json(const dataset::Dataset& data) {
  for (const auto& sample : data.samples) {
    try {
      geo::RasterReadOptions lenient;
      lenient.require_crs = false;
      const geo::RasterReader image(sample.images.front().path, lenient);
      return {{"path", image.path()},
              {"width_px", image.grid().width},
              {"height_px", image.grid().height},
              {"bands", image.bands()},
              {"type", geo::pixel_type_name(image.band(0).type)},
              {"crs", image.grid().crs.name()}};
    } catch (const geo::Error&) {
      continue;  // `check` tells what is wrong with it
    }
  }
  return Json::object();
}

Json dataset_json(const std::string& path, const dataset::ReadOptions& options) {
  const dataset::Dataset data = dataset::read_dataset(path, options);
  std::map<std::string, std::int64_t> splits;
  std::map<std::string, std::int64_t> countries;
  std::map<std::string, std::int64_t> sources;
  std::map<std::string, std::int64_t> labels;
  std::set<std::string> sites;
  for (const auto& sample : data.samples) {
    ++splits[sample.split];
    ++countries[sample.country];
    ++sources[sample.source];
    sites.insert(sample.country + "/" + sample.site);
    for (const auto& [kind, file] : sample.labels) ++labels[dataset::label_kind_name(kind)];
  }
  Json json{{"kind", "dataset"},
            {"path", path},
            {"layout", dataset::layout_name(data.layout)},
            {"listed", data.listed},
            {"samples", data.samples.size()},
            {"incomplete", data.incomplete},
            {"places", sites.size()},
            {"splits", counts_json(splits)},
            {"countries", counts_json(countries)},
            {"sources", counts_json(sources)},
            {"labels", counts_json(labels)}};
  json["classes"] = {
      {"0", "background"}, {"1", "interior"}, {"2", "boundary"}, {"3", "unknown"}, {"255", "unknown"}};
  if (!data.windows.empty()) json["windows"] = data.windows;
  if (!data.bands.empty()) json["bands"] = data.bands;
  json["first_image"] = first_image_json(data);
  if (!data.unreadable_catalogues.empty()) json["unreadable"] = data.unreadable_catalogues;
  return json;
}

/// False for a problem that only says what the file is not.
bool telling(const std::string& problem) {
  return !problem.empty() && problem.find("that GDAL can read") == std::string::npos;
}

/// What there is to add for a file that is neither raster nor vector.
std::string reason(const std::string& path, const std::string& problem) {
  std::error_code ec;
  if (fs::is_directory(path, ec))
    return "; it is a folder, but no model folder (it has no model.json) and no data set of a known layout";
  if (fs::is_regular_file(path, ec) && fs::file_size(path, ec) == 0) return "; it is empty (0 bytes)";
  return telling(problem) ? ": " + problem : "";
}

/// A file in a format that GDAL knows: polygons and tables before pixels, both when it holds both.
Json gdal_json(const std::string& path) {
  Json json;
  std::string vector_problem;
  try {
    const auto layers = geo::list_layers(path);
    if (!layers.empty()) json = vector_json(path, layers);
  } catch (const geo::Error& e) {
    vector_problem = e.what();
  }
  try {
    geo::RasterReadOptions options;
    options.require_crs = false;
    const Json raster = raster_json(geo::RasterReader(path, options));
    if (json.is_null()) return raster;
    json["raster"] = raster;
  } catch (const geo::Error& e) {
    if (json.is_null()) {
      throw geo::IoError(geo::concat(geo::quoted(path),
                                     " is neither a raster nor a vector file that GDAL can read",
                                     reason(path, telling(vector_problem) ? vector_problem : e.what())));
    }
  }
  return json;
}

bool is_dataset(const std::string& path, const DatasetOptions& dataset) {
  std::error_code ec;
  return dataset.is_said() || (fs::is_directory(path, ec) && !dataset::fitting_layouts(path).empty());
}

Json describe(const std::string& path, const DatasetOptions& dataset) {
  const std::string extension = geo::to_lower(fs::path(path).extension().string());
  std::error_code ec;
  if (fs::is_directory(path, ec) && fs::exists(fs::path(path) / "model.json", ec)) return model_json(path);
  if (is_dataset(path, dataset)) return dataset_json(path, dataset.read_options());
  if (extension == ".toml") return workflow_json(path);
  if (extension == ".csv") return table_json(path);
  return gdal_json(path);
}

std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return geo::shortest(value.get<double>());
  return value.dump();
}

bool is_plain_list(const Json& value) {
  return value.is_array() && (value.empty() || !value.front().is_object());
}

/// The description as indented lines "name: value".
void print(const Json& json, std::size_t indent, std::ostream& out) {
  const std::string margin(indent, ' ');
  for (const auto& [key, value] : json.items()) {
    if (is_plain_list(value)) {
      std::vector<std::string> items;
      for (const auto& item : value) items.push_back(plain(item));
      out << margin << key << ": " << geo::join(items, ", ") << '\n';
    } else if (value.is_array()) {
      out << margin << key << ":\n";
      for (const auto& item : value) {
        print(item, indent + 4, out);
        if (&item != &value.back()) out << '\n';
      }
    } else if (value.is_object()) {
      out << margin << key << ":\n";
      print(value, indent + 4, out);
    } else {
      out << margin << key << ": " << plain(value) << '\n';
    }
  }
}

class Info : public Step {
 public:
  StepInfo info() const override {
    return {
        "info",
        "Describe rasters, vector files, models, data sets, workflows or tables; statistics of pixel values",
        "Raster: size, bands, types, nodata, CRS, pixel size also in metres. Vector file: layers, "
        "counts, CRS, "
        "fields. Model folder: network, bands, normalisation, classes, thresholds, calibration, figures of "
        "the kept "
        "epoch, options of the training. Workflow file: steps in "
        "order "
        "with what they read and write. CSV: rows and columns. Data set folder (or its table, with "
        "--dataset): "
        "layout, samples, splits, countries, kinds of labels, classes.\n\n"
        "--statistics reads the pixels: min, max, mean, standard deviation and percentiles of the valid "
        "values "
        "of a scene, of many scenes together or of a data set's training images, exactly and in a stream.",
        {{"The layers of a map", "furrow info fields.gpkg"},
         {"For a program", "furrow info image.tif --json"},
         {"What a downloaded data set holds", "furrow info ftw"},
         {"Statistics of a scene, stored",
          "furrow info sample_data/scene.tif --statistics --out statistics.json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("path", &m_paths)
        .positional()
        .required()
        .input("file")
        .help(
            "Files, model folders or data sets to describe; with --statistics rasters, folders and lists of "
            "them");
    t.add("json", &m_json).help("Print JSON; of several paths a list");
    m_dataset.declare(t);
    m_statistics.declare(t);
  }

  void check() const override { m_statistics.check(); }

  void run(StepContext& context) override {
    if (m_statistics.wanted) return print_result(statistics(context), context.out());
    Json list = Json::array();
    for (const std::string& path : m_paths) {
      try {
        list.push_back(describe(path, m_dataset));
      } catch (const geo::Cancelled&) {
        throw;
      } catch (const geo::Error& e) {
        if (m_paths.size() == 1) throw;
        context.fail(path, e.what());
      }
    }
    if (m_json) return print_result(m_paths.size() == 1 ? list.front() : list, context.out());
    for (const Json& json : list) {
      if (&json != &list.front()) context.out() << '\n';
      print(json, 0, context.out());
    }
  }

 private:
  void print_result(const Json& json, std::ostream& out) const {
    if (m_json) {
      out << json.dump(2) << '\n';
    } else {
      print(json, 0, out);
    }
  }

  Json statistics(StepContext& context) const {
    std::vector<std::string> images;
    for (const std::string& path : m_paths) {
      if (is_dataset(path, m_dataset)) {
        const auto data = dataset::read_dataset(path, m_dataset.read_options());
        std::ranges::move(StatisticsOptions::training_images(data), std::back_inserter(images));
      } else {
        images.push_back(path);
      }
    }
    const std::string text = geo::statistics_json(m_statistics.compute(m_paths, images, context.exec()));
    if (!m_statistics.out.empty()) geo::write_text_file(m_statistics.out, text, context.overwrite());
    return Json::parse(text);
  }

  std::vector<std::string> m_paths;
  bool m_json = false;
  DatasetOptions m_dataset;
  StatisticsOptions m_statistics;
};

}  // namespace

std::unique_ptr<Step> make_info() {
  return std::make_unique<Info>();
}

}  // namespace furrow::workflow
