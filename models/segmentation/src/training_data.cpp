#include <furrow/segmentation/training_data.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

#include "augment.h"
#include "open_scene.h"
#include "scene_failures.h"
#include "training_blocks.h"

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;
using geo::Window;

void check_options(const TrainingDataOptions& options) {
  if (options.chip_px < 16) {
    throw geo::InvalidArgument(concat("windows need sides of at least 16 pixels, got ", options.chip_px));
  }
  if (options.block_px != 0 && options.block_px < options.chip_px) {
    throw geo::InvalidArgument(
        concat("blocks of ", options.block_px, " pixels are smaller than windows of ", options.chip_px));
  }
  if (!(options.val_share >= 0.0 && options.val_share <= 0.9)) {
    throw geo::InvalidArgument(concat("the validation share must lie in 0..0.9, got ", options.val_share));
  }
  const auto [low, high] = options.scale;
  if (!(low >= 0.25 && low <= high && high <= 4.0)) {
    throw geo::InvalidArgument(
        concat("the scale of windows must be a range inside 0.25..4, got ", low, " to ", high));
  }
  check_risk_options(options.risk);
}

/// Whether two images have pixels of one size: within 1 %. Images in degrees are compared in degrees, because
/// metres east change with the latitude.
bool same_pixel_size(const geo::Grid& a, const geo::Grid& b) {
  const bool degrees = a.crs.is_geographic() && b.crs.is_geographic();
  const double first = degrees ? a.transform.pixel_width() : a.pixel_size_m().x;
  const double second = degrees ? b.transform.pixel_width() : b.pixel_size_m().x;
  return std::abs(first / second - 1.0) <= 0.01;
}

/// "3 bands", or "2 + 2 bands" of a stack.
std::string bands_in_words(const SceneImage& image) {
  std::vector<std::string> counts;
  for (const int bands : image.bands_of_files()) counts.push_back(std::to_string(bands));
  return concat(geo::join(counts, " + "), " bands");
}

/// @throws geo::ModelError
void check_same_kind(const SceneImage& image, const SceneImage& first) {
  if (image.bands_of_files() != first.bands_of_files()) {
    throw geo::ModelError(concat("image ", quoted(image.path()), " has ", bands_in_words(image), ", but ",
                                 quoted(first.path()), " has ", bands_in_words(first),
                                 "; a model takes one kind of image"));
  }
  if (!same_pixel_size(image.grid(), first.grid())) {
    throw geo::ModelError(concat("image ", quoted(image.path()), " has pixels of ",
                                 geo::fixed(image.grid().pixel_size_m().x, 3), " m, but ",
                                 quoted(first.path()), " of ", geo::fixed(first.grid().pixel_size_m().x, 3),
                                 " m; resample them to one size"));
  }
}

/// The first of the scenes with the numbers of bands that most have.
std::size_t usual_scene(const std::vector<std::optional<OpenScene>>& scenes) {
  std::map<std::vector<int>, std::size_t> counts;
  for (const auto& scene : scenes) {
    if (scene) ++counts[scene->image.bands_of_files()];
  }
  std::size_t usual = scenes.size();
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    if (!scenes[i]) continue;
    if (usual == scenes.size() ||
        counts[scenes[i]->image.bands_of_files()] > counts[scenes[usual]->image.bands_of_files()])
      usual = i;
  }
  return usual;
}

/// Outline of a window on the ground.
geo::MultiPolygon outline(const geo::Grid& grid, const Window& window) {
  const auto corner = [&](std::int64_t col, std::int64_t row) {
    return grid.transform.to_world({static_cast<double>(col), static_cast<double>(row)});
  };
  const geo::Point start = corner(window.col, window.row);
  return {{{start, corner(window.end_col(), window.row), corner(window.end_col(), window.end_row()),
            corner(window.col, window.end_row()), start},
           {}}};
}

/// The smallest window that holds both.
Window around_both(const Window& a, const Window& b) {
  const std::int64_t col = std::min(a.col, b.col);
  const std::int64_t row = std::min(a.row, b.row);
  return {col, row, std::max(a.end_col(), b.end_col()) - col, std::max(a.end_row(), b.end_row()) - row};
}

