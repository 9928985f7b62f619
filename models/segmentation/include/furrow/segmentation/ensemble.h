#pragma once

#include <span>

#include <furrow/segmentation/model_spec.h>

namespace furrow::segmentation {

/// The contract of several models that score one scene together, each of them a pass (Lakshminarayanan et al.
/// 2017): what they agree on, the widest receptive radius, a stride that is a multiple of all, an id and a
/// checksum of all in their order. Features for the dataset shift are those of the first.
/// @throws geo::InvalidArgument  no model
/// @throws geo::ModelError  bands, classes, normalisation or pixel size (beyond a factor 1.1) differ; says
///         what and of which models
[[nodiscard]] ModelSpec ensemble_spec(std::span<const ModelSpec> models);

}  // namespace furrow::segmentation
