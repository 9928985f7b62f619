#include <furrow/geo/raster/band_names.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/raster/writer.h>

#include "support.h"

namespace furrow::geo {
namespace {

class BandNames : public testing::Test {
 protected:
  RasterReader raster(const std::vector<std::string>& descriptions,
                      const std::vector<std::string>& colours = {}) {
    RasterSpec spec;
    spec.type = PixelType::kUint16;
    spec.bands = static_cast<int>(descriptions.size());
    spec.descriptions = descriptions;
    spec.colours = colours;
    spec.cog = false;
    const auto path = m_folder / "bands.tif";
    write_raster(path, test::utm_grid(2, 2), Raster<std::uint16_t>(2, 2, spec.bands), spec, true);
    return RasterReader(path.string());
  }

  static std::string message(const RasterReader& raster, const std::string& name) {
    try {
      (void)choose_bands(raster, std::vector{name});
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }

  test::TemporaryFolder m_folder;
};

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(BandNames, NumbersDescriptionsAndCommonNames) {
  const RasterReader sentinel = raster({"B02", "B03", "B04", "B8A", "B08"});
  EXPECT_THAT(choose_bands(sentinel, std::vector<std::string>{"3", "b02", "B8"}), ElementsAre(2, 0, 4));
  EXPECT_THAT(choose_bands(sentinel, std::vector<std::string>{"red", "Green", "nir", "nir08"}),
              ElementsAre(2, 1, 4, 3));
  EXPECT_THAT(choose_bands(sentinel, {}), ElementsAre(0, 1, 2, 3, 4));
  const RasterReader named = raster({"blue", "red", "rededge1"});
  EXPECT_THAT(choose_bands(named, std::vector<std::string>{"B04", "RED", "B05"}), ElementsAre(1, 1, 2));
}

TEST_F(BandNames, ColoursCountWhereDescriptionsSayNothing) {
  const RasterReader rgb = raster({"", "", "", "ndvi"}, {"red", "green", "blue", ""});
  EXPECT_EQ(rgb.band(0).colour, "red");
  EXPECT_THAT(choose_bands(rgb, std::vector<std::string>{"blue", "NDVI", "red"}), ElementsAre(2, 3, 0));
  EXPECT_THAT(choose_bands(rgb, std::vector<std::string>{"B02"}), ElementsAre(2));
}

TEST_F(BandNames, NumbersOfOtherSensorsAreNoColours) {
  // Landsat 5: B4 is near infrared.
  const RasterReader landsat = raster({"B1", "B2", "B3", "B4"});
  EXPECT_THAT(message(landsat, "red"), HasSubstr("no band called 'red'"));
  EXPECT_THAT(choose_bands(landsat, std::vector<std::string>{"B04"}), ElementsAre(3));
}

TEST_F(BandNames, UnknownAndAmbiguousNamesSayWhatIsThere) {
  const RasterReader bands = raster({"B02", "B03", ""});
  EXPECT_THAT(message(bands, "B09"),
              testing::AllOf(HasSubstr("bands.tif"), HasSubstr("1 (B02), 2 (B03), 3")));
  EXPECT_THAT(message(bands, "4"), HasSubstr("there is no band 4"));
  EXPECT_THAT(message(bands, "0"), HasSubstr("there is no band 0"));
  EXPECT_THAT(message(raster({"B02", "b02"}), "B02"), HasSubstr("bands 1 and 2"));
}

}  // namespace
}  // namespace furrow::geo
