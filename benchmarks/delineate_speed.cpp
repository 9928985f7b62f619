// Measures delineation by parts on synthetic scores (fields as Voronoi cells, some background, soft
// boundaries, noise), beside GDALPolygonize on the same instances and on the same three classes, whose
// polygons must be as many and as large.
//
//   delineate_speed [side px = 4000] [threads = all] [runs = 3] [folder for the rasters] [parts = all]
//
// With a folder it writes boundary.tif, instances.tif, split.tif (what the watershed gives) and classes.tif,
// for others to work on. Parts: "all", "peers" for what others do too, "watershed" for that alone. Prints
// megapixels a second: median, least and most of the runs, and mean processor time.
#include <algorithm>
#include <chrono>
#include <cmath>
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
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/topology/arcs.h>
#include <furrow/geo/topology/assemble.h>
#include <furrow/geo/topology/components.h>
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

struct Polygons {
  std::size_t count = 0;
  double area = 0.0;
};

void expect_same(const Polygons& ours, const Polygons& theirs, const std::string& what) {
  if (ours.count == theirs.count && std::abs(ours.area - theirs.area) <= 1e-9 * ours.area) return;
  std::cerr << what << ": " << ours.count << " polygons of " << ours.area << ", GDAL's are " << theirs.count
            << " of " << theirs.area << "\n";
  std::exit(1);
}

enum class Labels { kInstances, kClasses };  ///< one piece each, or many

/// Polygons of every piece of one label, in memory.
Polygons our_polygonize(const geo::Raster<std::uint32_t>& labels, Labels kind,
                        const geo::GeoTransform& transform, geo::ExecContext& exec) {
  geo::LabelledRaster pieces;
  if (kind == Labels::kClasses) pieces = geo::label_components(labels, geo::Connectivity::kFour, exec);
  const auto& numbered = kind == Labels::kClasses ? pieces.labels : labels;
  const auto count = kind == Labels::kClasses ? pieces.count : *std::ranges::max_element(labels.data());
  const auto shapes = geo::assemble_polygons(geo::trace_arcs(numbered, exec), count, transform, exec);
  Polygons out;
  for (const auto& shape : shapes) {
    out.count += shape.size();
    out.area += geo::area(shape);
  }
  return out;
}

