#include "run_facts.h"

#include <filesystem>

#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;

std::string text_of(const geo::GeoTransform& t) {
  std::string text;
  for (const double value : {t.x0, t.dx, t.rx, t.y0, t.ry, t.dy}) text += geo::shortest(value) + " ";
  return text;
}

std::string text_of(const geo::Window& window) {
  return geo::concat(window.col, " ", window.row, " ", window.width, " ", window.height);
}

std::string text_of(std::span<const geo::MultiPolygon> shapes) {
  std::string text;
  const auto add = [&](const geo::Ring& ring) {
    for (const geo::Point& point : ring) text += geo::shortest(point.x) + " " + geo::shortest(point.y) + " ";
    text += "; ";
  };
  for (const geo::MultiPolygon& shape : shapes) {
    for (const geo::Polygon& polygon : shape) {
      add(polygon.shell);
      for (const geo::Ring& hole : polygon.holes) add(hole);
    }
  }
  return text;
}

std::string text_of(std::span<const geo::BandStatistics> statistics) {
  std::string text;
  for (const auto& band : statistics) {
    for (const double value : {band.low, band.high, band.mean, band.sd}) text += geo::shortest(value) + " ";
    text += std::to_string(band.count) + " ";
  }
  return text;
}

}  // namespace

RunFacts settings_of(const PredictionPlan& plan, const ModelSpec& spec, const PredictOptions& options) {
  std::string bands;
  for (const int band : options.bands) bands += std::to_string(band + 1) + " ";
  std::string layers;
  for (const QualityLayer layer : plan.layers) layers += name_of(layer) + " ";
  return {{"Furrow's version", geo::furrow_version()},
          {"model", spec.id},
          {"weights", spec.weights_sha256},
          {"temperature", geo::shortest(spec.temperature)},
          {"precision", options.precision},
          {"passes", options.passes},
          {"quality layers", layers},
          {"image size", geo::concat(plan.grid.width, " x ", plan.grid.height)},
          {"image position", text_of(plan.grid.transform)},
          {"image CRS", geo::sha256_of(plan.grid.crs.wkt())},
          {"part of the image", text_of(plan.area)},
          {"cutline", geo::sha256_of(text_of(plan.cutline))},
          {"bands", bands},
          {"tile size", std::to_string(plan.tile_px)},
          {"halo", std::to_string(plan.halo_px)},
          {"blend width", std::to_string(plan.blend_px)}};
}

RunFacts file_facts(const std::string& image) {
  std::error_code ec;
  if (!fs::is_regular_file(image, ec)) return {};
  return {{"image file's bytes", std::to_string(fs::file_size(image, ec))},
          {"image file's time", std::to_string(fs::last_write_time(image, ec).time_since_epoch().count())}};
}

RunFacts statistics_facts(std::span<const geo::BandStatistics> statistics) {
  return {{"image statistics", geo::sha256_of(text_of(statistics))}};
}

std::string checksum_of(const RunFacts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) text += geo::concat(name, "\t", value, "\n");
  return geo::sha256_of(text);
}

}  // namespace furrow::segmentation
