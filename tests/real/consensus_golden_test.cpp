// Compares the binary consensus with the published platform's results (golden/b_bayes_consensus,
// golden/b2_bayes_224).
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/rasterize.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/geos.h>
#include <furrow/labelling/consensus.h>

#include "support.h"

namespace furrow::labelling {
namespace {

constexpr double kTolerance = 1e-12;

struct GoldenLabeller {
  VoterWeight weight;
  geo::MultiPolygon sure;
  geo::MultiPolygon unsure;
};

double number(const std::string& cell) {
  double value = std::numeric_limits<double>::quiet_NaN();
  if (geo::is_missing(cell)) return value;
  EXPECT_TRUE(geo::parse_number(cell, value)) << cell;
  return value;
}

geo::MultiPolygon shape(const std::string& wkt) {
  return geo::is_missing(wkt) ? geo::MultiPolygon{} : geo::from_wkt(wkt);
}

std::map<std::string, std::vector<GoldenLabeller>> read_cases() {
  const auto table = geo::read_csv(test::shared("golden/b_bayes_consensus/labellers.csv"));
  std::map<std::string, std::vector<GoldenLabeller>> cases;
  for (const auto& row : table.rows) {
    cases[row[table.column("case")]].push_back(
        {{number(row[table.column("mean_score")]), number(row[table.column("field_skill")]),
          number(row[table.column("nofield_skill")])},
         shape(row[table.column("wkt_sure")]),
         shape(row[table.column("wkt_unsure")])});
  }
  return cases;
}

geo::Raster<double> read_all(const std::string& relative) {
  const geo::RasterReader reader(test::shared(relative).string());
  return reader.read<double>(reader.grid().window());
}

/// Reference results: bands heat, label, risk.
struct ExpectedFusion {
  geo::Raster<double> heat, label, risk;
};

ExpectedFusion read_expected(const std::string& name) {
  const std::string stem = "golden/b_bayes_consensus/" + name;
  return {read_all(stem + "_heatmap.tif"), read_all(stem + "_labelmap.tif"), read_all(stem + "_riskmap.tif")};
}

geo::Grid cell_grid(std::int64_t px) {
  const double side = 0.005 / static_cast<double>(px);
  return {px, px, {31.2025, side, 0.0, -12.3975, 0.0, -side}, geo::lonlat_crs()};
}

/// True where the centre of a pixel lies within 1e-9 degree of an outline: there, rounding decides.
std::vector<bool> on_outline(const std::vector<GoldenLabeller>& labellers, const geo::Grid& grid) {
  std::vector<bool> near(static_cast<std::size_t>(grid.width * grid.height), false);
  const auto mark = [&](const geo::Ring& ring) {
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      const geo::Point a = ring[i];
      const geo::Point b = ring[i + 1];
      const double length = std::hypot(b.x - a.x, b.y - a.y);
      if (length == 0.0) continue;
      for (std::int64_t row = 0; row < grid.height; ++row) {
        for (std::int64_t col = 0; col < grid.width; ++col) {
          const geo::Point p =
              grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5});
          const double along = ((p.x - a.x) * (b.x - a.x) + (p.y - a.y) * (b.y - a.y)) / length;
          const double across = ((p.x - a.x) * (b.y - a.y) - (p.y - a.y) * (b.x - a.x)) / length;
          if (along >= -1e-9 && along <= length + 1e-9 && std::abs(across) <= 1e-9)
            near[static_cast<std::size_t>(row * grid.width + col)] = true;
        }
      }
    }
  };
  for (const auto& labeller : labellers) {
    for (const auto* shape : {&labeller.sure, &labeller.unsure}) {
      for (const auto& polygon : *shape) {
        mark(polygon.shell);
        for (const auto& hole : polygon.holes) mark(hole);
      }
    }
  }
  return near;
}

VotePatterns votes_of(const std::vector<GoldenLabeller>& labellers, const geo::Grid& grid) {
  PatternBuilder builder(static_cast<std::size_t>(grid.width * grid.height));
  for (const auto& labeller : labellers) {
    const auto sure = geo::rasterize_extent(std::span(&labeller.sure, 1), grid);
    const auto unsure = geo::rasterize_extent(std::span(&labeller.unsure, 1), grid);
    std::vector<Vote> votes;
    for (std::size_t p = 0; p < sure.data().size(); ++p)
      votes.push_back(make_vote(sure.data()[p], unsure.data()[p]));
    builder.add(votes);
  }
  return std::move(builder).finish();
}

std::vector<VoterWeight> weights_of(const std::vector<GoldenLabeller>& labellers) {
  std::vector<VoterWeight> weights;
  for (const auto& labeller : labellers) weights.push_back(labeller.weight);
  return weights;
}

