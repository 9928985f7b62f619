// How long the scores of one assignment take, by number of polygons in each of the two maps.
//   site_scores
// A grid of fields of six corners against the same grid with moved corners; best and median
// processor time of several runs on one thread. The published platform's own code needs 92 s for 100 x 100
// polygons.
#include <algorithm>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/site_scores.h>

namespace labelling = furrow::labelling;
namespace geo = furrow::geo;

namespace {

std::vector<labelling::LabelledPolygon> grid(int side, double jitter_m, std::uint64_t stream) {
  geo::Random random(3, stream);
  const auto move = [&] { return random.uniform(-jitter_m, jitter_m); };
  const double step = 560.0 / side;
  const double size = 0.9 * step;
  std::vector<labelling::LabelledPolygon> map;
  for (int i = 0; i < side; ++i) {
    for (int j = 0; j < side; ++j) {
      const double x = 500000.0 + i * step;
      const double y = 8300000.0 + j * step;
      geo::Ring ring{
          {x, y},       {x + 0.5 * size, y}, {x + size, y}, {x + size, y + size}, {x + 0.5 * size, y + size},
          {x, y + size}};
      for (auto& p : ring) p = {p.x + move(), p.y + move()};
      ring.push_back(ring.front());
      map.push_back({{geo::Polygon{ring, {}}}, j % 4 == 0 ? "treecropland" : "annualcropland", false});
    }
  }
  return map;
}

template <class Work>
void measure(const char* what, int polygons, int repeats, const Work& work) {
  std::vector<double> ms;
  for (int i = 0; i < repeats; ++i) {
    const std::clock_t start = std::clock();
    work();
    ms.push_back(1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::ranges::sort(ms);
  std::cout << std::setw(11) << what << std::setw(7) << polygons << " x " << polygons << std::fixed
            << std::setprecision(2) << std::setw(11) << ms.front() << " ms best" << std::setw(11)
            << ms[ms.size() / 2] << " ms median\n";
}

}  // namespace

int main() {
  geo::ExecContext exec({.threads = 1});
  exec.execute([] {
    for (const int side : {5, 10, 20}) {
      const labelling::SiteMaps maps{{geo::to_polygon(geo::Box{500000, 8300000, 500560, 8300560})},
                                     grid(side, 0.0, 0),
                                     grid(side, 0.06 * 560.0 / side, 1)};
      measure("corrected", side * side, 21, [&] { (void)labelling::score_corrected(maps); });
      measure("compatible", side * side, 5, [&] { (void)labelling::score_compatible(maps); });
    }
  });
  return 0;
}
