#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <furrow/geo/raster/writer.h>

#include "support.h"

/// Small data sets of every layout, written with the library's own writers.
namespace furrow::dataset::trees {

namespace fs = std::filesystem;

/// A grid in degrees whose upper left corner is (x, y).
inline geo::Grid lonlat_grid(double x, double y, std::int64_t pixels = 16, double degrees = 0.005) {
  geo::Grid grid;
  grid.width = pixels;
  grid.height = pixels;
  const double step = degrees / static_cast<double>(pixels);
  grid.transform = {x, step, 0.0, y, 0.0, -step};
  grid.crs = geo::Crs::from_user_input("EPSG:4326");
  return grid;
}

/// `bands` bands whose pixels all differ, also between seeds.
inline geo::Raster<std::uint16_t> pixels(const geo::Grid& grid, int bands, int seed) {
  geo::Raster<std::uint16_t> raster(grid.width, grid.height, bands);
  for (std::size_t i = 0; i < raster.data().size(); ++i)
    raster.data()[i] = static_cast<std::uint16_t>(i * 7 + static_cast<std::size_t>(seed) * 131);
  return raster;
}

/// Columns 0-7 background, 8-11 interior, 12-15 boundary of 16.
inline geo::Raster<std::uint8_t> classes(const geo::Grid& grid) {
  geo::Raster<std::uint8_t> raster(grid.width, grid.height);
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t col = 0; col < grid.width; ++col) {
      const std::int64_t sixteenth = col * 16 / grid.width;
      raster.at(col, row) = sixteenth < 8 ? 0 : sixteenth < 12 ? 1 : 2;
    }
  }
  return raster;
}

template <class T>
void write(const fs::path& path, const geo::Grid& grid, const geo::Raster<T>& raster,
           std::optional<double> nodata = {}) {
  fs::create_directories(path.parent_path());
  geo::RasterSpec spec;
  spec.type = geo::pixel_type_of<T>();
  spec.bands = raster.bands();
  spec.nodata = nodata;
  spec.cog = false;
  geo::write_raster(path, grid, raster, spec, true);
}

inline void write_image(const fs::path& path, const geo::Grid& grid, int seed, int bands = 4) {
  write(path, grid, pixels(grid, bands, seed));
}

inline void write_labels(const fs::path& path, const geo::Grid& grid) {
  write(path, grid, classes(grid));
}

inline void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// Two sites; site AO0000001 mapped by two people (columns image and label, and the published file names).
inline void lacuna(const fs::path& root) {
  const geo::Grid angola = lonlat_grid(15.0, -9.0);
  const geo::Grid namibia = lonlat_grid(17.0, -20.0);
  write_image(root / "images/AO0000001_2018-03.tif", angola, 1);
  write_image(root / "images/NA0000002_2019-11.tif", namibia, 2);
  write_labels(root / "labels/AO0000001_100001_2018-03.tif", angola);
  write_labels(root / "labels/AO0000001_5_2018-03.tif", angola);
  write(root / "labels/NA0000002_7_2019-11.tif", namibia, geo::Raster<std::int16_t>(16, 16));
  write_text(
      root / "label-catalog-filtered.csv",
      "name,Class,assignment_id,Labeller,status,x,y,image,label\n"
      "AO0000001,1a,100001,e1,None,15.0025,-9.0025,AO0000001_2018-03.tif,AO0000001_100001_2018-03\n"
      "AO0000001,4,5,7,Approved,15.0025,-9.0025,images/AO0000001_2018-03.tif,labels/AO0000001_5_2018-03.tif\n"
      "NA0000002,2,7,9,Approved,17.0025,-20.0025,NA0000002_2019-11,NA\n");
}

/// austria: g1 (train), g2 (val), g3 (test, without window a); kenya: g1 (train).
inline void ftw(const fs::path& root) {
  const auto chip = [&](const std::string& country, const std::string& id, double x, double y, int seed,
                        bool both) {
    const geo::Grid grid = lonlat_grid(x, y);
    if (both) write_image(root / country / "s2_images/window_a" / (id + ".tif"), grid, seed);
    write_image(root / country / "s2_images/window_b" / (id + ".tif"), grid, seed + 1);
    const fs::path masks = root / country / "label_masks";
    write(masks / "semantic_3class" / (id + ".tif"), grid, classes(grid), 0.0);
    geo::Raster<std::uint8_t> two = classes(grid);
    for (auto& value : two.data()) value = value == 1 ? 1 : 0;
    write(masks / "semantic_2class" / (id + ".tif"), grid, two);
    write(masks / "instance" / (id + ".tif"), grid, geo::Raster<std::int32_t>(16, 16, 1, 70000));
  };
  chip("austria", "g1", 15.0, 48.0, 10, true);
  chip("austria", "g2", 15.1, 48.0, 20, true);
  chip("austria", "g3", 15.2, 48.0, 30, false);
  chip("kenya", "g1", 36.0, 1.0, 40, true);
  write_text(root / "austria/chips_austria.csv",
             "aoi_id,split,lon,lat\ng1,train,15.0025,47.9975\ng2,validation,15.1025,47.9975\ng3,test,,\n");
  write_text(root / "kenya/chips_kenya.csv", "AOI_ID,Split\ng1,train\n");
}

/// One chip with two windows and one of Mapping Africa with one.
inline void combined_csv(const fs::path& root) {
  const geo::Grid grid = lonlat_grid(15.0, 48.0);
  const geo::Grid other = lonlat_grid(17.0, -20.0);
  write_image(root / "ftw/a/g1.tif", grid, 1);
  write_image(root / "ftw/b/g1.tif", grid, 2);
  write_labels(root / "ftw/m/g1.tif", grid);
  write_image(root / "africa/NA0000002.tif", other, 3);
  write_labels(root / "africa/NA0000002_label.tif", other);
  write_text(root / "all.csv",
             "name,dataset,version,country,x,y,fld_prop,nonfld_prop,null_prop,window_a,window_b,mask,split\n"
             "g1,ftw,1,Austria,15.0025,47.9975,0.5,0.5,0,ftw/a/g1.tif,ftw/b/g1.tif,ftw/m/g1.tif,train\n"
             "NA0000002,mappingafrica,1,NA,17.0025,-20.0025,0.5,0.5,0,africa/NA0000002.tif,,"
             "africa/NA0000002_label.tif,validate\n");
}

/// images/ and labels/ with files of the same names.
inline void paired_folders(const fs::path& root, int count = 3) {
  for (int i = 0; i < count; ++i) {
    const geo::Grid grid = test::utm_grid(16 + i, 16);
    write_image(root / "images" / ("s" + std::to_string(i) + ".tif"), grid, i);
    write_labels(root / "labels" / ("s" + std::to_string(i) + (i == 1 ? "_mask.tif" : ".tif")), grid);
  }
}

}  // namespace furrow::dataset::trees
