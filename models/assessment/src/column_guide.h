#pragma once

#include <string>

#include <furrow/assessment/analyst_layer.h>

namespace furrow::assessment {

/// Gives known columns of a layer their title, description and codes; titles that are there stay. Of `flag`,
/// whose cells are lists, the lists that occur are codes too.
void describe_columns(geo::Layer& layer, AnalystLayer kind);

/// Whether such a layer has a column of that name.
[[nodiscard]] bool is_known_column(const std::string& name, AnalystLayer kind);

}  // namespace furrow::assessment
