#include <furrow/labelling/model_labeller.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/review_output.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Score map of probabilities in steps of 1/200, one pixel an entry {background, interior, boundary}.
std::string write_scores(const std::filesystem::path& path, const geo::Grid& grid,
                         const std::vector<std::array<std::uint8_t, 3>>& pixels) {
  geo::Raster<std::uint8_t> raster(grid.width, grid.height, 3);
  for (int b = 0; b < 3; ++b) {
    for (std::size_t i = 0; i < pixels.size(); ++i)
      raster.band(b)[i] = pixels[i][static_cast<std::size_t>(b)];
  }
  geo::RasterSpec spec;
  spec.bands = 3;
  spec.scale = 1.0 / 200.0;
  spec.nodata = 255;
  geo::write_raster(path, grid, raster, spec, false);
  return path.string();
}

ModelLabellerOptions classes(int n) {
  ModelLabellerOptions options;
  options.classes = n;
  return options;
}

const Vote kUnsureField = make_vote(0, 1);
const Vote kUnsureBoundary = make_vote(0, 2);

TEST(ModelLabeller, VotesForTheMostProbableClassAndSaysWhereItIsUnsure) {
  const test::TemporaryFolder folder;
  const auto path =
      write_scores(folder / "scores.tif", test::utm_grid(6, 1),
                   {{180, 10, 10}, {20, 170, 10}, {0, 60, 140}, {90, 80, 30}, {60, 60, 80}, {255, 255, 255}});
  const ModelLabeller three({path}, classes(3));
  EXPECT_THAT(three.votes(test::utm_grid(6, 1)),
              ElementsAre(0, 1, 2, kUnsureField, kUnsureBoundary, kMissingVote));
  // Two classes: interior and boundary together; 0.55 of the fourth pixel are field.
  const ModelLabeller two({path}, classes(2));
  EXPECT_THAT(two.votes(test::utm_grid(6, 1)), ElementsAre(0, 1, 1, 1, 1, kMissingVote));
}

TEST(ModelLabeller, TakesThePixelThatACentreLiesInAlsoInAnotherCrs) {
  const test::TemporaryFolder folder;
  const auto coarse = write_scores(folder / "coarse.tif", test::utm_grid(2, 2, 20.0),
                                   {{200, 0, 0}, {0, 200, 0}, {0, 0, 200}, {200, 0, 0}});
  const ModelLabeller model({coarse}, classes(3));
  // Ten-metre pixels, one column of them left of the map.
  geo::Grid fine = test::utm_grid(5, 4);
  fine.transform.x0 -= 10.0;
  EXPECT_THAT(model.votes(fine), ElementsAre(9, 0, 0, 1, 1, 9, 0, 0, 1, 1, 9, 2, 2, 0, 0, 9, 2, 2, 0, 0));
  // The same ground in degrees: the four pixels' centres keep their classes.
  const geo::CoordinateTransform to_degrees(fine.crs, geo::lonlat_crs());
  const geo::Point a = to_degrees.apply(geo::Point{500000.0, 6000000.0});
  const geo::Point b = to_degrees.apply(geo::Point{500040.0, 5999960.0});
  const geo::Grid degrees{2, 2, {a.x, (b.x - a.x) / 2, 0.0, a.y, 0.0, (b.y - a.y) / 2}, geo::lonlat_crs()};
  EXPECT_THAT(model.votes(degrees), ElementsAre(0, 1, 2, 0));
}

TEST(ModelLabeller, TheFirstMapWithDataCounts) {
  const test::TemporaryFolder folder;
  const auto first = write_scores(folder / "a.tif", test::utm_grid(2, 1), {{0, 200, 0}, {255, 255, 255}});
  const auto second = write_scores(folder / "b.tif", test::utm_grid(2, 1), {{200, 0, 0}, {0, 0, 200}});
  EXPECT_THAT(ModelLabeller({first, second}, classes(3)).votes(test::utm_grid(2, 1)), ElementsAre(1, 2));
}

