#include <furrow/segmentation/training_data.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>

#include "augment.h"

namespace furrow::segmentation {
namespace {

using geo::concat;
using geo::quoted;
using geo::Window;

constexpr int kClasses = 3;

/// A raster that lies on the pixel grid of an image, perhaps over a part of it.
struct Overlay {
  std::unique_ptr<geo::RasterReader> reader;
  std::int64_t col = 0;  ///< of its first pixel in the image
  std::int64_t row = 0;
  bool all_valid = false;  ///< its nodata value is to be taken as a value
};

struct Scene {
  std::unique_ptr<geo::RasterReader> image;
  Overlay labels;
  std::optional<Overlay> risk;
  std::optional<Overlay> posterior;
  std::vector<geo::BandStatistics> statistics;
  Window labelled;               ///< part of the image that the label raster covers
  std::size_t image_number = 0;  ///< first scene with the same image: labels of several people share blocks
  std::int32_t labeller = -1;
};

struct Block {
  std::size_t scene = 0;
  std::int64_t key_col = 0;
  std::int64_t key_row = 0;
  Window window;
  std::int64_t labelled_px = 0;
  std::int64_t first_pixel = 0;  ///< number of its first pixel among those of all training blocks
};

/// A window that the network sees: `window` is read, labels count inside `own` only.
struct ValWindow {
  std::size_t block = 0;
  Window window;
  Window own;
};

[[noreturn]] void misaligned(const std::string& what, const geo::RasterReader& overlay,
                             const geo::RasterReader& image, const std::string& why) {
  throw geo::IoError(concat(what, " ", quoted(overlay.path()), " is not on the pixel grid of image ",
                            quoted(image.path()), ": ", why, "; make it with `furrow ",
                            what == "labels" ? "rasterize" : "consensus", " --grid` on that image"));
}

/// Finds where the overlay lies in the image.
/// @throws geo::CrsError, geo::IoError
Overlay check_aligned(const std::string& what, std::unique_ptr<geo::RasterReader> overlay,
                      const geo::RasterReader& image) {
  constexpr double kTolerancePx = 0.01;
  const geo::Grid& inner = overlay->grid();
  const geo::Grid& outer = image.grid();
  if (!inner.crs.empty() && !inner.crs.same_as(outer.crs)) {
    throw geo::CrsError(concat(what, " ", quoted(overlay->path()), " has CRS ", inner.crs.name(),
                               " but image ", quoted(image.path()), " has ", outer.crs.name(),
                               "; make both in one CRS"));
  }
  const auto corner = [&](double col, double row) {
    return outer.transform.to_pixel(inner.transform.to_world({col, row}));
  };
  const auto width = static_cast<double>(inner.width);
  const auto height = static_cast<double>(inner.height);
  const geo::Point first = corner(0.0, 0.0);
  const geo::Point start{std::round(first.x), std::round(first.y)};
  const geo::Point right = corner(width, 0.0);
  const geo::Point below = corner(0.0, height);
  const auto differ = [](double a, double b) { return !(std::abs(a - b) <= kTolerancePx); };
  if (differ(right.x - first.x, width) || differ(right.y, first.y) || differ(below.y - first.y, height) ||
      differ(below.x, first.x)) {
    misaligned(what, *overlay, image,
               concat("pixel sizes or axes differ (", inner.transform.dx, " x ", inner.transform.dy,
                      " against ", outer.transform.dx, " x ", outer.transform.dy, ")"));
  }
  if (differ(first.x, start.x) || differ(first.y, start.y)) {
    misaligned(what, *overlay, image,
               concat("it is shifted by ", geo::fixed(first.x - start.x, 2), ", ",
                      geo::fixed(first.y - start.y, 2), " of a pixel"));
  }
  Overlay result{std::move(overlay), static_cast<std::int64_t>(start.x), static_cast<std::int64_t>(start.y),
                 false};
  const Window place{result.col, result.row, inner.width, inner.height};
  if (geo::intersection(place, outer.window()).empty()) {
    misaligned(what, *result.reader, image, "the two do not overlap");
  }
  return result;
}

/// Values of one band of an overlay over a window of the image; `fill` outside of it and where it holds no
/// data.
template <class T>
geo::Raster<T> read_overlay(const Overlay& overlay, const Window& window, T fill, int band = 0) {
  geo::Raster<T> result(window.width, window.height, 1, fill);
  const Window place{overlay.col, overlay.row, overlay.reader->grid().width, overlay.reader->grid().height};
  const Window common = geo::intersection(place, window);
  if (common.empty()) return result;
  const Window local{common.col - overlay.col, common.row - overlay.row, common.width, common.height};
  const geo::Raster<T> values = overlay.reader->read<T>(local, {&band, 1});
  const geo::Raster<std::uint8_t> valid = overlay.all_valid
                                              ? geo::Raster<std::uint8_t>(common.width, common.height, 1, 1)
                                              : overlay.reader->read_valid(local, {&band, 1});
  for (std::int64_t row = 0; row < common.height; ++row) {
    for (std::int64_t col = 0; col < common.width; ++col) {
      if (valid.at(col, row) == 0) continue;
      result.at(common.col - window.col + col, common.row - window.row + row) = values.at(col, row);
    }
  }
  return result;
}

/// Masks often declare 0 as nodata although it is the background class; ignoring it would leave fields only.
void settle_label_nodata(Overlay& labels, bool ignore_nodata) {
  const std::optional<double> nodata = labels.reader->band(0).nodata;
  if (ignore_nodata || !nodata || !(*nodata == 0.0 || *nodata == 1.0 || *nodata == 2.0)) return;
  labels.all_valid = true;
  geo::log_warning(
      concat("labels ", quoted(labels.reader->path()), " declare ", *nodata,
             " as nodata, which is a class; it is used as that class (--ignore-label-nodata ignores it)"));
}

/// Labels with unknown (3) and everything without data as 255.
/// @throws geo::IoError listing values that are no labels
geo::Raster<std::uint8_t> read_labels(const Overlay& overlay, const Window& window) {
  // Wide integers, so that an instance or value raster is not clamped into labels.
  const geo::Raster<std::int32_t> stored = read_overlay<std::int32_t>(overlay, window, geo::kIgnore);
  geo::Raster<std::uint8_t> labels(window.width, window.height);
  std::set<std::int32_t> wrong;
  for (std::size_t i = 0; i < stored.data().size(); ++i) {
    const std::int32_t value = stored.data()[i];
    const bool ignored = value == 3 || value == geo::kIgnore;
    if (!ignored && (value < 0 || value > 2) && wrong.size() < 10) wrong.insert(value);
    labels.data()[i] = ignored ? geo::kIgnore : static_cast<std::uint8_t>(value);
  }
  if (!wrong.empty()) {
    std::vector<std::string> texts;
    for (const std::int32_t value : wrong) texts.push_back(std::to_string(value));
    throw geo::IoError(concat("labels ", quoted(overlay.reader->path()),
                              " hold values that are no classes: ", geo::join(texts, ", "),
                              "; allowed are 0 background, 1 interior, 2 boundary, 3 or 255 ignore"));
  }
  return labels;
}

/// Numbers in 0..1 of one band, scale and offset applied; NaN where there is none.
/// @throws geo::IoError
geo::Raster<float> read_shares(const char* what, const Overlay& overlay, const Window& window, int band) {
  geo::Raster<float> shares =
      read_overlay<float>(overlay, window, std::numeric_limits<float>::quiet_NaN(), band);
  const geo::BandInfo& info = overlay.reader->band(band);
  for (float& value : shares.data()) {
    value = static_cast<float>(static_cast<double>(value) * info.scale + info.offset);
    if (value < -1e-6f || value > 1.0f + 1e-6f) {
      throw geo::IoError(concat(what, " ", quoted(overlay.reader->path()), " holds ", value, "; a ", what,
                                " lies in 0..1 (set the band's scale when it is stored as an integer)"));
    }
    value = std::isnan(value) ? value : std::clamp(value, 0.0f, 1.0f);
  }
  return shares;
}

/// The three probabilities of a pixel made to add up to 1; false where one is missing.
/// @throws geo::IoError when they do not, apart from the rounding of a stored one (1/100)
bool settle_probabilities(std::array<float, kClasses>& p, const geo::RasterReader& reader) {
  constexpr double kRounding = 0.02;
  const double sum = static_cast<double>(p[0]) + static_cast<double>(p[1]) + static_cast<double>(p[2]);
  if (std::isnan(sum)) return false;
  if (std::abs(sum - 1.0) > kRounding) {
    throw geo::IoError(concat("posterior ", quoted(reader.path()), " holds probabilities ", p[0], ", ", p[1],
                              ", ", p[2],
                              " of one pixel, which do not add up to 1; give the posterior of the "
                              "three classes, as consensus writes it"));
  }
  for (float& value : p) value = static_cast<float>(static_cast<double>(value) / sum);
  return true;
}

/// [3, rows, cols]: probabilities of background, interior and boundary, NaN in all three where one is
/// missing.
geo::Raster<float> read_posterior(const Overlay& overlay, const Window& window) {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  geo::Raster<float> result(window.width, window.height, kClasses);
  const bool binary = overlay.reader->bands() == 1;
  for (int band = 0; band < kClasses; ++band) {
    if (binary && band != 1) continue;
    const auto shares = read_shares("posterior", overlay, window, binary ? 0 : band);
    std::copy(shares.data().begin(), shares.data().end(), result.band(band).begin());
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(result.pixels()); ++i) {
    std::array<float, kClasses> p{result.band(0)[i], result.band(1)[i], result.band(2)[i]};
    if (binary) p[0] = 1.0f - p[1];
    const bool known = settle_probabilities(p, *overlay.reader);
    for (int c = 0; c < kClasses; ++c) result.band(c)[i] = known ? p[static_cast<std::size_t>(c)] : kNone;
  }
  return result;
}

/// 1 - the largest probability; NaN where there is none.
geo::Raster<float> risk_of_posterior(const geo::Raster<float>& posterior) {
  geo::Raster<float> risk(posterior.width(), posterior.height());
  for (std::size_t i = 0; i < risk.data().size(); ++i) {
    risk.data()[i] = 1.0f - std::max({posterior.band(0)[i], posterior.band(1)[i], posterior.band(2)[i]});
  }
  return risk;
}

/// Ignores labels outside `own`, and those without image or wanted posterior; counts what is missing.
void ignore_unusable(Patch& piece, const geo::Raster<float>& risk, const Window& inside, const Window& own) {
  for (std::int64_t row = 0; row < inside.height; ++row) {
    for (std::int64_t col = 0; col < inside.width; ++col) {
      const Window here{inside.col + col, inside.row + row, 1, 1};
      std::uint8_t& label = piece.labels.at(col, row);
      if (geo::intersection(here, own).empty()) label = geo::kIgnore;
      if (label == geo::kIgnore) continue;
      if (piece.valid.at(col, row) == 0) {
        label = geo::kIgnore;
        ++piece.labelled_without_image;
      } else if (!piece.targets.empty() && std::isnan(piece.targets.at(col, row))) {
        label = geo::kIgnore;
        ++piece.labelled_without_posterior;
      } else if (!risk.empty() && std::isnan(risk.at(col, row))) {
        ++piece.labelled_without_risk;
      }
    }
  }
}

/// Clears soft targets of ignored pixels; counts labels that are not the likeliest class of their posterior.
void settle_targets(Patch& piece) {
  if (piece.targets.empty()) return;
  for (std::size_t i = 0; i < piece.labels.data().size(); ++i) {
    const std::uint8_t label = piece.labels.data()[i];
    float largest = 0.0f;
    for (int c = 0; c < kClasses; ++c) {
      float& p = piece.targets.band(c)[i];
      if (label == geo::kIgnore) p = 0.0f;
      largest = std::max(largest, p);
    }
    if (label != geo::kIgnore && piece.targets.band(label)[i] < largest) ++piece.labelled_against_posterior;
  }
}

/// The smallest window that holds both.
Window around_both(const Window& a, const Window& b) {
  const std::int64_t col = std::min(a.col, b.col);
  const std::int64_t row = std::min(a.row, b.row);
  return {col, row, std::max(a.col + a.width, b.col + b.width) - col,
          std::max(a.row + a.height, b.row + b.height) - row};
}

/// Boundaries that cut `length` into equal parts of about `target`.
std::vector<std::int64_t> cuts(std::int64_t start, std::int64_t length, std::int64_t target) {
  const std::int64_t parts = std::max<std::int64_t>(1, (length + target / 2) / target);
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i <= parts; ++i) result.push_back(start + i * length / parts);
  return result;
}

std::uint64_t block_hash(const Block& block, std::size_t image, std::uint64_t seed) {
  return geo::stable_hash(concat("block ", image, " ", block.key_col, " ", block.key_row), seed);
}

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
  check_risk_options(options.risk);
}

