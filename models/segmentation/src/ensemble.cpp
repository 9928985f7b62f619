#include <furrow/segmentation/ensemble.h>

#include <algorithm>
#include <numeric>
#include <string>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

constexpr double kPixelSizeFactor = 1.1;

bool same_statistics(const geo::BandStatistics& a, const geo::BandStatistics& b) {
  return a.low == b.low && a.high == b.high && a.mean == b.mean && a.sd == b.sd;
}

/// Whether both make the same input of an image.
bool same_normalisation(const geo::Normalisation& a, const geo::Normalisation& b) {
  if (a.method != b.method) return false;
  if (a.method == geo::NormaliseMethod::kDivide) return a.divisor == b.divisor;
  const bool percentiles = a.method == geo::NormaliseMethod::kZScore ||
                           (a.low_percentile == b.low_percentile && a.high_percentile == b.high_percentile);
  const bool stored =
      a.scope != geo::NormaliseScope::kStored || std::ranges::equal(a.stored, b.stored, same_statistics);
  return a.scope == b.scope && a.per_band == b.per_band && percentiles && stored;
}

/// What of `b` does not fit `a`; empty = nothing.
std::string difference(const ModelSpec& a, const ModelSpec& b) {
  if (!std::ranges::equal(a.bands, b.bands, {}, &ModelBand::name, &ModelBand::name)) return "bands";
  const auto same_class = [](const ModelClass& x, const ModelClass& y) {
    return x.value == y.value && x.name == y.name;
  };
  if (!std::ranges::equal(a.classes, b.classes, same_class)) return "classes";
  if (!same_normalisation(a.normalisation, b.normalisation)) return "normalisation";
  if (a.pixel_size_m > 0.0 && b.pixel_size_m > 0.0) {
    const auto [least, most] = std::minmax(a.pixel_size_m, b.pixel_size_m);
    if (most > least * kPixelSizeFactor) return "pixel size";
  }
  return {};
}

}  // namespace

ModelSpec ensemble_spec(std::span<const ModelSpec> models) {
  if (models.empty()) throw geo::InvalidArgument("an ensemble needs a model");
  ModelSpec all = models.front();
  if (models.size() == 1) return all;
  std::string checksums = all.weights_sha256;
  for (const ModelSpec& model : models.subspan(1)) {
    if (const std::string what = difference(models.front(), model); !what.empty()) {
      throw geo::ModelError(geo::concat("models ", geo::quoted(models.front().id), " and ",
                                        geo::quoted(model.id), " cannot score together: they differ in ",
                                        what));
    }
    all.receptive_radius_px = std::max(all.receptive_radius_px, model.receptive_radius_px);
    all.stride_px = std::lcm(all.stride_px, model.stride_px);
    checksums += model.weights_sha256;
  }
  all.id = "ensemble";
  for (const ModelSpec& model : models) all.id += " " + model.id;
  all.weights_sha256 = geo::sha256_of(checksums);
  return all;
}

}  // namespace furrow::segmentation
