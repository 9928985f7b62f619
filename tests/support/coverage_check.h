#pragma once

#include <span>
#include <string>
#include <vector>

#include <furrow/geo/topology/clean.h>
#include <furrow/geo/vector/geometry.h>
#include <furrow/geo/vector/layer.h>

namespace furrow::test {

/// geo::clean_layer in a context of its own.
[[nodiscard]] geo::CleanedLayer clean(const geo::Layer& layer, const geo::CleanOptions& options,
                                      int threads = 2);

[[nodiscard]] std::vector<geo::MultiPolygon> shapes_of(const geo::Layer& layer);

/// What is wrong with shapes that should form a coverage, or empty: one is invalid, two overlap, or two share
/// a line without sharing all vertices on it. Slow and independent of the cleaning.
/// @param steps  coordinates are multiples of 1 / steps
[[nodiscard]] std::string coverage_problem(std::span<const geo::MultiPolygon> shapes, double steps);

/// Area between shapes that is narrower than a width and longer than it (planar): what is left of the closing
/// of their union, without pieces that are no longer than wide or that touch one shape only.
[[nodiscard]] double narrow_gap_area(std::span<const geo::MultiPolygon> shapes, double width);

}  // namespace furrow::test