void add_pixels(const Patch& patch, std::array<std::int64_t, 3>& counts) {
  for (const std::uint8_t label : patch.labels.data()) {
    if (label < counts.size()) ++counts[label];
  }
}

}  // namespace

struct TrainingData::Impl {
  TrainingDataOptions options;
  std::vector<TrainingScene> sources;
  mutable RasterPool pool;
  SceneOpener opener;
  std::vector<OpenScene> scenes;
  std::vector<std::string> band_names;
  std::vector<std::string> labellers;
  std::vector<std::int32_t> labeller_of;  ///< of each scene; -1 = not said
  double pixel_size_m = 0.0;
  TrainingDataSummary summary;
  std::vector<Block> train;
  std::vector<Block> val;
  std::vector<std::size_t> train_windows;  ///< block of each training window of an epoch
  std::vector<ValWindow> val_windows;
  std::vector<std::shared_ptr<const Patch>> train_cache;  ///< one per training block, or empty
  std::vector<std::shared_ptr<const Patch>> val_cache;    ///< one per validation window, or empty
  /// Labelled pixels of each class in the training blocks up to and with each.
  std::array<std::vector<std::int64_t>, 3> class_px_until;

  Impl(const TrainingDataOptions& how, std::vector<TrainingScene> from, int threads)
      : options(how), sources(std::move(from)), pool(threads), opener(options, pool) {}

  /// A window of an epoch before it is cut. `label` and `rank` say which pixel it must hold, when balanced.
  struct Draw {
    std::size_t block = 0;
    std::optional<std::uint8_t> label;
    std::int64_t rank = 0;
  };

  [[nodiscard]] int bands() const { return scenes.front().image.bands(); }
  /// Opens, divides and reads everything; stops early when scenes failed.
  void prepare(SceneFailures& failures, geo::ExecContext& exec);
  [[nodiscard]] Draw draw(std::size_t index, std::int64_t epoch) const;
  [[nodiscard]] Patch train_window(const Draw& draw, std::size_t index, std::int64_t epoch,
                                   bool augmented) const;
  [[nodiscard]] Batch train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size,
                                  bool augmented) const;
  [[nodiscard]] Patch load_val_window(std::size_t index) const;
  [[nodiscard]] std::shared_ptr<const std::vector<std::size_t>> order_of(std::int64_t epoch) const;

 private:
  void open(SceneFailures& failures);
  void describe_bands();
  void warn_about_nodata() const;
  void number_labellers();
  void find_statistics(SceneFailures& failures, geo::ExecContext& exec);
  void store_statistics(geo::ExecContext& exec);
  [[nodiscard]] std::vector<Block> find_blocks(SceneFailures& failures, std::int64_t divided_px,
                                               geo::ExecContext& exec) const;
  /// The first scene with the same image as this one.
  [[nodiscard]] std::size_t first_with_image(std::size_t scene) const;
  void split(const std::vector<Block>& blocks);
  [[nodiscard]] std::vector<bool> choose_by_area(const std::vector<Block>& blocks, PolygonLayer& area) const;
  [[nodiscard]] std::vector<bool> choose_by_part(const std::vector<Block>& blocks) const;
  void make_windows();
  [[nodiscard]] Patch load_train_block(std::size_t index) const;
  void fill_cache(SceneFailures& failures, geo::ExecContext& exec);
  void decide_caching(std::size_t memory);
  void warn_about_memory() const;
  void count_pixels(std::size_t item, const Patch& patch);
  void sum_classes();

  std::size_t bytes_of_cache = 0;
  mutable std::mutex m_order_mutex;
  mutable std::shared_ptr<const std::vector<std::size_t>> m_order;  ///< of the epoch asked for last
  mutable std::int64_t m_order_epoch = -1;
};

void TrainingData::Impl::open(SceneFailures& failures) {
  std::vector<std::optional<OpenScene>> opened(sources.size());
  tbb::parallel_for(std::size_t{0}, sources.size(), [&](std::size_t i) {
    failures.try_scene(i, 0, [&] { opened[i].emplace(opener.open(sources[i])); });
  });
  const std::size_t usual = usual_scene(opened);
  for (std::size_t i = 0; i < opened.size(); ++i) {
    if (opened[i]) failures.try_scene(i, 0, [&] { check_same_kind(opened[i]->image, opened[usual]->image); });
  }
  if (failures.any()) return;
  for (auto& scene : opened) scenes.push_back(std::move(*scene));
  pixel_size_m = scenes.front().image.grid().pixel_size_m().x;
  describe_bands();
  number_labellers();
}

