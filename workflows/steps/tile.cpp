#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/raster/stack_alignment.h>
#include <furrow/geo/raster/tiling.h>
#include <furrow/workflow/step.h>

#include "tile_options.h"

namespace furrow::workflow {
namespace {

using geo::concat;

/// What a run has written so far.
struct Written {
  std::filesystem::path folder;
  geo::ChipOptions options;
  geo::LabelsOfGrid labels;
  std::vector<geo::Chip> chips;
  std::int64_t left_out = 0;

  void add(geo::ChipReport report) {
    std::ranges::move(report.chips, std::back_inserter(chips));
    left_out += report.left_out;
  }
};

class Tile : public Step {
 public:
  StepInfo info() const override {
    return {
        "tile",
        "Cut images, and labels with them, into chips of one size",
        "Writes <name>_<row>_<col>.tif for every chip, a catalogue chips.csv and an index chips.gpkg with "
        "the "
        "footprints. Type, nodata, masks, scale, CRS, band names and image date stay. With --labels or "
        "--label-raster a label chip lies under the same name in labels/: 0 background, 1 interior, 2 "
        "boundary, 255 where the image has no data.\n\n"
        "Without options of the group Grid every image is cut on its own pixels, bit for bit. With "
        "--resolution, --output-crs or --grid chips lie on one grid for all images, with --index one chip is "
        "cut for each polygon, with --points around each place of a table. --mosaic fills chips from all "
        "images that touch them, --stack puts the bands of several dates on top of each other. Pixels that "
        "do not lie on the grid are resampled by GDAL's warper.\n\n"
        "An image that cannot be read does not stop the others.",
        {{"Chips of 256 pixels", "furrow tile sample_data/scene.tif --out chips"},
         {"Training chips with labels, without empty ones",
          "furrow tile sample_data/scene.tif --labels sample_data/truth.gpkg --tile-px 128 --skip-empty "
          "--out chips"},
         {"One grid in degrees for all images",
          "furrow tile sample_data/scene.tif --output-crs EPSG:4326 --resolution 0.0001 --tile-px 128 "
          "--mosaic --out chips"}}};
  }

  void declare(OptionTable& t) override { m_o.declare(t); }
  void check() const override { m_o.check(); }

  void run(StepContext& context) override {
    geo::AtomicFolder folder(m_o.out, context.overwrite());
    Written written{folder.temporary(), m_o.chip_options(), {}, {}, 0};
    auto scenes = look_at_all(context, written.options.source);
    if (m_o.order != "given") sort_by_date(scenes);
    m_o.settle(scenes, written.options);
    written.labels = m_o.labels_for(scenes.front().grid.crs, chip_crs(scenes));
    if (!m_o.points.empty()) {
      cut_points(context, std::move(scenes), written);
    } else if (each()) {
      cut_each(context, scenes, written);
    } else {
      cut_together(context, std::move(scenes), written);
    }
    warn_of_empty(written);
    geo::write_chip_catalogue(written.chips, folder.temporary());
    folder.commit();
    context.record("chips", std::ssize(written.chips));
    context.record("left_out", written.left_out);
  }

 private:
  /// Chips of a list of places say when an image is missing; those of a grid are empty as a matter of course.
  void warn_of_empty(const Written& written) const {
    if (written.chips.empty()) {
      geo::log_warning("every chip was left out, or no image touches one; the catalogue is empty");
      return;
    }
    const auto empty =
        std::ranges::count_if(written.chips, [](const geo::Chip& chip) { return chip.valid == 0.0; });
    if (empty > 0 && !(m_o.points.empty() && m_o.index.empty())) {
      geo::log_warning(
          concat(empty, " of ", written.chips.size(),
                 " chips have no valid pixel: no image has data there (--skip-empty leaves them out)"));
    }
  }

  using Scenes = std::vector<geo::ChipScene>;

  /// Whether images stand for themselves, so that their names become those of chips.
  [[nodiscard]] bool each() const {
    return m_o.points.empty() && m_o.index.empty() && !m_o.stack && !m_o.mosaic;
  }

  [[nodiscard]] Scenes look_at_all(StepContext& context, const geo::ChipSourceOptions& options) const {
    geo::RasterListOptions listing;
    listing.asset = m_o.asset;
    listing.path_column = m_o.path_column;
    listing.unique_names = each();
    const auto rasters = geo::list_rasters(m_o.images, listing);
    Scenes scenes;
    for (std::size_t i = 0; i < rasters.size(); ++i) {
      const geo::RasterInput& raster = rasters[i];
      try {
        context.exec().check_cancelled();
        scenes.push_back(geo::look_at_scene(raster.path, options, raster.name, raster.date));
      } catch (const geo::Cancelled&) {
        throw;
      } catch (const geo::Error& e) {
        // Nothing at all can come of it, or not what was asked for: a failure of the command, not of an
        // input.
        if (m_o.stack || (scenes.empty() && i + 1 == rasters.size())) throw;
        context.fail(raster.path, e.what());
      }
    }
    return scenes;
  }

