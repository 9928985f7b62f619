#pragma once

#include <cstdint>
#include <optional>
#include <tuple>

#include <furrow/segmentation/dataset_shift.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {

/// The dataset shift of a run's images: the farthest one, and how many lie beyond the limit.
class ShiftRecord {
 public:
  explicit ShiftRecord(double limit) : m_limit(limit) {}

  void add(const std::optional<segmentation::SceneShift>& shift) {
    if (!shift) return;
    if (shift->quantile > m_limit) ++m_beyond;
    const auto order = [](const segmentation::SceneShift& s) {
      return std::tuple(s.quantile, s.distance / s.usual);
    };
    if (!m_farthest || order(*shift) > order(*m_farthest)) m_farthest = shift;
  }

  /// Nothing when no image was measured.
  void record(StepContext& context) const {
    if (!m_farthest) return;
    context.record("shift_distance", m_farthest->distance);
    context.record("shift_quantile", m_farthest->quantile);
    context.record("shift_windows", m_farthest->windows);
    context.record("shifted_images", m_beyond);
  }

 private:
  double m_limit;
  std::optional<segmentation::SceneShift> m_farthest;
  std::int64_t m_beyond = 0;
};

}  // namespace furrow::workflow
