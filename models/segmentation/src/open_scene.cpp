#include "open_scene.h"

#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {

using geo::concat;
using geo::quoted;

namespace {

std::vector<std::string> image_files(const TrainingScene& source) {
  std::vector<std::string> files{source.image};
  files.insert(files.end(), source.later_images.begin(), source.later_images.end());
  return files;
}

/// The nodata value when it is a class: masks often declare 0, which is background; ignoring it would leave
/// fields only.
std::optional<double> class_as_nodata(const AlignedRaster& labels) {
  const std::optional<double> nodata = labels.band(0).nodata;
  return nodata && (*nodata == 0.0 || *nodata == 1.0 || *nodata == 2.0) ? nodata : std::nullopt;
}

}  // namespace

SceneOpener::SceneOpener(const TrainingDataOptions& options, RasterPool& pool)
    : m_options(options), m_pool(pool) {
  if (!options.label_area.path.empty()) m_label_area.emplace(options.label_area);
  if (!options.val_area.path.empty()) m_val_area.emplace(options.val_area);
}

PolygonLayer& SceneOpener::label_layer(const std::string& path) {
  const std::scoped_lock lock(m_mutex);
  PolygonSource source = m_options.polygon_labels;
  source.path = path;
  return m_label_layers.try_emplace(path, std::move(source)).first->second;
}

SceneLabels SceneOpener::labels_of_polygons(const TrainingScene& source, const SceneImage& image) {
  const geo::Grid& grid = image.grid();
  const geo::Point reach = geo::boundary_reach_px(grid, m_options.boundary);
  const auto margin = static_cast<std::int64_t>(std::ceil(std::max(reach.x, reach.y)));
  std::vector<geo::MultiPolygon> polygons =
      label_layer(source.labels).near(grid, geo::grow(grid.window(), margin));
  if (polygons.empty() && !m_label_area) {
    throw geo::IoError(
        concat("none of the polygons of ", quoted(source.labels), " touches image ", quoted(source.image),
               "; leave the image out, correct the CRS of one, or say with --label-area where there are no "
               "fields"));
  }
  return {source.labels, std::move(polygons), grid, m_options.boundary};
}

OpenScene SceneOpener::open(const TrainingScene& source) {
  geo::RasterReadOptions read;
  read.override_crs = m_options.override_crs;
  read.crs_switch = m_options.crs_switch;
  SceneImage image(image_files(source), read, m_pool);
  std::optional<double> nodata;
  const auto raster_labels = [&]() -> SceneLabels {
    AlignedRaster raster("labels", source.labels, image, m_pool);
    if (!m_options.ignore_label_nodata) nodata = class_as_nodata(raster);
    if (nodata) raster.use_nodata_as_value();
    return {std::move(raster), image.grid()};
  };
  SceneLabels labels = source.labels_are_polygons ? labels_of_polygons(source, image) : raster_labels();
  if (m_label_area) labels.limit_to(m_label_area->near(image.grid(), image.grid().window()), image.grid());
  OpenScene scene{std::move(image), std::move(labels), {}, {}, {}, nodata};
  open_risk(source, scene);
  return scene;
}

/// Opens what the risk mode needs: the risk is that of the risk raster, or without one that of the posterior.
void SceneOpener::open_risk(const TrainingScene& source, OpenScene& scene) const {
  const RiskMode mode = m_options.risk.mode;
  const bool from_posterior = uses_risk(mode) && source.risk.empty();
  if (uses_soft_targets(mode) || (from_posterior && !source.posterior.empty())) {
    if (source.posterior.empty()) {
      throw geo::InvalidArgument(concat("image ", quoted(source.image),
                                        " has no posterior raster, but soft targets are to be used"));
    }
    scene.posterior.emplace("posterior", source.posterior, scene.image, m_pool);
    const int bands = scene.posterior->bands();
    if (bands != 1 && bands != kSoftClasses) {
      throw geo::IoError(concat("posterior ", quoted(source.posterior), " has ", bands,
                                " bands; needed are 3 (background, interior, boundary) or 1 (P(field))"));
    }
  }
  if (uses_risk(mode) && !source.risk.empty()) scene.risk.emplace("risk", source.risk, scene.image, m_pool);
  if (from_posterior && !scene.posterior) {
    throw geo::InvalidArgument(
        concat("image ", quoted(source.image), " has no risk raster, but risk is to be used"));
  }
}

}  // namespace furrow::segmentation
