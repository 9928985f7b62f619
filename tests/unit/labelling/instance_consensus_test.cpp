#include <furrow/labelling/instance_consensus.h>

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/geos.h>

namespace furrow::labelling {
namespace {

constexpr double kX = 500000.0;
constexpr double kY = 6000000.0;

geo::MultiPolygon outline(double x0, double y0, double x1, double y1) {
  return {geo::to_polygon({kX + x0, kY + y0, kX + x1, kY + y1})};
}

/// Cells of 500 m side by side.
struct CampaignMaker {
  CampaignMaker() { campaign.crs = geo::Crs::from_user_input("EPSG:32632"); }

  std::string site(int index) {
    const std::string name = geo::concat("AA000000", index);
    if (campaign.find_site(name) == nullptr)
      campaign.sites.push_back({name, outline(500.0 * index, 0, 500.0 * index + 500.0, 500)});
    return name;
  }

  /// A map; shapes are relative to the site.
  void map(int index, const std::string& labeller, std::vector<geo::MultiPolygon> shapes,
           const std::string& site_class = "4", std::vector<bool> unsure = {}) {
    Assignment a;
    a.site = site(index);
    a.labeller = labeller;
    a.site_class = site_class;
    a.id = geo::concat(campaign.assignments.size() + 100);
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      for (auto& p : shapes[i].front().shell) p.x += 500.0 * index;
      const bool is_unsure = i < unsure.size() && unsure[i];
      a.polygons.push_back({shapes[i], is_unsure ? "unsure" : "field", is_unsure});
    }
    campaign.assignments.push_back(std::move(a));
  }

  InstanceConsensus find(InstanceOptions options = {}, int threads = 2) {
    std::ranges::stable_sort(campaign.assignments, {}, &Assignment::site);
    ConsensusOptions consensus;
    consensus.method = ConsensusMethod::kBayes;
    const auto voters = choose_voters(campaign, {}, consensus);
    geo::ExecContext exec({threads, 0});
    InstanceConsensus result;
    exec.execute([&] { result = find_fields(campaign, voters, options, exec); });
    return result;
  }

  Campaign campaign;
};

const geo::MultiPolygon kA = outline(50, 50, 150, 200);
const geo::MultiPolygon kB = outline(150, 50, 250, 200);  // touches A
const geo::MultiPolygon kAB = outline(50, 50, 250, 200);
const geo::MultiPolygon kFar = outline(350, 350, 450, 450);

void expect_disjoint_and_valid(const std::vector<ConsensusField>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    EXPECT_TRUE(geo::check_validity(fields[i].shape).valid) << fields[i].id;
    EXPECT_GT(geo::area(fields[i].shape), 0.0);
    for (std::size_t j = 0; j < i; ++j) {
      if (fields[i].site != fields[j].site) continue;
      EXPECT_LT(geo::intersection_area(fields[i].shape, fields[j].shape), 1e-3)
          << fields[i].id << " and " << fields[j].id;
    }
  }
}

TEST(InstanceConsensus, ThreeWhoAgreeGiveTheirFields) {
  CampaignMaker m;
  for (const char* who : {"anna", "ben", "cleo"}) m.map(0, who, {kA, kB, kFar});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 3U);
  expect_disjoint_and_valid(found.fields);
  for (const auto& f : found.fields) {
    EXPECT_GT(f.p_exists, 0.9);
    EXPECT_TRUE(f.in_consensus);
    EXPECT_EQ(f.n_votes, 3);
    EXPECT_EQ(f.n_labellers, 3);
    EXPECT_EQ(f.split_votes + f.merge_votes, 0);
    EXPECT_DOUBLE_EQ(f.iou_mean, 1.0);
    EXPECT_NEAR(f.outline_spread_m, 0.0, 1e-9);
  }
  EXPECT_EQ(found.fields[0].id, "AA0000000_1");  // northernmost
  EXPECT_EQ(found.fields[0].shape[0].shell, kFar[0].shell);
  EXPECT_EQ(found.fields[1].shape[0].shell, kA[0].shell);
  EXPECT_NEAR(found.fields[0].area_ha, 1.0, 0.002);
}

TEST(InstanceConsensus, OneWhoMergesIsOutvotedAndCounted) {
  CampaignMaker m;
  m.map(0, "anna", {kA, kB});
  m.map(0, "ben", {kAB});
  m.map(0, "cleo", {kA, kB});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 2U);
  expect_disjoint_and_valid(found.fields);
  for (const auto& f : found.fields) {
    EXPECT_EQ(f.n_votes, 3);
    EXPECT_EQ(f.merge_votes, 1);
    EXPECT_EQ(f.split_votes, 0);
    EXPECT_GT(f.p_exists, 0.9);
    EXPECT_NEAR(geo::area(f.shape), 15000.0, 0.05);
  }
}