TEST(ModelLabeller, RefusesWhatIsNoProbability) {
  const test::TemporaryFolder folder;
  geo::write_raster(
      folder / "percent.tif", test::utm_grid(1, 1), geo::Raster<std::uint8_t>(1, 1, 3, 60),
      [] {
        geo::RasterSpec spec;
        spec.bands = 3;
        return spec;
      }(),
      false);
  try {
    (void)ModelLabeller({(folder / "percent.tif").string()}, classes(3)).votes(test::utm_grid(1, 1));
    FAIL();
  } catch (const geo::IoError& e) {
    EXPECT_THAT(e.what(), HasSubstr("--model-scale"));
    EXPECT_THAT(e.what(), HasSubstr("percent.tif"));
  }
  geo::write_raster(folder / "one.tif", test::utm_grid(1, 1), geo::Raster<std::uint8_t>(1, 1, 1, 1), {},
                    false);
  EXPECT_THROW(ModelLabeller({(folder / "one.tif").string()}, classes(3)), geo::IoError);
  EXPECT_NO_THROW(ModelLabeller({(folder / "one.tif").string()}, classes(2)));
}

/// Ten sites of 20 x 20 px, a field in the middle of each, which three labellers find half the time.
/// An expert mapped the first four.
struct Scene {
  Campaign campaign;
  std::vector<geo::Grid> grids;
};

Scene make_scene() {
  Scene scene;
  scene.campaign.crs = geo::Crs::from_user_input("EPSG:32632");
  for (int s = 0; s < 10; ++s) {
    const double left = 500000.0 + 200.0 * s;
    const std::string name = "S" + std::to_string(s);
    scene.campaign.sites.push_back({name, {geo::to_polygon({left, 5999800.0, left + 200, 6000000.0})}});
    const geo::MultiPolygon field{geo::to_polygon({left + 50, 5999850.0, left + 150, 5999950.0})};
    const auto add = [&](const std::string& who, const std::string& site_class, bool draws) {
      Assignment a;
      a.id = name + who;
      a.site = name;
      a.labeller = who;
      a.site_class = site_class;
      if (draws) a.polygons.push_back({field, "crop", false});
      scene.campaign.assignments.push_back(std::move(a));
    };
    if (s < 4) add("boss", "1a", true);
    add("a", s < 4 ? "1c" : "4", s % 2 == 0);
    add("b", s < 4 ? "1c" : "4", s % 3 == 0);
    geo::Grid grid = test::utm_grid(20, 20);
    grid.transform.x0 = left;
    scene.grids.push_back(grid);
  }
  return scene;
}

/// A model of two classes whose score map covers all sites.
std::shared_ptr<const ModelLabeller> model_of(const test::TemporaryFolder& folder,
                                              const std::vector<std::array<std::uint8_t, 3>>& pixels) {
  return std::make_shared<const ModelLabeller>(
      std::vector<std::string>{write_scores(folder / "scores.tif", test::utm_grid(200, 20), pixels)},
      classes(2));
}

JointVotes collect_all(const Scene& scene, const std::vector<SiteVoters>& voters,
                       const ConsensusOptions& options) {
  JointVotes votes(scene.campaign, voters, 2);
  for (std::size_t s = 0; s < scene.grids.size(); ++s)
    votes.add(s, collect_votes(scene.campaign, scene.campaign.sites[s], voters[s], scene.grids[s], options));
  return votes;
}

