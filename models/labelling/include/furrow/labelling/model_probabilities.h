#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/labelling/votes_csv.h>

namespace furrow::labelling {

/// Reads what a model says of the items of a table of votes: a CSV with a column of items and one of
/// probabilities per class, called p_<class> as in labels.csv, or as the class itself. Names are compared
/// without case. Items that nobody voted on are passed over.
/// @param item_column  name of the column with the items
/// @return shape [items, classes], in the order of `votes`
/// @throws geo::IoError  file or column missing; a probability that is no number, negative, or 0 for all
///                       classes; an item twice, or none for an item of the votes: with file and line
[[nodiscard]] std::vector<double> read_model_probabilities(const std::filesystem::path& path,
                                                           const std::string& item_column,
                                                           const NamedVotes& votes);

}  // namespace furrow::labelling