void TrainingData::Impl::describe_bands() {
  const std::vector<std::string>& given = scenes.front().image.descriptions();
  for (std::size_t band = 0; band < given.size(); ++band) {
    const bool named = band < options.band_names.size();
    band_names.push_back(!given[band].empty() ? given[band]
                         : named              ? options.band_names[band]
                                              : concat("band ", band + 1));
  }
  const SceneImage& image = scenes.front().image;
  const std::vector<int>& counts = image.bands_of_files();
  if (options.swap_dates && (counts.size() != 2 || counts[0] != counts[1])) {
    throw geo::InvalidArgument(concat("image ", quoted(image.path()),
                                      " is no stack of two images with equal bands, whose dates could be "
                                      "exchanged"));
  }
}

void TrainingData::Impl::warn_about_nodata() const {
  std::size_t count = 0;
  const OpenScene* first = nullptr;
  for (const OpenScene& scene : scenes) {
    if (!scene.class_as_nodata) continue;
    if (count++ == 0) first = &scene;
  }
  if (count == 0) return;
  const std::string which =
      count == 1 ? concat("labels ", quoted(first->labels.path()), " declare ")
                 : concat(count, " label rasters (the first is ", quoted(first->labels.path()), ") declare ");
  geo::log_warning(
      concat(which, *first->class_as_nodata,
             " as nodata, which is a class; it is used as that class (--ignore-label-nodata ignores it)"));
}

void TrainingData::Impl::number_labellers() {
  for (const TrainingScene& source : sources) {
    std::int32_t number = -1;
    if (!source.labeller.empty()) {
      const auto known = std::ranges::find(labellers, source.labeller);
      number = static_cast<std::int32_t>(known - labellers.begin());
      if (known == labellers.end()) labellers.push_back(source.labeller);
    }
    labeller_of.push_back(number);
  }
}

/// Statistics of each scene, or one set for all.
void TrainingData::Impl::find_statistics(SceneFailures& failures, geo::ExecContext& exec) {
  geo::Normalisation& how = options.normalisation;
  if (how.method == geo::NormaliseMethod::kDivide) return;
  if (how.scope == geo::NormaliseScope::kScene) {
    for (std::size_t i = 0; i < scenes.size(); ++i) {
      failures.try_scene(i, 0, [&] {
        const SceneImage& image = scenes[i].image;
        if (!how.per_band) {
          scenes[i].statistics = geo::scene_statistics(image.paths(), {}, how, exec);
          return;
        }
        for (const std::string& file : image.paths()) {
          const auto of_file = geo::scene_statistics({&file, 1}, {}, how, exec);
          scenes[i].statistics.insert(scenes[i].statistics.end(), of_file.begin(), of_file.end());
        }
      });
    }
    return;
  }
  try {
    if (how.stored.empty()) store_statistics(exec);
  } catch (const geo::IoError&) {
    // Which files they are is found out only when there are some.
    tbb::parallel_for(std::size_t{0}, scenes.size(), [&](std::size_t i) {
      exec.check_cancelled();
      const geo::Grid& grid = scenes[i].image.grid();
      constexpr std::int64_t kPiecePx = 1024;
      for (const geo::Tile& tile : geo::make_tiles(grid, kPiecePx, 0))
        failures.try_scene(i, static_cast<std::size_t>(tile.index),
                           [&] { (void)scenes[i].image.read(tile.core); });
    });
    if (!failures.any()) throw;
    return;
  }
  const auto wanted = how.per_band ? band_names.size() : std::size_t{1};
  if (how.stored.size() != wanted) {
    throw geo::InvalidArgument(concat("the stored statistics are of ", how.stored.size(),
                                      " band(s), the images have ", wanted,
                                      "; compute them for these images"));
  }
  for (OpenScene& scene : scenes) scene.statistics = how.stored;
}

