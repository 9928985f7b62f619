// Measures the cleaning of a made-up parcel layer: bent quadrilaterals with 5 vertices a side, drawn apart or
// over each other by up to 0.5 m, so that nearly every edge has a gap or an overlap. Beside it, what GEOS
// takes to cut the same outlines on the same grid and to polygonise them (no owners, no gaps, no dissolving;
// one thread).
//
//   clean_speed [parcels a side = 200] [threads = 1] [parcels a side between roads = 0: no roads] [geos]
//
// Prints seconds and polygons per second, in memory; also for cleaning the result again.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/clean.h>
#include <furrow/geo/vector/geos.h>

namespace {

using namespace furrow::geo;

/// @param block  parcels a side between roads 12 m wide; 0 = no roads
Layer parcels(std::int64_t side, std::int64_t block) {
  Random random(1);
  std::vector<Point> corners;
  for (std::int64_t y = 0; y <= side; ++y) {
    for (std::int64_t x = 0; x <= side; ++x) {
      corners.push_back({500000.0 + 150.0 * static_cast<double>(x) + random.uniform(-30.0, 30.0),
                         5000000.0 + 120.0 * static_cast<double>(y) + random.uniform(-30.0, 30.0)});
    }
  }
  const auto moved = [block](std::int64_t place) {
    return block > 0 ? 12.0 * static_cast<double>(place / block) : 0.0;
  };
  Layer layer;
  layer.name = "parcels";
  layer.crs = Crs::from_user_input("EPSG:32632");
  for (std::int64_t i = 0; i < side * side; ++i) {
    const std::int64_t first = i / side * (side + 1) + i % side;
    Ring ring;
    const std::int64_t round[] = {0, 1, side + 2, side + 1, 0};
    for (int k = 0; k < 4; ++k) {
      const Point a = corners[static_cast<std::size_t>(first + round[k])];
      const Point b = corners[static_cast<std::size_t>(first + round[k + 1])];
      for (int v = 0; v < 5; ++v) {
        ring.push_back({moved(i % side) + a.x + (b.x - a.x) * v / 5.0 + random.uniform(-0.25, 0.25),
                        moved(i / side) + a.y + (b.y - a.y) * v / 5.0 + random.uniform(-0.25, 0.25)});
      }
    }
    ring.push_back(ring.front());
    layer.features.push_back({i, {{std::move(ring), {}}}, {}});
  }
  return layer;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void cut_with_geos(const Layer& layer) {
  MultiPolygon all;
  for (const Feature& feature : layer.features) all.push_back(feature.geometry.front());
  const auto lines = geos::outlines(all);
  const auto start = std::chrono::steady_clock::now();
  const auto cut = geos::check(GEOSUnaryUnionPrec_r(geos::context(), lines.get(), 0.01), "unaryUnionPrec");
  const GEOSGeometry* list = cut.get();
  const auto faces = geos::check(GEOSPolygonize_r(geos::context(), &list, 1), "polygonize");
  const double seconds = seconds_since(start);
  std::cout << "GEOS cut and polygonise: " << fixed(seconds, 2) << " s, "
            << fixed(static_cast<double>(layer.features.size()) / seconds, 0) << " polygons/s, "
            << GEOSGetNumGeometries_r(geos::context(), faces.get()) << " faces\n";
}

CleanedLayer timed(const std::string& what, const Layer& layer, ExecContext& exec) {
  const auto start = std::chrono::steady_clock::now();
  CleanedLayer cleaned = clean_layer(layer, {}, exec);
  const double seconds = seconds_since(start);
  std::cout << what << ", " << exec.threads() << " threads: " << fixed(seconds, 2) << " s, "
            << fixed(static_cast<double>(layer.features.size()) / seconds, 0) << " polygons/s\n";
  return cleaned;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t side = argc > 1 ? std::atoll(argv[1]) : 200;
  ExecOptions resources;
  resources.threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const Layer layer = parcels(side, argc > 3 ? std::atoll(argv[3]) : 0);
  if (argc > 4) cut_with_geos(layer);
  ExecContext exec(resources);
  exec.execute([&] {
    const CleanedLayer cleaned = timed("untidy layer", layer, exec);
    std::cout << to_table(cleaned.report);
    (void)timed("clean layer", cleaned.layer, exec);
  });
  return 0;
}
