#include <furrow/labelling/consensus.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>

namespace furrow::labelling {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTie = 1e-9;  ///< sums of the same weights in another order differ by less

constexpr FusedVote kNobody{{kNaN, kNaN, kNaN}, geo::kIgnore, kNaN};

void check(std::span<const Vote> votes, std::span<const VoterWeight> weights, const FusionOptions& options) {
  if (votes.size() != weights.size()) {
    throw geo::InvalidArgument(
        geo::concat("there are ", votes.size(), " votes but ", weights.size(), " weights"));
  }
  if (options.classes != 2 && options.classes != 3)
    throw geo::InvalidArgument(geo::concat("a consensus has 2 or 3 classes, not ", options.classes));
  if (options.compatible && options.classes != 2)
    throw geo::InvalidArgument("the compatible consensus has 2 classes, not 3");
}

/// Class that the vote counts for, with the sure polygons first.
unsigned voted_class(Vote vote) {
  return sure_class(vote) != 0 ? sure_class(vote) : unsure_class(vote);
}

bool is_unsure(Vote vote) {
  return sure_class(vote) == 0 && unsure_class(vote) != 0;
}

double weight_of(bool says_field, const VoterWeight& weight) {
  return weight.score * (says_field ? weight.field_skill : weight.nofield_skill);
}

double decision_risk(double heat, bool field) {
  return field ? 1.0 - heat : heat;
}

FusedVote decide_binary(double heat, double threshold) {
  if (std::isnan(heat)) return kNobody;
  const bool field = heat > threshold;
  return {{1.0 - heat, heat, 0.0}, field ? geo::kInterior : geo::kBackground, decision_risk(heat, field)};
}

FusedVote fuse_compatible(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                          double threshold) {
  double numerator = 0.0;
  double denominator = 0.0;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (votes[i] == kMissingVote || std::isnan(weights[i].score)) continue;
    const bool sure = sure_class(votes[i]) != 0;
    const double w = weight_of(sure, weights[i]);
    denominator += w;
    if (sure) numerator += w;
    if (unsure_class(votes[i]) != 0) numerator += 0.5 * weight_of(true, weights[i]);
  }
  return decide_binary(numerator / denominator, threshold);
}

/// Weights of the votes by class, and how many votes there are.
struct Tally {
  std::array<double, 3> by_class{};
  double total = 0.0;
  std::size_t votes = 0;
  std::size_t last = 0;  ///< position of the last vote that counted
};

Tally tally(std::span<const Vote> votes, std::span<const VoterWeight> weights, bool equal) {
  Tally result;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (votes[i] == kMissingVote) continue;
    const unsigned voted = voted_class(votes[i]);
    const double w = equal ? 1.0 : weight_of(voted != 0, weights[i]);
    if (std::isnan(w)) continue;
    const double share = is_unsure(votes[i]) ? 0.5 : 1.0;
    result.by_class[voted] += share * w;
    result.by_class[0] += (1.0 - share) * w;
    result.total += w;
    ++result.votes;
    result.last = i;
  }
  return result;
}

double ratio_or(double numerator, double denominator, double fallback) {
  const double value = numerator / denominator;
  return std::isfinite(value) ? value : fallback;
}

/// Probability that the only vote is right: Bayes' rule with the prior share of field g.
double probability_right(bool says_field, const VoterWeight& weight, double g) {
  const double s = weight.field_skill;
  const double q = weight.nofield_skill;
  if (std::isnan(s) || std::isnan(q)) return 1.0;
  const double right = says_field ? ratio_or(g * s, g * s + (1.0 - g) * (1.0 - q), 0.5)
                                  : ratio_or((1.0 - g) * q, (1.0 - g) * q + g * (1.0 - s), 0.5);
  return std::clamp(right, 0.5, 1.0);
}

std::array<double, 3> posterior_of_one(Vote vote, const VoterWeight& weight, double prior_field_share) {
  const unsigned voted = voted_class(vote);
  const double right = is_unsure(vote) ? 0.5 : probability_right(voted != 0, weight, prior_field_share);
  std::array<double, 3> posterior{};
  posterior[voted] = right;
  posterior[voted == 0 ? 1 : 0] = 1.0 - right;
  return posterior;
}

