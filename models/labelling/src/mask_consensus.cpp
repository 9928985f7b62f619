#include <furrow/labelling/mask_consensus.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <tbb/parallel_pipeline.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

#include <furrow/labelling/weighted_vote.h>

#include "consensus_rasters.h"
#include "fusion_counts.h"
#include "mask_stack.h"
#include "pattern_index.h"
#include "weight_table.h"

namespace furrow::labelling {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kBlock = 512;  ///< block size of the rasters that are written

/// Pixels of one site inside a window.
struct Part {
  std::uint32_t group = 0;
  geo::Window pixels;  ///< counted from the window's upper left pixel
  VotePatterns patterns;
};

/// Windows of whole blocks, as large as the budget allows: full rows where possible, so that files stored in
/// lines are read once.
std::vector<geo::Window> make_windows(const geo::Grid& grid, std::int64_t most_pixels) {
  constexpr std::int64_t kUsual = std::int64_t{1} << 20U;
  const auto whole = [](std::int64_t pixels) { return std::max(kBlock, pixels / kBlock * kBlock); };
  std::int64_t width = grid.width;
  std::int64_t height = kBlock;
  if (width * kBlock > most_pixels) {
    width = whole(most_pixels / kBlock);
  } else if (width * kBlock < kUsual) {
    height = whole(std::min(kUsual, most_pixels) / width);
  }
  std::vector<geo::Window> windows;
  for (std::int64_t row = 0; row < grid.height; row += height) {
    for (std::int64_t col = 0; col < grid.width; col += width) {
      windows.push_back({col, row, std::min(width, grid.width - col), std::min(height, grid.height - row)});
    }
  }
  return windows;
}

/// Reads masks, and the truth as the first of them, as patterns.
class MaskReader {
 public:
  MaskReader(const MaskInputs& inputs, std::vector<std::string> masks, int classes, geo::ExecContext& exec)
      : m_exec(exec),
        m_has_truth(!inputs.truth.empty()),
        m_stack(files(inputs, masks), classes, exec.threads()) {
    m_block = inputs.block_px > 0 ? inputs.block_px : std::max(grid().width, grid().height);
    m_across = (grid().width + m_block - 1) / m_block;
    const double blocks = std::ceil(static_cast<double>(grid().height) / static_cast<double>(m_block)) *
                          static_cast<double>(m_across);
    if (blocks > 4e9)
      throw geo::InvalidArgument(geo::concat("there are ", blocks, " blocks; give a larger --block-px"));
    m_windows = make_windows(grid(), most_pixels());
  }

  [[nodiscard]] int threads() const noexcept { return m_exec.threads(); }
  [[nodiscard]] const geo::Grid& grid() const { return m_stack.grid(); }
  [[nodiscard]] bool has_truth() const { return m_has_truth; }
  [[nodiscard]] std::size_t layers() const { return m_stack.size(); }

  /// Calls `work` for the parts of every window, in parallel, and `merge` with what it returns, in order.
  template <class Result, class Work, class Merge>
  void for_windows(const char* label, const Work& work, const Merge& merge) const {
    geo::Progress progress(m_exec, label, static_cast<std::int64_t>(m_windows.size()));
    std::size_t next = 0;
    const auto source = [&](tbb::flow_control& flow) {
      if (next == m_windows.size()) flow.stop();
      return next < m_windows.size() ? next++ : next;
    };
    const auto in_between = [&](std::size_t i) { return work(m_windows[i], read(m_windows[i])); };
    std::size_t merged = 0;
    const auto sink = [&](Result result) {
      merge(m_windows[merged++], std::move(result));
      progress.advance();
    };
    const std::size_t tokens = m_exec.tokens(static_cast<std::size_t>(most_pixels()) * kBytesPerPixel);
    tbb::parallel_pipeline(tokens,
                           tbb::make_filter<void, std::size_t>(tbb::filter_mode::serial_in_order, source) &
                               tbb::make_filter<std::size_t, Result>(tbb::filter_mode::parallel, in_between) &
                               tbb::make_filter<Result, void>(tbb::filter_mode::serial_in_order, sink));
  }

 private:
  /// Patterns (4), votes (1), stored numbers (8), pixels to write (9).
  static constexpr std::size_t kBytesPerPixel = 24;

  static std::vector<std::string> files(const MaskInputs& inputs, std::vector<std::string>& masks) {
    if (!inputs.truth.empty()) masks.insert(masks.begin(), inputs.truth);
    return masks;
  }

