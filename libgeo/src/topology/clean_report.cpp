#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/clean.h>

namespace furrow::geo {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// Square metres to the tenth: what differs in the last digits is no change.
double tenth(double area_m2) {
  double value = 0.0;
  const bool is_number = parse_number(fixed(area_m2, 1), value);
  return is_number ? value : area_m2;
}

OrderedJson to_json(const ChangeCount& change) {
  return {{"count", change.count}, {"area_m2", tenth(change.area_m2)}};
}

std::string line(const std::string& name, const ChangeCount& change) {
  std::string text = name;
  text.resize(std::max<std::size_t>(text.size() + 1, 28), ' ');
  std::string count = std::to_string(change.count);
  text += std::string(count.size() < 10 ? 10 - count.size() : 0, ' ') + count;
  std::string hectares = fixed(change.area_m2 / 10000.0, 4);
  text += std::string(hectares.size() < 18 ? 18 - hectares.size() : 1, ' ') + hectares;
  return text + '\n';
}

}  // namespace

std::string to_json(const CleanReport& report) {
  OrderedJson rejected = OrderedJson::object();
  for (const auto& [reason, change] : report.rejected) rejected[reason] = to_json(change);
  const OrderedJson json{{"features_read", report.features},
                         {"fields_written", report.fields},
                         {"area_before_m2", tenth(report.area_before_m2)},
                         {"area_after_m2", tenth(report.area_after_m2)},
                         {"repaired", to_json(report.repaired)},
                         {"overlaps_resolved", to_json(report.overlaps)},
                         {"gaps_closed", to_json(report.gaps)},
                         {"merged_at_seams", to_json(report.merged)},
                         {"seams", report.seams},
                         {"pieces_absorbed", to_json(report.absorbed)},
                         {"pieces_rejected", to_json(report.rejected_pieces)},
                         {"features_rejected", rejected}};
  return json.dump(2) + '\n';
}

std::string to_table(const CleanReport& report) {
  std::string table = "                                 count           area, ha\n";
  table += line("polygons read", {report.features, report.area_before_m2});
  table += line("repaired", report.repaired);
  table += line("overlaps resolved", report.overlaps);
  table += line("gaps closed", report.gaps);
  table += line("merged at seams", report.merged);
  table += line("pieces absorbed", report.absorbed);
  table += line("pieces rejected", report.rejected_pieces);
  for (const auto& [reason, change] : report.rejected) table += line("rejected: " + reason, change);
  table += line("polygons written", {report.fields, report.area_after_m2});
  return table;
}

}  // namespace furrow::geo
