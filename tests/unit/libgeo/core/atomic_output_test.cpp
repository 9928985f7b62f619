#include <furrow/geo/core/atomic_output.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <furrow/geo/core/error.h>

#include "support.h"

namespace furrow::geo {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using testing::HasSubstr;

void put(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// Whoever runs the tests is an ordinary user while this lives.
class AsNobody {
 public:
  AsNobody() {
    constexpr uid_t kNobody = 65534;
    if (m_was_root) {
      EXPECT_EQ(::setresuid(kNobody, kNobody, 0), 0);
    }
  }
  ~AsNobody() {
    if (m_was_root) {
      EXPECT_EQ(::setresuid(0, 0, 0), 0);
    }
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool m_was_root = ::geteuid() == 0;
};

template <class Work>
std::string io_error_of(const Work& work) {
  try {
    work();
  } catch (const IoError& e) {
    return e.what();
  }
  return "no error";
}

TEST(AtomicFile, AppearsAtTheCommitOnly) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "out.txt", false);
  EXPECT_EQ(file.temporary().extension(), ".txt");
  EXPECT_EQ(file.temporary().parent_path(), folder.path());
  put(file.temporary(), "whole");
  EXPECT_FALSE(fs::exists(folder / "out.txt"));
  file.commit();
  EXPECT_EQ(test::bytes_of(folder / "out.txt"), "whole");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("out.txt"));
}

TEST(AtomicFile, NothingStaysBehindWithoutCommit) {
  const TemporaryFolder folder;
  {
    const AtomicFile file(folder / "out.gpkg", false);
    put(file.temporary(), "half");
    for (const char* side : {".aux.xml", "-journal", "-wal", "-shm"})
      put(file.temporary().string() + side, "x");
  }
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(AtomicFile, SideFilesFollowAndOldOnesGo) {
  const TemporaryFolder folder;
  put(folder / "out.tif", "old");
  put(folder / "out.tif.aux.xml", "old names");
  {
    AtomicFile file(folder / "out.tif", true);
    put(file.temporary(), "new");
    put(file.temporary().string() + ".aux.xml", "new names");
    EXPECT_EQ(test::bytes_of(folder / "out.tif"), "old");
    file.commit();
  }
  EXPECT_EQ(test::bytes_of(folder / "out.tif"), "new");
  EXPECT_EQ(test::bytes_of(folder / "out.tif.aux.xml"), "new names");
  AtomicFile plain(folder / "out.tif", true);
  put(plain.temporary(), "newer");
  plain.commit();
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("out.tif"));
}

TEST(AtomicFile, RefusesToReplaceWithoutOverwrite) {
  const TemporaryFolder folder;
  put(folder / "out.txt", "mine");
  const std::string path = (folder / "out.txt").string();
  EXPECT_EQ(io_error_of([&] { const AtomicFile file(path, false); }),
            "output '" + path + "' exists; add --overwrite to replace it");
  EXPECT_EQ(test::bytes_of(path), "mine");
}

TEST(AtomicFile, SaysWhyAFolderCannotBeWritten) {
  const TemporaryFolder folder;
  put(folder / "file", "x");
  EXPECT_THAT(io_error_of([&] { const AtomicFile file(folder.path() / "file" / "out.txt", false); }),
              HasSubstr("is not a folder"));
  EXPECT_THAT(io_error_of([&] { const AtomicFile file(folder.path(), true); }),
              HasSubstr("a folder has that name"));
  EXPECT_THAT(io_error_of([&] { check_output_path("", true); }), HasSubstr("empty"));
}

TEST(AtomicFile, SaysThatAFolderIsNotWritable) {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::all);
  fs::create_directory(folder / "closed");
  fs::permissions(folder / "closed", fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                                         fs::perms::others_exec);
  {
    const AsNobody nobody;  // root may write everywhere
    EXPECT_THAT(io_error_of([&] { const AtomicFile file(folder.path() / "closed" / "out.txt", false); }),
                HasSubstr("is not writable"));
  }
  fs::permissions(folder / "closed", fs::perms::owner_all);
}

