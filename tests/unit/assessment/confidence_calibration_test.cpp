#include <furrow/assessment/confidence_calibration.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>

#include "support.h"

namespace furrow::assessment {
namespace {

/// What is true of a simulated field: confidence 0.3 to 0.9, and how often such a field matches.
double true_probability(double raw) {
  return std::clamp(2.0 * (raw - 0.35), 0.05, 0.9);
}

std::vector<KnownField> simulated(std::size_t fields, std::uint64_t seed, std::int64_t per_block = 5) {
  geo::Random random(seed, 1);
  std::vector<KnownField> known;
  for (std::size_t i = 0; i < fields; ++i) {
    const double raw = random.uniform(0.3, 0.9);
    known.push_back({raw, random.chance(true_probability(raw)), static_cast<std::int64_t>(i) / per_block});
  }
  return known;
}

std::vector<double> applied(const ConfidenceCalibration& calibration, const std::vector<KnownField>& fields) {
  std::vector<double> p;
  for (const KnownField& field : fields) p.push_back(calibration.curve.at(field.raw));
  return p;
}

TEST(ConfidenceCalibration, FindsTheTrueProbability) {
  const auto calibration = fit_confidence(simulated(5000, 1), 0.5);
  // Pooled blocks hold a few hundred fields: standard error about 0.025.
  for (const double raw : {0.4, 0.5, 0.6, 0.7, 0.85})
    EXPECT_NEAR(calibration.curve.at(raw), true_probability(raw), 0.09) << raw;
  const auto others = simulated(5000, 2);
  const auto reliability = reliability_of(others, applied(calibration, others), 300, 1);
  EXPECT_LT(reliability.ece, 0.04);
  EXPECT_LT(reliability.brier, reliability.base_brier - 0.03);
  // What the intervals say: the mean prediction of nearly every bin lies inside.
  int outside = 0;
  for (const auto& bin : reliability.bins)
    outside += static_cast<int>(bin.predicted < bin.observed_range.low - 0.02 ||
                                bin.predicted > bin.observed_range.high + 0.02);
  EXPECT_LE(outside, 2);
}

TEST(ConfidenceCalibration, HeldOutFiguresAreThoseOfOtherFields) {
  // A fit looks best on its own fields; what is held out is as on new ones.
  double own = 0.0;
  double held_out = 0.0;
  double elsewhere = 0.0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto known = simulated(80, seed);
    const auto others = simulated(1000, 1000 + seed);
    const auto calibration = fit_confidence(known, 0.5);
    own += reliability_of(known, applied(calibration, known), 1, 1).brier;
    held_out += reliability_of(known, held_out_probabilities(known, 0.5), 1, 1).brier;
    elsewhere += reliability_of(others, applied(calibration, others), 1, 1).brier;
  }
  EXPECT_LT(own / 40, elsewhere / 40 - 0.01);
  EXPECT_NEAR(held_out / 40, elsewhere / 40, 0.012);
}

TEST(ConfidenceCalibration, DoesNotDependOnTheOrderOfFields) {
  auto known = simulated(200, 3);
  const auto calibration = fit_confidence(known, 0.5);
  const auto reliability = reliability_of(known, held_out_probabilities(known, 0.5), 100, 7);
  std::ranges::reverse(known);
  const auto again = fit_confidence(known, 0.5);
  EXPECT_EQ(again.curve.knots(), calibration.curve.knots());
  auto other = held_out_probabilities(known, 0.5);
  const auto reliability_again = reliability_of(known, other, 100, 7);
  EXPECT_NEAR(reliability_again.brier, reliability.brier, 1e-14);
  EXPECT_NEAR(reliability_again.ece_range.high, reliability.ece_range.high, 1e-14);
}

TEST(ConfidenceCalibration, FewFieldsDoNotPromiseCertainty) {
  // 20 fields that never match, then 20 that always do. Base (20 + 1) / (40 + 2) = 0.5; a block of 20 fields
  // with 2 more of share 0.5: 1 / 22 and 21 / 22.
  std::vector<KnownField> known;
  for (int i = 0; i < 40; ++i) known.push_back({0.01 * i, i >= 20, i});
  const auto calibration = fit_confidence(known, 0.5);
  EXPECT_NEAR(calibration.curve.at(0.1), 1.0 / 22.0, 1e-12);
  EXPECT_NEAR(calibration.curve.at(0.3), 21.0 / 22.0, 1e-12);
  // Between the blocks the curve is straight.
  EXPECT_NEAR(calibration.curve.at(0.195), 0.5, 1e-12);
  for (auto& field : known) field.matched = true;
  EXPECT_LT(fit_confidence(known, 0.5).curve.at(1.0), 1.0);
}

TEST(ConfidenceCalibration, NeverDescendsAfterDrawingTogether) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto knots = fit_confidence(simulated(31 + seed, seed), 0.5).curve.knots();
    for (std::size_t i = 1; i < knots.size(); ++i) {
      EXPECT_LE(knots[i - 1].x, knots[i].x);
      EXPECT_LE(knots[i - 1].y, knots[i].y);
    }
  }
}

