#include <furrow/labelling/risk_calibration.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::labelling {
namespace {

constexpr std::size_t kBins = 10;
constexpr double kLeastProbability = 1e-9;

double best_of(std::span<const double> posterior) {
  return std::ranges::max(posterior);
}

bool is_wrong(const CalibrationSample& sample) {
  const auto best = std::ranges::max_element(sample.posterior) - sample.posterior.begin();
  return best != sample.truth;
}

double total_weight(std::span<const CalibrationSample> samples) {
  double sum = 0.0;
  for (const auto& s : samples) sum += s.weight;
  return sum;
}

double log_loss(std::span<const CalibrationSample> samples) {
  double loss = 0.0;
  for (const auto& s : samples)
    loss -= s.weight * std::log(std::max(kLeastProbability, s.posterior[static_cast<std::size_t>(s.truth)]));
  return loss;
}

/// P(truth) of every sample after a power, and what its prior gives.
struct TruthProbabilities {
  std::vector<double> posterior;
  std::vector<double> prior;
  std::vector<double> weight;

  TruthProbabilities(std::span<const CalibrationSample> samples, double power) {
    std::vector<double> p;
    for (const auto& s : samples) {
      p = s.posterior;
      RiskCalibration{power, 0.0}.apply(p, s.prior);
      posterior.push_back(p[static_cast<std::size_t>(s.truth)]);
      prior.push_back(s.prior[static_cast<std::size_t>(s.truth)]);
      weight.push_back(s.weight);
    }
  }

  /// Sum of weighted log losses with this lapse.
  [[nodiscard]] double loss(double lapse) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const double p = (1.0 - lapse) * posterior[i] + lapse * prior[i];
      sum -= weight[i] * std::log(std::max(kLeastProbability, p));
    }
    return sum;
  }
};

/// Golden-section search for the lowest value of f on [low, high].
template <class TFunction>
double lowest_at(double low, double high, int steps, const TFunction& f) {
  const double ratio = 0.5 * (std::sqrt(5.0) - 1.0);
  double a = high - ratio * (high - low);
  double b = low + ratio * (high - low);
  double fa = f(a);
  double fb = f(b);
  for (int i = 0; i < steps; ++i) {
    if (fa <= fb) {
      high = b;
      b = a;
      fb = fa;
      a = high - ratio * (high - low);
      fa = f(a);
    } else {
      low = a;
      a = b;
      fa = fb;
      b = low + ratio * (high - low);
      fb = f(b);
    }
  }
  return 0.5 * (low + high);
}

/// Samples with their posteriors calibrated by what the other folds taught.
std::vector<CalibrationSample> cross_validate(std::span<const CalibrationSample> samples,
                                              const std::vector<std::uint32_t>& groups, int folds) {
  const auto fold_of = [&](std::uint32_t group) {
    const auto at = std::ranges::lower_bound(groups, group) - groups.begin();
    return static_cast<int>(at % folds);
  };
  std::vector<CalibrationSample> result(samples.begin(), samples.end());
  tbb::parallel_for(0, folds, [&](int fold) {
    std::vector<CalibrationSample> others;
    for (const auto& s : samples) {
      if (fold_of(s.group) != fold) others.push_back(s);
    }
    const RiskCalibration learned = fit_calibration(others);
    for (auto& s : result) {
      if (fold_of(s.group) == fold) learned.apply(s.posterior, s.prior);
    }
  });
  return result;
}

}  // namespace

void RiskCalibration::apply(std::span<double> posterior, std::span<const double> prior) const {
  if (power != 1.0) {
    double sum = 0.0;
    for (double& p : posterior) {
      p = std::pow(p, power);
      sum += p;
    }
    for (double& p : posterior) p /= sum;
  }
  if (lapse == 0.0) return;
  for (std::size_t c = 0; c < posterior.size(); ++c)
    posterior[c] = (1.0 - lapse) * posterior[c] + lapse * prior[c];
}

std::vector<ReliabilityBin> reliability_curve(std::span<const CalibrationSample> samples) {
  std::vector<ReliabilityBin> bins(kBins);
  for (const auto& s : samples) {
    const double risk = 1.0 - best_of(s.posterior);
    const auto at = std::min(kBins - 1, static_cast<std::size_t>(std::max(0.0, risk) * kBins));
    bins[at].weight += s.weight;
    bins[at].mean_risk += s.weight * risk;
    bins[at].error_rate += is_wrong(s) ? s.weight : 0.0;
  }
  for (std::size_t i = 0; i < kBins; ++i) {
    bins[i].low = static_cast<double>(i) / kBins;
    bins[i].high = static_cast<double>(i + 1) / kBins;
    bins[i].mean_risk /= bins[i].weight;
    bins[i].error_rate /= bins[i].weight;
  }
  return bins;
}

CalibrationMeasures measure_calibration(std::span<const CalibrationSample> samples) {
  CalibrationMeasures m;
  const double total = total_weight(samples);
  if (total <= 0.0) return m;
  for (const auto& s : samples) {
    const double w = s.weight / total;
    for (std::size_t c = 0; c < s.posterior.size(); ++c) {
      const double miss = s.posterior[c] - (static_cast<std::int32_t>(c) == s.truth ? 1.0 : 0.0);
      m.brier += w * miss * miss;
    }
    m.mean_risk += w * (1.0 - best_of(s.posterior));
    m.error_rate += is_wrong(s) ? w : 0.0;
  }
  m.log_loss = log_loss(samples) / total;
  for (const auto& bin : reliability_curve(samples)) {
    if (bin.weight > 0.0) m.ece += bin.weight / total * std::abs(bin.mean_risk - bin.error_rate);
  }
  return m;
}

RiskCalibration fit_calibration(std::span<const CalibrationSample> samples) {
  constexpr int kSteps = 12;
  // The lapse lives on a square-root scale: values near zero matter most.
  const auto best_lapse = [](const TruthProbabilities& p) {
    const double root = lowest_at(0.0, std::sqrt(0.2), kSteps, [&](double r) { return p.loss(r * r); });
    return root * root;
  };
  RiskCalibration best;
  best.power = lowest_at(0.1, 2.0, kSteps, [&](double power) {
    const TruthProbabilities p(samples, power);
    return p.loss(best_lapse(p));
  });
  best.lapse = best_lapse(TruthProbabilities(samples, best.power));
  return best;
}

CalibrationReport calibrate_risk(std::span<const CalibrationSample> samples, int folds) {
  if (folds < 2) throw geo::InvalidArgument(geo::concat("calibration needs 2 folds or more, not ", folds));
  CalibrationReport report;
  std::set<std::uint32_t> seen;
  for (const auto& s : samples) {
    if (s.weight > 0.0) seen.insert(s.group);
  }
  const std::vector<std::uint32_t> groups(seen.begin(), seen.end());
  report.groups = groups.size();
  report.before = measure_calibration(samples);
  report.after = report.before;
  report.bins = reliability_curve(samples);
  if (groups.size() < 2) return report;
  const auto validated = cross_validate(samples, groups, std::min(folds, static_cast<int>(groups.size())));
  const CalibrationMeasures after = measure_calibration(validated);
  if (after.log_loss >= report.before.log_loss) return report;
  report.calibration = fit_calibration(samples);
  report.after = after;
  report.bins = reliability_curve(validated);
  return report;
}

}  // namespace furrow::labelling
