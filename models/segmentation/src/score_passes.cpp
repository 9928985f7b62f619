#include <furrow/segmentation/score_passes.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "augment.h"

namespace furrow::segmentation {
namespace {

using geo::Raster;
using geo::Window;

constexpr int kTurns = 8;

/// Where a window of a raster lies once the raster is turned.
Window turned_window(const Window& window, std::int64_t width, std::int64_t height, int turn) {
  const std::int64_t col = turn >= 4 ? width - window.end_col() : window.col;
  switch (turn % 4) {
    case 0:
      return {col, window.row, window.width, window.height};
    case 1:
      return {height - window.end_row(), col, window.height, window.width};
    case 2:
      return {width - col - window.width, height - window.end_row(), window.width, window.height};
    default:
      return {window.row, width - col - window.width, window.height, window.width};
  }
}

Raster<float> raster_of(std::span<const float> values, std::int64_t width, std::int64_t height, int bands) {
  Raster<float> raster(width, height, bands);
  std::ranges::copy(values, raster.data().begin());
  return raster;
}

/// One image, turned, scored and turned back.
void score_turned(const PartScoreFunction& score, int turn, const Raster<float>& image, const Window& part,
                  std::span<float> output) {
  const Raster<float> seen = turned(image, turn);
  const Window wanted = turned_window(part, image.width(), image.height(), turn);
  const auto classes = static_cast<int>(static_cast<std::int64_t>(output.size()) / part.pixels());
  Raster<float> scores(wanted.width, wanted.height, classes);
  score(seen.data(), 1, seen.bands(), seen.height(), seen.width(), wanted, scores.data());
  std::ranges::copy(turned(scores, undone_turn(turn)).data(), output.begin());
}

PartScoreFunction turned_pass(PartScoreFunction score, int turn) {
  return [score = std::move(score), turn](std::span<const float> input, std::int64_t n, std::int64_t bands,
                                          std::int64_t height, std::int64_t width, const Window& part,
                                          std::span<float> output) {
    const std::size_t image = input.size() / static_cast<std::size_t>(n);
    const std::size_t answer = output.size() / static_cast<std::size_t>(n);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const auto pixels = input.subspan(i * image, image);
      score_turned(score, turn, raster_of(pixels, width, height, static_cast<int>(bands)), part,
                   output.subspan(i * answer, answer));
    }
  };
}

}  // namespace

std::vector<PartScoreFunction> turned_passes(PartScoreFunction score) {
  std::vector<PartScoreFunction> passes{score};
  for (int turn = 1; turn < kTurns; ++turn) passes.push_back(turned_pass(score, turn));
  return passes;
}

}  // namespace furrow::segmentation