  /// Half of the budget, with two windows per thread.
  [[nodiscard]] std::int64_t most_pixels() const {
    constexpr std::int64_t kMost = std::int64_t{8} << 20U;
    const std::size_t share =
        m_exec.memory_bytes() / (4 * static_cast<std::size_t>(m_exec.threads()) * kBytesPerPixel);
    return std::clamp(static_cast<std::int64_t>(share), kBlock * kBlock, kMost);
  }

  [[nodiscard]] std::vector<Part> parts_of(const geo::Window& window) const {
    std::vector<Part> parts;
    for (std::int64_t y = window.row / m_block; y * m_block < window.end_row(); ++y) {
      for (std::int64_t x = window.col / m_block; x * m_block < window.end_col(); ++x) {
        geo::Window part = geo::intersection({x * m_block, y * m_block, m_block, m_block}, window);
        part.col -= window.col;
        part.row -= window.row;
        parts.push_back({static_cast<std::uint32_t>(y * m_across + x), part, {}});
      }
    }
    return parts;
  }

  [[nodiscard]] std::vector<Part> read(const geo::Window& window) const {
    std::vector<Part> parts = parts_of(window);
    std::vector<PatternBuilder> builders;
    for (const Part& part : parts) builders.emplace_back(static_cast<std::size_t>(part.pixels.pixels()));
    std::vector<Vote> cut;
    for (std::size_t layer = 0; layer < m_stack.size(); ++layer) {
      const std::vector<Vote> votes = m_stack.read(layer, window);
      for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts.size() == 1) {
          builders[i].add(votes);
          continue;
        }
        cut.clear();
        const geo::Window& pixels = parts[i].pixels;
        for (std::int64_t row = pixels.row; row < pixels.end_row(); ++row) {
          const auto line = votes.begin() + row * window.width + pixels.col;
          cut.insert(cut.end(), line, line + pixels.width);
        }
        builders[i].add(cut);
      }
    }
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i].patterns = std::move(builders[i]).finish();
    return parts;
  }

  geo::ExecContext& m_exec;
  bool m_has_truth;
  MaskStack m_stack;
  std::int64_t m_block = 1;   ///< side of a site
  std::int64_t m_across = 1;  ///< sites side by side
  std::vector<geo::Window> m_windows;
};

/// All combinations of votes of the masks, and the decision on each.
class MaskFusion {
 public:
  MaskFusion(const MaskReader& reader, std::vector<std::string> names, std::vector<VoterWeight> weights,
             const ConsensusOptions& options)
      : m_reader(reader),
        m_names(std::move(names)),
        m_weights(std::move(weights)),
        m_options(options),
        m_index(reader.layers()) {}

  void collect(std::size_t memory_bytes) {
    const auto without_pixels = [](const geo::Window&, std::vector<Part> parts) {
      for (Part& part : parts) part.patterns.of_pixel = {};
      return parts;
    };
    m_reader.for_windows<std::vector<Part>>(
        "reading masks", without_pixels, [&](const geo::Window&, const std::vector<Part>& parts) {
          for (const Part& part : parts) {
            for (std::size_t p = 0; p < part.patterns.size(); ++p)
              (void)m_index.add(part.group, part.patterns.pattern(p), part.patterns.counts[p]);
          }
          check_memory(memory_bytes);
        });
  }

  [[nodiscard]] MaskConsensus fit() {
    const std::vector<std::uint32_t> order = m_index.sorted();
    const VoteTable table = make_table(order);
    MaskConsensus result;
    result.fit = fit_table(table, order);
    decide(table, order, result.fit.fusion);
    result.summary = summarise_votes(table, m_names, answer_names(table.classes(), table.outcomes()),
                                     table_fit_of(result.fit));
    result.n_patterns = static_cast<std::int64_t>(table.rows());
    result.has_boundary = has_votes_for(table, 2);
    measure(result);
    return result;
  }

  void write(const fs::path& folder) const {
    const int classes = m_options.fusion.classes;
    ConsensusRasters rasters(folder, raster_names("", classes), m_reader.grid(), classes, m_options.cog,
                             m_reader.threads());
    const auto paint = [&](const geo::Window& window, const std::vector<Part>& parts) {
      ConsensusPixels pixels(window.width, window.height, classes);
      for (const Part& part : parts) pixels.set(part.pixels, part.patterns.of_pixel, decisions_on(part));
      return pixels;
    };
    m_reader.for_windows<ConsensusPixels>(
        "writing the consensus", paint,
        [&](const geo::Window& window, const ConsensusPixels& pixels) { rasters.write(window, pixels); });
    rasters.finish();
  }

