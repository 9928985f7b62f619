#pragma once

#include <span>

#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

/// The attributes that add_field_quality sets, in their order.
[[nodiscard]] std::span<const geo::FieldDefinition> quality_attributes();

}  // namespace furrow::assessment
