#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <furrow/geo/raster/raster.h>

namespace furrow::geo {

/// How far one image of a place lies off another one.
struct ImageShift {
  Point px;        ///< columns and rows by which content lies further right and down than in the reference
  Point error_px;  ///< standard error of both
  std::int64_t patches = 0;  ///< that agree

  [[nodiscard]] double length_px() const noexcept;
  /// Larger than three standard errors, and than 0.05 px, below which resampling costs more than it gains.
  [[nodiscard]] bool is_significant() const noexcept;
};

/// Two images of one place on one grid: all bands of both, and 1 where both are valid.
struct ImagePair {
  Raster<float> reference;
  Raster<float> other;
  Raster<std::uint8_t> valid;
};

/// Estimates a constant shift between two images from several windows of them.
///
/// Method: gradient magnitudes (smoothed, sigma 1 px, summed over bands, so that seasons and sensors may
/// differ in brightness and sign) are cut into square patches of 64 px (32 where images are small). In each
/// patch the whole-pixel shift with the highest normalised cross-correlation is refined by least squares on
/// shift, gain and offset (Gauss-Newton; Lucas and Kanade 1981). Patches with a correlation below 0.3, at the
/// end of the search range or with invalid pixels do not count; the mean of those near the median does (3
/// robust standard deviations).
/// @param largest_px  search range, 1 to 16 pixels in each direction
/// @return nullopt when fewer than 3 patches agree
/// Accuracy: about 0.02 px on images of the same content. Parallel; the same result for any number of
/// threads.
[[nodiscard]] std::optional<ImageShift> estimate_shift(std::span<const ImagePair> windows,
                                                       int largest_px = 6);

}  // namespace furrow::geo