/// Checksum of what the network sees of a patch.
std::string checksum(const Patch& patch) {
  geo::Sha256 hash;
  const auto add = [&hash](const auto& values) {
    hash.update({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])});
  };
  add(patch.pixels.data());
  add(patch.labels.data());
  add(patch.weights.data());
  if (!patch.targets.empty()) add(patch.targets.data());
  return hash.hex_digest();
}

std::string band_name(const geo::RasterReader& reader, int band) {
  const std::string& given = reader.band(band).description;
  return given.empty() ? concat("band ", band + 1) : given;
}

}  // namespace

struct TrainingData::Impl {
  TrainingDataOptions options;
  std::vector<TrainingScene> sources;
  std::vector<Scene> scenes;
  std::vector<std::string> band_names;
  std::vector<std::string> labellers;
  double pixel_size_m = 0.0;
  TrainingDataSummary summary;
  std::vector<Block> train;
  std::vector<Block> val;
  std::vector<std::size_t> train_windows;  ///< block of each training window of an epoch
  std::vector<ValWindow> val_windows;
  std::vector<std::shared_ptr<const Patch>> train_cache;  ///< one per training block, or empty
  std::vector<std::shared_ptr<const Patch>> val_cache;    ///< one per validation window, or empty

  [[nodiscard]] int bands() const { return scenes.front().image->bands(); }

