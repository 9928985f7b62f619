#pragma once

#include <array>
#include <string>
#include <vector>

#include <furrow/geo/vector/layer.h>

namespace furrow::assessment {

using Rgb = std::array<int, 3>;

/// One class of a graduated style: lower < value <= upper (the first class includes its lower end).
struct StyleRange {
  double lower = 0.0;
  double upper = 0.0;
  std::string label;
  Rgb fill;
};

/// How polygons are drawn: a part of a QGIS style. Fills by ranges of a number; polygons where it is unset
/// are grey. No range reaches below 0.
[[nodiscard]] std::string graduated_renderer(const std::string& attribute,
                                             const std::vector<StyleRange>& ranges);

/// How polygons are drawn: outlines without fill.
[[nodiscard]] std::string outline_renderer(const Rgb& line);

/// What a style says besides the drawing.
struct StyleTexts {
  std::string title;  ///< attribute that stands for a feature in lists and tips; empty = QGIS chooses
  std::string label;  ///< attribute that is written on the map; empty = none
};

/// A QGIS style (QML, read by QGIS 3.x and newer): drawing, aliases of the fields, and lists of the meanings
/// of their codes.
/// @param renderer  of the above; empty for a table
[[nodiscard]] std::string style_document(const std::string& renderer,
                                         const std::vector<geo::FieldDefinition>& fields,
                                         const StyleTexts& texts);

}  // namespace furrow::assessment
