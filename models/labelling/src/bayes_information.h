#pragma once

#include <vector>

#include "bayes_evidence.h"

namespace furrow::labelling::bayes {

/// Part of the information about each voter's specificity and sensitivity that is there although the truth is
/// not known. Shape [voters, 2], each in [0.02, 1].
///
/// Observed information = complete - missing (Louis 1982), jointly for the skills of all voters and the field
/// share of every group: what two labellers say only of each other is not counted as known. Beyond 300 voters
/// each is looked at alone, which overstates a little what is known.
[[nodiscard]] std::vector<double> known_information(const Rows& rows, const Model& model, const State& state,
                                                    const SeatEvidence& evidence,
                                                    const std::vector<AspectEvidence>& sums);

}  // namespace furrow::labelling::bayes
