#pragma once

#include <furrow/segmentation/model_spec.h>

#include "unet.h"

namespace furrow::segmentation {

/// Writes name and parameters of the architecture into a spec. `group_norm` and `multi_task` are there (as 1)
/// only for networks that have them.
void describe_network(const UNetOptions& options, ModelSpec& spec);

/// Whether the architecture is one of ours; others run as TorchScript.
[[nodiscard]] bool is_built_in(const ModelSpec& spec);

/// The network that a spec describes, without its dropout.
/// @throws geo::ModelError naming the parameter that is missing
[[nodiscard]] UNetOptions network_options(const ModelSpec& spec);

}  // namespace furrow::segmentation
