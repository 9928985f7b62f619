#include <furrow/dataset/dataset.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include <furrow/geo/core/csv.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/random.h>
#include <furrow/geo/core/text.h>

#include "adapters.h"

namespace fs = std::filesystem;

namespace furrow::dataset {

using geo::concat;
using geo::quoted;

const std::vector<std::string>& layout_names() {
  static const std::vector<std::string> kNames{"lacuna", "lacuna-256", "ftw", "ftw-combined-csv", "generic"};
  return kNames;
}

const char* layout_name(Layout layout) {
  return layout_names()[static_cast<std::size_t>(layout)].c_str();
}

Layout layout_of_name(const std::string& name) {
  const auto it = std::ranges::find(layout_names(), name);
  if (it == layout_names().end()) {
    throw geo::InvalidArgument(concat("unknown data set layout ", quoted(name),
                                      geo::did_you_mean(name, layout_names()),
                                      " (known: ", geo::join(layout_names(), ", "), ")"));
  }
  return static_cast<Layout>(it - layout_names().begin());
}

namespace {

constexpr const char* kLabelKindNames[] = {"three-class", "two-class", "instances", "edges"};

}  // namespace

const char* label_kind_name(LabelKind kind) {
  return kLabelKindNames[static_cast<std::size_t>(kind)];
}

std::optional<LabelKind> label_kind_of_name(const std::string& name) {
  const auto* it = std::ranges::find(kLabelKindNames, name);
  if (it == std::end(kLabelKindNames)) return std::nullopt;
  return static_cast<LabelKind>(it - std::begin(kLabelKindNames));
}

const std::string& Sample::class_labels() const {
  static const std::string kNone;
  for (const LabelKind kind : {LabelKind::kThreeClass, LabelKind::kTwoClass}) {
    if (const auto it = labels.find(kind); it != labels.end()) return it->second;
  }
  return kNone;
}

const SampleImage* Sample::image_of(const std::string& window) const {
  const auto it = std::ranges::find(images, window, &SampleImage::window);
  return it == images.end() ? nullptr : &*it;
}

std::vector<LayoutEvidence> fitting_layouts(const std::string& path) {
  std::vector<LayoutEvidence> fits;
  const auto add = [&](Layout layout, std::string found) {
    if (!found.empty()) fits.push_back({layout, std::move(found)});
  };
  std::error_code ec;
  if (fs::is_directory(path, ec)) {
    add(Layout::kLacuna, evidence_of_lacuna(path));
    add(Layout::kLacuna256, evidence_of_lacuna_256(path));
    add(Layout::kFtw, evidence_of_ftw(path));
  }
  add(Layout::kFtwCombinedCsv, evidence_of_combined_csv(path));
  if (fits.empty()) add(Layout::kGeneric, evidence_of_generic(path));
  return fits;
}

namespace {

Layout layout_of(const std::string& path) {
  const std::vector<LayoutEvidence> fits = fitting_layouts(path);
  if (fits.size() == 1) return fits.front().layout;
  if (fits.empty()) {
    throw geo::IoError(concat(
        quoted(path),
        " is no data set of a known layout (lacuna: label-catalog-filtered.csv; lacuna-256: a folder "
        "mappingafrica-256; ftw: <country>/s2_images and label_masks; ftw-combined-csv: a table with "
        "window_a, "
        "window_b, mask; generic: a table with image and mask or labels, or folders images and labels)"));
  }
  std::vector<std::string> found;
  for (const LayoutEvidence& one : fits)
    found.push_back(concat(layout_name(one.layout), " (", one.found, ")"));
  throw geo::IoError(concat(quoted(path), " fits several data set layouts: ", geo::join(found, ", "),
                            "; say which with --dataset, for example --dataset ",
                            layout_name(fits.front().layout)));
}

/// train, val, test, none or empty for all ways to write them; anything else in lower case as it is.
std::string split_of(const std::string& text) {
  const std::string word = geo::to_lower(geo::trim(text));
  if (word == "val" || word == "validate" || word == "validation" || word == "valid") return "val";
  if (word == "train" || word == "training") return "train";
  if (word == "test" || word == "testing") return "test";
  // "none" is a split of ftw, although it means "missing" elsewhere.
  return word != "none" && geo::is_missing(word) ? std::string{} : word;
}

bool exists(const std::string& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

/// Leaves out samples that lack an image or the labels to train on; other kinds of labels may be missing.
void drop_missing(Dataset& dataset, bool strict) {
  dataset.listed = std::ssize(dataset.samples);
  std::set<std::string> reported;
  const auto is_there = [&](const Sample& sample, const std::string& path) {
    if (exists(path)) return true;
    if (strict) {
      throw geo::IoError(concat(sample.place, ": sample ", quoted(sample.id), " lacks ", quoted(path),
                                "; without --strict such samples are left out"));
    }
    if (reported.insert(path).second) dataset.missing.push_back({sample.id, path, sample.place});
    return false;
  };
  std::erase_if(dataset.samples, [&](Sample& sample) {
    const std::string labels = sample.class_labels();
    std::erase_if(sample.labels,
                  [&](const auto& one) { return one.second != labels && !exists(one.second); });
    bool complete = is_there(sample, labels);
    for (const SampleImage& image : sample.images) complete = is_there(sample, image.path) && complete;
    if (!sample.risk.empty()) complete = is_there(sample, sample.risk) && complete;
    return !complete;
  });
  dataset.incomplete = dataset.listed - std::ssize(dataset.samples);
}

}  // namespace

Dataset read_dataset(const std::string& path, const ReadOptions& options) {
  if (!exists(path))
    throw geo::IoError(concat("cannot open data set ", quoted(path), ": no such file or folder"));
  Dataset dataset;
  dataset.layout = options.layout ? *options.layout : layout_of(path);
  dataset.root = path;
  switch (dataset.layout) {
    case Layout::kLacuna:
      read_lacuna(path, dataset);
      break;
    case Layout::kLacuna256:
      read_lacuna_256(path, dataset);
      break;
    case Layout::kFtw:
      read_ftw(path, dataset);
      break;
    case Layout::kFtwCombinedCsv:
      read_combined_csv(path, options.data_root, dataset);
      break;
    case Layout::kGeneric:
      read_generic(path, options.data_root, dataset);
      break;
  }
  if (options.strict && !dataset.unreadable_catalogues.empty())
    throw geo::IoError(dataset.unreadable_catalogues.front());
  if (dataset.samples.empty()) {
    throw geo::IoError(
        concat("data set ", quoted(path), " (", layout_name(dataset.layout), ") lists no sample"));
  }
  for (Sample& sample : dataset.samples) {
    sample.split = split_of(sample.split);
    dataset.has_splits = dataset.has_splits || !sample.split.empty();
  }
  drop_missing(dataset, options.strict);
  return dataset;
}

void complete_splits(Dataset& dataset, double val_share, std::uint64_t seed) {
  if (!(val_share >= 0.0 && val_share < 1.0))
    throw geo::InvalidArgument(concat("the validation share must lie in 0..1, got ", val_share));
  const bool has_val = std::ranges::any_of(dataset.samples, [](const Sample& s) { return s.split == "val"; });
  const auto is_open = [](const Sample& s) { return s.split.empty() || s.split == "train"; };
  const auto site_key = [](const Sample& s) { return s.country + "/" + s.site; };
  std::set<std::pair<std::uint64_t, std::string>> sites;  // by hash, then name
  for (const Sample& sample : dataset.samples) {
    if (!has_val && is_open(sample))
      sites.emplace(geo::stable_hash("site " + site_key(sample), seed), site_key(sample));
  }
  const auto wanted =
      has_val ? std::size_t{0}
              : static_cast<std::size_t>(std::ceil(val_share * static_cast<double>(sites.size())));
  if (wanted > 0 && wanted >= sites.size()) {
    throw geo::InvalidArgument(
        concat("data set ", quoted(dataset.root), " has only ", sites.size(),
               " place(s) to train on, too few to keep some for validation; add more, or "
               "train with --val-share 0"));
  }
  std::set<std::string> validates;
  for (const auto& site : sites) {
    if (validates.size() == wanted) break;
    validates.insert(site.second);
  }
  for (Sample& sample : dataset.samples) {
    if (!is_open(sample)) continue;
    sample.split = validates.contains(site_key(sample)) ? "val" : "train";
  }
}

}  // namespace furrow::dataset