  void open(geo::ExecContext& exec);
  void open_scene(const TrainingScene& source);
  template <class Open>
  void open_risk(const TrainingScene& source, Scene& scene, const Open& overlay) const;
  void check_same_kind(const Scene& scene) const;
  void find_statistics(geo::ExecContext& exec);
  [[nodiscard]] std::vector<Block> find_blocks(std::int64_t block_px, geo::ExecContext& exec);
  void split(std::vector<Block> blocks);
  void make_windows();
  [[nodiscard]] Patch load(std::size_t scene, const Window& window, const Window& own) const;
  [[nodiscard]] Patch load_train_block(std::size_t index) const;
  void fill_cache(geo::ExecContext& exec);
  void count_pixels(const Patch& patch);
  [[nodiscard]] Patch train_window(std::size_t index, std::int64_t epoch, bool augmented) const;
  [[nodiscard]] Batch train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size,
                                  bool augmented) const;
};

void TrainingData::Impl::open_scene(const TrainingScene& source) {
  Scene scene;
  geo::RasterReadOptions image_options;
  image_options.override_crs = options.override_crs;
  image_options.crs_switch = options.crs_switch;
  scene.image = std::make_unique<geo::RasterReader>(source.image, image_options);
  if (!scenes.empty()) check_same_kind(scene);
  const auto overlay = [&scene](const char* what, const std::string& path) {
    geo::RasterReadOptions lenient;
    lenient.require_crs = false;
    return check_aligned(what, std::make_unique<geo::RasterReader>(path, lenient), *scene.image);
  };
  scene.labels = overlay("labels", source.labels);
  settle_label_nodata(scene.labels, options.ignore_label_nodata);
  open_risk(source, scene, overlay);
  const geo::Grid& labels = scene.labels.reader->grid();
  scene.labelled = geo::intersection({scene.labels.col, scene.labels.row, labels.width, labels.height},
                                     scene.image->grid().window());
  if (!source.labeller.empty()) {
    const auto known = std::ranges::find(labellers, source.labeller);
    scene.labeller = static_cast<std::int32_t>(known - labellers.begin());
    if (known == labellers.end()) labellers.push_back(source.labeller);
  }
  const auto same_image =
      std::ranges::find(sources, source.image, [](const TrainingScene& other) { return other.image; });
  scene.image_number = static_cast<std::size_t>(same_image - sources.begin());
  scenes.push_back(std::move(scene));
}

