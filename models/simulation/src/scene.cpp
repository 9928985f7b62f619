#include <furrow/simulation/scene.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <tbb/parallel_for.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/geo/vector/box_index.h>
#include <furrow/geo/vector/layer_writer.h>

#include "calendar.h"
#include "landscape.h"
#include "noise.h"

namespace furrow::simulation {
namespace {

constexpr int kSamples = 4;       ///< per pixel side
constexpr double kBlur_px = 0.5;  ///< standard deviation of the point spread
constexpr int kReach = 6;         ///< of the blur, in samples: three standard deviations
constexpr std::array<const char*, detail::kMostBands> kBandNames{"B", "G", "R", "NIR", "SWIR1", "SWIR2"};

void check(const SceneOptions& o) {
  const auto range = [](double value, double low, double high, const char* name) {
    if (!(value >= low && value <= high)) {
      throw geo::InvalidArgument(geo::concat(name, " must be between ", low, " and ", high, ", got ", value));
    }
  };
  range(static_cast<double>(o.width_px), 1, 200000, "the width of the scene in pixels");
  range(static_cast<double>(o.height_px), 1, 200000, "the height of the scene in pixels");
  range(o.pixel_m, 0.1, 1000.0, "the pixel size in metres");
  range(o.bands, 1, detail::kMostBands, "the number of bands");
  range(o.mean_field_ha, 0.02, 1000.0, "the mean field size in ha");
  range(o.cloud_share, 0.0, 0.95, "the share of clouds");
  range(o.noise, 0.0, 0.5, "the noise");
  if (!o.crs.is_projected()) {
    throw geo::CrsError(geo::concat("a scene needs a projected CRS, got ", o.crs.name(),
                                    "; give --crs, for example EPSG:32632"));
  }
}

geo::Grid grid_of(const SceneOptions& o) {
  const double side = o.pixel_m / o.crs.metres_per_unit();
  return {o.width_px, o.height_px, {o.origin.x, side, 0.0, o.origin.y, 0.0, -side}, o.crs};
}

/// From the scene's CRS to metres from its lower left corner.
geo::MultiPolygon in_scene_metres(geo::MultiPolygon shape, const SceneOptions& o, double height_m) {
  const double unit_m = o.crs.metres_per_unit();
  const auto move = [&](geo::Ring& ring) {
    for (geo::Point& p : ring) p = {(p.x - o.origin.x) * unit_m, height_m - (o.origin.y - p.y) * unit_m};
  };
  for (geo::Polygon& part : shape) {
    move(part.shell);
    for (geo::Ring& hole : part.holes) move(hole);
  }
  return shape;
}

/// Weights of the samples round a pixel's centre, which lies between two samples.
std::vector<double> blur_weights() {
  std::vector<double> weights;
  double total = 0.0;
  for (int i = -kReach; i < kReach + kSamples; ++i) {
    const double distance_px = (i + 0.5) / kSamples - 0.5;
    weights.push_back(std::exp(-0.5 * distance_px * distance_px / (kBlur_px * kBlur_px)));
    total += weights.back();
  }
  for (double& w : weights) w /= total;
  return weights;
}

}  // namespace

struct SceneSimulator::Impl {
  SceneOptions options;
  geo::Grid grid;
  detail::Landscape land;
  geo::Layer truth;
  std::vector<geo::MultiPolygon> shapes;         ///< of all patches in the order in which they are painted
  std::vector<const detail::Surface*> surfaces;  ///< of the same
  std::unique_ptr<geo::BoxIndex> index;
  std::uint64_t soil_seed = 0;
  double cloud_level = 2.0;  ///< clouds are where the cloud noise is above it

  explicit Impl(const SceneOptions& o)
      : options(o), grid(grid_of(o)), soil_seed(geo::stable_hash("soil", o.seed)) {
    detail::LandscapeOptions l;
    l.width_m = static_cast<double>(o.width_px) * o.pixel_m;
    l.height_m = static_cast<double>(o.height_px) * o.pixel_m;
    l.mean_field_ha = o.mean_field_ha;
    l.smallest_field_m2 = std::max(200.0, 4.0 * o.pixel_m * o.pixel_m);
    for (const geo::MultiPolygon& field : o.fields)
      l.given_fields.push_back(in_scene_metres(field, o, l.height_m));
    l.day_of_year = detail::day_of_year(detail::parse_date(o.date));
    l.seed = o.seed;
    land = detail::make_landscape(l);
    stack();
    make_truth(l.height_m);
    set_cloud_level();
  }

  void stack() {
    const auto add = [&](const geo::MultiPolygon& shape, const detail::Surface& surface) {
      shapes.push_back(shape);
      surfaces.push_back(&surface);
    };
    for (const auto& patch : land.below) add(patch.shape, patch.surface);
    for (const auto& field : land.fields) add({field.shape}, field.surface);
    for (const auto& patch : land.above) add(patch.shape, patch.surface);
    std::vector<geo::Box> boxes;
    for (const auto& shape : shapes) boxes.push_back(geo::bounds(shape));
    index = std::make_unique<geo::BoxIndex>(boxes);
  }

