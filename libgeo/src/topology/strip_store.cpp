#include "strip_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::geo::detail {
namespace {

IoError store_error(const char* what, const std::filesystem::path& folder, int code) {
  return IoError(
      concat("cannot ", what, " a temporary file in ", quoted(folder.string()), ": ", std::strerror(code)));
}

struct Run {
  std::uint32_t label = 0;
  std::uint32_t length = 0;
};

std::vector<Run> runs_of(const std::vector<std::uint32_t>& labels) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < labels.size();) {
    const std::size_t begin = i;
    while (i < labels.size() && labels[i] == labels[begin]) ++i;
    runs.push_back({labels[begin], static_cast<std::uint32_t>(i - begin)});
  }
  return runs;
}

}  // namespace

StripStore::StripStore(const std::filesystem::path& folder, bool in_memory) {
  if (in_memory) return;
  m_folder = std::filesystem::absolute(folder);
  std::error_code ec;
  while (!std::filesystem::is_directory(m_folder, ec) && m_folder != m_folder.parent_path()) {
    m_folder = m_folder.parent_path();
  }
  std::string name = (m_folder / ".furrow-strips-XXXXXX").string();
  m_file = ::mkstemp(name.data());
  if (m_file < 0) throw store_error("make", m_folder, errno);
  ::unlink(name.c_str());
}

StripStore::~StripStore() {
  if (m_file >= 0) ::close(m_file);
}

StripStore::Place StripStore::put(Raster<std::uint32_t> labels) {
  Place place{labels.width(), labels.height(), 0, 0, 0};
  if (m_file < 0) {
    place.index = m_labels.size();
    m_labels.push_back(std::move(labels));
    return place;
  }
  const std::vector<Run> runs = runs_of(labels.data());
  place.bytes = runs.size() * sizeof(Run);
  write(runs.data(), place);
  return place;
}

StripStore::Place StripStore::put(Raster<std::uint8_t> values) {
  Place place{values.width(), values.height(), 0, 0, 0};
  if (m_file < 0) {
    place.index = m_bytes.size();
    m_bytes.push_back(std::move(values));
    return place;
  }
  place.bytes = values.data().size();
  write(values.data().data(), place);
  return place;
}

Raster<std::uint32_t> StripStore::take_labels(const Place& place) {
  if (m_file < 0) return std::move(m_labels[place.index]);
  std::vector<Run> runs(place.bytes / sizeof(Run));
  read(runs.data(), place);
  Raster<std::uint32_t> labels(place.width, place.height);
  auto at = labels.data().begin();
  for (const Run& run : runs) at = std::fill_n(at, run.length, run.label);
  return labels;
}

Raster<std::uint8_t> StripStore::take_bytes(const Place& place) {
  if (m_file < 0) return std::move(m_bytes[place.index]);
  Raster<std::uint8_t> values(place.width, place.height);
  read(values.data().data(), place);
  return values;
}

void StripStore::write(const void* data, Place& place) {
  place.offset = m_end;
  const char* from = static_cast<const char*>(data);
  for (std::uint64_t done = 0; done < place.bytes;) {
    const ssize_t n = ::pwrite(m_file, from + done, place.bytes - done, static_cast<off_t>(m_end + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw store_error("write to", m_folder, n < 0 ? errno : ENOSPC);
    done += static_cast<std::uint64_t>(n);
  }
  m_end += place.bytes;
}

void StripStore::read(void* data, const Place& place) const {
  char* to = static_cast<char*>(data);
  for (std::uint64_t done = 0; done < place.bytes;) {
    const ssize_t n = ::pread(m_file, to + done, place.bytes - done, static_cast<off_t>(place.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw store_error("read", m_folder, n < 0 ? errno : EIO);
    done += static_cast<std::uint64_t>(n);
  }
}

}  // namespace furrow::geo::detail
