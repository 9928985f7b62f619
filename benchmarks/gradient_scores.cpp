// A baseline without learning: how smooth the image is around each pixel, as an interior score.
//   gradient_scores IMAGE OUT.tif
// Score = 1 - g / g95, where g is the largest gradient magnitude of the bands after a Gaussian of one pixel
// and g95 its 95th percentile over the scene. Fields are smooth, so a threshold on it is the simplest field
// map there is.
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

namespace geo = furrow::geo;

namespace {

float at(const geo::Raster<float>& r, std::int64_t col, std::int64_t row, int band) {
  return r.at(std::clamp<std::int64_t>(col, 0, r.width() - 1),
              std::clamp<std::int64_t>(row, 0, r.height() - 1), band);
}

geo::Raster<float> smooth(const geo::Raster<float>& in) {
  constexpr std::array kWeights{0.0545F, 0.2442F, 0.4026F, 0.2442F, 0.0545F};
  geo::Raster<float> rows(in.width(), in.height(), in.bands());
  geo::Raster<float> out(in.width(), in.height(), in.bands());
  for (int pass = 0; pass < 2; ++pass) {
    const auto& from = pass == 0 ? in : rows;
    auto& to = pass == 0 ? rows : out;
    for (int b = 0; b < in.bands(); ++b) {
      for (std::int64_t row = 0; row < in.height(); ++row) {
        for (std::int64_t col = 0; col < in.width(); ++col) {
          float sum = 0.0F;
          for (int k = -2; k <= 2; ++k) {
            sum += kWeights[static_cast<std::size_t>(k + 2)] *
                   (pass == 0 ? at(from, col + k, row, b) : at(from, col, row + k, b));
          }
          to.at(col, row, b) = sum;
        }
      }
    }
  }
  return out;
}

geo::Raster<float> gradient(const geo::Raster<float>& image) {
  geo::Raster<float> g(image.width(), image.height());
  for (std::int64_t row = 0; row < image.height(); ++row) {
    for (std::int64_t col = 0; col < image.width(); ++col) {
      float most = 0.0F;
      for (int b = 0; b < image.bands(); ++b) {
        const float dx = at(image, col + 1, row, b) - at(image, col - 1, row, b);
        const float dy = at(image, col, row + 1, b) - at(image, col, row - 1, b);
        most = std::max(most, std::hypot(dx, dy));
      }
      g.at(col, row) = most;
    }
  }
  return g;
}

void run(const std::string& image_path, const std::string& out_path) {
  const geo::RasterReader reader(image_path);
  const auto valid = reader.read_valid(reader.grid().window());
  const auto g = gradient(smooth(reader.read<float>(reader.grid().window())));
  std::vector<float> sorted;
  for (std::size_t i = 0; i < g.data().size(); ++i) {
    if (valid.data()[i] != 0) sorted.push_back(g.data()[i]);
  }
  if (sorted.empty()) throw geo::InvalidArgument("the image has no valid pixel");
  std::ranges::sort(sorted);
  const float high =
      std::max(1e-6F, sorted[static_cast<std::size_t>(0.95 * static_cast<double>(sorted.size() - 1))]);
  geo::Raster<std::uint8_t> scores(g.width(), g.height());
  for (std::size_t i = 0; i < g.data().size(); ++i) {
    const float smoothness = 1.0F - std::min(1.0F, g.data()[i] / high);
    scores.data()[i] = valid.data()[i] == 0 ? std::uint8_t{255}
                                            : static_cast<std::uint8_t>(std::lround(200.0F * smoothness));
  }
  geo::RasterSpec spec;
  spec.nodata = 255;
  spec.scale = 0.005;
  spec.descriptions = {"interior"};
  geo::write_raster(out_path, reader.grid(), scores, spec, true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: gradient_scores IMAGE OUT.tif\n";
    return 2;
  }
  try {
    run(argv[1], argv[2]);
  } catch (const geo::Error& e) {
    std::cerr << "gradient_scores: " << e.what() << '\n';
    return static_cast<int>(e.exit_code());
  }
  return 0;
}