/// Opens what the risk mode needs: the risk is that of the risk raster, or without one that of the posterior.
template <class Open>
void TrainingData::Impl::open_risk(const TrainingScene& source, Scene& scene, const Open& overlay) const {
  const RiskMode mode = options.risk.mode;
  const bool from_posterior = uses_risk(mode) && source.risk.empty();
  if (uses_soft_targets(mode) || (from_posterior && !source.posterior.empty())) {
    if (source.posterior.empty()) {
      throw geo::InvalidArgument(concat("image ", quoted(source.image),
                                        " has no posterior raster, but soft targets are to be used"));
    }
    scene.posterior = overlay("posterior", source.posterior);
    const int bands = scene.posterior->reader->bands();
    if (bands != 1 && bands != kClasses) {
      throw geo::IoError(concat("posterior ", quoted(source.posterior), " has ", bands,
                                " bands; needed are 3 (background, interior, boundary) or 1 (P(field))"));
    }
  }
  if (uses_risk(mode) && !source.risk.empty()) scene.risk = overlay("risk", source.risk);
  if (from_posterior && !scene.posterior) {
    throw geo::InvalidArgument(
        concat("image ", quoted(source.image), " has no risk raster, but risk is to be used"));
  }
}

void TrainingData::Impl::check_same_kind(const Scene& scene) const {
  const geo::RasterReader& first = *scenes.front().image;
  if (scene.image->bands() != first.bands()) {
    throw geo::ModelError(concat("image ", quoted(scene.image->path()), " has ", scene.image->bands(),
                                 " bands, but ", quoted(first.path()), " has ", first.bands(),
                                 "; a model takes one kind of image"));
  }
  const double size = scene.image->grid().pixel_size_m().x;
  if (std::abs(size / pixel_size_m - 1.0) > 0.01) {
    throw geo::ModelError(concat("image ", quoted(scene.image->path()), " has pixels of ",
                                 geo::fixed(size, 3), " m, but ", quoted(first.path()), " of ",
                                 geo::fixed(pixel_size_m, 3), " m; resample them to one size"));
  }
}

