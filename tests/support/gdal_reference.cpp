#include "gdal_reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include <cpl_string.h>
#include <gdal_alg.h>
#include <gdal_priv.h>
#include <ogrsf_frmts.h>

#include <furrow/geo/vector/geos.h>

namespace furrow::test {
namespace {

void check(CPLErr result) {
  if (result != CE_None) throw std::runtime_error("GDAL's rasteriser failed");
}

OGRGeometryUniquePtr to_ogr(const geo::MultiPolygon& shape, Burn burn) {
  const auto add_points = [](OGRLineString& line, const geo::Ring& ring) {
    for (const geo::Point& p : ring) line.addPoint(p.x, p.y);
  };
  if (burn == Burn::kOutlines) {
    auto lines = std::make_unique<OGRMultiLineString>();
    const auto add = [&](const geo::Ring& ring) {
      auto line = std::make_unique<OGRLineString>();
      add_points(*line, ring);
      lines->addGeometryDirectly(line.release());
    };
    for (const auto& polygon : shape) {
      add(polygon.shell);
      for (const auto& hole : polygon.holes) add(hole);
    }
    return OGRGeometryUniquePtr(lines.release());
  }
  auto polygons = std::make_unique<OGRMultiPolygon>();
  for (const auto& polygon : shape) {
    auto one = std::make_unique<OGRPolygon>();
    const auto add = [&](const geo::Ring& ring) {
      auto line = std::make_unique<OGRLinearRing>();
      add_points(*line, ring);
      one->addRingDirectly(line.release());
    };
    add(polygon.shell);
    for (const auto& hole : polygon.holes) add(hole);
    polygons->addGeometryDirectly(one.release());
  }
  return OGRGeometryUniquePtr(polygons.release());
}

std::vector<geo::MultiPolygon> buffered(std::span<const geo::MultiPolygon> polygons, double distance) {
  std::vector<geo::MultiPolygon> out;
  for (const auto& polygon : polygons) {
    const auto shape = geo::geos::to_geos(polygon);
    const auto buffer =
        geo::geos::check(GEOSBuffer_r(geo::geos::context(), shape.get(), distance, 16), "buffer");
    out.push_back(geo::geos::from_geos(buffer.get()));
  }
  return out;
}

geo::Raster<std::uint32_t> ones(std::span<const geo::MultiPolygon> polygons, const geo::Grid& grid) {
  geo::Raster<std::uint32_t> out(grid.width, grid.height);
  const std::vector<double> values(polygons.size(), 1.0);
  gdal_burn(out, grid, polygons, values, Burn::kFill);
  return out;
}

template <class T>
constexpr GDALDataType gdal_type_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return GDT_Byte;
  if constexpr (std::is_same_v<T, std::int16_t>) return GDT_Int16;
  if constexpr (std::is_same_v<T, std::uint16_t>) return GDT_UInt16;
  if constexpr (std::is_same_v<T, std::int32_t>) return GDT_Int32;
  if constexpr (std::is_same_v<T, float>) return GDT_Float32;
  return GDT_Float64;
}

geo::Ring to_ring(const OGRLinearRing& ring) {
  geo::Ring out;
  for (int i = 0; i < ring.getNumPoints(); ++i) out.push_back({ring.getX(i), ring.getY(i)});
  return out;
}

}  // namespace

template <class T>
void write_geotiff(const std::string& path, const geo::Grid& grid, const geo::Raster<T>& pixels,
                   const std::vector<std::string>& creation_options) {
  GDALAllRegister();
  CPLStringList options;
  for (const auto& option : creation_options) options.AddString(option.c_str());
  const auto width = static_cast<int>(grid.width);
  const auto height = static_cast<int>(grid.height);
  GDALDatasetUniquePtr file(GetGDALDriverManager()->GetDriverByName("GTiff")->Create(
      path.c_str(), width, height, pixels.bands(), gdal_type_of<T>(), options.List()));
  if (!file) throw std::runtime_error("GDAL does not write " + path);
  double transform[6] = {grid.transform.x0, grid.transform.dx, grid.transform.rx,
                         grid.transform.y0, grid.transform.ry, grid.transform.dy};
  file->SetGeoTransform(transform);
  file->SetProjection(grid.crs.wkt().c_str());
  check(file->RasterIO(GF_Write, 0, 0, width, height, const_cast<T*>(pixels.data().data()), width, height,
                       gdal_type_of<T>(), pixels.bands(), nullptr, 0, 0, 0, nullptr));
}
template void write_geotiff(const std::string&, const geo::Grid&, const geo::Raster<std::uint8_t>&,
                            const std::vector<std::string>&);
