#include <furrow/labelling/model_labeller.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/crs/crs.h>

namespace furrow::labelling {
namespace {

/// Where on the score map the centres of a grid's pixels lie, and the window that holds them all.
struct Places {
  std::vector<geo::Point> pixel;  ///< (col, row) of the score map; NaN where the centre has no image there
  geo::Window window;             ///< empty when no centre lies on the map
};

std::vector<geo::Point> centres_of(const geo::Grid& grid) {
  std::vector<geo::Point> centres;
  centres.reserve(static_cast<std::size_t>(grid.width * grid.height));
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t col = 0; col < grid.width; ++col)
      centres.push_back(
          grid.transform.to_world({static_cast<double>(col) + 0.5, static_cast<double>(row) + 0.5}));
  }
  return centres;
}

bool is_on(const geo::Grid& map, geo::Point pixel) {
  return pixel.x >= 0.0 && pixel.y >= 0.0 && pixel.x < static_cast<double>(map.width) &&
         pixel.y < static_cast<double>(map.height);
}

Places find_places(const geo::Grid& grid, const geo::Grid& map) {
  Places places{centres_of(grid), {}};
  if (!grid.crs.same_as(map.crs)) {
    try {
      geo::CoordinateTransform(grid.crs, map.crs).apply(places.pixel);
    } catch (const geo::CrsError&) {
      return places;  // a place that the map's CRS does not reach is not on the map
    }
  }
  auto first_col = std::numeric_limits<std::int64_t>::max();
  auto first_row = first_col;
  std::int64_t last_col = -1;
  std::int64_t last_row = -1;
  for (geo::Point& place : places.pixel) {
    place = map.transform.to_pixel(place);
    if (!is_on(map, place)) continue;
    first_col = std::min(first_col, static_cast<std::int64_t>(place.x));
    first_row = std::min(first_row, static_cast<std::int64_t>(place.y));
    last_col = std::max(last_col, static_cast<std::int64_t>(place.x));
    last_row = std::max(last_row, static_cast<std::int64_t>(place.y));
  }
  if (last_col >= 0)
    places.window = {first_col, first_row, last_col - first_col + 1, last_row - first_row + 1};
  return places;
}

void check_bands(const geo::RasterReader& map, int classes) {
  if (map.bands() == 3 || (map.bands() == 1 && classes == 2)) return;
  throw geo::IoError(
      geo::concat("score map ", geo::quoted(map.path()), " has ", map.bands(),
                  " bands; a model's probabilities have three (background, interior, boundary)",
                  ", or one (field) with two classes"));
}

}  // namespace

ModelLabeller::ModelLabeller(const std::vector<std::string>& score_maps, const ModelLabellerOptions& options)
    : m_options(options) {
  if (options.classes != 2 && options.classes != 3)
    throw geo::InvalidArgument(geo::concat("a consensus has 2 or 3 classes, not ", options.classes));
  if (!(options.least_probability >= 0.0 && options.least_probability <= 1.0))
    throw geo::InvalidArgument("the least probability of a sure vote must be in 0..1");
  for (const auto& path : score_maps) {
    m_maps.emplace_back(path, options.read);
    check_bands(m_maps.back(), options.classes);
  }
}

std::vector<Vote> ModelLabeller::votes(const geo::Grid& grid) const {
  std::vector<Vote> votes(static_cast<std::size_t>(grid.width * grid.height), kMissingVote);
  for (const auto& map : m_maps) add_votes(map, grid, votes);
  return votes;
}

void ModelLabeller::add_votes(const geo::RasterReader& map, const geo::Grid& grid,
                              std::vector<Vote>& votes) const {
  const Places places = find_places(grid, map.grid());
  if (places.window.empty()) return;
  const auto scores = map.read<float>(places.window);
  const auto valid = map.read_valid(places.window);
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (votes[i] != kMissingVote || !is_on(map.grid(), places.pixel[i])) continue;
    const auto col = static_cast<std::int64_t>(places.pixel[i].x) - places.window.col;
    const auto row = static_cast<std::int64_t>(places.pixel[i].y) - places.window.row;
    if (valid.at(col, row) != 0) votes[i] = vote_of(map, scores, col, row);
  }
}

Vote ModelLabeller::vote_of(const geo::RasterReader& map, const geo::Raster<float>& scores, std::int64_t col,
                            std::int64_t row) const {
  std::array<double, 3> p{};
  for (int b = 0; b < map.bands(); ++b) {
    const geo::BandInfo& band = map.band(b);
    const double stored = static_cast<double>(scores.at(col, row, b));
    const double value = m_options.scale ? stored * *m_options.scale : stored * band.scale + band.offset;
    // Networks and resampling overshoot by rounding noise.
    if (!(value >= -0.005 && value <= 1.005)) {
      throw geo::IoError(geo::concat("score map ", geo::quoted(map.path()), " has the value ",
                                     geo::shortest(value), " in band ", b + 1,
                                     ", outside 0..1; say how stored values become probabilities with ",
                                     "--model-scale, for example --model-scale 0.005"));
    }
    p[static_cast<std::size_t>(b)] = value;
  }
  if (map.bands() == 1) p = {1.0 - p[0], p[0], 0.0};
  if (m_options.classes == 2) p = {p[0], p[1] + p[2], 0.0};
  const auto best = static_cast<unsigned>(std::ranges::max_element(p) - p.begin());
  const double sum = p[0] + p[1] + p[2];
  if (sum <= 0.0) return kMissingVote;
  if (p[best] >= m_options.least_probability * sum) return make_vote(best);
  return make_vote(0, best == 0 ? 1 : best);
}

}  // namespace furrow::labelling
