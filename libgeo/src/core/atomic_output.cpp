#include <furrow/geo/core/atomic_output.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/remote.h>
#include <furrow/geo/core/text.h>

#include "../raster/gdal_support.h"
#include "file_list.h"

namespace fs = std::filesystem;

namespace furrow::geo {
namespace {

constexpr const char* kTemporaryMark = ".part-";
constexpr std::array<const char*, 4> kSideFiles{".aux.xml", "-journal", "-wal", "-shm"};

fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> counter{0};
  const std::string tag = concat(kTemporaryMark, getpid(), "-", counter.fetch_add(1));
  return path.parent_path() / (path.stem().string() + tag + path.extension().string());
}

/// The first folder above `path` that exists.
fs::path nearest_folder(const fs::path& path) {
  fs::path folder = fs::absolute(path).parent_path();
  std::error_code ec;
  while (!fs::exists(folder, ec) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

std::string last_error() {
  return std::strerror(errno);
}

void flush_to_disk(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags);
  if (fd < 0) throw output_error(path, last_error());
  const int rc = ::fsync(fd);
  const std::string reason = rc == 0 ? "" : last_error();
  ::close(fd);
  if (rc != 0 && reason != "Invalid argument") {
    throw output_error(path, reason);
  }
}

void flush_folder(const fs::path& folder) {
  flush_to_disk(folder.empty() ? fs::path(".") : folder, O_RDONLY | O_DIRECTORY);
}

/// Asks the system to begin writing a file to the disk, without waiting: less is left to wait for when the
/// folder is flushed.
void begin_flush(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  (void)::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  ::close(fd);
}

/// File by file, or the whole file system at once where that is quicker.
void flush_everything_in(const fs::path& folder) {
  constexpr std::size_t kFewFiles = 32;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    } else if (entry.is_directory()) {
      flush_folder(entry.path());
    }
  }
  if (files.size() <= kFewFiles) {
    for (const auto& file : files) flush_to_disk(file, O_RDONLY);
    return;
  }
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  const int rc = fd < 0 ? -1 : ::syncfs(fd);
  const std::string reason = rc == 0 ? "" : last_error();
  if (fd >= 0) ::close(fd);
  if (rc != 0) throw output_error(folder, reason);
}

void rename_over(const fs::path& from, const fs::path& to) {
  std::error_code ec;
  fs::rename(from, to, ec);
  if (ec)
    throw IoError(
        concat("cannot rename ", quoted(from.string()), " to ", quoted(to.string()), ": ", ec.message()));
}

/// Swaps two folders in one step, so that one of both is always there; in two where the system cannot.
void exchange(const fs::path& temporary, const fs::path& path) {
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return;
  const fs::path old = temporary_name(path);
  rename_over(path, old);
  rename_over(temporary, path);
  rename_over(old, temporary);
}

/// True when another process holds a lock for writing on some of a file's bytes. Readers do not count: they
/// keep the old file.
bool is_written_to(const fs::path& path, off_t first, off_t count) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  struct flock lock {};
  lock.l_type = F_RDLCK;  // asks who stands in the way of reading
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = count;
  const bool found = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  return found;
}

/// A file is not replaced while another program writes to it: what it writes would be lost. SQLite, and with
/// it QGIS, locks bytes of the file, or, with a write-ahead log, byte 120 of the file beside it ("WAL-mode
/// File Format", sqlite.org).
void check_not_written_to(const fs::path& path) {
  constexpr off_t kWriteLock = 120;
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return;
  if (is_written_to(path, 0, 0) || is_written_to(path.string() + "-shm", kWriteLock, 1)) {
    throw IoError(concat("cannot replace ", quoted(path.string()),
                         ": another program has it open and is changing it; save and close it there, or "
                         "write elsewhere"));
  }
}

