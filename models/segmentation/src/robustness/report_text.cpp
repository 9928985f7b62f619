#include <algorithm>
#include <cmath>
#include <string>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/text.h>
#include <furrow/segmentation/robustness.h>

#include "../metrics_json.h"

namespace furrow::segmentation {
namespace {

using geo::concat;
using nlohmann::json;
using Family = PerturbationFamily;

const char* unit_of(Family family) {
  switch (family) {
    case Family::kTranslation:
      return "px";
    case Family::kTurn:
      return "view";
    case Family::kCrop:
      return "corner";
    case Family::kNoise:
    case Family::kBandNoise:
      return "dB";
    case Family::kMissingBand:
      return "";
    default:
      return "factor";
  }
}

const char* statistics_of(const geo::Normalisation& how) {
  if (how.method == geo::NormaliseMethod::kDivide) return "none";
  return how.scope == geo::NormaliseScope::kStored ? "stored" : "perturbed scene";
}

json truth_json(const MapAgreement& truth) {
  return {{"extent_iou", number_json(truth.extent_iou())},
          {"fields", truth.fields_b},
          {"matched", truth.matched},
          {"object_f1", number_json(truth.object_f1())},
          {"reference_fields", truth.fields_a}};
}

json result_json(const PerturbationResult& result, const RobustnessReport& report, const ModelSpec& spec) {
  const Perturbation& p = result.perturbation;
  const MapAgreement& a = result.agreement;
  json object{{"band", p.band < 0 ? json(nullptr) : json(p.band + 1)},
              {"extent_iou", number_json(a.extent_iou())},
              {"family", family_name(p.family)},
              {"fields_perturbed", a.fields_b},
              {"fields_unperturbed", a.fields_a},
              {"flip_share", number_json(a.flip_share())},
              {"flipped", a.flipped},
              {"level", p.family == Family::kMissingBand ? json(nullptr) : json(p.level)},
              {"matched_fields", a.matched},
              {"mean_score_difference", number_json(a.mean_score_difference())},
              {"object_f1", number_json(a.object_f1())},
              {"perturbation", describe(p, spec)},
              {"unit", unit_of(p.family)}};
  if (report.has_reference) {
    object["reference"] = truth_json(result.truth);
    object["reference"]["extent_iou_change"] =
        number_json(result.truth.extent_iou() - report.truth.extent_iou());
    object["reference"]["object_f1_change"] =
        number_json(result.truth.object_f1() - report.truth.object_f1());
  }
  return object;
}

std::string verdict(const RobustnessReport& report, const ModelSpec& spec) {
  const PerturbationResult* worst = report.most_sensitive();
  if (worst == nullptr) return "no perturbation moves a pixel to another class";
  const double f1 = worst->agreement.object_f1();
  return concat(
      "most sensitive to ", describe(worst->perturbation, spec), ": ",
      geo::fixed(100.0 * worst->agreement.flip_share(), 1), " % of the pixels change class",
      std::isnan(f1) ? "" : concat(", F1 of fields against the unperturbed map ", geo::fixed(f1, 3)));
}

/// "-" where there is no number, no sign on what rounds to 0.
std::string cell(double value, int digits) {
  std::string text = std::isnan(value) ? "-" : geo::fixed(value, digits);
  if (text.starts_with("-0") && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
  return std::string(text.size() < 12 ? 12 - text.size() : 1, ' ') + text;
}

std::string change_cell(double value) {
  std::string text = cell(value, 3);
  if (value > 0.0 && text.find_first_of("123456789") != std::string::npos) text[text.find_last_of(' ')] = '+';
  return text;
}

std::string row(const std::string& name, const MapAgreement& agreement, const MapAgreement& truth,
                const RobustnessReport& report) {
  std::string text = name + cell(100.0 * agreement.flip_share(), 2) +
                     cell(agreement.mean_score_difference(), 4) + cell(agreement.extent_iou(), 3) +
                     cell(agreement.object_f1(), 3);
  if (report.has_reference) {
    text += cell(truth.extent_iou(), 3) + change_cell(truth.extent_iou() - report.truth.extent_iou()) +
            cell(truth.object_f1(), 3) + change_cell(truth.object_f1() - report.truth.object_f1());
  }
  return text + "\n";
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

std::string robustness_json(const RobustnessReport& report, const ModelSpec& spec) {
  json root{{"schema", "furrow/robustness/1"},
            {"halo_px", report.halo_px},
            {"image", {{"height", report.image_height}, {"width", report.image_width}}},
            {"model", spec.id},
            {"normalisation_statistics", statistics_of(spec.normalisation)},
            {"pixels", report.families.empty() ? 0 : report.families.front().pixels},
            {"seed", report.seed},
            {"verdict", verdict(report, spec)},
            {"window_px", report.window_px}};
  root["windows"] = json::array();
  for (const geo::Window& w : report.windows)
    root["windows"].push_back({{"col", w.col}, {"height", w.height}, {"row", w.row}, {"width", w.width}});
  root["families"] = json::object();
  for (const FamilyConsensus& f : report.families) {
    const double share = static_cast<double>(f.agreed) / static_cast<double>(f.pixels);
    root["families"][family_name(f.family)] = {{"consensus", number_json(share)}};
  }
  root["perturbations"] = json::array();
  for (const auto& result : report.results)
    root["perturbations"].push_back(result_json(result, report, spec));
  if (report.has_reference) root["reference"] = truth_json(report.truth);
  return root.dump(2) + "\n";
}

std::string robustness_table(const RobustnessReport& report, const ModelSpec& spec) {
  std::size_t width = 12;
  for (const auto& r : report.results) width = std::max(width, describe(r.perturbation, spec).size());
  std::string text = padded("perturbation", width) + "   flipped %  score diff  extent IoU   object F1";
  if (report.has_reference) text += "    true IoU      change     true F1      change";
  text += "\n";
  for (const auto& r : report.results)
    text += row(padded(describe(r.perturbation, spec), width), r.agreement, r.truth, report);
  return text + verdict(report, spec) + "\n";
}

}  // namespace furrow::segmentation