template void write_geotiff(const std::string&, const geo::Grid&, const geo::Raster<std::int16_t>&,
                            const std::vector<std::string>&);
template void write_geotiff(const std::string&, const geo::Grid&, const geo::Raster<std::uint16_t>&,
                            const std::vector<std::string>&);
template void write_geotiff(const std::string&, const geo::Grid&, const geo::Raster<std::int32_t>&,
                            const std::vector<std::string>&);
template void write_geotiff(const std::string&, const geo::Grid&, const geo::Raster<float>&,
                            const std::vector<std::string>&);
template void write_geotiff(const std::string&, const geo::Grid&, const geo::Raster<double>&,
                            const std::vector<std::string>&);

void write_sparse_geotiff(const std::string& path, const geo::Grid& grid, int block) {
  GDALAllRegister();
  CPLStringList options;
  for (const char* option : {"TILED=YES", "SPARSE_OK=TRUE", "BIGTIFF=YES", "COMPRESS=DEFLATE"})
    options.AddString(option);
  constexpr int kBands = 2;
  GDALDatasetUniquePtr file(GetGDALDriverManager()->GetDriverByName("GTiff")->Create(
      path.c_str(), static_cast<int>(grid.width), static_cast<int>(grid.height), kBands, GDT_UInt16,
      options.List()));
  if (!file) throw std::runtime_error("GDAL does not write " + path);
  double transform[6] = {grid.transform.x0, grid.transform.dx, grid.transform.rx,
                         grid.transform.y0, grid.transform.ry, grid.transform.dy};
  file->SetGeoTransform(transform);
  file->SetProjection(grid.crs.wkt().c_str());
  for (int b = 1; b <= kBands; ++b) file->GetRasterBand(b)->SetNoDataValue(0.0);
  const std::vector<std::uint16_t> pixels(
      static_cast<std::size_t>(block) * static_cast<std::size_t>(block) * kBands, 7);
  for (int at = 0; at + block <= std::min(grid.width, grid.height); at += block) {
    check(file->RasterIO(GF_Write, at, at, block, block, const_cast<std::uint16_t*>(pixels.data()), block,
                         block, GDT_UInt16, kBands, nullptr, 0, 0, 0, nullptr));
  }
}

geo::Raster<double> gdal_values(const std::string& path, const geo::Window& window) {
  GDALAllRegister();
  CPLPushErrorHandler(CPLQuietErrorHandler);
  GDALDatasetUniquePtr file(GDALDataset::Open(path.c_str(), GDAL_OF_RASTER));
  if (!file) throw std::runtime_error("GDAL does not open " + path);
  geo::Raster<double> values(window.width, window.height, file->GetRasterCount());
  const auto width = static_cast<int>(window.width);
  const auto height = static_cast<int>(window.height);
  const CPLErr result = file->RasterIO(GF_Read, static_cast<int>(window.col), static_cast<int>(window.row),
                                       width, height, values.data().data(), width, height, GDT_Float64,
                                       values.bands(), nullptr, 0, 0, 0, nullptr);
  CPLPopErrorHandler();
  check(result);
  return values;
}

void gdal_burn(geo::Raster<std::uint32_t>& out, const geo::Grid& grid,
               std::span<const geo::MultiPolygon> polygons, std::span<const double> values, Burn burn) {
  GDALAllRegister();
  GDALDriver* driver = GetGDALDriverManager()->GetDriverByName("MEM");
  const auto width = static_cast<int>(grid.width);
  const auto height = static_cast<int>(grid.height);
  GDALDatasetUniquePtr memory(driver->Create("", width, height, 1, GDT_UInt32, nullptr));
  const auto& t = grid.transform;
  std::array<double, 6> transform{t.x0, t.dx, t.rx, t.y0, t.ry, t.dy};
  memory->SetGeoTransform(transform.data());
  GDALRasterBand* band = memory->GetRasterBand(1);
  check(band->RasterIO(GF_Write, 0, 0, width, height, out.data().data(), width, height, GDT_UInt32, 0, 0,
                       nullptr));
  std::vector<OGRGeometryUniquePtr> owned;
  std::vector<OGRGeometryH> shapes;
  std::vector<double> burn_values;
  for (std::size_t i = 0; i < polygons.size(); ++i) {
    if (polygons[i].empty()) continue;
    owned.push_back(to_ogr(polygons[i], burn));
    shapes.push_back(OGRGeometry::ToHandle(owned.back().get()));
    burn_values.push_back(values[i]);
  }
  if (shapes.empty()) return;
  CPLStringList options;
  if (burn == Burn::kOutlines) options.SetNameValue("ALL_TOUCHED", "TRUE");
  std::array<int, 1> bands{1};
  check(GDALRasterizeGeometries(GDALDataset::ToHandle(memory.get()), 1, bands.data(),
                                static_cast<int>(shapes.size()), shapes.data(), nullptr, nullptr,
                                burn_values.data(), options.List(), nullptr, nullptr));
  check(band->RasterIO(GF_Read, 0, 0, width, height, out.data().data(), width, height, GDT_UInt32, 0, 0,
                       nullptr));
}

