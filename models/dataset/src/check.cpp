#include <furrow/dataset/check.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <tuple>

#include <oneapi/tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>

namespace furrow::dataset {

using geo::concat;
using geo::quoted;

const char* problem_name(ProblemKind kind) {
  static constexpr const char* kNames[] = {
      "missing file", "unreadable file", "duplicate id", "split leak",  "unknown split", "size", "grid",
      "CRS",          "position",        "bands",        "label values"};
  return kNames[static_cast<std::size_t>(kind)];
}

namespace {

/// What one image file turned out to be.
struct ImageFinding {
  std::string path;
  int bands = 0;         ///< 0 = it could not be opened
  std::string checksum;  ///< of the pixels; empty = not read, or all pixels are equal
};

/// What one sample turned out to be. Small: one is kept for each sample.
struct Finding {
  std::vector<Problem> problems;
  std::vector<ImageFinding> images;
  std::string crs;
  std::string size;
  std::string label_type;
  std::array<std::int64_t, 4> pixels{};
  bool class_as_nodata = false;
};

constexpr std::int64_t kPiecePx = 1024;

class SampleCheck {
 public:
  SampleCheck(const Sample& sample, const CheckOptions& options) : m_sample(sample), m_options(options) {}

  [[nodiscard]] Finding run() {
    std::unique_ptr<geo::RasterReader> first;
    for (const SampleImage& image : m_sample.images) {
      auto reader = open(image.path);
      m_finding.images.push_back({image.path, reader ? reader->bands() : 0, {}});
      if (!reader) continue;
      if (first) check_place("image", *reader, *first);
      if (m_options.read_pixels) m_finding.images.back().checksum = checksum(*reader);
      if (!first) first = std::move(reader);
    }
    if (first) describe(*first);
    for (const auto& [kind, path] : m_sample.labels) check_labels(kind, path, first.get());
    if (!m_sample.risk.empty()) {
      const auto risk = open(m_sample.risk);
      if (risk && first) check_place("risk", *risk, *first);
    }
    return std::move(m_finding);
  }

 private:
  void add(ProblemKind kind, std::string message) {
    m_finding.problems.push_back({kind, m_sample.id, std::move(message)});
  }

  std::unique_ptr<geo::RasterReader> open(const std::string& path) {
    geo::RasterReadOptions lenient;
    lenient.require_crs = false;
    try {
      return std::make_unique<geo::RasterReader>(path, lenient);
    } catch (const geo::Error& e) {
      add(ProblemKind::kUnreadable, e.what());
      return nullptr;
    }
  }

  /// Calls `visit(pixels)` for all pieces of a raster. @return false when it cannot be read
  template <class T, class Visit>
  bool each_piece(const geo::RasterReader& reader, std::span<const int> bands, const Visit& visit) {
    try {
      for (const geo::Tile& tile : geo::make_tiles(reader.grid(), kPiecePx, 0))
        visit(reader.read<T>(tile.core, bands));
      return true;
    } catch (const geo::Error& e) {
      add(ProblemKind::kUnreadable, e.what());
      return false;
    }
  }

  std::string checksum(const geo::RasterReader& image) {
    geo::Sha256 hash;
    std::optional<float> value;
    bool varies = false;
    const bool read = each_piece<float>(image, {}, [&](const geo::Raster<float>& piece) {
      const std::vector<float>& data = piece.data();
      if (!value && !data.empty()) value = data.front();
      varies = varies || std::ranges::any_of(data, [&](float v) { return v != *value; });
      hash.update({reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float)});
    });
    return read && varies ? concat(image.grid().width, " ", image.bands(), " ", hash.hex_digest())
                          : std::string{};
  }

  void describe(const geo::RasterReader& image) {
    const geo::Grid& grid = image.grid();
    m_finding.crs = grid.crs.name();
    m_finding.size = concat(grid.width, " x ", grid.height);
    if (grid.crs.empty()) {
      return add(ProblemKind::kCrs, concat("image ", quoted(image.path()),
                                           " has no CRS; write it into the file with gdal_edit.py -a_srs"));
    }
    check_position(image);
  }