/// Statistics of each scene, or one set for all.
void TrainingData::Impl::find_statistics(geo::ExecContext& exec) {
  geo::Normalisation& how = options.normalisation;
  if (how.method == geo::NormaliseMethod::kDivide) return;
  if (how.scope == geo::NormaliseScope::kScene) {
    for (Scene& scene : scenes) scene.statistics = geo::scene_statistics(*scene.image, {}, how, exec);
    return;
  }
  if (how.stored.empty()) {
    std::vector<const geo::RasterReader*> images;
    for (const Scene& scene : scenes) images.push_back(scene.image.get());
    how.stored = geo::scene_statistics(images, {}, how, exec);
  }
  const auto wanted = how.per_band ? band_names.size() : std::size_t{1};
  if (how.stored.size() != wanted) {
    throw geo::InvalidArgument(concat("the stored statistics are of ", how.stored.size(),
                                      " band(s), the images have ", wanted,
                                      "; compute them for these images"));
  }
  for (Scene& scene : scenes) scene.statistics = how.stored;
}

void TrainingData::Impl::open(geo::ExecContext& exec) {
  if (sources.empty()) throw geo::InvalidArgument("training needs at least one image with labels");
  for (const TrainingScene& source : sources) {
    open_scene(source);
    if (scenes.size() == 1) {
      const geo::RasterReader& image = *scenes.front().image;
      pixel_size_m = image.grid().pixel_size_m().x;
      for (int band = 0; band < image.bands(); ++band) band_names.push_back(band_name(image, band));
    }
  }
  find_statistics(exec);
}

