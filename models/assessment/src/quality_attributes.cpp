#include "quality_attributes.h"

#include <array>

namespace furrow::assessment {

std::span<const geo::FieldDefinition> quality_attributes() {
  using geo::FieldType;
  static const std::array<geo::FieldDefinition, 18> kFields{
      {{"id", FieldType::kString, "Field id"},
       {"area_ha", FieldType::kReal, "Area (ha)"},
       {"perimeter_m", FieldType::kReal, "Perimeter (m)"},
       {"compactness", FieldType::kReal, "Compactness (1 = circle)"},
       {"shape_index", FieldType::kReal, "Shape index (1 = circle)"},
       {"p_field_mean", FieldType::kReal, "Mean field score"},
       {"p_field_min", FieldType::kReal, "Least field score"},
       {"boundary_strength", FieldType::kReal, "Boundary strength"},
       {"entropy_mean", FieldType::kReal, "Mean entropy (nats)"},
       {"risk_mean", FieldType::kReal, "Mean label risk"},
       {"weakest_shared_edge", FieldType::kReal, "Weakest shared edge"},
       {"n_pixels", FieldType::kInteger, "Pixels"},
       {"touches_edge", FieldType::kInteger, "Touches the image's edge"},
       {"cut_by_nodata", FieldType::kInteger, "Cut by nodata"},
       {"image_date", FieldType::kDate, "Image date"},
       {"confidence", FieldType::kInteger, "Confidence (0 to 100)"},
       {"p_match", FieldType::kReal, "Probability of a match"},
       {"flag", FieldType::kString, "Flag"}}};
  return kFields;
}

}  // namespace furrow::assessment