/// Of all images that do not validate as a whole, each file once.
void TrainingData::Impl::store_statistics(geo::ExecContext& exec) {
  geo::Normalisation& how = options.normalisation;
  std::vector<std::set<std::string>> files(how.per_band ? scenes.front().image.paths().size() : 1);
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    if (sources[i].part == ScenePart::kValidate) continue;
    const std::vector<std::string>& paths = scenes[i].image.paths();
    for (std::size_t k = 0; k < paths.size(); ++k) files[how.per_band ? k : 0].insert(paths[k]);
  }
  std::vector<geo::BandStatistics> all;
  for (const std::set<std::string>& some : files) {
    const std::vector<std::string> list(some.begin(), some.end());
    if (list.empty()) throw geo::InvalidArgument("no image trains: all of them validate");
    const auto statistics = geo::scene_statistics(list, {}, how, exec);
    all.insert(all.end(), statistics.begin(), statistics.end());
  }
  how.stored = std::move(all);
}

std::size_t TrainingData::Impl::first_with_image(std::size_t scene) const {
  const auto same = std::ranges::find(sources, sources[scene].image, &TrainingScene::image);
  return static_cast<std::size_t>(same - sources.begin());
}

/// Blocks of all scenes that hold labelled pixels; labels of several people for one image are cut alike.
/// Scenes of one part are cut less often: a sample is a block.
std::vector<Block> TrainingData::Impl::find_blocks(SceneFailures& failures, std::int64_t divided_px,
                                                   geo::ExecContext& exec) const {
  std::vector<Block> blocks;
  for (std::size_t s = 0; s < scenes.size(); ++s) {
    const bool divided = sources[s].part == ScenePart::kBlocks;
    const std::int64_t whole_px = options.block_px != 0 ? options.block_px : 4 * options.chip_px;
    Window extent = scenes[s].labels.extent();
    const std::size_t image = first_with_image(s);
    for (std::size_t other = image; other < scenes.size(); ++other) {
      if (first_with_image(other) == image) extent = around_both(extent, scenes[other].labels.extent());
    }
    auto some = cut_blocks(s, extent, divided ? divided_px : whole_px);
    for (Block& block : some) block.image = image;
    blocks.insert(blocks.end(), some.begin(), some.end());
  }
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t i) {
    exec.check_cancelled();
    failures.try_scene(blocks[i].scene, i, [&] {
      const auto labels = scenes[blocks[i].scene].labels.read(blocks[i].window);
      blocks[i].labelled_px =
          labels.pixels() - std::count(labels.data().begin(), labels.data().end(), geo::kIgnore);
    });
  });
  std::erase_if(blocks, [](const Block& block) { return block.labelled_px == 0; });
  return blocks;
}

std::vector<bool> TrainingData::Impl::choose_by_area(const std::vector<Block>& blocks,
                                                     PolygonLayer& area) const {
  std::vector<bool> validates;
  for (const Block& block : blocks) {
    const geo::Grid& grid = scenes[block.scene].image.grid();
    const geo::MultiPolygon shape = outline(grid, block.window);
    validates.push_back(std::ranges::any_of(area.near(grid, block.window), [&](const auto& polygon) {
      return geo::intersection_area(shape, polygon) > 0.0;
    }));
  }
  const auto count = std::ranges::count(validates, true);
  if (count == 0 || count == std::ssize(validates)) {
    throw geo::InvalidArgument(concat(
        count == 0 ? "none" : "all", " of the ", validates.size(),
        " labelled blocks touch the validation area ", quoted(area.path()),
        count == 0 ? "; check its place and CRS" : ", nothing is left to train on; give a smaller area"));
  }
  return validates;
}

std::vector<bool> TrainingData::Impl::choose_by_part(const std::vector<Block>& blocks) const {
  std::vector<Block> divided;
  for (const Block& block : blocks) {
    if (sources[block.scene].part == ScenePart::kBlocks) divided.push_back(block);
  }
  const std::vector<bool> chosen = choose_by_hash(divided, options.val_share, options.seed);
  std::vector<bool> validates;
  auto next = chosen.begin();
  for (const Block& block : blocks) {
    const ScenePart part = sources[block.scene].part;
    validates.push_back(part == ScenePart::kBlocks ? *next++ : part == ScenePart::kValidate);
  }
  if (std::ranges::count(validates, false) == 0)
    throw geo::InvalidArgument("nothing is left to train on: every labelled block validates");
  return validates;
}