/// @return pixels compared
std::size_t compare(const VotePatterns& patterns, const std::vector<FusedVote>& fused,
                    const ExpectedFusion& expected, const std::vector<bool>& skip) {
  std::size_t compared = 0;
  std::size_t wrong = 0;
  const auto differs = [](double ours, double theirs) {
    return std::isnan(ours) != std::isnan(theirs) || std::abs(ours - theirs) > kTolerance;
  };
  for (std::size_t p = 0; p < patterns.of_pixel.size(); ++p) {
    if (!skip.empty() && skip[p]) continue;
    ++compared;
    const FusedVote& ours = fused[patterns.of_pixel[p]];
    const double label = ours.label == geo::kIgnore ? std::numeric_limits<double>::quiet_NaN() : ours.label;
    const bool bad = differs(ours.posterior[1], expected.heat.data()[p]) ||
                     differs(label, expected.label.data()[p]) || differs(ours.risk, expected.risk.data()[p]);
    if (bad && ++wrong == 1) {
      ADD_FAILURE() << "pixel " << p << ": heat " << ours.posterior[1] << " instead of "
                    << expected.heat.data()[p] << ", risk " << ours.risk << " instead of "
                    << expected.risk.data()[p];
    }
  }
  EXPECT_EQ(wrong, 0U);
  return compared;
}

FusionOptions compatible(double threshold = 0.5000001) {
  FusionOptions options;
  options.classes = 2;
  options.compatible = true;
  options.label_threshold = threshold;
  return options;
}

TEST(ConsensusGolden, EqualsThePlatformFromCodes) {
  FURROW_NEEDS_SHARED_DATA();
  const auto cases = read_cases();
  ASSERT_EQ(cases.size(), 8U);
  for (const auto& [name, labellers] : cases) {
    SCOPED_TRACE(name);
    const auto codes = read_all("golden/b_bayes_consensus/" + name + "_codes.tif");
    ASSERT_EQ(codes.bands(), static_cast<int>(labellers.size()));
    PatternBuilder builder(static_cast<std::size_t>(codes.pixels()));
    for (int b = 0; b < codes.bands(); ++b) {
      std::vector<Vote> votes;
      for (const double code : codes.band(b)) {
        const auto bits = static_cast<unsigned>(code);
        votes.push_back(make_vote(bits & 1U, (bits >> 1U) & 1U));
      }
      builder.add(votes);
    }
    const auto patterns = std::move(builder).finish();
    const auto fused = fuse_patterns(patterns, weights_of(labellers), compatible());
    EXPECT_EQ(compare(patterns, fused, read_expected(name), {}), 40000U);
  }
}

TEST(ConsensusGolden, EqualsThePlatformFromPolygons) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::Grid grid = cell_grid(200);
  for (const auto& [name, labellers] : read_cases()) {
    SCOPED_TRACE(name);
    const auto patterns = votes_of(labellers, grid);
    const auto fused = fuse_patterns(patterns, weights_of(labellers), compatible());
    EXPECT_GT(compare(patterns, fused, read_expected(name), on_outline(labellers, grid)), 39000U);
  }
}

/// GCC 12 drops a vectorised double -> float -> double; volatile keeps it.
double single(double value) {
  const volatile auto rounded = static_cast<float>(value);
  return static_cast<double>(rounded);
}

/// The paper's code burns the skills into rasters of single precision.
std::vector<VoterWeight> single_skills(std::vector<VoterWeight> weights) {
  for (auto& w : weights) {
    w.field_skill = single(w.field_skill);
    w.nofield_skill = single(w.nofield_skill);
  }
  return weights;
}

TEST(ConsensusGolden, EqualsThePaperAt224) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::Grid grid = cell_grid(224);
  const auto cases = read_cases();
  for (const std::string name : {"b1_five_labellers", "b6_exact_tie", "b8_one_labeller"}) {
    SCOPED_TRACE(name);
    const geo::RasterReader reader(
        test::shared("golden/b2_bayes_224/" + name + "_heat_label_risk.tif").string());
    const auto window = reader.grid().window();
    const auto band = [&](int b) { return reader.read<double>(window, std::vector{b}); };
    const ExpectedFusion expected{band(0), band(1), band(2)};
    const auto& labellers = cases.at(name);
    const auto patterns = votes_of(labellers, grid);
    const auto weights = single_skills(weights_of(labellers));
    const auto fused = fuse_patterns(patterns, weights, compatible(0.50000001));
    EXPECT_GT(compare(patterns, fused, expected, on_outline(labellers, grid)), 49000U);
  }
}

TEST(ConsensusGolden, CorrectedRulesAgreeWhereThePlatformHasNoDefect) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::Grid grid = cell_grid(200);
  const auto cases = read_cases();
  FusionOptions corrected;
  corrected.classes = 2;
  for (const std::string name : {"b1_five_labellers", "b5_all_empty", "b6_exact_tie"}) {
    SCOPED_TRACE(name);
    const auto& labellers = cases.at(name);
    const auto patterns = votes_of(labellers, grid);
    const auto fused = fuse_patterns(patterns, weights_of(labellers), corrected);
    compare(patterns, fused, read_expected(name), on_outline(labellers, grid));
  }
}

TEST(ConsensusGolden, CorrectedRulesStayInBoundsWhereThePlatformDoesNot) {
  FURROW_NEEDS_SHARED_DATA();
  const geo::Grid grid = cell_grid(200);
  FusionOptions corrected;
  corrected.classes = 2;
  for (const auto& [name, labellers] : read_cases()) {
    SCOPED_TRACE(name);
    for (const auto& fused : fuse_patterns(votes_of(labellers, grid), weights_of(labellers), corrected)) {
      EXPECT_GE(fused.posterior[1], 0.0);
      EXPECT_LE(fused.posterior[1], 1.0);
      EXPECT_GE(fused.risk, 0.0);
      EXPECT_LE(fused.risk, 0.5 + 1e-6);
    }
  }
}

}  // namespace
}  // namespace furrow::labelling
