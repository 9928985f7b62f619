#pragma once

#include <array>
#include <string>
#include <vector>

namespace furrow::assessment {

using Rgb = std::array<int, 3>;

/// One class of a graduated style: lower < value <= upper.
struct StyleRange {
  double lower = 0.0;
  double upper = 0.0;
  std::string label;
  Rgb fill;
};

/// QGIS style (QML) that fills polygons by ranges of a number.
[[nodiscard]] std::string graduated_style(const std::string& attribute,
                                          const std::vector<StyleRange>& ranges);

/// QGIS style (QML) of outlines without fill.
[[nodiscard]] std::string outline_style(const Rgb& line);

}  // namespace furrow::assessment
