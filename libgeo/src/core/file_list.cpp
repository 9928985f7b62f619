#include "file_list.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>

namespace fs = std::filesystem;

namespace furrow::geo {
namespace {

constexpr const char* kListName = ".furrow-files";

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory() || entry.is_symlink()) files.push_back(entry.path().lexically_relative(folder));
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

void write_file_list(const fs::path& folder) {
  std::string text;
  for (const auto& file : files_in(folder)) text += file.string() + '\n';
  std::ofstream out(folder / kListName, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw output_error(folder / kListName, "");
}

bool is_replaceable(const fs::path& folder) {
  std::error_code ec;
  return !fs::exists(folder, ec) || fs::is_empty(folder, ec) || fs::exists(folder / kListName, ec);
}

void move_unlisted_files(const fs::path& old, const fs::path& now) {
  std::set<fs::path> listed{kListName};
  std::ifstream list(old / kListName);
  for (std::string line; std::getline(list, line);) listed.insert(line);
  for (const auto& file : files_in(old)) {
    std::error_code ec;
    if (listed.contains(file) || fs::exists(now / file, ec)) continue;
    fs::create_directories((now / file).parent_path(), ec);
    fs::rename(old / file, now / file, ec);
  }
}

}  // namespace furrow::geo
