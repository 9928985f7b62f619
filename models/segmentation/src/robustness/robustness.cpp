#include <furrow/segmentation/robustness.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <utility>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/reader.h>

#include "../prediction/plan.h"
#include "map_comparison.h"
#include "perturb.h"
#include "scene_window.h"
#include "view.h"

namespace furrow::segmentation {
namespace {

using geo::Window;
using Family = PerturbationFamily;
using Statistics = std::vector<geo::BandStatistics>;

bool is_noise(const Perturbation& p) {
  return p.family == Family::kNoise || p.family == Family::kBandNoise;
}

void check_classes(const ModelSpec& spec) {
  if (spec.classes.size() == kMapClasses) return;
  throw geo::ModelError(geo::concat("model ", geo::quoted(spec.id), " has ", spec.classes.size(),
                                    " classes; fields need background, interior and boundary"));
}

/// Perturbations of one family, which share a consensus.
struct FamilyRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

std::vector<FamilyRange> ranges_of(std::span<const Perturbation> list) {
  std::vector<FamilyRange> ranges;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i == 0 || list[i].family != list[i - 1].family) ranges.push_back({i, i});
    ranges.back().end = i + 1;
  }
  return ranges;
}

/// What all windows have in common, and what was found in each.
class Assessment {
 public:
  Assessment(const geo::RasterReader& reader, const ModelSpec& spec, const ScoreFunction& score,
             std::span<const Perturbation> perturbations, const RobustnessOptions& options,
             geo::ExecContext& exec)
      : m_reader(reader),
        m_spec(spec),
        m_score(score),
        m_perturbations(perturbations),
        m_options(options),
        m_exec(exec) {}

  RobustnessReport run(std::span<const geo::MultiPolygon> reference) {
    const geo::Grid& grid = m_reader.grid();
    m_report.image_width = grid.width;
    m_report.image_height = grid.height;
    m_report.window_px = m_options.window_px.value_or(std::min({std::int64_t{256}, grid.width, grid.height}));
    PredictOptions predict;
    predict.tile_px = m_report.window_px;
    predict.bands = m_options.bands;
    m_plan = make_plan(grid, {grid.window(), {}}, m_spec, predict, m_exec.memory_bytes());
    m_report.halo_px = m_plan.halo_px;
    m_report.seed = m_options.seed;
    m_report.has_reference = !reference.empty();
    m_report.windows = choose_windows(m_reader, m_report.window_px, m_options, bounds_of(reference));
    load();
    find_statistics();
    map_unperturbed(reference);
    compare_all();
    return std::move(m_report);
  }

 private:
  static std::optional<geo::Box> bounds_of(std::span<const geo::MultiPolygon> shapes) {
    if (shapes.empty()) return std::nullopt;
    geo::Box box;
    for (const auto& shape : shapes) box.expand(geo::bounds(shape));
    return box;
  }

  /// What any view of a window needs: the halo, in larger pixels too, and room to begin elsewhere.
  [[nodiscard]] Window area_of(const Window& core) const {
    double largest = 1.0;
    for (const auto& p : m_perturbations)
      if (p.family == Family::kPixelSize) largest = std::max(largest, p.level);
    const double reach = std::ceil(largest * static_cast<double>(m_plan.halo_px + 2 * m_plan.stride_px));
    return m_plan.input_window(geo::grow(core, static_cast<std::int64_t>(reach) - m_plan.halo_px));
  }

  void check_memory() const {
    std::int64_t values = 0;
    for (const Window& core : m_report.windows) values += area_of(core).pixels();
    const std::size_t bytes = static_cast<std::size_t>(values) * sizeof(float) * 2 * m_spec.bands.size();
    if (bytes + m_plan.tile_bytes() <= m_exec.memory_bytes()) return;
    throw geo::InvalidArgument(
        geo::concat(m_report.windows.size(), " windows of ", m_report.window_px, " px need about ",
                    geo::human_bytes(static_cast<double>(bytes + m_plan.tile_bytes())),
                    ", more than the memory budget; lower --windows or --window-px, or raise --memory"));
  }