TEST(InstanceConsensus, OneWhoSplitsIsOutvotedAndCounted) {
  CampaignMaker m;
  m.map(0, "anna", {kAB});
  m.map(0, "ben", {kA, kB});
  m.map(0, "cleo", {kAB});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 1U);
  EXPECT_EQ(found.fields[0].split_votes, 1);
  EXPECT_EQ(found.fields[0].merge_votes, 0);
  EXPECT_EQ(found.fields[0].n_votes, 3);
  EXPECT_NEAR(geo::area(found.fields[0].shape), 30000.0, 0.05);
}

TEST(InstanceConsensus, FieldOfOneAmongFiveIsWrittenButNotInTheConsensus) {
  CampaignMaker m;
  m.map(0, "anna", {kA, kB, kFar});
  for (const char* who : {"ben", "cleo", "dan", "eva"}) m.map(0, who, {kA, kB});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 3U);
  EXPECT_LT(found.fields[0].p_exists, 0.5);
  EXPECT_FALSE(found.fields[0].in_consensus);
  EXPECT_EQ(found.fields[0].n_votes, 1);
  EXPECT_TRUE(std::isnan(found.fields[0].outline_spread_m));  // one drawing has no spread
  EXPECT_TRUE(found.fields[1].in_consensus);
  EXPECT_TRUE(found.fields[2].in_consensus);
}

TEST(InstanceConsensus, UnsureIsAnAnswerOfItsOwn) {
  CampaignMaker m;
  m.map(0, "anna", {kA, kFar}, "4", {false, true});
  m.map(0, "ben", {kA});
  m.map(0, "cleo", {kA, kFar}, "4", {true, false});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 2U);
  EXPECT_EQ(found.fields[0].n_votes, 1);
  EXPECT_EQ(found.fields[0].n_unsure, 1);
  EXPECT_EQ(found.fields[1].n_votes, 2);
  EXPECT_EQ(found.fields[1].n_unsure, 1);
  EXPECT_GT(found.fields[1].p_exists, found.fields[0].p_exists);
}

TEST(InstanceConsensus, UnsureSaysLessThanSureAndMoreThanNothing) {
  const auto probability = [](int answer) {
    CampaignMaker m;
    m.map(0, "anna", {kA});
    m.map(0, "ben", answer == 0 ? std::vector<geo::MultiPolygon>{} : std::vector<geo::MultiPolygon>{kA}, "4",
          {answer == 1});
    return m.find().fields.at(0).p_exists;
  };
  EXPECT_LT(probability(0), probability(1));
  EXPECT_LT(probability(1), probability(2));
}

TEST(InstanceConsensus, SingleLabellerIsBelievedWithTheLabellersRates) {
  CampaignMaker m;
  m.map(0, "anna", {kA, kB, kFar});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 3U);
  for (const auto& f : found.fields) {
    EXPECT_TRUE(f.in_consensus);
    EXPECT_LT(f.p_exists, 1.0);
    EXPECT_EQ(f.n_labellers, 1);
  }
}

TEST(InstanceConsensus, OwnCopiesAndNestedPolygonsOfASingleMapShareNoArea) {
  CampaignMaker m;
  m.map(0, "anna", {kAB, kAB, kA});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 2U);
  expect_disjoint_and_valid(found.fields);
  double area = 0.0;
  for (const auto& f : found.fields) area += geo::area(f.shape);
  EXPECT_NEAR(area, 30000.0, 0.05);
}

TEST(InstanceConsensus, EmptyMapsAndSitesGiveNoFields) {
  CampaignMaker m;
  m.map(0, "anna", {});
  m.map(0, "ben", {});
  (void)m.site(1);
  const auto found = m.find();
  EXPECT_TRUE(found.fields.empty());
  EXPECT_TRUE(found.problems.empty());
  EXPECT_TRUE(CampaignMaker().find().fields.empty());
}

TEST(InstanceConsensus, EmptyMapsVoteAgainst) {
  CampaignMaker few;
  few.map(0, "anna", {kA});
  few.map(0, "ben", {});
  CampaignMaker many;
  many.map(0, "anna", {kA});
  for (const char* who : {"ben", "cleo", "dan", "eva"}) many.map(0, who, {});
  EXPECT_GT(few.find().fields.at(0).p_exists, many.find().fields.at(0).p_exists);
  EXPECT_FALSE(many.find().fields.at(0).in_consensus);
}

