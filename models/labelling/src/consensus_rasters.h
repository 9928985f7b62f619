#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/raster.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/labelling/consensus.h>

namespace furrow::labelling {

/// Names of the three rasters of a consensus.
struct RasterNames {
  std::string label;
  std::string posterior;
  std::string risk;
};

[[nodiscard]] RasterNames raster_names(const std::string& prefix, int classes);

/// A row-major window of decisions; nullptr = no site.
using Decisions = std::vector<const FusedVote*>;

/// Label, posterior and risk of a window, as the files store them. Three classes: bytes, probabilities in
/// steps of 1/200; two: float32, where results are compared with other systems'. Nodata at first.
class ConsensusPixels {
 public:
  ConsensusPixels(std::int64_t width, std::int64_t height, int classes);

  void set(std::size_t pixel, const FusedVote& fused);
  /// The same for a rectangle of pixels.
  /// @param part      inside this window, counted from its upper left pixel
  /// @param of_pixel  position in `fused` for every pixel of the part, row-major
  void set(const geo::Window& part, std::span<const std::uint32_t> of_pixel,
           std::span<const FusedVote> fused);

 private:
  friend class ConsensusRasters;
  int m_classes;
  geo::Raster<std::uint8_t> m_label;
  geo::Raster<std::uint8_t> m_posterior;  ///< three classes
  geo::Raster<std::uint8_t> m_risk;
  geo::Raster<float> m_heat;  ///< two classes
  geo::Raster<float> m_heat_risk;
};

/// The three files, written side by side. One thread at a time.
class ConsensusRasters {
 public:
  /// @param cog      cloud-optimised; else plain GeoTIFF
  /// @param threads  that compress
  /// @throws IoError
  ConsensusRasters(const std::filesystem::path& folder, const RasterNames& names, const geo::Grid& grid,
                   int classes, bool cog, int threads);

  void write(const geo::Window& window, const ConsensusPixels& pixels);
  void write(const geo::Window& window, const Decisions& decisions);
  void finish();

 private:
  int m_classes;
  geo::RasterWriter m_label;
  geo::RasterWriter m_posterior;
  geo::RasterWriter m_risk;
};

}  // namespace furrow::labelling