/// Blocks of all scenes that hold labelled pixels.
std::vector<Block> TrainingData::Impl::find_blocks(std::int64_t block_px, geo::ExecContext& exec) {
  std::vector<Block> blocks;
  for (std::size_t s = 0; s < scenes.size(); ++s) {
    Window area = scenes[s].labelled;
    for (const Scene& other : scenes) {
      if (other.image_number == scenes[s].image_number) area = around_both(area, other.labelled);
    }
    const auto cols = cuts(area.col, area.width, block_px);
    const auto rows = cuts(area.row, area.height, block_px);
    for (std::size_t r = 0; r + 1 < rows.size(); ++r) {
      for (std::size_t c = 0; c + 1 < cols.size(); ++c) {
        blocks.push_back({s,
                          static_cast<std::int64_t>(c),
                          static_cast<std::int64_t>(r),
                          {cols[c], rows[r], cols[c + 1] - cols[c], rows[r + 1] - rows[r]},
                          0});
      }
    }
  }
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t i) {
    exec.check_cancelled();
    const auto labels = read_labels(scenes[blocks[i].scene].labels, blocks[i].window);
    blocks[i].labelled_px =
        labels.pixels() - std::count(labels.data().begin(), labels.data().end(), geo::kIgnore);
  });
  std::erase_if(blocks, [](const Block& block) { return block.labelled_px == 0; });
  return blocks;
}

void TrainingData::Impl::split(std::vector<Block> blocks) {
  const auto wanted =
      static_cast<std::size_t>(std::ceil(options.val_share * static_cast<double>(blocks.size())));
  if (wanted >= blocks.size()) {
    throw geo::InvalidArgument(concat("the labels cover only ", blocks.size(),
                                      " block(s), too few to keep some for validation; use smaller "
                                      "windows (--chip-px), more images, or --val-share 0"));
  }
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::uint64_t> hashes;
  for (const Block& block : blocks)
    hashes.push_back(block_hash(block, scenes[block.scene].image_number, options.seed));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return hashes[a] < hashes[b]; });
  // Labels of several people for one place go to the same part, so that no validation pixel is trained on.
  std::vector<bool> validates(blocks.size(), false);
  for (std::size_t i = 0; i < wanted || (wanted > 0 && hashes[order[i]] == hashes[order[wanted - 1]]); ++i) {
    if (i + 1 == blocks.size()) {
      throw geo::InvalidArgument(
          "the labels cover one place only, too few to keep some for validation; use smaller windows "
          "(--chip-px), more images, or --val-share 0");
    }
    validates[order[i]] = true;
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) (validates[i] ? val : train).push_back(blocks[i]);
  std::int64_t pixels = 0;
  for (Block& block : train) {
    block.first_pixel = pixels;
    pixels += block.window.pixels();
  }
}

/// The window of side `chip` around `own`, moved inside `image` where that is large enough.
Window around(const Window& own, std::int64_t chip, const Window& image) {
  const auto place = [chip](std::int64_t start, std::int64_t length, std::int64_t low, std::int64_t size) {
    const std::int64_t centred = start - (chip - length) / 2;
    return size <= chip ? low : std::clamp(centred, low, low + size - chip);
  };
  return {place(own.col, own.width, image.col, image.width),
          place(own.row, own.height, image.row, image.height), chip, chip};
}

void TrainingData::Impl::make_windows() {
  const std::int64_t chip = options.chip_px;
  const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  for (std::size_t b = 0; b < train.size(); ++b) {
    const Window& window = train[b].window;
    const std::int64_t count = std::max<std::int64_t>(1, (window.pixels() + chip * chip / 2) / (chip * chip));
    train_windows.insert(train_windows.end(), static_cast<std::size_t>(count), b);
  }
  for (std::size_t b = 0; b < val.size(); ++b) {
    const Window& window = val[b].window;
    const std::int64_t nx = ceil_div(window.width, chip);
    const std::int64_t ny = ceil_div(window.height, chip);
    for (std::int64_t y = 0; y < ny; ++y) {
      for (std::int64_t x = 0; x < nx; ++x) {
        const std::int64_t col = window.col + x * window.width / nx;
        const std::int64_t row = window.row + y * window.height / ny;
        const Window own{col, row, window.col + (x + 1) * window.width / nx - col,
                         window.row + (y + 1) * window.height / ny - row};
        val_windows.push_back({b, around(own, chip, scenes[val[b].scene].image->grid().window()), own});
      }
    }
  }
  summary.train_blocks = static_cast<std::int64_t>(train.size());
  summary.val_blocks = static_cast<std::int64_t>(val.size());
  summary.train_chips = static_cast<std::int64_t>(train_windows.size());
  summary.val_chips = static_cast<std::int64_t>(val_windows.size());
}

