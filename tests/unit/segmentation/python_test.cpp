#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/text.h>
#include <furrow/segmentation/network.h>
#include <furrow/segmentation/trainer.h>

#include "training_scene.h"

namespace furrow::segmentation {
namespace {

using geo::concat;
using test::TemporaryFolder;

/// python3, or the interpreter that FURROW_PYTHON names.
std::string python() {
  const char* chosen = std::getenv("FURROW_PYTHON");
  return chosen == nullptr ? "python3" : chosen;
}

std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

/// Scores of the pixels 0, 0.01, ..., 0.99, 0, ... by both ways of docs/guide/load_model.py, one after the
/// other.
std::vector<float> scores_of_python(const TemporaryFolder& folder, std::size_t pixels) {
  const std::string script =
      concat("import sys; sys.path.insert(0, '", FURROW_TEST_SOURCE_DIR, "/docs/guide')\n",
             "import array, torch, load_model as l\n", "m = '", (folder / "model").string(), "'\n",
             "x = (torch.arange(", pixels, ") % 100).float().mul(0.01).reshape(1, 2, 32, 32)\n",
             "with open('", (folder / "scores").string(), "', 'wb') as f:\n",
             "    for network in l.load_torchscript(m), l.load_unet(m):\n",
             "        array.array('f', l.scores(network, m, x).flatten().tolist()).tofile(f)\n");
  std::ofstream((folder / "run.py").string()) << script;
  const std::string command =
      concat("PYTHONDONTWRITEBYTECODE=1 ", python(), " -W ignore '", (folder / "run.py").string(), "'");
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return read_floats((folder / "scores").string());
}

TEST(Python, TheGuidesScriptGivesTheSameScores) {
  if (std::system((python() + " -c 'import torch' > /dev/null 2>&1").c_str()) != 0) {
    GTEST_SKIP() << python()
                 << " has no module torch; install python3-torch or set FURROW_PYTHON to run this test";
  }
  const TemporaryFolder folder;
  TrainingDataOptions data_options;
  data_options.chip_px = 32;
  TrainOptions options;
  options.base_width = 4;
  options.levels = 3;
  options.epochs = 2;
  options.batch_size = 4;
  geo::ExecContext exec({2, 0});
  const TrainingData data({testing_scene::write_scene(folder, 128, 96)}, data_options, exec);
  train_model(data, options, folder / "model", exec);

  std::vector<float> pixels(2 * 32 * 32);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = 0.01f * static_cast<float>(i % 100);
  std::vector<float> expected(3 * 32 * 32);
  TrainedNetwork(folder / "model").score_function()(pixels, 1, 2, 32, 32, expected);
  const std::vector<float> found = scores_of_python(folder, pixels.size());
  ASSERT_EQ(found.size(), 2 * expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i % expected.size()], 1e-5) << i;
}

}  // namespace
}  // namespace furrow::segmentation
