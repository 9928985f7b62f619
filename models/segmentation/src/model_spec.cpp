#include <furrow/segmentation/model_spec.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::IoError;
using geo::ModelError;
using nlohmann::json;

constexpr const char* kFileName = "model.json";
constexpr const char* kConfidence = "confidence";  // block of assessment::ConfidenceCalibration
constexpr const char* kSchema = "furrow/model/1";

using MethodName = std::pair<geo::NormaliseMethod, const char*>;
using ScopeName = std::pair<geo::NormaliseScope, const char*>;
constexpr MethodName kMethods[] = {{geo::NormaliseMethod::kMinMax, "minmax"},
                                   {geo::NormaliseMethod::kZScore, "zscore"},
                                   {geo::NormaliseMethod::kDivide, "divide"}};
constexpr ScopeName kScopes[] = {{geo::NormaliseScope::kScene, "scene"},
                                 {geo::NormaliseScope::kStored, "stored"}};

/// What a JSON value is, in words for a message.
std::string what_is(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "a list";
    case json::value_t::string:
      return concat("text \"", value.get<std::string>(), "\"");
    case json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    default:
      return concat("the number ", value.dump());
  }
}

/// One object of the file and where it stands, so that every message names file and key.
class Node {
 public:
  Node(const json& value, std::string file, std::string where)
      : m_value(value), m_file(std::move(file)), m_where(std::move(where)) {}

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    throw ModelError(concat(geo::quoted(m_file), ": key ", geo::quoted(name(key)), " ", problem));
  }

  [[nodiscard]] bool has(const std::string& key) const { return m_value.contains(key); }
  [[nodiscard]] Node object(const std::string& key) const {
    return {typed(key, &json::is_object, "an object"), m_file, name(key)};
  }
  [[nodiscard]] std::optional<Node> optional_object(const std::string& key) const {
    return has(key) ? std::optional<Node>(object(key)) : std::nullopt;
  }
  [[nodiscard]] std::vector<Node> objects(const std::string& key) const {
    std::vector<Node> nodes;
    for (const json& item : typed(key, &json::is_array, "a list")) {
      const std::string item_name = concat(key, "[", nodes.size(), "]");
      if (!item.is_object()) fail(item_name, concat("must be an object, got ", what_is(item)));
      nodes.emplace_back(item, m_file, name(item_name));
    }
    return nodes;
  }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& item : m_value.items()) names.push_back(item.key());
    return names;
  }

  [[nodiscard]] std::string text(const std::string& key) const {
    return typed(key, &json::is_string, "a text").get<std::string>();
  }
  [[nodiscard]] double number(const std::string& key) const {
    return typed(key, &json::is_number, "a number").get<double>();
  }
  [[nodiscard]] std::int64_t integer(const std::string& key) const {
    return typed(key, &json::is_number_integer, "an integer").get<std::int64_t>();
  }
  [[nodiscard]] int integer_in(const std::string& key, int low, int high) const {
    const std::int64_t value = integer(key);
    if (value < low || value > high) fail(key, concat("must lie in ", low, " to ", high, ", got ", value));
    return static_cast<int>(value);
  }

  void read(const std::string& key, std::string& target) const {
    if (has(key)) target = text(key);
  }
  void read(const std::string& key, double& target) const {
    if (has(key)) target = number(key);
  }
  void read(const std::string& key, bool& target) const {
    if (has(key)) target = typed(key, &json::is_boolean, "true or false").get<bool>();
  }

  /// The value whose name a text key holds.
  template <class Value, std::size_t N>
  [[nodiscard]] Value choice(const std::string& key, const std::pair<Value, const char*> (&names)[N]) const {
    const std::string given = text(key);
    std::vector<std::string> known;
    for (const auto& [value, known_name] : names) {
      if (given == known_name) return value;
      known.emplace_back(known_name);
    }
    fail(key, concat("must be one of ", geo::join(known, ", "), ", got \"", given, "\""));
  }

 private:
  [[nodiscard]] std::string name(const std::string& key) const {
    return m_where.empty() ? key : m_where + "." + key;
  }
  [[nodiscard]] const json& typed(const std::string& key, bool (json::*is)() const noexcept,
                                  const char* wanted) const {
    const auto found = m_value.find(key);
    if (found == m_value.end()) fail(key, "is missing");
    if (!((*found).*is)()) fail(key, concat("must be ", wanted, ", got ", what_is(*found)));
    return *found;
  }

  const json& m_value;
  std::string m_file;
  std::string m_where;
};

geo::BandStatistics read_statistics(const Node& node) {
  geo::BandStatistics s;
  s.low = node.number("low");
  s.high = node.number("high");
  s.mean = node.number("mean");
  s.sd = node.number("sd");
  s.count = node.integer("count");
  return s;
}