/// Reads a window of a scene as the network sees it; labels count inside `own` only. What lies outside the
/// image is padded with zeros and ignored.
Patch TrainingData::Impl::load(std::size_t index, const Window& window, const Window& own) const {
  const Scene& scene = scenes[index];
  const int target_classes = uses_soft_targets(options.risk.mode) ? kClasses : 0;
  const Window inside = geo::intersection(window, scene.image->grid().window());
  Patch piece;
  piece.pixels = scene.image->read<float>(inside);
  piece.valid = scene.image->read_valid(inside);
  geo::normalise(piece.pixels, options.normalisation, scene.statistics, piece.valid.data());
  piece.labels = read_labels(scene.labels, inside);
  geo::Raster<float> risk;
  if (scene.posterior) piece.targets = read_posterior(*scene.posterior, inside);
  if (scene.risk) {
    risk = read_shares("risk", *scene.risk, inside, 0);
  } else if (uses_risk(options.risk.mode)) {
    risk = risk_of_posterior(piece.targets);
  }
  if (target_classes == 0) piece.targets = {};
  ignore_unusable(piece, risk, inside, own);
  RiskOptions weighing = options.risk;
  if (scene.posterior && scene.posterior->reader->bands() == 1) weighing.classes = 2;
  piece.weights = geo::Raster<float>(inside.width, inside.height);
  piece.weights.data() = risk_weights(piece.labels.data(), risk.data(), weighing);
  settle_targets(piece);
  Patch patch(window.width, window.height, bands(), target_classes);
  patch.labelled_without_image = piece.labelled_without_image;
  patch.labelled_without_risk = piece.labelled_without_risk;
  patch.labelled_without_posterior = piece.labelled_without_posterior;
  patch.labelled_against_posterior = piece.labelled_against_posterior;
  patch.place(piece, inside.col - window.col, inside.row - window.row);
  return patch;
}

Patch TrainingData::Impl::load_train_block(std::size_t index) const {
  const Block& block = train[index];
  Patch patch = load(block.scene, block.window, block.window);
  if (options.number_pixels) {
    patch.numbers = geo::Raster<std::int64_t>(block.window.width, block.window.height);
    std::iota(patch.numbers.data().begin(), patch.numbers.data().end(), block.first_pixel);
  }
  return patch;
}

void TrainingData::Impl::count_pixels(const Patch& patch) {
  for (const std::uint8_t label : patch.labels.data()) {
    if (label < summary.labelled_px.size()) ++summary.labelled_px[label];
  }
  summary.labelled_without_image_px += patch.labelled_without_image;
  summary.labelled_without_risk_px += patch.labelled_without_risk;
  summary.labelled_without_posterior_px += patch.labelled_without_posterior;
  summary.labelled_against_posterior_px += patch.labelled_against_posterior;
}

/// Reads every block once, for the counts, the checksum, and for memory if it is large enough.
void TrainingData::Impl::fill_cache(geo::ExecContext& exec) {
  const std::size_t floats =
      static_cast<std::size_t>(bands()) + 1 + (uses_soft_targets(options.risk.mode) ? kClasses : 0);
  const std::size_t per_pixel =
      floats * sizeof(float) + 2 + (options.number_pixels ? sizeof(std::int64_t) : 0);
  std::size_t needed = 0;
  for (const Block& block : train) needed += static_cast<std::size_t>(block.window.pixels()) * per_pixel;
  for (const ValWindow& window : val_windows)
    needed += static_cast<std::size_t>(window.window.pixels()) * per_pixel;
  summary.cached = needed <= exec.memory_bytes() / 2;
  if (!summary.cached) {
    geo::log_warning(
        concat("the labelled area needs ", geo::human_bytes(static_cast<double>(needed)),
               " in memory, more than half of the budget; windows are read from the files again in every "
               "epoch, which is slower (--memory raises the budget)"));
  }
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
      if (item < train.size()) {
        group[i] = std::make_shared<Patch>(load_train_block(item));
      } else {
        const ValWindow& window = val_windows[item - train.size()];
        group[i] = std::make_shared<Patch>(load(val[window.block].scene, window.window, window.own));
      }
      checksums[i] = checksum(*group[i]);
      progress.advance();
    });
    for (std::size_t i = 0; i < group.size(); ++i) {
      all.update(checksums[i]);
      count_pixels(*group[i]);
      if (!summary.cached) continue;
      const std::size_t item = start + i;
      (item < train.size() ? train_cache[item] : val_cache[item - train.size()]) = group[i];
    }
  }
  summary.sha256 = all.hex_digest();
}

