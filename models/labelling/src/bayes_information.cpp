#include "bayes_information.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include <furrow/geo/core/error.h>

#include "dense_cholesky.h"

namespace furrow::labelling::bayes {
namespace {

constexpr double kLeastKnown = 0.02;
constexpr std::size_t kMostVoters = 300;

/// Symmetric matrix, row-major.
struct Matrix {
  std::size_t size = 0;
  std::vector<double> values;

  explicit Matrix(std::size_t n) : size(n), values(n * n, 0.0) {}
  double& at(std::size_t row, std::size_t col) { return values[row * size + col]; }
};

/// Diagonal of the inverse; nothing where the matrix is not positive definite, which an approximate
/// information matrix of a few votes can be.
std::optional<std::vector<double>> inverse_diagonal(const Matrix& m) {
  try {
    return DenseCholesky(m.values, m.size).inverse_diagonal();
  } catch (const geo::InvalidArgument&) {
    return std::nullopt;
  }
}

/// Fills the matrix of observed information. Voter v has its specificity at 2 v, its sensitivity at 2 v + 1.
class ObservedInformation {
 public:
  /// @param skills  of skills_of()
  ObservedInformation(const Rows& rows, const Model& model, const State& state,
                      const std::vector<double>& skills)
      : m_rows(rows), m_model(model), m_state(state), m_skills(skills), m_matrix(2 * rows.voters) {}

  void add_diagonal(const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) m_matrix.at(i, i) += values[i];
  }

  /// Takes away what is missing on a group, its field share being unknown too.
  void subtract_group(std::size_t group) {
    const std::size_t seats = m_rows.seat_begin[group + 1] - m_rows.seat_begin[group];
    m_missing.assign(4 * seats * seats, 0.0);
    m_with_share.assign(2 * seats, 0.0);
    double missing_share = 0.0;
    for (std::size_t r = m_rows.group_begin[group]; r < m_rows.group_begin[group + 1]; ++r)
      missing_share += add_row(group, r, seats);
    const double field = 1.0 - m_state.shares[group * m_rows.classes];
    const double prior = std::accumulate(m_model.share_votes.begin(), m_model.share_votes.end(), 0.0);
    const double complete =
        (m_rows.items[group] * m_model.group_scale[group] + prior) * field * (1.0 - field);
    const double share = std::max(complete - missing_share, 1e-3 * complete);
    const double replicas = m_rows.replicas[group];
    for (std::size_t i = 0; i < 2 * seats; ++i) {
      for (std::size_t j = 0; j < 2 * seats; ++j) {
        const double lost = m_missing[i * 2 * seats + j] + m_with_share[i] * m_with_share[j] / share;
        m_matrix.at(place(group, i), place(group, j)) -= replicas * lost;
      }
    }
  }

  [[nodiscard]] const Matrix& matrix() const noexcept { return m_matrix; }

 private:
  [[nodiscard]] std::size_t place(std::size_t group, std::size_t i) const {
    return 2 * m_rows.seat_voter[m_rows.seat_begin[group] + i / 2] + i % 2;
  }

  /// Adds a row's share of the missing information; returns that of the group's field share.
  double add_row(std::size_t group, std::size_t r, std::size_t seats) {
    const double field = 1.0 - m_state.posterior[r * m_rows.classes];
    const double spread = m_rows.count[r] * m_model.group_scale[group] * field * (1.0 - field);
    if (spread <= 0.0) return 0.0;
    m_slopes.assign(2 * seats, 0.0);
    for (std::size_t v = m_rows.vote_begin[r]; v < m_rows.vote_begin[r + 1]; ++v) {
      const SeatVote& vote = m_rows.votes[v];
      const std::size_t voter = m_rows.seat_voter[vote.seat];
      if (m_model.is_silenced[voter] != 0) continue;
      const std::size_t at = 2 * (vote.seat - m_rows.seat_begin[group]);
      const double* skills = m_skills.data() + voter * (m_rows.classes + 1);
      const double q = skills[0];
      const double s = skills[m_rows.classes];
      const bool says_field = vote.outcome >= 1 && vote.outcome < m_rows.classes;
      m_slopes[at] -= vote.times * (vote.outcome == 0 ? 1.0 / q : -1.0 / (1.0 - q));
      m_slopes[at + 1] += vote.times * (says_field ? 1.0 / s : -1.0 / (1.0 - s));
    }
    for (std::size_t i = 0; i < 2 * seats; ++i) {
      if (m_slopes[i] == 0.0) continue;
      m_with_share[i] += spread * m_slopes[i];
      for (std::size_t j = 0; j < 2 * seats; ++j)
        m_missing[i * 2 * seats + j] += spread * m_slopes[i] * m_slopes[j];
    }
    return spread;
  }

  const Rows& m_rows;
  const Model& m_model;
  const State& m_state;
  const std::vector<double>& m_skills;
  Matrix m_matrix;
  std::vector<double> m_missing;     ///< of one group, shape [2 seats, 2 seats]
  std::vector<double> m_with_share;  ///< shape [2 seats]
  std::vector<double> m_slopes;      ///< of one row, shape [2 seats]
};

double strength_of(const Rows& rows, const Model& model, std::size_t cls) {
  const auto first = model.row_votes.begin() + static_cast<std::ptrdiff_t>(cls * rows.outcomes);
  return std::accumulate(first, first + static_cast<std::ptrdiff_t>(rows.outcomes), 0.0);
}

}  // namespace

std::vector<double> known_information(const Rows& rows, const Model& model, const State& state,
                                      const SeatEvidence& evidence, const std::vector<AspectEvidence>& sums) {
  const std::vector<double> skills = skills_of(rows, state);
  std::vector<double> complete(2 * rows.voters, 0.0);
  for (std::size_t s = 0; s < rows.seats(); ++s) {
    const double replicas = rows.replicas[rows.seat_group[s]];
    complete[2 * rows.seat_voter[s]] += replicas * evidence.complete[s * evidence.aspects];
    complete[2 * rows.seat_voter[s] + 1] += replicas * evidence.complete[s * evidence.aspects + rows.classes];
  }
  std::vector<double> prior(2 * rows.voters);
  std::vector<double> known(2 * rows.voters);
  std::vector<double> diagonal(2 * rows.voters);
  for (std::size_t i = 0; i < known.size(); ++i) {
    const std::size_t aspect = i / 2 * evidence.aspects + (i % 2 == 0 ? 0 : rows.classes);
    const AspectEvidence& e = sums[aspect];
    const double skill = skills[aspect];
    const double scale = e.independent > 0.0 ? e.units / e.independent : 1.0;
    prior[i] = scale * strength_of(rows, model, i % 2) / (skill * (1.0 - skill));
    known[i] = e.known_share;
    diagonal[i] = prior[i] + complete[i];
  }
  if (rows.voters > kMostVoters) return known;
  ObservedInformation information(rows, model, state, skills);
  information.add_diagonal(diagonal);
  for (std::size_t g = 0; g < rows.groups; ++g) information.subtract_group(g);
  const auto variance = inverse_diagonal(information.matrix());
  if (!variance) return known;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (complete[i] <= 0.0) continue;
    const double observed = (1.0 / (*variance)[i] - prior[i]) / complete[i];
    known[i] = std::clamp(observed, kLeastKnown, known[i]);
  }
  return known;
}

}  // namespace furrow::labelling::bayes
