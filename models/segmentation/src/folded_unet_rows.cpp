// A U-Net from the top of its input downwards, some rows of the answer at a time. Every layer keeps the rows
// that the next one still needs; the memory it takes grows with the width of the input and not with its
// height, and no row is computed twice.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "folded_unet.h"
#include "resize_features.h"
#include "row_store.h"
#include "unet_regions.h"

namespace furrow::segmentation {

namespace {

struct Rows {
  std::int64_t begin;
  std::int64_t end;
  [[nodiscard]] std::int64_t count() const { return end - begin; }
  [[nodiscard]] bool empty() const { return end <= begin; }
};

/// Of the rows [first, end) those that `store` does not know yet.
Rows missing(const RowStore& store, std::int64_t first, std::int64_t end) {
  return {store.next(first), end};
}

/// Columns of a tensor that begins at the column of `region`.
torch::Tensor columns(const torch::Tensor& x, const geo::Window& region, std::int64_t col,
                      std::int64_t width) {
  return width == region.width ? x : x.narrow(3, col - region.col, width);
}

}  // namespace

class FoldedUNet::RowPass {
 public:
  RowPass(const FoldedUNet& network, const torch::Tensor& input, const geo::Window& wanted,
          const TakeRows& take)
      : m_network(network),
        m_input(input),
        m_wanted(wanted),
        m_take(take),
        m_levels(network.m_encoder.size()) {}

  void run() {
    const std::int64_t parts = (m_wanted.height + kRowsAtATime - 1) / kRowsAtATime;
    for (std::int64_t i = 1; i <= parts; ++i) advance(m_wanted.row + m_wanted.height * i / parts);
  }

 private:
  struct Level {
    RowStore in;  ///< pooled; level 0 sees the input itself
    RowStore between;
    RowStore out;
    RowStore joined;  ///< `out` and what comes from below
    RowStore joined_between;
    RowStore answer;
  };

  /// The rows of the answer above `end`.
  void advance(std::int64_t end) {
    const geo::Window above{m_wanted.col, m_wanted.row, m_wanted.width, end - m_wanted.row};
    m_regions =
        unet_regions(static_cast<std::int64_t>(m_levels.size()), m_input.size(3), m_input.size(2), above);
    const std::size_t deepest = m_levels.size() - 1;
    for (std::size_t level = 0; level <= deepest; ++level) {
      if (level > 0) go_down(level);
      encode(level);
    }
    for (std::size_t level = deepest; level-- > 0;) {
      join(level);
      decode(level);
      forget(level);
    }
  }

  [[nodiscard]] torch::Tensor input_rows(std::size_t level, std::int64_t begin, std::int64_t end) const {
    const geo::Window& region = m_regions[level].encoder_in;
    if (level > 0) return m_levels[level].in.rows(begin, end);
    return m_input.narrow(2, begin, end - begin)
        .narrow(3, region.col, region.width)
        .to(m_network.type())
        .contiguous(torch::MemoryFormat::ChannelsLast);
  }

  void go_down(std::size_t level) {
    const geo::Window& region = m_regions[level].encoder_in;
    const Rows rows = missing(m_levels[level].in, region.row, region.end_row());
    if (rows.empty()) return;
    const torch::Tensor above = columns(m_levels[level - 1].out.rows(2 * rows.begin, 2 * rows.end),
                                        m_regions[level - 1].encoder_out, 2 * region.col, 2 * region.width);
    m_levels[level].in.append(rows.begin, pooled(above));
  }

  /// In pieces: before the first rows of the answer many are needed.
  void encode(std::size_t level) {
    const std::int64_t end = m_regions[level].encoder_out.end_row();
    if (m_done == 0) m_levels[level].out.expect(rows_to_keep(level));
    std::int64_t piece_end = m_levels[level].out.next(m_regions[level].encoder_out.row);
    while (piece_end < end) {
      piece_end = std::min(piece_end + kRowsAtATime, end);
      encode_to(level, piece_end);
    }
  }

  /// Rows of an encoder block that are needed at once, and room as large as what stays when the next ones
  /// come.
  [[nodiscard]] std::int64_t rows_to_keep(std::size_t level) const {
    const std::int64_t needed = m_regions[level].encoder_out.height;
    return needed + std::max(std::int64_t{0}, needed - (kRowsAtATime >> level));
  }

  void encode_to(std::size_t level, std::int64_t end) {
    Level& at = m_levels[level];
    const Rows rows = missing(at.out, m_regions[level].encoder_out.row, end);
    const auto in = [&](std::int64_t from, std::int64_t to) { return input_rows(level, from, to); };
    const Block& block = m_network.m_encoder[level];
    append(at.out, rows.begin, run_first(block, in, at.between, rows), block.conv2, block.activation2);
    at.between.keep_from(rows.end - 1);
    at.in.keep_from(at.between.end() - 1);
  }

