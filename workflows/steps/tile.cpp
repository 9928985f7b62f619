#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/tiling.h>
#include <furrow/workflow/step.h>

#include "vector_options.h"

namespace furrow::workflow {
namespace {

class Tile : public Step {
 public:
  StepInfo info() const override {
    return {"tile",
            "Cut images, and labels with them, into chips of one size",
            "Writes <stem>_<row>_<col>.tif for every chip, a catalogue chips.csv and an index chips.gpkg "
            "with the "
            "footprints. Pixel values are copied bit for bit; type, nodata, scale, CRS, band names and image "
            "date stay. "
            "With --labels or --label-raster a label chip lies under the same name in labels/: 0 background, "
            "1 interior, 2 boundary, 255 where the image has no data.\n\n"
            "Nothing is resampled: --crs states a CRS that the file does not know. An image that cannot be "
            "cut does "
            "not stop the others.",
            {{"Chips of 256 pixels", "furrow tile sample_data/scene.tif --out chips"},
             {"Training chips with labels, without empty ones",
              "furrow tile sample_data/scene.tif --labels sample_data/truth.gpkg --tile-px 128 --skip-empty "
              "--out chips"}}};
  }

  void declare(OptionTable& t) override {
    t.add("images", &m_images).positional().required().input("raster").help("Images to cut");
    t.add("out", &m_out).required().output("folder").short_name('o').help("Folder to write");
    t.add("tile-px", &m_tile_px).range(1, 65536).unit("px").help("Width and height of a chip");
    t.add("tile-m", &m_tile_m).range(1e-3, 1e8).unit("m").excludes("tile-px").help("The same on the ground");
    t.add("overlap-px", &m_overlap_px)
        .range(0, 65535)
        .unit("px")
        .help("Pixels that neighbouring chips share");
    t.add("edge", &m_edge)
        .choices({"shift", "pad", "partial"})
        .help("The last chips of a row: moved inwards, filled up with nodata, or smaller");
    t.add("bands", &m_bands).at_least(1).help("Bands to keep, in this order, from 1; default: all");
    t.add("nodata", &m_nodata).nan_allowed().help("Nodata value of the images whatever the file says");
    t.add("skip-empty", &m_skip_empty).help("Leave out chips without a valid pixel");
    t.add("min-valid", &m_min_valid).range(0, 1).help("Leave out chips with a smaller share of valid pixels");
    t.add("format", &m_format).choices({"gtiff", "cog"}).help("Plain or cloud-optimised GeoTIFF");
    t.add("compress", &m_compress)
        .choices({"none", "lzw", "deflate", "zstd"})
        .help("How chips are stored; 'none' is quickest to write and to read");
    t.add("crs", &m_crs).help("CRS of the images whatever the file says, for example EPSG:32632");
    t.add("labels", &m_labels).group("Labels").input("vector layer").help("Field polygons to rasterise");
    t.add("label-raster", &m_label_raster)
        .group("Labels")
        .input("raster")
        .excludes("labels")
        .help("Label raster on the images' pixels to cut along with them");
    t.add("boundary-px", &m_boundary_px)
        .group("Labels")
        .range(0, 1000)
        .unit("px")
        .help("Width of the boundary class, half on each side");
    t.add("boundary-m", &m_boundary_m)
        .group("Labels")
        .range(0, 100000)
        .unit("m")
        .excludes("boundary-px")
        .help("The same in metres on the ground");
    m_vector.declare(t, "labels");
    t.find("labels-crs")
        ->help(
            "CRS of the polygons whatever the file says: EPSG:32632, or 'grid' for that of the (first) "
            "image");
  }

  void check() const override {
    if (m_overlap_px > 0 && !m_tile_m && m_overlap_px >= m_tile_px) {
      throw geo::UsageError(
          geo::concat("--overlap-px ", m_overlap_px, " must be smaller than --tile-px ", m_tile_px));
    }
    std::vector<std::string> stems;
    for (const auto& image : m_images) stems.push_back(std::filesystem::path(image).stem().string());
    std::ranges::sort(stems);
    const auto twice = std::ranges::adjacent_find(stems);
    if (twice != stems.end()) {
      throw geo::UsageError(
          geo::concat("two images are both called ", geo::quoted(*twice),
                      "; their chips would have the same names, so cut them into separate folders"));
    }
  }

