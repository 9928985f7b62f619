// Measures delineation by parts on synthetic scores (fields as Voronoi cells, some background, soft
// boundaries, noise), beside GDALPolygonize on the same instances.
//
//   delineate_speed [side px = 4000] [threads = all] [runs = 3]
//
// Prints megapixels a second: median, least and most of the runs, and mean processor time.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <gdal_alg.h>
#include <gdal_priv.h>
#include <ogrsf_frmts.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/delineate.h>
#include <furrow/geo/topology/simplify.h>
#include <furrow/geo/topology/watershed.h>

#include "synthetic_scores.h"

namespace geo = furrow::geo;

namespace {

/// Runs `work` some times. On a busy machine the processor time says more than the clock.
void measure(const std::string& name, std::int64_t pixels, int runs, const std::function<void()>& work) {
  std::vector<double> speeds;
  double processor_s = 0.0;
  for (int i = 0; i < runs; ++i) {
    const std::clock_t processor = std::clock();
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    processor_s += static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC / runs;
    speeds.push_back(static_cast<double>(pixels) / 1e6 / taken.count());
  }
  std::ranges::sort(speeds);
  std::cout << name << ": " << geo::fixed(speeds[speeds.size() / 2], 1) << " Mpx/s ["
            << geo::fixed(speeds.front(), 1) << ".." << geo::fixed(speeds.back(), 1) << "], processor time "
            << geo::fixed(processor_s, 2) << " s\n";
}

/// What GDAL makes of the same instances, into memory.
void gdal_polygonize(const geo::Raster<std::uint32_t>& instances) {
  GDALDatasetUniquePtr raster(GetGDALDriverManager()->GetDriverByName("MEM")->Create(
      "", static_cast<int>(instances.width()), static_cast<int>(instances.height()), 1, GDT_Int32, nullptr));
  auto* labels =
      const_cast<std::uint32_t*>(instances.data().data());  // GDAL takes no const pointer for writing
  if (raster->GetRasterBand(1)->RasterIO(GF_Write, 0, 0, raster->GetRasterXSize(), raster->GetRasterYSize(),
                                         labels, raster->GetRasterXSize(), raster->GetRasterYSize(),
                                         GDT_UInt32, 0, 0, nullptr) != CE_None) {
    std::exit(1);
  }
  GDALDatasetUniquePtr vector(
      GetGDALDriverManager()->GetDriverByName("Memory")->Create("", 0, 0, 0, GDT_Unknown, nullptr));
  OGRLayer* layer = vector->CreateLayer("fields", nullptr, wkbPolygon, nullptr);
  OGRFieldDefn label("label", OFTInteger);
  layer->CreateField(&label);
  auto* band = GDALRasterBand::ToHandle(raster->GetRasterBand(1));
  if (GDALPolygonize(band, band, OGRLayer::ToHandle(layer), 0, nullptr, nullptr, nullptr) != CE_None)
    std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t side = argc > 1 ? std::atoll(argv[1]) : 4000;
  const int runs = argc > 3 ? std::atoi(argv[3]) : 3;
  geo::ExecContext exec({argc > 2 ? std::atoi(argv[2]) : 0, std::size_t{64} << 30});
  exec.execute([&] {
    const std::int64_t pixels = side * side;
    const geo::ScoreMap scores = furrow::benchmarks::make_scores(side);
    geo::Raster<std::uint8_t> mask(side, side);
    for (std::size_t i = 0; i < mask.data().size(); ++i)
      mask.data()[i] = scores.extent.data()[i] >= 100 ? 1 : 0;
    std::cout << side << " x " << side << " px, " << exec.threads() << " threads\n";
    geo::LabelledRaster split;
    measure("watershed", pixels, runs, [&] { split = geo::watershed(scores.boundary, mask, 40, exec); });
    geo::Delineation result;
    measure("delineate, all of it", pixels, runs, [&] { result = geo::delineate(scores, {}, exec); });
    std::cout << split.count << " instances, " << result.report.fields << " fields\n";
    const auto count = static_cast<std::uint32_t>(result.report.fields);
    geo::ArcSet arcs;
    measure("trace arcs", pixels, runs, [&] { arcs = geo::trace_arcs(result.instances, exec); });
    geo::ArcSet simple;
    measure("simplify, 1 px", pixels, runs, [&] { simple = geo::simplify_arcs(arcs, {}, exec); });
    measure("trace + assemble", pixels, runs, [&] {
      (void)geo::assemble_polygons(geo::trace_arcs(result.instances, exec), count, scores.grid.transform,
                                   exec);
    });
    measure("trace + simplify + assemble", pixels, runs, [&] {
      (void)geo::assemble_polygons(geo::simplify_arcs(geo::trace_arcs(result.instances, exec), {}, exec),
                                   count, scores.grid.transform, exec);
    });
    measure("GDALPolygonize (1 thread)", pixels, runs, [&] { gdal_polygonize(result.instances); });
  });
  return 0;
}
