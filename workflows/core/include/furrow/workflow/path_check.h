#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// One thing that is wrong before anything ran.
struct Problem {
  std::string message;
  geo::ExitCode code = geo::ExitCode::kUsage;
  std::string option;          ///< the option that holds the path
  std::filesystem::path path;  ///< as comparable_path gives it
};

/// A path whose existence only its driver can tell: a URL, /vsi..., "-", a connection text ("GPKG:..."), a
/// pattern
/// (*, ?, [).
[[nodiscard]] bool is_not_a_plain_path(const std::string& path);

/// Absolute, without "." and "..", without a final slash: what two texts for the same place have in common.
[[nodiscard]] std::filesystem::path comparable_path(const std::string& path);

/// True when `path` is `folder` or lies below it (both as comparable_path gives them).
[[nodiscard]] bool lies_in(const std::filesystem::path& path, const std::filesystem::path& folder);

/// A path that an option of a step holds.
struct UsedPath {
  const Option* option;
  std::string text;            ///< as given
  std::filesystem::path path;  ///< as comparable_path gives it
};

/// Plain paths that the options with this role hold, in order of declaration.
[[nodiscard]] std::vector<UsedPath> used_paths(const OptionTable& table, PathRole role);

/// Inputs that do not exist or are no folder where one is needed. Opens nothing.
[[nodiscard]] std::vector<Problem> check_inputs(const OptionTable& table);

/// Outputs that exist (without `overwrite`) or cannot be written, outputs that are
/// an input or would replace a folder with an input in it, two options that write the same path. Opens
/// nothing.
[[nodiscard]] std::vector<Problem> check_outputs(const OptionTable& table, bool overwrite);

/// Both.
[[nodiscard]] std::vector<Problem> check_paths(const OptionTable& table, bool overwrite);

/// Why an input path cannot be read, or empty.
[[nodiscard]] std::string input_problem(const Option& option, const std::string& path);

}  // namespace furrow::workflow
