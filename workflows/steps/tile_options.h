#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/chip_targets.h>
#include <furrow/geo/raster/tiling.h>
#include <furrow/workflow/option_table.h>

#include "compression_option.h"
#include "vector_options.h"

namespace furrow::workflow {

/// The options of `tile`, and what they say in the library's terms.
struct TileOptions {
  std::vector<std::string> images;
  std::string out;
  std::string path_column;
  std::string asset;
  std::optional<std::int64_t> tile_px;
  std::optional<double> tile_m;
  std::optional<double> tile_deg;
  std::int64_t overlap_px = 0;
  std::int64_t halo_px = 0;
  std::string edge = "shift";
  std::string output_crs;
  std::optional<double> resolution;
  std::string grid;
  std::string index;
  std::string index_name;
  std::string points;
  std::string profile = "none";
  std::string resampling = "auto";
  bool mosaic = false;
  std::string order = "given";
  bool stack = false;
  bool align = false;
  std::vector<std::string> bands;
  std::optional<double> nodata;
  std::string invalid_as = "auto";
  bool skip_empty = false;
  double min_valid = 0.0;
  bool stats = false;
  std::string format = "gtiff";
  std::string compress = "deflate";
  std::string crs;
  std::string labels;
  std::string label_raster;
  double boundary_px = 2.0;
  std::optional<double> boundary_m;
  VectorOptions vector;

  void declare(OptionTable& t) {
    t.add("images", &images)
        .positional()
        .required()
        .input("raster")
        .help(
            "Images to cut: rasters, folders, patterns, lists (.txt, .csv), tile indexes, STAC items, - for "
            "paths "
            "from standard input");
    t.add("out", &out).required().output("folder").short_name('o').help("Folder to write");
    t.add("path-column", &path_column)
        .help("Column of a CSV list with the paths; default: path, image, file, ...");
    t.add("asset", &asset).help("Asset of STAC items to read; default: their only raster");
    declare_chips(t);
    declare_grid(t);
    declare_pixels(t);
    declare_labels(t);
  }

  /// @throws geo::UsageError
  void check() const {
    if (!points.empty() || profile == "lacuna") {
      check_points();
    } else if (tile_px && (tile_m || tile_deg)) {
      throw geo::UsageError("--tile-px and --tile-m or --tile-deg belong together with --points only");
    }
    if (!tile_m && !tile_deg && overlap_px > 0 && overlap_px >= side_px()) {
      throw geo::UsageError(
          geo::concat("--overlap-px ", overlap_px, " must be smaller than --tile-px ", side_px()));
    }
    if (!index.empty() && (tile_px || tile_m || tile_deg || overlap_px > 0))
      throw geo::UsageError(
          "with --index the polygons say how large chips are; leave out --tile-... and --overlap-px");
    if (!index_name.empty() && index.empty()) throw geo::UsageError("--index-name is for --index");
    if (!output_crs.empty() && !resolution && points.empty())
      throw geo::UsageError("--output-crs needs --resolution, in metres or degrees as the CRS has them");
    const bool together = mosaic || stack || !index.empty() || !points.empty();
    if (order != "given" && !together)
      throw geo::UsageError("--order is for --mosaic, --stack, --index and --points");
    if (align && !stack) throw geo::UsageError("--align is for --stack");
    if (align && !points.empty())
      throw geo::UsageError("--align measures on one grid; chips around --points have none in common");
    if (resolution && edge != "shift")
      throw geo::UsageError(
          "--edge is for chips on an image's grid or --grid; with --resolution all are complete");
  }

  [[nodiscard]] geo::ChipOptions chip_options() const {
    geo::ChipOptions options;
    options.flush = geo::Flush::kLater;  // with the folder
    options.size = {side_px(), side_px(), overlap_px, halo_px};
    options.side_m = tile_m;
    options.side_deg = tile_deg;
    options.edge = edge == "pad"       ? geo::ChipEdge::kPad
                   : edge == "partial" ? geo::ChipEdge::kPartial
                                       : geo::ChipEdge::kShift;
    options.skip_empty = skip_empty;
    options.min_valid = min_valid;
    options.statistics = stats;
    options.format = format == "cog" ? geo::ChipFormat::kCog : geo::ChipFormat::kGeoTiff;
    options.compression = compression_of(compress);
    for (const auto& words : bands) {  // "3 2 1" and "3,2,1"
      for (const auto& word : geo::split(words, ',')) options.source.bands.emplace_back(geo::trim(word));
    }
    options.source.nodata = nodata;
    options.source.invalid_as = invalid_as == "mask"     ? geo::InvalidAs::kMask
                                : invalid_as == "nodata" ? geo::InvalidAs::kNodata
                                                         : geo::InvalidAs::kAuto;
    const bool own_grid = !resolution && grid.empty() && points.empty() && index.empty() && !mosaic && !stack;
    options.source.may_miss = !own_grid;
    if (!crs.empty()) options.source.read.override_crs = geo::Crs::from_user_input(crs);
    return options;
  }

