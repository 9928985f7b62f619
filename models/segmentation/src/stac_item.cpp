#include "stac_item.h"

#include <algorithm>
#include <array>
#include <vector>

#include <furrow/geo/core/text.h>
#include <furrow/geo/crs/crs.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::segmentation {
namespace {

using geo::concat;
using nlohmann::json;

constexpr const char* kExtension = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json";

/// Box of a raster in degrees; its sides are followed in steps, since straight lines bend on the globe.
geo::Box lonlat_box(const geo::Grid& grid) {
  constexpr int kSteps = 8;
  const geo::CoordinateTransform transform(grid.crs, geo::lonlat_crs());
  geo::Box box;
  for (int i = 0; i <= kSteps; ++i) {
    const double along = static_cast<double>(i) / kSteps;
    const double col = along * static_cast<double>(grid.width);
    const double row = along * static_cast<double>(grid.height);
    const auto width = static_cast<double>(grid.width);
    const auto height = static_cast<double>(grid.height);
    for (const geo::Point pixel :
         {geo::Point{col, 0.0}, geo::Point{col, height}, geo::Point{0.0, row}, geo::Point{width, row}}) {
      box.expand(transform.apply(grid.transform.to_world(pixel)));
    }
  }
  return box;
}

/// "2021-07-15" of "2021:07:15 10:30:00"; empty for anything else.
std::string day_of(const std::string& tag) {
  constexpr std::string_view kPattern = "0000:00:00";
  if (tag.size() < kPattern.size()) return {};
  std::string day = tag.substr(0, kPattern.size());
  for (std::size_t i = 0; i < day.size(); ++i) {
    const bool is_digit = day[i] >= '0' && day[i] <= '9';
    if (kPattern[i] == '0' ? !is_digit : (day[i] != ':' && day[i] != '-')) return {};
    if (!is_digit) day[i] = '-';
  }
  return day;
}

json shape(std::int64_t depth) {
  return {-1, depth, -1, -1};
}

json value_scaling(const geo::Normalisation& how) {
  if (how.method == geo::NormaliseMethod::kDivide)
    return json::array({{{"type", "scale"}, {"value", how.divisor}}});
  const bool min_max = how.method == geo::NormaliseMethod::kMinMax;
  if (how.scope == geo::NormaliseScope::kScene) {
    const std::string over = how.per_band ? "each band" : "all bands together";
    const std::string low = concat("p", geo::shortest(how.low_percentile));
    const std::string high = concat("p", geo::shortest(how.high_percentile));
    const std::string formula = min_max ? concat("clip((value - ", low, ") / (", high, " - ", low,
                                                 "), 0, 1), percentiles of ", over, " in the whole scene")
                                        : concat("(value - mean) / sd, of ", over, " in the whole scene");
    return json::array({{{"type", "processing"}, {"format", "text"}, {"expression", formula}}});
  }
  json list = json::array();
  for (const geo::BandStatistics& s : how.stored) {
    list.push_back(min_max ? json{{"type", "min-max"}, {"minimum", s.low}, {"maximum", s.high}}
                           : json{{"type", "z-score"}, {"mean", s.mean}, {"stddev", s.sd}});
  }
  return list;
}

json model_input(const ModelSpec& spec) {
  json names = json::array();
  for (const ModelBand& band : spec.bands) names.push_back(band.name);
  return {{"name", "image"},
          {"bands", std::move(names)},
          {"input",
           {{"shape", shape(static_cast<std::int64_t>(spec.bands.size()))},
            {"dim_order", {"batch", "bands", "height", "width"}},
            {"data_type", "float32"}}},
          {"value_scaling", value_scaling(spec.normalisation)},
          {"resize_type", nullptr}};
}

json model_output(const ModelSpec& spec) {
  json classes = json::array();
  for (const ModelClass& c : spec.classes) {
    classes.push_back({{"value", c.value}, {"name", c.name}, {"description", c.name}});
  }
  return {{"name", "logits"},
          {"tasks", json::array({"semantic-segmentation"})},
          {"result",
           {{"shape", shape(static_cast<std::int64_t>(spec.classes.size()))},
            {"dim_order", {"batch", "class", "height", "width"}},
            {"data_type", "float32"}}},
          {"classification:classes", std::move(classes)}};
}

void set_time(json& properties, const ModelSpec& spec, const TrainingPlace& place) {
  if (place.first_day.empty()) {
    properties["datetime"] = spec.created;
    return;
  }
  properties["datetime"] = nullptr;
  properties["start_datetime"] = place.first_day + "T00:00:00Z";
  properties["end_datetime"] = place.last_day + "T23:59:59Z";
}

json bands_of(const ModelSpec& spec) {
  json bands = json::array();
  for (const ModelBand& band : spec.bands) bands.push_back({{"name", band.name}});
  return bands;
}

json properties_of(const ModelSpec& spec, const TrainingPlace& place, std::int64_t parameters) {
  json properties{
      {"title", concat("Field segmentation model ", spec.id)},
      {"created", spec.created},
      {"description",
       concat("Gives each pixel the probability of background, field interior and field boundary: "
              "softmax(logits / ",
              geo::shortest(spec.temperature), "). Sides must be multiples of ", spec.stride_px,
              " px. Trained on pixels of ", geo::fixed(spec.pixel_size_m, 2), " m.")},
      {"bands", bands_of(spec)},
      {"mlm:name", concat("furrow ", spec.architecture, " ", spec.id)},
      {"mlm:architecture", spec.architecture == "unet"            ? "U-Net"
                           : spec.architecture == "residual-unet" ? "residual U-Net"
                                                                  : spec.architecture},
      {"mlm:tasks", json::array({"semantic-segmentation"})},
      {"mlm:framework", "PyTorch"},
      {"mlm:total_parameters", parameters},
      {"mlm:pretrained", false},
      {"mlm:pretrained_source", nullptr},
      {"mlm:accelerator", nullptr},
      {"mlm:input", json::array({model_input(spec)})},
      {"mlm:output", json::array({model_output(spec)})}};
  if (const auto version = spec.training.find("libtorch"); version != spec.training.end())
    properties["mlm:framework_version"] = version->second;
  json hyperparameters = json::object();
  for (const auto& [name, value] : spec.training) hyperparameters[name] = value;
  if (!hyperparameters.empty()) properties["mlm:hyperparameters"] = std::move(hyperparameters);
  set_time(properties, spec, place);
  return properties;
}

json assets_of(const ModelSpec& spec) {
  const auto file = [](const std::string& name, const char* type, const char* title, json roles) {
    return json{{"href", "./" + name}, {"type", type}, {"title", title}, {"roles", std::move(roles)}};
  };
  json weights = file(spec.weights_file, "application/octet-stream; framework=pytorch", "Weights",
                      {"mlm:model", "mlm:weights"});
  weights["mlm:artifact_type"] = "safetensors.torch.save_file";
  json script = file(spec.torchscript_file, "application/octet-stream; framework=pytorch", "TorchScript",
                     json::array({"mlm:model"}));
  script["mlm:artifact_type"] = "torch.jit.save";
  // STAC wants the bands of an item said by an asset too.
  for (json* model : {&weights, &script}) (*model)["bands"] = bands_of(spec);
  return {
      {"weights", std::move(weights)},
      {"torchscript", std::move(script)},
      {"model_json",
       file("model.json", "application/json", "What prediction must know", json::array({"metadata"}))},
      {"metrics",
       file("metrics.json", "application/json", "Figures of every epoch", json::array({"metadata"}))},
      {"training", file("training.html", "text/html", "Course of the training", json::array({"overview"}))}};
}

}  // namespace

