#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/geo/core/csv.h>

/// Made-up scenes and made-up labellers whose truth is known.
namespace furrow::simulation {

/// How well one labeller draws. Lengths in metres on the ground, areas in hectares, rates are probabilities.
/// The defaults describe a labeller of average skill.
struct LabellerSkill {
  std::string labeller;  ///< name, as in the catalogue's column `Labeller`
  /// A field of `area` hectares is missed with probability
  /// omission_floor + (1 - omission_floor) / (1 + (area / omission_50_ha) ^ omission_slope):
  /// logistic in log area, half-way at omission_50_ha. omission_50_ha = 0 leaves the floor alone.
  double omission_floor = 0.04;
  double omission_50_ha = 0.08;
  double omission_slope = 2.0;
  double false_fields_per_km2 = 0.8;  ///< mean of a Poisson number, drawn where the reference has no field
  double false_field_ha = 0.8;        ///< their median area (log-normal, sigma 0.5)
  /// Neighbouring fields that were both seen are paired at random; each pair is drawn as one field with this
  /// probability.
  double merge_rate = 0.06;
  double split_rate =
      0.04;               ///< probability that a field (not merged) is drawn as two, cut across its long side
  double jitter_m = 3.0;  ///< standard deviation of the outline's displacement, in x and in y
  double jitter_length_m = 60.0;  ///< correlation length of the displacement along the outline; > 0
  double bias_m = 0.0;            ///< outlines drawn this far outside (> 0) or inside (< 0) the true ones
  double shift_x_m = 0.0;         ///< constant displacement of everything, towards the east
  double shift_y_m = 0.0;         ///< and towards the north
  double unsure_rate = 0.05;      ///< probability that a polygon gets the category "unsure"
  bool spam = false;              ///< hands in empty maps

  /// Probability that a field of this size is not drawn.
  [[nodiscard]] double omission(double area_ha) const;
};

/// A labeller who draws exactly what the reference holds.
[[nodiscard]] LabellerSkill perfect_labeller(std::string name);

/// `count` labellers L01, L02, ... whose skill falls evenly from very good to poor.
/// @throws InvalidArgument when count < 1
[[nodiscard]] std::vector<LabellerSkill> default_skills(int count);

/// Reads a table with a column `labeller` and any of the other members of LabellerSkill as columns (spam: 0
/// or 1). A column that is missing, or a missing cell, takes the default of LabellerSkill.
/// @throws IoError  unknown column, empty or doubled labeller, no row, or a value out of range (file, row and
/// column named)
[[nodiscard]] std::vector<LabellerSkill> read_skills(const std::filesystem::path& path);

/// The table that read_skills reads, with every column; reads back as exactly the same skills.
[[nodiscard]] geo::CsvTable skills_table(const std::vector<LabellerSkill>& skills);

}  // namespace furrow::simulation
