#pragma once

#include <string>

namespace furrow::segmentation {

/// Version of the LibTorch that training and prediction were built with; empty without LibTorch.
[[nodiscard]] std::string torch_version();

}  // namespace furrow::segmentation
