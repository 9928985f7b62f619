#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <furrow/labelling/vote_table.h>

#include "golden_tables.h"

namespace furrow::labelling {

/// The 45 patients whom five anaesthetists put into four classes (Dawid and Skene 1979).
inline VoteTable anaesthetists() {
  const test::GoldenTable ratings("c_label_fusion/anaesthetist_ratings.csv");
  std::map<int, std::vector<VoteEntry>> by_item;
  for (std::size_t i = 0; i < ratings.rows(); ++i) {
    by_item[static_cast<int>(ratings.number(i, "item"))].push_back(
        {static_cast<std::uint32_t>(ratings.number(i, "rater")) - 1,
         static_cast<std::uint16_t>(ratings.number(i, "rating") - 1.0)});
  }
  VoteTable table(4, 4, 5);
  for (const auto& [item, votes] : by_item) table.add(votes);
  return table;
}

}  // namespace furrow::labelling