/// Replacing a folder deletes what it holds: never a file of that name, and never a folder that no command
/// can have made, because the user works in it or lives in it.
void check_replaceable(const fs::path& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return;
  if (!fs::is_directory(path, ec)) {
    throw IoError(concat("cannot write ", quoted(path.string()), ": a file has that name; give a folder"));
  }
  const fs::path folder = fs::weakly_canonical(fs::absolute(path, ec), ec);
  const char* home = std::getenv("HOME");
  for (const fs::path& kept : {fs::current_path(ec), fs::path(home == nullptr ? "" : home)}) {
    if (kept.empty()) continue;
    const fs::path whole = fs::weakly_canonical(kept, ec);
    if (std::ranges::mismatch(folder, whole).in1 == folder.end()) {
      throw IoError(concat("cannot replace ", quoted(path.string()), ": it is or holds the folder ",
                           quoted(whole.string()), "; give a folder of its own"));
    }
  }
  if (!is_replaceable(path)) {
    throw IoError(
        concat("cannot replace ", quoted(path.string()),
               ": it holds files that furrow did not write; give another folder, or move them away"));
  }
}

/// Folders that open outputs lie in, and those of them that were made here.
struct FoldersInUse {
  std::mutex mutex;
  std::map<fs::path, int> users;
  std::set<fs::path> made;
};
FoldersInUse& folders_in_use() {
  static FoldersInUse instance;
  return instance;
}

/// Removes folders that were made here, from `folder` upwards, as long as they are empty and nobody's.
void remove_made(FoldersInUse& in_use, fs::path folder) {
  std::error_code ec;
  while (in_use.made.contains(folder) && !in_use.users.contains(folder) && fs::remove(folder, ec)) {
    in_use.made.erase(folder);
    folder = folder.parent_path();
  }
}

std::vector<fs::path> missing_folders(fs::path folder) {
  std::vector<fs::path> missing;
  std::error_code ec;
  for (; folder.has_relative_path() && !fs::exists(folder, ec); folder = folder.parent_path())
    missing.push_back(folder);
  return missing;
}

}  // namespace

IoError output_error(const fs::path& path, std::string reason) {
  constexpr std::uintmax_t kNothing = 128 * 1024;  // what a library asks for at once may be more than is left
  std::string name = path.string();
  for (auto mark = name.find(kTemporaryMark); mark != std::string::npos; mark = name.find(kTemporaryMark)) {
    const auto end = name.find_first_not_of("0123456789-", mark + std::strlen(kTemporaryMark));
    name.erase(mark, end == std::string::npos ? end : end - mark);
  }
  std::error_code ec;
  const auto space = fs::space(nearest_folder(path), ec);
  const bool full = !ec && space.available < kNothing;
  if (full || reason.find("No space left") != std::string::npos ||
      reason.find("disk is full") != std::string::npos)
    reason = "No space left on device; free some or write elsewhere";
  return IoError(concat("cannot write ", quoted(name), reason.empty() ? "" : ": ", reason));
}

void check_output_path(const fs::path& path, bool overwrite) {
  if (path.empty()) throw IoError("the name of an output is empty");
  std::error_code ec;
  if (fs::exists(path, ec) && !fs::is_regular_file(path, ec) && !fs::is_directory(path, ec)) {
    throw IoError(concat("cannot write ", quoted(path.string()), ": it is a device or a pipe; give a file"));
  }
  if (fs::exists(path, ec) && !overwrite) {
    throw IoError(concat("output ", quoted(path.string()), " exists; add --overwrite to replace it"));
  }
  check_not_written_to(path);
  const fs::path folder = nearest_folder(path);
  if (!fs::is_directory(folder, ec)) {
    throw IoError(
        concat("cannot write ", quoted(path.string()), ": ", quoted(folder.string()), " is not a folder"));
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw IoError(concat("cannot write ", quoted(path.string()), ": folder ", quoted(folder.string()),
                         " is not writable (", last_error(), ")"));
  }
}

void check_output_folder(const fs::path& path, bool overwrite) {
  check_output_path(path, overwrite);
  check_replaceable(path);
}

ParentFolders::ParentFolders(const fs::path& output) {
  FoldersInUse& in_use = folders_in_use();
  const std::scoped_lock lock(in_use.mutex);
  const fs::path folder = fs::absolute(output).lexically_normal().parent_path();
  const auto missing = missing_folders(folder);
  std::error_code ec;
  fs::create_directories(folder, ec);
  in_use.made.insert(missing.begin(), missing.end());
  if (ec) {
    for (const auto& made : missing) remove_made(in_use, made);
    throw IoError(concat("cannot create folder ", quoted(output.parent_path().string()), ": ", ec.message()));
  }
  ++in_use.users[folder];
  m_folder = folder;
}

