#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/labelling/consensus.h>

namespace furrow::labelling {
namespace {

// Bits of a vote in a code: 0, 1, 2 and no vote fit two; votes with an unsure class need four.
constexpr unsigned kSureBits = 2;
constexpr unsigned kUnsureBits = 4;
constexpr Vote kSureMissing = 3;  ///< code of no vote in two bits; the highest, as kMissingVote is
/// Loops over so many pixels at a time have a length that the compiler knows, and become vector instructions.
constexpr std::size_t kLane = 64;

/// Most codes whose table stays in the fast caches, and costs little beside the pixels.
std::size_t many_codes(std::size_t pixels) {
  return std::clamp<std::size_t>(pixels / 4, std::size_t{1} << 8U, std::size_t{1} << 14U);
}

template <class Code>
void append(const Vote* from, std::size_t n, unsigned bits, Vote missing, Code* to) {
  std::size_t i = 0;
  for (; i + kLane <= n; i += kLane) {
    Code lane[kLane];
    for (std::size_t k = 0; k < kLane; ++k) lane[k] = std::min(from[i + k], missing);
    for (std::size_t k = 0; k < kLane; ++k) to[i + k] = static_cast<Code>((to[i + k] << bits) | lane[k]);
  }
  for (; i < n; ++i) to[i] = static_cast<Code>((to[i] << bits) | std::min(from[i], missing));
}

/// Appends votes without an unsure class to the codes, two bits each, until it finds one.
/// @return pixels whose codes were extended: all, or those before the lane with an unsure class
template <class Code>
std::size_t append_sure(std::span<const Vote> votes, std::vector<Code>& codes) {
  std::size_t i = 0;
  for (; i < votes.size(); i += kLane) {
    const std::size_t n = std::min(kLane, votes.size() - i);
    const Vote* lane = votes.data() + i;
    std::uint8_t any = 0;
    if (n == kLane) {
      for (std::size_t k = 0; k < kLane; ++k)
        any |= static_cast<std::uint8_t>((lane[k] > 2) & (lane[k] < kMissingVote));
    } else {
      for (std::size_t k = 0; k < n; ++k)
        any |= static_cast<std::uint8_t>((lane[k] > 2) & (lane[k] < kMissingVote));
    }
    if (any != 0) return i;
    append(lane, n, kSureBits, kSureMissing, codes.data() + i);
  }
  return votes.size();
}

/// Appends the votes of one labeller to the codes.
/// @return bits that each vote took
template <class Code>
unsigned append_votes(std::span<const Vote> votes, std::vector<Code>& codes) {
  const std::size_t done = append_sure(votes, codes);
  if (done == votes.size()) return kSureBits;
  for (std::size_t i = 0; i < done; ++i) codes[i] = static_cast<Code>(codes[i] >> kSureBits);
  append(votes.data(), votes.size(), kUnsureBits, kMissingVote, codes.data());
  return kUnsureBits;
}

/// Codes of neighbours that fill a machine word. Polygons make runs: mostly they are all the same.
template <class Code>
constexpr std::size_t kWord = sizeof(std::uint64_t) / sizeof(Code);

template <class Code>
bool is_run(const Code* codes) {
  std::uint64_t word = 0;
  std::memcpy(&word, codes, sizeof word);
  return std::rotl(word, 8 * static_cast<int>(sizeof(Code))) == word;
}

template <class Code>
std::vector<std::uint32_t> count_codes(const std::vector<Code>& pixels, std::size_t n_codes) {
  std::vector<std::uint32_t> counts(n_codes, 0);
  std::size_t i = 0;
  for (; i + kWord<Code> <= pixels.size(); i += kWord<Code>) {
    const Code* word = pixels.data() + i;
    if (is_run(word)) {
      counts[*word] += static_cast<std::uint32_t>(kWord<Code>);
    } else {
      for (std::size_t k = 0; k < kWord<Code>; ++k) ++counts[word[k]];
    }
  }
  for (; i < pixels.size(); ++i) ++counts[pixels[i]];
  return counts;
}

/// Codes that occur, ascending, and how many pixels have each.
struct Numbering {
  std::vector<std::uint32_t> codes;
  std::vector<std::int64_t> counts;
  std::vector<std::uint32_t> number_of;  ///< of each code that occurs
};

template <class Code>
Numbering number_codes(const std::vector<Code>& pixels, std::size_t n_codes) {
  const std::vector<std::uint32_t> counts = count_codes(pixels, n_codes);
  Numbering result;
  result.number_of.resize(n_codes);
  for (std::size_t code = 0; code < n_codes; ++code) {
    if (counts[code] == 0) continue;
    result.number_of[code] = static_cast<std::uint32_t>(result.codes.size());
    result.codes.push_back(static_cast<std::uint32_t>(code));
    result.counts.push_back(counts[code]);
  }
  return result;
}

/// Replaces codes by their numbers.
template <class From, class To>
void renumber(const std::vector<From>& codes, const Numbering& numbering, std::vector<To>& numbers) {
  numbers.resize(codes.size());
  const std::uint32_t* number = numbering.number_of.data();
  std::size_t i = 0;
  for (; i + kWord<From> <= codes.size(); i += kWord<From>) {
    const From* word = codes.data() + i;
    if (is_run(word)) {
      const auto same = static_cast<To>(number[*word]);
      for (std::size_t k = 0; k < kWord<From>; ++k) numbers[i + k] = same;
    } else {
      for (std::size_t k = 0; k < kWord<From>; ++k) numbers[i + k] = static_cast<To>(number[word[k]]);
    }
  }
  for (; i < codes.size(); ++i) numbers[i] = static_cast<To>(number[codes[i]]);
}

}  // namespace

PatternBuilder::PatternBuilder(std::size_t pixels) : m_narrow(pixels, 0), m_pixels(pixels) {
  if (pixels > 0) m_patterns.counts.push_back(static_cast<std::int64_t>(pixels));
}

void PatternBuilder::add(std::span<const Vote> votes) {
  if (votes.size() != m_pixels) {
    throw geo::InvalidArgument(
        geo::concat("a labeller has votes on ", votes.size(), " pixels, the site has ", m_pixels));
  }
  constexpr std::size_t kNarrowCodes = std::size_t{1} << 16U;
  // Room for an unsure class, which is only seen on the way.
  if ((m_codes << kUnsureBits) > many_codes(m_pixels) && !m_bits.empty()) start_numbering();
  if (!m_is_wide && (m_codes << kUnsureBits) > kNarrowCodes) widen();
  m_bits.push_back(m_is_wide ? append_votes(votes, m_patterns.of_pixel) : append_votes(votes, m_narrow));
  m_codes <<= m_bits.back();
}

void PatternBuilder::widen() {
  m_patterns.of_pixel.assign(m_narrow.begin(), m_narrow.end());
  m_narrow = {};
  m_is_wide = true;
}

void PatternBuilder::start_numbering() {
  const auto number = [this](auto& codes) {
    const Numbering numbering = number_codes(codes, m_codes);
    renumber(codes, numbering, codes);
    split_codes(numbering.codes, numbering.counts);
  };
  if (m_is_wide) {
    number(m_patterns.of_pixel);
  } else {
    number(m_narrow);
  }
}

void PatternBuilder::split_codes(std::span<const std::uint32_t> codes, std::span<const std::int64_t> counts) {
  VotePatterns next;
  next.voters = m_patterns.voters + m_bits.size();
  next.counts.assign(counts.begin(), counts.end());
  next.votes.resize(codes.size() * next.voters);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    std::uint32_t code = codes[i];
    Vote* votes = next.votes.data() + i * next.voters;
    for (std::size_t j = m_bits.size(); j-- > 0;) {
      const std::uint32_t last = code & ((1U << m_bits[j]) - 1U);
      votes[m_patterns.voters + j] =
          m_bits[j] == kSureBits && last == kSureMissing ? kMissingVote : static_cast<Vote>(last);
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
  if (m_is_wide) {
    if (!m_bits.empty()) start_numbering();
    return std::move(m_patterns);
  }
  const Numbering numbering = number_codes(m_narrow, m_codes);
  renumber(m_narrow, numbering, m_patterns.of_pixel);
  split_codes(numbering.codes, numbering.counts);
  return std::move(m_patterns);
}

}  // namespace furrow::labelling
