#include <furrow/labelling/label_audit.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

#include "audit_pixels.h"

namespace furrow::labelling {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check(std::span<const AuditImage> images, const LabelAuditOptions& options) {
  if (options.classes < 2 || options.classes > 255 || !(options.temperature > 0.0))
    throw geo::InvalidArgument("label audit: needs 2 to 255 classes and a temperature above 0");
  const auto classes = static_cast<std::size_t>(options.classes);
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].probabilities.size() != classes * images[i].labels.size()) {
      throw geo::InvalidArgument(geo::concat("label audit: image ", i, " has ", images[i].labels.size(),
                                             " labels but ", images[i].probabilities.size(),
                                             " probabilities of ", classes, " classes"));
    }
    for (const std::uint8_t label : images[i].labels) {
      if (label != geo::kIgnore && label >= classes)
        throw geo::InvalidArgument(geo::concat("label audit: image ", i, " has the label ", int{label}));
    }
  }
}

std::vector<double> class_thresholds(std::span<const AuditImage> images, std::size_t classes) {
  std::vector<double> sums(classes, 0.0);
  std::vector<double> pixels(classes, 0.0);
  for (const auto& image : images) {
    for_each_pixel(image, classes, [&](const AuditPixel& pixel, std::size_t) {
      sums[pixel.label] += double{pixel.given};
      pixels[pixel.label] += 1.0;
    });
  }
  for (std::size_t c = 0; c < classes; ++c) sums[c] = pixels[c] > 0.0 ? sums[c] / pixels[c] : kNaN;
  return sums;
}

double image_score(const AuditImage& image, std::size_t classes, double temperature) {
  // exp((1 - p) / t) is scaled by its largest, so that a low temperature does not overflow.
  double least = std::numeric_limits<double>::infinity();
  for_each_pixel(image, classes,
                 [&](const AuditPixel& pixel, std::size_t) { least = std::min(least, double{pixel.given}); });
  double sum = 0.0;
  double weights = 0.0;
  for_each_pixel(image, classes, [&](const AuditPixel& pixel, std::size_t) {
    const double weight = std::exp((least - double{pixel.given}) / temperature);
    sum += weight * double{pixel.given};
    weights += weight;
  });
  return weights > 0.0 ? sum / weights : kNaN;
}

/// The pixels with the least probable labels.
struct Cut {
  float below = 0.0F;    ///< all pixels below this belong to them, ...
  std::size_t ties = 0;  ///< ... and so many of those at it
};

Cut find_cut(std::span<const AuditImage> images, std::size_t classes, const std::vector<double>& thresholds) {
  std::vector<float> given;
  std::size_t expected = 0;
  for (const auto& image : images) {
    for_each_pixel(image, classes, [&](const AuditPixel& pixel, std::size_t) {
      given.push_back(pixel.given);
      if (contradicts(pixel, thresholds)) ++expected;
    });
  }
  if (expected == 0) return {};
  const auto last = given.begin() + static_cast<std::ptrdiff_t>(expected) - 1;
  std::ranges::nth_element(given, last);
  const auto below = std::count_if(given.begin(), last, [&](float p) { return p < *last; });
  return {*last, expected - static_cast<std::size_t>(below)};
}

}  // namespace

LabelAudit audit_labels(std::span<const AuditImage> images, const LabelAuditOptions& options) {
  check(images, options);
  const auto classes = static_cast<std::size_t>(options.classes);
  LabelAudit audit;
  audit.class_threshold = class_thresholds(images, classes);
  Cut cut = find_cut(images, classes, audit.class_threshold);
  for (const auto& image : images) {
    audit.image_score.push_back(image_score(image, classes, options.temperature));
    auto& mask = audit.masks.emplace_back(image.labels.size(), std::uint8_t{0});
    std::int64_t issues = 0;
    for_each_pixel(image, classes, [&](const AuditPixel& pixel, std::size_t i) {
      if (pixel.given > cut.below || (pixel.given == cut.below && cut.ties == 0)) return;
      if (pixel.given == cut.below) --cut.ties;
      if (pixel.predicted == pixel.label) return;
      mask[i] = 1;
      ++issues;
    });
    audit.issues.push_back(issues);
  }
  return audit;
}

}  // namespace furrow::labelling