TrainingPlace find_place(const TrainingData& data) {
  TrainingPlace place;
  for (const TrainingScene& scene : data.scenes()) {
    geo::RasterReadOptions options;
    options.override_crs = data.options().override_crs;
    options.crs_switch = data.options().crs_switch;
    const geo::RasterReader reader(scene.image, options);
    place.lonlat.expand(lonlat_box(reader.grid()));
    const std::string day = day_of(reader.metadata("TIFFTAG_DATETIME"));
    if (day.empty()) continue;
    if (place.first_day.empty() || day < place.first_day) place.first_day = day;
    place.last_day = std::max(place.last_day, day);
  }
  return place;
}

json stac_item(const ModelSpec& spec, const TrainingPlace& place, std::int64_t parameters) {
  json item{{"type", "Feature"},
            {"stac_version", "1.1.0"},
            {"stac_extensions", json::array({kExtension})},
            {"id", spec.id},
            {"geometry", nullptr},
            {"properties", properties_of(spec, place, parameters)},
            {"links", json::array()},
            {"assets", assets_of(spec)}};
  if (const geo::Box& b = place.lonlat; !b.empty()) {
    item["bbox"] = {b.min_x, b.min_y, b.max_x, b.max_y};
    item["geometry"] = {{"type", "Polygon"},
                        {"coordinates", json::array({{{b.min_x, b.min_y},
                                                      {b.max_x, b.min_y},
                                                      {b.max_x, b.max_y},
                                                      {b.min_x, b.max_y},
                                                      {b.min_x, b.min_y}}})}};
  }
  return item;
}

}  // namespace furrow::segmentation
