#include "styles.h"

#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

std::string colour(const Rgb& rgb, int alpha) {
  return geo::concat(rgb[0], ",", rgb[1], ",", rgb[2], ",", alpha);
}

std::string symbol(const std::string& name, const std::string& fill, const std::string& fill_style,
                   const std::string& line, const char* width_mm) {
  return geo::concat("<symbol type=\"fill\" name=\"", name,
                     "\" alpha=\"1\" clip_to_extent=\"1\" force_rhr=\"0\">"
                     "<layer class=\"SimpleFill\" enabled=\"1\" locked=\"0\" pass=\"0\"><Option type=\"Map\">"
                     "<Option type=\"QString\" name=\"color\" value=\"",
                     fill,
                     "\"/>"
                     "<Option type=\"QString\" name=\"joinstyle\" value=\"bevel\"/>"
                     "<Option type=\"QString\" name=\"outline_color\" value=\"",
                     line,
                     "\"/>"
                     "<Option type=\"QString\" name=\"outline_style\" value=\"solid\"/>"
                     "<Option type=\"QString\" name=\"outline_width\" value=\"",
                     width_mm,
                     "\"/>"
                     "<Option type=\"QString\" name=\"outline_width_unit\" value=\"MM\"/>"
                     "<Option type=\"QString\" name=\"style\" value=\"",
                     fill_style, "\"/></Option></layer></symbol>");
}

std::string document(const std::string& renderer) {
  return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
         "<qgis styleCategories=\"Symbology\" version=\"3.22.0\">" +
         renderer + "</qgis>\n";
}

}  // namespace

std::string graduated_style(const std::string& attribute, const std::vector<StyleRange>& ranges) {
  std::string classes;
  std::string symbols;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const StyleRange& range = ranges[i];
    classes += geo::concat("<range symbol=\"", i, "\" lower=\"", geo::fixed(range.lower, 6), "\" upper=\"",
                           geo::fixed(range.upper, 6), "\" label=\"", range.label, "\" render=\"true\"/>");
    symbols += symbol(geo::concat(i), colour(range.fill, 170), "solid", "40,40,40,255", "0.2");
  }
  return document(geo::concat(
      "<renderer-v2 type=\"graduatedSymbol\" attr=\"", attribute,
      "\" graduatedMethod=\"GraduatedColor\" symbollevels=\"0\" enableorderby=\"0\" forceraster=\"0\">"
      "<ranges>",
      classes, "</ranges><symbols>", symbols, "</symbols></renderer-v2>"));
}

std::string outline_style(const Rgb& line) {
  return document(geo::concat(
      "<renderer-v2 type=\"singleSymbol\" symbollevels=\"0\" enableorderby=\"0\" forceraster=\"0\"><symbols>",
      symbol("0", "0,0,0,0", "no", colour(line, 255), "0.4"), "</symbols></renderer-v2>"));
}

}  // namespace furrow::assessment
