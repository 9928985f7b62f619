#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <furrow/geo/vector/geometry.h>

namespace furrow::dataset {

/// The layouts that are known, as published (docs/datasets.md).
enum class Layout {
  kLacuna,          ///< label-catalog-filtered.csv or label_catalog_allclasses.csv, images/, labels/
  kLacuna256,       ///< mappingafrica-256/: images/ and labels/ of 256 pixels
  kFtw,             ///< Fields of The World: <country>/s2_images/window_{a,b}/ and label_masks/
  kFtwCombinedCsv,  ///< one table with window_a, window_b and mask
  kGeneric          ///< one table with image and mask (or labels), or folders images/ and labels/
};

/// "lacuna", "lacuna-256", "ftw", "ftw-combined-csv", "generic"
[[nodiscard]] const char* layout_name(Layout layout);
[[nodiscard]] const std::vector<std::string>& layout_names();
/// @throws InvalidArgument for an unknown name, with the nearest one
[[nodiscard]] Layout layout_of_name(const std::string& name);

/// What a label raster holds.
enum class LabelKind {
  kThreeClass,  ///< 0 background, 1 interior, 2 boundary, 3 or 255 unknown
  kTwoClass,    ///< 0 background, 1 field, 3 or 255 unknown
  kInstances,   ///< 0 background, a number per field
  kEdges        ///< 0, 1 field edge
};
/// "three-class", "two-class", "instances", "edges"
[[nodiscard]] const char* label_kind_name(LabelKind kind);
[[nodiscard]] std::optional<LabelKind> label_kind_of_name(const std::string& name);

struct SampleImage {
  std::string path;
  std::string window;  ///< "window_a", "window_b", or empty where a sample has one image
  std::string date;    ///< YYYY-MM or YYYY-MM-DD; empty = unknown
};

/// One image (or one image of each of two windows of time) with its labels.
struct Sample {
  std::string id;
  /// What must not lie in two splits: the labelled place. Several samples share it where several people
  /// mapped it.
  std::string site;
  std::string split;  ///< train, val, test, none, another word as written, or empty = not said
  std::vector<SampleImage> images;
  std::map<LabelKind, std::string> labels;  ///< paths of the label rasters
  std::string risk;                         ///< path of a raster of label risk, 0 to 1; empty = none
  std::string country;                      ///< as the data set writes it; empty = unknown
  std::string
      source;  ///< who made the labels, as the data set writes it (its column dataset, source or Class)
  std::optional<geo::Point> position;  ///< longitude, latitude in degrees
  std::string place;                   ///< where the data set lists it ("catalogue.csv:17"), for messages

  /// The labels to train on and to count classes in: three classes where there are, else two.
  [[nodiscard]] const std::string& class_labels() const;
  /// The image of a window, or nullptr.
  [[nodiscard]] const SampleImage* image_of(const std::string& window) const;
};

/// A file that the data set names and that is not there.
struct MissingFile {
  std::string id;
  std::string path;
  std::string place;
};

struct Dataset {
  Layout layout = Layout::kGeneric;
  std::string root;
  std::vector<std::string> bands;  ///< of each image, in file order; empty = as the files say
  std::vector<std::string>
      windows;                  ///< "window_b", "window_a": the order of a stack; empty = one image a sample
  std::vector<Sample> samples;  ///< those whose files are all there, in the order of the catalogue
  std::vector<MissingFile> missing;                ///< each file once
  std::vector<std::string> unreadable_catalogues;  ///< messages; splits and positions in them are not known
  std::int64_t listed = 0;                         ///< samples in the catalogue, with and without files
  std::int64_t incomplete = 0;                     ///< samples left out because a file is missing
  bool has_splits = false;
};

struct ReadOptions {
  std::optional<Layout> layout;  ///< instead of what the files look like
  std::string data_root;  ///< folder that relative paths of a table start from; empty = that of the table
  bool strict = false;    ///< a missing file, or a chips table that cannot be read, is an error
};

/// A layout that the files of a folder (or a table) fit, and the file or folder that says so.
struct LayoutEvidence {
  Layout layout = Layout::kGeneric;
  std::string found;
};

/// Every layout that a path fits; `generic` only where no other one does. Opens no raster.
[[nodiscard]] std::vector<LayoutEvidence> fitting_layouts(const std::string& path);

/// Reads the catalogue of a data set; rasters are looked for but not opened.
///
/// Splits are train, val (also validate, valid, validation), test, none. A sample with a missing file is left
/// out, counted and listed (kinds of labels besides `class_labels` are optional and dropped silently).
/// Columns are found by name whatever their case. A chips table of `ftw` that cannot be read (Parquet without
/// a reader) is listed in `unreadable_catalogues`; its chips are then the files in label_masks/. Local files
/// only.
/// @throws IoError  no such data set; no layout or several fit (with what speaks for each); a catalogue
/// without a
///                  needed column or cell; a missing file or unreadable table (strict); nothing is listed
[[nodiscard]] Dataset read_dataset(const std::string& path, const ReadOptions& options = {});

/// Gives samples a split where the data set says none, or where it has no validation part: the sites whose
/// seeded hash is smallest validate, `val_share` of them (at least one), so that a site lies in one part
/// whatever the order of the catalogue. Samples of other splits (test, none) stay as they are.
/// @throws InvalidArgument  unless 0 <= val_share < 1; fewer than two sites although some are to validate
void complete_splits(Dataset& dataset, double val_share, std::uint64_t seed);

}  // namespace furrow::dataset
