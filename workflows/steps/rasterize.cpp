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

#include "vector_options.h"

namespace furrow::workflow {
namespace {

class Rasterize : public Step {
 public:
  StepInfo info() const override {
    return {
        "rasterize",
        "Burn field polygons into a label raster on the grid of an image",
        "Writes one of three rasters on the pixel grid of --grid: labels (0 background, 1 interior, 2 "
        "boundary), "
        "extent (0 background, 1 field) or instances (number of the polygon, 0 = none).\n\n"
        "A pixel belongs to the field that holds its centre. Boundaries are burned last: every pixel whose "
        "centre "
        "lies within half the width of an outline. Fields that touch always keep at least one boundary pixel "
        "between them. Rotated, south-up and geographic grids work; the raster is written in windows, so it "
        "may be "
        "larger than the memory.",
        {{"Three-class labels, two pixels of boundary",
          "furrow rasterize sample_data/truth.gpkg --grid sample_data/scene.tif --out labels.tif"},
         {"Polygons whose file says nothing true about their CRS",
          "furrow rasterize fields.geojson --labels-crs grid --grid image.tif --out labels.tif"}}};
  }

  void declare(OptionTable& t) override {
    t.add("labels", &m_labels).positional().required().input("vector layer").help("Field polygons");
    t.add("grid", &m_grid).required().input("raster").help("Raster whose pixel grid and CRS the result has");
    t.add("kind", &m_kind).choices({"labels", "extent", "instances"}).help("What the pixels say");
    t.add("boundary-px", &m_boundary_px)
        .range(0, 1000)
        .unit("px")
        .help("Width of the boundary class, half on each side; 0 = no boundary class");
    t.add("boundary-m", &m_boundary_m)
        .range(0, 100000)
        .unit("m")
        .excludes("boundary-px")
        .help("The same in metres on the ground");
    t.add("ignore-outside", &m_known_area)
        .input("vector layer")
        .help("Pixels outside these polygons become 255 (unknown)");
    t.add("ignore-outside-crs", &m_known_crs)
        .help("Their CRS whatever the file says; 'grid' = that of the grid");
    m_vector.declare(t, "labels");
    t.find("labels-crs")
        ->help("CRS of the polygons whatever the file says: EPSG:32632, or 'grid' for that of the grid");
    t.add("grid-crs", &m_grid_crs).help("CRS of the grid whatever its file says, for example EPSG:32632");
    t.add("out", &m_out).required().output("raster").short_name('o').help("GeoTIFF (COG) to write");
  }

  void check() const override {
    if (m_kind == "instances" && !m_known_area.empty()) {
      throw geo::UsageError(
          "--ignore-outside is for --kind labels and extent: instances have no value for unknown");
    }
  }

  void run(StepContext& context) override {
    geo::RasterReadOptions read;
    read.crs_switch = "--grid-crs";
    if (!m_grid_crs.empty()) read.override_crs = geo::Crs::from_user_input(m_grid_crs);
    const geo::RasterReader grid(m_grid, read);
    auto polygons =
        polygons_of(m_labels, m_vector.read_options("--labels-crs", false, grid.grid().crs), grid.grid().crs);
    const std::string nothing_touches = why_all_background(polygons, grid);

    geo::LabelRasterOptions options;
    options.kind = m_kind == "extent"      ? geo::LabelKind::kExtent
                   : m_kind == "instances" ? geo::LabelKind::kInstances
                                           : geo::LabelKind::kLabels;
    options.boundary.width_px = m_boundary_px;
    options.boundary.width_m = m_boundary_m;
    if (!m_known_area.empty()) options.known_area = known_area(grid.grid().crs);
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
  /// All features in the order of the file, so that an instance's number is its position there.
  static std::vector<geo::MultiPolygon> polygons_of(const std::string& path, geo::LayerReadOptions options,
                                                    const geo::Crs& target) {
    options.target_crs = target;
    std::vector<geo::MultiPolygon> polygons;
    for (auto& feature : geo::read_layer(path, options).features) {
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
  double m_boundary_px = 2.0;
  std::optional<double> m_boundary_m;
  std::string m_known_area;
  std::string m_known_crs;
  VectorOptions m_vector;
  std::string m_out;
};

}  // namespace

std::unique_ptr<Step> make_rasterize() {
  return std::make_unique<Rasterize>();
}

}  // namespace furrow::workflow