  void check_position(const geo::RasterReader& image) {
    if (!m_sample.position) return;
    const geo::Grid& grid = image.grid();
    geo::Point place = *m_sample.position;
    try {
      if (!grid.crs.is_geographic())
        place = geo::CoordinateTransform(geo::lonlat_crs(), grid.crs).apply(place);
    } catch (const geo::CrsError& e) {
      return add(ProblemKind::kPosition, concat(m_sample.place, ": ", e.what()));
    }
    const geo::Box box = grid.bounds();
    const double slack_x = box.width() / static_cast<double>(grid.width);
    const double slack_y = box.height() / static_cast<double>(grid.height);
    const bool inside = place.x >= box.min_x - slack_x && place.x <= box.max_x + slack_x &&
                        place.y >= box.min_y - slack_y && place.y <= box.max_y + slack_y;
    if (inside) return;
    add(ProblemKind::kPosition,
        concat(m_sample.place, ": sample ", quoted(m_sample.id), " lies at longitude ",
               geo::fixed(m_sample.position->x, 5), ", latitude ", geo::fixed(m_sample.position->y, 5),
               ", outside of its image ", quoted(image.path()), "; the image or the row is another place's"));
  }

  void check_place(const char* what, const geo::RasterReader& raster, const geo::RasterReader& image) {
    const geo::Grid& a = raster.grid();
    const geo::Grid& b = image.grid();
    const std::string both = concat(what, " ", quoted(raster.path()), " and image ", quoted(image.path()));
    if (a.width != b.width || a.height != b.height) {
      return add(ProblemKind::kSize, concat(both, " differ in size: ", a.width, " x ", a.height, " and ",
                                            b.width, " x ", b.height, " px"));
    }
    if (!a.crs.empty() && !b.crs.empty() && !a.crs.same_as(b.crs)) {
      return add(ProblemKind::kCrs, concat(both, " differ in CRS: ", a.crs.name(), " and ", b.crs.name(),
                                           "; reproject or correct one"));
    }
    // What training accepts; more would shift labels visibly.
    constexpr double kTolerancePx = 0.01;
    geo::Grid same_crs = a;
    same_crs.crs = b.crs;
    if (!same_crs.same_as(b, kTolerancePx)) {
      add(ProblemKind::kGrid, concat(both, " lie at different places (corners more than ", kTolerancePx,
                                     " px apart); make the ", what, " on the image's grid"));
    }
  }

  void check_labels(LabelKind kind, const std::string& path, const geo::RasterReader* image) {
    const auto labels = open(path);
    if (!labels) return;
    if (image != nullptr) check_place("labels", *labels, *image);
    const bool counts = path == m_sample.class_labels();
    const geo::BandInfo& band = labels->band(0);
    if (counts) {
      m_finding.label_type = geo::pixel_type_name(band.type);
      m_finding.class_as_nodata =
          band.nodata && (*band.nodata == 0.0 || *band.nodata == 1.0 || *band.nodata == 2.0);
    }
    if (labels->bands() != 1) {
      add(ProblemKind::kBands,
          concat("labels ", quoted(path), " have ", labels->bands(), " bands; class labels have one"));
    }
    if (m_options.read_pixels) check_values(kind, *labels, counts);
  }