TEST(ConfidenceCalibration, RefusesTooFewFields) {
  try {
    (void)fit_confidence(simulated(29, 1), 0.5);
    FAIL() << "no error";
  } catch (const geo::InvalidArgument& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("only 29 fields"));
  }
  auto one_block = simulated(100, 1);
  for (auto& field : one_block) field.block = 0;
  EXPECT_TRUE(held_out_probabilities(one_block, 0.5).empty());
  EXPECT_TRUE(held_out_probabilities(simulated(32, 1), 0.5).empty());  // 28 remain without a part
}

TEST(CalibrationJson, ComesBackToTheBit) {
  const auto known = simulated(137, 4);
  const auto calibration = fit_confidence(known, 0.5);
  const auto reliability = reliability_of(known, held_out_probabilities(known, 0.5), 50, 1);
  const std::string text = to_json(calibration, &reliability);
  const auto back = calibration_from_json(text, "file");
  EXPECT_EQ(back.curve.knots(), calibration.curve.knots());
  EXPECT_EQ(back.fields, 137);
  EXPECT_EQ(back.matched, calibration.matched);
  EXPECT_EQ(to_json(back, &reliability), text);
}

TEST(CalibrationJson, SaysWhatIsWrong) {
  const auto error = [](const std::string& text) -> std::string {
    try {
      (void)calibration_from_json(text, "c.json");
    } catch (const geo::InvalidArgument& e) {
      return e.what();
    }
    return "no error";
  };
  const std::string head =
      R"({"schema": "furrow/confidence/1", "min_iou": 0.5, "fields": 40, "matched": 20, "knots": )";
  EXPECT_EQ(error(head + "[[0.1, 0.2], [0.3, 0.4]]}"), "no error");
  for (const std::string& text :
       {std::string("not json"), std::string("[]"), std::string("{}"), std::string(R"({"schema": 1})"),
        std::string(R"({"schema": "furrow/model/1"})"), head + "[]}", head + "3}", head + "[[0.1]]}",
        head + R"([[0.1, "a"]]})", head + "[[0.1, 1.5]]}", head + "[[0.1, 0.5], [0.2, 0.4]]}"}) {
    EXPECT_THAT(error(text), ::testing::HasSubstr("'c.json' is no calibration of confidence")) << text;
  }
}

/// Two true fields in a row of three predicted ones; the third is cut by the raster's edge.
TEST(KnownFields, LeavesOutWhatIsCutOrOutsideTheRegion) {
  const geo::Layer fields = test::layer_of(
      {"POLYGON ((500010 5999900, 500090 5999900, 500090 5999980, 500010 5999980, 500010 5999900))",
       "POLYGON ((500110 5999900, 500190 5999900, 500190 5999980, 500110 5999980, 500110 5999900))",
       "POLYGON ((500210 5999900, 500290 5999900, 500290 5999980, 500210 5999980, 500210 5999900))"});
  const geo::Layer reference = test::layer_of(
      {"POLYGON ((500015 5999900, 500090 5999900, 500090 5999980, 500015 5999980, 500015 5999900))",
       "POLYGON ((500110 5999900, 500150 5999900, 500150 5999980, 500110 5999980, 500110 5999900))",
       "POLYGON ((500210 5999900, 500290 5999900, 500290 5999980, 500210 5999980, 500210 5999900))"});
  FieldConfidences confidences;
  confidences.grid = test::utm_grid(30, 20);
  confidences.fields = {
      {0.7, true, {500050, 5999940}}, {0.6, true, {500150, 5999940}}, {0.5, false, {500250, 5999940}}};
  KnownTruth truth{reference};
  truth.block_px = 10;
  const auto known = known_fields(fields, confidences, truth);
  ASSERT_EQ(known.size(), 2U);
  EXPECT_TRUE(known[0].matched);
  EXPECT_FALSE(known[1].matched);  // exactly half: not more than 0.5
  EXPECT_EQ(known[0].raw, 0.7);
  EXPECT_EQ(known[0].block, 0);
  EXPECT_EQ(known[1].block, 1);

  const geo::Layer region = test::layer_of(
      {"POLYGON ((500100 5999000, 500400 5999000, 500400 6000000, 500100 6000000, 500100 5999000))"});
  truth.region = &region;
  const auto inside = known_fields(fields, confidences, truth);
  ASSERT_EQ(inside.size(), 1U);
  EXPECT_EQ(inside[0].raw, 0.6);
}

}  // namespace
}  // namespace furrow::assessment
