#include "outputs.h"

#include <filesystem>
#include <utility>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>

#include "score_quantiser.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;

geo::RasterSpec common_spec(const geo::RasterReader& reader, const ModelSpec& spec, int threads) {
  geo::RasterSpec out;
  out.threads = threads;
  out.nodata = kNodata;
  out.overview = geo::Overview::kAverage;
  out.is_smooth = false;  // wide areas of one value, and steps: a tenth larger as differences
  out.metadata = {{"FURROW_MODEL_ID", spec.id}, {"FURROW_VERSION", geo::furrow_version()}};
  if (const auto date = reader.metadata("TIFFTAG_DATETIME"); !date.empty())
    out.metadata["TIFFTAG_DATETIME"] = date;
  return out;
}

geo::RasterSpec score_spec(const geo::RasterReader& reader, const ModelSpec& spec,
                           const std::map<std::string, std::string>& notes, int threads) {
  geo::RasterSpec out = common_spec(reader, spec, threads);
  out.metadata.insert(notes.begin(), notes.end());
  out.bands = static_cast<int>(spec.classes.size());
  out.scale = 1.0 / kScoreSteps;
  out.pack_tightly = false;  // level 6: less than 1 % larger or smaller
  for (const auto& c : spec.classes) out.descriptions.push_back(c.name);
  return out;
}

geo::RasterSpec layer_spec(const geo::RasterReader& reader, const ModelSpec& spec, const PredictionPlan& plan,
                           QualityLayer layer, int threads) {
  geo::RasterSpec out = common_spec(reader, spec, threads);
  out.scale = 1.0 / (layer == QualityLayer::kDisagreement ? kScoreSteps : plan.entropy_steps);
  out.descriptions = {name_of(layer)};
  return out;
}

}  // namespace

void check_outputs(const std::string& image, const std::string& output,
                   std::span<const QualityOutput> quality) {
  std::error_code ec;
  std::map<fs::path, std::string> taken;  // which output each file is for
  const auto take = [&](const std::string& path, const std::string& what) {
    if (fs::equivalent(image, path, ec)) {
      throw geo::IoError(
          geo::concat("output ", geo::quoted(path), " is the input image; choose another name"));
    }
    const auto [other, is_new] = taken.emplace(fs::weakly_canonical(path, ec), what);
    if (!is_new) {
      throw geo::IoError(geo::concat(other->second, " and ", what, " cannot both go to ", geo::quoted(path)));
    }
  };
  take(output, "scores");
  for (const QualityOutput& layer : quality) take(layer.path, name_of(layer.layer));
}

PredictionOutputs::PredictionOutputs(const std::string& scores, const geo::RasterReader& reader,
                                     const ModelSpec& spec, const PredictionPlan& plan,
                                     const std::map<std::string, std::string>& notes,
                                     const PredictOptions& options, int threads)
    : m_quality(options.quality),
      m_scores(scores, plan.grid, score_spec(reader, spec, notes, threads), options.overwrite) {
  for (const QualityOutput& output : m_quality) {
    m_layers.push_back(std::make_unique<geo::RasterWriter>(
        output.path, plan.grid, layer_spec(reader, spec, plan, output.layer, threads), options.overwrite));
  }
}

void PredictionOutputs::write(const TileJob& job) {
  if (job.empty) return;
  m_scores.write(job.final, job.bytes);
  for (std::size_t i = 0; i < m_layers.size(); ++i)
    m_layers[i]->write(job.final, bands_of(job.quality, static_cast<int>(i), 1));
}

void PredictionOutputs::finish() {
  std::size_t there = 0;
  try {
    for (; there < m_layers.size(); ++there) m_layers[there]->finish();
    m_scores.finish();
  } catch (...) {
    std::error_code ec;  // one output without the others is of no use
    while (there > 0) fs::remove(m_quality[--there].path, ec);
    throw;
  }
}

}  // namespace furrow::segmentation