  void sort_by_date(Scenes& scenes) const {
    const bool newest = m_o.order == "newest";
    std::ranges::stable_sort(scenes, [newest](const auto& a, const auto& b) {
      if (a.date.empty() || b.date.empty()) return !a.date.empty() && b.date.empty();
      return newest ? a.date > b.date : a.date < b.date;
    });
  }

  /// The CRS of the chips; empty = each image's own.
  [[nodiscard]] geo::Crs chip_crs(const Scenes& scenes) const {
    if (!m_o.output_crs.empty()) return geo::Crs::from_user_input(m_o.output_crs);
    if (!m_o.grid.empty()) return geo::RasterReader(m_o.grid).grid().crs;
    if (m_o.measures_degrees()) return geo::lonlat_crs();
    return scenes.front().grid.crs;
  }

  /// The grid that all images are brought to; nullopt = their own.
  [[nodiscard]] std::optional<geo::Grid> target_grid(const Scenes& scenes,
                                                     const geo::ChipOptions& options) const {
    if (!m_o.grid.empty()) return geo::RasterReader(m_o.grid).grid();
    if (!m_o.resolution) return std::nullopt;
    const geo::Crs crs = chip_crs(scenes);
    const double pixel = TileOptions::in_units(*m_o.resolution, crs);
    geo::Box box;
    for (const auto& scene : scenes) box.expand(geo::bounds_in(scene.grid, crs));
    // The size of a pixel in metres is that in the middle of all images.
    const geo::Grid middle{1, 1, {box.centre().x, pixel, 0.0, box.centre().y, 0.0, -pixel}, crs};
    return geo::snapped_grid(crs, pixel, box, geo::chip_size_on(middle, options));
  }

  /// The size of chips on a target grid.
  [[nodiscard]] static geo::ChipSize size_on(const geo::Grid& grid, const geo::ChipOptions& options) {
    const auto& t = grid.transform;
    const geo::Point centre = grid.bounds().centre();
    const geo::Grid middle{1, 1, {centre.x, t.dx, t.rx, centre.y, t.ry, t.dy}, grid.crs};
    return geo::chip_size_on(middle, options);
  }

  [[nodiscard]] static std::vector<geo::Grid> grids_of(const Scenes& scenes) {
    std::vector<geo::Grid> grids;
    for (const auto& scene : scenes) grids.push_back(scene.grid);
    return grids;
  }

  [[nodiscard]] geo::ChipPlan plan_on(const geo::Grid& target, const std::string& name, const Scenes& scenes,
                                      const geo::ChipOptions& options) const {
    return geo::plan_touching(name, target, size_on(target, options),
                              m_o.resolution ? geo::ChipEdge::kPad : options.edge, grids_of(scenes));
  }

  /// Every image by itself, on its own grid or on one for all.
  void cut_each(StepContext& context, const Scenes& scenes, Written& written) const {
    const auto target = target_grid(scenes, written.options);
    std::size_t failed = 0;
    for (const auto& scene : scenes) {
      try {
        if (!target) {
          written.add(geo::cut_image(scene, written.folder, written.options, written.labels, context.exec()));
          continue;
        }
        const geo::ChipSource source({{scene}}, target->crs, written.options.source,
                                     context.exec().threads());
        written.add(geo::cut_chips(source, plan_on(*target, scene.name, {scene}, written.options), scene.name,
                                   written.folder, written.options, written.labels, context.exec()));
      } catch (const geo::Cancelled&) {
        throw;
      } catch (const geo::Error& e) {
        if (++failed == scenes.size()) throw;
        context.fail(scene.path, e.what());
      }
    }
  }

  /// All images as one raster: a mosaic or a stack, cut by a grid or by polygons.
  void cut_together(StepContext& context, Scenes scenes, Written& written) const {
    const std::string name = scenes.size() == 1 ? scenes.front().name : m_o.stack ? "stack" : "mosaic";
    auto target = target_grid(scenes, written.options);
    if (!target && m_o.mosaic) target = geo::extended_grid(scenes.front().grid, grids_of(scenes));
    const geo::Grid grid = target.value_or(scenes.front().grid);
    const geo::ChipPlan plan = !m_o.index.empty() ? geo::plan_polygons(m_o.index_polygons(grid.crs), grid,
                                                                       written.options.size.halo_px)
                               : m_o.mosaic       ? plan_on(grid, name, scenes, written.options)
                                                  : plan_on(grid, name, {scenes.front()}, written.options);
    const geo::ChipSource source(layers_of(context, std::move(scenes), grid, written), grid.crs,
                                 written.options.source, context.exec().threads());
    written.add(
        geo::cut_chips(source, plan, name, written.folder, written.options, written.labels, context.exec()));
  }

