#pragma once

#include <span>

#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

/// An attribute of the input that has the name of a computed one (in any case), but holds text where that
/// holds numbers or the reverse, gets the name <name>_1, with a warning. What an earlier run computed stays
/// under its name.
void set_aside_foreign(geo::Layer& layer, std::span<const geo::FieldDefinition> computed);

}  // namespace furrow::assessment
