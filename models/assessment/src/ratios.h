#pragma once

#include <cstdint>
#include <limits>

namespace furrow::assessment {

/// part / whole; NaN without a whole.
inline double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? std::numeric_limits<double>::quiet_NaN()
                    : static_cast<double>(part) / static_cast<double>(whole);
}

/// Harmonic mean of correct / predicted and found / reference; 0 when one is 0 or undefined, NaN when there
/// is nothing on either side.
inline double f1_of(std::int64_t correct, std::int64_t predicted, std::int64_t found,
                    std::int64_t reference) {
  if (predicted == 0 && reference == 0) return std::numeric_limits<double>::quiet_NaN();
  if (correct == 0 || found == 0) return 0.0;
  const double precision = ratio(correct, predicted);
  const double recall = ratio(found, reference);
  return 2.0 * precision * recall / (precision + recall);
}

}  // namespace furrow::assessment