  void load() {
    check_memory();
    const bool with_noise = std::ranges::any_of(m_perturbations, is_noise);
    m_windows.resize(m_report.windows.size());
    tbb::parallel_for(std::size_t{0}, m_windows.size(), [&](std::size_t i) {
      const Window& core = m_report.windows[i];
      m_windows[i] = load_window(m_reader, m_options.bands, core, area_of(core));
      if (with_noise) draw_noise(m_windows[i], m_options.seed);
    });
    m_figures = geo::chip_statistics(core_sample(m_windows), per_band(m_spec.normalisation));
  }

  static geo::Normalisation per_band(geo::Normalisation how) {
    how.per_band = true;
    return how;
  }

  /// Statistics for the network's input, of the scene and of each perturbed scene.
  void find_statistics() {
    const geo::Normalisation& how = m_spec.normalisation;
    const bool from_scene =
        how.method != geo::NormaliseMethod::kDivide && how.scope == geo::NormaliseScope::kScene;
    if (from_scene) m_statistics = geo::scene_statistics(m_reader, m_options.bands, how, m_exec);
    if (how.scope == geo::NormaliseScope::kStored) m_statistics = how.stored;
    m_perturbed_statistics.assign(m_perturbations.size(), m_statistics);
    if (!from_scene) return;
    const Statistics before = geo::chip_statistics(core_sample(m_windows), how);
    tbb::parallel_for(std::size_t{0}, m_perturbations.size(), [&](std::size_t i) {
      if (!changes_values(m_perturbations[i].family)) return;
      const Statistics after = geo::chip_statistics(perturbed_sample(m_perturbations[i]), how);
      for (std::size_t k = 0; k < after.size(); ++k)
        m_perturbed_statistics[i][k] = moved_statistics(m_statistics[k], before[k], after[k]);
    });
  }

  [[nodiscard]] geo::Raster<float> perturbed_sample(const Perturbation& p) const {
    std::vector<SceneWindow> cores;
    for (const SceneWindow& window : m_windows) {
      const Window core = window.core_in_area();
      SceneWindow part{window.core, window.core, cut(window.pixels, core), cut(window.valid, core), {}};
      if (is_noise(p)) part.noise = cut(window.noise, core);
      perturb_values(part, p, m_figures);
      cores.push_back(std::move(part));
    }
    return core_sample(cores);
  }

  [[nodiscard]] WindowMap map_of(const SceneWindow& window, const geo::Raster<float>& scores) const {
    return make_map(scores, cut(window.valid, window.core_in_area()), m_reader.grid().subgrid(window.core),
                    m_spec, m_exec);
  }

  void map_unperturbed(std::span<const geo::MultiPolygon> reference) {
    const NetworkView view{m_plan, m_spec, m_score, m_statistics, m_reader.path()};
    m_maps.resize(m_windows.size());
    m_truth.resize(m_windows.size());
    for_each(m_windows.size(), "unperturbed", [&](std::size_t i) {
      m_maps[i] = map_of(m_windows[i], view.scores(m_windows[i]));
      if (m_report.has_reference) {
        m_truth[i] = reference_map(reference, cut(m_windows[i].valid, m_windows[i].core_in_area()),
                                   m_reader.grid().subgrid(m_windows[i].core));
      }
    });
    for (std::size_t i = 0; i < m_maps.size() && m_report.has_reference; ++i)
      m_report.truth += compare_fields(m_truth[i], m_maps[i]);
  }

  struct Found {
    std::vector<MapAgreement> agreement;  ///< by perturbation of the family
    std::vector<MapAgreement> truth;
    FamilyConsensus consensus;
  };

