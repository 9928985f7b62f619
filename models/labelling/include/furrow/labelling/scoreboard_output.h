#pragma once

#include <filesystem>

#include <furrow/labelling/labeller_skills.h>
#include <furrow/labelling/scoreboard.h>

namespace furrow::labelling {

/// Writes a scoreboard into a folder (made when missing; other files in it stay):
/// `assignments.csv`  one row per assignment: name, assignment_id, Labeller, Class, status, completion_time,
/// reference,
///                    Score, N, Edge, Area, Categorical, Qscore (Score under the published name), FieldSkill,
///                    NoFieldSkill, each measure's <name>_status ("defined" or why not), then the details of
///                    the mode;
/// `labellers.csv`    one row per labeller: Labeller, n_assignments, n_scored, Score, FieldSkill,
/// FieldSkill_low,
///                    FieldSkill_high, NoFieldSkill, ..., means of N, Edge, Area, Categorical, then level,
///                    drift and flags; read_labeller_weights reads it;
/// `pairs.csv`        one row per two labellers with a shared site;
/// `drift.csv`        one row per labeller: change, trend and learning phase of the scores;
/// `strata.csv`       one row per labeller and kind of field (size, category);
/// `spread.csv`       one row per measure: how much labellers and sites differ, sites needed;
/// `scores.gpkg`      layer `assignments` (the site's cell with the same columns) and tables `labellers`,
///                    `pairs`, `drift`, `strata`, `spread`.
/// Missing = NA in the tables, null in the GeoPackage. Numbers are written so that they read back exactly.
/// Each file appears whole or not at all; nothing is written when one of them exists and `overwrite` is off.
/// @throws geo::IoError
void write_scoreboard(const Campaign& campaign, const Scoreboard& board, const SkillReport& report,
                      const std::filesystem::path& folder, bool overwrite);

}  // namespace furrow::labelling