TEST(InstanceConsensus, OutlineIsTheMedianAndItsSpreadIsMeasured) {
  CampaignMaker m;
  m.map(0, "anna", {outline(100, 100, 200, 200)});
  m.map(0, "ben", {outline(104, 100, 204, 200)});
  m.map(0, "cleo", {outline(96, 100, 196, 200)});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 1U);
  const geo::Box bounds = geo::bounds(found.fields[0].shape);
  EXPECT_NEAR(bounds.min_x, kX + 100.0, 1e-3);
  EXPECT_NEAR(bounds.max_x, kX + 200.0, 1e-3);
  // Ben and Cleo: 2 x 400 m2 between the outlines of 400 m length; Anna: none.
  EXPECT_NEAR(found.fields[0].outline_spread_m, 2.0 / 3.0 * 2.0, 0.01);
  EXPECT_NEAR(found.fields[0].outline_spread95_m, 4.0 * 2.0 / 3.0, 0.02);
  EXPECT_NEAR(found.fields[0].iou_mean, (1.0 + 2.0 * 9600.0 / 10400.0) / 3.0, 1e-6);
}

TEST(InstanceConsensus, WhoJoinsASmallNeighbourDoesNotShapeTheOutline) {
  // With the neighbour of 40 m the field of 100 m is still alike (IoU 0.71), but Cleo's outline is that of
  // both.
  const auto field = outline(50, 50, 150, 200);
  const auto neighbour = outline(150, 50, 190, 200);
  CampaignMaker m;
  m.map(0, "anna", {field, neighbour});
  m.map(0, "ben", {field, neighbour});
  m.map(0, "cleo", {outline(50, 50, 190, 200)});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 2U);
  EXPECT_EQ(found.fields[0].merge_votes, 1);
  EXPECT_EQ(found.fields[1].merge_votes, 1);
  EXPECT_NEAR(found.fields[0].iou_mean, 1.0, 1e-5);
  EXPECT_NEAR(found.fields[0].outline_spread95_m, 0.0, 0.01);
}

TEST(InstanceConsensus, SharedLandGoesToTheFieldWithMoreVotesThere) {
  CampaignMaker m;
  // Median outlines: A to x = 160, B from x = 150; three of three members of A have the strip, two of B.
  m.map(0, "anna", {outline(50, 50, 160, 200), outline(150, 50, 300, 200)});
  m.map(0, "ben", {outline(50, 50, 160, 200), outline(150, 50, 300, 200)});
  m.map(0, "cleo", {outline(50, 50, 160, 200), outline(160, 50, 300, 200)});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 2U);
  expect_disjoint_and_valid(found.fields);
  EXPECT_NEAR(geo::bounds(found.fields[0].shape).max_x, kX + 160.0, 1e-3);
  EXPECT_NEAR(geo::bounds(found.fields[1].shape).min_x, kX + 160.0, 1e-3);
}

TEST(InstanceConsensus, WholeOutlinesAreKeptWhereSomeCutAtTheCell) {
  CampaignMaker m;
  m.map(0, "anna", {outline(400, 100, 600, 200)});
  m.map(0, "ben", {outline(400, 100, 500, 200)});  // stops at the border
  m.map(0, "cleo", {outline(400, 100, 610, 200)});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 1U);
  EXPECT_EQ(found.fields[0].n_votes, 3);
  EXPECT_NEAR(found.fields[0].iou_mean, 1.0, 1e-4);  // compared inside the cell
  const double reach = geo::bounds(found.fields[0].shape).max_x - kX;
  EXPECT_GE(reach, 599.0);
  EXPECT_LE(reach, 611.0);
  CampaignMaker cut;
  for (const char* who : {"anna", "ben", "cleo"}) cut.map(0, who, {outline(400, 100, 500, 200)});
  EXPECT_NEAR(geo::bounds(cut.find().fields.at(0).shape).max_x, kX + 500.0, 1e-6);
}

TEST(InstanceConsensus, ExpertsFieldsAreTheConsensusOfTheirSite) {
  CampaignMaker m;
  m.map(0, "expert", {kA, kB}, "1a");
  m.map(0, "anna", {kAB, kFar}, "1c");
  m.map(1, "anna", {kA});
  m.map(1, "ben", {kA});
  const auto found = m.find();
  ASSERT_EQ(found.fields.size(), 3U);
  for (int i : {0, 1}) {
    const auto& f = found.fields[static_cast<std::size_t>(i)];
    EXPECT_TRUE(f.from_expert);
    EXPECT_DOUBLE_EQ(f.p_exists, 1.0);
    EXPECT_EQ(f.n_labellers, 1);
    EXPECT_EQ(f.merge_votes, 0);
  }
  EXPECT_EQ(found.fields[0].shape[0].shell, kA[0].shell);
  EXPECT_FALSE(found.fields[2].from_expert);
}