FusedVote decide_classes(const std::array<double, 3>& posterior) {
  const double best = std::max({posterior[0], posterior[1], posterior[2]});
  std::uint8_t label = geo::kInterior;
  if (posterior[0] >= best - kTie) {
    label = geo::kBackground;
  } else if (posterior[2] >= best - kTie) {
    label = geo::kBoundary;
  }
  return {posterior, label, std::max(0.0, 1.0 - best)};
}

FusedVote fuse_corrected(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                         const FusionOptions& options) {
  Tally result = tally(votes, weights, false);
  const bool weighted = result.total > 0.0 || result.votes == 1;
  if (!weighted) result = tally(votes, weights, true);
  if (result.votes == 0) return kNobody;
  std::array<double, 3> posterior{};
  if (result.votes == 1) {
    posterior = posterior_of_one(votes[result.last], weights[result.last], options.prior_field_share);
  } else {
    for (std::size_t c = 0; c < 3; ++c) posterior[c] = std::min(1.0, result.by_class[c] / result.total);
  }
  if (options.classes == 3) return decide_classes(posterior);
  return decide_binary(std::min(1.0, posterior[1] + posterior[2]), options.label_threshold);
}

// Bits of a vote in a code: 0, 1, 2 and no vote fit two; votes with an unsure class need four.
constexpr unsigned kSureBits = 2;
constexpr unsigned kUnsureBits = 4;
/// Loops over so many pixels at a time have a length that the compiler knows, and become vector instructions.
constexpr std::size_t kLane = 64;

bool has_unsure(std::span<const Vote> votes) {
  std::size_t i = 0;
  for (; i + kLane <= votes.size(); i += kLane) {
    const Vote* lane = votes.data() + i;
    std::uint8_t any = 0;
    for (std::size_t k = 0; k < kLane; ++k)
      any |= static_cast<std::uint8_t>((lane[k] > 2) & (lane[k] < kMissingVote));
    if (any != 0) return true;
  }
  return std::any_of(votes.begin() + static_cast<std::ptrdiff_t>(i), votes.end(),
                     [](Vote vote) { return vote > 2 && vote < kMissingVote; });
}

void append_votes(std::span<const Vote> votes, unsigned bits, std::vector<std::uint32_t>& codes) {
  const Vote missing = bits == kSureBits ? Vote{3} : kMissingVote;
  const Vote* from = votes.data();
  std::uint32_t* to = codes.data();
  std::size_t i = 0;
  for (; i + kLane <= votes.size(); i += kLane) {
    std::uint32_t lane[kLane];
    for (std::size_t k = 0; k < kLane; ++k) lane[k] = std::min(from[i + k], missing);
    for (std::size_t k = 0; k < kLane; ++k) to[i + k] = (to[i + k] << bits) | lane[k];
  }
  for (; i < votes.size(); ++i) to[i] = (to[i] << bits) | std::min(from[i], missing);
}

struct Numbering {
  std::vector<std::uint32_t> codes;  ///< of each number
  std::vector<std::int64_t> counts;  ///< pixels of each
};

/// Most codes whose table stays in the fast caches, and costs little beside the pixels.
std::size_t many_codes(std::size_t pixels) {
  return std::clamp<std::size_t>(pixels / 4, std::size_t{1} << 8U, std::size_t{1} << 14U);
}

/// How many pixels have each code.
std::vector<std::uint32_t> count_codes(const std::vector<std::uint32_t>& pixels, std::size_t n_codes) {
  // Neighbours are alike: counted in tables of their own, their additions overlap.
  constexpr std::size_t kTables = 4;
  const std::size_t step = n_codes <= pixels.size() ? n_codes : 0;
  std::vector<std::uint32_t> counts(n_codes + (kTables - 1) * step, 0);
  std::uint32_t* const table = counts.data();
  const std::uint32_t* pixel = pixels.data();
  std::size_t left = pixels.size();
  for (; left >= kTables; left -= kTables, pixel += kTables) {
    ++table[pixel[0]];
    ++table[step + pixel[1]];
    ++table[2 * step + pixel[2]];
    ++table[3 * step + pixel[3]];
  }
  for (; left > 0; --left) ++table[*pixel++];
  for (std::size_t i = n_codes; i < counts.size(); ++i) counts[i % n_codes] += counts[i];
  counts.resize(n_codes);
  return counts;
}