  /// All perturbations of a family in one window.
  [[nodiscard]] Found compare(const FamilyRange& range, std::size_t window) const {
    const WindowMap& own = m_maps[window];
    Found found;
    found.consensus.family = m_perturbations[range.begin].family;
    std::vector<char> moved(own.classes.data().size());
    for (std::size_t k = range.begin; k < range.end; ++k) {
      m_exec.check_cancelled();
      const NetworkView view{m_plan, m_spec, m_score, m_perturbed_statistics[k], m_reader.path()};
      const WindowMap other =
          map_of(m_windows[window], view.perturbed_scores(m_windows[window], m_perturbations[k], m_figures));
      found.agreement.push_back(compare_maps(own, other));
      found.truth.push_back(m_report.has_reference ? compare_fields(m_truth[window], other) : MapAgreement{});
      for (std::size_t i = 0; i < moved.size(); ++i)
        if (own.classes.data()[i] != other.classes.data()[i]) moved[i] = 1;
    }
    found.consensus.pixels = own.valid_pixels;
    found.consensus.agreed = own.valid_pixels - std::ranges::count(moved, char{1});
    return found;
  }

  void compare_all() {
    const std::vector<FamilyRange> ranges = ranges_of(m_perturbations);
    std::vector<Found> found(ranges.size() * m_windows.size());
    for_each(found.size(), "perturbed",
             [&](std::size_t i) { found[i] = compare(ranges[i / m_windows.size()], i % m_windows.size()); });
    for (std::size_t i = 0; i < found.size(); i += m_windows.size())
      add_family(ranges[i / m_windows.size()], std::span(found).subspan(i, m_windows.size()));
  }

  /// Sums over windows, in their order.
  void add_family(const FamilyRange& range, std::span<const Found> windows) {
    FamilyConsensus consensus;
    std::vector<PerturbationResult> results;
    for (std::size_t k = range.begin; k < range.end; ++k) results.push_back({m_perturbations[k], {}, {}});
    for (const Found& window : windows) {
      consensus.family = window.consensus.family;
      consensus.pixels += window.consensus.pixels;
      consensus.agreed += window.consensus.agreed;
      for (std::size_t k = 0; k < results.size(); ++k) {
        results[k].agreement += window.agreement[k];
        results[k].truth += window.truth[k];
      }
    }
    m_report.families.push_back(consensus);
    m_report.results.insert(m_report.results.end(), results.begin(), results.end());
  }

  /// In parallel, with as many networks at work as the memory budget allows.
  template <class Work>
  void for_each(std::size_t count, const char* label, const Work& work) {
    geo::Progress progress(m_exec, label, static_cast<std::int64_t>(count));
    std::atomic<std::size_t> next{0};
    tbb::parallel_for(std::size_t{0}, m_exec.tokens(2 * m_plan.tile_bytes()), [&](std::size_t) {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
        progress.advance();
      }
    });
  }

  const geo::RasterReader& m_reader;
  const ModelSpec& m_spec;
  const ScoreFunction& m_score;
  std::span<const Perturbation> m_perturbations;
  const RobustnessOptions& m_options;
  geo::ExecContext& m_exec;
  PredictionPlan m_plan;
  std::vector<SceneWindow> m_windows;
  Statistics m_figures;  ///< of each band in the windows
  Statistics m_statistics;
  std::vector<Statistics> m_perturbed_statistics;
  std::vector<WindowMap> m_maps;
  std::vector<WindowMap> m_truth;
  RobustnessReport m_report;
};

}  // namespace

const PerturbationResult* RobustnessReport::most_sensitive() const {
  const PerturbationResult* worst = nullptr;
  for (const PerturbationResult& result : results) {
    if (result.agreement.flipped > (worst == nullptr ? 0 : worst->agreement.flipped)) worst = &result;
  }
  return worst;
}

RobustnessReport assess_robustness(const std::string& image, const ModelSpec& spec,
                                   const ScoreFunction& score, std::span<const Perturbation> perturbations,
                                   std::span<const geo::MultiPolygon> reference,
                                   const RobustnessOptions& options, geo::ExecContext& exec) {
  geo::RasterReadOptions read;
  read.override_crs = options.image_crs;
  read.crs_switch = options.crs_switch;
  const geo::RasterReader reader(image, read);
  for (const int band : options.bands) (void)reader.band(band);  // throws when it is not there
  check_image(spec, image, options.bands.empty() ? reader.bands() : static_cast<int>(options.bands.size()),
              mean_pixel_size_m(reader.grid()));
  check_classes(spec);
  return Assessment(reader, spec, score, perturbations, options, exec).run(reference);
}

}  // namespace furrow::segmentation
