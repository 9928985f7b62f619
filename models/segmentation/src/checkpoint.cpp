#include "checkpoint.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/segmentation/model_spec.h>

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
  for (const auto& [name, value] : found) {
    if (!expected.contains(name)) differences.push_back(concat(name, " was ", value, ", now nothing"));
  }
  if (differences.empty()) return;
  throw geo::ModelError(concat("checkpoint ", quoted(checkpoint.string()), " belongs to another training (",
                               geo::join(differences, "; "),
                               "); use the same options, or delete it to start anew"));
}

/// Into memory first: LibTorch's own file writer ends the program when the disk is full.
template <class T>
void save(const T& object, const fs::path& path) {
  std::ostringstream file;
  torch::save(object, file);
  geo::write_text_file(path, file.str(), true);
}

/// @throws c10::Error when the file is damaged
void load_state(const fs::path& path, const std::vector<torch::Tensor>& state) {
  if (state.empty()) return;
  std::vector<torch::Tensor> stored;
  torch::load(stored, path.string());
  TORCH_CHECK(stored.size() == state.size(), path.filename().string(), " holds ", stored.size(),
              " tensors, expected ", state.size());
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < state.size(); ++i) {
    TORCH_CHECK(stored[i].sizes() == state[i].sizes(), path.filename().string(), " holds another shape");
    state[i].copy_(stored[i]);
  }
}

json labellers_json(const std::vector<LabellerConfusion>& labellers) {
  json list = json::array();
  for (const LabellerConfusion& labeller : labellers)
    list.push_back({{"labeller", labeller.labeller}, {"matrix", labeller.matrix}});
  return list;
}

std::vector<LabellerConfusion> labellers_from_json(const json& list) {
  std::vector<LabellerConfusion> labellers;
  for (const json& item : list) {
    labellers.push_back({item.at("labeller").get<std::string>(),
                         item.at("matrix").get<std::array<std::array<double, 3>, 3>>()});
  }
  return labellers;
}

/// The options of methods that are on, and the model that training starts from.
void describe_methods(const TrainOptions& options, Description& all) {
  const ImperfectLabelOptions& on = options.imperfect;
  const auto number = [](double value) { return geo::shortest(value); };
  if (!options.start_from.empty()) {
    all["start_from"] = options.start_from;
    all["start_from_sha256"] = read_model_spec(options.start_from).weights_sha256;
  }
  if (on.elr_lambda > 0.0) {
    all["elr_lambda"] = number(on.elr_lambda);
    all["elr_momentum"] = number(on.elr_momentum);
  }
  if (on.loss_gate_after > 0) all["loss_gate_after"] = std::to_string(on.loss_gate_after);
  if (on.pu_prior > 0.0) all["pu_prior"] = number(on.pu_prior);
  if (on.labeller_confusion) all["labeller_trace"] = number(on.labeller_trace);
  if (on.co_teaching_forget > 0.0) {
    all["co_teaching_forget"] = number(on.co_teaching_forget);
    all["co_teaching_ramp_epochs"] = std::to_string(on.co_teaching_ramp_epochs);
  }
  if (!on.unlabelled.empty()) {
    all["consistency"] = number(on.consistency);
    all["consistency_ramp_epochs"] = std::to_string(on.consistency_ramp_epochs);
    all["unlabelled"] = geo::join(on.unlabelled, " ");
  }
}

/// What differs from a U-Net with batch normalisation in float32 on the CPU.
void describe_network(const TrainOptions& options, Description& all) {
  if (options.network != NetworkKind::kUNet)
    all["network"] = kNetworkNames[static_cast<std::size_t>(options.network)];
  if (options.norm != NormKind::kBatch) all["norm"] = kNormNames[static_cast<std::size_t>(options.norm)];
  if (options.head == HeadKind::kMultiTask) {
    all["head"] = kHeadNames[static_cast<std::size_t>(options.head)];
    all["distance_weight"] = geo::shortest(options.distance_weight);
    all["distance_px"] = geo::shortest(options.distance_px);
  }
  if (options.device == Device::kCuda) all["device"] = "cuda";
  if (options.precision == Precision::kBf16) all["precision"] = "bf16";
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
  describe_network(options, all);
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
  if (options.imperfect.labeller_confusion) {
    std::vector<std::string> names;
    for (const TrainingScene& scene : data.scenes()) names.push_back(scene.labeller);
    all["labellers"] = geo::join(names, " ");
  }
  describe_methods(options, all);
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
  save(parts.optimiser, out.temporary() / "optimiser.pt");
  if (parts.peer_optimiser != nullptr) save(*parts.peer_optimiser, out.temporary() / "peer_optimiser.pt");
  if (!parts.state.empty()) save(parts.state, out.temporary() / "methods.pt");
  json record{{"schema", "furrow/checkpoint/1"},
              {"training", description},
              {"best_epoch", state.best_epoch},
              {"best_score", number_json(state.best_score)},
              {"epochs", json::array()}};
  if (!state.best_labellers.empty()) record["best_labellers"] = labellers_json(state.best_labellers);
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
    state.best_labellers = labellers_from_json(record.value("best_labellers", json::array()));
    torch::load(parts.optimiser, (folder / "optimiser.pt").string());
    if (parts.peer_optimiser != nullptr)
      torch::load(*parts.peer_optimiser, (folder / "peer_optimiser.pt").string());
    load_state(folder / "methods.pt", parts.state);
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