ParentFolders::ParentFolders(ParentFolders&& other) noexcept
    : m_folder(std::exchange(other.m_folder, {})), m_keep(other.m_keep) {}

ParentFolders::~ParentFolders() {
  if (m_folder.empty()) return;
  FoldersInUse& in_use = folders_in_use();
  const std::scoped_lock lock(in_use.mutex);
  const auto user = in_use.users.find(m_folder);
  if (--user->second == 0) in_use.users.erase(user);
  if (!m_keep) remove_made(in_use, m_folder);
}

AtomicFile::AtomicFile(fs::path path, bool overwrite)
    : m_path(std::move(path)), m_temporary(temporary_name(m_path)) {
  check_output_path(m_path, overwrite);
  std::error_code ec;
  if (fs::is_directory(m_path, ec)) {
    throw IoError(concat("cannot write ", quoted(m_path.string()), ": a folder has that name"));
  }
  m_parents.emplace(m_path);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : m_path(std::move(other.m_path)),
      m_temporary(std::move(other.m_temporary)),
      m_parents(std::move(other.m_parents)),
      m_open(other.m_open) {
  other.m_open = false;
}

AtomicFile::~AtomicFile() {
  if (!m_open) return;
  std::error_code ec;
  fs::remove(m_temporary, ec);
  for (const char* side : kSideFiles) fs::remove(m_temporary.string() + side, ec);
}

void AtomicFile::commit(Flush flush) {
  check_not_written_to(m_path);
  if (flush == Flush::kNow) {
    flush_to_disk(m_temporary, O_RDONLY);
  } else {
    begin_flush(m_temporary);
  }
  for (const char* side : kSideFiles) {
    std::error_code ec;
    const fs::path from = m_temporary.string() + side;
    const fs::path to = m_path.string() + side;
    if (fs::exists(from, ec)) {
      rename_over(from, to);
    } else {
      fs::remove(to, ec);  // of the file that is replaced
    }
  }
  rename_over(m_temporary, m_path);
  m_open = false;
  m_parents->keep();
  if (flush == Flush::kNow) flush_folder(m_path.parent_path());
}

AtomicFolder::AtomicFolder(fs::path path, bool overwrite) : m_path(std::move(path)) {
  if (!m_path.has_filename()) m_path = m_path.parent_path();  // "model/"
  m_temporary = temporary_name(m_path);
  check_output_folder(m_path, overwrite);
  m_parents.emplace(m_path);
  std::error_code ec;
  fs::create_directory(m_temporary, ec);
  if (ec) throw output_error(m_path, ec.message());
}

AtomicFolder::~AtomicFolder() {
  if (!m_open) return;
  std::error_code ec;
  fs::remove_all(m_temporary, ec);
}

void AtomicFolder::commit() {
  write_file_list(m_temporary);
  flush_everything_in(m_temporary);
  std::error_code ec;
  if (fs::exists(m_path, ec)) {
    exchange(m_temporary, m_path);
    move_unlisted_files(m_temporary, m_path);
    fs::remove_all(m_temporary, ec);
  } else {
    rename_over(m_temporary, m_path);
  }
  m_open = false;
  m_parents->keep();
  flush_folder(m_path.parent_path());
}

void write_text_file(const fs::path& path, std::string_view text, bool overwrite) {
  AtomicFile file(path, overwrite);
  {
    std::ofstream out(file.temporary(), std::ios::binary);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.close();
    if (!out) throw output_error(path, last_error());
  }
  file.commit();
}

std::string read_text_file(const fs::path& path) {
  if (is_remote(path.string())) return read_remote_text(path.string());
  std::error_code ec;
  if (fs::is_directory(path, ec))
    throw IoError(concat("cannot read ", quoted(path.string()), ": it is a folder"));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw IoError(concat("cannot open ", quoted(path.string()), ": ", last_error()));
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) throw IoError(concat("cannot read ", quoted(path.string()), ": ", last_error()));
  return text;
}

}  // namespace furrow::geo
