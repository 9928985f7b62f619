#include <furrow/geo/raster/writer.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include <cpl_string.h>
#include <gdal_priv.h>
#include <gdal_rat.h>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "gdal_pixel_type.h"
#include "gdal_support.h"
#include "written_blocks.h"

namespace furrow::geo {
namespace {

GDALDataType to_gdal(PixelType type) {
  switch (type) {
    case PixelType::kUint8:
      return GDT_Byte;
    case PixelType::kUint16:
      return GDT_UInt16;
    case PixelType::kInt16:
      return GDT_Int16;
    case PixelType::kUint32:
      return GDT_UInt32;
    case PixelType::kInt32:
      return GDT_Int32;
    case PixelType::kFloat32:
      return GDT_Float32;
    case PixelType::kFloat64:
      return GDT_Float64;
    case PixelType::kInt8:
    case PixelType::kOther:
      break;
  }
  throw InvalidArgument("this pixel type cannot be written");
}

const char* overview_name(Overview overview) {
  switch (overview) {
    case Overview::kNearest:
      return "NEAREST";
    case Overview::kMode:
      return "MODE";
    case Overview::kAverage:
      return "AVERAGE";
    case Overview::kNone:
      break;
  }
  return "NEAREST";
}

const char* compression_name(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "NONE";
    case Compression::kLzw:
      return "LZW";
    case Compression::kZstd:
      return "ZSTD";
    case Compression::kDeflate:
      break;
  }
  return "DEFLATE";
}

bool is_float(PixelType type) {
  return type == PixelType::kFloat32 || type == PixelType::kFloat64;
}

/// Each GDAL is built with its own choice of codecs.
bool has_compression(GDALDriver& driver, Compression compression) {
  const char* options = driver.GetMetadataItem(GDAL_DMD_CREATIONOPTIONLIST);
  const std::string name = concat("<Value>", compression_name(compression), "</Value>");
  return options != nullptr && std::string_view(options).find(name) != std::string_view::npos;
}

void check_compression(GDALDriver& driver, Compression compression) {
  if (has_compression(driver, compression)) return;
  throw IoError(concat("GDAL ", GDALVersionInfo("RELEASE_NAME"), " was built without ",
                       compression_name(compression), "; choose another compression"));
}

/// TIFF fills up the last blocks, so a small raster gets blocks of its own size (in steps of 128, as COG
/// wants it).
int block_size(const Grid& grid) {
  constexpr std::int64_t kStep = 128;
  constexpr std::int64_t kLargest = 512;
  const std::int64_t side = (std::max(grid.width, grid.height) + kStep - 1) / kStep * kStep;
  return static_cast<int>(std::clamp(side, kStep, kLargest));
}

/// Square blocks blow up a raster of a few rows (or columns) that is very long.
void check_shape(const std::filesystem::path& path, const Grid& grid, const RasterSpec& spec) {
  constexpr double kMostPadding = 16.0;
  constexpr double kMostPixels = 4e9;
  const int block = block_size(grid);
  const auto blocks = [block](std::int64_t size) { return std::ceil(static_cast<double>(size) / block); };
  const double padded = blocks(grid.width) * blocks(grid.height) * block * block * spec.bands;
  const double pixels = static_cast<double>(grid.width) * static_cast<double>(grid.height) * spec.bands;
  if (padded <= kMostPixels || padded <= kMostPadding * pixels) return;
  throw IoError(concat("cannot write ", quoted(path.string()), ": a raster of ", grid.width, " x ",
                       grid.height, " px is too narrow for its length to be stored in square blocks; ",
                       "cut it into pieces first"));
}

bool uses_predictor(const RasterSpec& spec) {
  return spec.classes.empty() && spec.is_smooth && spec.compression != Compression::kNone;
}

/// Differences of neighbours gain next to nothing at higher levels, which take twice the time.
const char* deflate_level(const RasterSpec& spec) {
  return uses_predictor(spec) || !spec.pack_tightly ? "1" : "6";
}

CPLStringList block_options(const RasterSpec& spec, const Grid& grid) {
  CPLStringList options;
  options.SetNameValue("TILED", "YES");
  options.SetNameValue("BLOCKXSIZE", CPLSPrintf("%d", block_size(grid)));
  options.SetNameValue("BLOCKYSIZE", CPLSPrintf("%d", block_size(grid)));
  options.SetNameValue("INTERLEAVE", spec.bands > 1 ? "BAND" : "PIXEL");
  options.SetNameValue("BIGTIFF", "IF_SAFER");
  options.SetNameValue("SPARSE_OK", "TRUE");
  // Otherwise GDAL takes a fourth band of bytes for transparency, and its zeros for missing pixels.
  options.SetNameValue("PHOTOMETRIC", "MINISBLACK");
  options.SetNameValue("ALPHA", "NO");
  return options;
}

CPLStringList tiff_options(const RasterSpec& spec, const Grid& grid) {
  CPLStringList options = block_options(spec, grid);
  options.SetNameValue("COMPRESS", compression_name(spec.compression));
  if (spec.compression == Compression::kDeflate) options.SetNameValue("ZLEVEL", deflate_level(spec));
  if (uses_predictor(spec)) options.SetNameValue("PREDICTOR", is_float(spec.type) ? "3" : "2");
  if (spec.threads > 1 && spec.compression != Compression::kNone)
    options.SetNameValue("NUM_THREADS", CPLSPrintf("%d", spec.threads));
  return options;
}

/// The source of a COG is read once and thrown away: fast beats small.
CPLStringList temporary_options(GDALDriver& driver, const RasterSpec& spec, const Grid& grid) {
  CPLStringList options = block_options(spec, grid);
  const bool zstd = has_compression(driver, Compression::kZstd);
  options.SetNameValue("COMPRESS", zstd ? "ZSTD" : "DEFLATE");
  options.SetNameValue(zstd ? "ZSTD_LEVEL" : "ZLEVEL", "1");
  if (spec.threads > 1) options.SetNameValue("NUM_THREADS", CPLSPrintf("%d", spec.threads));
  return options;
}

void describe(GDALDataset& dataset, const Grid& grid, const RasterSpec& spec) {
  double t[6] = {grid.transform.x0, grid.transform.dx, grid.transform.rx,
                 grid.transform.y0, grid.transform.ry, grid.transform.dy};
  dataset.SetGeoTransform(t);
  if (!grid.crs.empty()) {
    OGRSpatialReference srs;
    srs.importFromWkt(grid.crs.wkt().c_str());
    srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    dataset.SetSpatialRef(&srs);
  }
  for (const auto& [key, value] : spec.metadata) dataset.SetMetadataItem(key.c_str(), value.c_str());
  if (!spec.classes.empty()) {
    std::string names;
    for (const auto& c : spec.classes) names += concat(names.empty() ? "" : ";", c.value, ":", c.name);
    dataset.SetMetadataItem("CLASS_NAMES", names.c_str());
  }
  for (int b = 1; b <= spec.bands; ++b) {
    GDALRasterBand* band = dataset.GetRasterBand(b);
    if (spec.nodata) band->SetNoDataValue(*spec.nodata);
    if (spec.scale != 1.0 || spec.offset != 0.0) {
      band->SetScale(spec.scale);
      band->SetOffset(spec.offset);
    }
    if (!spec.colours.empty()) {
      const std::string& colour = spec.colours[static_cast<std::size_t>(b - 1)];
      band->SetColorInterpretation(GDALGetColorInterpretationByName(colour.c_str()));
    }
    if (!spec.descriptions.empty())
      band->SetDescription(spec.descriptions[static_cast<std::size_t>(b - 1)].c_str());
  }
}

/// The classes once more as a table (values, names, colours): programs that read it show these classes and
/// not all 256 colours of a palette.
GDALDefaultRasterAttributeTable class_table(const std::vector<RasterClass>& classes) {
  GDALDefaultRasterAttributeTable table;
  table.CreateColumn("Value", GFT_Integer, GFU_MinMax);
  table.CreateColumn("Class_Name", GFT_String, GFU_Name);
  table.CreateColumn("Red", GFT_Integer, GFU_Red);
  table.CreateColumn("Green", GFT_Integer, GFU_Green);
  table.CreateColumn("Blue", GFT_Integer, GFU_Blue);
  table.SetTableType(GRTT_THEMATIC);
  for (int row = 0; const auto& c : classes) {
    table.SetValue(row, 0, c.value);
    table.SetValue(row, 1, c.name.c_str());
    for (int i = 0; i < 3; ++i) table.SetValue(row, 2 + i, c.rgba[static_cast<std::size_t>(i)]);
    ++row;
  }
  return table;
}

/// Colours go into the TIFF; names and the table can only go into the .aux.xml beside it.
void describe_classes(GDALDataset& dataset, const std::vector<RasterClass>& classes) {
  if (classes.empty()) return;
  GDALColorTable colours;
  CPLStringList names;
  int highest = 0;
  for (const auto& c : classes) highest = std::max(highest, c.value);
  std::vector<std::string> by_value(static_cast<std::size_t>(highest) + 1);
  for (const auto& c : classes) {
    const GDALColorEntry entry{c.rgba[0], c.rgba[1], c.rgba[2], c.rgba[3]};
    colours.SetColorEntry(c.value, &entry);
    by_value[static_cast<std::size_t>(c.value)] = c.name;
  }
  for (const auto& name : by_value) names.AddString(name.c_str());
  dataset.GetRasterBand(1)->SetColorTable(&colours);
  dataset.GetRasterBand(1)->SetCategoryNames(names.List());
  const GDALDefaultRasterAttributeTable table = class_table(classes);
  dataset.GetRasterBand(1)->SetDefaultRAT(&table);
}

/// While it lives, no thread that reads other rasters makes room in GDAL's cache with blocks that are not in
/// their file yet. GDAL takes such a block out of its list before it is written: who writes more into it
/// meanwhile reads the old one from the file, and what the block held is lost.
class UnwrittenBlocksStay {
 public:
  UnwrittenBlocksStay() { GDALRasterBlock::EnterDisableDirtyBlockFlush(); }
  ~UnwrittenBlocksStay() { GDALRasterBlock::LeaveDisableDirtyBlockFlush(); }
  UnwrittenBlocksStay(const UnwrittenBlocksStay&) = delete;
  UnwrittenBlocksStay& operator=(const UnwrittenBlocksStay&) = delete;
};

/// Bands of one type that are written together; a block goes to the file as soon as it is whole, so that few
/// wait in GDAL's cache and none is compressed twice.
class WrittenBands {
 public:
  explicit WrittenBands(std::vector<GDALRasterBand*> bands)
      : m_bands(std::move(bands)), m_blocks(blocks_of(*m_bands.front())) {
    int width = 0;
    m_bands.front()->GetBlockSize(&width, &m_block_height);
    m_block_bytes = std::int64_t{width} * m_block_height * static_cast<std::int64_t>(m_bands.size()) *
                    GDALGetDataTypeSizeBytes(m_bands.front()->GetRasterDataType());
  }

