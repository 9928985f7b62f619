#include <furrow/geo/raster/band_names.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

struct CommonName {
  std::string_view sentinel2;
  std::array<std::string_view, 2> common;  ///< STAC's eo:common_name, then an older or longer form
};

constexpr std::array<CommonName, 12> kCommonNames{{{"b01", {"coastal", "coastal aerosol"}},
                                                   {"b02", {"blue", "blue"}},
                                                   {"b03", {"green", "green"}},
                                                   {"b04", {"red", "red"}},
                                                   {"b05", {"rededge071", "rededge1"}},
                                                   {"b06", {"rededge075", "rededge2"}},
                                                   {"b07", {"rededge078", "rededge3"}},
                                                   {"b08", {"nir", "near infrared"}},
                                                   {"b8a", {"nir08", "rededge4"}},
                                                   {"b09", {"nir09", "water vapour"}},
                                                   {"b11", {"swir16", "swir1"}},
                                                   {"b12", {"swir22", "swir2"}}}};

/// The other names of the same Sentinel-2 band.
std::vector<std::string> synonyms(const std::string& name) {
  for (const CommonName& one : kCommonNames) {
    if (name == one.sentinel2) return {std::string(one.common[0]), std::string(one.common[1])};
    if (std::ranges::find(one.common, name) != one.common.end())
      return {std::string(one.sentinel2), std::string(one.common[0]), std::string(one.common[1])};
  }
  return {};
}

/// "b4" for "b04": how people write the same band.
std::string without_zero(const std::string& name) {
  return name.size() == 3 && name[0] == 'b' && name[1] == '0' ? concat('b', name[2]) : name;
}

class BandFinder {
 public:
  explicit BandFinder(const RasterReader& raster) : m_raster(raster) {}

  [[nodiscard]] int find(const std::string& wanted) const {
    long long number = 0;
    if (parse_number(wanted, number)) return by_number(number);
    const std::string name = to_lower(trim(wanted));
    const auto has_description = [&](const BandInfo& band) { return to_lower(band.description) == name; };
    const auto has_short = [&](const BandInfo& band) {
      return without_zero(to_lower(band.description)) == without_zero(name);
    };
    const auto has_colour = [&](const BandInfo& band) { return band.colour == name; };
    const std::vector<std::string> others = synonyms(name);
    const auto has_synonym = [&](const BandInfo& band) {
      return std::ranges::find(others, to_lower(band.description)) != others.end();
    };
    if (const int b = only(has_description, wanted); b >= 0) return b;
    if (const int b = only(has_short, wanted); b >= 0) return b;
    if (const int b = only(has_colour, wanted); b >= 0) return b;
    if (const int b = only(has_synonym, wanted); b >= 0) return b;
    const auto has_other_colour = [&](const BandInfo& band) {
      return std::ranges::find(others, band.colour) != others.end();
    };
    if (const int b = only(has_other_colour, wanted); b >= 0) return b;
    throw IoError(concat("raster ", quoted(m_raster.path()), " has no band called ", quoted(wanted),
                         did_you_mean(wanted, names()), "; it has ", list()));
  }

 private:
  [[nodiscard]] int by_number(long long number) const {
    if (number >= 1 && number <= m_raster.bands()) return static_cast<int>(number) - 1;
    throw InvalidArgument(concat("raster ", quoted(m_raster.path()), " has ", m_raster.bands(),
                                 " bands; there is no band ", number));
  }

  /// @return -1 when no band is like that
  template <class Like>
  [[nodiscard]] int only(const Like& like, const std::string& wanted) const {
    int found = -1;
    for (int b = 0; b < m_raster.bands(); ++b) {
      if (!like(m_raster.band(b))) continue;
      if (found >= 0) {
        throw IoError(concat("bands ", found + 1, " and ", b + 1, " of raster ", quoted(m_raster.path()),
                             " are both called ", quoted(wanted), "; give the number"));
      }
      found = b;
    }
    return found;
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (int b = 0; b < m_raster.bands(); ++b) {
      const BandInfo& band = m_raster.band(b);
      if (!band.description.empty()) all.push_back(band.description);
      if (!band.colour.empty()) all.push_back(band.colour);
    }
    return all;
  }

  [[nodiscard]] std::string list() const {
    std::vector<std::string> all;
    for (int b = 0; b < m_raster.bands(); ++b) {
      const BandInfo& band = m_raster.band(b);
      const std::string& name = band.description.empty() ? band.colour : band.description;
      all.push_back(name.empty() ? concat(b + 1) : concat(b + 1, " (", name, ")"));
    }
    return concat(all.size() == 1 ? "band " : "bands ", join(all, ", "));
  }

  const RasterReader& m_raster;
};

}  // namespace

std::vector<int> choose_bands(const RasterReader& raster, std::span<const std::string> wanted) {
  std::vector<int> bands;
  if (wanted.empty()) {
    bands.resize(static_cast<std::size_t>(raster.bands()));
    std::iota(bands.begin(), bands.end(), 0);
  }
  const BandFinder finder(raster);
  for (const std::string& name : wanted) bands.push_back(finder.find(name));
  return bands;
}

}  // namespace furrow::geo