  void make_truth(double height_m) {
    truth.name = "fields";
    truth.crs = grid.crs;
    truth.fields = {{"id", geo::FieldType::kInteger, ""},
                    {"crop", geo::FieldType::kString, ""},
                    {"area_ha", geo::FieldType::kReal, "Area (ha)"}};
    const double unit_m = grid.crs.metres_per_unit();
    const geo::GeodesicMeasure measure(grid.crs);
    for (const auto& field : land.fields) {
      geo::Polygon shape = field.shape;
      const auto move = [&](geo::Ring& ring) {
        for (geo::Point& p : ring)
          p = {options.origin.x + p.x / unit_m, options.origin.y - (height_m - p.y) / unit_m};
      };
      move(shape.shell);
      for (auto& hole : shape.holes) move(hole);
      const double area_ha = std::round(measure.area_m2({shape})) / 1e4;
      const auto id = static_cast<std::int64_t>(truth.features.size()) + 1;
      truth.features.push_back(
          {-1, {std::move(shape)}, {id, std::string(detail::crops()[field.crop].name), area_ha}});
    }
  }

  [[nodiscard]] double cloud_noise(double col, double row) const {
    const double size_px = std::max(0.25 * static_cast<double>(std::min(grid.width, grid.height)), 8.0);
    return detail::fractal_noise({col, row}, size_px, geo::stable_hash("clouds", options.seed));
  }

  /// The level that leaves the wanted share above it, on up to 256 x 256 pixels.
  void set_cloud_level() {
    if (options.cloud_share <= 0.0) return;
    std::vector<double> sample;
    const std::int64_t step_x = (grid.width + 255) / 256;
    const std::int64_t step_y = (grid.height + 255) / 256;
    for (std::int64_t row = 0; row < grid.height; row += step_y) {
      for (std::int64_t col = 0; col < grid.width; col += step_x) {
        sample.push_back(cloud_noise(static_cast<double>(col), static_cast<double>(row)));
      }
    }
    const auto clear =
        static_cast<std::size_t>((1.0 - options.cloud_share) * static_cast<double>(sample.size()));
    std::ranges::nth_element(
        sample, sample.begin() + static_cast<std::ptrdiff_t>(std::min(clear, sample.size() - 1)));
    cloud_level = sample[std::min(clear, sample.size() - 1)];
  }

  /// Reflectance of the samples of a window with the blur's reach round it, and their size.
  [[nodiscard]] geo::Raster<float> sample(const geo::Window& window) const {
    const double step = options.pixel_m / kSamples;
    const geo::Window fine{window.col * kSamples - kReach, window.row * kSamples - kReach,
                           window.width * kSamples + 2 * kReach, window.height * kSamples + 2 * kReach};
    const double height_m = static_cast<double>(grid.height) * options.pixel_m;
    const geo::Grid fine_grid{fine.width,
                              fine.height,
                              {static_cast<double>(fine.col) * step, step, 0.0,
                               height_m - static_cast<double>(fine.row) * step, 0.0, -step},
                              {}};
    const auto patches = index->query(fine_grid.bounds());
    std::vector<geo::MultiPolygon> painted;
    for (const std::size_t k : patches) painted.push_back(shapes[k]);
    const auto ids = geo::rasterize_instances(painted, fine_grid);
    geo::Raster<float> result(fine.width, fine.height, options.bands);
    for (std::int64_t row = 0; row < fine.height; ++row) {
      for (std::int64_t col = 0; col < fine.width; ++col) {
        const std::uint32_t id =
            ids.at(col, row);  // the ground below everything leaves no sample without one
        const geo::Point p =
            fine_grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5});
        const auto spectrum = detail::reflect(*surfaces[patches[id - 1]], p, soil_seed);
        for (int b = 0; b < options.bands; ++b)
          result.at(col, row, b) = static_cast<float>(spectrum[static_cast<std::size_t>(b)]);
      }
    }
    return result;
  }

  [[nodiscard]] std::uint16_t stored(double reflectance, std::int64_t col, std::int64_t row, int band) const {
    const std::uint64_t seed = geo::stable_hash("sensor", options.seed) + static_cast<std::uint64_t>(band);
    const double noisy = reflectance + options.noise * detail::normal_at(col, row, seed);
    return static_cast<std::uint16_t>(std::clamp(std::round(noisy * 1e4), 1.0, 65535.0));
  }
};