/// Replaces codes by numbers in the order in which they first stand in `pixels`.
Numbering number_in_order(std::vector<std::uint32_t>& pixels, std::size_t n_codes) {
  constexpr std::uint32_t kNew = std::numeric_limits<std::uint32_t>::max();
  const std::vector<std::uint32_t> counts = count_codes(pixels, n_codes);
  const auto different = n_codes - static_cast<std::size_t>(std::count(counts.begin(), counts.end(), 0U));
  Numbering result;
  result.codes.reserve(different);
  std::vector<std::uint32_t> numbers(n_codes, kNew);
  for (std::size_t i = 0; result.codes.size() < different; ++i) {
    std::uint32_t& number = numbers[pixels[i]];
    if (number != kNew) continue;
    number = static_cast<std::uint32_t>(result.codes.size());
    result.codes.push_back(pixels[i]);
    result.counts.push_back(counts[pixels[i]]);
  }
  const std::uint32_t* const number = numbers.data();
  for (std::uint32_t& pixel : pixels) pixel = number[pixel];
  return result;
}

}  // namespace

FusedVote fuse_votes(std::span<const Vote> votes, std::span<const VoterWeight> weights,
                     const FusionOptions& options) {
  check(votes, weights, options);
  return options.compatible ? fuse_compatible(votes, weights, options.label_threshold)
                            : fuse_corrected(votes, weights, options);
}

FusedVote decide_posterior(std::span<const double> posterior, const FusionOptions& options) {
  if (posterior.empty()) return kNobody;
  if (posterior.size() != static_cast<std::size_t>(options.classes)) {
    throw geo::InvalidArgument(
        geo::concat("a posterior of ", posterior.size(), " classes where there are ", options.classes));
  }
  if (options.classes == 2) return decide_binary(posterior[1], options.label_threshold);
  return decide_classes({posterior[0], posterior[1], posterior[2]});
}

PatternBuilder::PatternBuilder(std::size_t pixels) {
  m_patterns.of_pixel.assign(pixels, 0);
  if (pixels > 0) m_patterns.counts.push_back(static_cast<std::int64_t>(pixels));
}

void PatternBuilder::add(std::span<const Vote> votes) {
  if (votes.size() != m_patterns.of_pixel.size()) {
    throw geo::InvalidArgument(geo::concat("a labeller has votes on ", votes.size(), " pixels, the site has ",
                                           m_patterns.of_pixel.size()));
  }
  const unsigned bits = has_unsure(votes) ? kUnsureBits : kSureBits;
  if ((m_codes << bits) > many_codes(votes.size()) && !m_bits.empty()) number_codes();
  append_votes(votes, bits, m_patterns.of_pixel);
  m_bits.push_back(bits);
  m_codes <<= bits;
}

void PatternBuilder::number_codes() {
  const Numbering numbering = number_in_order(m_patterns.of_pixel, m_codes);
  VotePatterns next;
  next.voters = m_patterns.voters + m_bits.size();
  next.counts = numbering.counts;
  next.votes.resize(numbering.codes.size() * next.voters);
  for (std::size_t i = 0; i < numbering.codes.size(); ++i) {
    std::uint32_t code = numbering.codes[i];
    Vote* votes = next.votes.data() + i * next.voters;
    for (std::size_t j = m_bits.size(); j-- > 0;) {
      const std::uint32_t last = code & ((1U << m_bits[j]) - 1U);
      votes[m_patterns.voters + j] =
          m_bits[j] == kSureBits && last == 3U ? kMissingVote : static_cast<Vote>(last);
      code >>= m_bits[j];
    }
    std::ranges::copy(m_patterns.pattern(code), votes);
  }
  next.of_pixel = std::move(m_patterns.of_pixel);
  m_patterns = std::move(next);
  m_bits.clear();
  m_codes = m_patterns.size();
}

VotePatterns PatternBuilder::finish() && {
  if (!m_bits.empty()) number_codes();
  return std::move(m_patterns);
}

std::vector<FusedVote> fuse_patterns(const VotePatterns& patterns, std::span<const VoterWeight> weights,
                                     const FusionOptions& options) {
  std::vector<FusedVote> fused;
  fused.reserve(patterns.size());
  for (std::size_t i = 0; i < patterns.size(); ++i)
    fused.push_back(fuse_votes(patterns.pattern(i), weights, options));
  return fused;
}

}  // namespace furrow::labelling