  /// @param pixels  of `window`, band after band
  template <class T>
  CPLErr write(const Window& window, const T* pixels) {
    for (std::int64_t row = window.row; row < window.end_row();) {
      const std::int64_t end = std::min(window.end_row(), (row / m_block_height + 1) * m_block_height);
      const T* first = pixels + (row - window.row) * window.width;
      const CPLErr error = write_rows({window.col, row, window.width, end - row}, first, window.pixels());
      if (error != CE_None) return error;
      row = end;
    }
    return CE_None;
  }

  /// Of blocks that are not whole.
  [[nodiscard]] std::int64_t waiting_bytes() const { return m_blocks.waiting() * m_block_bytes; }

  void all_left() { m_blocks.all_left(); }

 private:
  static WrittenBlocks blocks_of(GDALRasterBand& band) {
    int width = 0;
    int height = 0;
    band.GetBlockSize(&width, &height);
    return {band.GetXSize(), band.GetYSize(), width, height};
  }

  /// @param rows    of one row of blocks
  /// @param stride  pixels from one band to the next
  template <class T>
  CPLErr write_rows(const Window& rows, const T* first, std::int64_t stride) {
    CPLErr error = CE_None;
    for (std::size_t b = 0; b < m_bands.size() && error == CE_None; ++b) {
      const auto width = static_cast<int>(rows.width);
      const auto height = static_cast<int>(rows.height);
      auto* values = const_cast<T*>(first + static_cast<std::int64_t>(b) * stride);
      error = m_bands[b]->RasterIO(GF_Write, static_cast<int>(rows.col), static_cast<int>(rows.row), width,
                                   height, values, width, height, gdal_type<T>(), 0, 0, nullptr);
    }
    for (const BlockPlace& block : m_blocks.add(rows)) {
      for (GDALRasterBand* band : m_bands) error = std::max(error, band->FlushBlock(block.col, block.row));
    }
    return error;
  }

