#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/workflow/step.h>

#include "compression_option.h"
#include "vector_options.h"

namespace furrow::workflow {
namespace {

class Rasterize : public Step {
 public:
  StepInfo info() const override {
    return {
        "rasterize",
        "Burn field polygons into a label raster on the grid of an image",
        "Writes field polygons as a raster on the pixel grid of --grid: labels (0 background, 1 interior, 2 "
        "boundary), extent (0 background, 1 field), instances (number of the polygon, 0 = none), boundary (1 "
        "where labels has boundary), distance (to the nearest pixel that is not of the same field) or ignore "
        "(1 where fields were mapped, 255 elsewhere).\n\n"
        "A pixel belongs to the field that holds its centre. Boundaries are burned last: every pixel whose "
        "centre lies within half the width of an outline. Fields that touch always keep at least one "
        "boundary "
        "pixel between them. --profile lacuna and ftw follow the label code of those datasets instead. "
        "Rotated, south-up and geographic grids work; the raster is written in windows, so it may be larger "
        "than the memory.",
        {{"Three-class labels, two pixels of boundary",
          "furrow rasterize sample_data/truth.gpkg --grid sample_data/scene.tif --out labels.tif"},
         {"Polygons whose file says nothing true about their CRS",
          "furrow rasterize fields.geojson --labels-crs grid --grid image.tif --out labels.tif"},
         {"Distance to the outline, 0 to 1 in every field",
          "furrow rasterize sample_data/truth.gpkg --kind distance --distance-unit field --grid "
          "sample_data/scene.tif --out distance.tif"},
         {"A mask that equals those of Fields of The World",
          "furrow rasterize fields.gpkg --profile ftw --grid chip.tif --out mask.tif"}}};
  }

  void declare(OptionTable& t) override {
    t.add("labels", &m_labels).positional().required().input("vector layer").help("Field polygons");
    t.add("grid", &m_grid).required().input("raster").help("Raster whose pixel grid and CRS the result has");
    t.add("kind", &m_kind)
        .choices({"labels", "extent", "instances", "distance", "boundary", "ignore"})
        .help("What the pixels say");
    t.add("profile", &m_profile)
        .choices({"furrow", "lacuna", "ftw"})
        .help("Whose rules: Furrow's, or those of the Lacuna or the Fields of The World label code");
    t.add("boundary-px", &m_boundary_px)
        .range(0, 1000)
        .unit("px")
        .help("Width of the boundary class, half on each side; 0 = no boundary class");
    t.add("boundary-m", &m_boundary_m)
        .range(0, 100000)
        .unit("m")
        .excludes("boundary-px")
        .help("The same in metres on the ground");
    t.add("distance-unit", &m_distance_unit)
        .choices({"px", "m", "field"})
        .help("Of --kind distance: pixels, metres, or the share of the field's largest distance (0 to 1)");
    t.add("id-column", &m_id_column)
        .help(
            "Column with the whole numbers from 1 on that --kind instances writes; default: position in the "
            "layer");
    t.add("presence-only", &m_presence_only)
        .help("With --profile ftw: not all fields were mapped, background is 3 (unknown)");
    t.add("published-types", &m_published_types)
        .help("With --profile lacuna: int16 where the layer has no field, as the published files");
    t.add("ignore-outside", &m_known_area)
        .input("vector layer")
        .help("Pixels outside these polygons become 255 (unknown)");
    t.add("ignore-outside-crs", &m_known_crs)
        .help("Their CRS whatever the file says; 'grid' = that of the grid");
    m_vector.declare(t, "labels");
    t.find("labels-crs")
        ->help("CRS of the polygons whatever the file says: EPSG:32632, or 'grid' for that of the grid");
    t.add("grid-crs", &m_grid_crs).help("CRS of the grid whatever its file says, for example EPSG:32632");
    t.add("format", &m_format)
        .choices({"cog", "gtiff"})
        .help("Cloud-optimised GeoTIFF with overviews, or a plain one, which is written sooner");
    t.add("compress", &m_compress)
        .choices(kCompressions)
        .help("How pixels are stored; 'deflate' is read everywhere, 'zstd' is quicker and smaller");
    t.add("out", &m_out).required().output("raster").short_name('o').help("GeoTIFF to write");
  }

  void check() const override {
    const bool furrow = m_profile == "furrow";
    if (!m_known_area.empty() && (!furrow || m_kind == "instances" || m_kind == "distance")) {
      throw geo::UsageError(
          "--ignore-outside is for --kind labels, extent, boundary and ignore of --profile furrow: the "
          "others "
          "have no value for unknown");
    }
    if (m_profile == "lacuna" && m_kind != "labels") {
      throw geo::UsageError("--profile lacuna makes --kind labels only");
    }
    if (m_profile == "ftw" && m_kind != "labels" && m_kind != "extent" && m_kind != "instances") {
      throw geo::UsageError("--profile ftw makes --kind labels, extent and instances only");
    }
    if (!m_id_column.empty() && m_kind != "instances") {
      throw geo::UsageError("--id-column is for --kind instances");
    }
    if (m_presence_only && m_profile != "ftw") throw geo::UsageError("--presence-only is for --profile ftw");
    if (m_published_types && m_profile != "lacuna") {
      throw geo::UsageError("--published-types is for --profile lacuna");
    }
  }