geo::Normalisation read_normalisation(const Node& node) {
  geo::Normalisation n;
  n.method = node.choice("method", kMethods);
  if (node.has("scope")) n.scope = node.choice("scope", kScopes);
  node.read("per_band", n.per_band);
  node.read("low_percentile", n.low_percentile);
  node.read("high_percentile", n.high_percentile);
  node.read("divisor", n.divisor);
  if (node.has("stored")) {
    for (const Node& item : node.objects("stored")) n.stored.push_back(read_statistics(item));
  }
  return n;
}

void read_input(const Node& node, ModelSpec& spec) {
  for (const Node& band : node.objects("bands")) spec.bands.push_back({band.text("name")});
  node.read("pixel_size_m", spec.pixel_size_m);
  spec.stride_px = node.integer_in("stride_px", 1, 4096);
  spec.receptive_radius_px = node.integer_in("receptive_radius_px", 0, 1 << 20);
}

ModelFeatures read_features(const Node& node) {
  constexpr int kMostPx = 1 << 16;
  ModelFeatures features;
  features.file = node.text("file");
  features.sha256 = node.text("sha256");
  features.window_px = node.integer_in("window_px", 1, kMostPx);
  features.train_windows = node.integer("train_windows");
  features.reference_windows = node.integer("reference_windows");
  return features;
}

ModelSpec read_root(const Node& root) {
  ModelSpec spec;
  root.read("id", spec.id);
  root.read("created", spec.created);
  const Node architecture = root.object("architecture");
  spec.architecture = architecture.text("name");
  if (const auto parameters = architecture.optional_object("parameters")) {
    for (const std::string& key : parameters->keys())
      spec.architecture_parameters[key] = parameters->number(key);
  }
  read_input(root.object("input"), spec);
  spec.normalisation = read_normalisation(root.object("normalisation"));
  for (const Node& item : root.object("output").objects("classes")) {
    spec.classes.push_back({item.integer_in("value", 0, 254), item.text("name")});
  }
  if (const auto calibration = root.optional_object("calibration")) {
    calibration->read("temperature", spec.temperature);
  }
  if (const auto delineation = root.optional_object("delineation")) {
    delineation->read("extent_threshold", spec.extent_threshold);
    delineation->read("watershed_cut", spec.watershed_cut);
    const auto read = [&](const char* key, std::optional<double>& value) {
      if (delineation->has(key)) value = delineation->number(key);
    };
    read("boundary_threshold", spec.boundary_threshold);
    read("min_area_m2", spec.min_area_m2);
  }
  if (const auto weights = root.optional_object("weights")) {
    weights->read("file", spec.weights_file);
    weights->read("sha256", spec.weights_sha256);
  }
  if (const auto script = root.optional_object("torchscript")) script->read("file", spec.torchscript_file);
  if (const auto features = root.optional_object("features")) spec.features = read_features(*features);
  if (const auto training = root.optional_object("training")) {
    for (const std::string& key : training->keys()) spec.training[key] = training->text(key);
  }
  return spec;
}

/// Empty, or what makes these statistics useless.
std::string normalisation_problem(const geo::Normalisation& n, std::size_t bands) {
  if (!std::isfinite(n.divisor) || n.divisor == 0.0)
    return "normalisation.divisor must be a number other than 0";
  if (!(n.low_percentile >= 0.0 && n.low_percentile < n.high_percentile && n.high_percentile <= 100.0)) {
    return "normalisation needs 0 <= low_percentile < high_percentile <= 100";
  }
  for (const auto& s : n.stored) {
    if (!std::isfinite(s.low) || !std::isfinite(s.high) || !std::isfinite(s.mean) || !std::isfinite(s.sd)) {
      return "normalisation.stored holds a value that is not finite";
    }
  }
  if (n.scope == geo::NormaliseScope::kStored && n.method != geo::NormaliseMethod::kDivide) {
    const std::size_t wanted = n.per_band ? bands : 1;
    if (n.stored.size() != wanted) {
      return concat("normalisation.stored needs ", wanted, wanted == 1 ? " entry" : " entries", ", it has ",
                    n.stored.size());
    }
  }
  return {};
}

