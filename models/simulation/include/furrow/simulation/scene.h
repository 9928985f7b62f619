#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/raster/raster.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::simulation {

struct SceneOptions {
  std::int64_t width_px = 512;
  std::int64_t height_px = 512;
  double pixel_m = 10.0;                   ///< side of a pixel
  int bands = 4;                           ///< 1 to 6: B, G, R, NIR, SWIR1, SWIR2
  geo::Crs crs;                            ///< projected
  geo::Point origin{600000.0, 5500000.0};  ///< upper left corner, in the CRS
  double mean_field_ha = 3.0;              ///< about the mean area of a field
  std::vector<geo::MultiPolygon> fields;   ///< real fields in the CRS, valid, instead of invented ones
  double cloud_share = 0.0;                ///< share of pixels that clouds hide (nodata), 0 to 0.95
  double noise = 0.003;                    ///< standard deviation of the sensor's noise, in reflectance
  std::string date = "2021-06-15";         ///< ISO; how far crops are (northern mid-latitudes)
  std::uint64_t seed = 1;
};

/// An invented piece of farmland and a sensor that looks at it.
///
/// Landscape: roads and tracks cut the land into blocks, each block is split recursively along its own axes
/// into fields of log-normal size, and the whole plane is bent by smooth noise. Between fields lie grass
/// margins, hedges, tracks, or nothing (about a fifth of the borders). Some blocks are woodland or
/// settlement; there are centre pivots, a river, ponds and trees. About a quarter of neighbours share their
/// crop, so that some boundaries are weak.
///
/// With given fields these are the truth (cut to the scene; where two overlap the earlier one keeps the
/// ground), sown with random crops; the invented land shows between them, without river, ponds and groves.
///
/// Image: each surface mixes the reflectances of green plants, dry plants and soil; within a field they vary
/// by smooth noise, a gradient, and rows. Sampled 4 x 4 per pixel, blurred with a Gaussian point spread of
/// 0.5 px, noise added.
///
/// Every value is a function of place and seed: windows, tiles and threads do not matter. Immutable after
/// construction; `render` is safe to call concurrently.
class SceneSimulator {
 public:
  /// @throws InvalidArgument  a value outside its range, or a date that is none
  /// @throws CrsError         the CRS is empty or not projected
  explicit SceneSimulator(const SceneOptions& options);
  ~SceneSimulator();
  SceneSimulator(SceneSimulator&&) noexcept;
  SceneSimulator& operator=(SceneSimulator&&) noexcept;

  [[nodiscard]] const geo::Grid& grid() const noexcept;
  /// Layer `fields` in the scene's CRS: id (1, 2, ...), crop, area_ha (geodesic). Valid, disjoint, inside the
  /// scene. Fields under clouds are part of it; pieces under four pixels or 0.02 ha are not.
  [[nodiscard]] const geo::Layer& truth() const noexcept;
  /// Reflectance x 10000 of a window, shape [bands, rows, cols]; 0 = cloud, all else is >= 1.
  /// Memory: about 700 bytes per pixel of the window.
  [[nodiscard]] geo::Raster<std::uint16_t> render(const geo::Window& window) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// To be called before a SceneSimulator is made: the landscape of a scene lies in memory as a whole.
/// @throws geo::InvalidArgument when it would need more than the memory budget (about 20 KB per field)
void check_scene_memory(const SceneOptions& options, const geo::ExecContext& exec);

/// Writes scene.tif (COG, uint16, nodata 0, bands named) and truth.gpkg (layer `fields`) into a folder that
/// appears whole or not at all. Memory: the landscape (some KB per field) and a few tiles.
/// @throws IoError; as SceneSimulator
void write_scene(const SceneSimulator& scene, const SceneOptions& options,
                 const std::filesystem::path& folder, bool overwrite, geo::ExecContext& exec);

}  // namespace furrow::simulation