  std::vector<GDALRasterBand*> m_bands;
  WrittenBlocks m_blocks;
  int m_block_height = 0;
  std::int64_t m_block_bytes = 0;  ///< in all bands together
};

std::vector<GDALRasterBand*> bands_of(GDALDataset& dataset) {
  std::vector<GDALRasterBand*> bands;
  for (int b = 1; b <= dataset.GetRasterCount(); ++b) bands.push_back(dataset.GetRasterBand(b));
  return bands;
}

}  // namespace

std::vector<RasterClass> label_classes() {
  return {{0, "background", {222, 214, 196, 255}},
          {1, "interior", {86, 153, 76, 255}},
          {2, "boundary", {196, 78, 52, 255}}};
}

struct RasterWriter::Impl {
  AtomicFile file;
  std::filesystem::path work;  ///< what is written by windows: the final file, or the source of the COG
  RasterSpec spec;
  std::optional<UnwrittenBlocksStay> blocks_stay;  ///< as long as the dataset is open
  GDALDatasetUniquePtr dataset;
  std::optional<WrittenBands> pixels;  ///< of `dataset`, as is the mask
  std::optional<WrittenBands> mask;
  int block = 512;

  Impl(const std::filesystem::path& path, const Grid& grid, const RasterSpec& s, bool overwrite)
      : file(path, overwrite), work(file.temporary()), spec(s), block(block_size(grid)) {
    check_shape(path, grid, s);
    if (spec.cog) work += ".tiles.tif";
    register_gdal();
    GdalErrorScope errors;
    GDALDriver* driver = GetGDALDriverManager()->GetDriverByName("GTiff");
    check_compression(*driver, spec.compression);
    const CPLStringList options =
        spec.cog ? temporary_options(*driver, spec, grid) : tiff_options(spec, grid);
    blocks_stay.emplace();
    dataset.reset(driver->Create(work.c_str(), static_cast<int>(grid.width), static_cast<int>(grid.height),
                                 spec.bands, to_gdal(spec.type), options.List()));
    if (!dataset) {
      remove_work();
      throw output_error(path, errors.message());
    }
    describe(*dataset, grid, spec);
    describe_classes(*dataset, spec.classes);
    if (spec.mask) {
      const CPLConfigOptionSetter inside("GDAL_TIFF_INTERNAL_MASK", "YES", false);
      if (dataset->CreateMaskBand(GMF_PER_DATASET) != CE_None) throw output_error(path, errors.message());
      mask.emplace(std::vector{dataset->GetRasterBand(1)->GetMaskBand()});
    }
    pixels.emplace(bands_of(*dataset));
  }