/// What GDAL makes of the same labels, into memory.
Polygons gdal_polygonize(const geo::Raster<std::uint32_t>& labels, const geo::GeoTransform& t) {
  const auto width = static_cast<int>(labels.width());
  const auto height = static_cast<int>(labels.height());
  GDALDatasetUniquePtr raster(
      GetGDALDriverManager()->GetDriverByName("MEM")->Create("", width, height, 1, GDT_Int32, nullptr));
  double transform[6] = {t.x0, t.dx, t.rx, t.y0, t.ry, t.dy};
  raster->SetGeoTransform(transform);
  auto* values = const_cast<std::uint32_t*>(labels.data().data());  // GDAL takes no const pointer for writing
  if (raster->GetRasterBand(1)->RasterIO(GF_Write, 0, 0, width, height, values, width, height, GDT_UInt32, 0,
                                         0, nullptr) != CE_None) {
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
  Polygons out;
  for (const auto& feature : layer) {
    ++out.count;
    out.area += feature->GetGeometryRef()->toPolygon()->get_Area();
  }
  return out;
}

/// Beside GDAL, taking turns; both count and add up what they made.
void beside_gdal(const std::string& what, Labels kind, const geo::Raster<std::uint32_t>& labels,
                 const geo::Grid& grid, int runs, geo::ExecContext& exec) {
  Polygons ours;
  Polygons theirs;
  for (int run = 0; run < runs; ++run) {
    measure("polygons of " + what, labels.pixels(), 1,
            [&] { ours = our_polygonize(labels, kind, grid.transform, exec); });
    measure("GDALPolygonize of " + what + " (1 thread)", labels.pixels(), 1,
            [&] { theirs = gdal_polygonize(labels, grid.transform); });
  }
  expect_same(ours, theirs, what);
  std::cout << "  " << ours.count << " polygons\n";
}

geo::Raster<std::uint32_t> classes_of(const geo::ScoreMap& scores) {
  geo::Raster<std::uint32_t> classes(scores.grid.width, scores.grid.height);
  for (std::size_t i = 0; i < classes.data().size(); ++i) {
    if (scores.extent.data()[i] >= 100) classes.data()[i] = scores.boundary.data()[i] >= 100 ? 2 : 1;
    if (scores.extent.data()[i] < 100) classes.data()[i] = 3;  // 0 is nothing at all
  }
  return classes;
}

template <class T>
void write(const std::string& folder, const std::string& name, const geo::Grid& grid,
           const geo::Raster<T>& pixels) {
  if (folder.empty()) return;
  geo::RasterSpec spec;
  spec.type = geo::pixel_type_of<T>();
  geo::write_raster(folder + "/" + name, grid, pixels, spec, true);
}

/// What only furrow does, in parts.
void measure_parts(const geo::ScoreMap& scores, const geo::Delineation& result, int runs,
                   geo::ExecContext& exec) {
  const std::int64_t pixels = scores.extent.pixels();
  const auto count = static_cast<std::uint32_t>(result.report.fields);
  measure("delineate, all of it", pixels, runs, [&] { (void)geo::delineate(scores, {}, exec); });
  geo::ArcSet arcs;
  measure("trace arcs", pixels, runs, [&] { arcs = geo::trace_arcs(result.instances, exec); });
  measure("simplify, 1 px", pixels, runs, [&] { (void)geo::simplify_arcs(arcs, {}, exec); });
  measure("trace + assemble", pixels, runs, [&] {
    (void)geo::assemble_polygons(geo::trace_arcs(result.instances, exec), count, scores.grid.transform, exec);
  });
  measure("trace + simplify + assemble", pixels, runs, [&] {
    (void)geo::assemble_polygons(geo::simplify_arcs(geo::trace_arcs(result.instances, exec), {}, exec), count,
                                 scores.grid.transform, exec);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t side = argc > 1 ? std::atoll(argv[1]) : 4000;
  const int runs = argc > 3 ? std::atoi(argv[3]) : 3;
  const std::string folder = argc > 4 ? argv[4] : "";
  const std::string parts = argc > 5 ? argv[5] : "all";
  geo::ExecContext exec({argc > 2 ? std::atoi(argv[2]) : 0, std::size_t{64} << 30});
  exec.execute([&] {
    const geo::ScoreMap scores = furrow::benchmarks::make_scores(side);
    geo::Raster<std::uint8_t> mask(side, side);
    for (std::size_t i = 0; i < mask.data().size(); ++i)
      mask.data()[i] = scores.extent.data()[i] >= 100 ? 1 : 0;
    std::cout << side << " x " << side << " px, " << exec.threads() << " threads\n";
    geo::LabelledRaster split;
    measure("watershed", side * side, runs, [&] { split = geo::watershed(scores.boundary, mask, 40, exec); });
    if (parts == "watershed") return;
    const geo::Delineation result = geo::delineate(scores, {}, exec);
    std::cout << split.count << " instances, " << result.report.fields << " fields\n";
    const auto classes = classes_of(scores);
    write(folder, "boundary.tif", scores.grid, scores.boundary);
    write(folder, "split.tif", scores.grid, split.labels);
    write(folder, "instances.tif", scores.grid, result.instances);
    write(folder, "classes.tif", scores.grid, classes);
    if (parts == "all") measure_parts(scores, result, runs, exec);
    beside_gdal("instances", Labels::kInstances, result.instances, scores.grid, runs, exec);
    beside_gdal("three classes", Labels::kClasses, classes, scores.grid, runs, exec);
  });
  return 0;
}