TEST(InstanceConsensus, ExpertsTeachWhoInventsFields) {
  // Anna's extra fields are false at expert sites; at a site of her own she is believed less than Ben.
  CampaignMaker m;
  for (int s = 0; s < 8; ++s) {
    m.map(s, "expert", {kA, kB}, "1a");
    m.map(s, "anna", {kA, kB, kFar, outline(50, 300, 150, 400), outline(300, 50, 400, 150)}, "1c");
    m.map(s, "ben", {kA, kB}, "1c");
  }
  m.map(8, "anna", {kFar});
  m.map(9, "ben", {kFar});
  const auto found = m.find();
  const auto& of_anna = found.fields[found.fields.size() - 2];
  const auto& of_ben = found.fields.back();
  EXPECT_LT(of_anna.p_exists, of_ben.p_exists - 0.1);
}

/// Sites with fields that labellers draw with jitter, miss, join and invent.
CampaignMaker noisy_campaign(int sites, std::span<const std::string> who, std::uint64_t seed,
                             int fields = 6) {
  geo::Random random(seed, 1);
  CampaignMaker m;
  for (int s = 0; s < sites; ++s) {
    for (const auto& name : who) {
      std::vector<geo::MultiPolygon> shapes;
      const auto jitter = [&] { return 6.0 * (random.uniform() - 0.5); };
      for (int f = 0; f < fields; ++f) {
        const double x = 20.0 + 150.0 * (f % 3);
        const double y = 60.0 + 200.0 * (f / 3);
        const double width = random.uniform() < 0.15 ? 290.0 : 146.0;
        if (random.uniform() < 0.1) continue;
        shapes.push_back(outline(x + jitter(), y + jitter(), x + width + jitter(), y + 180.0 + jitter()));
      }
      m.map(s, name, std::move(shapes));
    }
  }
  return m;
}

bool same(const InstanceConsensus& a, const InstanceConsensus& b, double tolerance) {
  return std::ranges::equal(a.fields, b.fields, [&](const ConsensusField& x, const ConsensusField& y) {
    return x.id == y.id && x.shape.size() == y.shape.size() && x.shape[0].shell == y.shape[0].shell &&
           std::abs(x.p_exists - y.p_exists) <= tolerance && x.n_votes == y.n_votes &&
           x.split_votes == y.split_votes && x.merge_votes == y.merge_votes;
  });
}

const std::vector<std::string> kFive{"anna", "ben", "cleo", "dan", "eva"};

TEST(InstanceConsensus, NoisyMapsGiveTheTrueFields) {
  const auto found = noisy_campaign(6, kFive, 3).find();
  expect_disjoint_and_valid(found.fields);
  std::map<std::string, int> in_consensus;
  for (const auto& f : found.fields) in_consensus[f.site] += f.in_consensus ? 1 : 0;
  for (const auto& [site, n] : in_consensus) EXPECT_EQ(n, 6) << site;
}

TEST(InstanceConsensus, ThreadsDoNotMatter) {
  CampaignMaker m = noisy_campaign(8, kFive, 4);
  EXPECT_TRUE(same(m.find({}, 1), m.find({}, 4), 0.0));
}

TEST(InstanceConsensus, OrderOfMapsAndNamesDoesNotMatter) {
  CampaignMaker m = noisy_campaign(5, kFive, 5);
  const auto first = m.find();
  std::ranges::reverse(m.campaign.assignments);
  for (auto& a : m.campaign.assignments) std::ranges::reverse(a.polygons);
  EXPECT_TRUE(same(first, m.find(), 0.0));
  const std::map<std::string, std::string> renamed{
      {"anna", "dan"}, {"ben", "anna"}, {"cleo", "eva"}, {"dan", "cleo"}, {"eva", "ben"}};
  for (auto& a : m.campaign.assignments) a.labeller = renamed.at(a.labeller);
  EXPECT_TRUE(same(first, m.find(), 1e-6));
}

TEST(InstanceConsensus, ThreeHundredLabellersOnOneSite) {
  std::vector<std::string> who;
  for (int i = 0; i < 300; ++i) who.push_back(geo::concat("L", i));
  const auto found = noisy_campaign(1, who, 6, 3).find();
  expect_disjoint_and_valid(found.fields);
  EXPECT_EQ(std::ranges::count_if(found.fields, &ConsensusField::in_consensus), 3);
  for (const auto& f : found.fields) {
    if (f.in_consensus) {
      EXPECT_GT(f.n_votes, 250);
    }
  }
}

