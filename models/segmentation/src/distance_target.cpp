#include "distance_target.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <furrow/geo/raster/distance.h>
#include <furrow/geo/raster/rasterize.h>

namespace furrow::segmentation {
namespace {

/// Which pixels beyond the interior end a field.
enum class Ends {
  kEdge,     ///< background and boundary
  kAnything  ///< also ignored pixels and the border of the window
};

/// Distance to the nearest end, [side, side]; right up to `reach` pixels, larger beyond.
geo::Raster<float> distances(std::span<const std::uint8_t> labels, std::int64_t side, std::int64_t reach,
                             Ends ends, geo::ExecContext& exec) {
  const std::uint32_t unknown = ends == Ends::kEdge ? 1 : 0;
  const geo::InstanceSource fields = [&](const geo::Window& window) {
    geo::Raster<std::uint32_t> part(window.width, window.height);
    for (std::int64_t y = 0; y < window.height; ++y) {
      for (std::int64_t x = 0; x < window.width; ++x) {
        const std::int64_t col = window.col + x;
        const std::int64_t row = window.row + y;
        const bool inside = col >= 0 && col < side && row >= 0 && row < side;
        const std::uint8_t label = inside ? labels[static_cast<std::size_t>(row * side + col)] : geo::kIgnore;
        part.at(x, y) = label == geo::kIgnore ? unknown : label == geo::kInterior ? 1 : 0;
      }
    }
    return part;
  };
  geo::Raster<float> result(side, side);
  geo::field_distances(fields, {-reach, -reach, side + 2 * reach, side + 2 * reach}, {0, 0, side, side}, 1,
                       {}, exec, [&](const geo::Window& window, const geo::Raster<float>& strip) {
                         std::copy(strip.data().begin(), strip.data().end(), &result.at(0, window.row));
                       });
  return result;
}

}  // namespace

DistanceTarget distance_target(std::span<const std::uint8_t> labels, std::int64_t side, double most_px,
                               geo::ExecContext& exec) {
  const auto reach = static_cast<std::int64_t>(std::ceil(most_px)) + 1;
  const geo::Raster<float> nearest = distances(labels, side, reach, Ends::kAnything, exec);
  const geo::Raster<float> edge = distances(labels, side, reach, Ends::kEdge, exec);
  DistanceTarget target{torch::empty({side, side}, torch::kFloat), torch::empty({side, side}, torch::kBool)};
  auto* values = target.values.data_ptr<float>();
  auto* known = target.known.data_ptr<bool>();
  const auto most = static_cast<float>(most_px);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const float distance = nearest.data()[i];
    values[i] = labels[i] == geo::kInterior ? std::min(distance, most) / most : 0.0f;
    known[i] = labels[i] != geo::kIgnore &&
               (labels[i] != geo::kInterior || distance >= most || edge.data()[i] <= distance);
  }
  return target;
}

DistanceTarget distance_targets(std::span<const std::uint8_t> labels, std::int64_t count, std::int64_t side,
                                double most_px, geo::ExecContext& exec) {
  std::vector<torch::Tensor> values;
  std::vector<torch::Tensor> known;
  const auto pixels = static_cast<std::size_t>(side * side);
  for (std::int64_t i = 0; i < count; ++i) {
    const DistanceTarget window =
        distance_target(labels.subspan(static_cast<std::size_t>(i) * pixels, pixels), side, most_px, exec);
    values.push_back(window.values);
    known.push_back(window.known);
  }
  return {torch::stack(values).unsqueeze(1), torch::stack(known).unsqueeze(1)};
}

torch::Tensor distance_loss(const torch::Tensor& distance, const DistanceTarget& target) {
  const torch::Tensor wrong =
      torch::smooth_l1_loss(distance.to(torch::kFloat), target.values, at::Reduction::None);
  const torch::Tensor known = target.known.to(torch::kFloat);
  return (wrong * known).sum() / known.sum().clamp_min(1.0);
}

}  // namespace furrow::segmentation