void TrainingData::Impl::split(const std::vector<Block>& blocks) {
  PolygonLayer* area = opener.val_area();
  const std::vector<bool> validates =
      area != nullptr ? choose_by_area(blocks, *area) : choose_by_part(blocks);
  for (std::size_t i = 0; i < blocks.size(); ++i) (validates[i] ? val : train).push_back(blocks[i]);
  std::int64_t pixels = 0;
  for (Block& block : train) {
    block.first_pixel = pixels;
    pixels += block.window.pixels();
  }
}

void TrainingData::Impl::make_windows() {
  train_windows = windows_of_epoch(train, options.chip_px);
  for (std::size_t b = 0; b < val.size(); ++b) {
    const Window image = scenes[val[b].scene].image.grid().window();
    add_validation_windows(b, val[b], options.chip_px, image, val_windows);
  }
  summary.train_blocks = std::ssize(train);
  summary.val_blocks = std::ssize(val);
  summary.train_chips = std::ssize(train_windows);
  summary.val_chips = std::ssize(val_windows);
}

Patch TrainingData::Impl::load_train_block(std::size_t index) const {
  const Block& block = train[index];
  Patch patch = load_patch(scenes[block.scene], block.window, block.window, options);
  if (options.number_pixels) {
    patch.numbers = geo::Raster<std::int64_t>(block.window.width, block.window.height);
    std::iota(patch.numbers.data().begin(), patch.numbers.data().end(), block.first_pixel);
  }
  return patch;
}

Patch TrainingData::Impl::load_val_window(std::size_t index) const {
  const ValWindow& window = val_windows[index];
  return load_patch(scenes[val[window.block].scene], window.window, window.own, options);
}

void TrainingData::Impl::count_pixels(std::size_t item, const Patch& patch) {
  add_pixels(patch, summary.labelled_px);
  if (item < train.size()) add_pixels(patch, train[item].class_px);
  summary.labelled_without_image_px += patch.labelled_without_image;
  summary.labelled_without_risk_px += patch.labelled_without_risk;
  summary.labelled_without_posterior_px += patch.labelled_without_posterior;
  summary.labelled_against_posterior_px += patch.labelled_against_posterior;
}

void TrainingData::Impl::decide_caching(std::size_t memory) {
  const bool soft = uses_soft_targets(options.risk.mode);
  const std::size_t floats = static_cast<std::size_t>(bands()) + 1 + (soft ? kSoftClasses : 0);
  const std::size_t per_pixel =
      floats * sizeof(float) + 2 + (options.number_pixels ? sizeof(std::int64_t) : 0);
  std::size_t needed = 0;
  for (const Block& block : train) needed += static_cast<std::size_t>(block.window.pixels()) * per_pixel;
  for (const ValWindow& window : val_windows)
    needed += static_cast<std::size_t>(window.window.pixels()) * per_pixel;
  bytes_of_cache = needed;
  summary.cached = needed <= memory / 2;
}

void TrainingData::Impl::warn_about_memory() const {
  if (summary.cached) return;
  geo::log_warning(
      concat("the labelled area needs ", geo::human_bytes(static_cast<double>(bytes_of_cache)),
             " in memory, more than half of the budget; windows are read from the files again in every "
             "epoch, which is slower (--memory raises the budget)"));
}

/// Reads every block once, for the counts, the checksum, and for memory if it is large enough.
void TrainingData::Impl::fill_cache(SceneFailures& failures, geo::ExecContext& exec) {
  decide_caching(exec.memory_bytes());
  const std::size_t total = train.size() + val_windows.size();
  train_cache.resize(train.size());
  val_cache.resize(val_windows.size());
  geo::Progress progress(exec, "reading labelled areas", static_cast<std::int64_t>(total));
  geo::Sha256 all;
  constexpr std::size_t kGroup = 64;
  for (std::size_t start = 0; start < total; start += kGroup) {
    std::vector<std::shared_ptr<const Patch>> group(std::min(kGroup, total - start));
    std::vector<std::string> checksums(group.size());
    tbb::parallel_for(std::size_t{0}, group.size(), [&](std::size_t i) {
      const std::size_t item = start + i;
      const bool trains = item < train.size();
      const std::size_t scene =
          trains ? train[item].scene : val[val_windows[item - train.size()].block].scene;
      const bool read = failures.try_scene(scene, item, [&] {
        group[i] =
            std::make_shared<Patch>(trains ? load_train_block(item) : load_val_window(item - train.size()));
      });
      if (read) checksums[i] = checksum(*group[i]);
      progress.advance();
    });
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (!group[i]) continue;
      const std::size_t item = start + i;
      all.update(checksums[i]);
      count_pixels(item, *group[i]);
      if (!summary.cached) continue;
      (item < train.size() ? train_cache[item] : val_cache[item - train.size()]) = group[i];
    }
  }
  summary.sha256 = all.hex_digest();
}

