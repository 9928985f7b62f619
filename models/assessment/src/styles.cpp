#include "styles.h"

#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

using geo::concat;

constexpr Rgb kNoValue{190, 190, 190};
// An image below may show through, but must not make two fields of one class look like two classes.
constexpr int kFillAlpha = 210;

std::string xml(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string colour(const Rgb& rgb, int alpha) {
  return concat(rgb[0], ",", rgb[1], ",", rgb[2], ",", alpha);
}

std::string symbol(const std::string& name, const std::string& fill, const std::string& fill_style,
                   const std::string& line, const char* width_mm) {
  return concat("<symbol type=\"fill\" name=\"", name,
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

std::string aliases(const std::vector<geo::FieldDefinition>& fields) {
  std::string out;
  for (const auto& field : fields) {
    if (!field.alias.empty())
      out += concat("<alias field=\"", xml(field.name), "\" name=\"", xml(field.alias), "\"/>");
  }
  return concat("<aliases>", out, "</aliases>");
}

std::string value_map(const geo::FieldDefinition& field) {
  std::string entries;
  for (const auto& code : field.codes) {
    entries += concat("<Option type=\"Map\"><Option type=\"QString\" name=\"", xml(code.meaning),
                      "\" value=\"", xml(code.value), "\"/></Option>");
  }
  return concat(
      "<field name=\"", xml(field.name),
      "\"><editWidget type=\"ValueMap\"><config><Option type=\"Map\"><Option type=\"List\" name=\"map\">",
      entries, "</Option></Option></config></editWidget></field>");
}

std::string value_maps(const std::vector<geo::FieldDefinition>& fields) {
  std::string out;
  for (const auto& field : fields) {
    if (!field.codes.empty()) out += value_map(field);
  }
  return concat("<fieldConfiguration>", out, "</fieldConfiguration>");
}

/// Black letters on a white rim, which fields of any colour leave readable.
std::string labelling(const std::string& attribute) {
  if (attribute.empty()) return {};
  return concat("<labeling type=\"simple\"><settings calloutType=\"simple\"><text-style fieldName=\"",
                xml(attribute),
                "\" isExpression=\"0\" fontSize=\"9\" fontSizeUnit=\"Point\" textColor=\"20,20,20,255\" "
                "textOpacity=\"1\"><text-buffer bufferDraw=\"1\" bufferSize=\"0.8\" bufferSizeUnits=\"MM\" "
                "bufferColor=\"255,255,255,255\" bufferOpacity=\"1\"/></text-style>"
                "<placement placement=\"1\" polygonPlacementFlags=\"2\"/></settings></labeling>");
}

}  // namespace

std::string graduated_renderer(const std::string& attribute, const std::vector<StyleRange>& ranges) {
  std::vector<StyleRange> all = ranges;
  all.push_back({-1.0, -1.0, "no value", kNoValue});
  std::string classes;
  std::string symbols;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const StyleRange& range = all[i];
    classes += concat("<range symbol=\"", i, "\" lower=\"", geo::fixed(range.lower, 6), "\" upper=\"",
                      geo::fixed(range.upper, 6), "\" label=\"", xml(range.label), "\" render=\"true\"/>");
    symbols += symbol(concat(i), colour(range.fill, kFillAlpha), "solid", "40,40,40,255", "0.2");
  }
  return concat(
      "<renderer-v2 type=\"graduatedSymbol\" attr=\"", xml(concat("coalesce(\"", attribute, "\", -1)")),
      "\" graduatedMethod=\"GraduatedColor\" symbollevels=\"0\" enableorderby=\"0\" forceraster=\"0\">"
      "<ranges>",
      classes, "</ranges><symbols>", symbols, "</symbols></renderer-v2>");
}

std::string outline_renderer(const Rgb& line) {
  return concat(
      "<renderer-v2 type=\"singleSymbol\" symbollevels=\"0\" enableorderby=\"0\" forceraster=\"0\"><symbols>",
      symbol("0", "0,0,0,0", "no", colour(line, 255), "0.4"), "</symbols></renderer-v2>");
}

std::string style_document(const std::string& renderer, const std::vector<geo::FieldDefinition>& fields,
                           const StyleTexts& texts) {
  const std::string title =
      texts.title.empty()
          ? ""
          : concat("<previewExpression>", xml(concat('"', texts.title, '"')), "</previewExpression>");
  return concat(
      "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
      "<qgis styleCategories=\"",
      renderer.empty() ? "" : "Symbology|Labeling|", "Fields|Forms\" version=\"3.22.0\" labelsEnabled=\"",
      texts.label.empty() ? 0 : 1, "\">", renderer, labelling(texts.label), value_maps(fields),
      aliases(fields), title, "</qgis>\n");
}

}  // namespace furrow::assessment
