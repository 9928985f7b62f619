#pragma once

#include <cstdint>
#include <string_view>

namespace furrow::geo {

/// A seeded random stream that gives the same numbers on every platform and library version (unlike the
/// distributions of <random>). Method: xoshiro256++ seeded by splitmix64 (Blackman and Vigna 2019).
/// Not thread-safe: make one per task with `Random(seed, stream)`; different streams are independent.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0);

  [[nodiscard]] std::uint64_t bits();
  /// Uniform in [0, 1).
  [[nodiscard]] double uniform();
  /// Uniform in [low, high).
  [[nodiscard]] double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, n); n >= 1.
  [[nodiscard]] std::uint64_t below(std::uint64_t n);
  /// Standard normal (Box-Muller).
  [[nodiscard]] double normal();
  [[nodiscard]] double normal(double mean, double sd) { return mean + sd * normal(); }
  [[nodiscard]] bool chance(double probability) { return uniform() < probability; }
  /// Gamma with the given shape > 0 and scale 1 (Marsaglia and Tsang 2000).
  [[nodiscard]] double gamma(double shape);
  [[nodiscard]] double beta(double a, double b);

  /// Fisher-Yates, in place.
  template <class Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(below(i));
      if (j != i - 1) std::swap(items[i - 1], items[j]);
    }
  }

 private:
  std::uint64_t m_state[4];
  double m_spare = 0.0;
  bool m_has_spare = false;
};

/// A 64-bit hash of a text that never changes (FNV-1a with a final mix), to derive seeds and ids from names.
[[nodiscard]] std::uint64_t stable_hash(std::string_view text, std::uint64_t seed = 0);

}  // namespace furrow::geo
