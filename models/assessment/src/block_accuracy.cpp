#include <furrow/assessment/block_accuracy.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

#include "ratios.h"

namespace furrow::assessment {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// True when a boundary pixel lies within `tolerance` of (col, row).
bool boundary_near(const geo::Raster<std::uint8_t>& labels, std::int64_t col, std::int64_t row,
                   double tolerance) {
  const auto reach = static_cast<std::int64_t>(std::floor(tolerance));
  for (std::int64_t dy = -reach; dy <= reach; ++dy) {
    for (std::int64_t dx = -reach; dx <= reach; ++dx) {
      const std::int64_t c = col + dx;
      const std::int64_t r = row + dy;
      if (c < 0 || r < 0 || c >= labels.width() || r >= labels.height()) continue;
      if (static_cast<double>(dx * dx + dy * dy) > tolerance * tolerance) continue;
      if (labels.at(c, r) == geo::kBoundary) return true;
    }
  }
  return false;
}

/// Counts the pixels of one block.
class BlockCounter {
 public:
  BlockCounter(const BlockInputs& inputs, const geo::Grid& grid, const BlockOptions& options)
      : m_inputs(inputs), m_grid(grid), m_options(options) {}

  void count(const geo::Window& block, BlockCounts& counts) const {
    const auto margin = static_cast<std::int64_t>(std::ceil(m_options.boundary_tolerance_px));
    const geo::Window window = geo::intersection(geo::grow(block, margin), m_grid.window());
    const LabelWindow reference = m_inputs.reference(window);
    const geo::Raster<std::uint8_t> use = used(block);
    if (m_inputs.predicted) count_labels(block, window, m_inputs.predicted(window), reference, use, counts);
    if (m_inputs.scores != nullptr) count_scores(block, window, reference, use, counts);
  }

 private:
  [[nodiscard]] geo::Raster<std::uint8_t> used(const geo::Window& block) const {
    geo::Raster<std::uint8_t> use(block.width, block.height, 1, 1);
    if (m_inputs.region) use = geo::rasterize_extent(std::span(&*m_inputs.region, 1), m_grid.subgrid(block));
    if (m_inputs.valid == nullptr) return use;
    const auto mask = m_inputs.valid->read_valid(block);
    for (std::size_t i = 0; i < use.data().size(); ++i) use.data()[i] &= mask.data()[i];
    return use;
  }

  void count_labels(const geo::Window& block, const geo::Window& window, const LabelWindow& predicted,
                    const LabelWindow& reference, const geo::Raster<std::uint8_t>& use,
                    BlockCounts& counts) const {
    const double tolerance = m_options.boundary_tolerance_px;
    for (std::int64_t row = 0; row < block.height; ++row) {
      for (std::int64_t col = 0; col < block.width; ++col) {
        const std::int64_t c = block.col - window.col + col;
        const std::int64_t r = block.row - window.row + row;
        const std::uint8_t p = predicted.labels.at(c, r);
        const std::uint8_t t = reference.labels.at(c, r);
        if (use.at(col, row) == 0 || p == geo::kIgnore || t == geo::kIgnore) continue;
        ++counts.pixels;
        counts.extent.count(predicted.extent.at(c, r) != 0, reference.extent.at(c, r) != 0);
        if (p == geo::kBoundary) {
          ++counts.boundary_predicted;
          if (boundary_near(reference.labels, c, r, tolerance)) ++counts.boundary_correct;
        }
        if (t == geo::kBoundary) {
          ++counts.boundary_reference;
          if (boundary_near(predicted.labels, c, r, tolerance)) ++counts.boundary_found;
        }
      }
    }
  }