TEST(InstanceConsensus, DegreesAndWebMercatorGiveTheSameFields) {
  CampaignMaker m = noisy_campaign(2, kFive, 7);
  const auto metres = m.find();
  for (const char* code : {"EPSG:4326", "EPSG:3857"}) {
    const geo::Crs crs = geo::Crs::from_user_input(code);
    const geo::CoordinateTransform move(m.campaign.crs, crs);
    CampaignMaker other;
    other.campaign = m.campaign;
    other.campaign.crs = crs;
    for (auto& s : other.campaign.sites) s.cell = move.apply(s.cell);
    for (auto& a : other.campaign.assignments) {
      for (auto& p : a.polygons) p.shape = move.apply(p.shape);
    }
    const auto found = other.find();
    ASSERT_EQ(found.fields.size(), metres.fields.size()) << code;
    for (std::size_t i = 0; i < found.fields.size(); ++i) {
      EXPECT_NEAR(found.fields[i].area_ha, metres.fields[i].area_ha, 0.02 * metres.fields[i].area_ha);
      EXPECT_NEAR(found.fields[i].p_exists, metres.fields[i].p_exists, 0.02);
      // Of two drawings the median is one or the other; which, may depend on rounding.
      EXPECT_NEAR(found.fields[i].outline_spread_m, metres.fields[i].outline_spread_m, 0.5);
    }
  }
}

TEST(InstanceConsensus, SizesAreLearnedApartWhereThereAreEnoughFields) {
  // Small fields are missed three times in ten, large ones never.
  geo::Random random(8, 1);
  CampaignMaker m;
  for (int s = 0; s < 9; ++s) {
    for (const auto& name : kFive) {
      std::vector<geo::MultiPolygon> shapes;
      for (int f = 0; f < 8; ++f) {
        const double x = 10.0 + 60.0 * f;
        if (random.uniform() < 0.7) shapes.push_back(outline(x, 20, x + 15, 35));
        shapes.push_back(outline(x, 100, x + 55, 400));
      }
      m.map(s, name, std::move(shapes));
    }
  }
  InstanceOptions options;
  options.items_per_class = 40;
  options.max_size_classes = 2;
  const auto found = m.find(options);
  ASSERT_EQ(found.size_classes.size(), 2U);
  EXPECT_NEAR(found.size_classes[0].detection.mean, 0.7, 0.08);
  EXPECT_GT(found.size_classes[1].detection.mean, 0.9);
  EXPECT_LT(found.size_classes[0].place_ha, 0.05);
  // Two of five drew it: little for a large field, enough for a small one.
  for (const auto& f : found.fields) {
    if (f.n_votes >= 2) {
      EXPECT_TRUE(f.in_consensus) << f.id;
    }
  }
}

TEST(InstanceConsensus, InfluenceDecidesTheDivision) {
  CampaignMaker m;
  m.map(0, "anna", {kAB});
  m.map(0, "ben", {kA, kB});
  m.map(0, "cleo", {kA, kB});
  InstanceOptions options;
  options.influence = {{"anna", 0.9}, {"ben", 0.3}, {"cleo", 0.3}};
  EXPECT_EQ(m.find(options).fields.size(), 1U);
  EXPECT_EQ(m.find().fields.size(), 2U);
}

TEST(InstanceConsensus, RefusesBadOptions) {
  CampaignMaker m;
  m.map(0, "anna", {kA});
  InstanceOptions options;
  options.threshold = 1.5;
  EXPECT_THROW((void)m.find(options), geo::InvalidArgument);
  options = {};
  options.min_iou = 0.0;
  EXPECT_THROW((void)m.find(options), geo::InvalidArgument);
  m.campaign.crs = {};
  EXPECT_THROW((void)m.find(), geo::CrsError);
}

TEST(InstanceConsensus, LayerHasOneRowPerField) {
  CampaignMaker m;
  for (const char* who : {"anna", "ben"}) m.map(0, who, {kA, kFar});
  const auto found = m.find();
  const geo::Layer layer = consensus_field_layer(m.campaign, found.fields);
  EXPECT_EQ(layer.name, "consensus_fields");
  ASSERT_EQ(layer.features.size(), 2U);
  EXPECT_EQ(geo::as_text(layer.features[0].values[layer.field("id")]), "AA0000000_1");
  EXPECT_EQ(geo::as_integer(layer.features[0].values[layer.field("in_consensus")]), 1);
  EXPECT_NEAR(geo::as_real(layer.features[0].values[layer.field("area_ha")]), 1.0, 0.002);
}

}  // namespace
}  // namespace furrow::labelling
