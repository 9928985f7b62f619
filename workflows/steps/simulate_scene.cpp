#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/simulation/scene.h>
#include <furrow/workflow/step.h>

#include "vector_options.h"

namespace furrow::workflow {
namespace {

class SimulateScene final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"simulate scene",
            "Make a synthetic satellite scene with its true fields",
            "Invents farmland (roads, blocks, fields of log-normal size, margins, hedges, woodland, "
            "settlements, water, centre "
            "pivots) and renders it as a satellite would see it: crops at their stage on the given day, "
            "texture within "
            "fields, blur and noise of the sensor. The same seed gives the same pixels with any number of "
            "threads.\n\n"
            "Good for trying a whole workflow without data and for tests with a complete truth. A model "
            "trained on it has "
            "not seen real land.",
            {{"A small scene", "furrow simulate scene --out out/scene --size-px 256 --seed 3"},
             {"Small fields, some clouds",
              "furrow simulate scene --out out/cloudy --size-px 256 --mean-field-ha 0.6 --pixel-m 5 "
              "--cloud-share 0.2"},
             {"Real parcels under an invented sky",
              "furrow simulate scene --fields parcels.gpkg --out out/parcels"}}};
  }

  void declare(OptionTable& t) override {
    t.add("out", &m_out)
        .help("Folder for scene.tif and truth.gpkg")
        .output("folder")
        .short_name('o')
        .required();
    t.add("size-px", &m_size).help("Width and height").unit("px").range(1, 200000);
    t.add("width-px", &m_width).help("Width, where it is not --size-px").unit("px").range(1, 200000);
    t.add("height-px", &m_height).help("Height, where it is not --size-px").unit("px").range(1, 200000);
    t.add("pixel-m", &m_options.pixel_m).help("Side of a pixel").unit("m").range(0.1, 1000.0);
    t.add("bands", &m_bands).help("Number of bands, from B, G, R, NIR, SWIR1, SWIR2").range(1, 6);
    t.add("crs", &m_crs).help("Projected CRS of the scene; without: that of --fields, else EPSG:32632");
    t.add("origin", &m_origin)
        .help("Upper left corner in that CRS: x y; without: 600000 5500000")
        .count(2)
        .excludes("fields");
    t.add("fields", &m_fields)
        .input("vector layer")
        .help("Real fields to render instead of invented ones; the scene then has their extent")
        .excludes("size-px")
        .excludes("width-px")
        .excludes("height-px")
        .group("Land");
    m_vector.declare(t, "fields", true);
    t.add("mean-field-ha", &m_options.mean_field_ha)
        .help("About the mean area of a field")
        .unit("ha")
        .range(0.02, 1000.0)
        .group("Land");
    t.add("date", &m_options.date)
        .help("Day of the image, YYYY-MM-DD; decides how far crops are")
        .group("Land");
    t.add("cloud-share", &m_options.cloud_share)
        .help("Share of pixels hidden by clouds (nodata 0)")
        .range(0.0, 0.95)
        .group("Sensor");
    t.add("noise", &m_options.noise)
        .help("Standard deviation of the sensor's noise, in reflectance")
        .range(0.0, 0.5)
        .group("Sensor");
    t.add("seed", &m_seed).help("Random seed").at_least(0);
  }

  void run(StepContext& context) override {
    geo::check_output_folder(m_out, context.overwrite());
    auto options = m_options;
    options.width_px = m_width.value_or(m_size);
    options.height_px = m_height.value_or(m_size);
    options.bands = static_cast<int>(m_bands);
    if (!m_origin.empty()) options.origin = {m_origin[0], m_origin[1]};
    if (!m_fields.empty()) use_fields(options);
    if (options.crs.empty()) options.crs = geo::Crs::from_user_input(m_crs.empty() ? "EPSG:32632" : m_crs);
    options.seed = static_cast<std::uint64_t>(m_seed);
    simulation::check_scene_memory(options, context.exec());
    const simulation::SceneSimulator scene(options);
    simulation::write_scene(scene, options, m_out, context.overwrite(), context.exec());
    context.record("fields", static_cast<std::int64_t>(scene.truth().features.size()));
    context.record("pixels", options.width_px * options.height_px);
  }

 private:
  /// Takes over the polygons, and from them CRS and extent, on whole pixels.
  void use_fields(simulation::SceneOptions& options) const {
    geo::LayerReadOptions reading = m_vector.read_options("--fields-crs");
    if (!m_crs.empty()) reading.target_crs = geo::Crs::from_user_input(m_crs);
    geo::Layer layer = geo::read_layer(m_fields, reading);
    options.crs = layer.crs;
    if (!options.crs.is_projected()) {
      throw geo::CrsError(geo::concat("layer ", geo::quoted(m_fields), " is in ", layer.crs.name(),
                                      ", not projected; give the scene a projected CRS with --crs"));
    }
    geo::Box box;
    for (geo::Feature& feature : layer.features) {
      if (feature.geometry.empty()) continue;
      box.expand(geo::bounds(feature.geometry));
      options.fields.push_back(std::move(feature.geometry));
    }
    const double side = options.pixel_m / options.crs.metres_per_unit();
    options.origin = {std::floor(box.min_x / side) * side, std::ceil(box.max_y / side) * side};
    options.width_px =
        std::max<std::int64_t>(1, std::llround(std::ceil((box.max_x - options.origin.x) / side)));
    options.height_px =
        std::max<std::int64_t>(1, std::llround(std::ceil((options.origin.y - box.min_y) / side)));
  }

  std::string m_out;
  std::string m_crs;
  std::vector<double> m_origin;
  std::string m_fields;
  VectorOptions m_vector;
  std::int64_t m_size = 512;
  std::optional<std::int64_t> m_width, m_height;
  std::int64_t m_bands = 4;
  std::int64_t m_seed = 1;
  simulation::SceneOptions m_options;
};

}  // namespace

std::unique_ptr<Step> make_simulate_scene() {
  return std::make_unique<SimulateScene>();
}

}  // namespace furrow::workflow
