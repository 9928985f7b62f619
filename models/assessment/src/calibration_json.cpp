#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <furrow/assessment/confidence_calibration.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSchema = "furrow/confidence/1";

Json number(double value) {
  return std::isnan(value) ? Json(nullptr) : Json(value);
}

MonotoneCurve curve_from(const Json& knots) {
  std::vector<geo::Point> points;
  for (const Json& knot : knots) points.push_back({knot.at(0).get<double>(), knot.at(1).get<double>()});
  for (const geo::Point& point : points) {
    if (!(point.y >= 0.0 && point.y <= 1.0))
      throw geo::InvalidArgument(geo::concat("a probability of ", point.y, " in \"knots\""));
  }
  return MonotoneCurve(std::move(points));
}

}  // namespace

std::string to_json(const ConfidenceCalibration& calibration, const Reliability* held_out) {
  Json json{{"schema", kSchema},
            {"min_iou", calibration.min_iou},
            {"fields", calibration.fields},
            {"matched", calibration.matched}};
  Json knots = Json::array();
  for (const geo::Point& knot : calibration.curve.knots()) knots.push_back(Json::array({knot.x, knot.y}));
  json["knots"] = std::move(knots);
  if (held_out != nullptr) {
    json["held_out"] = {{"brier", held_out->brier},
                        {"brier_low", number(held_out->brier_range.low)},
                        {"brier_high", number(held_out->brier_range.high)},
                        {"base_brier", held_out->base_brier},
                        {"ece", held_out->ece},
                        {"ece_low", number(held_out->ece_range.low)},
                        {"ece_high", number(held_out->ece_range.high)}};
  }
  return json.dump(2) + "\n";
}

ConfidenceCalibration calibration_from_json(const std::string& text, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    return geo::InvalidArgument(geo::concat(geo::quoted(where), " is no calibration of confidence: ", what,
                                            "; make one with furrow quality --reference"));
  };
  try {
    const Json json = Json::parse(text);
    const auto schema = json.at("schema").get<std::string>();
    if (schema != kSchema)
      throw refuse(geo::concat("schema ", geo::quoted(schema), ", not ", geo::quoted(kSchema)));
    return {curve_from(json.at("knots")), json.at("fields").get<std::int64_t>(),
            json.at("matched").get<std::int64_t>(), json.at("min_iou").get<double>()};
  } catch (const Json::exception& e) {
    throw refuse(e.what());
  } catch (const geo::InvalidArgument& e) {
    const std::string what = e.what();
    throw what.starts_with(geo::quoted(where)) ? e : refuse(what);
  }
}

}  // namespace furrow::assessment
