#include <furrow/assessment/analyst_layer.h>

#include <utility>
#include <vector>

#include "column_guide.h"
#include "styles.h"

namespace furrow::assessment {
namespace {

// Colour-blind-safe ramps: weak fields in dark red, good ones in blue.
constexpr Rgb kBad{165, 0, 38};
constexpr Rgb kPoor{244, 109, 67};
constexpr Rgb kFair{254, 224, 144};
constexpr Rgb kGood{116, 173, 209};
constexpr Rgb kBest{49, 54, 149};
constexpr Rgb kYellow{255, 235, 60};
constexpr Rgb kGrey{110, 110, 110};

/// A style that fills by ranges of one attribute.
struct Graduated {
  const char* name;
  const char* description;
  const char* attribute;
  std::vector<StyleRange> ranges;
};

/// What is known of one kind of layer.
struct Look {
  const char* name;
  const char* description;
  bool multi_polygon = false;
  std::vector<Graduated> graduated{};
  std::vector<Rgb> outlines{};  ///< colour of a style of outlines, or none
  StyleTexts texts{};
};

Look fields_look() {
  Look look{"fields", "Agricultural fields with quality attributes; areas in hectares, lengths in metres"};
  look.graduated = {{"Confidence",
                     "Fields by confidence, 0 to 100",
                     "confidence",
                     {{0, 40, "0 to 40", kBad},
                      {40, 55, "40 to 55", kPoor},
                      {55, 69, "55 to 69", kFair},
                      {69, 85, "69 to 85", kGood},
                      {85, 100, "85 to 100", kBest}}},
                    {"Field size",
                     "Fields by area in hectares",
                     "area_ha",
                     {{0, 0.5, "under 0.5 ha", {255, 255, 204}},
                      {0.5, 2, "0.5 to 2 ha", {194, 230, 153}},
                      {2, 5, "2 to 5 ha", {120, 198, 121}},
                      {5, 20, "5 to 20 ha", {49, 163, 84}},
                      {20, 1e9, "over 20 ha", {0, 104, 55}}}}};
  look.outlines = {kYellow};
  look.texts.title = "id";
  return look;
}

Look sites_look() {
  Look look{"sites", "Sites that labellers mapped, with label risk; areas in square metres", true};
  look.graduated = {{"Label risk",
                     "Sites by mean risk: the probability that the label of a pixel is wrong",
                     "Risk",
                     {{0, 0.05, "under 0.05", kBest},
                      {0.05, 0.1, "0.05 to 0.10", kGood},
                      {0.1, 0.2, "0.10 to 0.20", kFair},
                      {0.2, 0.3, "0.20 to 0.30", kPoor},
                      {0.3, 1, "over 0.30", kBad}}}};
  look.outlines = {kGrey};
  look.texts.title = "name";
  return look;
}

Look review_look() {
  Look look{"review_queue",
            "Sites to map again, the most expected gain per cost first; areas in square metres", true};
  look.graduated = {{"Rank",
                     "Sites by their place in the queue",
                     "rank",
                     {{0, 10, "first 10", kBad},
                      {10, 50, "11 to 50", kPoor},
                      {50, 200, "51 to 200", kFair},
                      {200, 1e9, "later", kGood}}}};
  look.texts = {"site", "rank"};
  return look;
}

Look consensus_fields_look() {
  Look look{"consensus_fields", "Fields that the labellers mean, with the probability that each exists",
            true};
  look.graduated = {{"Existence",
                     "Fields by the probability that there is one",
                     "p_exists",
                     {{0, 0.25, "under 0.25", kBad},
                      {0.25, 0.5, "0.25 to 0.50", kPoor},
                      {0.5, 0.75, "0.50 to 0.75", kFair},
                      {0.75, 0.9, "0.75 to 0.90", kGood},
                      {0.9, 1, "over 0.90", kBest}}}};
  look.outlines = {kYellow};
  look.texts.title = "id";
  return look;
}

Look look_of(AnalystLayer kind) {
  switch (kind) {
    case AnalystLayer::kFields:
      return fields_look();
    case AnalystLayer::kRejects: {
      Look look{"rejects", "What became no field, with the reason; areas in hectares"};
      look.outlines = {kBad};
      look.texts = {"id", ""};
      return look;
    }
    case AnalystLayer::kSites:
      return sites_look();
    case AnalystLayer::kReviewQueue:
      return review_look();
    case AnalystLayer::kConsensusFields:
      return consensus_fields_look();
    case AnalystLayer::kLabellers:
      return {"labellers", "Labellers with their scores and skills (0 to 1), one row each"};
    case AnalystLayer::kTiles: {
      Look look{"tiles", "Footprints of the images, chips or tiles that the map was made from", true};
      look.outlines = {kGrey};
      return look;
    }
    case AnalystLayer::kRunInfo:
      break;
  }
  return {"run_info", "How this file was made: inputs, program, versions, time (UTC)"};
}

std::vector<geo::LayerStyle> styles_of(const Look& look, const geo::Layer& layer) {
  std::vector<geo::LayerStyle> styles;
  const auto add = [&](const char* name, const std::string& renderer, const char* description) {
    styles.push_back({name, style_document(renderer, layer.fields, look.texts), styles.empty(), description});
  };
  for (const Graduated& g : look.graduated) {
    if (layer.find_field(g.attribute) >= 0)
      add(g.name, graduated_renderer(g.attribute, g.ranges), g.description);
  }
  for (const Rgb& line : look.outlines) add("Outlines", outline_renderer(line), "Outlines without fill");
  if (styles.empty()) add("Titles", "", "Titles of the columns");
  return styles;
}

}  // namespace

geo::PackagedLayer for_analysts(geo::Layer layer, AnalystLayer kind) {
  const Look look = look_of(kind);
  if (layer.name.empty()) layer.name = look.name;
  describe_columns(layer, kind);
  geo::PackagedLayer packaged{{}, look.description, look.multi_polygon, styles_of(look, layer)};
  packaged.layer = std::move(layer);
  return packaged;
}

}  // namespace furrow::assessment
