#include <furrow/labelling/mask_consensus.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/dawid_skene.h>
#include <furrow/labelling/joint_consensus.h>
#include <furrow/labelling/staple.h>

#include "support.h"

namespace furrow::labelling {
namespace {

using ::testing::HasSubstr;
using Pixels = geo::Raster<std::uint8_t>;

template <class T>
std::string save(const std::filesystem::path& path, const geo::Grid& grid, const geo::Raster<T>& pixels,
                 std::optional<double> nodata = {}) {
  geo::RasterSpec spec;
  spec.type = geo::pixel_type_of<T>();
  spec.nodata = nodata;
  spec.cog = false;
  geo::write_raster(path, grid, pixels, spec, true);
  return path.string();
}

template <class T = std::uint8_t>
geo::Raster<T> load(const std::filesystem::path& path) {
  geo::RasterReadOptions options;
  options.require_crs = false;
  const geo::RasterReader reader(path.string(), options);
  return reader.read<T>(reader.grid().window());
}

/// What an expectation fails with, or empty.
template <class Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const geo::Error& error) {
    return error.what();
  }
  return {};
}

/// Masks in a folder, and their fusion.
class Masks {
 public:
  explicit Masks(int classes = 2) { options.fusion.classes = classes; }

  /// Adds a mask drawn as text, or given.
  void add(const std::string& name, const Pixels& pixels, std::optional<double> nodata = {}) {
    if (grid.width == 0) grid = test::utm_grid(pixels.width(), pixels.height());
    inputs.masks.push_back(save(folder / (name + ".tif"), grid, pixels, nodata));
  }

  MaskConsensus fuse(const std::string& out = "out", int threads = 2, std::size_t memory = 1U << 30U) {
    std::filesystem::create_directory(folder / out);
    geo::ExecContext exec({threads, memory});
    MaskConsensus result;
    exec.execute([&] { result = write_mask_consensus(inputs, weights, options, folder / out, exec); });
    return result;
  }

  [[nodiscard]] Pixels label(const std::string& out = "out") const {
    return load(folder / out / "label.tif");
  }

  test::TemporaryFolder folder;
  geo::Grid grid;
  MaskInputs inputs;
  ConsensusOptions options;
  std::vector<LabellerWeights> weights;
};

/// Fields in rows with errors of each labeller's own; one pixel in ten is no vote.
std::vector<Pixels> draw_masks(int n, std::int64_t width, std::int64_t height, int classes) {
  geo::Random random(11);
  std::vector<Pixels> masks;
  for (int j = 0; j < n; ++j) {
    Pixels mask(width, height);
    for (std::int64_t row = 0; row < height; ++row) {
      for (std::int64_t col = 0; col < width; ++col) {
        const bool edge = row % 9 == 0 || col % 12 == 0;
        auto value = static_cast<std::uint8_t>((row / 9 + col / 12) % 2);
        if (classes == 3 && edge) value = 2;
        if (random.chance(0.05 + 0.05 * j))
          value = static_cast<std::uint8_t>(random.below(static_cast<std::uint64_t>(classes)));
        if (random.chance(0.1)) value = random.chance(0.5) ? 255 : 3;
        mask.at(col, row) = value;
      }
    }
    masks.push_back(std::move(mask));
  }
  return masks;
}

/// One row per pixel, in their order.
VoteTable pixel_table(const std::vector<Pixels>& masks, int classes, const Pixels* truth,
                      std::int64_t block) {
  VoteTable table(classes, classes, masks.size());
  const Pixels& first = masks.front();
  for (std::int64_t row = 0; row < first.height(); ++row) {
    for (std::int64_t col = 0; col < first.width(); ++col) {
      std::vector<VoteEntry> entries;
      for (std::size_t j = 0; j < masks.size(); ++j) {
        const std::uint8_t value = masks[j].at(col, row);
        if (value < classes) entries.push_back({static_cast<std::uint32_t>(j), value, 1});
      }
      const std::int32_t known = truth != nullptr && truth->at(col, row) < 3 ? truth->at(col, row) : -1;
      const auto across = static_cast<std::uint32_t>((first.width() + block - 1) / block);
      const auto group =
          static_cast<std::uint32_t>(row / block) * across + static_cast<std::uint32_t>(col / block);
      table.add(entries, entries.empty() && known < 0 ? 0.0 : 1.0, known, group);
    }
  }
  return table;
}

