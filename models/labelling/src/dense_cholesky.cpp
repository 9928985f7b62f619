#include "dense_cholesky.h"

#include <cmath>
#include <utility>

#include <furrow/geo/core/error.h>

namespace furrow::labelling {

DenseCholesky::DenseCholesky(std::vector<double> matrix, std::size_t size)
    : m_l(std::move(matrix)), m_size(size) {
  for (std::size_t i = 0; i < size; ++i) {
    double* row = &m_l[i * size];
    for (std::size_t j = 0; j <= i; ++j) {
      const double* other = &m_l[j * size];
      double sum = row[j];
      for (std::size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = sum / other[j];
      } else {
        if (!(sum > 0.0)) throw geo::InvalidArgument("a matrix is not positive definite");
        row[i] = std::sqrt(sum);
      }
    }
  }
}

double DenseCholesky::log_determinant() const {
  double sum = 0.0;
  for (std::size_t i = 0; i < m_size; ++i) sum += 2.0 * std::log(at(i, i));
  return sum;
}

std::vector<double> DenseCholesky::solve(std::vector<double> x) const {
  for (std::size_t i = 0; i < m_size; ++i) {
    for (std::size_t k = 0; k < i; ++k) x[i] -= at(i, k) * x[k];
    x[i] /= at(i, i);
  }
  for (std::size_t i = m_size; i-- > 0;) {
    for (std::size_t k = i + 1; k < m_size; ++k) x[i] -= at(k, i) * x[k];
    x[i] /= at(i, i);
  }
  return x;
}

std::vector<double> DenseCholesky::inverse_diagonal() const {
  // Squared lengths of the columns of the factor's inverse.
  std::vector<double> diagonal(m_size, 0.0);
  std::vector<double> column(m_size);
  for (std::size_t j = 0; j < m_size; ++j) {
    for (std::size_t i = j; i < m_size; ++i) {
      double value = i == j ? 1.0 : 0.0;
      for (std::size_t k = j; k < i; ++k) value -= at(i, k) * column[k];
      column[i] = value / at(i, i);
      diagonal[j] += column[i] * column[i];
    }
  }
  return diagonal;
}

}  // namespace furrow::labelling
