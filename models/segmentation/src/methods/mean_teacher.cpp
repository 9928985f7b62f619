#include "mean_teacher.h"

#include <algorithm>
#include <cmath>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>

#include "augment.h"

namespace furrow::segmentation {

using geo::concat;
using geo::quoted;
using geo::Window;

struct UnlabelledImages::Impl {
  struct Image {
    std::unique_ptr<geo::RasterReader> reader;
    std::vector<geo::BandStatistics> statistics;
    std::int64_t pixels_up_to = 0;  ///< of all images up to this one
  };
  std::vector<Image> images;
  geo::Normalisation normalisation;
  std::int64_t side = 0;
  std::uint64_t seed = 0;

  void open(const std::string& path, const TrainingData& data, geo::ExecContext& exec);
  [[nodiscard]] Patch read(const Image& image, const Window& window) const;
  [[nodiscard]] Patch window(geo::Random& random) const;
};

void UnlabelledImages::Impl::open(const std::string& path, const TrainingData& data, geo::ExecContext& exec) {
  geo::RasterReadOptions options;
  options.override_crs = data.options().override_crs;
  options.crs_switch = data.options().crs_switch;
  Image image{std::make_unique<geo::RasterReader>(path, options), {}, 0};
  const geo::RasterReader& reader = *image.reader;
  const double size = reader.grid().pixel_size_m().x;
  if (reader.bands() != data.bands() || std::abs(size / data.pixel_size_m() - 1.0) > 0.01) {
    throw geo::ModelError(concat("unlabelled image ", quoted(path), " has ", reader.bands(),
                                 " bands and pixels of ", geo::fixed(size, 3),
                                 " m, but the training images have ", data.bands(), " bands and ",
                                 geo::fixed(data.pixel_size_m(), 3), " m; give images of the same kind"));
  }
  if (normalisation.method != geo::NormaliseMethod::kDivide) {
    image.statistics = normalisation.scope == geo::NormaliseScope::kScene
                           ? geo::scene_statistics(reader, {}, normalisation, exec)
                           : normalisation.stored;
  }
  image.pixels_up_to = (images.empty() ? 0 : images.back().pixels_up_to) + reader.grid().window().pixels();
  images.push_back(std::move(image));
}

/// Pixels and which of them are valid; what lies outside the image is padded.
Patch UnlabelledImages::Impl::read(const Image& image, const Window& window) const {
  const Window inside = geo::intersection(window, image.reader->grid().window());
  Patch piece(inside.width, inside.height, image.reader->bands());
  piece.pixels = image.reader->read<float>(inside);
  piece.valid = image.reader->read_valid(inside);
  geo::normalise(piece.pixels, normalisation, image.statistics, piece.valid.data());
  Patch patch(window.width, window.height, image.reader->bands());
  patch.place(piece, 0, 0);
  return patch;
}

/// One window; the unchanged pixels are its soft targets, which move with it and are never changed.
Patch UnlabelledImages::Impl::window(geo::Random& random) const {
  constexpr int kTries = 8;
  Patch patch;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const auto pixel =
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(images.back().pixels_up_to)));
    const Image& image =
        *std::ranges::find_if(images, [pixel](const Image& one) { return pixel < one.pixels_up_to; });
    const auto start = [&](std::int64_t length) {
      const std::int64_t places = std::max<std::int64_t>(length - side, 0) + 1;
      return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(places)));
    };
    const std::int64_t col = start(image.reader->grid().width);
    const std::int64_t row = start(image.reader->grid().height);
    patch = read(image, {col, row, side, side});
    if (std::ranges::count(patch.valid.data(), std::uint8_t{1}) > 0) break;
  }
  patch.targets = patch.pixels;
  augment(patch, normalisation.method == geo::NormaliseMethod::kMinMax, random);
  return patch;
}

UnlabelledImages::UnlabelledImages(const std::vector<std::string>& images, const TrainingData& data,
                                   geo::ExecContext& exec)
    : m_impl(std::make_unique<Impl>()) {
  m_impl->normalisation = data.normalisation();
  m_impl->side = data.options().chip_px;
  m_impl->seed = data.options().seed;
  for (const std::string& image : images) m_impl->open(image, data, exec);
}

UnlabelledImages::~UnlabelledImages() = default;

UnlabelledWindows UnlabelledImages::windows(std::int64_t epoch, std::int64_t step, std::int64_t count) const {
  const std::int64_t bands = m_impl->images.front().reader->bands();
  const std::int64_t side = m_impl->side;
  UnlabelledWindows result{torch::empty({count, bands, side, side}), torch::empty({count, bands, side, side}),
                           torch::empty({count, 1, side, side})};
  float* plain = result.plain.data_ptr<float>();
  float* changed = result.changed.data_ptr<float>();
  float* valid = result.valid.data_ptr<float>();
  tbb::parallel_for(std::int64_t{0}, count, [&](std::int64_t i) {
    geo::Random random(m_impl->seed, geo::stable_hash(concat("unlabelled ", epoch, " ", step, " ", i)));
    const Patch patch = m_impl->window(random);
    std::ranges::copy(patch.targets.data(), plain + i * bands * side * side);
    std::ranges::copy(patch.pixels.data(), changed + i * bands * side * side);
    std::ranges::copy(patch.valid.data(), valid + i * side * side);
  });
  result.plain = result.plain.contiguous(torch::MemoryFormat::ChannelsLast);
  result.changed = result.changed.contiguous(torch::MemoryFormat::ChannelsLast);
  return result;
}

std::string UnlabelledImages::fingerprint() const {
  const torch::Tensor sample = windows(0, 0, 16).plain.contiguous();
  return geo::sha256_of(std::string(static_cast<const char*>(sample.data_ptr()), sample.nbytes()));
}

torch::Tensor consistency_loss(UNet& student, UNet& teacher, const UnlabelledWindows& windows) {
  const torch::Device device = student->parameters().front().device();
  torch::Tensor wanted;
  {
    const torch::NoGradGuard no_grad;
    teacher->eval();
    wanted = torch::softmax(teacher->forward(windows.plain.to(device)), 1);
  }
  const torch::Tensor found = torch::softmax(student->forward(windows.changed.to(device)), 1);
  const torch::Tensor valid = windows.valid.to(device);
  const torch::Tensor total = (valid.sum() * found.size(1)).clamp_min(1.0);
  return ((found - wanted).square() * valid).sum() / total;
}

double consistency_ramp(std::int64_t ramp_epochs, std::int64_t epoch) {
  const double x = std::min(1.0, static_cast<double>(epoch - 1) / static_cast<double>(ramp_epochs));
  return std::exp(-5.0 * (1.0 - x) * (1.0 - x));
}

}  // namespace furrow::segmentation
