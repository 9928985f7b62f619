// Measures matching two layers: all pairs of polygons that overlap, with their IoU.
//
//   matching_speed [polygons a side = 200] [threads = all] [runs = 3] [folder for a.gpkg and b.gpkg]
//
// The layers are made-up parcels of 20 vertices and the same parcels as somebody else would have drawn them:
// corners up to 15 m off, a tenth of them joined to the next. Prints seconds (median, least and most), pairs,
// and the sum of all IoU. With a folder it writes the layers there, for others to match.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/geo/vector/matching.h>

using namespace furrow::geo;

namespace {

/// Outline of the cell, and with `wide` of the next one too, through corners moved by up to `off_m`.
std::vector<MultiPolygon> parcels(std::int64_t side, std::uint64_t seed, double off_m, double joined) {
  Random random(seed);
  std::vector<Point> corners;
  for (std::int64_t y = 0; y <= side; ++y) {
    for (std::int64_t x = 0; x <= side; ++x) {
      Random place(1, static_cast<std::uint64_t>(y * (side + 1) + x));
      corners.push_back({500000.0 + 150.0 * static_cast<double>(x) + place.uniform(-25.0, 25.0) +
                             random.uniform(-off_m, off_m),
                         5000000.0 + 120.0 * static_cast<double>(y) + place.uniform(-25.0, 25.0) +
                             random.uniform(-off_m, off_m)});
    }
  }
  std::vector<MultiPolygon> out;
  for (std::int64_t i = 0; i < side * side; ++i) {
    const std::int64_t first = i / side * (side + 1) + i % side;
    const bool wide = i % side + 1 < side && random.chance(joined);
    const std::int64_t right = wide ? 2 : 1;
    Ring ring;
    const std::int64_t round[] = {0, right, side + 1 + right, side + 1, 0};
    for (int k = 0; k < 4; ++k) {
      const Point a = corners[static_cast<std::size_t>(first + round[k])];
      const Point b = corners[static_cast<std::size_t>(first + round[k + 1])];
      for (int v = 0; v < 5; ++v) {
        ring.push_back({a.x + (b.x - a.x) * v / 5.0 + random.uniform(-1.0, 1.0),
                        a.y + (b.y - a.y) * v / 5.0 + random.uniform(-1.0, 1.0)});
      }
    }
    ring.push_back(ring.front());
    out.push_back({{std::move(ring), {}}});
    i += wide ? 1 : 0;
  }
  return out;
}

void write(const std::vector<MultiPolygon>& shapes, const std::filesystem::path& path) {
  Layer layer;
  layer.name = "fields";
  layer.crs = Crs::from_user_input("EPSG:32632");
  for (const auto& shape : shapes)
    layer.features.push_back({static_cast<std::int64_t>(layer.features.size()), shape, {}});
  write_layer(std::move(layer), path, true);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t side = argc > 1 ? std::atoll(argv[1]) : 200;
  const int runs = argc > 3 ? std::atoi(argv[3]) : 3;
  ExecContext exec({.threads = argc > 2 ? std::atoi(argv[2]) : 0});
  const auto a = parcels(side, 2, 0.0, 0.0);
  const auto b = parcels(side, 3, 15.0, 0.1);
  if (argc > 4) {
    write(a, std::filesystem::path(argv[4]) / "a.gpkg");
    write(b, std::filesystem::path(argv[4]) / "b.gpkg");
  }
  std::vector<double> seconds;
  std::vector<OverlapPair> pairs;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    exec.execute([&] { pairs = overlaps(a, b); });
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  double iou = 0.0;
  for (const OverlapPair& pair : pairs) iou += pair.iou;
  std::cout << "polygons " << a.size() << " " << b.size() << "\npairs " << pairs.size() << "\niou "
            << fixed(iou, 6) << "\nseconds " << fixed(seconds[seconds.size() / 2], 4) << " "
            << fixed(seconds.front(), 4) << " " << fixed(seconds.back(), 4) << "\n";
  return 0;
}
