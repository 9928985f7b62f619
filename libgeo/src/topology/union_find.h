#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace furrow::geo::detail {

/// Path halving; the root of a set is its smallest member.
template <class Number>
Number find(std::vector<Number>& parent, Number i) {
  while (parent[i] != i) {
    parent[i] = parent[parent[i]];
    i = parent[i];
  }
  return i;
}

/// Joins two sets; the lower root becomes that of both.
template <class Number>
void unite(std::vector<Number>& parent, Number a, Number b) {
  a = find(parent, a);
  b = find(parent, b);
  if (a < b) parent[b] = a;
  if (b < a) parent[a] = b;
}

/// Sets of numbers 0..n-1; the root of a set is its lowest number.
class UnionFind {
 public:
  explicit UnionFind(std::size_t n) : m_parent(n) {
    for (std::size_t i = 0; i < n; ++i) m_parent[i] = static_cast<std::uint32_t>(i);
  }
  [[nodiscard]] std::uint32_t root(std::uint32_t i) { return find(m_parent, i); }
  void unite(std::uint32_t a, std::uint32_t b) { detail::unite(m_parent, a, b); }

 private:
  std::vector<std::uint32_t> m_parent;
};

}  // namespace furrow::geo::detail