  void count_scores(const geo::Window& block, const geo::Window& window, const LabelWindow& reference,
                    const geo::Raster<std::uint8_t>& use, BlockCounts& counts) const {
    const geo::Raster<float> stored = m_inputs.scores->read<float>(block);
    const geo::Raster<std::uint8_t> valid = m_inputs.scores->read_valid(block);
    for (std::int64_t row = 0; row < block.height; ++row) {
      for (std::int64_t col = 0; col < block.width; ++col) {
        const std::uint8_t truth =
            reference.labels.at(block.col - window.col + col, block.row - window.row + row);
        if (use.at(col, row) == 0 || valid.at(col, row) == 0 || truth > geo::kBoundary) continue;
        std::array<double, 3> scores{};
        for (int b = 0; b < 3; ++b) scores[static_cast<std::size_t>(b)] = score(stored.at(col, row, b), b);
        add_scores(scores, truth, counts);
      }
    }
  }

  [[nodiscard]] double score(float stored, int band) const {
    const geo::BandInfo& info = m_inputs.scores->band(band);
    const double value = static_cast<double>(stored) * info.scale + info.offset;
    if (value >= -0.01 && value <= 1.01) return value;
    throw geo::InvalidArgument(geo::concat("raster ", geo::quoted(m_inputs.scores->path()),
                                           " holds the score ", value,
                                           "; scores lie in 0..1 (set the band's scale when they are "
                                           "stored as integers)"));
  }

  static void add_scores(const std::array<double, 3>& scores, std::uint8_t truth, BlockCounts& counts) {
    const auto likeliest =
        static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    const double largest = scores[likeliest];
    const auto bin = static_cast<std::size_t>(
        std::clamp(largest * BlockCounts::kBins, 0.0, static_cast<double>(BlockCounts::kBins - 1)));
    ++counts.scored;
    ++counts.bin_pixels[bin];
    counts.bin_score[bin] += largest;
    if (likeliest == truth) ++counts.bin_correct[bin];
    for (std::size_t c = 0; c < 3; ++c) {
      const double error = scores[c] - (c == truth ? 1.0 : 0.0);
      counts.squared_error += error * error;
    }
  }

  const BlockInputs& m_inputs;
  const geo::Grid& m_grid;
  const BlockOptions& m_options;
};

void check(const BlockInputs& inputs, const BlockOptions& options) {
  if (options.block_px < 1)
    throw geo::InvalidArgument(
        geo::concat("blocks need a side of at least one pixel, got ", options.block_px));
  if (!(options.boundary_tolerance_px >= 0.0 && options.boundary_tolerance_px <= 20.0)) {
    throw geo::InvalidArgument(geo::concat("the tolerance for boundaries must lie in 0..20 pixels, got ",
                                           options.boundary_tolerance_px));
  }
  if (inputs.scores != nullptr && inputs.scores->bands() != 3) {
    throw geo::InvalidArgument(geo::concat("score raster ", geo::quoted(inputs.scores->path()), " has ",
                                           inputs.scores->bands(),
                                           " bands; three are needed: background, interior, boundary"));
  }
}

using Blocks = std::map<std::pair<std::int64_t, std::int64_t>, BlockCounts>;  // by (row, col)

/// Adds fields to the block of their centroid; those outside the grid go to the nearest one.
void count_fields(const BlockInputs& inputs, const geo::Grid& grid, const BlockOptions& options,
                  Blocks& blocks) {
  const ObjectMatches matches =
      match_objects(inputs.predicted_fields, inputs.reference_fields, {options.min_iou, inputs.region});
  const auto block_of = [&](const geo::MultiPolygon& shape) -> BlockCounts& {
    const geo::Point p = grid.transform.to_pixel(geo::centroid(shape));
    const auto at = [&](double value, std::int64_t length) {
      return static_cast<std::int64_t>(std::clamp(value, 0.0, static_cast<double>(length - 1))) /
             options.block_px;
    };
    return blocks[{at(p.y, grid.height), at(p.x, grid.width)}];
  };
  for (std::size_t i = 0; i < inputs.predicted_fields.size(); ++i) {
    if (matches.predicted_counts[i] == 0) continue;
    BlockCounts& block = block_of(inputs.predicted_fields[i]);
    ++block.predicted;
    block.correct += matches.predicted_matched[i];
  }
  for (std::size_t i = 0; i < inputs.reference_fields.size(); ++i) {
    if (matches.reference_counts[i] == 0) continue;
    BlockCounts& block = block_of(inputs.reference_fields[i]);
    ++block.reference;
    block.found += matches.reference_matched[i];
  }
}

}  // namespace

