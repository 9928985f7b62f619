#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/statistics.h>

namespace furrow::geo {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kSchema = "furrow/statistics/1";

/// JSON has no NaN: null.
double number_of(const OrderedJson& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

OrderedJson numbers(const std::vector<double>& values) {
  OrderedJson list = OrderedJson::array();
  for (const double value : values) list.push_back(value);
  return list;
}

StatisticsFile file_of(const OrderedJson& json) {
  if (json.at("schema") != kSchema) throw InvalidArgument(concat("its schema is not ", kSchema));
  StatisticsFile file;
  file.inputs = json.at("inputs").get<std::vector<std::string>>();
  file.rasters = json.at("rasters").get<std::int64_t>();
  file.bands = json.at("bands").get<std::vector<std::string>>();
  file.per_band = json.at("per_band").get<bool>();
  file.percentiles = json.at("percentiles").get<std::vector<double>>();
  for (const OrderedJson& item : json.at("statistics")) {
    ValueStatistics s;
    s.pixels = item.at("pixels").get<std::int64_t>();
    s.min = number_of(item.at("min"));
    s.max = number_of(item.at("max"));
    s.mean = number_of(item.at("mean"));
    s.sd = number_of(item.at("sd"));
    for (const OrderedJson& p : item.at("percentiles")) s.percentiles.push_back(number_of(p));
    if (s.percentiles.size() != file.percentiles.size())
      throw InvalidArgument("a statistic has another number of percentiles than 'percentiles'");
    file.statistics.push_back(std::move(s));
  }
  if (file.statistics.size() != (file.per_band ? file.bands.size() : 1))
    throw InvalidArgument("'statistics' does not fit 'bands' and 'per_band'");
  return file;
}

}  // namespace

std::string statistics_json(const StatisticsFile& file) {
  OrderedJson list = OrderedJson::array();
  for (const ValueStatistics& s : file.statistics) {
    list.push_back({{"pixels", s.pixels},
                    {"min", s.min},
                    {"max", s.max},
                    {"mean", s.mean},
                    {"sd", s.sd},
                    {"percentiles", numbers(s.percentiles)}});
  }
  const OrderedJson json{{"schema", kSchema},
                         {"inputs", file.inputs},
                         {"rasters", file.rasters},
                         {"bands", file.bands},
                         {"per_band", file.per_band},
                         {"percentiles", numbers(file.percentiles)},
                         {"statistics", std::move(list)}};
  return json.dump(2) + "\n";
}

StatisticsFile read_statistics(const std::string& path) {
  try {
    return file_of(OrderedJson::parse(read_text_file(path)));
  } catch (const OrderedJson::exception& e) {
    throw IoError(
        concat("statistics file ", quoted(path), ": ", e.what(), "; write it with furrow info --statistics"));
  } catch (const InvalidArgument& e) {
    throw IoError(
        concat("statistics file ", quoted(path), ": ", e.what(), "; write it with furrow info --statistics"));
  }
}

}  // namespace furrow::geo
