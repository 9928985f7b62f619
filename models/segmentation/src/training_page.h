#pragma once

#include <string>
#include <vector>

#include <furrow/segmentation/model_spec.h>
#include <furrow/segmentation/trainer.h>
#include <furrow/segmentation/training_data.h>

namespace furrow::segmentation {

/// What a reader of the figures should know before trusting the model; empty when there is nothing.
[[nodiscard]] std::vector<std::string> training_warnings(const TrainReport& report,
                                                         const TrainingDataSummary& data);

/// The course of a training as one HTML page: warnings, figures of the kept epoch, curves of losses, IoU,
/// object F1 and learning rate, reliability before and after calibration, counts of the data, options. Charts
/// are inline SVG; no script, no other file, no network. The same training gives the same bytes.
/// @param report  at least one epoch
[[nodiscard]] std::string training_page(const ModelSpec& spec, const TrainReport& report,
                                        const TrainingDataSummary& data);

}  // namespace furrow::segmentation
