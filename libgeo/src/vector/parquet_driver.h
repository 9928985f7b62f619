#pragma once

namespace furrow::geo {

/// Registers a GDAL driver that reads Parquet and GeoParquet by Apache Arrow, unless GDAL has one. Only in
/// builds with Arrow (FURROW_HAS_PARQUET). Called once, by register_gdal().
///
/// One layer per file, streamed in batches of some thousand rows, whatever the size of the row groups.
/// Feature ids are row numbers from 0. Geometry is WKB: the primary column of the "geo" metadata, with its
/// CRS (PROJJSON, or WKT of the first drafts; absent = OGC:CRS84; null or not understood = none), else a
/// binary column geometry, wkb_geometry or geom without CRS. Text, whole and real numbers, booleans, dates,
/// times and dictionaries of these become fields; unsigned 64-bit integers become text, decimals real
/// numbers. Nested and other binary columns are left out (told at debug level). Source: GeoParquet 1.1
/// (https://geoparquet.org/releases/v1.1.0/).
void register_parquet_driver();

}  // namespace furrow::geo
