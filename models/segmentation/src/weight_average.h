#pragma once

#include <cstdint>

#include "unet.h"

namespace furrow::segmentation {

/// Exponential moving average of a network's weights (Polyak & Juditsky 1992; as in mean teachers, Tarvainen
/// & Valpola 2017): after step t (from 0), average = d average + (1 - d) weights with d = min(decay, (1 + t)
/// / (10 + t)), so that the first steps, far from the goal, are soon forgotten. The statistics of batch
/// normalisation are averaged likewise; whole-number buffers are copied.
void update_average(UNet& average, const UNet& network, double decay, std::int64_t step);

}  // namespace furrow::segmentation