/// Empty, or what makes a spec unusable; the same rules for reading and writing.
std::string spec_problem(const ModelSpec& spec) {
  if (spec.bands.empty()) return "input.bands is empty; a model needs at least one band";
  if (spec.classes.size() < 2)
    return concat("output.classes needs at least 2 classes, it has ", spec.classes.size());
  std::set<int> values;
  for (const ModelClass& c : spec.classes) {
    if (c.value < 0 || c.value > 254)
      return concat("output.classes: value ", c.value, " does not lie in 0 to 254");
    if (!values.insert(c.value).second) return concat("output.classes: value ", c.value, " is there twice");
  }
  if (spec.stride_px < 1) return concat("input.stride_px must be at least 1, it is ", spec.stride_px);
  if (spec.receptive_radius_px < 0) return "input.receptive_radius_px must not be negative";
  if (!std::isfinite(spec.pixel_size_m) || spec.pixel_size_m < 0.0)
    return "input.pixel_size_m must be 0 or more";
  if (!std::isfinite(spec.temperature) || spec.temperature <= 0.0)
    return "calibration.temperature must be above 0";
  for (const double v : {spec.extent_threshold, spec.watershed_cut, spec.boundary_threshold.value_or(0.5)}) {
    if (!(v >= 0.0 && v <= 1.0))
      return "delineation: extent_threshold, watershed_cut and boundary_threshold must lie in 0 to 1";
  }
  if (const double v = spec.min_area_m2.value_or(0.0); !(v >= 0.0) || !std::isfinite(v))
    return "delineation: min_area_m2 must be 0 or more";
  for (const auto& [key, value] : spec.architecture_parameters) {
    if (!std::isfinite(value)) return concat("architecture.parameters.", key, " is not finite");
  }
  return normalisation_problem(spec.normalisation, spec.bands.size());
}

template <class Value, std::size_t N>
const char* name_of(Value value, const std::pair<Value, const char*> (&names)[N]) {
  return std::ranges::find(names, value, &std::pair<Value, const char*>::first)->second;
}

json normalisation_json(const geo::Normalisation& n) {
  json stored = json::array();
  for (const auto& s : n.stored) {
    stored.push_back({{"low", s.low}, {"high", s.high}, {"mean", s.mean}, {"sd", s.sd}, {"count", s.count}});
  }
  return {{"method", name_of(n.method, kMethods)},
          {"scope", name_of(n.scope, kScopes)},
          {"per_band", n.per_band},
          {"low_percentile", n.low_percentile},
          {"high_percentile", n.high_percentile},
          {"divisor", n.divisor},
          {"stored", std::move(stored)}};
}

json delineation_json(const ModelSpec& spec) {
  json node{{"extent_threshold", spec.extent_threshold}, {"watershed_cut", spec.watershed_cut}};
  if (spec.boundary_threshold) node["boundary_threshold"] = *spec.boundary_threshold;
  if (spec.min_area_m2) node["min_area_m2"] = *spec.min_area_m2;
  return node;
}

json spec_json(const ModelSpec& spec) {
  json bands = json::array();
  for (const auto& band : spec.bands) bands.push_back({{"name", band.name}});
  json classes = json::array();
  for (const auto& c : spec.classes) classes.push_back({{"value", c.value}, {"name", c.name}});
  // json(map) of an empty map would become null.
  json parameters = json::object();
  for (const auto& [key, value] : spec.architecture_parameters) parameters[key] = value;
  json training = json::object();
  for (const auto& [key, value] : spec.training) training[key] = value;
  json root;
  root["schema"] = kSchema;
  root["id"] = spec.id;
  root["created"] = spec.created;
  root["architecture"] = {{"name", spec.architecture}, {"parameters", std::move(parameters)}};
  root["input"] = {{"bands", std::move(bands)},
                   {"pixel_size_m", spec.pixel_size_m},
                   {"stride_px", spec.stride_px},
                   {"receptive_radius_px", spec.receptive_radius_px}};
  root["normalisation"] = normalisation_json(spec.normalisation);
  root["output"] = {{"classes", std::move(classes)}};
  root["calibration"] = {{"method", "temperature"}, {"temperature", spec.temperature}};
  root["delineation"] = delineation_json(spec);
  root["weights"] = {{"file", spec.weights_file}, {"sha256", spec.weights_sha256}};
  root["torchscript"] = {{"file", spec.torchscript_file}};
  if (const auto& features = spec.features) {
    root["features"] = {{"file", features->file},
                        {"sha256", features->sha256},
                        {"window_px", features->window_px},
                        {"train_windows", features->train_windows},
                        {"reference_windows", features->reference_windows}};
  }
  root["training"] = std::move(training);
  return root;
}

json parse_file(const std::filesystem::path& file) {
  const std::string text = geo::read_text_file(file);
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    std::string what = error.what();
    if (const auto end = what.find("] "); end != std::string::npos) what.erase(0, end + 2);
    throw ModelError(concat(geo::quoted(file.string()), " is not valid JSON: ", what));
  }
}

void check_schema(const json& root, const std::string& file) {
  if (!root.is_object())
    throw ModelError(concat(geo::quoted(file), " must hold a JSON object, got ", what_is(root)));
  const std::string found = Node(root, file, "").text("schema");
  if (found == kSchema) return;
  const bool newer = found.starts_with("furrow/model/");
  throw ModelError(concat(geo::quoted(file), ": key 'schema' must be \"", kSchema, "\", got \"", found, "\"",
                          newer ? "; the model was written by another version of Furrow" : ""));
}

}  // namespace

