#pragma once

#include <filesystem>
#include <string>

#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/layer_writer.h>

#include "http_server.h"
#include "support.h"

namespace furrow::test {

/// A folder behind a server, with scene.tif (two bands of noise, so that its blocks are spread over the file)
/// and fields.gpkg and fields.geojson (one square).
class ServedFolder {
 public:
  ServedFolder() : server(folder.path()) {
    const geo::Grid grid = utm_grid(kSide, kSide);
    geo::Raster<std::uint16_t> pixels(kSide, kSide, 2);
    geo::Random random(7);
    for (auto& value : pixels.data()) value = static_cast<std::uint16_t>(random.uniform(0.0, 60000.0));
    geo::RasterSpec spec;
    spec.type = geo::PixelType::kUint16;
    spec.bands = 2;
    geo::write_raster(folder / "scene.tif", grid, pixels, spec, false);
    const geo::Layer fields =
        layer_of({"POLYGON((500500 5999500,502500 5999500,502500 5997500,500500 5997500,500500 5999500))"});
    geo::write_layer(fields, folder / "fields.gpkg", false);
    geo::write_layer(fields, folder / "fields.geojson", false);
  }

  static constexpr std::int64_t kSide = 700;
  TemporaryFolder folder;
  HttpServer server;
};

}  // namespace furrow::test