  void check_values(LabelKind kind, const geo::RasterReader& labels, bool counts) {
    std::set<double> wrong;
    constexpr std::size_t kListed = 10;
    const int first = 0;
    each_piece<double>(labels, {&first, 1}, [&](const geo::Raster<double>& piece) {
      for (const double value : piece.data()) {
        if (!is_allowed(kind, value)) {
          if (wrong.size() < kListed && !std::isnan(value)) wrong.insert(value);
          m_has_nan = m_has_nan || std::isnan(value);
        } else if (counts) {
          ++m_finding.pixels[value == 3.0 || value == 255.0 ? 3 : static_cast<std::size_t>(value)];
        }
      }
    });
    if (wrong.empty() && !m_has_nan) return;
    std::vector<std::string> list;
    for (const double value : wrong) list.push_back(geo::readable(value));
    if (m_has_nan) list.emplace_back("NaN");
    m_has_nan = false;
    add(ProblemKind::kValues, concat("labels ", quoted(labels.path()), " hold values that are no ",
                                     kind == LabelKind::kInstances ? "field numbers: " : "classes: ",
                                     geo::join(list, ", "), "; allowed are ", allowed_text(kind)));
  }

  static bool is_allowed(LabelKind kind, double value) {
    if (kind == LabelKind::kInstances) return value >= 0.0 && value == std::floor(value);
    return value == 0.0 || value == 1.0 || (value == 2.0 && kind == LabelKind::kThreeClass) || value == 3.0 ||
           value == 255.0;
  }

  static const char* allowed_text(LabelKind kind) {
    switch (kind) {
      case LabelKind::kThreeClass:
        return "0 background, 1 interior, 2 boundary, 3 or 255 unknown";
      case LabelKind::kTwoClass:
        return "0 background, 1 field, 3 or 255 unknown";
      case LabelKind::kInstances:
        return "whole numbers from 0 on";
      case LabelKind::kEdges:
        break;
    }
    return "0 and 1, 3 or 255 unknown";
  }

  const Sample& m_sample;
  const CheckOptions& m_options;
  Finding m_finding;
  bool m_has_nan = false;
};

bool is_known_split(const std::string& split) {
  return split == "train" || split == "val" || split == "test" || split == "none";
}

/// A sample whose split counts when places must not lie in two of them.
bool has_part(const Sample& sample) {
  return !sample.split.empty() && sample.split != "none";
}

/// Two samples that share something lie in two splits.
Problem leak(const Sample& first, const Sample& second, const std::string& what) {
  return {ProblemKind::kSplitLeak, second.id,
          concat(what, " lies in split ", first.split, " (", quoted(first.id), ", ", first.place,
                 ") and in split ", second.split, " (", quoted(second.id), ", ", second.place,
                 "); keep it in one")};
}

/// What the catalogue alone shows: missing files, repeated ids, unknown splits, places in two splits.
void check_catalogue(const Dataset& dataset, CheckReport& report) {
  const auto add = [&](ProblemKind kind, const std::string& id, std::string message) {
    report.problems.push_back({kind, id, std::move(message)});
  };
  for (const std::string& message : dataset.unreadable_catalogues) add(ProblemKind::kUnreadable, "", message);
  for (const MissingFile& file : dataset.missing) {
    add(ProblemKind::kMissingFile, file.id,
        concat(file.place, ": sample ", quoted(file.id), " lacks ", quoted(file.path)));
  }
  std::map<std::pair<std::string, std::string>, const Sample*> ids;
  std::map<std::pair<std::string, std::string>, const Sample*> sites;
  std::map<std::string, const Sample*> images;
  for (const Sample& sample : dataset.samples) {
    // Ids of different countries may be equal: their files lie in different folders.
    const auto [first, is_new] = ids.try_emplace({sample.country, sample.id}, &sample);
    if (!is_new) {
      add(ProblemKind::kDuplicateId, sample.id,
          concat("id ", quoted(sample.id), " occurs twice (", first->second->place, " and ", sample.place,
                 "); keep one"));
    }
    if (dataset.has_splits && !is_known_split(sample.split)) {
      add(ProblemKind::kUnknownSplit, sample.id,
          concat(sample.place, ": sample ", quoted(sample.id), " has split ", quoted(sample.split),
                 "; known are train, val (validate, validation), test, none"));
    }
    if (!has_part(sample)) continue;
    const Sample& with_site = *sites.try_emplace({sample.country, sample.site}, &sample).first->second;
    if (with_site.split != sample.split) {
      report.problems.push_back(leak(with_site, sample, concat("place ", quoted(sample.site))));
      continue;  // its images would say the same again
    }
    for (const SampleImage& image : sample.images) {
      const Sample& with_image = *images.try_emplace(image.path, &sample).first->second;
      if (with_image.split != sample.split)
        report.problems.push_back(leak(with_image, sample, concat("image ", quoted(image.path))));
    }
  }
}

/// Images with the same pixels under two names in two splits.
void check_equal_images(const Dataset& dataset, const std::vector<Finding>& findings, CheckReport& report) {
  struct Seen {
    const Sample* sample;
    std::string path;
  };
  std::map<std::string, Seen> by_checksum;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const Sample& sample = dataset.samples[i];
    if (!has_part(sample)) continue;
    for (const ImageFinding& image : findings[i].images) {
      if (image.checksum.empty()) continue;
      const Seen& seen = by_checksum.try_emplace(image.checksum, Seen{&sample, image.path}).first->second;
      const bool is_told = seen.path == image.path || std::tie(seen.sample->country, seen.sample->site) ==
                                                          std::tie(sample.country, sample.site);
      if (is_told || seen.sample->split == sample.split) continue;
      report.problems.push_back(
          leak(*seen.sample, sample,
               concat("the same image (", quoted(seen.path), " and ", quoted(image.path), ")")));
    }
  }
}

