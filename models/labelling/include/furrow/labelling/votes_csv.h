#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <furrow/labelling/vote_table.h>

namespace furrow::labelling {

/// A table with one vote a line, and where its parts stand. Column names are compared without case.
struct VotesCsvOptions {
  std::filesystem::path path;
  std::string item_column = "item";
  std::string worker_column = "worker";
  std::string label_column = "label";
  /// Column of the same table with the class that an expert found; empty = none. It may be filled in on any
  /// of an item's lines.
  std::string truth_column;
  /// Table with an expert's classes: the columns item_column and "truth"; empty = none.
  std::filesystem::path truth_path;
  /// Names of the classes in their order; empty = every label (and truth) of the tables, in order. Needed
  /// where a class may be without votes.
  std::vector<std::string> classes;
  /// Labels that are answers but no classes, such as "unsure".
  std::vector<std::string> unsure;
};

/// Votes with the names that they have in the table.
struct NamedVotes {
  VoteTable table;                       ///< one row per item, in their order; not grouped
  std::vector<std::string> items;        ///< in order
  std::vector<std::string> workers;      ///< in order; voter j is workers[j]
  std::vector<std::string> labels;       ///< of the outcomes: the classes, then the unsure labels
  std::int64_t votes = 0;                ///< votes in the table
  std::int64_t missing = 0;              ///< lines without a label
  std::int64_t repeated = 0;             ///< votes of a worker on an item beyond the first
  std::int64_t known = 0;                ///< items with a known truth
  std::int64_t truth_without_votes = 0;  ///< truths of items that the votes do not have; left out

  [[nodiscard]] std::vector<std::string> class_names() const {
    return {labels.begin(), labels.begin() + table.classes()};
  }
};

/// Reads votes. Lines may stand in any order: items, workers and labels are sorted, as numbers where all of a
/// kind are numbers, else as text. Where all labels are numbers, 1, 01 and 1.0 are one label; items and
/// workers are told apart by their text.
///
/// An empty label (also NA, NaN, null, None) is no vote, but its item and worker are kept. Several votes of a
/// worker on one item are repeated votes. Spaces around a cell do not count.
/// @throws geo::IoError  file or column missing, no vote line; a line without item or worker; an unknown
/// label
///                       (with `classes`), two truths for one item: with file and line; fewer than two
///                       classes; more than 256 labels (a column of something else was named)
[[nodiscard]] NamedVotes read_votes_csv(const VotesCsvOptions& options);

}  // namespace furrow::labelling
