#include "column_guide.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

using Codes = std::vector<geo::FieldCode>;

struct Column {
  const char* name;
  const char* title;
  const char* description;
  Codes codes{};
};

const Codes& yes_no() {
  static const Codes kCodes{{"0", "no"}, {"1", "yes"}};
  return kCodes;
}

const std::map<std::string, std::string>& flag_words() {
  static const std::map<std::string, std::string> kWords{{"edge", "at the image's edge"},
                                                         {"nodata", "beside missing data"},
                                                         {"weak_boundary", "weak edge to a neighbour"},
                                                         {"low_score", "low field score"},
                                                         {"no_data", "no valid pixel"}};
  return kWords;
}

std::span<const Column> field_columns() {
  static const std::vector<Column> kColumns{
      {"id", "Field id", "The same for the same field whenever the map is made again"},
      {"instance", "Number in the instance raster", "Value of the field's pixels in the instance raster"},
      {"area_ha", "Area (ha)", "Area on the ellipsoid, hectares"},
      {"perimeter_m", "Perimeter (m)", "Length of the outline, with holes, on the ellipsoid, metres"},
      {"compactness", "Compactness (1 = circle)",
       "4 pi area / perimeter^2: 1 for a circle, less for longer shapes"},
      {"shape_index", "Shape index (1 = circle)",
       "perimeter / (2 sqrt(pi area)): 1 for a circle, more for longer shapes"},
      {"p_field_mean", "Mean field score", "Mean of the model's field score over the field's pixels, 0 to 1"},
      {"p_field_min", "Least field score", "Least field score of the field's pixels, 0 to 1"},
      {"boundary_strength", "Boundary strength", "Mean boundary score along the outline, 0 to 1"},
      {"entropy_mean", "Mean entropy (nats)",
       "Mean entropy of the class scores: 0 sure, 1.1 (ln 3) undecided"},
      {"risk_mean", "Mean label risk",
       "Mean probability that the training label of a pixel is wrong, 0 to 1"},
      {"weakest_shared_edge", "Weakest shared edge",
       "Least mean boundary score, 0 to 1, along the edge with one neighbour; unset without neighbour"},
      {"n_pixels", "Pixels", "Valid pixels of the field"},
      {"touches_edge", "Touches the image's edge",
       "Whether a pixel of the field lies at the border of the image", yes_no()},
      {"cut_by_nodata", "Cut by missing data", "Whether a pixel of the field lies beside missing data",
       yes_no()},
      {"image_date", "Image date", "Day on which the image was taken"},
      {"confidence", "Confidence (0 to 100)",
       "How far to trust the field, 0 to 100; 100 x p_match where that is set"},
      {"p_match", "Probability of a match",
       "Probability that the field matches a true one (intersection over union above 0.5); unset when "
       "confidence is not calibrated"},
      {"flag", "What to look at", "Reasons for a second look, joined by ';'; empty when there is none"}};
  return kColumns;
}

std::span<const Column> reject_columns() {
  static const std::vector<Column> kColumns{
      {"id", "Reject id", "The same for the same reject whenever the map is made again"},
      {"reason",
       "Why it is no field",
       "Why it is no field",
       {{"small", "smaller than the least area"}, {"narrow", "narrower than the least width"}}},
      {"area_ha", "Area (ha)", "Area on the ellipsoid, hectares"},
      {"width_m", "Width (m)", "Width as the least width measures it, metres"},
      {"n_pixels", "Pixels", "Its pixels"},
      {"touches_edge", "Touches the image's edge", "Whether it has a pixel at the border of the image",
       yes_no()},
      {"cut_by_nodata", "Cut by missing data", "Whether it has a side in common with missing data", yes_no()},
      {"edge_score", "Boundary score of its longest common edge",
       "Mean boundary score, 0 to 1, of the longest common edge with a neighbour; unset without neighbour"}};
  return kColumns;
}

std::span<const Column> site_columns() {
  static const std::vector<Column> kColumns{
      {"name", "Site", "Name of the site"},
      {"x", "Longitude (degrees)", "Longitude of the site's centre, degrees"},
      {"y", "Latitude (degrees)", "Latitude of the site's centre, degrees"},
      {"n_labellers", "Maps fused", "Number of labellers whose maps were fused"},
      {"source",
       "Who mapped",
       "Whose maps the label is made from",
       {{"labellers", "labellers"}, {"expert", "an expert"}, {"none", "nobody"}}},
      {"n_pixels", "Pixels", "Labelled pixels"},
      {"area_m2", "Area (m2)", "Area of the labelled pixels, square metres"},
      {"Risk", "Mean risk", "Mean probability that the label of a pixel is wrong, 0 to 1"},
      {"Riskprop", "Share of risky pixels", "Share of pixels with a risk over 0.34, 0 to 1"},
      {"wrong_area_m2", "Area expected wrong (m2)",
       "Area whose label is expected to be wrong, square metres"},
      {"field_share", "Share of field", "Share of the site that is field, 0 to 1"},
      {"interior_share", "Share of field interior", "Share of the site that is the inside of fields, 0 to 1"},
      {"band_share", "Share of boundary band", "Share of the site that lies near a field's boundary, 0 to 1"},
      {"risk_band", "Mean risk in the boundary band", "Mean risk near fields' boundaries, 0 to 1"},
      {"risk_inside", "Mean risk inside fields", "Mean risk inside fields, away from boundaries, 0 to 1"},
      {"risk_outside", "Mean risk outside fields", "Mean risk outside fields, away from boundaries, 0 to 1"}};
  return kColumns;
}