void TrainingData::Impl::sum_classes() {
  for (std::size_t c = 0; c < class_px_until.size(); ++c) {
    std::int64_t sum = 0;
    for (const Block& block : train) class_px_until[c].push_back(sum += block.class_px[c]);
  }
}

void TrainingData::Impl::prepare(SceneFailures& failures, geo::ExecContext& exec) {
  open(failures);
  if (failures.any()) return;
  find_statistics(failures, exec);
  if (failures.any()) return;
  constexpr std::size_t kFewBlocks = 5;
  const std::int64_t block_px = options.block_px != 0 ? options.block_px : 2 * options.chip_px;
  std::vector<Block> blocks = find_blocks(failures, block_px, exec);
  if (failures.any()) return;
  if (options.block_px == 0 && blocks.size() < kFewBlocks)
    blocks = find_blocks(failures, options.chip_px, exec);
  if (blocks.empty()) {
    throw geo::IoError(concat(
        "no labelled pixel in ", sources.size() == 1 ? "" : "any of the label rasters, first ",
        quoted(sources.front().labels),
        options.label_area.path.empty() ? ": every pixel is 3, 255 or nodata" : " inside the mapped area"));
  }
  split(blocks);
  make_windows();
  fill_cache(failures, exec);
  if (failures.any()) return;
  sum_classes();
  warn_about_nodata();
  warn_about_memory();
  const auto& labelled = summary.labelled_px;
  if (labelled[0] + labelled[1] + labelled[2] == 0) {
    throw geo::IoError(
        concat("no pixel is left to train on: where ", quoted(sources.front().labels),
               " holds labels, the image or the posterior has no data or the risk is above the threshold"));
  }
}

/// Which block a window of an epoch comes from.
TrainingData::Impl::Draw TrainingData::Impl::draw(std::size_t index, std::int64_t epoch) const {
  Draw result;
  result.block = train_windows[index];
  if (!options.balance) return result;
  std::vector<std::uint8_t> classes;
  for (std::size_t c = 0; c < class_px_until.size(); ++c) {
    if (class_px_until[c].back() > 0) classes.push_back(static_cast<std::uint8_t>(c));
  }
  if (classes.empty()) return result;
  geo::Random random(options.seed, geo::stable_hash(concat("balance ", epoch, " ", index)));
  result.label = classes[random.below(classes.size())];
  const std::vector<std::int64_t>& until = class_px_until[*result.label];
  const auto pixel = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(until.back())));
  result.block = static_cast<std::size_t>(std::ranges::upper_bound(until, pixel) - until.begin());
  result.rank = pixel - (result.block == 0 ? 0 : until[result.block - 1]);
  return result;
}

/// A random window of a training block, augmented.
Patch TrainingData::Impl::train_window(const Draw& draw, std::size_t index, std::int64_t epoch,
                                       bool augmented) const {
  const std::shared_ptr<const Patch> block = train_cache[draw.block]
                                                 ? train_cache[draw.block]
                                                 : std::make_shared<Patch>(load_train_block(draw.block));
  // Streams of their own, so that one switch does not change what the others draw.
  const auto stream = [&](const char* what) {
    return geo::Random(options.seed, geo::stable_hash(concat(what, " ", epoch, " ", index)));
  };
  std::int64_t side = options.chip_px;
  if (augmented && options.scale != std::array{1.0, 1.0}) {
    const double factor =
        std::exp(stream("scale").uniform(std::log(options.scale[0]), std::log(options.scale[1])));
    side = std::max<std::int64_t>(1, std::llround(static_cast<double>(side) / factor));
  }
  geo::Random random = stream("window");
  Patch patch = draw.label ? window_with(*block, side, *draw.label, draw.rank, random)
                           : random_window(*block, side, random);
  if (side != options.chip_px) patch = resized(patch, options.chip_px);
  if (augmented && options.swap_dates && stream("dates").chance(0.5)) swap_halves(patch);
  if (augmented && options.augment) {
    augment(patch, options.normalisation.method == geo::NormaliseMethod::kMinMax, random);
  }
  return patch;
}

