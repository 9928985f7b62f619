#include "checkpoint.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

#include "metrics_json.h"

namespace furrow::segmentation {
namespace {

namespace fs = std::filesystem;
using geo::concat;
using geo::quoted;
using nlohmann::json;
using Description = std::map<std::string, std::string>;

constexpr const char* kPrefix = "epoch-";

/// Finished checkpoints, oldest first. Folders that were being written have another name.
std::vector<std::pair<long long, fs::path>> find_checkpoints(const fs::path& model) {
  std::vector<std::pair<long long, fs::path>> found;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(checkpoint_folder(model), ec)) {
    const std::string name = entry.path().filename().string();
    long long epoch = 0;
    if (name.starts_with(kPrefix) && geo::parse_number(name.substr(std::string(kPrefix).size()), epoch)) {
      found.emplace_back(epoch, entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void check_same_training(const Description& expected, const Description& found, const fs::path& checkpoint) {
  std::vector<std::string> differences;
  for (const auto& [name, value] : expected) {
    const auto other = found.find(name);
    const std::string had = other == found.end() ? "nothing" : other->second;
    if (had != value) differences.push_back(concat(name, " was ", had, ", now ", value));
  }
  if (differences.empty()) return;
  throw geo::ModelError(concat("checkpoint ", quoted(checkpoint.string()), " belongs to another training (",
                               geo::join(differences, "; "),
                               "); use the same options, or delete it to start anew"));
}

/// "0.5 cross-entropy 0.5 dice"
std::string describe_shares(const LossOptions& options) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < options.shares.size(); ++i) {
    if (options.shares[i] > 0.0)
      words.push_back(concat(geo::shortest(options.shares[i]), " ", kLossNames[i]));
  }
  return geo::join(words, " ");
}

/// Files of few scenes; of a data set the first, since the checksum of the data tells the rest.
std::string listed(const std::vector<std::string>& files) {
  constexpr std::size_t kFew = 50;
  return files.size() <= kFew ? geo::join(files, " ")
                              : concat(files.front(), " and ", files.size() - 1, " more");
}

}  // namespace

Description describe_training(const TrainingData& data, const TrainOptions& options) {
  const TrainingDataOptions& from = data.options();
  const geo::Normalisation& norm = data.normalisation();
  static constexpr const char* kModes[] = {"off", "ignore", "weight", "soft", "soft+weight"};
  static constexpr const char* kSchedules[] = {"cosine", "polynomial", "one-cycle"};
  static constexpr const char* kMethods[] = {"minmax", "zscore", "divide"};
  const auto number = [](double value) { return geo::shortest(value); };
  Description all{
      {"base_width", std::to_string(options.base_width)},
      {"levels", std::to_string(options.levels)},
      {"dropout", number(options.dropout)},
      {"loss", describe_shares(options.loss)},
      {"tversky_alpha", number(options.loss.tversky_alpha)},
      {"focal_gamma", number(options.loss.focal_gamma)},
      {"smooth", number(options.loss.smooth)},
      {"class_weights",
       concat(number(options.loss.class_weights[0]), " ", number(options.loss.class_weights[1]), " ",
              number(options.loss.class_weights[2]))},
      {"epochs", std::to_string(options.epochs)},
      {"batch_size", std::to_string(options.batch_size)},
      {"optimiser", options.optimiser == OptimiserKind::kSgd ? "sgd" : "adamw"},
      {"learning_rate", number(options.learning_rate)},
      {"schedule", kSchedules[static_cast<int>(options.schedule.kind)]},
      {"ema_decay", number(options.ema_decay)},
      {"weight_decay", number(options.weight_decay)},
      {"clip_norm", number(options.clip_norm)},
      {"patience", std::to_string(options.patience)},
      {"seed", std::to_string(options.seed)},
      {"data_seed", std::to_string(from.seed)},
      {"chip_px", std::to_string(from.chip_px)},
      {"block_px", std::to_string(from.block_px)},
      {"val_share", number(from.val_share)},
      {"augment", from.augment ? "yes" : "no"},
      {"normalise", kMethods[static_cast<int>(norm.method)]},
      {"norm_scope", norm.scope == geo::NormaliseScope::kScene ? "scene" : "stored"},
      {"norm_per_band", norm.per_band ? "yes" : "no"},
      {"norm_percentiles", concat(number(norm.low_percentile), " ", number(norm.high_percentile))},
      {"norm_divisor", number(norm.divisor)},
      {"risk_mode", kModes[static_cast<int>(from.risk.mode)]},
  };
  if (from.balance) all["balance"] = "yes";
  if (from.swap_dates) all["augment_dates"] = "yes";
  if (from.scale != std::array{1.0, 1.0})
    all["augment_scale"] = concat(number(from.scale[0]), " ", number(from.scale[1]));
  if (options.optimiser == OptimiserKind::kSgd) all["momentum"] = number(options.momentum);
  if (options.schedule.kind == ScheduleKind::kPolynomial)
    all["schedule_power"] = number(options.schedule.power);
  if (from.risk.mode == RiskMode::kWeight || from.risk.mode == RiskMode::kSoftWeight) {
    all["risk_classes"] = std::to_string(from.risk.classes);
    all["risk_gamma"] = number(from.risk.gamma);
    all["risk_floor"] = number(from.risk.floor);
    all["risk_boundary_min"] = number(from.risk.boundary_min);
  }
  if (from.risk.mode == RiskMode::kIgnore) all["risk_ignore_above"] = number(from.risk.ignore_above);
  std::vector<std::string> images, labels, risks, posteriors;
  for (const TrainingScene& scene : data.scenes()) {
    images.push_back(scene.image);
    labels.push_back(scene.labels);
    if (uses_risk(from.risk.mode)) risks.push_back(scene.risk);
    if (from.risk.mode != RiskMode::kOff) posteriors.push_back(scene.posterior);
  }
  all["data_sha256"] = data.summary().sha256;
  all["images"] = listed(images);
  all["labels"] = listed(labels);
  const auto any = [](const std::vector<std::string>& files) {
    return std::ranges::any_of(files, [](const std::string& file) { return !file.empty(); });
  };
  if (any(risks)) all["risk"] = listed(risks);
  if (any(posteriors)) all["posterior"] = listed(posteriors);
  return all;
}

fs::path checkpoint_folder(const fs::path& model) {
  const fs::path name = model.has_filename() ? model : model.parent_path();
  return name.string() + ".checkpoint";
}

void write_checkpoint(const fs::path& model, const Description& description, const TrainedParts& parts,
                      const TrainState& state) {
  const auto older = find_checkpoints(model);
  const fs::path folder = checkpoint_folder(model) / concat(kPrefix, state.epochs.back().epoch);
  geo::AtomicFolder out(folder, true);
  write_safetensors(out.temporary() / "weights.safetensors", to_tensors(*parts.network));
  if (!parts.average.is_empty())
    write_safetensors(out.temporary() / "average.safetensors", to_tensors(*parts.average));
  write_safetensors(out.temporary() / "best.safetensors", state.best);
  // Into memory first: LibTorch's own file writer ends the program when the disk is full.
  std::ostringstream file;
  torch::save(parts.optimiser, file);
  geo::write_text_file(out.temporary() / "optimiser.pt", file.str(), true);
  json record{{"schema", "furrow/checkpoint/1"},
              {"training", description},
              {"best_epoch", state.best_epoch},
              {"best_score", number_json(state.best_score)},
              {"epochs", json::array()}};
  for (const EpochMetrics& epoch : state.epochs) record["epochs"].push_back(epoch_json(epoch));
  geo::write_text_file(out.temporary() / "state.json", record.dump(2) + "\n", true);
  out.commit();
  for (const auto& [epoch, path] : older) {
    if (path != folder) fs::remove_all(path);
  }
}

std::optional<TrainState> read_checkpoint(const fs::path& model, const Description& description,
                                          const TrainedParts& parts) {
  const auto found = find_checkpoints(model);
  if (found.empty()) return std::nullopt;
  const fs::path& folder = found.back().second;
  TrainState state;
  try {
    const json record = json::parse(geo::read_text_file(folder / "state.json"));
    check_same_training(description, record.at("training").get<Description>(), folder);
    state.best_epoch = record.at("best_epoch").get<std::int64_t>();
    state.best_score = record.at("best_score").is_null() ? 0.0 : record.at("best_score").get<double>();
    for (const json& epoch : record.at("epochs")) state.epochs.push_back(epoch_from_json(epoch));
    torch::load(parts.optimiser, (folder / "optimiser.pt").string());
  } catch (const json::exception& error) {
    throw geo::ModelError(concat("checkpoint ", quoted(folder.string()), " is damaged (", error.what(),
                                 "); delete it to start anew"));
  } catch (const c10::Error& error) {
    throw geo::ModelError(concat("checkpoint ", quoted(folder.string()), " is damaged (",
                                 geo::split(error.what_without_backtrace(), '\n').front(),
                                 "); delete it to start anew"));
  }
  state.best = read_safetensors(folder / "best.safetensors");
  const auto load = [&folder](UNet& network, const char* name) {
    from_tensors(*network, read_safetensors(folder / name), (folder / name).string());
  };
  load(parts.network, "weights.safetensors");
  if (!parts.average.is_empty()) load(parts.average, "average.safetensors");
  return state;
}

bool has_checkpoint(const fs::path& model) {
  return !find_checkpoints(model).empty();
}

void remove_checkpoints(const fs::path& model) {
  std::error_code ec;
  fs::remove_all(checkpoint_folder(model), ec);
}

}  // namespace furrow::segmentation
