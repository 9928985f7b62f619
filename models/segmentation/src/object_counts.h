#pragma once

#include <cstdint>
#include <span>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>

namespace furrow::segmentation {

/// Fields of labels and of predictions, and how many are the same.
struct ObjectCounts {
  std::int64_t labelled = 0;   ///< fields of the labels
  std::int64_t predicted = 0;  ///< fields of the scores
  std::int64_t matched = 0;    ///< pairs with IoU above 0.5: each field is in one pair at most

  ObjectCounts& operator+=(const ObjectCounts& other);
  /// 2 matched / (labelled + predicted); NaN without labelled fields.
  [[nodiscard]] double f1() const;
};

/// Compares two rasters of field numbers of one window (0, kUnknownInstance: no field). A field is what has a
/// pixel; two of them are the same when more than half of their union is common.
[[nodiscard]] ObjectCounts count_common_fields(const geo::Raster<std::uint32_t>& labelled,
                                               const geo::Raster<std::uint32_t>& predicted);

/// Compares the fields of a window's scores with those of its labels.
///
/// Both are delineated as `geo::delineate` does with its default options (watershed on the boundary score,
/// fields keep their boundary pixels, small ones absorbed or rejected), the labels as scores of 0 and 1: a
/// network that answers with the labels has F1 = 1. Two fields that share more than half of their union have
/// no such partner beside each other, so the pairs are one to one. Ignored pixels (label 255) belong to no
/// field on either side. Scores are softmax(logits), in steps of 1/200.
///
/// @param logits        [rows, cols, 3]: background, interior, boundary
/// @param labels        [rows, cols]: 0, 1, 2, 255
/// @param cols          width of the window, px
/// @param pixel_size_m  side of a pixel, for the smallest field
/// Same result for any number of threads.
[[nodiscard]] ObjectCounts count_objects(std::span<const float> logits, std::span<const std::uint8_t> labels,
                                         std::int64_t cols, double pixel_size_m, geo::ExecContext& exec);

}  // namespace furrow::segmentation
