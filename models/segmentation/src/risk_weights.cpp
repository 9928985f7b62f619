#include <furrow/segmentation/risk_weights.h>

#include <algorithm>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

namespace furrow::segmentation {
namespace {

float weight_of(std::uint8_t label, float risk, const RiskOptions& options) {
  const double largest = 1.0 - 1.0 / options.classes;
  const double r = std::isnan(risk) ? largest : std::clamp(static_cast<double>(risk), 0.0, largest);
  double weight = std::max(options.floor, std::pow(1.0 - r / largest, options.gamma));
  if (label == geo::kBoundary) weight = std::max(weight, options.boundary_min);
  return static_cast<float>(weight);
}

}  // namespace

void check_risk_options(const RiskOptions& options) {
  const auto in_unit = [](double value) { return value >= 0.0 && value <= 1.0; };
  if (!(options.gamma >= 0.0))
    throw geo::InvalidArgument(geo::concat("risk gamma must be >= 0, got ", options.gamma));
  if (!in_unit(options.floor)) {
    throw geo::InvalidArgument(geo::concat("the risk floor must lie in 0..1, got ", options.floor));
  }
  if (!in_unit(options.boundary_min)) {
    throw geo::InvalidArgument(
        geo::concat("the least weight of boundary pixels must lie in 0..1, got ", options.boundary_min));
  }
  if (!in_unit(options.ignore_above)) {
    throw geo::InvalidArgument(
        geo::concat("the risk threshold must lie in 0..1, got ", options.ignore_above));
  }
  if (options.classes < 2) throw geo::InvalidArgument("risk weights need at least 2 classes");
}

std::vector<float> risk_weights(std::span<std::uint8_t> labels, std::span<const float> risk,
                                const RiskOptions& options) {
  check_risk_options(options);
  if (uses_risk(options.mode) && risk.size() != labels.size()) {
    throw geo::InvalidArgument(
        geo::concat("risk weights need one risk per label, got ", risk.size(), " for ", labels.size()));
  }
  std::vector<float> weights(labels.size(), 1.0f);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (options.mode == RiskMode::kIgnore && !(static_cast<double>(risk[i]) <= options.ignore_above)) {
      labels[i] = geo::kIgnore;
    }
    if (labels[i] == geo::kIgnore) {
      weights[i] = 0.0f;
    } else if (options.mode == RiskMode::kWeight || options.mode == RiskMode::kSoftWeight) {
      weights[i] = weight_of(labels[i], risk[i], options);
    }
  }
  return weights;
}

}  // namespace furrow::segmentation