BlockCounts& BlockCounts::operator+=(const BlockCounts& other) {
  pixels += other.pixels;
  extent += other.extent;
  boundary_predicted += other.boundary_predicted;
  boundary_correct += other.boundary_correct;
  boundary_reference += other.boundary_reference;
  boundary_found += other.boundary_found;
  predicted += other.predicted;
  correct += other.correct;
  reference += other.reference;
  found += other.found;
  scored += other.scored;
  for (std::size_t b = 0; b < kBins; ++b) {
    bin_pixels[b] += other.bin_pixels[b];
    bin_score[b] += other.bin_score[b];
    bin_correct[b] += other.bin_correct[b];
  }
  squared_error += other.squared_error;
  return *this;
}

double BlockCounts::boundary_f1() const {
  return f1_of(boundary_correct, boundary_predicted, boundary_found, boundary_reference);
}
double BlockCounts::object_f1() const {
  return f1_of(correct, predicted, found, reference);
}
double BlockCounts::ece() const {
  if (scored == 0) return kUndefined;
  double sum = 0.0;
  for (std::size_t b = 0; b < kBins; ++b) sum += std::abs(static_cast<double>(bin_correct[b]) - bin_score[b]);
  return sum / static_cast<double>(scored);
}
double BlockCounts::brier() const {
  return scored == 0 ? kUndefined : squared_error / static_cast<double>(scored);
}

std::vector<BlockCounts> count_blocks(const BlockInputs& inputs, const geo::Grid& grid,
                                      const BlockOptions& options, geo::ExecContext& exec) {
  check(inputs, options);
  const auto tiles = geo::make_tiles(grid, options.block_px, 0);
  std::vector<BlockCounts> counts(tiles.size());
  geo::Progress progress(exec, "comparing blocks", static_cast<std::int64_t>(tiles.size()));
  const BlockCounter counter(inputs, grid, options);
  tbb::parallel_for(std::size_t{0}, tiles.size(), [&](std::size_t i) {
    counter.count(tiles[i].core, counts[i]);
    progress.advance();
  });
  Blocks blocks;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    blocks[{tiles[i].core.row / options.block_px, tiles[i].core.col / options.block_px}] = counts[i];
  }
  count_fields(inputs, grid, options, blocks);
  std::vector<BlockCounts> result;
  for (auto& [place, block] : blocks) {
    std::tie(block.row, block.col) = place;
    if (block.pixels + block.scored + block.predicted + block.reference > 0) result.push_back(block);
  }
  return result;
}

std::vector<Interval> bootstrap_blocks(std::span<const BlockCounts> blocks,
                                       std::span<const std::function<double(const BlockCounts&)>> figures,
                                       std::int64_t draws, std::uint64_t seed) {
  std::vector<std::vector<double>> values(figures.size());
  for (std::int64_t draw = 0; draw < draws && blocks.size() > 1; ++draw) {
    geo::Random random(seed, geo::stable_hash(geo::concat("blocks ", draw)));
    BlockCounts sum;
    for (std::size_t i = 0; i < blocks.size(); ++i) sum += blocks[random.below(blocks.size())];
    for (std::size_t f = 0; f < figures.size(); ++f) {
      const double value = figures[f](sum);
      if (!std::isnan(value)) values[f].push_back(value);
    }
  }
  std::vector<Interval> intervals;
  for (auto& list : values) {
    std::sort(list.begin(), list.end());
    const auto at = [&list](double share) {
      if (list.empty()) return kUndefined;
      return list[static_cast<std::size_t>(std::llround(share * static_cast<double>(list.size() - 1)))];
    };
    intervals.push_back({at(0.025), at(0.975)});
  }
  return intervals;
}

}  // namespace furrow::assessment