  void run(StepContext& context) override {
    geo::RasterReadOptions read;
    read.crs_switch = "--grid-crs";
    if (!m_grid_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_grid_crs);
    const geo::RasterReader grid(m_grid, read);
    geo::LabelRasterOptions options = raster_options();
    auto polygons = polygons_of(m_labels, m_vector.read_options("--labels-crs", false, grid.grid().crs),
                                grid.grid().crs, m_id_column.empty() ? nullptr : &options.ids);
    const std::string nothing_touches = why_all_background(polygons, grid);
    if (!m_known_area.empty()) {
      options.known_area = known_area(grid.grid().crs);
    } else if (m_kind == "ignore") {
      options.known_area = polygons;
    }
    const auto count = std::ssize(polygons);
    const auto report = geo::write_label_raster(m_out, std::move(polygons), grid.grid(), options,
                                                context.overwrite(), context.exec());
    if (!nothing_touches.empty()) geo::log_warning(nothing_touches);
    context.record("polygons", count);
    context.record("background_px", report.background_px);
    context.record("interior_px", report.interior_px);
    context.record("boundary_px", report.boundary_px);
    context.record("ignored_px", report.ignored_px);
  }

 private:
  [[nodiscard]] geo::LabelRasterOptions raster_options() const {
    geo::LabelRasterOptions options;
    options.kind = m_kind == "extent"      ? geo::LabelKind::kExtent
                   : m_kind == "instances" ? geo::LabelKind::kInstances
                   : m_kind == "distance"  ? geo::LabelKind::kDistance
                   : m_kind == "boundary"  ? geo::LabelKind::kBoundaryMask
                   : m_kind == "ignore"    ? geo::LabelKind::kIgnoreMask
                                           : geo::LabelKind::kLabels;
    options.profile = m_profile == "lacuna" ? geo::LabelProfile::kLacuna
                      : m_profile == "ftw"  ? geo::LabelProfile::kFtw
                                            : geo::LabelProfile::kFurrow;
    options.boundary.width_px = m_boundary_px;
    options.boundary.width_m = m_boundary_m;
    options.distance = m_distance_unit == "m"       ? geo::DistanceUnit::kMetres
                       : m_distance_unit == "field" ? geo::DistanceUnit::kPerField
                                                    : geo::DistanceUnit::kPixels;
    options.presence_only = m_presence_only;
    options.published_types = m_published_types;
    options.cog = m_format == "cog";
    options.compression = compression_of(m_compress);
    return options;
  }

  /// The ids of an instance raster.
  [[nodiscard]] std::vector<std::uint32_t> ids_of(const geo::Layer& layer) const {
    const std::size_t column = layer.field(m_id_column);
    std::vector<std::uint32_t> ids;
    for (const auto& feature : layer.features) {
      const std::string text = geo::as_text(feature.values[column]);
      const double id = geo::as_real(feature.values[column]);
      if (!(id >= 1.0 && id <= 4294967295.0 && id == std::floor(id))) {
        throw geo::IoError(geo::concat("feature ", feature.fid, " of ", geo::quoted(m_labels), " has ",
                                       geo::quoted(text), " in column ", geo::quoted(m_id_column),
                                       "; instances need whole numbers from 1 to 4294967295"));
      }
      ids.push_back(static_cast<std::uint32_t>(id));
    }
    return ids;
  }

  /// All features in the order of the file, so that an instance's number is its position there.
  [[nodiscard]] std::vector<geo::MultiPolygon> polygons_of(const std::string& path,
                                                           geo::LayerReadOptions options,
                                                           const geo::Crs& target,
                                                           std::vector<std::uint32_t>* ids = nullptr) const {
    options.target_crs = target;
    std::vector<geo::MultiPolygon> polygons;
    geo::Layer layer = geo::read_layer(path, options);
    if (ids != nullptr) *ids = ids_of(layer);
    for (auto& feature : layer.features) {
      polygons.push_back(std::move(feature.geometry));
    }
    return polygons;
  }

  [[nodiscard]] std::vector<geo::MultiPolygon> known_area(const geo::Crs& target) const {
    VectorOptions vector = m_vector;
    vector.layer.clear();
    vector.crs = m_known_crs;
    return polygons_of(m_known_area, vector.read_options("--ignore-outside-crs", true, target), target);
  }

  /// Why no polygon can show in the result, or empty.
  [[nodiscard]] std::string why_all_background(const std::vector<geo::MultiPolygon>& polygons,
                                               const geo::RasterReader& grid) const {
    if (polygons.empty()) {
      return geo::concat("layer ", geo::quoted(m_labels), " has no polygons; the result is all background");
    }
    const geo::Box box = grid.grid().bounds();
    for (const auto& polygon : polygons) {
      if (geo::bounds(polygon).intersects(box)) return {};
    }
    return geo::concat("none of the ", polygons.size(), " polygons of ", geo::quoted(m_labels),
                       " touches raster ", geo::quoted(m_grid), "; the result is all background");
  }

  std::string m_labels;
  std::string m_grid;
  std::string m_grid_crs;
  std::string m_kind = "labels";
  std::string m_profile = "furrow";
  std::string m_distance_unit = "px";
  std::string m_id_column;
  bool m_presence_only = false;
  bool m_published_types = false;
  double m_boundary_px = 2.0;
  std::optional<double> m_boundary_m;
  std::string m_known_area;
  std::string m_known_crs;
  VectorOptions m_vector;
  std::string m_format = "cog";
  std::string m_compress = "deflate";
  std::string m_out;
};

}  // namespace

std::unique_ptr<Step> make_rasterize() {
  return std::make_unique<Rasterize>();
}

}  // namespace furrow::workflow