ModelSpec read_model_spec(const std::filesystem::path& folder) {
  std::error_code ec;
  if (!std::filesystem::exists(folder, ec)) {
    throw IoError(concat("cannot open model folder ", geo::quoted(folder.string()), ": no such folder"));
  }
  if (!std::filesystem::is_directory(folder, ec)) {
    throw IoError(concat(geo::quoted(folder.string()),
                         " is a file, not a model folder; name the folder that holds model.json"));
  }
  const std::filesystem::path path = folder / kFileName;
  if (!std::filesystem::exists(path, ec)) {
    throw IoError(concat(geo::quoted(folder.string()), " is not a model folder: it has no model.json"));
  }
  const json root = parse_file(path);
  check_schema(root, path.string());
  ModelSpec spec = read_root(Node(root, path.string(), ""));
  if (const std::string problem = spec_problem(spec); !problem.empty()) {
    throw ModelError(concat(geo::quoted(path.string()), ": ", problem));
  }
  return spec;
}

void write_model_spec(const ModelSpec& spec, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kFileName;
  if (const std::string problem = spec_problem(spec); !problem.empty()) {
    throw ModelError(concat("cannot write ", geo::quoted(path.string()), ": ", problem));
  }
  // nlohmann's object is a std::map: keys come out sorted.
  geo::write_text_file(path, spec_json(spec).dump(2) + "\n", true);
}

void store_delineation(const ModelSpec& spec, const std::filesystem::path& folder) {
  const ModelSpec before = read_model_spec(folder);
  const std::filesystem::path path = folder / kFileName;
  if (const std::string problem = spec_problem(spec); !problem.empty()) {
    throw ModelError(concat("cannot write ", geo::quoted(path.string()), ": ", problem));
  }
  auto root = nlohmann::ordered_json::parse(geo::read_text_file(path));
  auto& block = root["delineation"];
  const json values = delineation_json(spec);
  for (const auto& [key, value] : values.items()) block[key] = value.get<double>();
  if (values != delineation_json(before) && root.erase(kConfidence) > 0) {
    geo::log_warning(concat("the calibration of confidence in ", geo::quoted(path.string()),
                            " was made for other thresholds and is taken out; make it anew with furrow "
                            "quality --calibration-model"));
  }
  geo::write_text_file(path, root.dump(2) + "\n", true);
}

std::optional<std::string> read_confidence(const std::filesystem::path& folder) {
  (void)read_model_spec(folder);
  const auto root = nlohmann::ordered_json::parse(geo::read_text_file(folder / kFileName));
  const auto block = root.find(kConfidence);
  if (block == root.end()) return std::nullopt;
  return block->dump();
}

void store_confidence(const std::string& json_text, const std::filesystem::path& folder) {
  (void)read_model_spec(folder);
  const std::filesystem::path path = folder / kFileName;
  auto root = nlohmann::ordered_json::parse(geo::read_text_file(path));
  root[kConfidence] = nlohmann::ordered_json::parse(json_text);
  geo::write_text_file(path, root.dump(2) + "\n", true);
}

bool fits_pixel_size(const ModelSpec& spec, double pixel_size_m) {
  if (spec.pixel_size_m <= 0.0 || pixel_size_m <= 0.0) return true;
  const double ratio = pixel_size_m / spec.pixel_size_m;
  // A little slack, so that 10 m and 5 m pass whatever way they were computed.
  constexpr double kFactor = 2.0 * (1.0 + 1e-3);
  return ratio <= kFactor && ratio >= 1.0 / kFactor;
}

void check_image(const ModelSpec& spec, const std::string& image, int bands, double pixel_size_m) {
  const auto wanted = static_cast<int>(spec.bands.size());
  if (bands != wanted) {
    std::vector<std::string> names;
    for (const auto& band : spec.bands) names.push_back(band.name);
    throw ModelError(concat("model ", geo::quoted(spec.id), " was made for ", wanted,
                            wanted == 1 ? " band (" : " bands (", geo::join(names, ", "), "), image ",
                            geo::quoted(image), " has ", bands,
                            "; give these bands in this order, or use another model"));
  }
  if (!fits_pixel_size(spec, pixel_size_m)) {
    throw ModelError(concat("model ", geo::quoted(spec.id), " was made for pixels of ",
                            geo::fixed(spec.pixel_size_m, 2), " m, image ", geo::quoted(image), " has ",
                            geo::fixed(pixel_size_m, 2),
                            " m (more than a factor of 2 apart); resample the image or use another model"));
  }
}

}  // namespace furrow::segmentation
