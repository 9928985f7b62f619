#include "start_from.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>

#include "architecture_spec.h"

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;

/// How pixels are normalised, without stored statistics.
std::string normalisation_text(const geo::Normalisation& how) {
  static constexpr const char* kMethods[] = {"minmax", "zscore", "divide"};
  std::string text = kMethods[static_cast<int>(how.method)];
  if (how.method == geo::NormaliseMethod::kDivide) return concat(text, " by ", geo::shortest(how.divisor));
  if (how.method == geo::NormaliseMethod::kMinMax) {
    text += concat(" of percentiles ", geo::shortest(how.low_percentile), " and ",
                   geo::shortest(how.high_percentile));
  }
  return concat(text, how.per_band ? " per band" : " of all bands together",
                how.scope == geo::NormaliseScope::kScene ? ", per scene" : ", stored");
}

bool same_statistics(const std::vector<geo::BandStatistics>& a, const std::vector<geo::BandStatistics>& b) {
  return std::ranges::equal(a, b, [](const geo::BandStatistics& x, const geo::BandStatistics& y) {
    return x.low == y.low && x.high == y.high && x.mean == y.mean && x.sd == y.sd;
  });
}

void warn_of_small_differences(const ModelSpec& spec, const TrainingData& data) {
  const auto warn = [&spec](const std::string& what) {
    geo::log_warning(concat("model ", quoted(spec.id), " that training starts from ", what));
  };
  std::vector<std::string> names;
  for (const ModelBand& band : spec.bands) names.push_back(band.name);
  if (names != data.band_names()) {
    warn(concat("has bands ", geo::join(names, ", "), ", the images have ",
                geo::join(data.band_names(), ", "), ": are they the same, in the same order?"));
  }
  if (spec.pixel_size_m > 0.0 && std::abs(data.pixel_size_m() / spec.pixel_size_m - 1.0) > 0.1) {
    warn(concat("was trained on pixels of ", geo::fixed(spec.pixel_size_m, 3), " m, the images have ",
                geo::fixed(data.pixel_size_m(), 3), " m"));
  }
  const geo::Normalisation& now = data.normalisation();
  if (now.scope == geo::NormaliseScope::kStored && !same_statistics(spec.normalisation.stored, now.stored))
    warn("was trained with other stored statistics (--norm-statistics gives the same to both)");
}

}  // namespace

std::vector<std::string> model_differences(const ModelSpec& spec, const UNetOptions& network,
                                           const geo::Normalisation& normalisation) {
  std::vector<std::string> found;
  const auto compare = [&found](const std::string& what, const std::string& had, const std::string& now) {
    if (had != now) found.push_back(concat(what, " ", had, ", here ", now));
  };
  ModelSpec here;
  describe_network(network, here);
  compare("architecture", spec.architecture, here.architecture);
  const auto parameter = [](const ModelSpec& of, const std::string& name) {
    const auto at = of.architecture_parameters.find(name);
    return at == of.architecture_parameters.end() ? std::string("none") : geo::shortest(at->second);
  };
  std::set<std::string> names;
  for (const ModelSpec* of : std::array<const ModelSpec*, 2>{&spec, &here}) {
    for (const auto& [name, value] : of->architecture_parameters) names.insert(name);
  }
  names.erase("dropout");
  for (const std::string& name : names) compare(name, parameter(spec, name), parameter(here, name));
  compare("bands", std::to_string(spec.bands.size()), std::to_string(network.bands));
  compare("classes", std::to_string(spec.classes.size()), std::to_string(network.classes));
  compare("normalisation", normalisation_text(spec.normalisation), normalisation_text(normalisation));
  return found;
}

void start_from_model(const std::filesystem::path& model, UNet& network, const TrainingData& data) {
  const ModelSpec spec = read_model_spec(model);
  const auto differences = model_differences(spec, network->options, data.normalisation());
  if (!differences.empty()) {
    throw geo::ModelError(concat("training cannot start from model ", quoted(model.string()), ": it has ",
                                 geo::join(differences, "; "), "; give the options it was trained with"));
  }
  const std::filesystem::path file = model / spec.weights_file;
  if (!spec.weights_sha256.empty() && geo::sha256_of_file(file) != spec.weights_sha256) {
    throw geo::ModelError(concat("weights ", quoted(file.string()),
                                 " have another checksum than model.json says; the file was changed or "
                                 "belongs to another model"));
  }
  warn_of_small_differences(spec, data);
  from_tensors(*network, read_safetensors(file), file.string());
  use_channels_last(*network);
}

}  // namespace furrow::segmentation
