// Measures the whole of `predict` beside its limit, the network alone with all data in memory, taking turns
// in one run: what reading, normalising, blending, quantising, writing and the cloud-optimised GeoTIFF cost.
//
//   predict_beside_network <model folder> <image> [fp32|bf16] [threads = all] [turns = 3] [tile px = chosen]
//
// The network alone scores tiles of the same size with the same halo, as many as each thread has in the
// scene. Prints million pixels a second of both and their ratio for each turn, and the median ratio.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <oneapi/tbb/task_arena.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/segmentation/network.h>
#include <furrow/segmentation/predictor.h>

namespace {

namespace geo = furrow::geo;
namespace segmentation = furrow::segmentation;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// One tile in memory, scored again and again by every thread.
class NetworkAlone {
 public:
  NetworkAlone(const segmentation::ModelSpec& spec, segmentation::PartScoreFunction score,
               const segmentation::PredictReport& pipeline)
      : m_score(std::move(score)),
        m_core(pipeline.tile_px),
        m_halo(pipeline.halo_px),
        m_bands(static_cast<std::int64_t>(spec.bands.size())),
        m_classes(static_cast<std::int64_t>(spec.classes.size())) {
    const std::int64_t stride = std::max(1, spec.stride_px);
    m_side = (m_core + stride - 1) / stride * stride + 2 * m_halo;
    m_input.resize(static_cast<std::size_t>(m_bands * m_side * m_side));
    geo::Random random(1);
    for (float& value : m_input) value = static_cast<float>(random.uniform());
  }

  /// @return  million pixels of cores a second
  [[nodiscard]] double speed(int threads, int tiles) const {
    in_threads(threads, 1);
    const double seconds = seconds_of([&] { in_threads(threads, tiles); });
    return static_cast<double>(m_core * m_core) * threads * tiles / 1e6 / seconds;
  }

 private:
  void in_threads(int threads, int tiles) const {
    std::vector<std::jthread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([&] {
        std::vector<float> scores(static_cast<std::size_t>(m_classes * m_core * m_core));
        tbb::task_arena(1).execute([&] {  // none helps another
          for (int tile = 0; tile < tiles; ++tile)
            m_score(m_input, 1, m_bands, m_side, m_side, {m_halo, m_halo, m_core, m_core}, scores);
        });
      });
    }
  }

  segmentation::PartScoreFunction m_score;
  std::int64_t m_core;
  std::int64_t m_halo;
  std::int64_t m_bands;
  std::int64_t m_classes;
  std::int64_t m_side = 0;
  std::vector<float> m_input;
};

void measure(const std::string& image, const segmentation::TrainedNetwork& network,
             segmentation::Precision precision, const segmentation::PredictOptions& options, int turns,
             geo::ExecContext& exec) {
  const auto score = network.part_score_function(precision);
  const std::filesystem::path output =
      std::filesystem::temp_directory_path() / "furrow_predict_beside_network.tif";
  std::vector<double> ratios;
  for (int turn = 0; turn < turns; ++turn) {
    segmentation::PredictReport report;
    const double seconds = seconds_of([&] {
      exec.execute([&] {
        report = segmentation::predict_scene(image, output.string(), network.spec(), score, options, exec);
      });
    });
    const double pipeline = static_cast<double>(report.valid_pixels) / 1e6 / seconds;
    const auto tiles = static_cast<int>((report.tiles + exec.threads() - 1) / exec.threads());
    const double alone = NetworkAlone(network.spec(), score, report).speed(exec.threads(), tiles);
    ratios.push_back(pipeline / alone);
    std::cout << "tiles of " << report.tile_px << " px: pipeline " << geo::fixed(pipeline, 3)
              << " Mpx/s, network alone " << geo::fixed(alone, 3) << " Mpx/s, ratio "
              << geo::fixed(ratios.back(), 3) << std::endl;
  }
  std::filesystem::remove(output);
  std::ranges::sort(ratios);
  std::cout << "median ratio " << geo::fixed(ratios[ratios.size() / 2], 3) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr
        << "usage: predict_beside_network <model folder> <image> [fp32|bf16] [threads] [turns] [tile px]\n";
    return 2;
  }
  const auto number = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };
  const bool bf16 = argc > 3 && std::string(argv[3]) == "bf16";
  geo::ExecContext exec({number(4, 0), 0});
  segmentation::PredictOptions options;
  options.overwrite = true;
  if (const int tile_px = number(6, 0); tile_px > 0) options.tile_px = tile_px;
  const segmentation::TrainedNetwork network(argv[1]);
  measure(argv[2], network, bf16 ? segmentation::Precision::kBf16 : segmentation::Precision::kFp32, options,
          number(5, 3), exec);
}