geo::Raster<std::uint8_t> lacuna_reference(std::span<const geo::MultiPolygon> polygons,
                                           const geo::Grid& grid) {
  const geo::MultiPolygon chip{geo::to_polygon(grid.bounds())};
  std::vector<geo::MultiPolygon> kept;
  std::vector<geo::MultiPolygon> cut;
  for (const auto& polygon : polygons) {
    auto part = geo::intersection(polygon, chip);
    if (part.empty()) continue;
    kept.push_back(polygon);
    cut.push_back(std::move(part));
  }
  const double res = (std::abs(grid.transform.dx) + std::abs(grid.transform.dy)) / 2.0;
  const auto burned = ones(cut, grid);
  const auto shrunk = ones(buffered(kept, -res), grid);
  const auto exploded = ones(buffered(kept, res), grid);
  geo::Raster<std::uint8_t> labels(grid.width, grid.height);
  for (std::size_t i = 0; i < labels.data().size(); ++i) {
    const auto outer = static_cast<std::uint8_t>(exploded.data()[i] * 2 - burned.data()[i]);
    labels.data()[i] =
        static_cast<std::uint8_t>(burned.data()[i] * 2 - shrunk.data()[i] + (outer == 1 ? 0 : outer));
  }
  return labels;
}

geo::Raster<std::uint32_t> ftw_reference(std::span<const geo::MultiPolygon> polygons,
                                         std::span<const double> values, const geo::Grid& grid,
                                         std::uint32_t background, std::uint32_t outline) {
  geo::Raster<std::uint32_t> mask(grid.width, grid.height, 1, background);
  gdal_burn(mask, grid, polygons, values, Burn::kFill);
  const std::vector<double> outlines(polygons.size(), static_cast<double>(outline));
  gdal_burn(mask, grid, polygons, outlines, Burn::kOutlines);
  return mask;
}

std::vector<std::pair<std::uint32_t, geo::Polygon>> gdal_polygons(const geo::Raster<std::uint32_t>& labels) {
  const auto width = static_cast<int>(labels.width());
  const auto height = static_cast<int>(labels.height());
  auto* manager = GetGDALDriverManager();
  GDALDatasetUniquePtr raster(
      manager->GetDriverByName("MEM")->Create("", width, height, 1, GDT_Int32, nullptr));
  std::vector<std::int32_t> values(labels.data().begin(), labels.data().end());
  GDALRasterBand* band = raster->GetRasterBand(1);
  check(
      band->RasterIO(GF_Write, 0, 0, width, height, values.data(), width, height, GDT_Int32, 0, 0, nullptr));
  GDALDatasetUniquePtr vector(manager->GetDriverByName("Memory")->Create("", 0, 0, 0, GDT_Unknown, nullptr));
  OGRLayer* layer = vector->CreateLayer("labels", nullptr, wkbPolygon, nullptr);
  OGRFieldDefn field("label", OFTInteger);
  layer->CreateField(&field);
  // The band is its own mask: 0 is left out.
  check(GDALPolygonize(GDALRasterBand::ToHandle(band), GDALRasterBand::ToHandle(band),
                       OGRLayer::ToHandle(layer), 0, nullptr, nullptr, nullptr));
  std::vector<std::pair<std::uint32_t, geo::Polygon>> out;
  for (const auto& feature : layer) {
    const OGRPolygon* polygon = feature->GetGeometryRef()->toPolygon();
    geo::Polygon shape{to_ring(*polygon->getExteriorRing()), {}};
    for (int i = 0; i < polygon->getNumInteriorRings(); ++i)
      shape.holes.push_back(to_ring(*polygon->getInteriorRing(i)));
    out.emplace_back(static_cast<std::uint32_t>(feature->GetFieldAsInteger(0)), std::move(shape));
  }
  return out;
}

}  // namespace furrow::test