struct Case {
  ConsensusMethod method;
  int classes;
  bool truth;
  std::int64_t block;
};

class MaskMethods : public ::testing::TestWithParam<Case> {};

FusionFit fit_pixels(const VoteTable& table, const Case& c) {
  switch (c.method) {
    case ConsensusMethod::kBayes: {
      ConsensusOptions options;
      options.method = c.method;
      return fuse_jointly(table, std::vector<std::string>(table.voters()), options).fusion;
    }
    case ConsensusMethod::kDawidSkene:
      return dawid_skene(table);
    default:
      return c.classes == 2 ? staple(table) : multi_label_staple(table);
  }
}

// An independent way: no patterns, every pixel a row of its own.
TEST_P(MaskMethods, EqualTheFitOfSinglePixels) {
  const Case c = GetParam();
  constexpr std::int64_t kWidth = 37;
  constexpr std::int64_t kHeight = 29;
  const auto drawn = draw_masks(4, kWidth, kHeight, c.classes);
  Pixels truth(kWidth, kHeight, 1, 255);
  for (std::int64_t col = 0; col < kWidth; ++col)
    for (std::int64_t row = 0; row < 10; ++row)
      truth.at(col, row) = static_cast<std::uint8_t>((row / 9 + col / 12) % 2);
  Masks masks(c.classes);
  masks.options.method = c.method;
  for (std::size_t j = 0; j < drawn.size(); ++j) masks.add("m" + std::to_string(j), drawn[j]);
  if (c.truth) masks.inputs.truth = save(masks.folder / "truth.tif", masks.grid, truth);
  masks.inputs.block_px = c.block;
  const MaskConsensus result = masks.fuse();

  const VoteTable table =
      pixel_table(drawn, c.classes, c.truth ? &truth : nullptr, c.block > 0 ? c.block : kWidth);
  const FusionFit fit = fit_pixels(table, c);
  ASSERT_EQ(result.fit.fusion.confusion.size(), fit.confusion.size());
  for (std::size_t i = 0; i < fit.confusion.size(); ++i)
    EXPECT_NEAR(result.fit.fusion.confusion[i], fit.confusion[i], 1e-6) << i;
  const Pixels label = masks.label();
  const auto posterior = load<float>(masks.folder / "out" / (c.classes == 2 ? "heat.tif" : "posterior.tif"));
  const auto risk = load<float>(masks.folder / "out/risk.tif");
  const float tolerance = c.classes == 2 ? 1e-6F : 0.501F;
  const float scale = c.classes == 2 ? 1.0F : 200.0F;
  for (std::size_t i = 0; i < table.rows(); ++i) {
    if (table.row(i).count == 0.0) {
      EXPECT_EQ(label.data()[i], 255);
      EXPECT_TRUE(c.classes == 2 ? std::isnan(risk.data()[i]) : risk.data()[i] == 255.0F);
      continue;
    }
    const FusedVote fused = decide_posterior(fit.posterior_of(i), masks.options.fusion);
    ASSERT_EQ(label.data()[i], fused.label) << i;
    const std::size_t shown = c.classes == 2 ? 1 : 0;
    ASSERT_NEAR(posterior.data()[i], scale * static_cast<float>(fused.posterior[shown]), tolerance) << i;
    ASSERT_NEAR(risk.data()[i], scale * static_cast<float>(fused.risk), tolerance) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, MaskMethods,
                         ::testing::Values(Case{ConsensusMethod::kBayes, 2, false, 0},
                                           Case{ConsensusMethod::kBayes, 3, true, 0},
                                           Case{ConsensusMethod::kBayes, 3, true, 8},
                                           Case{ConsensusMethod::kDawidSkene, 2, true, 0},
                                           Case{ConsensusMethod::kDawidSkene, 3, false, 8},
                                           Case{ConsensusMethod::kStaple, 2, false, 0},
                                           Case{ConsensusMethod::kStaple, 3, false, 0}));

TEST(MaskConsensus, MajorityByHand) {
  Masks masks;
  masks.options.method = ConsensusMethod::kMajority;
  masks.add("anna", test::draw("0110#"));
  masks.add("ben", test::draw("0113#"));
  masks.add("cleo", test::draw("010##"));
  const MaskConsensus result = masks.fuse();
  EXPECT_EQ(test::picture(masks.label()), test::picture(test::draw("0110#")));
  const auto heat = load<float>(masks.folder / "out/heat.tif");
  EXPECT_FLOAT_EQ(heat.data()[2], 2.0F / 3.0F);
  EXPECT_TRUE(std::isnan(heat.data()[4]));
  EXPECT_EQ(result.n_pixels, 4);
  EXPECT_DOUBLE_EQ(result.field_share, 0.5);
  EXPECT_NEAR(result.mean_risk, 1.0 / 12.0, 1e-12);
  EXPECT_THAT(result.fit.labellers, ::testing::ElementsAre("anna", "ben", "cleo"));
  EXPECT_EQ(result.summary.items, 4);
  EXPECT_EQ(result.summary.votes, 4 + 3 + 3);
  EXPECT_EQ(result.summary.workers[2].n_items, 3);
  // Cleo names the label on 2 of 3 pixels.
  EXPECT_NEAR(result.summary.workers[2].agreement.value(), 2.0 / 3.0, 1e-12);
}

TEST(MaskConsensus, WeightsComeByName) {
  Masks masks;
  masks.options.method = ConsensusMethod::kWeighted;
  masks.add("anna", test::draw("01"));
  masks.add("ben", test::draw("10"));
  masks.weights = {{"ben", 5, 0.9, 0.9, 0.9}, {"anna", 5, 0.5, 0.8, 0.9}};
  masks.fuse();
  EXPECT_EQ(test::picture(masks.label()), test::picture(test::draw("10")));
  const auto heat = load<float>(masks.folder / "out/heat.tif");
  EXPECT_FLOAT_EQ(heat.data()[0], static_cast<float>(0.81 / (0.81 + 0.45)));
}

TEST(MaskConsensus, MasksWithoutWeightsGetTheMeanOrDoNotVote) {
  Masks masks;
  masks.options.method = ConsensusMethod::kWeighted;
  masks.add("anna", test::draw("0"));
  masks.add("ben", test::draw("1"));
  masks.add("dora", test::draw("1"));
  masks.weights = {{"anna", 5, 0.9, 0.9, 0.9}};
  const MaskConsensus mean = masks.fuse("mean");
  EXPECT_EQ(mean.n_unknown, 2);
  EXPECT_EQ(masks.label("mean").data()[0], 1);
  masks.options.unknown = UnknownLabeller::kDrop;
  EXPECT_THAT(masks.fuse("drop").fit.labellers, ::testing::ElementsAre("anna"));
  EXPECT_EQ(masks.label("drop").data()[0], 0);
  masks.weights = {{"nobody", 5, 0.9, 0.9, 0.9}};
  EXPECT_THAT(error_of([&] { masks.fuse("none"); }),
              ::testing::AllOf(HasSubstr("'nobody'"), HasSubstr("'anna'"), HasSubstr("name the files")));
}

TEST(MaskConsensus, DependsNeitherOnThreadsNorOnWindows) {
  const auto drawn = draw_masks(5, 1100, 1300, 3);
  for (const std::int64_t block : {0, 100}) {
    Masks masks(3);
    for (std::size_t j = 0; j < drawn.size(); ++j) masks.add("m" + std::to_string(j), drawn[j]);
    masks.inputs.block_px = block;
    const MaskConsensus one = masks.fuse("one", 1);
    const MaskConsensus four = masks.fuse("four", 4);
    // Windows of one block.
    const MaskConsensus small = masks.fuse("small", 4, std::size_t{80} << 20U);
    EXPECT_EQ(one.fit.fusion.confusion, four.fit.fusion.confusion);
    EXPECT_EQ(one.fit.fusion.confusion, small.fit.fusion.confusion);
    EXPECT_EQ(one.n_sites, block == 0 ? 1 : 11 * 13);
    for (const std::string file : {"label.tif", "posterior.tif", "risk.tif"}) {
      const std::string bytes = test::bytes_of(masks.folder / "one" / file);
      EXPECT_EQ(bytes, test::bytes_of(masks.folder / "four" / file)) << file;
      EXPECT_EQ(bytes, test::bytes_of(masks.folder / "small" / file)) << file;
    }
  }
}

TEST(MaskConsensus, TruthIsKeptAndCountsAlsoWhereNobodyVoted) {
  Masks masks;
  masks.options.method = ConsensusMethod::kDawidSkene;
  masks.add("anna", test::draw("011#1"));
  masks.add("ben", test::draw("0113#"));
  masks.inputs.truth = save(masks.folder / "known.tif", masks.grid, test::draw("#013#"));
  Pixels known = test::draw("#0#1#");
  masks.inputs.truth = save(masks.folder / "known.tif", masks.grid, known);
  masks.fuse();
  const Pixels label = masks.label();
  EXPECT_EQ(label.data()[1], 0);  // both say field, the truth does not
  EXPECT_EQ(label.data()[3], 1);  // nobody voted
  EXPECT_EQ(load<float>(masks.folder / "out/risk.tif").data()[1], 0.0F);
  masks.options.method = ConsensusMethod::kMajority;
  EXPECT_THAT(error_of([&] { masks.fuse("majority"); }), HasSubstr("known truth"));
}

TEST(MaskConsensus, NodataNanAndAnyTypeAreUnderstood) {
  Masks masks;
  masks.options.method = ConsensusMethod::kMajority;
  masks.add("bytes", test::draw("0111"), 1.0);  // 1 is nodata here
  const float nan = std::numeric_limits<float>::quiet_NaN();
  geo::Raster<float> floats(4, 1);
  floats.data() = {1.0F, nan, 0.0F, -3.4e38F};
  masks.inputs.masks.push_back(save(masks.folder / "floats.tif", masks.grid, floats, -3.4e38));
  geo::Raster<std::int16_t> shorts(4, 1);
  shorts.data() = {1, -9999, 0, -9999};
  masks.inputs.masks.push_back(save(masks.folder / "shorts.tif", masks.grid, shorts, -9999.0));
  const MaskConsensus result = masks.fuse();
  EXPECT_EQ(test::picture(masks.label()), test::picture(test::draw("1#0#")));
  EXPECT_EQ(result.n_pixels, 2);
}

TEST(MaskConsensus, SaysWhichValueIsNoClass) {
  Masks masks;
  masks.add("anna", test::draw("0120"));
  EXPECT_THAT(error_of([&] { masks.fuse(); }),
              ::testing::AllOf(HasSubstr("anna.tif"), HasSubstr("value 2"), HasSubstr("--classes 3")));
  Masks others(3);
  others.add("ben", test::draw("0170"));
  EXPECT_THAT(error_of([&] { others.fuse(); }),
              ::testing::AllOf(HasSubstr("ben.tif"), HasSubstr("value 7"), HasSubstr("gdal_calc")));
  Masks halves(3);
  halves.grid = test::utm_grid(1, 1);
  halves.inputs.masks = {save(halves.folder / "half.tif", halves.grid, geo::Raster<float>(1, 1, 1, 0.5F))};
  EXPECT_THAT(error_of([&] { halves.fuse(); }), HasSubstr("value 0.5"));
}

TEST(MaskConsensus, GridsMustBeEqual) {
  Masks masks;
  masks.add("anna", test::draw("01"));
  const auto refused = [&](const geo::Grid& grid) {
    masks.inputs.masks.resize(1);
    masks.inputs.masks.push_back(save(masks.folder / "ben.tif", grid, Pixels(grid.width, grid.height)));
    const std::string message = error_of([&] { masks.fuse(); });
    EXPECT_THAT(message,
                ::testing::AllOf(HasSubstr("anna.tif"), HasSubstr("ben.tif"), HasSubstr("one grid")));
    return message;
  };
  EXPECT_THAT(refused(test::utm_grid(3, 1)), HasSubstr("3 x 1 px"));
  geo::Grid grid = masks.grid;
  grid.transform.x0 += 10.0;
  EXPECT_THAT(refused(grid), HasSubstr("corner"));
  grid = masks.grid;
  grid.crs = geo::Crs::from_user_input("EPSG:32633");
  EXPECT_THAT(refused(grid), HasSubstr("EPSG:32633"));
  grid.crs = {};
  EXPECT_THAT(refused(grid), HasSubstr("no CRS"));
}

TEST(MaskConsensus, NoCrsAndSouthUpAreFine) {
  Masks masks;
  masks.options.method = ConsensusMethod::kMajority;
  masks.grid = test::utm_grid(2, 3);
  masks.grid.crs = {};
  masks.grid.transform.y0 = 100.0;
  masks.grid.transform.dy = 10.0;
  masks.add("anna", test::draw("00\n01\n11"));
  masks.fuse();
  EXPECT_EQ(test::picture(masks.label()), test::picture(test::draw("00\n01\n11")));
  geo::RasterReadOptions options;
  options.require_crs = false;
  const geo::RasterReader label((masks.folder / "out/label.tif").string(), options);
  EXPECT_TRUE(label.grid().same_as(masks.grid));
  EXPECT_EQ(label.grid().transform.dy, 10.0);
}

TEST(MaskConsensus, AFileGivenTwiceIsRefused) {
  Masks masks;
  masks.add("anna", test::draw("01"));
  masks.inputs.masks.push_back((masks.folder.path() / "." / "anna.tif").string());
  EXPECT_THAT(error_of([&] { masks.fuse(); }), HasSubstr("given twice"));
}

TEST(MaskConsensus, OneMaskIsItsOwnConsensus) {
  for (const auto method : {ConsensusMethod::kBayes, ConsensusMethod::kDawidSkene, ConsensusMethod::kStaple,
                            ConsensusMethod::kMajority}) {
    Masks masks;
    masks.options.method = method;
    masks.add("anna", test::draw("0000\n0110\n0110\n0#00"));
    masks.fuse();
    EXPECT_EQ(test::picture(masks.label()), test::picture(test::draw("0000\n0110\n0110\n0#00")));
  }
}

TEST(MaskConsensus, AllBackgroundStaysBackground) {
  for (const int classes : {2, 3}) {
    for (const auto method : {ConsensusMethod::kBayes, ConsensusMethod::kDawidSkene, ConsensusMethod::kStaple,
                              ConsensusMethod::kMajority}) {
      Masks masks(classes);
      masks.options.method = method;
      for (const std::string name : {"a", "b", "c"}) masks.add(name, Pixels(20, 20));
      const MaskConsensus result = masks.fuse();
      EXPECT_EQ(masks.label().data(), Pixels(20, 20).data()) << static_cast<int>(method);
      EXPECT_TRUE(std::isfinite(result.mean_risk));
    }
  }
}

TEST(MaskConsensus, NobodyVotedAnywhere) {
  Masks masks;
  masks.add("a", Pixels(5, 5, 1, 255));
  masks.add("b", Pixels(5, 5, 1, 3));
  const MaskConsensus result = masks.fuse();
  EXPECT_EQ(masks.label().data(), Pixels(5, 5, 1, 255).data());
  EXPECT_EQ(result.n_pixels, 0);
  EXPECT_TRUE(std::isnan(result.mean_risk));
}

// More files than are kept open in every thread.
TEST(MaskConsensus, ThreeHundredMasks) {
  Masks masks;
  geo::Random random(3);
  for (int j = 0; j < 300; ++j) {
    Pixels mask(16, 16);
    for (std::size_t i = 0; i < mask.data().size(); ++i)
      mask.data()[i] = static_cast<std::uint8_t>((i % 16 < 8) != random.chance(0.3));
    masks.add("m" + std::to_string(j), mask);
  }
  const MaskConsensus result = masks.fuse();
  EXPECT_EQ(result.fit.labellers.size(), 300U);
  const Pixels label = masks.label();
  for (std::size_t i = 0; i < label.data().size(); ++i) EXPECT_EQ(label.data()[i], i % 16 < 8 ? 1 : 0);
}

TEST(MaskConsensus, ManyCombinationsOfTwentyVoters) {
  Masks masks;
  const auto drawn = draw_masks(20, 200, 200, 2);
  for (std::size_t j = 0; j < drawn.size(); ++j) masks.add("m" + std::to_string(j), drawn[j]);
  EXPECT_GT(masks.fuse("enough").n_patterns, 39000);
  EXPECT_THAT(error_of([&] { masks.fuse("little", 1, std::size_t{1} << 20U); }),
              ::testing::AllOf(HasSubstr("combinations"), HasSubstr("--memory")));
}

TEST(MaskConsensus, ThereMustBeAMask) {
  Masks masks;
  EXPECT_THAT(error_of([&] { masks.fuse(); }), HasSubstr("no mask"));
}

TEST(MaskNames, AreStemsMadeUnique) {
  const std::vector<std::string> paths{"a/map.tif", "b/map.tif", "c/map_2.tif", "d/map.tif", "e/anna.vrt"};
  EXPECT_THAT(mask_names(paths), ::testing::ElementsAre("map", "map_3", "map_2", "map_4", "anna"));
}

}  // namespace
}  // namespace furrow::labelling
