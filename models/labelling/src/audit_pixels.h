#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include <furrow/geo/raster/rasterize.h>
#include <furrow/labelling/label_audit.h>

namespace furrow::labelling {

/// One labelled pixel.
struct AuditPixel {
  std::size_t label;
  std::size_t predicted;  ///< most probable class, the first of several
  float given;            ///< probability of the label
  float top;              ///< probability of `predicted`
};

/// Calls use(pixel, position) for every pixel that has a label and finite probabilities.
template <class TUse>
void for_each_pixel(const AuditImage& image, std::size_t classes, const TUse& use) {
  const std::size_t pixels = image.labels.size();
  for (std::size_t i = 0; i < pixels; ++i) {
    if (image.labels[i] == geo::kIgnore) continue;
    AuditPixel pixel{image.labels[i], 0, image.probabilities[image.labels[i] * pixels + i],
                     image.probabilities[i]};
    bool finite = true;
    for (std::size_t c = 0; c < classes; ++c) {
      const float p = image.probabilities[c * pixels + i];
      finite = finite && std::isfinite(p);
      if (p <= pixel.top) continue;
      pixel.top = p;
      pixel.predicted = c;
    }
    if (finite) use(pixel, i);
  }
}

/// The model names another class, at least as surely as it names that class where it is labelled. A class
/// without labels has no threshold to reach: the comparison with NaN is false.
inline bool contradicts(const AuditPixel& pixel, const std::vector<double>& thresholds) {
  constexpr double kMargin = 1e-6;  // below a threshold that still reaches it
  return pixel.predicted != pixel.label && double{pixel.top} >= thresholds[pixel.predicted] - kMargin;
}

}  // namespace furrow::labelling