std::span<const Column> review_columns() {
  static const std::vector<Column> kColumns{
      {"rank", "Rank", "Place in the queue; 1 is the map that gains most per cost"},
      {"site", "Site", "Name of the site"},
      {"n_labellers", "Maps so far", "Number of labellers who mapped it"},
      {"mean_risk", "Mean risk", "Mean probability that the label of a pixel is wrong, 0 to 1"},
      {"wrong_area_m2", "Area expected wrong (m2)",
       "Area whose label is expected to be wrong, square metres"},
      {"risk_removed_m2", "Area that the map should correct (m2)",
       "Of that, what the asked map should correct, square metres"},
      {"risk_removed", "Mean risk that the map should remove", "The same as a share of the site, 0 to 1"},
      {"ask", "Whom to ask", "Labeller whose map gains most"},
      {"cost", "Cost of the map", "Cost of that map, in the unit of the costs that were given"},
      {"removed_per_cost", "Area corrected per cost (m2)",
       "Square metres that one unit of cost should correct"},
      {"second_choice", "Second choice", "Labeller whose map gains second most"},
      {"second_removed_m2", "Area that the second choice should correct (m2)",
       "Square metres that this map should correct"},
      {"expert_risk_removed_m2", "Area that an expert should correct (m2)",
       "Square metres that an expert's map should correct"},
      {"reason", "Why", "Why it stands here, in words"}};
  return kColumns;
}

std::span<const Column> consensus_field_columns() {
  static const std::vector<Column> kColumns{
      {"site", "Site", "Name of the site"},
      {"id", "Field", "Id of the field"},
      {"p_exists", "Probability that there is a field", "Probability that there is a field here, 0 to 1"},
      {"n_votes", "Labellers who mapped it", "Labellers who drew it"},
      {"n_labellers", "Labellers who mapped the site", "Labellers who mapped the site"},
      {"n_unsure", "Labellers who were unsure of it", "Labellers who were unsure of it"},
      {"split_votes", "Labellers who drew it as several", "Labellers who drew it as several fields"},
      {"merge_votes", "Labellers who joined it with another",
       "Labellers who drew it together with another field"},
      {"iou_mean", "Mean IoU with the outline",
       "Mean intersection over union of its drawings with the outline, 0 to 1"},
      {"outline_spread_m", "Spread of the outlines (m)",
       "Mean distance of its drawings' outlines from this one, metres"},
      {"outline_spread95_m", "Spread of 95 % of the outlines (m)",
       "95 % of its drawings' outlines lie within this distance, metres"},
      {"area_ha", "Area (ha)", "Area on the ellipsoid, hectares"},
      {"in_consensus", "In the consensus", "Whether the consensus label has it", yes_no()},
      {"from_expert", "An expert's field", "Whether an expert drew it", yes_no()}};
  return kColumns;
}

