#pragma once

#include <filesystem>

/// The hidden list of the files that Furrow wrote into an output folder: what may go when the folder is
/// replaced.
namespace furrow::geo {

/// Lists every file in `folder` in `folder/.furrow-files`: paths relative to it, sorted, one a line.
/// @throws IoError
void write_file_list(const std::filesystem::path& folder);

/// `folder` has a list, is empty or is not there: replacing it loses nothing.
[[nodiscard]] bool is_replaceable(const std::filesystem::path& folder);

/// Moves what the list of `old` does not name (a user's own files) to the same place in `now`, unless it is
/// taken.
void move_unlisted_files(const std::filesystem::path& old, const std::filesystem::path& now);

}  // namespace furrow::geo
