#include <furrow/geo/raster/stacked_image.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "gdal_support.h"
#include "gdal_warp.h"

namespace furrow::geo {
namespace {

/// Named as the image, for GDAL's messages.
std::string stack_path(const std::string& image) {
  return path_in_memory(std::filesystem::path(image).stem().string() + ".vrt");
}

/// GDAL's name, or "" for what goes as float32.
std::string gdal_name(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
      return "Byte";
    case PixelType::kUint16:
      return "UInt16";
    case PixelType::kInt16:
      return "Int16";
    case PixelType::kUint32:
      return "UInt32";
    case PixelType::kInt32:
      return "Int32";
    case PixelType::kFloat32:
      return "Float32";
    case PixelType::kFloat64:
      return "Float64";
    default:
      return "";
  }
}

bool can_be_taken_as_it_is(const RasterReader& image, const Grid& grid) {
  if (image.has_mask() || !image.grid().same_as(grid)) return false;
  for (int b = 0; b < image.bands(); ++b) {
    if (gdal_name(image.band(b).type).empty()) return false;
  }
  return true;
}

std::string escaped(const std::string& text) {
  const std::unique_ptr<char, decltype(&VSIFree)> xml(
      CPLEscapeString(text.c_str(), static_cast<int>(text.size()), CPLES_XML), &VSIFree);
  return xml.get();
}

std::string band_xml(const RasterReader& image, int band, int number) {
  const BandInfo& info = image.band(band);
  std::string xml = concat("<VRTRasterBand dataType=\"", gdal_name(info.type), "\" band=\"", number, "\">");
  if (!info.description.empty()) xml += concat("<Description>", escaped(info.description), "</Description>");
  if (info.nodata) {
    xml +=
        concat("<NoDataValue>", std::isnan(*info.nodata) ? "nan" : shortest(*info.nodata), "</NoDataValue>");
  }
  if (info.scale != 1.0) xml += concat("<Scale>", shortest(info.scale), "</Scale>");
  if (info.offset != 0.0) xml += concat("<Offset>", shortest(info.offset), "</Offset>");
  return xml + concat("<SimpleSource><SourceFilename relativeToVRT=\"0\">", escaped(image.path()),
                      "</SourceFilename><SourceBand>", band + 1,
                      "</SourceBand></SimpleSource></VRTRasterBand>");
}

std::string stack_xml(const Grid& grid, const std::vector<RasterReader>& parts, const std::string& date) {
  const GeoTransform& t = grid.transform;
  std::string xml =
      concat("<VRTDataset rasterXSize=\"", grid.width, "\" rasterYSize=\"", grid.height,
             "\"><SRS dataAxisToSRSAxisMapping=\"1,2\">", escaped(grid.crs.wkt()), "</SRS><GeoTransform>");
  const std::vector<double> numbers{t.x0, t.dx, t.rx, t.y0, t.ry, t.dy};
  for (std::size_t i = 0; i < numbers.size(); ++i) xml += (i > 0 ? ", " : "") + shortest(numbers[i]);
  xml += "</GeoTransform>";
  if (!date.empty())
    xml += concat("<Metadata><MDI key=\"TIFFTAG_DATETIME\">", escaped(date), "</MDI></Metadata>");
  int number = 0;
  for (const RasterReader& part : parts) {
    for (int b = 0; b < part.bands(); ++b) {
      // What it says of the others is in their nodata by now.
      if (part.band(b).colour != "alpha") xml += band_xml(part, b, ++number);
    }
  }
  return xml + "</VRTDataset>";
}

void check_overlap(const RasterReader& image, const RasterReader& first) {
  const Box box = CoordinateTransform(image.grid().crs, first.grid().crs).apply(image.grid().bounds());
  if (box.intersects(first.grid().bounds())) return;
  throw InvalidArgument(concat("image ", quoted(image.path()), " lies elsewhere than image ",
                               quoted(first.path()), ": they are not two dates of one place"));
}

}  // namespace

/// On the grid of the stack, in memory: what a mask hides is NaN.
std::string StackedImage::on_grid(const RasterReader& image, const Grid& grid) {
  const GeoTransform& t = grid.transform;
  if (!t.is_axis_parallel() || t.dx < 0.0 || t.dy > 0.0) {
    throw InvalidArgument(
        concat("image ", quoted(image.path()),
               " has a mask or another grid than the image whose bands come first, which is "
               "not north-up; bring both to one grid with gdalwarp first"));
  }
  const bool is_same = image.grid().same_as(grid);
  const std::string method =
      is_same ? "near" : resampling_between(image.grid().pixel_size_m(), grid.pixel_size_m());
  const Box box = grid.bounds();
  m_files.push_back(stack_path(image.path()));
  warp_to_vrt(image, m_files.back(),
              {"-t_srs", grid.crs.wkt(), "-te", shortest(box.min_x), shortest(box.min_y), shortest(box.max_x),
               shortest(box.max_y), "-ts", std::to_string(grid.width), std::to_string(grid.height), "-r",
               method, "-ot", "Float32", "-dstnodata", "nan"});
  if (!is_same) m_resampled.push_back(image.path());
  return m_files.back();
}

StackedImage::StackedImage(const RasterReader& first, std::span<const std::string> others,
                           const RasterReadOptions& reading) {
  const Grid& grid = first.grid();
  RasterReadOptions with_crs;
  with_crs.override_crs = grid.crs;
  std::vector<RasterReader> parts;
  try {
    const auto add = [&](const RasterReader& image) {
      const bool as_it_is = can_be_taken_as_it_is(image, grid);
      parts.emplace_back(as_it_is ? image.path() : on_grid(image, grid), with_crs);
    };
    add(first);
    for (const std::string& path : others) {
      const RasterReader other(path, reading);
      check_overlap(other, first);
      add(other);
    }
    m_files.push_back(stack_path(first.path()));
    const std::string xml = stack_xml(grid, parts, first.metadata("TIFFTAG_DATETIME"));
    VSILFILE* const file = VSIFOpenL(m_files.back().c_str(), "wb");
    if (file == nullptr || VSIFWriteL(xml.data(), 1, xml.size(), file) != xml.size() || VSIFCloseL(file) != 0)
      throw IoError(concat("cannot stack images on ", quoted(first.path()), ": no memory for their list"));
  } catch (...) {
    remove_files();
    throw;
  }
}

StackedImage::~StackedImage() {
  remove_files();
}

void StackedImage::remove_files() noexcept {
  for (const std::string& file : m_files) VSIUnlink(file.c_str());
}

}  // namespace furrow::geo