std::shared_ptr<const std::vector<std::size_t>> TrainingData::Impl::order_of(std::int64_t epoch) const {
  const std::scoped_lock lock(m_order_mutex);
  if (m_order && m_order_epoch == epoch) return m_order;
  std::vector<std::size_t> order(train_windows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  geo::Random random(options.seed, geo::stable_hash(concat("order ", epoch)));
  random.shuffle(order);
  m_order = std::make_shared<const std::vector<std::size_t>>(std::move(order));
  m_order_epoch = epoch;
  return m_order;
}

namespace {

/// Takes the scenes that failed out of the list.
/// @throws what a scene threw, when it is to be thrown or no scene is left
void leave_out(const SceneFailures& failures, BadScene bad_scene, std::vector<TrainingScene>& scenes,
               std::vector<LeftOutScene>& left_out) {
  std::vector<TrainingScene> good;
  for (std::size_t i = 0; i < failures.scenes(); ++i) {
    const std::exception_ptr error = failures.error_of(i);
    if (!error) {
      good.push_back(std::move(scenes[i]));
      continue;
    }
    if (bad_scene == BadScene::kError || (failures.scenes() == 1 && left_out.empty()))
      std::rethrow_exception(error);
    try {
      std::rethrow_exception(error);
    } catch (const geo::Error& e) {
      geo::log_warning(concat("left out: ", e.what()));
      left_out.push_back({scenes[i].image, e.what()});
    }
  }
  scenes = std::move(good);
  if (!scenes.empty()) return;
  throw geo::IoError(concat("none of the ", left_out.size(),
                            " images with labels can be used; the first: ", left_out.front().reason));
}

}  // namespace

TrainingData::TrainingData(std::vector<TrainingScene> scenes, const TrainingDataOptions& options,
                           geo::ExecContext& exec) {
  check_options(options);
  if (scenes.empty()) throw geo::InvalidArgument("training needs at least one image with labels");
  // Starting again without a bad scene makes the result that of the others alone.
  while (!m_impl) {
    auto attempt = std::make_unique<Impl>(options, scenes, exec.threads());
    SceneFailures failures(scenes.size());
    attempt->prepare(failures, exec);
    if (failures.any()) {
      leave_out(failures, options.bad_scene, scenes, m_left_out);
    } else {
      m_impl = std::move(attempt);
    }
  }
}

TrainingData::~TrainingData() = default;
TrainingData::TrainingData(TrainingData&&) noexcept = default;

int TrainingData::bands() const noexcept {
  return m_impl->bands();
}
const std::vector<std::string>& TrainingData::band_names() const noexcept {
  return m_impl->band_names;
}
double TrainingData::pixel_size_m() const noexcept {
  return m_impl->pixel_size_m;
}
const geo::Normalisation& TrainingData::normalisation() const noexcept {
  return m_impl->options.normalisation;
}
const TrainingDataOptions& TrainingData::options() const noexcept {
  return m_impl->options;
}
const std::vector<TrainingScene>& TrainingData::scenes() const noexcept {
  return m_impl->sources;
}
const TrainingDataSummary& TrainingData::summary() const noexcept {
  return m_impl->summary;
}
const std::vector<LeftOutScene>& TrainingData::left_out() const noexcept {
  return m_left_out;
}
const std::vector<std::string>& TrainingData::labellers() const noexcept {
  return m_impl->labellers;
}
std::int64_t TrainingData::train_pixels() const noexcept {
  const std::vector<Block>& blocks = m_impl->train;
  return blocks.empty() ? 0 : blocks.back().first_pixel + blocks.back().window.pixels();
}

std::int64_t TrainingData::train_batches(std::int64_t batch_size) const {
  return (m_impl->summary.train_chips + batch_size - 1) / batch_size;
}

std::int64_t TrainingData::val_batches(std::int64_t batch_size) const {
  return (m_impl->summary.val_chips + batch_size - 1) / batch_size;
}

namespace {

/// Fills a batch with `count` patches that `make(i)` gives.
template <class Make>
Batch fill_batch(std::size_t count, int bands, std::int64_t chip, bool soft, bool numbered,
                 const Make& make) {
  const auto area = static_cast<std::size_t>(chip * chip);
  const std::size_t volume = area * static_cast<std::size_t>(bands);
  Batch batch;
  batch.count = static_cast<std::int64_t>(count);
  batch.pixels.resize(count * volume);
  batch.labels.resize(count * area);
  batch.weights.resize(count * area);
  if (numbered) batch.pixel_numbers.resize(count * area);
  if (soft) batch.targets.resize(count * area * kSoftClasses);
  tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
    const std::shared_ptr<const Patch> patch = make(i);
    const auto put = [](const auto& from, auto& to, std::size_t at) {
      std::copy(from.begin(), from.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(patch->pixels.data(), batch.pixels, i * volume);
    put(patch->labels.data(), batch.labels, i * area);
    put(patch->weights.data(), batch.weights, i * area);
    for (int c = 0; c < patch->targets.bands(); ++c) {
      const auto from = patch->targets.band(c);
      float* to = batch.targets.data() + i * area * kSoftClasses + c;
      for (std::size_t p = 0; p < area; ++p) to[p * kSoftClasses] = from[p];
    }
    if (!batch.pixel_numbers.empty()) put(patch->numbers.data(), batch.pixel_numbers, i * area);
  });
  return batch;
}

}  // namespace

Batch TrainingData::Impl::train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size,
                                      bool augmented) const {
  const auto order = order_of(epoch);
  const auto first = static_cast<std::size_t>(index * batch_size);
  if (first >= order->size()) throw geo::InvalidArgument(concat("there is no training batch ", index));
  const std::size_t count = std::min(static_cast<std::size_t>(batch_size), order->size() - first);
  std::vector<Draw> draws;
  for (std::size_t i = 0; i < count; ++i) draws.push_back(draw((*order)[first + i], epoch));
  Batch batch = fill_batch(
      count, bands(), options.chip_px, uses_soft_targets(options.risk.mode), options.number_pixels,
      [&](std::size_t i) {
        return std::make_shared<const Patch>(train_window(draws[i], (*order)[first + i], epoch, augmented));
      });
  for (const Draw& drawn : draws) {
    batch.blocks.push_back(static_cast<std::int64_t>(drawn.block));
    batch.images.push_back(static_cast<std::int64_t>(train[drawn.block].image));
    batch.labellers.push_back(labeller_of[train[drawn.block].scene]);
  }
  return batch;
}