/// Another process that holds a lock on one byte of a file, as SQLite does.
class LockedElsewhere {
 public:
  LockedElsewhere(const fs::path& path, off_t byte, short kind) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) throw std::runtime_error("no pipe");
    m_child = ::fork();
    if (m_child == 0) {
      struct flock lock {};
      lock.l_type = kind;
      lock.l_start = byte;
      lock.l_len = 1;
      const int fd = ::open(path.c_str(), O_RDWR);
      const char done = fd >= 0 && ::fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
      if (::write(ready[1], &done, 1) == 1) ::pause();
      ::_exit(0);
    }
    if (::read(ready[0], &m_done, 1) != 1) m_done = 'n';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockedElsewhere() {
    ::kill(m_child, SIGKILL);
    ::waitpid(m_child, nullptr, 0);
  }
  LockedElsewhere(const LockedElsewhere&) = delete;
  LockedElsewhere& operator=(const LockedElsewhere&) = delete;
  [[nodiscard]] bool done() const { return m_done == 'y'; }

 private:
  pid_t m_child = -1;
  char m_done = 'n';
};

TEST(AtomicFile, DoesNotReplaceWhatAnotherProgramIsWriting) {
  constexpr off_t kReserved = 0x40000001;  // SQLite: about to write
  const TemporaryFolder folder;
  const fs::path path = folder / "fields.gpkg";
  put(path, "old");
  put(path.string() + "-shm", "the index of a write-ahead log");
  const auto refusal = HasSubstr("another program has it open and is changing it");
  {
    AtomicFile file(path, true);
    put(file.temporary(), "new");
    const LockedElsewhere writer(path, kReserved, F_WRLCK);
    ASSERT_TRUE(writer.done());
    EXPECT_THAT(io_error_of([&] { check_output_path(path, true); }), refusal);
    EXPECT_THAT(io_error_of([&] { file.commit(); }), refusal);
  }
  {
    const LockedElsewhere writer(path.string() + "-shm", 120, F_WRLCK);
    ASSERT_TRUE(writer.done());
    EXPECT_THAT(io_error_of([&] { check_output_path(path, true); }), refusal);
  }
  EXPECT_EQ(test::bytes_of(path), "old");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("fields.gpkg", "fields.gpkg-shm"));
  const LockedElsewhere reader(path, kReserved, F_RDLCK);  // keeps the old file
  ASSERT_TRUE(reader.done());
  write_text_file(path, "new", true);
  EXPECT_EQ(test::bytes_of(path), "new");
}

TEST(AtomicFile, MakesMissingFolders) {
  const TemporaryFolder folder;
  write_text_file(folder.path() / "a" / "b" / "out.txt", "deep", false);
  EXPECT_EQ(read_text_file(folder.path() / "a" / "b" / "out.txt"), "deep");
}

TEST(AtomicFolder, AppearsWholeAndReplacesWhole) {
  const TemporaryFolder folder;
  {
    AtomicFolder out(folder / "model", false);
    put(out.temporary() / "a.json", "1");
    fs::create_directory(out.temporary() / "sub");
    put(out.temporary() / "sub" / "b.json", "2");
    EXPECT_FALSE(fs::exists(folder / "model"));
    out.commit();
  }
  EXPECT_EQ(test::bytes_of(folder.path() / "model" / "sub" / "b.json"), "2");
  EXPECT_THAT(io_error_of([&] { const AtomicFolder out(folder / "model", false); }),
              HasSubstr("--overwrite"));
  {
    AtomicFolder out(folder.path() / "model" / "", true);  // a name that ends in a slash
    put(out.temporary() / "c.json", "3");
    out.commit();
  }
  EXPECT_THAT(names_in(folder / "model"), testing::ElementsAre(".furrow-files", "c.json"));
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("model"));
}

