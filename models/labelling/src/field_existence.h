#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <furrow/labelling/instance_consensus.h>

#include "field_outlines.h"

namespace furrow::labelling {

/// A field, or land without any, that labellers voted on.
struct VotedLand {
  std::uint32_t site = 0;
  double area_m2 = 0.0;
  bool is_free = false;                    ///< no field: counts as its area / mean field area places
  std::int32_t truth = -1;                 ///< 0 no field, 1 field, -1 not known
  std::vector<std::uint32_t> voters;       ///< positions in the list of labellers
  std::vector<FieldVote::Answer> answers;  ///< one per voter
};

struct ExistenceFit {
  std::vector<double> p_exists;  ///< one per VotedLand; NaN for free land
  std::vector<SizeClassFit> size_classes;
};

/// Learns rates and posteriors of existence (see find_fields).
/// @param n_labellers  voters are below it
[[nodiscard]] ExistenceFit fit_existence(const std::vector<VotedLand>& lands, std::size_t n_labellers,
                                         const InstanceOptions& options);

}  // namespace furrow::labelling
