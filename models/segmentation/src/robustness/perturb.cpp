#include "perturb.h"

#include <array>
#include <cmath>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using Family = PerturbationFamily;
using geo::concat;

void scale_band(SceneWindow& window, int band, double factor) {
  for (float& v : window.pixels.band(band)) v = static_cast<float>(static_cast<double>(v) * factor);
}

/// Signal-to-noise ratio: variance of the band over variance of the noise.
void add_noise(SceneWindow& window, int band, double snr_db, const geo::BandStatistics& of) {
  const double sd = of.sd * std::pow(10.0, -snr_db / 20.0);
  const auto values = window.pixels.band(band);
  const auto noise = window.noise.band(band);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(static_cast<double>(values[i]) + sd * static_cast<double>(noise[i]));
  }
}

/// Where the map that brings a to a2 and b to b2 puts x. A single point only moves.
double carried(double x, double a, double b, double a2, double b2) {
  return a == b ? x + (a2 - a) : a2 + (x - a) * (b2 - a2) / (b - a);
}

/// Names of bands need not differ.
std::string band_text(int band, const ModelSpec& spec) {
  const std::string number = concat("band ", band + 1);
  const std::string& name = spec.bands[static_cast<std::size_t>(band)].name;
  return name.empty() || name == number ? number : concat(number, " (", name, ")");
}

void add_levels(std::vector<Perturbation>& list, Family family, std::span<const double> levels,
                int band = -1) {
  for (const double level : levels) list.push_back({family, level, band});
}

std::vector<double> shifts(int stride_px) {
  std::vector<double> levels;
  for (int shift = 1; shift < stride_px; shift *= 2) levels.push_back(shift);
  if (stride_px > 3) levels.push_back(stride_px - 1);
  if (levels.empty()) levels.push_back(1.0);
  return levels;
}

}  // namespace

const char* family_name(Family family) {
  constexpr std::array kNames{"translation", "turn",       "crop",       "brightness",  "band gain",
                              "noise",       "band noise", "pixel size", "missing band"};
  return kNames[static_cast<std::size_t>(family)];
}

std::string describe(const Perturbation& p, const ModelSpec& spec) {
  const std::string band = p.band < 0 ? "" : band_text(p.band, spec);
  const auto level = static_cast<int>(p.level);
  switch (p.family) {
    case Family::kTranslation:
      return concat("translation by ", level, " px");
    case Family::kTurn:
      return concat(level < 4 ? "turn by " : "mirrored, turn by ", level % 4 * 90, " degrees");
    case Family::kCrop: {
      constexpr std::array kCorners{"top left", "top right", "bottom left", "bottom right"};
      return concat("window in the ", kCorners[static_cast<std::size_t>(level)], " corner of a crop");
    }
    case Family::kBrightness:
      return concat("brightness x", p.level);
    case Family::kBandGain:
      return concat("gain x", p.level, " of ", band);
    case Family::kNoise:
      return concat("noise of ", p.level, " dB in all bands");
    case Family::kBandNoise:
      return concat("noise of ", p.level, " dB in ", band);
    case Family::kPixelSize:
      return concat("pixel size x", p.level);
    case Family::kMissingBand:
      return concat("missing ", band);
  }
  throw geo::InvalidArgument("unknown perturbation");
}

std::vector<Perturbation> standard_perturbations(const ModelSpec& spec) {
  std::vector<Perturbation> list;
  add_levels(list, Family::kTranslation, shifts(spec.stride_px));
  add_levels(list, Family::kTurn, std::array{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0});
  add_levels(list, Family::kCrop, std::array{0.0, 1.0, 2.0, 3.0});
  add_levels(list, Family::kBrightness, std::array{0.67, 0.8, 0.9, 1.1, 1.25, 1.5});
  const int bands = static_cast<int>(spec.bands.size());
  for (int b = 0; b < bands; ++b) add_levels(list, Family::kBandGain, std::array{0.9, 1.1}, b);
  add_levels(list, Family::kNoise, std::array{30.0, 20.0, 10.0});
  for (int b = 0; b < bands; ++b) add_levels(list, Family::kBandNoise, std::array{20.0, 10.0}, b);
  add_levels(list, Family::kPixelSize, std::array{0.67, 0.8, 1.25, 1.5});
  for (int b = 0; b < bands && bands > 1; ++b) list.push_back({Family::kMissingBand, 0.0, b});
  return list;
}

bool changes_values(Family family) {
  switch (family) {
    case Family::kTranslation:
    case Family::kTurn:
    case Family::kCrop:
    case Family::kPixelSize:
      return false;
    default:
      return true;
  }
}

void perturb_values(SceneWindow& window, const Perturbation& p, std::span<const geo::BandStatistics> bands) {
  const int first = p.band < 0 ? 0 : p.band;
  const int last = p.band < 0 ? window.pixels.bands() - 1 : p.band;
  for (int b = first; b <= last; ++b) {
    const geo::BandStatistics& of = bands[static_cast<std::size_t>(b)];
    switch (p.family) {
      case Family::kBrightness:
      case Family::kBandGain:
        scale_band(window, b, p.level);
        break;
      case Family::kNoise:
      case Family::kBandNoise:
        add_noise(window, b, p.level, of);
        break;
      case Family::kMissingBand:
        std::ranges::fill(window.pixels.band(b), static_cast<float>(of.mean));
        break;
      default:
        break;
    }
  }
}

geo::BandStatistics moved_statistics(const geo::BandStatistics& scene, const geo::BandStatistics& before,
                                     const geo::BandStatistics& after) {
  geo::BandStatistics moved = scene;
  moved.low = carried(scene.low, before.low, before.high, after.low, after.high);
  moved.high = carried(scene.high, before.low, before.high, after.low, after.high);
  moved.mean = carried(scene.mean, before.mean, before.mean + before.sd, after.mean, after.mean + after.sd);
  if (before.sd > 0.0) moved.sd = scene.sd * after.sd / before.sd;
  // The sum of many equal values is not exact: what is left of their deviation is no signal.
  if (after.sd < 1e-9 * std::abs(after.mean)) moved.sd = 0.0;
  return moved;
}

}  // namespace furrow::segmentation
