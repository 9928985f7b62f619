#pragma once

namespace furrow::segmentation {

enum class Precision {
  kFp32,
  kBf16  ///< convolutions in bfloat16; loss, weights and their updates in float32
};

/// Whether this processor multiplies bf16 itself; elsewhere it is slower than fp32.
[[nodiscard]] bool processor_has_bf16();

}  // namespace furrow::segmentation