/// Bands as the layout has them, or as most images have them.
void check_bands(const Dataset& dataset, const std::vector<Finding>& findings, CheckReport& report) {
  std::map<int, std::int64_t> counts;
  for (const Finding& finding : findings) {
    for (const ImageFinding& image : finding.images) {
      if (image.bands > 0) ++counts[image.bands];
    }
  }
  if (counts.empty()) return;
  const int usual = std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; })->first;
  const int expected = dataset.bands.empty() ? usual : static_cast<int>(dataset.bands.size());
  for (std::size_t i = 0; i < findings.size(); ++i) {
    for (const ImageFinding& image : findings[i].images) {
      if (image.bands == 0 || image.bands == expected) continue;
      report.problems.push_back({ProblemKind::kBands, dataset.samples[i].id,
                                 dataset.bands.empty()
                                     ? concat("image ", quoted(image.path), " has ", image.bands,
                                              " bands, most others have ", expected)
                                     : concat("image ", quoted(image.path), " has ", image.bands,
                                              " bands; images of ", layout_name(dataset.layout), " have ",
                                              expected, " (", geo::join(dataset.bands, ", "), ")")});
    }
  }
}

}  // namespace

CheckReport check_dataset(const Dataset& dataset, const CheckOptions& options, geo::ExecContext& exec) {
  CheckReport report;
  check_catalogue(dataset, report);
  std::vector<Finding> findings(dataset.samples.size());
  geo::Progress progress(exec, "checking samples", std::ssize(dataset.samples));
  tbb::parallel_for(std::size_t{0}, findings.size(), [&](std::size_t i) {
    findings[i] = SampleCheck(dataset.samples[i], options).run();
    progress.advance();
  });
  check_equal_images(dataset, findings, report);
  check_bands(dataset, findings, report);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    Finding& finding = findings[i];
    SplitBalance& split = report.splits[dataset.samples[i].split];
    ++split.samples;
    for (std::size_t c = 0; c < finding.pixels.size(); ++c) split.pixels[c] += finding.pixels[c];
    if (!finding.crs.empty()) ++report.crs[finding.crs];
    if (!finding.size.empty()) ++report.sizes[finding.size];
    if (!finding.label_type.empty()) ++report.label_types[finding.label_type];
    if (finding.class_as_nodata) ++report.class_as_nodata;
    const bool counted = finding.pixels != std::array<std::int64_t, 4>{};
    if (counted && finding.pixels[1] + finding.pixels[2] == 0) ++split.without_field;
    std::ranges::move(finding.problems, std::back_inserter(report.problems));
  }
  return report;
}

}  // namespace furrow::dataset
