#pragma once

#include <cstddef>
#include <vector>

namespace furrow::labelling {

/// Cholesky factor of a small dense symmetric positive definite matrix.
class DenseCholesky {
 public:
  /// @param matrix  shape [size, size], row-major; only the lower triangle is read
  /// @throws geo::InvalidArgument when it is not positive definite
  DenseCholesky(std::vector<double> matrix, std::size_t size);

  [[nodiscard]] double log_determinant() const;
  [[nodiscard]] std::vector<double> solve(std::vector<double> right) const;
  /// Diagonal of the inverse matrix.
  [[nodiscard]] std::vector<double> inverse_diagonal() const;

 private:
  [[nodiscard]] double at(std::size_t row, std::size_t column) const { return m_l[row * m_size + column]; }

  std::vector<double> m_l;
  std::size_t m_size;
};

}  // namespace furrow::labelling