TEST(AtomicFolder, WhatAUserPutThereStays) {
  const TemporaryFolder folder;
  {
    AtomicFolder out(folder / "tiles", false);
    put(out.temporary() / "1.tif", "old");
    put(out.temporary() / "2.tif", "old");
    out.commit();
  }
  put(folder.path() / "tiles" / "map.qgz", "mine");
  fs::create_directory(folder.path() / "tiles" / "notes");
  put(folder.path() / "tiles" / "notes" / "a.txt", "mine too");
  put(folder.path() / "tiles" / "3.tif", "mine, but in the way");
  {
    AtomicFolder out(folder / "tiles", true);
    put(out.temporary() / "1.tif", "new");
    put(out.temporary() / "3.tif", "new");
    out.commit();
  }
  EXPECT_THAT(names_in(folder / "tiles"),
              testing::ElementsAre(".furrow-files", "1.tif", "3.tif", "map.qgz", "notes"));
  EXPECT_EQ(test::bytes_of(folder.path() / "tiles" / "1.tif"), "new");
  EXPECT_EQ(test::bytes_of(folder.path() / "tiles" / "3.tif"), "new");
  EXPECT_EQ(test::bytes_of(folder.path() / "tiles" / "notes" / "a.txt"), "mine too");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("tiles"));
}

TEST(AtomicFolder, NeverReplacesAFolderThatFurrowDidNotWrite) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "photos");
  EXPECT_EQ(io_error_of([&] { check_output_folder(folder / "photos", true); }), "no error") << "it is empty";
  put(folder.path() / "photos" / "a.jpg", "mine");
  EXPECT_THAT(io_error_of([&] { check_output_folder(folder / "photos", true); }),
              HasSubstr("holds files that furrow did not write"));
  EXPECT_THAT(io_error_of([&] { const AtomicFolder out(folder / "photos", true); }),
              HasSubstr("holds files that furrow did not write"));
  EXPECT_EQ(test::bytes_of(folder.path() / "photos" / "a.jpg"), "mine");
}

TEST(AtomicFolder, NothingStaysBehindWithoutCommit) {
  const TemporaryFolder folder;
  {
    const AtomicFolder out(folder / "model", false);
    put(out.temporary() / "a.json", "1");
  }
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(AtomicFile, FoldersMadeForNothingGoAgain) {
  const TemporaryFolder folder;
  {
    const AtomicFile file(folder.path() / "a" / "b" / "x.txt", false);
    EXPECT_TRUE(fs::exists(folder.path() / "a" / "b"));
    const AtomicFolder model(folder.path() / "a" / "model", false);
  }
  EXPECT_TRUE(names_in(folder.path()).empty());
  {
    const AtomicFile failing(folder.path() / "a" / "x.txt", false);
    AtomicFile good(folder.path() / "a" / "b" / "y.txt", false);
    put(good.temporary(), "y");
    good.commit();
  }
  EXPECT_THAT(names_in(folder / "a"), testing::ElementsAre("b"));
}

TEST(AtomicFolder, NeverReplacesAFileOrWhatTheUserWorksIn) {
  const TemporaryFolder folder;
  put(folder / "file", "mine");
  EXPECT_THAT(io_error_of([&] { const AtomicFolder out(folder / "file", true); }),
              HasSubstr("a file has that name"));
  EXPECT_EQ(test::bytes_of(folder / "file"), "mine");
  fs::create_directories(folder.path() / "work" / "sub");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path() / "work" / "sub");
  for (const fs::path& path : {fs::path("."), fs::path(".."), folder / "work", folder.path()}) {
    EXPECT_THAT(io_error_of([&] { const AtomicFolder out(path, true); }),
                HasSubstr("it is or holds the folder"))
        << path;
  }
  EXPECT_EQ(io_error_of([&] { const AtomicFolder out("out", true); }), "no error");
  fs::current_path(before);
}

TEST(TextFile, ReadingSaysWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(io_error_of([&] { (void)read_text_file(folder / "nowhere"); }), HasSubstr("nowhere"));
  EXPECT_THAT(io_error_of([&] { (void)read_text_file(folder.path()); }), HasSubstr("it is a folder"));
}

}  // namespace
}  // namespace furrow::geo
