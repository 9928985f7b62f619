// Measures writing a GeoPackage with its spatial index: polygons of 17 vertices, by write_layer, and by
// ogr2ogr from the file that gives (which must be in the path), taking turns.
//
//   geopackage_speed [polygons = 1000000] [runs = 5] [folder = .]
//
// Prints seconds (median, least and most) and the ratio. write_layer's seconds are with polygons in memory
// and the file flushed to the disk; ogr2ogr's are those of the whole program, reading included.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <numbers>
#include <string>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>

namespace geo = furrow::geo;

namespace {

geo::Layer make_polygons(std::size_t count) {
  geo::Layer layer;
  layer.name = "fields";
  layer.crs = geo::Crs::from_user_input("EPSG:32632");
  layer.fields = {{"id", geo::FieldType::kString, ""}, {"area_m2", geo::FieldType::kReal, ""}};
  geo::Random random(1, 1);
  const auto columns = static_cast<std::size_t>(std::sqrt(static_cast<double>(count))) + 1;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = 400000.0 + 100.0 * static_cast<double>(i % columns);
    const double y = 5400000.0 + 100.0 * static_cast<double>(i / columns);
    geo::Feature feature;
    geo::Ring ring;
    for (int k = 0; k < 16; ++k) {
      const double angle = 2.0 * std::numbers::pi * k / 16.0, radius = 30.0 + 15.0 * random.uniform();
      ring.push_back({x + radius * std::cos(angle), y + radius * std::sin(angle)});
    }
    ring.push_back(ring.front());
    feature.geometry = {{ring, {}}};
    feature.values = {geo::concat("field-", i), 5000.0 * random.uniform()};
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

template <typename F>
double seconds_of(const F& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double report(const char* name, std::vector<double> seconds) {
  std::ranges::sort(seconds);
  const double median = seconds[seconds.size() / 2];
  std::cout << name << ": median " << geo::fixed(median, 2) << " s [" << geo::fixed(seconds.front(), 2)
            << " to " << geo::fixed(seconds.back(), 2) << "]\n";
  return median;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? static_cast<std::size_t>(std::atoll(argv[1])) : 1000000;
  const int runs = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::filesystem::path folder = argc > 3 ? argv[3] : ".";
  const geo::Layer layer = make_polygons(count);
  const std::string ours = (folder / "furrow.gpkg").string(), theirs = (folder / "ogr2ogr.gpkg").string();
  std::vector<double> write, convert;
  for (int run = 0; run < runs; ++run) {
    write.push_back(seconds_of([&] { geo::write_layer(layer, ours, true); }));
    std::filesystem::remove(theirs);
    convert.push_back(seconds_of([&] {
      if (std::system(("ogr2ogr -f GPKG " + theirs + " " + ours).c_str()) != 0) std::exit(1);
    }));
  }
  std::cout << count << " polygons\n";
  const double furrow_s = report("write_layer", write);
  const double ogr_s = report("ogr2ogr", convert);
  std::cout << "ogr2ogr takes " << geo::fixed(ogr_s / furrow_s, 2) << " x as long\n";
}
