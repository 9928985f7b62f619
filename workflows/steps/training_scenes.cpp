#include "training_scenes.h"

#include <algorithm>
#include <map>
#include <set>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::workflow {

using geo::concat;
using geo::quoted;

void validate_on_countries(dataset::Dataset& dataset, const std::vector<std::string>& countries) {
  std::set<std::string> known;
  for (const dataset::Sample& sample : dataset.samples) known.insert(sample.country);
  for (const std::string& country : countries) {
    if (known.contains(country)) continue;
    const std::vector<std::string> names(known.begin(), known.end());
    throw geo::InvalidArgument(concat("data set ", quoted(dataset.root), " has no sample of country ",
                                      quoted(country), geo::did_you_mean(country, names),
                                      "; it has: ", geo::join(names, ", ")));
  }
  for (dataset::Sample& sample : dataset.samples) {
    if (!sample.split.empty() && sample.split != "train" && sample.split != "val") continue;
    sample.split = std::ranges::find(countries, sample.country) != countries.end() ? "val" : "train";
  }
}

DatasetScenes scenes_of(const dataset::Dataset& dataset) {
  DatasetScenes result;
  std::map<std::string, std::int64_t> splits;
  for (const dataset::Sample& sample : dataset.samples) {
    ++splits[sample.split];
    if (sample.split != "train" && sample.split != "val") continue;
    segmentation::TrainingScene scene;
    scene.image = sample.images.front().path;
    for (std::size_t i = 1; i < sample.images.size(); ++i)
      scene.later_images.push_back(sample.images[i].path);
    scene.labels = sample.class_labels();
    scene.risk = sample.risk;
    scene.labeller = sample.source;
    scene.part = sample.split == "val" ? segmentation::ScenePart::kValidate : segmentation::ScenePart::kTrain;
    if (!scene.risk.empty()) ++result.with_risk;
    result.scenes.push_back(std::move(scene));
  }
  if (!splits.contains("train")) {
    std::vector<std::string> counts;
    for (const auto& [split, count] : splits) counts.push_back(concat(split, " ", count));
    throw geo::IoError(concat("data set ", quoted(dataset.root), " has no sample to train on (",
                              counts.empty() ? "none is complete" : geo::join(counts, ", "),
                              "); `furrow check` says what its files are"));
  }
  const std::vector<std::string> one_window{""};
  for (const std::string& window : dataset.windows.empty() ? one_window : dataset.windows) {
    for (const std::string& band : dataset.bands)
      result.band_names.push_back(window.empty() ? band : concat(window, " ", band));
  }
  return result;
}

}  // namespace furrow::workflow
