#include "consensus_rasters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <tbb/parallel_invoke.h>

#include <furrow/geo/raster/rasterize.h>

namespace furrow::labelling {
namespace fs = std::filesystem;
namespace {

constexpr double kSteps = 200.0;  ///< probabilities are stored as multiples of 1 / 200
constexpr float kNoData = std::numeric_limits<float>::quiet_NaN();

std::uint8_t as_byte(double probability) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(probability, 0.0, 1.0) * kSteps));
}

geo::RasterSpec label_spec(int classes, bool cog, int threads) {
  geo::RasterSpec spec;
  spec.nodata = geo::kIgnore;
  spec.descriptions = {"consensus label"};
  spec.classes = geo::label_classes();
  if (classes == 2) {
    spec.classes.resize(2);
    spec.classes[1].name = "field";
  }
  spec.overview = geo::Overview::kMode;
  spec.cog = cog;
  spec.threads = threads;
  return spec;
}

geo::RasterSpec probability_spec(int classes, std::vector<std::string> descriptions, bool cog, int threads) {
  geo::RasterSpec spec;
  spec.bands = static_cast<int>(descriptions.size());
  if (classes == 3) {
    spec.nodata = geo::kIgnore;
    spec.scale = 1.0 / kSteps;
  } else {
    spec.type = geo::PixelType::kFloat32;
    spec.nodata = std::numeric_limits<double>::quiet_NaN();
  }
  spec.descriptions = std::move(descriptions);
  spec.overview = geo::Overview::kAverage;
  spec.is_smooth = false;  // as many values as combinations of votes
  spec.cog = cog;
  spec.threads = threads;
  return spec;
}

std::vector<std::string> posterior_bands(int classes) {
  if (classes == 2) return {"P(field)"};
  return {"P(background)", "P(interior)", "P(boundary)"};
}

}  // namespace

RasterNames raster_names(const std::string& prefix, int classes) {
  return {prefix + "label.tif", prefix + (classes == 3 ? "posterior.tif" : "heat.tif"), prefix + "risk.tif"};
}

ConsensusPixels::ConsensusPixels(std::int64_t width, std::int64_t height, int classes)
    : m_classes(classes), m_label(width, height, 1, geo::kIgnore) {
  if (classes == 3) {
    m_posterior = {width, height, 3, geo::kIgnore};
    m_risk = {width, height, 1, geo::kIgnore};
  } else {
    m_heat = {width, height, 1, kNoData};
    m_heat_risk = {width, height, 1, kNoData};
  }
}

void ConsensusPixels::set(std::size_t pixel, const FusedVote& fused) {
  m_label.data()[pixel] = fused.label;
  if (m_classes == 2) {
    m_heat.data()[pixel] = static_cast<float>(fused.posterior[1]);
    m_heat_risk.data()[pixel] = static_cast<float>(fused.risk);
  } else if (fused.label != geo::kIgnore) {
    for (int c = 0; c < 3; ++c)
      m_posterior.band(c)[pixel] = as_byte(fused.posterior[static_cast<std::size_t>(c)]);
    m_risk.data()[pixel] = as_byte(fused.risk);
  }
}

void ConsensusPixels::set(const geo::Window& part, std::span<const std::uint32_t> of_pixel,
                          std::span<const FusedVote> fused) {
  const auto copy = [&](auto to, const auto& value) {
    std::vector<typename decltype(to)::value_type> table;
    table.reserve(fused.size());
    for (const FusedVote& f : fused) table.push_back(value(f));
    const std::uint32_t* from = of_pixel.data();
    for (std::int64_t row = part.row; row < part.end_row(); ++row) {
      auto* line = to.data() + row * m_label.width() + part.col;
      for (std::int64_t i = 0; i < part.width; ++i) line[i] = table[*from++];
    }
  };
  const auto byte = [](const FusedVote& f, double probability) {
    return f.label == geo::kIgnore ? geo::kIgnore : as_byte(probability);
  };
  copy(m_label.band(0), [](const FusedVote& f) { return f.label; });
  if (m_classes == 2) {
    copy(m_heat.band(0), [](const FusedVote& f) { return static_cast<float>(f.posterior[1]); });
    copy(m_heat_risk.band(0), [](const FusedVote& f) { return static_cast<float>(f.risk); });
    return;
  }
  for (int c = 0; c < 3; ++c) {
    copy(m_posterior.band(c),
         [&](const FusedVote& f) { return byte(f, f.posterior[static_cast<std::size_t>(c)]); });
  }
  copy(m_risk.band(0), [&](const FusedVote& f) { return byte(f, f.risk); });
}

ConsensusRasters::ConsensusRasters(const fs::path& folder, const RasterNames& names, const geo::Grid& grid,
                                   int classes, bool cog, int threads)
    : m_classes(classes),
      m_label(folder / names.label, grid, label_spec(classes, cog, threads), false),
      m_posterior(folder / names.posterior, grid,
                  probability_spec(classes, posterior_bands(classes), cog, threads), false),
      m_risk(folder / names.risk, grid, probability_spec(classes, {"risk of the label"}, cog, threads),
             false) {}

void ConsensusRasters::write(const geo::Window& window, const ConsensusPixels& pixels) {
  m_label.write(window, pixels.m_label);
  if (m_classes == 3) {
    m_posterior.write(window, pixels.m_posterior);
    m_risk.write(window, pixels.m_risk);
  } else {
    m_posterior.write(window, pixels.m_heat);
    m_risk.write(window, pixels.m_heat_risk);
  }
}

void ConsensusRasters::write(const geo::Window& window, const Decisions& decisions) {
  ConsensusPixels pixels(window.width, window.height, m_classes);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    if (decisions[i] != nullptr) pixels.set(i, *decisions[i]);
  }
  write(window, pixels);
}

void ConsensusRasters::finish() {
  // Overviews are made by one thread each.
  tbb::parallel_invoke([&] { m_label.finish(); }, [&] { m_posterior.finish(); }, [&] { m_risk.finish(); });
}

}  // namespace furrow::labelling
