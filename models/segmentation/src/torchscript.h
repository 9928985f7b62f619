#pragma once

#include <filesystem>

#include "unet.h"

namespace furrow::segmentation {

/// Writes a U-Net in evaluation mode as TorchScript: `forward(x)` gives logits, for any H and W that are
/// multiples of the stride. Parameter names as in the network. Python loads it with torch.jit.load.
/// @throws geo::ModelError  when the file, read back, does not answer as the network does (within 1e-5 of the
/// largest
///                          logit); geo::IoError when it cannot be written
void write_torchscript(const UNet& network, const std::filesystem::path& path);

}  // namespace furrow::segmentation