  /// Decides what depends on the images: classes are not to be mixed.
  void settle(const std::vector<geo::ChipScene>& scenes, geo::ChipOptions& options) const {
    const bool classes = std::ranges::any_of(scenes, [](const geo::ChipScene& scene) {
      return std::ranges::any_of(scene.infos, [](const geo::BandInfo& b) { return b.colour == "palette"; });
    });
    options.source.resampling = geo::resampling_of(resampling != "auto" ? resampling
                                                   : classes            ? "nearest"
                                                                        : "cubic");
  }

  /// Chips around points that are measured in degrees, whatever the images' CRS.
  [[nodiscard]] bool measures_degrees() const {
    return !points.empty() && (tile_deg || (profile == "lacuna" && !tile_m));
  }

  /// A length in the CRS's own units: metres for projected ones, whatever they count in, else degrees.
  [[nodiscard]] static double in_units(double length, const geo::Crs& crs) {
    return crs.is_projected() ? length / crs.metres_per_unit() : length;
  }

  /// Columns of a chip around a point, and its side in units of the CRS.
  [[nodiscard]] std::pair<std::int64_t, double> point_chip(const geo::Crs& chip_crs) const {
    if ((tile_deg && chip_crs.is_projected()) || (tile_m && !chip_crs.is_projected())) {
      throw geo::UsageError(
          geo::concat("chips in ", chip_crs.name(), " are measured in ",
                      chip_crs.is_projected() ? "metres; give --tile-m" : "degrees; give --tile-deg",
                      ", or another --output-crs"));
    }
    const std::optional<double> side = tile_deg ? tile_deg : tile_m ? tile_m : lacuna_side();
    if (!resolution) return {side_px(), in_units(*side, chip_crs)};
    const std::int64_t px =
        tile_px || !side ? side_px() : std::max<std::int64_t>(1, std::llround(*side / *resolution));
    return {px, in_units(*resolution * static_cast<double>(px), chip_crs)};
  }

  [[nodiscard]] std::vector<geo::NamedPolygon> index_polygons(const geo::Crs& target) const {
    geo::LayerReadOptions read;
    read.crs_switch = "ogr2ogr -a_srs";
    read.target_crs = target;
    read.invalid = geo::InvalidGeometry::kRepair;
    return geo::read_index_polygons(index, index_name, read);
  }

  /// @param image_crs  of the first image
  /// @param target     of the chips
  [[nodiscard]] geo::LabelsOfGrid labels_for(const geo::Crs& image_crs, const geo::Crs& target) const {
    if (!label_raster.empty()) {
      geo::RasterReadOptions read;
      if (!crs.empty()) read.override_crs = geo::Crs::from_user_input(crs);
      const bool own_grid = !resolution && grid.empty() && points.empty();
      return geo::labels_from_raster(label_raster, read,
                                     own_grid ? geo::LabelsOffGrid::kError : geo::LabelsOffGrid::kNearest);
    }
    if (labels.empty()) return {};
    const bool from_image = vector.crs == "grid";
    auto layer =
        geo::read_layer(labels, vector.read_options("--labels-crs", false, from_image ? image_crs : target));
    std::vector<geo::MultiPolygon> polygons;
    for (auto& feature : layer.features) polygons.push_back(std::move(feature.geometry));
    return geo::labels_from_polygons(std::move(polygons), layer.crs, {boundary_px, boundary_m});
  }

 private:
  static constexpr std::int64_t kUsualPx = 256;
  static constexpr std::int64_t kLacunaPx = 224;
  static constexpr double kLacunaDeg = 0.005;

  [[nodiscard]] std::int64_t side_px() const {
    return tile_px.value_or(profile == "lacuna" ? kLacunaPx : kUsualPx);
  }
  [[nodiscard]] std::optional<double> lacuna_side() const {
    return profile == "lacuna" ? std::optional(kLacunaDeg) : std::nullopt;
  }

  void check_points() const {
    if (points.empty())
      throw geo::UsageError("--profile lacuna cuts chips around places; name them with --points");
    if (!index.empty() || !grid.empty() || mosaic || overlap_px > 0)
      throw geo::UsageError(
          "--points makes a grid of its own for each chip; leave out --index, --grid, --mosaic and "
          "--overlap-px");
    if (profile == "lacuna") return;
    if (!tile_m && !tile_deg && !resolution)
      throw geo::UsageError(
          "--points needs the size of a chip: --tile-deg or --tile-m, or --resolution with --tile-px");
  }