Batch TrainingData::train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size) const {
  return m_impl->train_batch(epoch, index, batch_size, true);
}

Batch TrainingData::plain_train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size) const {
  return m_impl->train_batch(epoch, index, batch_size, false);
}

Batch TrainingData::val_batch(std::int64_t index, std::int64_t batch_size) const {
  const auto first = static_cast<std::size_t>(index * batch_size);
  if (first >= m_impl->val_windows.size())
    throw geo::InvalidArgument(concat("there is no validation batch ", index));
  const std::size_t count =
      std::min(static_cast<std::size_t>(batch_size), m_impl->val_windows.size() - first);
  Batch batch = fill_batch(count, bands(), m_impl->options.chip_px,
                           uses_soft_targets(m_impl->options.risk.mode), false, [&](std::size_t i) {
                             const std::size_t item = first + i;
                             return m_impl->val_cache[item]
                                        ? m_impl->val_cache[item]
                                        : std::make_shared<const Patch>(m_impl->load_val_window(item));
                           });
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t block = m_impl->val_windows[first + i].block;
    batch.blocks.push_back(static_cast<std::int64_t>(block));
    batch.images.push_back(static_cast<std::int64_t>(m_impl->val[block].image));
    batch.labellers.push_back(m_impl->labeller_of[m_impl->val[block].scene]);
  }
  return batch;
}

}  // namespace furrow::segmentation
