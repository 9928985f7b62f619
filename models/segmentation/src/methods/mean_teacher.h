#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/segmentation/training_data.h>

#include "unet.h"

namespace furrow::segmentation {

/// Windows of unlabelled images in pairs that show the same place: [N, bands, side, side] and [N, 1, side,
/// side].
struct UnlabelledWindows {
  torch::Tensor plain;    ///< turned at random, for the teacher
  torch::Tensor changed;  ///< the same, with the photometric part of augment(), for the student
  torch::Tensor valid;    ///< 1 = image data, else 0
};

/// Random windows of images without labels, normalised as the training data are. Thread-safe.
class UnlabelledImages {
 public:
  /// @throws geo::IoError, geo::CrsError  an image cannot be read
  /// @throws geo::ModelError              another number of bands or pixel size than the training images
  UnlabelledImages(const std::vector<std::string>& images, const TrainingData& data, geo::ExecContext& exec);
  ~UnlabelledImages();

  /// Windows of one step, depending on seed, epoch and step alone. An image is chosen as often as its area
  /// says; places without image data are avoided where eight tries find another.
  [[nodiscard]] UnlabelledWindows windows(std::int64_t epoch, std::int64_t step, std::int64_t count) const;
  /// Checksum of some windows: other images, other checksum.
  [[nodiscard]] std::string fingerprint() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Mean teacher (Tarvainen & Valpola 2017): the student is to answer unlabelled windows, changed in
/// brightness and noise, as the running mean of its own weights answers them unchanged.
///
/// Mean over image pixels and classes of (softmax of the student - softmax of the teacher)^2; gradients flow
/// through the student only. The teacher is in evaluation mode.
[[nodiscard]] torch::Tensor consistency_loss(UNet& student, UNet& teacher, const UnlabelledWindows& windows);

/// Share of its weight that the term has in an epoch (from 1): exp(-5 (1 - x)^2) with x = (epoch - 1) /
/// ramp_epochs up to 1, as in the paper.
[[nodiscard]] double consistency_ramp(std::int64_t ramp_epochs, std::int64_t epoch);

}  // namespace furrow::segmentation