std::span<const Column> labeller_columns() {
  static const std::vector<Column> kColumns{
      {"Labeller", "Labeller", "Name of the labeller"},
      {"n_assignments", "Maps", "Maps that the labeller made"},
      {"n_scored", "Scored maps", "Maps that could be compared with a reference"},
      {"n_sites", "Sites", "Sites that the labeller mapped"},
      {"Score", "Mean score", "Mean score against reference sites, 1 = perfect"},
      {"N", "Mean score of counts", "How well the number of fields agrees, 1 = perfect"},
      {"Edge", "Mean score of outlines", "How well outlines agree, 1 = perfect"},
      {"Area", "Mean score of areas", "How well areas agree, 1 = perfect"},
      {"Categorical", "Mean score of categories", "How well categories agree, 1 = perfect"},
      {"FieldSkill", "Skill on fields",
       "Probability of mapping field as field; mean of the posterior, 0 to 1"},
      {"FieldSkill_low", "Skill on fields, low end", "Low end of the 90 % interval"},
      {"FieldSkill_high", "Skill on fields, high end", "High end of the 90 % interval"},
      {"NoFieldSkill", "Skill on background",
       "Probability of mapping background as background; mean of the posterior, 0 to 1"},
      {"NoFieldSkill_low", "Skill on background, low end", "Low end of the 90 % interval"},
      {"NoFieldSkill_high", "Skill on background, high end", "High end of the 90 % interval"},
      {"Level", "Level", "Score corrected for chance and for hard sites"},
      {"Level_low", "Level, low end", "Low end of its interval"},
      {"Level_high", "Level, high end", "High end of its interval"},
      {"reliability", "Reliability of the level",
       "Share of the spread between labellers that is not chance, 0 to 1"},
      {"trend_per_100", "Trend per 100 maps", "Change of the score over 100 maps"},
      {"trend_p", "Chance of such a trend", "Probability of a trend as large by chance"},
      {"n_field_sites", "Sites with fields", "Scored maps of sites that have fields"},
      {"n_empty_maps", "Empty maps", "Scored maps without any field"},
      {"spammer_score", "Information in the maps",
       "(skill on fields + skill on background - 1)^2: 0 as by chance, 1 perfect"},
      {"flags", "What to look at", "What is striking, joined by ';'"}};
  return kColumns;
}

std::span<const Column> tile_columns() {
  static const std::vector<Column> kColumns{
      {"name", "Tile", "Name of the tile"},
      {"image", "Image", "File of the image"},
      {"location", "Image", "File of the image"},
      {"col", "First column", "First column in the image, pixels"},
      {"row", "First row", "First row in the image, pixels"},
      {"width", "Width (px)", "Width, pixels"},
      {"height", "Height (px)", "Height, pixels"},
      {"valid", "Share of valid pixels", "Share of pixels that have data, 0 to 1"},
      {"x", "Longitude (degrees)", "Longitude of the centre, degrees"},
      {"y", "Latitude (degrees)", "Latitude of the centre, degrees"},
      {"date", "Date", "Day on which the image was taken"}};
  return kColumns;
}

std::span<const Column> run_info_columns() {
  static const std::vector<Column> kColumns{{"key", "What", "What the line is about"},
                                            {"value", "Value", "Its value"}};
  return kColumns;
}

std::span<const Column> columns_of(AnalystLayer kind) {
  switch (kind) {
    case AnalystLayer::kFields:
      return field_columns();
    case AnalystLayer::kRejects:
      return reject_columns();
    case AnalystLayer::kSites:
      return site_columns();
    case AnalystLayer::kReviewQueue:
      return review_columns();
    case AnalystLayer::kConsensusFields:
      return consensus_field_columns();
    case AnalystLayer::kLabellers:
      return labeller_columns();
    case AnalystLayer::kTiles:
      return tile_columns();
    case AnalystLayer::kRunInfo:
      break;
  }
  return run_info_columns();
}

std::string flag_meaning(const std::string& flags) {
  std::vector<std::string> meanings;
  for (const std::string& word : geo::split(flags, ';')) {
    const auto known = flag_words().find(word);
    meanings.push_back(known == flag_words().end() ? word : known->second);
  }
  return geo::join(meanings, ", ");
}

/// Every single flag, and the lists of them that occur.
Codes flag_codes(const geo::Layer& layer, std::size_t field) {
  std::set<std::string> values;
  for (const auto& [word, meaning] : flag_words()) values.insert(word);
  for (const auto& feature : layer.features) {
    const std::string text = geo::as_text(feature.values[field]);
    if (!text.empty()) values.insert(text);
  }
  Codes codes{{"", "nothing"}};
  for (const std::string& value : values) codes.push_back({value, flag_meaning(value)});
  return codes;
}

const Column* find_column(const std::string& name, AnalystLayer kind) {
  const auto known = columns_of(kind);
  const auto at = std::ranges::find_if(known, [&](const Column& column) { return column.name == name; });
  return at == known.end() ? nullptr : &*at;
}

}  // namespace

void describe_columns(geo::Layer& layer, AnalystLayer kind) {
  for (std::size_t i = 0; i < layer.fields.size(); ++i) {
    geo::FieldDefinition& field = layer.fields[i];
    const Column* at = find_column(field.name, kind);
    if (at == nullptr) continue;
    if (field.alias.empty()) field.alias = at->title;
    if (field.description.empty()) field.description = at->description;
    const bool is_flag = kind == AnalystLayer::kFields && field.name == "flag";
    if (field.codes.empty()) field.codes = is_flag ? flag_codes(layer, i) : at->codes;
    if (field.type == geo::FieldType::kBoolean)
      field.codes.clear();  // GIS programs say yes and no themselves
  }
}

bool is_known_column(const std::string& name, AnalystLayer kind) {
  return find_column(name, kind) != nullptr;
}

}  // namespace furrow::assessment