  void run(StepContext& context) override {
    const geo::ChipOptions options = chip_options();
    const geo::LabelsOfImage labels = labels_of(options);
    geo::AtomicFolder folder(m_out, context.overwrite());
    std::vector<geo::Chip> chips;
    std::int64_t left_out = 0;
    std::size_t failed = 0;
    for (const auto& image : m_images) {
      try {
        auto report = geo::cut_image(image, folder.temporary(), options, labels, context.exec());
        std::ranges::move(report.chips, std::back_inserter(chips));
        left_out += report.left_out;
      } catch (const geo::Cancelled&) {
        throw;
      } catch (const geo::Error& e) {
        // Nothing at all came of it: that is a failure of the command, not of an input.
        if (++failed == m_images.size()) throw;
        context.fail(image, e.what());
      }
    }
    if (chips.empty()) geo::log_warning("every chip was left out; the catalogue is empty");
    geo::write_chip_catalogue(chips, folder.temporary());
    folder.commit();
    context.record("chips", std::ssize(chips));
    context.record("left_out", left_out);
  }

 private:
  [[nodiscard]] geo::ChipOptions chip_options() const {
    geo::ChipOptions options;
    options.flush = geo::Flush::kLater;  // with the folder
    options.size = {m_tile_px, m_tile_px, m_overlap_px};
    options.side_m = m_tile_m;
    options.edge = m_edge == "pad"       ? geo::ChipEdge::kPad
                   : m_edge == "partial" ? geo::ChipEdge::kPartial
                                         : geo::ChipEdge::kShift;
    for (const auto band : m_bands) options.bands.push_back(static_cast<int>(band) - 1);
    options.nodata = m_nodata;
    options.skip_empty = m_skip_empty;
    options.min_valid = m_min_valid;
    options.format = m_format == "cog" ? geo::ChipFormat::kCog : geo::ChipFormat::kGeoTiff;
    options.compression = m_compress == "none"   ? geo::Compression::kNone
                          : m_compress == "lzw"  ? geo::Compression::kLzw
                          : m_compress == "zstd" ? geo::Compression::kZstd
                                                 : geo::Compression::kDeflate;
    if (!m_crs.empty()) options.read.override_crs = geo::Crs::from_user_input(m_crs);
    return options;
  }

  [[nodiscard]] geo::LabelsOfImage labels_of(const geo::ChipOptions& options) const {
    if (!m_label_raster.empty()) return geo::labels_from_raster(m_label_raster, options.read);
    if (m_labels.empty()) return {};
    const bool from_image = m_vector.crs == "grid";
    geo::Crs image_crs;
    if (from_image) image_crs = geo::RasterReader(m_images.front(), options.read).grid().crs;
    auto layer = geo::read_layer(m_labels, m_vector.read_options("--labels-crs", false, image_crs));
    std::vector<geo::MultiPolygon> polygons;
    for (auto& feature : layer.features) polygons.push_back(std::move(feature.geometry));
    return geo::labels_from_polygons(std::move(polygons), from_image ? geo::Crs{} : layer.crs,
                                     {m_boundary_px, m_boundary_m});
  }

  std::vector<std::string> m_images;
  std::string m_out;
  std::int64_t m_tile_px = 256;
  std::optional<double> m_tile_m;
  std::int64_t m_overlap_px = 0;
  std::string m_edge = "shift";
  std::vector<std::int64_t> m_bands;
  std::optional<double> m_nodata;
  bool m_skip_empty = false;
  double m_min_valid = 0.0;
  std::string m_format = "gtiff";
  std::string m_compress = "deflate";
  std::string m_crs;
  std::string m_labels;
  std::string m_label_raster;
  double m_boundary_px = 2.0;
  std::optional<double> m_boundary_m;
  VectorOptions m_vector;
};

}  // namespace

std::unique_ptr<Step> make_tile() {
  return std::make_unique<Tile>();
}

}  // namespace furrow::workflow