  void declare_chips(OptionTable& t) {
    t.add("tile-px", &tile_px)
        .range(1, 65536)
        .unit("px")
        .help("Width and height of a chip; default: 256 (224 with --profile lacuna)");
    t.add("tile-m", &tile_m).range(1e-3, 1e8).unit("m").help("The same on the ground");
    t.add("tile-deg", &tile_deg)
        .range(1e-9, 360)
        .unit("degrees")
        .excludes("tile-m")
        .help("The same in degrees");
    t.add("overlap-px", &overlap_px).range(0, 65535).unit("px").help("Pixels that neighbouring chips share");
    t.add("halo-px", &halo_px)
        .range(0, 65535)
        .unit("px")
        .help("Pixels around every chip that belong to its neighbours; the catalogue says where the core is");
    t.add("edge", &edge)
        .choices({"shift", "pad", "partial"})
        .help("The last chips of a row: moved inwards, filled up with nodata, or smaller");
  }

  void declare_grid(OptionTable& t) {
    const char* const group = "Grid";
    t.add("output-crs", &output_crs).group(group).help("CRS of the chips; default: that of the first image");
    t.add("resolution", &resolution)
        .group(group)
        .range(1e-12, 1e9)
        .unit("m or degrees")
        .help("Pixel size of a grid for all images, snapped to whole multiples from the CRS's origin");
    t.add("grid", &grid)
        .group(group)
        .input("raster")
        .excludes("resolution")
        .excludes("output-crs")
        .help("Raster whose pixel grid all chips have");
    t.add("index", &index).group(group).input("vector layer").help("One chip for each polygon of this layer");
    t.add("index-name", &index_name)
        .group(group)
        .help("Its column with the names of the chips; default: name, id, ...");
    t.add("points", &points)
        .group(group)
        .input("table")
        .help("CSV with name, x, y (degrees): a square chip centred on each place");
    t.add("profile", &profile)
        .group(group)
        .choices({"none", "lacuna"})
        .help(
            "lacuna: --output-crs EPSG:4326 --tile-deg 0.005 --tile-px 224 --resampling cubic around "
            "--points");
    std::vector<std::string> methods{"auto"};
    for (const auto& name : geo::resampling_names()) methods.push_back(name);
    t.add("resampling", &resampling)
        .group(group)
        .choices(std::move(methods))
        .help("How pixels off the grid are made; auto: nearest for images with a colour table, else cubic");
    t.add("mosaic", &mosaic)
        .group("Several images")
        .excludes("stack")
        .help("One raster from all images: the first valid pixel counts");
    t.add("order", &order)
        .group("Several images")
        .choices({"given", "newest", "oldest"})
        .help("Which image of a mosaic or stack comes first");
    t.add("stack", &stack)
        .group("Several images")
        .help("The bands of all images in one chip, on the first one's grid");
    t.add("align", &align)
        .group("Several images")
        .help("Take out shifts against the first image of a stack where they are significant");
  }

  void declare_pixels(OptionTable& t) {
    const char* const group = "Pixels";
    t.add("bands", &bands)
        .group(group)
        .help("Bands to keep, in this order: numbers from 1 or names (B04, red); default: all");
    t.add("nodata", &nodata)
        .group(group)
        .nan_allowed()
        .help("Nodata value of the images whatever the file says");
    t.add("invalid-as", &invalid_as)
        .group(group)
        .choices({"auto", "mask", "nodata"})
        .help("How chips mark pixels without data; auto: as the images do, else by a mask");
    t.add("skip-empty", &skip_empty).group(group).help("Leave out chips without a valid pixel");
    t.add("min-valid", &min_valid)
        .group(group)
        .range(0, 1)
        .help("Leave out chips with a smaller share of valid pixels");
    t.add("stats", &stats)
        .group(group)
        .help("Minimum, maximum, mean and standard deviation per band in the catalogue");
    t.add("format", &format).group(group).choices({"gtiff", "cog"}).help("Plain or cloud-optimised GeoTIFF");
    t.add("compress", &compress)
        .group(group)
        .choices(kCompressions)
        .help("How chips are stored; 'none' is quickest to write and to read");
    t.add("crs", &crs).group(group).help("CRS of the images whatever the file says, for example EPSG:32632");
  }

  void declare_labels(OptionTable& t) {
    const char* const group = "Labels";
    t.add("labels", &labels).group(group).input("vector layer").help("Field polygons to rasterise");
    t.add("label-raster", &label_raster)
        .group(group)
        .input("raster")
        .excludes("labels")
        .help("Label raster on the images' pixels to cut along with them");
    t.add("boundary-px", &boundary_px)
        .group(group)
        .range(0, 1000)
        .unit("px")
        .help("Width of the boundary class, half on each side");
    t.add("boundary-m", &boundary_m)
        .group(group)
        .range(0, 100000)
        .unit("m")
        .excludes("boundary-px")
        .help("The same in metres on the ground");
    vector.declare(t, "labels");
    t.find("labels-crs")
        ->help(
            "CRS of the polygons whatever the file says: EPSG:32632, or 'grid' for that of the (first) "
            "image");
  }
};

}  // namespace furrow::workflow
