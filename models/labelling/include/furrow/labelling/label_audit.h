#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Confident learning on segmentation labels: which labels does a model contradict, and in which images are
/// most of them? The model must not have seen these labels in training (predict out of sample). Reference:
/// Northcutt, Jiang and Chuang 2021, Confident Learning; Lad and Mueller 2023 for segmentation; numbers as
/// their authors' program gives them.
namespace furrow::labelling {

/// An image's labels and what a model says of it. Not owned.
struct AuditImage {
  std::span<const std::uint8_t> labels;  ///< one per pixel; geo::kIgnore (255) = no label
  std::span<const float> probabilities;  ///< shape [classes, pixels], 0..1
};

struct LabelAuditOptions {
  int classes = 3;           ///< 2..255
  double temperature = 0.1;  ///< of the image score; > 0. Lower looks at the worst pixels only
};

struct LabelAudit {
  /// Mean probability of a class over the pixels with its label: how sure the model is where it is right to
  /// be. NaN for a class that no pixel has.
  std::vector<double> class_threshold;
  /// One per image, 0..1: sum of p softmax((1 - p) / temperature) over its pixels, p the probability of the
  /// given label. The lowest scores are the images to look at first. NaN for an image without labels.
  std::vector<double> image_score;
  std::vector<std::int64_t> issues;  ///< pixels in the masks, one per image
  /// 1 where the label is doubtful, one mask per image.
  std::vector<std::vector<std::uint8_t>> masks;
};

/// Finds doubtful labels. As many pixels are expected to be wrong as there are pixels whose most probable
/// class is not the label and is at least as probable as that class's threshold; of all pixels of all images,
/// so many with the least probable labels are taken, and those of them whose label is the most probable class
/// all the same are left out. Of equal probabilities the first pixels are taken. A pixel without a label, or
/// with a probability that is not finite, is passed over.
/// @throws InvalidArgument  options out of range; an image whose lengths do not fit; a label beyond the
/// classes Memory: 4 bytes per labelled pixel and the masks. Thread-safe.
[[nodiscard]] LabelAudit audit_labels(std::span<const AuditImage> images, const LabelAuditOptions& options);

}  // namespace furrow::labelling
