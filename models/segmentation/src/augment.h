#pragma once

#include <cstdint>

#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/raster.h>

namespace furrow::segmentation {

/// A normalised piece of a scene with its labels and loss weights; all of one size.
struct Patch {
  geo::Raster<float> pixels;         ///< [bands, rows, cols]; 0 where invalid
  geo::Raster<std::uint8_t> valid;   ///< 1 = image data
  geo::Raster<std::uint8_t> labels;  ///< 255 = ignore
  geo::Raster<float> weights;
  geo::Raster<std::int64_t> numbers;  ///< of pixels, -1 = padding; empty = not wanted
  geo::Raster<float> targets;  ///< [classes, rows, cols] class probabilities, 0 where ignored; empty = none
  std::int64_t labelled_without_image = 0;
  std::int64_t labelled_without_risk = 0;
  std::int64_t labelled_without_posterior = 0;
  std::int64_t labelled_against_posterior = 0;

  Patch() = default;
  /// All invalid and ignored. `target_classes` 0 = no soft targets.
  Patch(std::int64_t width, std::int64_t height, int bands, int target_classes = 0);

  /// Copies a smaller piece to (col, row).
  void place(const Patch& piece, std::int64_t col, std::int64_t row);
};

/// A square of `side` pixels at a random place of `block`, with at least one labelled pixel unless eight
/// tries found none. Where the block is smaller it is padded with invalid, ignored pixels.
[[nodiscard]] Patch random_window(const Patch& block, std::int64_t side, geo::Random& random);

/// A square of `side` pixels that holds the `rank`-th pixel (row by row, from 0) with that label, each place
/// that does equally likely. The block must have that many; padded as random_window.
[[nodiscard]] Patch window_with(const Patch& block, std::int64_t side, std::uint8_t label, std::int64_t rank,
                                geo::Random& random);

/// A square patch stretched to `side` pixels. Labels, weights, soft targets, numbers and validity come from
/// the nearest pixel; image pixels are bilinear among valid ones, so that nothing mixes with missing data.
[[nodiscard]] Patch resized(const Patch& patch, std::int64_t side);

/// Exchanges the first half of the image bands with the second. Their number must be even.
void swap_halves(Patch& patch);

/// The patch turned by `turn` (0..7: four rotations by 90 degrees, then the same mirrored), exactly on the
/// pixel grid.
[[nodiscard]] Patch turned(const Patch& patch, int turn);

[[nodiscard]] geo::Raster<float> turned(const geo::Raster<float>& raster, int turn);

/// The turn that undoes another one: mirrored ones undo themselves.
[[nodiscard]] inline int undone_turn(int turn) {
  return turn < 4 ? (4 - turn) % 4 : turn;
}

/// Random turn, then, each with probability 1/2: gain x0.67..1.5, gamma 0.5..2 (only when `unit_range`:
/// pixels in 0..1, which they keep), Gaussian noise with sd up to 0.03. Invalid pixels stay 0. The patch must
/// be square.
void augment(Patch& patch, bool unit_range, geo::Random& random);

}  // namespace furrow::segmentation