TEST(ModelLabeller, ItsSkillIsLearnedAndDecidesWherePeopleAreBad) {
  const test::TemporaryFolder folder;
  const Scene scene = make_scene();
  // The model knows every field.
  std::vector<std::array<std::uint8_t, 3>> pixels;
  for (int row = 0; row < 20; ++row) {
    for (int col = 0; col < 200; ++col) {
      const bool field = row >= 5 && row < 15 && col % 20 >= 5 && col % 20 < 15;
      pixels.push_back(
          {static_cast<std::uint8_t>(field ? 20 : 190), static_cast<std::uint8_t>(field ? 180 : 10), 0});
    }
  }
  ConsensusOptions options;
  options.method = ConsensusMethod::kBayes;
  options.fusion.classes = 2;
  options.model = model_of(folder, pixels);
  const auto voters = choose_voters(scene.campaign, {}, options);
  EXPECT_TRUE(voters[0].has_model);
  EXPECT_TRUE(voters[5].has_model);
  const JointVotes votes = collect_all(scene, voters, options);
  EXPECT_THAT(votes.labellers(), ElementsAre("(model)", "a", "b"));
  const JointFit fit = fuse_jointly(votes, options);
  EXPECT_GT(fit.bayes->skills[0].sensitivity.mean, 0.85);
  EXPECT_LT(fit.bayes->skills[1].sensitivity.mean, 0.75);
  // Site 5 (nobody drew the field): the model outvotes two people who often miss fields.
  SiteConsensus site =
      collect_patterns(scene.campaign, scene.campaign.sites[5], voters[5], scene.grids[5], options);
  EXPECT_EQ(site.patterns.voters, 3U);
  site.fused = decide_site(votes, fit, 5, options.fusion);
  EXPECT_EQ(site.at(10 * 20 + 10).label, 1);
  EXPECT_EQ(site.at(0).label, 0);
}

TEST(ModelLabeller, MajorityAndWeightedVoteCountItOnce) {
  const test::TemporaryFolder folder;
  const Scene scene = make_scene();
  const std::vector<std::array<std::uint8_t, 3>> all_field(200 * 20, {0, 200, 0});
  ConsensusOptions options;
  options.method = ConsensusMethod::kMajority;
  options.fusion.classes = 2;
  options.model = model_of(folder, all_field);
  auto voters = choose_voters(scene.campaign, {}, options);
  const auto heat_of = [&](std::size_t s) {
    return fuse_site(scene.campaign, scene.campaign.sites[s], voters[s], scene.grids[s], options)
        .at(0)
        .posterior[1];
  };
  EXPECT_NEAR(heat_of(5), 1.0 / 3.0, 1e-12);
  EXPECT_EQ(heat_of(0), 0.0);  // an expert's site
  options.method = ConsensusMethod::kWeighted;
  const std::vector<LabellerWeights> weights{
      {"a", 5, 0.8, 0.5, 1.0}, {"b", 5, 0.8, 0.5, 1.0}, {"(model)", 5, 0.4, 1.0, 1.0}};
  voters = choose_voters(scene.campaign, weights, options);
  EXPECT_NEAR(heat_of(5), 0.4 / (0.8 + 0.8 + 0.4), 1e-12);
}

TEST(ModelLabeller, IsNeverAskedForAMap) {
  const test::TemporaryFolder folder;
  const Scene scene = make_scene();
  const std::vector<std::array<std::uint8_t, 3>> guess(200 * 20, {120, 80, 0});
  ConsensusOptions options;
  options.method = ConsensusMethod::kBayes;
  options.fusion.classes = 2;
  options.model = model_of(folder, guess);
  const auto voters = choose_voters(scene.campaign, {}, options);
  const JointVotes votes = collect_all(scene, voters, options);
  const JointFit fit = fuse_jointly(votes, options);
  auto statistics = describe_sites(scene.campaign, voters);
  for (auto& s : statistics) {
    s.n_pixels = 400;
    s.area_m2 = 40000.0;
  }
  const auto queue = review_campaign(scene.campaign, voters, votes, fit, statistics, {});
  ASSERT_FALSE(queue.empty());
  for (const auto& site : queue) {
    EXPECT_NE(site.ask, "(model)");
    EXPECT_NE(site.second_choice, "(model)");
  }
}

}  // namespace
}  // namespace furrow::labelling
