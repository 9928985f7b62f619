#pragma once

#include <cstddef>

namespace furrow::geo {

/// While it lives, GDAL's block cache holds no more than `bytes` (or the sum of all that live), and not more
/// than before: work that passes over a raster once is slower with a cache that it fills with fresh memory.
/// Thread-safe.
class BlockCacheLimit {
 public:
  explicit BlockCacheLimit(std::size_t bytes);
  ~BlockCacheLimit();
  BlockCacheLimit(const BlockCacheLimit&) = delete;
  BlockCacheLimit& operator=(const BlockCacheLimit&) = delete;

 private:
  std::size_t m_bytes;
};

}  // namespace furrow::geo
