#include "outputs.h"

#include <filesystem>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>

#include "score_quantiser.h"

namespace furrow::segmentation {
namespace {

geo::RasterSpec common_spec(const geo::RasterReader& reader, const ModelSpec& spec, int threads) {
  geo::RasterSpec out;
  out.threads = threads;
  out.nodata = kNodata;
  out.overview = geo::Overview::kAverage;
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
  for (const auto& c : spec.classes) out.descriptions.push_back(c.name);
  return out;
}

geo::RasterSpec entropy_spec(const geo::RasterReader& reader, const ModelSpec& spec,
                             const PredictionPlan& plan, int threads) {
  geo::RasterSpec out = common_spec(reader, spec, threads);
  out.scale = 1.0 / plan.entropy_steps;
  out.descriptions = {"entropy"};
  return out;
}

}  // namespace

void check_outputs(const std::string& image, const std::string& output, const std::string& entropy) {
  std::error_code ec;
  for (const std::string& path : {output, entropy}) {
    if (!path.empty() && std::filesystem::equivalent(image, path, ec)) {
      throw geo::IoError(
          geo::concat("output ", geo::quoted(path), " is the input image; choose another name"));
    }
  }
  if (!entropy.empty() &&
      std::filesystem::weakly_canonical(output, ec) == std::filesystem::weakly_canonical(entropy, ec)) {
    throw geo::IoError(geo::concat("scores and entropy cannot both go to ", geo::quoted(output)));
  }
}

PredictionOutputs::PredictionOutputs(const std::string& scores, const geo::RasterReader& reader,
                                     const ModelSpec& spec, const PredictionPlan& plan,
                                     const std::map<std::string, std::string>& notes,
                                     const PredictOptions& options, int threads)
    : m_entropy_path(options.entropy_path),
      m_scores(scores, plan.grid, score_spec(reader, spec, notes, threads), options.overwrite) {
  if (options.entropy_path.empty()) return;
  m_entropy.emplace(options.entropy_path, plan.grid, entropy_spec(reader, spec, plan, threads),
                    options.overwrite);
}
void PredictionOutputs::write(const TileJob& job) {
  if (job.empty) return;
  m_scores.write(job.final, job.bytes);
  if (m_entropy) m_entropy->write(job.final, job.entropy);
}
void PredictionOutputs::finish() {
  if (m_entropy) m_entropy->finish();
  try {
    m_scores.finish();
  } catch (...) {
    std::error_code ec;  // one output without the other is of no use
    if (m_entropy) std::filesystem::remove(m_entropy_path, ec);
    throw;
  }
}

}  // namespace furrow::segmentation
