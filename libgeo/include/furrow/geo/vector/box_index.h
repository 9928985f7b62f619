#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::geo {

/// Bulk-packed R-tree over boxes (Boost.Geometry). Built once; concurrent queries are safe.
class BoxIndex {
 public:
  explicit BoxIndex(std::span<const Box> boxes);
  ~BoxIndex();
  BoxIndex(BoxIndex&&) noexcept;
  BoxIndex& operator=(BoxIndex&&) noexcept;

  /// Positions (in the order given at construction, ascending) of the boxes that intersect `query`.
  [[nodiscard]] std::vector<std::size_t> query(const Box& query) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::geo
