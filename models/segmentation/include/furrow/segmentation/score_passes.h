#pragma once

#include <vector>

#include <furrow/segmentation/predictor.h>

namespace furrow::segmentation {

/// Several views of a scene instead of one: the scores are the mean over passes, and where passes differ the
/// network does not know (mutual information). Test-time augmentation after Wang et al. 2019.
///
/// The same network shown the window turned and mirrored in eight ways (the symmetries of the square, D4),
/// its answers turned back. The first pass is the window as it is. Costs eight times the network. As windows
/// begin and end at multiples of the stride, pooling cells fall on pooling cells: a network whose kernels are
/// symmetric gives the same scores in all passes up to rounding. Thread-safe if `score` is.
[[nodiscard]] std::vector<PartScoreFunction> turned_passes(PartScoreFunction score);

}  // namespace furrow::segmentation
