#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <furrow/dataset/dataset.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/raster/statistics.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// The options of `info` for statistics of pixel values, and what they ask for.
struct StatisticsOptions {
  bool wanted = false;
  std::vector<std::int64_t> bands;
  bool per_band = true;
  std::vector<double> percentiles{1, 2, 5, 25, 50, 75, 95, 98, 99};
  std::string out;

  void declare(OptionTable& table) {
    const char* group = "Statistics";
    table.add("statistics", &wanted)
        .group(group)
        .help(
            "Count, min, max, mean, sd and percentiles of all valid pixels, of all rasters given as if they "
            "were one; "
            "of a data set: of its training images");
    table.add("bands", &bands).at_least(1).group(group).help("Bands, from 1; default: all");
    table.add("per-band", &per_band).group(group).help("One statistic for each band, or one over all bands");
    table.add("percentiles", &percentiles).range(0, 100).unit("%").group(group).help("Percentiles");
    table.add("out", &out)
        .output("file")
        .short_name('o')
        .group(group)
        .help("Also write the statistics to this JSON file, to be used again");
  }

  void check() const {
    if (!wanted && !out.empty()) throw geo::UsageError("--out writes statistics; add --statistics");
  }

  /// @param images  rasters, or listings of them as list_rasters() takes them
  [[nodiscard]] geo::StatisticsFile compute(const std::vector<std::string>& inputs,
                                            const std::vector<std::string>& images,
                                            geo::ExecContext& exec) const {
    geo::RasterListOptions list;
    list.unique_names = false;
    std::vector<std::string> paths;
    for (const geo::RasterInput& raster : geo::list_rasters(images, list)) paths.push_back(raster.path);
    geo::StatisticsOptions options;
    for (const std::int64_t band : bands) options.bands.push_back(static_cast<int>(band) - 1);
    options.per_band = per_band;
    options.percentiles = percentiles;
    geo::StatisticsFile file;
    file.inputs = inputs;
    file.rasters = std::ssize(paths);
    file.per_band = per_band;
    file.percentiles = percentiles;
    file.statistics = geo::raster_statistics(paths, options, exec);
    file.bands = band_names(paths.front(), options.bands);
    return file;
  }

  /// Images to train on: of the training part where the data set says which, each file once.
  [[nodiscard]] static std::vector<std::string> training_images(const dataset::Dataset& data) {
    std::set<std::string> images;
    for (const dataset::Sample& sample : data.samples) {
      if (data.has_splits && sample.split != "train") continue;
      for (const dataset::SampleImage& image : sample.images) images.insert(image.path);
    }
    if (images.empty())
      throw geo::IoError(geo::concat("data set ", geo::quoted(data.root), " has no training image"));
    return {images.begin(), images.end()};
  }

 private:
  static std::vector<std::string> band_names(const std::string& path, const std::vector<int>& chosen) {
    geo::RasterReadOptions lenient;
    lenient.require_crs = false;
    const geo::RasterReader reader(path, lenient);
    std::vector<std::string> names;
    for (int b = 0; b < reader.bands(); ++b) {
      const std::string& name = reader.band(b).description;
      names.push_back(name.empty() ? geo::concat("band ", b + 1) : name);
    }
    if (chosen.empty()) return names;
    std::vector<std::string> some;
    for (const int b : chosen) some.push_back(names[static_cast<std::size_t>(b)]);
    return some;
  }
};

}  // namespace furrow::workflow
