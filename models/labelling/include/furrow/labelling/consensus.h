#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Fusion of several labellers' votes on a pixel into one label, a posterior and a risk. Knows no file and no
/// map: it works on vote patterns, so that each distinct combination of votes is computed once, however many
/// pixels have it.
namespace furrow::labelling {

/// What one labeller says of one pixel: a class (0 background, 1 interior, 2 boundary) from the polygons
/// drawn with certainty, and a class from those drawn as "unsure"; or nothing at all.
using Vote = std::uint8_t;

/// The labeller did not answer for this pixel.
inline constexpr Vote kMissingVote = 9;

/// @param sure    class 0..2 of the sure polygons
/// @param unsure  class 0..2 of the unsure polygons
[[nodiscard]] constexpr Vote make_vote(unsigned sure, unsigned unsure = 0) noexcept {
  return static_cast<Vote>(sure + 3U * unsure);
}
[[nodiscard]] constexpr unsigned sure_class(Vote vote) noexcept {
  return vote % 3U;
}
[[nodiscard]] constexpr unsigned unsure_class(Vote vote) noexcept {
  return vote / 3U;
}

/// What a labeller's vote is worth; all ones = one voice each. NaN = not known.
struct VoterWeight {
  double score = 1.0;          ///< mean quality score, >= 0
  double field_skill = 1.0;    ///< P(says field | field), 0..1
  double nofield_skill = 1.0;  ///< P(says no field | no field), 0..1
};

struct FusionOptions {
  /// 3: background, interior, boundary. 2: field or not (boundary votes count as field).
  int classes = 3;
  /// Two classes only: the published platform's formula with its known defects, to compare with its results.
  bool compatible = false;
  /// Two classes only: field where the heat is above this. The platform uses 0.5000001, the paper's code
  /// 0.50000001.
  double label_threshold = 0.5000001;
  /// Share of field expected before anyone has looked, 0..1 exclusive; used where a pixel has one vote only.
  double prior_field_share = 0.5;
};

/// The decision on one pixel (or on all pixels with the same votes).
struct FusedVote {
  /// P(background), P(interior), P(boundary). Two classes: 1 - heat, heat, 0. NaN where nobody voted.
  std::array<double, 3> posterior{};
  std::uint8_t label = 0;  ///< class, or geo::kIgnore (255) where nobody voted
  double risk = 0.0;       ///< expected 0-1 loss of `label`; NaN where nobody voted
};

/// Fuses the votes on one pixel.
///
/// Weight of a vote: w = score x (field skill when it says field, else no-field skill), the published
/// weighted vote
/// ("Bayesian model averaging"). With all weights one it is the plain majority.
///
/// Default (corrected) rules:
///  - P(c) = sum of the weights of votes for c / sum of all weights.
///  - An unsure polygon gives half its weight to the field class and half to background; where a labeller
///  drew both a
///    sure and an unsure polygon, the sure one counts.
///  - A weight that is not known (NaN) takes out that vote only. Where this (or weights of zero) leaves
///  nothing, all
///    votes count the same.
///  - Where a single vote remains, it is right with the probability P(field | says field) = g s / (g s +
///  (1-g)(1-q)),
///    or P(no field | says no field) = (1-g) q / ((1-g) q + g (1-s)), with g the prior share of field, s and
///    q the labeller's skills; never below one half, so that a vote is not turned round. The rest goes to
///    background, or to interior when the vote is for background. With weights of one, or a skill that is not
///    known, the vote is certain.
///  - Three classes: the label is the most probable class; a tie with background is background, a tie of
///  interior and
///    boundary is boundary, so that neighbouring fields stay apart. Ties are values closer than 1e-9. Risk is
///    1 - max P, at most 2/3.
///  - Two classes: heat C = P(field), label D = C > threshold, risk C(1-D) + (1-C)D, at most 1/2 at the
///  default threshold.
///
/// `compatible` (two classes): heat = (sum w over sure field + sum w/2 over unsure) / sum of the sure layer's
/// w. Unsure polygons are missing from the denominator, so heat can exceed 1 and risk can be negative; a
/// labeller without a score is left out, a missing skill makes the pixel NaN; a single labeller has risk 0.
///
/// @param votes    one per labeller
/// @param weights  one per labeller
/// @throws InvalidArgument  different lengths; classes not 2 or 3; compatible with 3 classes
/// Reference: the published platform's consensus code and the Ghana supplement (Estes et al. 2022).
/// Thread-safe.
[[nodiscard]] FusedVote fuse_votes(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                                   const FusionOptions& options);

/// Label and risk of a posterior, by the rules of fuse_votes for ties and thresholds.
/// @param posterior  shape [options.classes]; empty = nobody voted (label 255)
/// @throws InvalidArgument  another number of classes
[[nodiscard]] FusedVote decide_posterior(std::span<const double> posterior, const FusionOptions& options);

/// The distinct combinations of votes in a set of pixels.
struct VotePatterns {
  std::size_t voters = 0;
  std::vector<Vote> votes;              ///< shape [patterns, voters]
  std::vector<std::int64_t> counts;     ///< pixels of each pattern
  std::vector<std::uint32_t> of_pixel;  ///< pattern of each pixel

  [[nodiscard]] std::size_t size() const noexcept { return counts.size(); }
  [[nodiscard]] std::span<const Vote> pattern(std::size_t index) const {
    return {votes.data() + index * voters, voters};
  }
};

/// Builds VotePatterns labeller by labeller, so that only one labeller's raster is in memory at a time.
/// Patterns stand in ascending order of their votes, the first labeller's first. Not thread-safe.
///
/// A pixel's votes are strung together as the bits of a code, without a look-up per labeller; only when the
/// codes have become many are the ones that occur numbered from 0.
class PatternBuilder {
 public:
  explicit PatternBuilder(std::size_t pixels);
  /// @param votes  one per pixel
  /// @throws InvalidArgument when the number of pixels differs
  void add(std::span<const Vote> votes);
  [[nodiscard]] VotePatterns finish() &&;

 private:
  void widen();
  void start_numbering();
  void split_codes(std::span<const std::uint32_t> codes, std::span<const std::int64_t> counts);

  VotePatterns m_patterns;              ///< as last numbered; where codes are wide, of_pixel holds them
  std::vector<std::uint16_t> m_narrow;  ///< codes of the pixels while 16 bits hold them
  std::size_t m_pixels = 0;
  bool m_is_wide = false;
  std::vector<unsigned> m_bits;  ///< of each labeller since the last numbering
  std::size_t m_codes = 1;       ///< codes are below this
};

/// fuse_votes for every pattern, in their order.
/// @throws InvalidArgument as fuse_votes
[[nodiscard]] std::vector<FusedVote> fuse_patterns(const VotePatterns& patterns,
                                                   std::span<const VoterWeight> weights,
                                                   const FusionOptions& options);

}  // namespace furrow::labelling
