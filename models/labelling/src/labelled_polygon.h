#pragma once

#include <utility>

#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/labelling/campaign.h>

namespace furrow::labelling {

/// A feature as a labeller's polygon. @param category_field  position of its category; -1 = none
[[nodiscard]] inline LabelledPolygon labelled_polygon(geo::Feature feature, int category_field) {
  LabelledPolygon polygon;
  polygon.shape = std::move(feature.geometry);
  if (category_field >= 0) {
    polygon.category = geo::trim(geo::as_text(feature.values[static_cast<std::size_t>(category_field)]));
  }
  polygon.unsure = geo::to_lower(polygon.category).starts_with("unsure");
  return polygon;
}

}  // namespace furrow::labelling
