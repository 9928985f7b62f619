#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/raster/raster.h>

namespace furrow::segmentation {

/// Makes what one thread wrote visible to the next that works on the same object. The pipeline does so
/// anyway, but inside the TBB library, where a thread sanitizer cannot see it.
using Turn = std::atomic<int>;

/// Receives what the thread before left, and leaves it to the next at the end of the scope.
class Held {
 public:
  explicit Held(Turn& turn) : m_turn(turn) { (void)turn.load(std::memory_order_acquire); }
  ~Held() { m_turn.store(1, std::memory_order_release); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  Turn& m_turn;
};

/// One tile on its way through the pipeline. Only one stage at a time holds it. The memory of its rasters
/// serves the next tile in its place.
struct TileJob {
  Turn turn = 0;
  geo::Window core;
  geo::Window input;                      ///< seen by the network
  geo::Window wanted;                     ///< of `share`: scored, holds all valid pixels
  geo::Window share;                      ///< contributed to
  geo::Window final;                      ///< written when this tile is blended
  geo::Raster<float> pixels;              ///< [bands, input]
  geo::Raster<std::uint8_t> input_valid;  ///< [1, what of the input lies in the image]
  geo::Raster<std::uint8_t> valid;        ///< [1, share]
  geo::Raster<float> scores;              ///< [channels, share]
  geo::Raster<std::uint8_t> bytes;        ///< [classes, final]
  geo::Raster<std::uint8_t> quality;      ///< [layers, final]; empty without layers
  bool empty = false;                     ///< no valid pixel in its share
};

/// `window` as seen from the first pixel of `frame`.
[[nodiscard]] inline geo::Window within(const geo::Window& window, const geo::Window& frame) {
  return {window.col - frame.col, window.row - frame.row, window.width, window.height};
}

/// Some bands of a raster.
[[nodiscard]] inline geo::Raster<std::uint8_t> bands_of(const geo::Raster<std::uint8_t>& stack, int first,
                                                        int count) {
  geo::Raster<std::uint8_t> part(stack.width(), stack.height(), count);
  for (int b = 0; b < count; ++b) std::ranges::copy(stack.band(first + b), part.band(b).begin());
  return part;
}

}  // namespace furrow::segmentation