SceneSimulator::SceneSimulator(const SceneOptions& options) {
  check(options);
  m_impl = std::make_unique<Impl>(options);
}
SceneSimulator::~SceneSimulator() = default;
SceneSimulator::SceneSimulator(SceneSimulator&&) noexcept = default;
SceneSimulator& SceneSimulator::operator=(SceneSimulator&&) noexcept = default;

const geo::Grid& SceneSimulator::grid() const noexcept {
  return m_impl->grid;
}
const geo::Layer& SceneSimulator::truth() const noexcept {
  return m_impl->truth;
}

geo::Raster<std::uint16_t> SceneSimulator::render(const geo::Window& window) const {
  const auto fine = m_impl->sample(window);
  const auto weights = blur_weights();
  const auto taps = static_cast<std::int64_t>(weights.size());
  const int bands = m_impl->options.bands;
  geo::Raster<std::uint16_t> result(window.width, window.height, bands);
  geo::Raster<double> across(window.width, fine.height());
  for (int b = 0; b < bands; ++b) {
    for (std::int64_t row = 0; row < fine.height(); ++row) {
      for (std::int64_t col = 0; col < window.width; ++col) {
        double sum = 0.0;
        for (std::int64_t k = 0; k < taps; ++k) {
          sum +=
              weights[static_cast<std::size_t>(k)] * static_cast<double>(fine.at(col * kSamples + k, row, b));
        }
        across.at(col, row) = sum;
      }
    }
    for (std::int64_t row = 0; row < window.height; ++row) {
      for (std::int64_t col = 0; col < window.width; ++col) {
        double sum = 0.0;
        for (std::int64_t k = 0; k < taps; ++k)
          sum += weights[static_cast<std::size_t>(k)] * across.at(col, row * kSamples + k);
        const std::int64_t c = window.col + col;
        const std::int64_t r = window.row + row;
        const bool cloud =
            m_impl->cloud_level < 2.0 &&
            m_impl->cloud_noise(static_cast<double>(c), static_cast<double>(r)) >= m_impl->cloud_level;
        if (!cloud) result.at(col, row, b) = m_impl->stored(sum, c, r, b);
      }
    }
  }
  return result;
}

void check_scene_memory(const SceneOptions& options, const geo::ExecContext& exec) {
  check(options);
  constexpr double kBytesPerField = 20000.0;  // measured 14 KB with default options
  const double area_ha = static_cast<double>(options.width_px) * static_cast<double>(options.height_px) *
                         options.pixel_m * options.pixel_m / 1e4;
  const double needed = kBytesPerField * area_ha / options.mean_field_ha;
  if (needed <= static_cast<double>(exec.memory_bytes())) return;
  throw geo::InvalidArgument(geo::concat(
      "a scene of ", options.width_px, " x ", options.height_px, " px with fields of ",
      geo::readable(options.mean_field_ha), " ha needs about ", geo::human_bytes(needed),
      ", more than the memory budget of ", geo::human_bytes(static_cast<double>(exec.memory_bytes())),
      "; raise --memory or make it smaller"));
}

void write_scene(const SceneSimulator& scene, const SceneOptions& options,
                 const std::filesystem::path& folder, bool overwrite, geo::ExecContext& exec) {
  constexpr std::int64_t kTile_px = 128;
  geo::AtomicFolder out(folder, overwrite);
  geo::RasterSpec spec;
  spec.type = geo::PixelType::kUint16;
  spec.bands = options.bands;
  spec.nodata = 0.0;
  spec.scale = 1e-4;
  for (int b = 0; b < options.bands; ++b)
    spec.descriptions.emplace_back(kBandNames[static_cast<std::size_t>(b)]);
  spec.metadata = {{"ACQUISITION_DATE", options.date},
                   {"DESCRIPTION", "Synthetic scene, reflectance x 10000"}};
  spec.overview = geo::Overview::kAverage;
  geo::RasterWriter writer(out.temporary() / "scene.tif", scene.grid(), spec, false);
  const auto tiles = geo::make_tiles(scene.grid(), kTile_px, 0);
  geo::Progress progress(exec, "rendering the scene", static_cast<std::int64_t>(tiles.size()));
  const auto batch = static_cast<std::size_t>(std::max(1, exec.threads())) * 4;
  for (std::size_t first = 0; first < tiles.size(); first += batch) {
    const std::size_t count = std::min(batch, tiles.size() - first);
    std::vector<geo::Raster<std::uint16_t>> pixels(count);
    exec.execute([&] {
      tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
        pixels[i] = scene.render(tiles[first + i].core);
        progress.advance();
      });
    });
    for (std::size_t i = 0; i < count; ++i) writer.write(tiles[first + i].core, pixels[i]);
  }
  writer.finish();
  const geo::PackagedLayer truth{
      scene.truth(), "True fields of the synthetic scene; area_ha is geodesic", false, {}};
  geo::write_geopackage({truth}, out.temporary() / "truth.gpkg", false);
  out.commit();
}

}  // namespace furrow::simulation