 private:
  /// The pattern itself, its place in the table of votes and what fits keep of it.
  void check_memory(std::size_t memory_bytes) const {
    const std::size_t per_row = 300 + 30 * m_reader.layers();
    const std::size_t needed = m_index.rows() * per_row;
    if (needed <= memory_bytes) return;
    throw geo::IoError(geo::concat(
        "the masks show more than ", m_index.rows() - 1, " different combinations of votes, for which ",
        geo::human_bytes(static_cast<double>(memory_bytes)),
        " do not suffice; give more --memory, fewer masks, or larger blocks (--block-px)"));
  }

  /// Votes of the labellers alone, without the truth.
  [[nodiscard]] std::span<const Vote> votes_of(std::size_t row) const {
    return m_index.votes(row).subspan(m_reader.has_truth() ? 1 : 0);
  }
  [[nodiscard]] std::int32_t truth_of(std::size_t row) const {
    if (!m_reader.has_truth() || m_index.votes(row).front() == kMissingVote) return -1;
    return static_cast<std::int32_t>(sure_class(m_index.votes(row).front()));
  }

  /// Rows in the given order; sites are numbered anew, so that those without pixels cost nothing.
  [[nodiscard]] VoteTable make_table(const std::vector<std::uint32_t>& order) const {
    VoteTable table(m_options.fusion.classes, m_options.fusion.classes, m_names.size());
    std::vector<VoteEntry> entries;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t row = order[i];
      if (i > 0 && m_index.group(row) != m_index.group(order[i - 1])) ++group;
      entries.clear();
      const auto votes = votes_of(row);
      for (std::size_t v = 0; v < votes.size(); ++v) {
        if (votes[v] != kMissingVote)
          entries.push_back({static_cast<std::uint32_t>(v), static_cast<std::uint16_t>(votes[v]), 1});
      }
      // Pixels without any vote are no items.
      const bool counts = !entries.empty() || truth_of(row) >= 0;
      table.add(entries, counts ? static_cast<double>(m_index.count(row)) : 0.0, truth_of(row), group);
    }
    return table;
  }

  static bool has_votes_for(const VoteTable& table, int outcome) {
    for (std::size_t i = 0; i < table.rows(); ++i) {
      const VoteRow row = table.row(i);
      if (std::ranges::any_of(row.votes, [&](const VoteEntry& vote) { return vote.outcome == outcome; }))
        return true;
    }
    return false;
  }

  [[nodiscard]] JointFit fit_table(const VoteTable& table, const std::vector<std::uint32_t>& order) {
    if (is_joint(m_options.method)) return fuse_jointly(table, m_names, m_options);
    JointFit fit;
    fit.labellers = m_names;
    fit.n_sites = count_sites(table);
    fit.fusion = vote(table, order);
    return fit;
  }

  /// Majority or weighted vote, kept as posteriors.
  [[nodiscard]] FusionFit vote(const VoteTable& table, const std::vector<std::uint32_t>& order) {
    FusionFit fit = weighted_vote(table);
    const auto classes = static_cast<std::size_t>(table.classes());
    m_decisions.resize(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const FusedVote fused = fuse_votes(votes_of(order[i]), m_weights, m_options.fusion);
      m_decisions[order[i]] = fused;
      if (fused.label == geo::kIgnore) continue;
      for (std::size_t c = 0; c < classes; ++c)
        fit.posterior[i * classes + c] = std::clamp(fused.posterior[c], 0.0, 1.0);
    }
    fit.class_shares = class_shares(table, fit.posterior);
    fit.confusion = expected_votes(table, fit.posterior);
    normalise_rows(fit.confusion, static_cast<std::size_t>(table.outcomes()));
    return fit;
  }

  void decide(const VoteTable& table, const std::vector<std::uint32_t>& order, const FusionFit& fit) {
    if (!is_joint(m_options.method)) return;
    m_decisions.resize(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool known = table.row(i).count > 0.0;
      m_decisions[order[i]] =
          decide_posterior(known ? fit.posterior_of(i) : std::span<const double>{}, m_options.fusion);
    }
  }

  void measure(MaskConsensus& result) const {
    std::set<std::uint32_t> sites;
    double risk = 0.0;
    std::int64_t field = 0;
    for (std::size_t row = 0; row < m_index.rows(); ++row) {
      const FusedVote& fused = m_decisions[row];
      if (fused.label == geo::kIgnore) continue;
      sites.insert(m_index.group(row));
      result.n_pixels += m_index.count(row);
      risk += fused.risk * static_cast<double>(m_index.count(row));
      if (fused.label != geo::kBackground) field += m_index.count(row);
    }
    result.n_sites = static_cast<std::int64_t>(sites.size());
    const auto pixels = static_cast<double>(result.n_pixels);
    result.mean_risk = pixels > 0.0 ? risk / pixels : std::numeric_limits<double>::quiet_NaN();
    result.field_share =
        pixels > 0.0 ? static_cast<double>(field) / pixels : std::numeric_limits<double>::quiet_NaN();
  }

  [[nodiscard]] std::vector<FusedVote> decisions_on(const Part& part) const {
    std::vector<FusedVote> fused;
    fused.reserve(part.patterns.size());
    for (std::size_t p = 0; p < part.patterns.size(); ++p) {
      const auto row = m_index.find(part.group, part.patterns.pattern(p));
      if (!row) throw geo::IoError("a mask changed while it was read");
      fused.push_back(m_decisions[*row]);
    }
    return fused;
  }

  const MaskReader& m_reader;
  std::vector<std::string> m_names;
  std::vector<VoterWeight> m_weights;
  const ConsensusOptions& m_options;
  PatternIndex m_index;
  std::vector<FusedVote> m_decisions;  ///< by row of m_index
};

