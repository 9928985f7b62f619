#include <furrow/workflow/path_check.h>

#include <algorithm>
#include <utility>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/text.h>

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using geo::concat;
using geo::quoted;

/// Rasters are GeoTIFF whatever their name says, so the name must say it.
std::string name_problem(const UsedPath& output) {
  if (output.option->path_kind() != "raster" && output.option->path_kind() != "GeoPackage") return {};
  const bool raster = output.option->path_kind() == "raster";
  const std::string extension = geo::to_lower(fs::path(output.text).extension().string());
  if (raster ? extension == ".tif" || extension == ".tiff" : extension == ".gpkg") return {};
  return concat(
      "--", output.option->name(), " ", quoted(output.text), " is written as ",
      raster ? "GeoTIFF; give it a name that ends in .tif" : "GeoPackage; give it a name that ends in .gpkg");
}

void check_output(const UsedPath& output, bool overwrite, std::vector<Problem>& problems) {
  const std::string name = name_problem(output);
  if (!name.empty()) problems.push_back({name, geo::ExitCode::kUsage, output.option->name(), output.path});
  try {
    const bool replace = overwrite || output.option->output_may_exist();
    if (output.option->path_kind() == "folder") {
      geo::check_output_folder(output.text, replace);
    } else {
      geo::check_output_path(output.text, replace);
    }
  } catch (const geo::Error& e) {
    problems.push_back({e.what(), e.exit_code(), output.option->name(), output.path});
  }
}

/// Also under another name: a hard link, or a file system that does not tell case apart.
bool same_file(const UsedPath& a, const UsedPath& b) {
  std::error_code ec;
  return a.path == b.path || fs::equivalent(a.path, b.path, ec);
}

/// @return false = the output is or holds an input: whether it exists no longer matters
bool check_against_inputs(const UsedPath& output, const std::vector<UsedPath>& inputs,
                          std::vector<Problem>& problems) {
  const std::size_t before = problems.size();
  for (const auto& input : inputs) {
    if (same_file(input, output)) {
      problems.push_back({concat("output ", quoted(output.text), " is also an input; give it another name"),
                          geo::ExitCode::kUsage, output.option->name(), output.path});
    } else if (lies_in(input.path, output.path)) {
      problems.push_back(
          {concat("input ", quoted(input.text), " lies inside the output folder ", quoted(output.text),
                  ", which would be replaced; give the output another folder"),
           geo::ExitCode::kUsage, output.option->name(), output.path});
    }
  }
  return problems.size() == before;
}

}  // namespace

bool is_not_a_plain_path(const std::string& path) {
  if (path == "-" || path.starts_with("/vsi") || path.find("://") != std::string::npos) return true;
  if (path.find_first_of("*?[") != std::string::npos) return true;
  std::error_code ec;
  return path.find(':') != std::string::npos && !fs::exists(path, ec);
}

fs::path comparable_path(const std::string& path) {
  std::error_code ec;
  fs::path absolute = fs::weakly_canonical(fs::absolute(path, ec), ec);
  if (ec) absolute = fs::absolute(path).lexically_normal();
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

bool lies_in(const fs::path& path, const fs::path& folder) {
  const auto [in_folder, in_path] = std::ranges::mismatch(folder, path);
  return in_folder == folder.end();
}

std::string input_problem(const Option& option, const std::string& path) {
  if (path.empty() || is_not_a_plain_path(path)) return {};
  std::error_code ec;
  const std::string kind = option.path_kind().empty() ? "input" : option.path_kind();
  if (!fs::exists(path, ec)) {
    const bool folder = kind.ends_with("folder");
    return concat("cannot open ", kind, " ", quoted(path), ": no such file", folder ? " or folder" : "");
  }
  if (kind.ends_with("folder") && !fs::is_directory(path, ec)) {
    return concat("cannot open ", kind, " ", quoted(path), ": it is not a folder");
  }
  return {};
}

std::vector<UsedPath> used_paths(const OptionTable& table, PathRole role) {
  std::vector<UsedPath> paths;
  for (const auto& option : table.options()) {
    if (option->role() != role) continue;
    for (const auto& text : option->value_texts()) {
      if (!text.empty() && !is_not_a_plain_path(text))
        paths.push_back({option.get(), text, comparable_path(text)});
    }
  }
  return paths;
}

std::vector<Problem> check_inputs(const OptionTable& table) {
  std::vector<Problem> problems;
  for (const auto& input : used_paths(table, PathRole::kInput)) {
    const std::string problem = input_problem(*input.option, input.text);
    if (!problem.empty())
      problems.push_back({problem, geo::ExitCode::kFailed, input.option->name(), input.path});
  }
  return problems;
}

std::vector<Problem> check_outputs(const OptionTable& table, bool overwrite) {
  std::vector<Problem> problems;
  const auto inputs = used_paths(table, PathRole::kInput);
  const auto outputs = used_paths(table, PathRole::kOutput);
  for (auto output = outputs.begin(); output != outputs.end(); ++output) {
    if (check_against_inputs(*output, inputs, problems)) check_output(*output, overwrite, problems);
    const bool repeated = std::any_of(outputs.begin(), output,
                                      [&](const auto& earlier) { return earlier.path == output->path; });
    if (repeated) {
      problems.push_back({concat("output ", quoted(output->text), " is given twice"), geo::ExitCode::kUsage,
                          output->option->name(), output->path});
    }
  }
  return problems;
}

std::vector<Problem> check_paths(const OptionTable& table, bool overwrite) {
  auto problems = check_inputs(table);
  for (auto& problem : check_outputs(table, overwrite)) problems.push_back(std::move(problem));
  return problems;
}

}  // namespace furrow::workflow