/// A random window of a training block.
Patch TrainingData::Impl::train_window(std::size_t index, std::int64_t epoch, bool augmented) const {
  const std::size_t b = train_windows[index];
  const std::shared_ptr<const Patch> block =
      train_cache[b] ? train_cache[b] : std::make_shared<Patch>(load_train_block(b));
  geo::Random random(options.seed, geo::stable_hash(concat("window ", epoch, " ", index)));
  Patch patch = random_window(*block, options.chip_px, random);
  if (augmented && options.augment) {
    augment(patch, options.normalisation.method == geo::NormaliseMethod::kMinMax, random);
  }
  return patch;
}

TrainingData::TrainingData(std::vector<TrainingScene> scenes, const TrainingDataOptions& options,
                           geo::ExecContext& exec)
    : m_impl(std::make_unique<Impl>()) {
  check_options(options);
  m_impl->options = options;
  m_impl->sources = std::move(scenes);
  m_impl->open(exec);
  constexpr std::size_t kFewBlocks = 5;
  const std::int64_t block_px = options.block_px != 0 ? options.block_px : 2 * options.chip_px;
  std::vector<Block> blocks = m_impl->find_blocks(block_px, exec);
  if (options.block_px == 0 && blocks.size() < kFewBlocks)
    blocks = m_impl->find_blocks(options.chip_px, exec);
  if (blocks.empty()) {
    throw geo::IoError(concat("no labelled pixel in ",
                              m_impl->sources.size() == 1 ? "" : "any of the label rasters, first ",
                              quoted(m_impl->sources.front().labels), ": every pixel is 3, 255 or nodata"));
  }
  m_impl->split(std::move(blocks));
  m_impl->make_windows();
  m_impl->fill_cache(exec);
  const auto& labelled = m_impl->summary.labelled_px;
  if (labelled[0] + labelled[1] + labelled[2] == 0) {
    throw geo::IoError(
        concat("no pixel is left to train on: where ", quoted(m_impl->sources.front().labels),
               " holds labels, the image or the posterior has no data or the risk is above the threshold"));
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
  if (soft) batch.targets.resize(count * area * kClasses);
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
      float* to = batch.targets.data() + i * area * kClasses + c;
      for (std::size_t p = 0; p < area; ++p) to[p * kClasses] = from[p];
    }
    if (!batch.pixel_numbers.empty()) put(patch->numbers.data(), batch.pixel_numbers, i * area);
  });
  return batch;
}

}  // namespace

Batch TrainingData::Impl::train_batch(std::int64_t epoch, std::int64_t index, std::int64_t batch_size,
                                      bool augmented) const {
  std::vector<std::size_t> order(train_windows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  geo::Random random(options.seed, geo::stable_hash(concat("order ", epoch)));
  random.shuffle(order);
  const auto first = static_cast<std::size_t>(index * batch_size);
  if (first >= order.size()) throw geo::InvalidArgument(concat("there is no training batch ", index));
  const std::size_t count = std::min(static_cast<std::size_t>(batch_size), order.size() - first);
  Batch batch =
      fill_batch(count, bands(), options.chip_px, uses_soft_targets(options.risk.mode), options.number_pixels,
                 [&](std::size_t i) {
                   return std::make_shared<const Patch>(train_window(order[first + i], epoch, augmented));
                 });
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t block = train_windows[order[first + i]];
    batch.blocks.push_back(static_cast<std::int64_t>(block));
    batch.labellers.push_back(scenes[train[block].scene].labeller);
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
                             if (m_impl->val_cache[item]) return m_impl->val_cache[item];
                             const ValWindow& window = m_impl->val_windows[item];
                             return std::make_shared<const Patch>(
                                 m_impl->load(m_impl->val[window.block].scene, window.window, window.own));
                           });
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t block = m_impl->val_windows[first + i].block;
    batch.blocks.push_back(static_cast<std::int64_t>(block));
    batch.labellers.push_back(m_impl->scenes[m_impl->val[block].scene].labeller);
  }
  return batch;
}

}  // namespace furrow::segmentation