  /// One layer with all scenes, or one for each.
  [[nodiscard]] std::vector<geo::ChipSource::Layer> layers_of(StepContext& context, Scenes scenes,
                                                              const geo::Grid& grid,
                                                              const Written& written) const {
    std::vector<geo::ChipSource::Layer> layers;
    if (!m_o.stack) {
      layers.push_back(std::move(scenes));
      return layers;
    }
    for (auto& scene : scenes) layers.push_back({std::move(scene)});
    const auto shifts = geo::align_layers(layers, grid, written.options.source, m_o.align, context.exec());
    for (std::size_t i = 1; i < layers.size(); ++i) report_shift(context, layers[i].front(), shifts[i]);
    geo::write_image_catalogue(layers, shifts, written.folder);
    return layers;
  }

  static std::string shift_text(const geo::ImageShift& shift) {
    return concat(geo::fixed(shift.px.x, 2), ", ", geo::fixed(shift.px.y, 2), " (error ",
                  geo::fixed(std::hypot(shift.error_px.x, shift.error_px.y), 2), ")");
  }

  void report_shift(StepContext& context, const geo::ChipScene& scene, const geo::LayerShift& shift) const {
    const std::string key = concat("shift_px of ", scene.name);
    if (!shift.measured) return context.record(key, std::string("not measured: too little common content"));
    if (shift.left) {
      context.record(key, concat(shift_text(*shift.measured), ", taken out; left ", shift_text(*shift.left)));
      return;
    }
    context.record(key, shift_text(*shift.measured));
    constexpr double kTolerablePx = 0.5;
    if (shift.measured->is_significant() && shift.measured->length_px() > kTolerablePx) {
      geo::log_warning(concat("image ", geo::quoted(scene.path), " lies ",
                              geo::fixed(shift.measured->length_px(), 2),
                              " px off the first image; --align takes that out"));
    }
  }

  /// Squares around points; each month of the table takes the images of its own, where images have dates.
  void cut_points(StepContext& context, Scenes scenes, Written& written) const {
    const bool dated = std::ranges::any_of(scenes, [](const auto& scene) { return !scene.date.empty(); });
    // By month, and by name within it: what the files are called after.
    std::map<std::string, std::map<std::string, geo::NamedPoint>> by_month;
    for (auto& point : geo::read_chip_points(m_o.points)) {
      constexpr std::size_t kMonth = 7;
      const std::string month = dated ? point.date.substr(0, kMonth) : std::string{};
      if (!month.empty()) point.name += '_' + month;
      by_month[month].try_emplace(point.name, point);
    }
    const geo::Crs crs = chip_crs(scenes);
    std::size_t failed = 0;
    for (auto& [month, named] : by_month) {
      Scenes chosen;
      std::ranges::copy_if(scenes, std::back_inserter(chosen), [&month = month](const auto& scene) {
        return month.empty() || geo::same_month(scene.date, month);
      });
      std::vector<geo::NamedPoint> points;
      for (auto& [name, point] : named) points.push_back(std::move(point));
      try {
        if (chosen.empty())
          throw geo::IoError(concat("no image is of ", month, ", as ", points.size(), " points are"));
        cut_points_of(context, std::move(chosen), std::move(points), crs, written);
      } catch (const geo::Cancelled&) {
        throw;
      } catch (const geo::Error& e) {
        if (++failed == by_month.size()) throw;
        context.fail(concat(m_o.points, month.empty() ? "" : ", ", month), e.what());
      }
    }
  }

  void cut_points_of(StepContext& context, Scenes scenes, std::vector<geo::NamedPoint> points,
                     const geo::Crs& crs, Written& written) const {
    const std::string name = scenes.size() == 1 ? scenes.front().name : m_o.stack ? "stack" : "mosaic";
    const auto [side_px, side] = m_o.point_chip(crs);
    const geo::ChipPlan plan =
        geo::plan_points(std::move(points), crs, side_px, side, written.options.size.halo_px);
    std::vector<geo::ChipSource::Layer> layers;
    if (m_o.stack) {
      for (auto& scene : scenes) layers.push_back({std::move(scene)});
    } else {
      layers.push_back(std::move(scenes));
    }
    const geo::ChipSource source(std::move(layers), crs, written.options.source, context.exec().threads());
    written.add(
        geo::cut_chips(source, plan, name, written.folder, written.options, written.labels, context.exec()));
  }

  TileOptions m_o;
};

}  // namespace

std::unique_ptr<Step> make_tile() {
  return std::make_unique<Tile>();
}

}  // namespace furrow::workflow
