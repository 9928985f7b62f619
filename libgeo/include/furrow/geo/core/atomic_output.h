#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <furrow/geo/core/error.h>

namespace furrow::geo {

/// Says why `path` cannot become an output: it is a device or a pipe, it exists without
/// `overwrite`, another program is writing to it, or its folder cannot be written.
/// Creates nothing.
/// @throws IoError naming the file and what to do
void check_output_path(const std::filesystem::path& path, bool overwrite);

/// The same for a folder that an AtomicFolder would replace: it is no file, does not hold the current or the
/// home folder, and holds nothing, or what furrow wrote (see AtomicFolder).
/// @throws IoError
void check_output_folder(const std::filesystem::path& path, bool overwrite);

/// The error of an output that could not be written: named as the user named it, not by its temporary name,
/// and "No space left on device" when that is the reason, however a library put it.
/// @param reason  what the library said; may be empty
[[nodiscard]] IoError output_error(const std::filesystem::path& path, std::string reason);

/// When a file reaches the disk.
enum class Flush {
  kNow,   ///< at its commit: it survives a power cut from then on
  kLater  ///< whenever the system likes, or with the AtomicFolder that it lies in
};

/// Makes the missing folders above an output, and removes them again when nothing came of it. Thread-safe: a
/// folder that another open output lies in stays.
class ParentFolders {
 public:
  /// @throws IoError when a folder cannot be made
  explicit ParentFolders(const std::filesystem::path& output);
  ~ParentFolders();
  ParentFolders(ParentFolders&& other) noexcept;
  ParentFolders& operator=(ParentFolders&&) = delete;
  /// The output is there: the folders stay.
  void keep() noexcept { m_keep = true; }

 private:
  std::filesystem::path m_folder;
  bool m_keep = false;
};

/// A file that appears whole or not at all: written under a temporary name in the same folder, then flushed
/// to disk and renamed. Missing parent folders are created. Destroyed without `commit`, it leaves nothing
/// behind, no folder either. Side files that GDAL or SQLite put beside the temporary name (.aux.xml,
/// -journal, -wal, -shm) follow or go. Not thread-safe.
class AtomicFile {
 public:
  /// @throws IoError as check_output_path
  AtomicFile(std::filesystem::path path, bool overwrite);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  /// Write here. Keeps the extension of the final name.
  [[nodiscard]] const std::filesystem::path& temporary() const noexcept { return m_temporary; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return m_path; }

  /// @throws IoError when flushing or renaming fails (disk full, for instance), or another program is writing
  /// to the file that would be replaced
  void commit(Flush flush = Flush::kNow);

 private:
  std::filesystem::path m_path;
  std::filesystem::path m_temporary;
  std::optional<ParentFolders> m_parents;
  bool m_open = true;
};

/// The same for a folder with everything in it. With overwrite the old folder is replaced at the commit; of
/// what it held, only what an AtomicFolder wrote goes: the hidden file `.furrow-files` lists that. Files that
/// somebody else put there stay, unless a new one has the same name; a folder that is not empty and has no
/// such list is never replaced.
class AtomicFolder {
 public:
  /// @throws IoError as check_output_folder
  AtomicFolder(std::filesystem::path path, bool overwrite);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& temporary() const noexcept { return m_temporary; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return m_path; }
  /// Flushes everything in it to disk (files inside need no flush of their own), then renames it.
  /// @throws IoError
  void commit();

 private:
  std::filesystem::path m_path;
  std::filesystem::path m_temporary;
  std::optional<ParentFolders> m_parents;
  bool m_open = true;
};

/// Writes `text` to `path` atomically.
/// @throws IoError
void write_text_file(const std::filesystem::path& path, std::string_view text, bool overwrite);

/// Reads a whole file, also a remote one (see remote.h).
/// @throws IoError
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path);

}  // namespace furrow::geo