  ~Impl() {
    {
      GdalErrorScope errors;
      dataset.reset();
    }
    if (spec.cog) remove_work();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void remove_work() const {
    std::error_code ec;
    std::filesystem::remove(work, ec);
    std::filesystem::remove(work.string() + ".aux.xml", ec);
  }

  template <class T>
  void write(WrittenBands& bands, const Window& window, const T* values) {
    GdalErrorScope errors;
    const CPLErr error = bands.write(window, values);
    make_room();
    if (error != CE_None || errors.failed()) throw output_error(file.path(), errors.message());
  }

  /// Since nobody else does: blocks that wait for pixels must not fill GDAL's cache.
  void make_room() {
    const std::int64_t waiting = pixels->waiting_bytes() + (mask ? mask->waiting_bytes() : 0);
    if (waiting < GDALGetCacheMax64() / 4) return;
    dataset->FlushCache(false);
    pixels->all_left();
    if (mask) mask->all_left();
  }

  void close_dataset() {
    GdalErrorScope errors;
    dataset->FlushCache(true);
    dataset.reset();
    blocks_stay.reset();
    if (errors.failed()) throw output_error(file.path(), errors.message());
  }

  void make_cog() const {
    GdalErrorScope errors;
    GDALDatasetUniquePtr source(GDALDataset::Open(work.c_str(), GDAL_OF_RASTER));
    if (!source) throw output_error(file.path(), errors.message());
    CPLStringList options;
    options.SetNameValue("COMPRESS", compression_name(spec.compression));
    if (spec.compression == Compression::kDeflate) options.SetNameValue("LEVEL", deflate_level(spec));
    if (uses_predictor(spec)) options.SetNameValue("PREDICTOR", "YES");
    options.SetNameValue("BLOCKSIZE", CPLSPrintf("%d", block));
    options.SetNameValue("BIGTIFF", "IF_SAFER");
    options.SetNameValue("NUM_THREADS", CPLSPrintf("%d", spec.threads));
    options.SetNameValue("RESAMPLING", overview_name(spec.overview));
    options.SetNameValue("OVERVIEW_RESAMPLING", overview_name(spec.overview));
    if (spec.overview == Overview::kNone) options.SetNameValue("OVERVIEWS", "NONE");
    // Overviews are made by as many threads; in the arena GDAL has one.
    const CPLConfigOptionSetter threads("GDAL_NUM_THREADS", CPLSPrintf("%d", spec.threads), false);
    // They go through a temporary file too, which GDAL packs as tightly as a final one.
    const CPLConfigOptionSetter fast("ZSTD_LEVEL_OVERVIEW", "1", false);
    GDALDriver* driver = GetGDALDriverManager()->GetDriverByName("COG");
    GDALDatasetUniquePtr cog(
        driver->CreateCopy(file.temporary().c_str(), source.get(), FALSE, options.List(), nullptr, nullptr));
    cog.reset();
    if (errors.failed()) throw output_error(file.path(), errors.message());
  }

  void close() {
    if (!dataset) return;
    close_dataset();
    if (!spec.cog) return;
    make_cog();
    remove_work();
  }

  void finish() {
    close();
    file.commit(spec.flush);
  }
};

RasterWriter::RasterWriter(const std::filesystem::path& path, const Grid& grid, const RasterSpec& spec,
                           bool overwrite)
    : m_impl(std::make_unique<Impl>(path, grid, spec, overwrite)) {}
RasterWriter::~RasterWriter() = default;
RasterWriter::RasterWriter(RasterWriter&&) noexcept = default;

template <class T>
void RasterWriter::write(const Window& window, const Raster<T>& pixels) {
  if (pixels.width() != window.width || pixels.height() != window.height ||
      pixels.bands() != m_impl->spec.bands) {
    throw InvalidArgument("the pixels do not have the size of the window they are written to");
  }
  m_impl->write(*m_impl->pixels, window, pixels.data().data());
}

void RasterWriter::write_mask(const Window& window, const Raster<std::uint8_t>& valid) {
  if (!m_impl->spec.mask || valid.width() != window.width || valid.height() != window.height) {
    throw InvalidArgument("the raster has no mask, or the mask does not have the size of its window");
  }
  std::vector<std::uint8_t> mask(valid.data().size());
  std::ranges::transform(valid.data(), mask.begin(),
                         [](std::uint8_t v) { return static_cast<std::uint8_t>(v != 0 ? 255 : 0); });
  m_impl->write(*m_impl->mask, window, mask.data());
}

void RasterWriter::close() {
  m_impl->close();
}

void RasterWriter::finish() {
  m_impl->finish();
}

template <class T>
void write_raster(const std::filesystem::path& path, const Grid& grid, const Raster<T>& pixels,
                  const RasterSpec& spec, bool overwrite, const Raster<std::uint8_t>* valid) {
  RasterWriter writer(path, grid, spec, overwrite);
  writer.write({0, 0, grid.width, grid.height}, pixels);
  if (spec.mask && valid != nullptr) writer.write_mask({0, 0, grid.width, grid.height}, *valid);
  writer.finish();
}

#define FURROW_INSTANTIATE(T)                                                                                \
  template void RasterWriter::write(const Window&, const Raster<T>&);                                        \
  template void write_raster(const std::filesystem::path&, const Grid&, const Raster<T>&, const RasterSpec&, \
                             bool, const Raster<std::uint8_t>*);
FURROW_INSTANTIATE(std::uint8_t)
FURROW_INSTANTIATE(std::int16_t)
FURROW_INSTANTIATE(std::uint16_t)
FURROW_INSTANTIATE(std::int32_t)
FURROW_INSTANTIATE(std::uint32_t)
FURROW_INSTANTIATE(float)
FURROW_INSTANTIATE(double)
#undef FURROW_INSTANTIATE

}  // namespace furrow::geo
