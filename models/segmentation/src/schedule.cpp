#include <furrow/segmentation/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace furrow::segmentation {
namespace {

/// From 1 to 0 while `done` goes from 0 to 1.
double half_cosine(double done) {
  return 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

double one_cycle(std::int64_t step, std::int64_t steps, double peak) {
  constexpr double kRise = 0.3;
  const double start = peak / 25.0;
  const double end = start / 1e4;
  const double top = std::max(0.0, kRise * static_cast<double>(steps) - 1.0);
  const double last = static_cast<double>(steps - 1);
  const double at = static_cast<double>(step);
  if (at < top) return peak + (start - peak) * half_cosine(at / top);
  return last <= top ? peak : end + (peak - end) * half_cosine((at - top) / (last - top));
}

}  // namespace

double learning_rate_at(std::int64_t step, std::int64_t steps, double peak,
                        const LearningRateSchedule& schedule) {
  if (schedule.kind == ScheduleKind::kOneCycle) return one_cycle(step, steps, peak);
  const std::int64_t warm_up = std::max<std::int64_t>(1, steps / 20);
  if (step < warm_up) return peak * static_cast<double>(step + 1) / static_cast<double>(warm_up);
  const double done =
      static_cast<double>(step - warm_up) / static_cast<double>(std::max<std::int64_t>(1, steps - warm_up));
  if (schedule.kind == ScheduleKind::kPolynomial)
    return peak * (1e-3 + (1.0 - 1e-3) * std::pow(1.0 - done, schedule.power));
  return peak * (1e-3 + (1.0 - 1e-3) * 0.5 * (1.0 + std::cos(std::numbers::pi * done)));
}

}  // namespace furrow::segmentation
