#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/raster/grid.h>
#include <furrow/geo/raster/writer.h>
#include <furrow/segmentation/predictor.h>

#include "outputs.h"
#include "plan.h"
#include "run_facts.h"
#include "tile_job.h"

namespace furrow::segmentation {

/// The finished rows of tiles of a score map that is being made, in the folder `<output>.partial`: a raster
/// for each row with its final bytes (all outputs as bands), and the text file `ledger`: first the facts of
/// the run, then a line for each row with the checksum of its raster.
///
/// A row enters the ledger when its raster is on the disk. When the ledger is opened again, the first row
/// that is torn, missing or has other bytes ends it: that row and those after it are scored again.
/// Not thread-safe; one process at a time. What is left when the outputs are there is a note, the file
/// `finished`, by which a later run knows them.
class TileLedger {
 public:
  /// Opens or begins the ledger of `output`.
  /// @throws geo::InvalidArgument  the ledger is of a run with other facts; the message names them
  /// @throws geo::IoError          the folder cannot be read or written
  TileLedger(const std::string& output, const PredictionPlan& plan, const RunFacts& facts);

  /// The tile to go on with. The blend of the first row that is missing needs the scores of the row above it,
  /// which is therefore scored again.
  [[nodiscard]] std::size_t first_tile() const;
  [[nodiscard]] bool has(const geo::Window& core) const;

  /// Writes all finished rows into `outputs` and adds their tiles and pixels to `report`.
  void replay(PredictionOutputs& outputs, PredictReport& report) const;

  /// The next tile, in order; the last one of a row finishes it.
  /// @param valid_pixels  that this tile completed
  /// @throws geo::IoError  disk full, for instance; finished rows stay
  void add(const TileJob& job, std::int64_t valid_pixels);

  /// Before the outputs appear: notes that they will be those of a run with this checksum.
  void mark_complete(const std::string& checksum) const;
  /// After the outputs have appeared: only that note is still needed.
  void remove_rows() const;

 private:
  struct Row {
    std::string sha256;
    std::int64_t empty_tiles = 0;
    std::int64_t valid_pixels = 0;
  };

  void read(const std::string& text, const RunFacts& facts);
  void save() const;
  void remove_pieces(std::size_t from) const;
  [[nodiscard]] std::filesystem::path piece(std::size_t row) const;
  [[nodiscard]] geo::Raster<std::uint8_t> stacked(const TileJob& job) const;

  std::filesystem::path m_folder;
  const PredictionPlan& m_plan;
  std::size_t m_columns;  ///< tiles in a row
  std::string m_head;
  std::vector<Row> m_rows;
  Row m_row;  ///< the one being written
  std::optional<geo::RasterWriter> m_piece;
};

/// True when the outputs are there and younger than the note of a run with this checksum.
[[nodiscard]] bool is_finished(const std::string& output, std::span<const QualityOutput> quality,
                               const std::string& checksum);

}  // namespace furrow::segmentation