  /// What the second convolution of a block needs so that it gives the rows `wanted`. `in` gives rows of what
  /// the block takes, `between` holds those behind its first convolution.
  template <class Input>
  static torch::Tensor run_first(const Block& block, const Input& in, RowStore& between, const Rows& wanted) {
    const Rows first = missing(between, wanted.begin - 1, wanted.end + 1);
    append(between, first.begin, in(first.begin - 1, first.end + 1), block.conv1, block.activation1);
    return between.rows(wanted.begin - 1, wanted.end + 1);
  }

  /// Rows behind a convolution and what follows it go to `store`, without a copy where that can be.
  /// @param first  the number of the first of them
  static void append(RowStore& store, std::int64_t first, const torch::Tensor& x, const Conv& conv,
                     const Activation& activation) {
    if (!conv.winograd || activation.weight.defined())
      return store.append(first, run_conv(x, conv, activation, 0));
    conv.winograd->run(x, true,
                       store.extend(first, conv.winograd->out_channels(), x.size(2) - 2, x.size(3) - 2, x));
  }

  [[nodiscard]] const Block& decoder(std::size_t level) const {
    return m_network.m_decoder[m_levels.size() - 2 - level];
  }

  [[nodiscard]] RowStore& below(std::size_t level) {
    return level + 2 == m_levels.size() ? m_levels.back().out : m_levels[level + 1].answer;
  }

  void join(std::size_t level) {
    Level& at = m_levels[level];
    const geo::Window& in = m_regions[level].decoder_in;
    const geo::Window& from_below = m_regions[level].decoder_from_below;
    const Rows rows = missing(at.joined, in.row, in.end_row());
    if (rows.empty()) return;
    const Rows half{rows.begin / 2, (rows.end + 1) / 2};
    const torch::Tensor up = decoder(level).up(below(level).rows(half.begin, half.end));
    const torch::Tensor skip =
        columns(at.out.rows(rows.begin, rows.end), m_regions[level].encoder_out, in.col, in.width);
    const torch::Tensor both =
        at.joined.extend(rows.begin, joined_channels(skip, up), rows.count(), in.width, up);
    join_into(both, skip, up, {from_below.col, 2 * half.begin, from_below.width, 2 * half.count()},
              {in.col, rows.begin, in.width, rows.count()});
    below(level).keep_from(rows.end / 2);
  }

  void decode(std::size_t level) {
    Level& at = m_levels[level];
    const geo::Window& out = m_regions[level].decoder_out;
    const Rows rows{level == 0 ? m_wanted.row + m_done : at.answer.next(out.row), out.end_row()};
    if (rows.empty()) return;
    const auto in = [&](std::int64_t from, std::int64_t to) { return at.joined.rows(from, to); };
    const Block& block = decoder(level);
    const torch::Tensor x = run_first(block, in, at.joined_between, rows);
    if (level > 0)
      append(at.answer, rows.begin, x, block.conv2, block.activation2);
    else
      take_answer(m_network.answer_of(run_conv(x, block.conv2, block.activation2, 0)));
    at.joined_between.keep_from(rows.end - 1);
    at.joined.keep_from(at.joined_between.end() - 1);
  }

  void take_answer(const torch::Tensor& rows) {
    m_take(m_done, rows);
    m_done += rows.size(2);
  }

  /// What neither the level below nor the decoder beside it needs of a level any more.
  void forget(std::size_t level) {
    m_levels[level].out.keep_from(std::min(2 * m_levels[level + 1].in.end(), m_levels[level].joined.end()));
  }

  const FoldedUNet& m_network;
  const torch::Tensor& m_input;
  geo::Window m_wanted;
  const TakeRows& m_take;
  std::vector<LevelRegions> m_regions;  ///< of the answer down to where it is being computed
  std::vector<Level> m_levels;
  std::int64_t m_done = 0;  ///< rows of the answer that are known
};

bool FoldedUNet::can_go_by_rows(const torch::Tensor& input, const geo::Window& wanted) const {
  const bool is_residual = m_encoder.front().shortcut.weight.defined();
  if (input.size(0) != 1 || !input.device().is_cpu() || wanted.height < 2 * kRowsAtATime || is_residual ||
      looks_at_the_whole_input()) {
    return false;
  }
  // Otherwise zeros around a level would have to be told from rows that are not known yet.
  const auto regions =
      unet_regions(static_cast<std::int64_t>(m_encoder.size()), input.size(3), input.size(2), wanted);
  for (std::size_t level = 0; level < regions.size(); ++level) {
    const LevelRegions& at = regions[level];
    if (geo::grow(at.encoder_out, kBlockReachPx) != at.encoder_in) return false;
    if (level + 1 < regions.size() && geo::grow(at.decoder_out, kBlockReachPx) != at.decoder_in) return false;
  }
  return true;
}

void FoldedUNet::forward_by_rows(const torch::Tensor& input, const geo::Window& wanted,
                                 const TakeRows& take) const {
  RowPass(*this, input, wanted, take).run();
}

}  // namespace furrow::segmentation
