#include "architecture_spec.h"

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

constexpr const char* kGroupNorm = "group_norm";
constexpr const char* kMultiTask = "multi_task";
constexpr const char* kDropout = "dropout";

double parameter(const ModelSpec& spec, const std::string& name) {
  const auto found = spec.architecture_parameters.find(name);
  if (found == spec.architecture_parameters.end()) {
    throw geo::ModelError(geo::concat("model.json of model ", geo::quoted(spec.id),
                                      " lacks architecture parameter ", geo::quoted(name)));
  }
  return found->second;
}

bool has(const ModelSpec& spec, const char* name) {
  const auto found = spec.architecture_parameters.find(name);
  return found != spec.architecture_parameters.end() && found->second != 0.0;
}

}  // namespace

void describe_network(const UNetOptions& options, ModelSpec& spec) {
  spec.architecture = kNetworkNames[static_cast<std::size_t>(options.network)];
  spec.architecture_parameters = {{"base_width", static_cast<double>(options.base_width)},
                                  {"levels", static_cast<double>(options.levels)},
                                  {kDropout, options.dropout}};
  if (options.norm == NormKind::kGroup) spec.architecture_parameters[kGroupNorm] = 1.0;
  if (options.head == HeadKind::kMultiTask) spec.architecture_parameters[kMultiTask] = 1.0;
}

bool is_built_in(const ModelSpec& spec) {
  return std::ranges::find(kNetworkNames, spec.architecture) != kNetworkNames.end();
}

UNetOptions network_options(const ModelSpec& spec) {
  UNetOptions options;
  options.bands = static_cast<std::int64_t>(spec.bands.size());
  options.base_width = std::llround(parameter(spec, "base_width"));
  options.levels = std::llround(parameter(spec, "levels"));
  options.dropout = has(spec, kDropout) ? parameter(spec, kDropout) : 0.0;
  options.classes = static_cast<std::int64_t>(spec.classes.size());
  const auto at = std::ranges::find(kNetworkNames, spec.architecture) - kNetworkNames.begin();
  options.network = static_cast<NetworkKind>(at);
  if (has(spec, kGroupNorm)) options.norm = NormKind::kGroup;
  if (has(spec, kMultiTask)) options.head = HeadKind::kMultiTask;
  return options;
}

}  // namespace furrow::segmentation
