#include <furrow/assessment/reliability.h>

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

namespace furrow::assessment {
namespace {

TEST(Reliability, ByHand) {
  // Ten fields at 0.1, of which 2 match, and ten at 0.9, of which 8 do.
  std::vector<KnownField> known;
  std::vector<double> p;
  for (int i = 0; i < 20; ++i) {
    known.push_back({0.0, i < 10 ? i < 2 : i < 18, i % 4});
    p.push_back(i < 10 ? 0.1 : 0.9);
  }
  const auto r = reliability_of(known, p, 200, 1);
  EXPECT_EQ(r.fields, 20);
  EXPECT_EQ(r.matched, 10);
  EXPECT_EQ(r.blocks, 4);
  EXPECT_NEAR(r.base_brier, 0.25, 1e-15);
  EXPECT_NEAR(r.brier, (8 * 0.01 + 2 * 0.81) / 10, 1e-12);
  EXPECT_NEAR(r.ece, 0.1, 1e-12);
  ASSERT_EQ(r.bins.size(), 2U);
  EXPECT_EQ(r.bins[0].fields, 10);
  EXPECT_NEAR(r.bins[0].predicted, 0.1, 1e-12);
  EXPECT_NEAR(r.bins[0].observed, 0.2, 1e-12);
  // Wilson's interval of 2 of 10: 0.0567 to 0.5098; that of the bootstrap may reach further.
  EXPECT_LE(r.bins[0].observed_range.low, 0.0567);
  EXPECT_GE(r.bins[0].observed_range.high, 0.5098);

  const std::vector<NamedReliability> all{{"calibrated", r}};
  EXPECT_THAT(reliability_csv(all), ::testing::HasSubstr("calibrated,0,0.133333333333333,10,0.1,0.2,"));
  // The point of the first bin: 60 + 0.1 x 400, 20 + 0.8 x 400.
  EXPECT_THAT(reliability_svg(all), ::testing::AllOf(::testing::HasSubstr("<circle cx='100.0' cy='340.0'"),
                                                     ::testing::HasSubstr("Brier 0.170")));
  EXPECT_THROW((void)reliability_of({}, {}, 1, 1), geo::InvalidArgument);
}

}  // namespace
}  // namespace furrow::assessment