/// Masks that vote, with their names and weights.
struct Voters {
  std::vector<std::string> masks;
  std::vector<std::string> names;
  std::vector<VoterWeight> weights;
  std::int64_t unknown = 0;
};

Voters choose_masks(const MaskInputs& inputs, std::span<const LabellerWeights> weights,
                    const ConsensusOptions& options) {
  Voters all{inputs.masks, mask_names(inputs.masks), {}, 0};
  if (options.method != ConsensusMethod::kWeighted) {
    all.weights.resize(all.names.size());
    return all;
  }
  const WeightTable table(weights);
  const bool fill = !options.fusion.compatible;
  bool any = false;
  Voters voters;
  for (std::size_t i = 0; i < all.names.size(); ++i) {
    const NamedWeight found = table.find(all.names[i], fill);
    any = any || found.is_listed;
    if (!found.is_complete) ++voters.unknown;
    if (fill && !found.is_complete && options.unknown == UnknownLabeller::kDrop) continue;
    voters.masks.push_back(all.masks[i]);
    voters.names.push_back(all.names[i]);
    voters.weights.push_back(found.weight);
  }
  if (!any) {
    throw geo::InvalidArgument(
        geo::concat("no mask has the name of a labeller in the table of weights, which has ",
                    geo::quoted(weights.front().labeller), " for example, where the masks have ",
                    geo::quoted(all.names.front()), "; name the files after the labellers"));
  }
  return voters;
}

/// Three classes, and hardly a vote for the third: two were meant, perhaps.
void warn_of_classes(const MaskConsensus& result) {
  if (result.fit.fusion.classes != 3 || result.n_pixels == 0 || result.has_boundary) return;
  geo::log_warning("no mask has the value 2 (boundary); for masks of field or not give --classes 2");
}

}  // namespace

std::vector<std::string> mask_names(std::span<const std::string> paths) {
  std::set<std::string> stems;
  for (const auto& path : paths) stems.insert(fs::path(path).stem().string());
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const auto& path : paths) {
    const std::string stem = fs::path(path).stem().string();
    std::string name = stem;
    for (int number = 2; taken.contains(name) || (name != stem && stems.contains(name)); ++number)
      name = geo::concat(stem, "_", number);
    taken.insert(name);
    names.push_back(name);
  }
  return names;
}

MaskConsensus write_mask_consensus(const MaskInputs& inputs, std::span<const LabellerWeights> weights,
                                   const ConsensusOptions& options, const fs::path& folder,
                                   geo::ExecContext& exec) {
  if (inputs.masks.empty()) throw geo::InvalidArgument("there is no mask to fuse");
  if (!inputs.truth.empty() && !is_joint(options.method))
    throw geo::InvalidArgument(
        "a known truth teaches methods that learn skills; majority and weighted do not");
  ConsensusOptions used = options;
  used.bayes.unit = InformationUnit::kSite;
  Voters voters = choose_masks(inputs, weights, used);
  const MaskReader reader(inputs, std::move(voters.masks), used.fusion.classes, exec);
  MaskFusion fusion(reader, std::move(voters.names), std::move(voters.weights), used);
  fusion.collect(exec.memory_bytes());
  MaskConsensus result = fusion.fit();
  result.n_unknown = voters.unknown;
  warn_of_classes(result);
  fusion.write(folder);
  return result;
}

}  // namespace furrow::labelling
