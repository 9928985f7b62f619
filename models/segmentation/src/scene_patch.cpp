#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>

#include "open_scene.h"

namespace furrow::segmentation {

using geo::concat;
using geo::quoted;
using geo::Window;

namespace {

/// Numbers in 0..1 of one band, scale and offset applied; NaN where there is none.
/// @throws geo::IoError
geo::Raster<float> read_shares(const char* what, const AlignedRaster& raster, const Window& window,
                               int band) {
  geo::Raster<float> shares = raster.read<float>(window, std::numeric_limits<float>::quiet_NaN(), band);
  const geo::BandInfo& info = raster.band(band);
  for (float& value : shares.data()) {
    value = static_cast<float>(static_cast<double>(value) * info.scale + info.offset);
    if (value < -1e-6f || value > 1.0f + 1e-6f) {
      throw geo::IoError(concat(what, " ", quoted(raster.path()), " holds ", value, "; a ", what,
                                " lies in 0..1 (set the band's scale when it is stored as an integer)"));
    }
    value = std::isnan(value) ? value : std::clamp(value, 0.0f, 1.0f);
  }
  return shares;
}

/// The three probabilities of a pixel made to add up to 1; false where one is missing.
/// @throws geo::IoError when they do not, apart from the rounding of a stored one (1/100)
bool settle_probabilities(std::array<float, kSoftClasses>& p, const AlignedRaster& raster) {
  constexpr double kRounding = 0.02;
  const double sum = static_cast<double>(p[0]) + static_cast<double>(p[1]) + static_cast<double>(p[2]);
  if (std::isnan(sum)) return false;
  if (std::abs(sum - 1.0) > kRounding) {
    throw geo::IoError(concat("posterior ", quoted(raster.path()), " holds probabilities ", p[0], ", ", p[1],
                              ", ", p[2],
                              " of one pixel, which do not add up to 1; give the posterior of the "
                              "three classes, as consensus writes it"));
  }
  for (float& value : p) value = static_cast<float>(static_cast<double>(value) / sum);
  return true;
}

/// [3, rows, cols]: probabilities of background, interior and boundary, NaN in all three where one is
/// missing.
geo::Raster<float> read_posterior(const AlignedRaster& raster, const Window& window) {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  geo::Raster<float> result(window.width, window.height, kSoftClasses);
  const bool binary = raster.bands() == 1;
  for (int band = 0; band < kSoftClasses; ++band) {
    if (binary && band != 1) continue;
    const auto shares = read_shares("posterior", raster, window, binary ? 0 : band);
    std::copy(shares.data().begin(), shares.data().end(), result.band(band).begin());
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(result.pixels()); ++i) {
    std::array<float, kSoftClasses> p{result.band(0)[i], result.band(1)[i], result.band(2)[i]};
    if (binary) p[0] = 1.0f - p[1];
    const bool known = settle_probabilities(p, raster);
    for (int c = 0; c < kSoftClasses; ++c) result.band(c)[i] = known ? p[static_cast<std::size_t>(c)] : kNone;
  }
  return result;
}

/// 1 - the largest probability; NaN where there is none.
geo::Raster<float> risk_of_posterior(const geo::Raster<float>& posterior) {
  geo::Raster<float> risk(posterior.width(), posterior.height());
  for (std::size_t i = 0; i < risk.data().size(); ++i) {
    risk.data()[i] = 1.0f - std::max({posterior.band(0)[i], posterior.band(1)[i], posterior.band(2)[i]});
  }
  return risk;
}

/// Ignores labels outside `own`, and those without image or wanted posterior; counts what is missing.
void ignore_unusable(Patch& piece, const geo::Raster<float>& risk, const Window& inside, const Window& own) {
  for (std::int64_t row = 0; row < inside.height; ++row) {
    for (std::int64_t col = 0; col < inside.width; ++col) {
      const Window here{inside.col + col, inside.row + row, 1, 1};
      std::uint8_t& label = piece.labels.at(col, row);
      if (geo::intersection(here, own).empty()) label = geo::kIgnore;
      if (label == geo::kIgnore) continue;
      if (piece.valid.at(col, row) == 0) {
        label = geo::kIgnore;
        ++piece.labelled_without_image;
      } else if (!piece.targets.empty() && std::isnan(piece.targets.at(col, row))) {
        label = geo::kIgnore;
        ++piece.labelled_without_posterior;
      } else if (!risk.empty() && std::isnan(risk.at(col, row))) {
        ++piece.labelled_without_risk;
      }
    }
  }
}

/// Clears soft targets of ignored pixels; counts labels that are not the likeliest class of their posterior.
void settle_targets(Patch& piece) {
  if (piece.targets.empty()) return;
  for (std::size_t i = 0; i < piece.labels.data().size(); ++i) {
    const std::uint8_t label = piece.labels.data()[i];
    float largest = 0.0f;
    for (int c = 0; c < kSoftClasses; ++c) {
      float& p = piece.targets.band(c)[i];
      if (label == geo::kIgnore) p = 0.0f;
      largest = std::max(largest, p);
    }
    if (label != geo::kIgnore && piece.targets.band(label)[i] < largest) ++piece.labelled_against_posterior;
  }
}

}  // namespace

Patch load_patch(const OpenScene& scene, const Window& window, const Window& own,
                 const TrainingDataOptions& options) {
  const int target_classes = uses_soft_targets(options.risk.mode) ? kSoftClasses : 0;
  const Window inside = geo::intersection(window, scene.image.grid().window());
  Patch piece;
  piece.pixels = scene.image.read(inside);
  piece.valid = scene.image.read_valid(inside);
  geo::normalise(piece.pixels, options.normalisation, scene.statistics, piece.valid.data());
  piece.labels = scene.labels.read(inside);
  geo::Raster<float> risk;
  if (scene.posterior) piece.targets = read_posterior(*scene.posterior, inside);
  if (scene.risk) {
    risk = read_shares("risk", *scene.risk, inside, 0);
  } else if (uses_risk(options.risk.mode)) {
    risk = risk_of_posterior(piece.targets);
  }
  if (target_classes == 0) piece.targets = {};
  ignore_unusable(piece, risk, inside, own);
  RiskOptions weighing = options.risk;
  if (scene.posterior && scene.posterior->bands() == 1) weighing.classes = 2;
  piece.weights = geo::Raster<float>(inside.width, inside.height);
  piece.weights.data() = risk_weights(piece.labels.data(), risk.data(), weighing);
  settle_targets(piece);
  Patch patch(window.width, window.height, scene.image.bands(), target_classes);
  patch.labelled_without_image = piece.labelled_without_image;
  patch.labelled_without_risk = piece.labelled_without_risk;
  patch.labelled_without_posterior = piece.labelled_without_posterior;
  patch.labelled_against_posterior = piece.labelled_against_posterior;
  patch.place(piece, inside.col - window.col, inside.row - window.row);
  return patch;
}

std::string checksum(const Patch& patch) {
  geo::Sha256 hash;
  const auto add = [&hash](const auto& values) {
    hash.update({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])});
  };
  add(patch.pixels.data());
  add(patch.labels.data());
  add(patch.weights.data());
  if (!patch.targets.empty()) add(patch.targets.data());
  return hash.hex_digest();
}

}  // namespace furrow::segmentation
