#include "computed_fields.h"

#include <algorithm>
#include <string>

#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

bool is_text(geo::FieldType type) {
  return type == geo::FieldType::kString || type == geo::FieldType::kDate ||
         type == geo::FieldType::kDateTime;
}

bool has_value(const geo::Layer& layer, std::size_t field) {
  return std::ranges::any_of(layer.features, [&](const geo::Feature& f) {
    return !std::holds_alternative<std::monostate>(f.values[field]);
  });
}

}  // namespace

void set_aside_foreign(geo::Layer& layer, std::span<const geo::FieldDefinition> computed) {
  for (std::size_t i = 0; i < layer.fields.size(); ++i) {
    const std::string name = layer.fields[i].name;
    const auto ours = std::ranges::find_if(computed, [&](const geo::FieldDefinition& f) {
      return geo::to_lower(f.name) == geo::to_lower(name);
    });
    if (ours == computed.end()) continue;
    if (is_text(ours->type) == is_text(layer.fields[i].type) || !has_value(layer, i)) continue;
    std::string other;
    for (int n = 1; other.empty() || layer.find_field(other) >= 0; ++n) other = geo::concat(name, '_', n);
    geo::log_warning(geo::concat(
        "field ", geo::quoted(name), " of ", geo::quoted(layer.source),
        " is not the attribute that quality computes under this name; it is kept as ", geo::quoted(other)));
    layer.fields[i].name = other;
  }
}

}  // namespace furrow::assessment
