#include "geopackage_index.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>

#include <gdal_priv.h>
#include <ogrsf_frmts.h>
#include <sqlite3.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "../raster/gdal_support.h"

namespace furrow::geo {
namespace {

constexpr std::size_t kNodeHeaderBytes = 4;
constexpr std::size_t kMemberBytes = 24;

class Database {
 public:
  Database(const std::filesystem::path& file, std::string origin) : m_origin(std::move(origin)) {
    sqlite3* handle = nullptr;
    const int status = sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr);
    m_handle.reset(handle);
    if (status != SQLITE_OK) fail();
  }
  void run(const std::string& sql) {
    if (sqlite3_exec(m_handle.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }
  [[noreturn]] void fail() const { throw output_error(m_origin, sqlite3_errmsg(m_handle.get())); }
  [[nodiscard]] sqlite3* handle() const { return m_handle.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::string m_origin;
  std::unique_ptr<sqlite3, Close> m_handle;
};

class Statement {
 public:
  Statement(const Database& database, const std::string& sql) : m_database(database) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database.handle(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK)
      database.fail();
    m_statement.reset(statement);
  }
  void bind(int index, std::int64_t value) { sqlite3_bind_int64(m_statement.get(), index, value); }
  /// `bytes` has to live until run().
  void bind(int index, const std::vector<std::uint8_t>& bytes) {
    sqlite3_bind_blob(m_statement.get(), index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  }
  void bind(int index, const std::string& text) {
    sqlite3_bind_text(m_statement.get(), index, text.c_str(), -1, SQLITE_STATIC);
  }
  void run() {
    if (sqlite3_step(m_statement.get()) != SQLITE_DONE) m_database.fail();
    sqlite3_reset(m_statement.get());
  }
  /// First column of the only row.
  [[nodiscard]] std::int64_t number() {
    if (sqlite3_step(m_statement.get()) != SQLITE_ROW) m_database.fail();
    const std::int64_t value = sqlite3_column_int64(m_statement.get(), 0);
    sqlite3_reset(m_statement.get());
    return value;
  }

 private:
  struct Finalise {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  const Database& m_database;
  std::unique_ptr<sqlite3_stmt, Finalise> m_statement;
};

/// What GDAL adds to a GeoPackage for the index of a layer, besides the index.
struct IndexDefinition {
  std::vector<std::string> triggers;
  std::string extension_definition;
  std::string extension_scope;
};

/// Asks GDAL itself, with an empty layer of the same names in memory: triggers differ between its versions.
IndexDefinition index_definition(const UnindexedLayer& layer) {
  const std::string path = concat("/vsimem/furrow_index_", reinterpret_cast<std::uintptr_t>(&layer), ".gpkg");
  GDALDriver* driver = GetGDALDriverManager()->GetDriverByName("GPKG");
  GDALDatasetUniquePtr dataset(driver->Create(path.c_str(), 0, 0, 0, GDT_Unknown, nullptr));
  CPLStringList options;
  options.SetNameValue("FID", layer.fid_column.c_str());
  options.SetNameValue("GEOMETRY_NAME", layer.geometry_column.c_str());
  dataset->CreateLayer(layer.table.c_str(), nullptr, wkbPolygon, options.List());
  dataset.reset();
  dataset.reset(GDALDataset::Open(path.c_str(), GDAL_OF_VECTOR));
  IndexDefinition definition;
  const auto each = [&](const char* sql, const auto& use) {
    OGRLayer* rows = dataset->ExecuteSQL(sql, nullptr, nullptr);
    for (OGRFeatureUniquePtr row; rows != nullptr && (row.reset(rows->GetNextFeature()), row);) use(*row);
    dataset->ReleaseResultSet(rows);
  };
  each("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'rtree%' ORDER BY rowid",
       [&](const OGRFeature& row) { definition.triggers.emplace_back(row.GetFieldAsString(0)); });
  each("SELECT definition, scope FROM gpkg_extensions WHERE extension_name = 'gpkg_rtree_index'",
       [&](const OGRFeature& row) {
         definition.extension_definition = row.GetFieldAsString(0);
         definition.extension_scope = row.GetFieldAsString(1);
       });
  dataset.reset();
  VSIUnlink(path.c_str());
  return definition;
}

template <typename T>
void put_big_endian(std::uint8_t*& to, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    *to++ = static_cast<std::uint8_t>(value >> shift);
}

/// A node as SQLite stores it: depth of the tree (in the root only), number of members, members; then zeros.
std::vector<std::uint8_t> node_bytes(const PackedNode& node, int depth, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::uint8_t* to = bytes.data();
  put_big_endian(to, static_cast<std::uint16_t>(node.parent == 0 ? depth : 0));
  put_big_endian(to, static_cast<std::uint16_t>(node.members.size()));
  for (const IndexedBox& member : node.members) {
    put_big_endian(to, static_cast<std::uint64_t>(member.id));
    for (const float bound : {member.min_x, member.max_x, member.min_y, member.max_y})
      put_big_endian(to, std::bit_cast<std::uint32_t>(bound));
  }
  return bytes;
}

void write_nodes(Database& database, const std::string& index, std::vector<IndexedBox> boxes) {
  const auto table = [&](const char* suffix) { return sql_quoted(index + suffix, '"'); };
  const auto size = static_cast<std::size_t>(
      Statement(database, concat("SELECT length(data) FROM ", table("_node"), " WHERE nodeno = 1")).number());
  std::vector<std::pair<std::int64_t, std::int64_t>> leaf_of;
  leaf_of.reserve(boxes.size());
  const PackedRtree tree = pack_rtree(std::move(boxes), (size - kNodeHeaderBytes) / kMemberBytes);
  Statement node(database, concat("INSERT OR REPLACE INTO ", table("_node"), " VALUES (?, ?)"));
  Statement parent(database, concat("INSERT INTO ", table("_parent"), " VALUES (?, ?)"));
  for (const PackedNode& packed : tree.nodes) {
    const std::vector<std::uint8_t> bytes = node_bytes(packed, tree.depth, size);
    node.bind(1, packed.number);
    node.bind(2, bytes);
    node.run();
    if (packed.parent != 0) {
      parent.bind(1, packed.number);
      parent.bind(2, packed.parent);
      parent.run();
    }
    if (!packed.is_leaf) continue;
    for (const IndexedBox& member : packed.members) leaf_of.emplace_back(member.id, packed.number);
  }
  std::ranges::sort(leaf_of);  // rows are quickest to append
  Statement row(database, concat("INSERT INTO ", table("_rowid"), " VALUES (?, ?)"));
  for (const auto& [id, leaf] : leaf_of) {
    row.bind(1, id);
    row.bind(2, leaf);
    row.run();
  }
}

void add_spatial_index(Database& database, UnindexedLayer& layer) {
  const IndexDefinition definition = index_definition(layer);
  const std::string index = concat("rtree_", layer.table, "_", layer.geometry_column);
  database.run(
      concat("CREATE VIRTUAL TABLE ", sql_quoted(index, '"'), " USING rtree(id, minx, maxx, miny, maxy)"));
  write_nodes(database, index, std::move(layer.boxes));
  for (const std::string& trigger : definition.triggers) database.run(trigger);
  Statement extension(database, "INSERT INTO gpkg_extensions VALUES (?, ?, 'gpkg_rtree_index', ?, ?)");
  extension.bind(1, layer.table);
  extension.bind(2, layer.geometry_column);
  extension.bind(3, definition.extension_definition);
  extension.bind(4, definition.extension_scope);
  extension.run();
}

}  // namespace

std::string sql_quoted(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += c;
    out += c;
  }
  return out + quote;
}

void add_spatial_indexes(const std::filesystem::path& file, const std::string& origin,
                         std::vector<UnindexedLayer> layers) {
  if (layers.empty()) return;
  Database database(file, origin);
  // The file has its name only when it is whole: nothing to roll back, and it is flushed then.
  database.run("PRAGMA journal_mode = OFF");
  database.run("PRAGMA synchronous = OFF");
  database.run("BEGIN");
  database.run(kCreateGpkgExtensions);
  for (UnindexedLayer& layer : layers) add_spatial_index(database, layer);
  database.run("COMMIT");
}

}  // namespace furrow::geo
