#pragma once

#include <filesystem>

#include "safetensors.h"

namespace furrow::segmentation {

/// Reads weights that Python saved with `torch.save(dict(model.state_dict()), file)`: a plain dict from names
/// to tensors. Half-precision numbers become float32.
///
/// LibTorch cannot build Python's own classes: of an OrderedDict, which state_dict() gives, it makes nothing
/// at all, without a word. This and other contents (a whole module, a Lightning checkpoint) are errors that
/// say what to do in Python.
/// @throws geo::IoError     the file cannot be read
/// @throws geo::ModelError  it holds something else
[[nodiscard]] SafeTensors read_pickled_weights(const std::filesystem::path& path);

}  // namespace furrow::segmentation
