#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/normalise.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/trainer.h>
#include <furrow/segmentation/training_data.h>
#include <furrow/workflow/step.h>

#include "dataset_options.h"
#include "training_scenes.h"
#include "vector_options.h"

namespace furrow::workflow {
namespace {

class Train final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"train",
            "Train a segmentation model on images and labels, weighted by the risk of the labels",
            "Trains a network that gives every pixel the probability of background, field interior and field "
            "boundary, "
            "and writes a model folder for 'predict'. Windows are cut from the scenes while training; there "
            "are no "
            "chip files. Labels lie on the image's pixel grid, as 'rasterize --grid' and 'consensus' make "
            "them, or are polygons in any CRS. Or give a data set: its folder or table, in a layout that "
            "'check' knows; its splits are kept, and its test part is never seen. Images that cannot be "
            "used are left out and listed.\n\n"
            "With --risk, pixels whose labels are doubtful count less: w = max(floor, (1 - r / "
            "r_max)^gamma), r_max = "
            "2/3 for three classes. Gamma 0 is plain training to the bit. With --posterior, the class "
            "probabilities of the labels are the target instead of one class.\n\n"
            "Loss: risk-weighted cross entropy and locally weighted Tversky-focal (Khallaghi et al. 2025), "
            "half each, unless --loss says otherwise. "
            "Whole blocks of the scenes validate; the epoch with the best IoU on them is kept, then a "
            "temperature is "
            "fitted (Guo et al. 2017). Interrupted training goes on with --resume, to the same weights.",
            {{"Plain training", "furrow train sample_data/scene.tif --labels labels.tif --out model"},
             {"Polygons as labels",
              "furrow train sample_data/scene.tif --labels sample_data/truth.gpkg --out model"},
             {"A data set", "furrow train ftw --out model"},
             {"Doubtful labels weigh less",
              "furrow train scene.tif --labels label.tif --risk risk.tif --epochs 100 --out model"},
             {"Train on the votes instead of their winner",
              "furrow train scene.tif --labels label.tif --posterior posterior.tif --risk-mode soft --out "
              "model"}}};
  }

  void declare(OptionTable& t) override {
    t.add("images", &m_images)
        .positional()
        .required()
        .input("raster")
        .help("Images, all of one kind; or one data set: its folder or table");
    t.add("labels", &m_labels)
        .input("labels")
        .help(
            "Labels of each image, in the same order: rasters with 0 background, 1 interior, 2 boundary, 3 "
            "or "
            "255 ignore, or polygon files (one may serve all images); not for a data set, which has its own");
    t.add("risk", &m_risk)
        .input("raster")
        .help("Label risk of each image, 0..1, in the same order, as consensus writes it");
    t.add("posterior", &m_posterior)
        .input("raster")
        .help(
            "Class probabilities of each image's labels, in the same order: posterior.tif of consensus, or "
            "heat.tif of two classes");
    t.add("out", &m_out).required().output("folder").short_name('o').help("Model folder to write");
    t.add("image-crs", &m_image_crs).help("CRS of the images whatever they say, for example EPSG:32632");
    t.add("resume", &m_train.resume)
        .help("Go on from the last checkpoint of the same training, if there is one");
    t.add("seed", &m_seed).at_least(0).help("Seed of everything random");
    declare_dataset(t);
    declare_polygons(t);
    declare_risk(t);
    declare_imperfect_labels(t);
    declare_data(t);
    declare_network(t);
    declare_training(t);
  }

  void check() const override {
    check_inputs();
    const auto same = [&](const char* option, std::size_t given) {
      if (given == m_images.size()) return;
      throw geo::UsageError(geo::concat(m_images.size(), " image(s) but ", given, " of --", option,
                                        ": give one for each image, in the same order"));
    };
    // One polygon file may serve all images; whether it is one is known when it is opened.
    if (!is_dataset() && !(m_labels.size() == 1 && !geo::has_raster_extension(m_labels.front())))
      same("labels", m_labels.size());
    if (!m_risk.empty()) same("risk", m_risk.size());
    if (!m_labellers.empty()) same("labeller", m_labellers.size());
    if (!m_norm_statistics.empty() && m_normalise == "divide")
      throw geo::UsageError("--normalise divide uses no statistics; leave out --norm-statistics");
    if (!m_posterior.empty()) same("posterior", m_posterior.size());
    const segmentation::RiskMode mode = risk_mode();
    if (segmentation::uses_soft_targets(mode) && m_posterior.empty()) {
      throw geo::UsageError(geo::concat(
          "--risk-mode ", m_risk_mode,
          " needs --posterior: the class probabilities of each image's labels, as consensus writes them"));
    }
    if (segmentation::uses_risk(mode) && m_risk.empty() && m_posterior.empty() && !is_dataset()) {
      throw geo::UsageError(geo::concat("--risk-mode ", m_risk_mode,
                                        " needs --risk: the risk raster of each image (or --posterior)"));
    }
    static_cast<void>(loss_shares());
  }

  void run(StepContext& context) override {
    segmentation::TrainingDataOptions options = data_options();
    const segmentation::TrainingData data(is_dataset() ? dataset_scenes(options, context) : scenes(), options,
                                          context.exec());
    for (const segmentation::LeftOutScene& scene : data.left_out()) context.fail(scene.image, scene.reason);
    const segmentation::TrainingDataSummary& summary = data.summary();
    warn_about_data(summary);
    m_train.seed = static_cast<std::uint64_t>(m_seed);
    m_train.network =
        static_cast<segmentation::NetworkKind>(position(segmentation::kNetworkNames, m_network));
    m_train.norm = static_cast<segmentation::NormKind>(position(segmentation::kNormNames, m_norm));
    m_train.head = static_cast<segmentation::HeadKind>(position(segmentation::kHeadNames, m_head));
    m_train.device = m_device == "cuda" ? segmentation::Device::kCuda : segmentation::Device::kCpu;
    m_train.precision =
        m_precision == "bf16" ? segmentation::Precision::kBf16 : segmentation::Precision::kFp32;
    m_train.loss.shares = loss_shares();
    m_train.optimiser =
        m_optimiser == "sgd" ? segmentation::OptimiserKind::kSgd : segmentation::OptimiserKind::kAdamW;
    m_train.schedule.kind = m_schedule == "polynomial"  ? segmentation::ScheduleKind::kPolynomial
                            : m_schedule == "one-cycle" ? segmentation::ScheduleKind::kOneCycle
                                                        : segmentation::ScheduleKind::kCosine;
    m_train.loss.class_weights = {m_class_weights[0], m_class_weights[1], m_class_weights[2]};
    m_train.overwrite = context.overwrite();
    m_train.imperfect.labeller_confusion = !m_labellers.empty();
    const segmentation::TrainReport report = segmentation::train_model(data, m_train, m_out, context.exec());
    const segmentation::EpochMetrics& best = report.epochs[static_cast<std::size_t>(report.best_epoch - 1)];
    context.record("train_blocks", summary.train_blocks);
    context.record("val_blocks", summary.val_blocks);
    context.record("labelled_px", summary.labelled_px[0] + summary.labelled_px[1] + summary.labelled_px[2]);
    context.record("parameters", report.parameters);
    context.record("epochs", static_cast<std::int64_t>(report.epochs.size()));
    context.record("best_epoch", report.best_epoch);
    context.record("train_loss", best.train_loss);
    context.record("receptive_radius_px", static_cast<std::int64_t>(report.receptive_radius_px));
    if (summary.val_blocks == 0) return;
    context.record("val_iou_extent", best.val_iou_extent);
    context.record("val_iou_interior", best.val_iou[1]);
    context.record("val_iou_boundary", best.val_iou[2]);
    context.record("temperature", report.temperature);
    context.record("ece_before", report.ece_before);
    context.record("ece_after", report.ece_after);
  }

 private:
  [[nodiscard]] bool is_dataset() const { return m_labels.empty(); }

  /// @throws geo::UsageError
  void check_inputs() const {
    if (!is_dataset()) {
      if (m_dataset.is_said() || !m_dataset.data_root.empty() || !m_val_countries.empty())
        throw geo::UsageError(
            "--dataset, --data-root and --val-country are for a data set, which has labels of its own: leave "
            "out --labels");
      return;
    }
    if (m_images.size() != 1 || geo::has_raster_extension(m_images.front())) {
      throw geo::UsageError(
          "--labels is missing: the labels of each image (only a data set, one folder or table, needs none)");
    }
    if (!m_risk.empty() || !m_posterior.empty())
      throw geo::UsageError("--risk and --posterior belong to images; a data set names its own risk rasters");
  }

  void declare_dataset(OptionTable& t) {
    m_dataset.declare(t);
    t.find("strict")->help(
        "Stop at the first file that is missing or cannot be used, instead of leaving its image out");
    t.add("val-country", &m_val_countries)
        .excludes("val-share")
        .excludes("val-area")
        .group("Data set")
        .help("Countries whose samples validate, instead of what the data set says; all others train");
  }

  void declare_polygons(OptionTable& t) {
    const char* group = "Polygons";
    m_vector.declare(t, "labels");
    for (const char* name : {"layer", "labels-crs", "invalid"}) t.find(name)->group(group);
    t.find("labels-crs")
        ->help("CRS of the polygons whatever the file says: EPSG:32632, or 'grid' for that of each image");
    t.add("boundary-px", &m_data.boundary.width_px)
        .range(0, 1000)
        .unit("px")
        .group(group)
        .help("Width of the boundary class around polygons, half on each side; 0 = no boundary class");
    t.add("boundary-m", &m_data.boundary.width_m)
        .range(0, 100000)
        .unit("m")
        .excludes("boundary-px")
        .group(group)
        .help("The same in metres on the ground");
    t.add("label-area", &m_data.label_area.path)
        .input("vector layer")
        .group(group)
        .help("Polygons of what was mapped: labels outside of them are ignored, not background");
    t.add("val-area", &m_data.val_area.path)
        .input("vector layer")
        .excludes("val-share")
        .group(group)
        .help("Polygons of a region to validate on: blocks that overlap it validate, all others train");
    t.add("area-crs", &m_area_crs)
        .group(group)
        .help("CRS of --label-area and --val-area whatever the files say; 'grid' = that of each image");
  }

  void declare_risk(OptionTable& t) {
    const char* group = "Label risk";
    auto& risk = m_data.risk;
    t.add("risk-mode", &m_risk_mode)
        .choices({"auto", "off", "ignore", "weight", "soft", "soft+weight"})
        .group(group)
        .help(
            "What doubt does: nothing; pixels of a risk above a threshold are ignored; pixels weigh less; "
            "the "
            "posterior is the target; both; auto = weight when --risk is given, soft when --posterior is, "
            "soft+weight when both are");
    t.add("risk-classes", &m_risk_classes)
        .range(2, 3)
        .group(group)
        .help("Classes of the labels that the risk belongs to: the largest risk is 1/2 of two, 2/3 of three");
    t.add("risk-gamma", &risk.gamma).at_least(0).group(group).help("Exponent of the weight; 0 = no effect");
    t.add("risk-floor", &risk.floor).range(0, 1).group(group).help("Least weight of a labelled pixel");
    t.add("risk-boundary-min", &risk.boundary_min)
        .range(0, 1)
        .group(group)
        .help("Least weight of a boundary pixel, so that boundaries do not vanish");
    t.add("risk-ignore-above", &risk.ignore_above)
        .range(0, 1)
        .group(group)
        .help("Threshold of --risk-mode ignore");
  }

  void declare_imperfect_labels(OptionTable& t) {
    const char* group = "Imperfect labels";
    auto& on = m_train.imperfect;
    t.add("start-from", &m_train.start_from)
        .input("model folder")
        .group(group)
        .help("Model folder whose weights training starts with: many weak labels first, few good ones then");
    t.add("elr-lambda", &on.elr_lambda)
        .at_least(0)
        .group(group)
        .help("Early-learning regularisation: hold on to early answers, for example 1; 0 = off");
    t.add("elr-momentum", &on.elr_momentum)
        .range(0.01, 0.999)
        .group(group)
        .help("Share of the running mean of answers that stays in each epoch");
    t.add("loss-gate-after", &on.loss_gate_after)
        .at_least(0)
        .group(group)
        .help(
            "Loss gate: after so many epochs blocks whose loss stands out weigh less, for example 10; 0 = "
            "off");
    t.add("pu-prior", &on.pu_prior)
        .range(0, 0.99)
        .group(group)
        .help(
            "For scenes mapped in part (background = nobody drew a field): share of field among all pixels; "
            "0 = off");
    t.add("labeller", &m_labellers)
        .group(group)
        .help(
            "Who drew the labels of each image, in the same order, to learn how each one errs; an image may "
            "be repeated with labels of another one");
    t.add("labeller-trace", &on.labeller_trace)
        .at_least(0)
        .group(group)
        .help("Weight of the trace that keeps labellers' errors apart from the truth");
    t.add("co-teaching-forget", &on.co_teaching_forget)
        .range(0, 0.9)
        .group(group)
        .help(
            "Co-teaching of two networks: share of labelled pixels taken for wrong, for example 0.2; 0 = "
            "off");
    t.add("co-teaching-ramp", &on.co_teaching_ramp_epochs)
        .range(1, 100000)
        .unit("epochs")
        .group(group)
        .help("Epochs until so many are left out");
    t.add("unlabelled", &on.unlabelled)
        .input("raster")
        .group(group)
        .help("Mean teacher: images of the same kind without labels; needs --ema-decay, for example 0.99");
    t.add("consistency", &on.consistency)
        .at_least(0)
        .group(group)
        .help("Weight of agreement with the teacher on unlabelled images");
    t.add("consistency-ramp", &on.consistency_ramp_epochs)
        .range(1, 100000)
        .unit("epochs")
        .group(group)
        .help("Epochs until it has that weight");
  }

  void declare_data(OptionTable& t) {
    const char* group = "Data";
    t.add("chip-px", &m_data.chip_px)
        .range(16, 4096)
        .unit("px")
        .group(group)
        .help("Side of a training window");
    t.add("block-px", &m_data.block_px)
        .range(0, 1000000)
        .unit("px")
        .group(group)
        .help(
            "Side of the blocks that train or validate as a whole; 0 = 2 windows (1 where blocks would be "
            "few)");
    t.add("val-share", &m_data.val_share).range(0, 0.9).group(group).help("Share of blocks that validate");
    t.add("augment", &m_data.augment)
        .group(group)
        .help("Turn, mirror, brighten and darken the windows at random, with some noise");
    t.add("augment-scale", &m_scale)
        .count(2)
        .range(0.25, 4)
        .group(group)
        .help("Enlarge windows by a random factor in this range, for example 0.75,1.5; 1,1 = not");
    t.add("augment-dates", &m_data.swap_dates)
        .group(group)
        .help("Exchange the two dates of a sample at random (data sets with two windows of time)");
    t.add("balance", &m_data.balance)
        .group(group)
        .help("Draw windows so that each class is looked for equally often, however rare it is");
    t.add("ignore-label-nodata", &m_data.ignore_label_nodata)
        .group(group)
        .help("Ignore pixels that are the label raster's nodata even when that is a class (0, 1, 2)");
    t.add("normalise", &m_normalise)
        .choices({"minmax", "zscore", "divide"})
        .group(group)
        .help("How pixel values become network input");
    t.add("norm-scope", &m_norm_scope)
        .choices({"auto", "scene", "stored"})
        .group(group)
        .help(
            "Statistics of each scene itself, or those of all training images for every later scene; auto = "
            "scene, for a data set stored: a chip alone says too little");
    t.add("norm-per-band", &m_data.normalisation.per_band)
        .group(group)
        .help("Statistics of each band instead of all bands together");
    t.add("norm-percentiles", &m_percentiles)
        .count(2)
        .range(0, 100)
        .unit("%")
        .group(group)
        .help("Percentiles that minmax takes to 0 and 1");
    t.add("norm-statistics", &m_norm_statistics)
        .input("file")
        .excludes("norm-scope")
        .excludes("norm-per-band")
        .group(group)
        .help(
            "Stored statistics, as 'info --statistics --out' writes them, for every scene instead of its "
            "own");
    t.add("norm-divisor", &m_data.normalisation.divisor).group(group).help("Divisor of --normalise divide");
  }

  void declare_network(OptionTable& t) {
    const char* group = "Network";
    t.add("network", &m_network)
        .choices({segmentation::kNetworkNames.begin(), segmentation::kNetworkNames.end()})
        .group(group)
        .help("U-Net, or a U-Net of pre-activation residual blocks");
    t.add("norm", &m_norm)
        .choices({segmentation::kNormNames.begin(), segmentation::kNormNames.end()})
        .group(group)
        .help("Batch or group normalisation; with group, scores depend on the tile they are computed in");
    t.add("head", &m_head)
        .choices({segmentation::kHeadNames.begin(), segmentation::kHeadNames.end()})
        .group(group)
        .help(
            "Logits of the classes; or extent and boundary, with the distance to the edge as a further task");
    t.add("distance-weight", &m_train.distance_weight)
        .at_least(0)
        .group(group)
        .help("Weight of the loss of the distance with --head multi-task");
    t.add("distance-px", &m_train.distance_px)
        .range(1, 1000)
        .unit("px")
        .group(group)
        .help("Distance to the edge from which on all pixels are the same to --head multi-task");
    t.add("base-width", &m_train.base_width)
        .range(1, 1024)
        .group(group)
        .help("Channels of the first level; doubled on each level below");
    t.add("levels", &m_train.levels).range(2, 7).group(group).help("Levels of the network");
    t.add("dropout", &m_train.dropout)
        .range(0, 0.95)
        .group(group)
        .help("Share of channels dropped while training");
    t.add("device", &m_device).choices({"cpu", "cuda"}).group(group).help("Where to train");
    t.add("precision", &m_precision)
        .choices({"fp32", "bf16"})
        .group(group)
        .help("Precision of the convolutions; bf16 is faster only on processors that have it");
  }

  void declare_training(OptionTable& t) {
    const char* group = "Training";
    t.add("epochs", &m_train.epochs).range(1, 100000).group(group).help("Passes over the training blocks");
    t.add("batch", &m_train.batch_size).range(1, 4096).group(group).help("Windows per step");
    t.add("learning-rate", &m_train.learning_rate).at_least(0).group(group).help("Largest learning rate");
    t.add("optimiser", &m_optimiser)
        .choices({"adamw", "sgd"})
        .group(group)
        .help(
            "AdamW, or stochastic gradient descent with Nesterov momentum (give it a learning rate: 0.01 to "
            "0.1)");
    t.add("momentum", &m_train.momentum).range(0, 0.999).group(group).help("Momentum of sgd; 0 = none");
    t.add("schedule", &m_schedule)
        .choices({"cosine", "polynomial", "one-cycle"})
        .group(group)
        .help(
            "Course of the learning rate: warm-up over 5 % of the steps, then a cosine or (1 - x)^power; or "
            "up over 30 % and down, both as cosines");
    t.add("schedule-power", &m_train.schedule.power)
        .at_least(0)
        .group(group)
        .help("Power of --schedule polynomial; 0 = constant after the warm-up");
    t.add("weight-decay", &m_train.weight_decay).at_least(0).group(group).help("Weight decay");
    t.add("ema-decay", &m_train.ema_decay)
        .range(0, 0.999999)
        .group(group)
        .help(
            "Decay of the running mean of the weights, which then validates and is kept, for example 0.999; "
            "0 "
            "= none");
    t.add("clip-norm", &m_train.clip_norm)
        .at_least(0)
        .group(group)
        .help("Largest gradient norm; 0 = no limit");
    t.add("patience", &m_train.patience)
        .at_least(0)
        .group(group)
        .help("Stop after so many epochs without a better one; 0 = never");
    t.add("checkpoint-every", &m_train.checkpoint_every)
        .at_least(0)
        .group(group)
        .help("Epochs between checkpoints; 0 = none");
    t.add("loss", &m_losses)
        .choices({segmentation::kLossNames.begin(), segmentation::kLossNames.end()})
        .group(group)
        .help("Losses that are added up");
    t.add("loss-shares", &m_loss_shares)
        .at_least(0)
        .group(group)
        .help("Share of each of them, in the same order; only the ratios matter; without: equal shares");
    t.add("tversky-alpha", &m_train.loss.tversky_alpha)
        .range(0, 1)
        .group(group)
        .help("Weight of missed pixels against false ones");
    t.add("focal-gamma", &m_train.loss.focal_gamma)
        .range(0.01, 100)
        .group(group)
        .help("Above 1 favours classes that are still bad");
    t.add("class-weights", &m_class_weights)
        .count(3)
        .at_least(0)
        .group(group)
        .help("Weights of background, interior and boundary, in all losses but local-tversky-focal");
  }

  template <std::size_t N>
  static std::ptrdiff_t position(const std::array<const char*, N>& names, const std::string& name) {
    return std::ranges::find(names, name) - names.begin();
  }

  /// A raster, unless only a vector driver opens it.
  static bool is_polygon_file(const std::string& path) {
    if (geo::has_raster_extension(path)) return false;
    try {
      return !geo::list_layers(path).empty();
    } catch (const geo::IoError&) {
      return false;
    }
  }

  [[nodiscard]] std::vector<segmentation::TrainingScene> scenes() const {
    std::vector<segmentation::TrainingScene> result;
    for (std::size_t i = 0; i < m_images.size(); ++i) {
      segmentation::TrainingScene scene;
      scene.image = m_images[i];
      scene.labels = m_labels[m_labels.size() == 1 ? 0 : i];
      if (!m_risk.empty()) scene.risk = m_risk[i];
      if (!m_posterior.empty()) scene.posterior = m_posterior[i];
      scene.labels_are_polygons =
          i > 0 && m_labels.size() == 1 ? result.front().labels_are_polygons : is_polygon_file(scene.labels);
      if (!m_labellers.empty()) scene.labeller = m_labellers[i];
      result.push_back(std::move(scene));
    }
    if (m_labels.size() < m_images.size() && !result.front().labels_are_polygons) {
      throw geo::UsageError(geo::concat(m_images.size(), " image(s) but ", m_labels.size(),
                                        " of --labels: give one for each image, in the same order"));
    }
    return result;
  }

  [[nodiscard]] std::vector<segmentation::TrainingScene> dataset_scenes(
      segmentation::TrainingDataOptions& options, StepContext& context) const {
    const std::string& path = m_images.front();
    dataset::Dataset data = dataset::read_dataset(path, m_dataset.read_options());
    // Without its table the splits are not known: test samples would be trained on.
    if (!data.unreadable_catalogues.empty()) throw geo::IoError(data.unreadable_catalogues.front());
    if (data.incomplete > 0) {
      context.fail(path, geo::concat(data.incomplete, " of ", data.listed,
                                     " samples lack a file and are left out, the first ",
                                     geo::quoted(data.missing.front().path), "; `furrow check` lists them"));
    }
    if (!m_val_countries.empty()) validate_on_countries(data, m_val_countries);
    dataset::complete_splits(data, m_data.val_area.path.empty() ? m_data.val_share : 0.0,
                             static_cast<std::uint64_t>(m_seed));
    DatasetScenes result = scenes_of(data);
    options.band_names = std::move(result.band_names);
    if (result.with_risk == std::ssize(result.scenes) && m_risk_mode == "auto")
      options.risk.mode = segmentation::RiskMode::kWeight;
    if (result.with_risk < std::ssize(result.scenes) && segmentation::uses_risk(options.risk.mode)) {
      throw geo::IoError(geo::concat(std::ssize(result.scenes) - result.with_risk, " of ",
                                     result.scenes.size(), " samples of data set ", geo::quoted(path),
                                     " have no risk raster; fill its column risk or use --risk-mode off"));
    }
    context.record("samples", static_cast<std::int64_t>(result.scenes.size()));
    return std::move(result.scenes);
  }

  [[nodiscard]] segmentation::RiskMode risk_mode() const {
    using segmentation::RiskMode;
    if (m_risk_mode == "auto") {
      if (m_posterior.empty()) return m_risk.empty() ? RiskMode::kOff : RiskMode::kWeight;
      return m_risk.empty() ? RiskMode::kSoft : RiskMode::kSoftWeight;
    }
    if (m_risk_mode == "ignore") return RiskMode::kIgnore;
    if (m_risk_mode == "weight") return RiskMode::kWeight;
    if (m_risk_mode == "soft") return RiskMode::kSoft;
    return m_risk_mode == "soft+weight" ? RiskMode::kSoftWeight : RiskMode::kOff;
  }

  /// @throws geo::UsageError
  [[nodiscard]] decltype(segmentation::LossOptions::shares) loss_shares() const {
    if (!m_loss_shares.empty() && m_loss_shares.size() != m_losses.size()) {
      throw geo::UsageError(geo::concat(m_losses.size(), " loss(es) but ", m_loss_shares.size(),
                                        " of --loss-shares: give one for each, in the same order"));
    }
    decltype(segmentation::LossOptions::shares) shares{};
    for (std::size_t i = 0; i < m_losses.size(); ++i) {
      const auto at =
          std::ranges::find(segmentation::kLossNames, m_losses[i]) - segmentation::kLossNames.begin();
      double& share = shares[static_cast<std::size_t>(at)];
      if (std::ranges::count(m_losses, m_losses[i]) > 1)
        throw geo::UsageError(geo::concat("--loss names ", m_losses[i], " twice"));
      share = m_loss_shares.empty() ? 1.0 / static_cast<double>(m_losses.size()) : m_loss_shares[i];
    }
    if (std::ranges::max(shares) == 0.0)
      throw geo::UsageError("every share of --loss-shares is 0: give at least one loss a share above 0");
    return shares;
  }

  [[nodiscard]] segmentation::TrainingDataOptions data_options() const {
    segmentation::TrainingDataOptions options = m_data;
    options.seed = static_cast<std::uint64_t>(m_seed);
    options.crs_switch = "--image-crs";
    if (!m_image_crs.empty()) options.override_crs = geo::Crs::from_user_input(m_image_crs);
    options.number_pixels = m_train.imperfect.elr_lambda > 0.0;
    options.scale = {m_scale[0], m_scale[1]};
    options.bad_scene = m_dataset.strict ? segmentation::BadScene::kError : segmentation::BadScene::kLeaveOut;
    set_polygons(options);
    options.risk.mode = risk_mode();
    options.risk.classes = static_cast<int>(m_risk_classes);
    geo::Normalisation& norm = options.normalisation;
    norm.method = m_normalise == "zscore"   ? geo::NormaliseMethod::kZScore
                  : m_normalise == "divide" ? geo::NormaliseMethod::kDivide
                                            : geo::NormaliseMethod::kMinMax;
    const bool stored = m_norm_scope == "stored" || (m_norm_scope == "auto" && is_dataset());
    norm.scope = stored ? geo::NormaliseScope::kStored : geo::NormaliseScope::kScene;
    norm.low_percentile = m_percentiles[0];
    norm.high_percentile = m_percentiles[1];
    if (!m_norm_statistics.empty())
      norm = geo::stored_normalisation(geo::read_statistics(m_norm_statistics), norm);
    return options;
  }

  /// How polygon files are read: labels, the mapped area and the validation area.
  void set_polygons(segmentation::TrainingDataOptions& options) const {
    const auto set = [](segmentation::PolygonSource& source, const VectorOptions& from, const char* option) {
      VectorOptions vector = from;
      source.crs_of_image = vector.crs == "grid";
      if (source.crs_of_image) vector.crs.clear();
      source.read = vector.read_options(option);
    };
    VectorOptions areas;
    areas.crs = m_area_crs;
    areas.invalid = m_vector.invalid;
    set(options.polygon_labels, m_vector, "--labels-crs");
    set(options.label_area, areas, "--area-crs");
    set(options.val_area, areas, "--area-crs");
  }

  static void warn_about_data(const segmentation::TrainingDataSummary& summary) {
    static constexpr const char* kNames[] = {"background", "interior", "boundary"};
    for (std::size_t c = 0; c < summary.labelled_px.size(); ++c) {
      if (summary.labelled_px[c] == 0) {
        geo::log_warning(
            geo::concat("no pixel is labelled ", kNames[c], " (", c, "): the model cannot learn that class"));
      }
    }
    if (summary.labelled_without_risk_px > 0) {
      geo::log_warning(geo::concat(summary.labelled_without_risk_px,
                                   " labelled pixels have no risk; they count as the riskiest"));
    }
    if (summary.labelled_without_posterior_px > 0) {
      geo::log_warning(geo::concat(summary.labelled_without_posterior_px,
                                   " labelled pixels have no posterior; they are ignored"));
    }
    const std::int64_t labelled = summary.labelled_px[0] + summary.labelled_px[1] + summary.labelled_px[2];
    if (4 * summary.labelled_against_posterior_px > labelled) {
      geo::log_warning(geo::concat(summary.labelled_against_posterior_px, " of ", labelled,
                                   " labels are not the likeliest class of the posterior: is it of these "
                                   "labels, with bands background, interior, boundary?"));
    }
  }

  std::vector<std::string> m_images;
  std::vector<std::string> m_labels;
  std::vector<std::string> m_risk;
  std::vector<std::string> m_posterior;
  std::vector<std::string> m_labellers;
  std::vector<std::string> m_losses{"cross-entropy", "local-tversky-focal"};
  std::vector<double> m_loss_shares;
  std::string m_out;
  std::string m_image_crs;
  std::string m_risk_mode = "auto";
  std::string m_network = "unet";
  std::string m_norm = "batch";
  std::string m_head = "classes";
  std::string m_device = "cpu";
  std::string m_precision = "fp32";
  std::string m_optimiser = "adamw";
  std::string m_schedule = "cosine";
  std::string m_normalise = "minmax";
  std::string m_norm_scope = "auto";
  std::string m_norm_statistics;
  std::vector<std::string> m_val_countries;
  DatasetOptions m_dataset;
  VectorOptions m_vector;
  std::string m_area_crs;
  std::vector<double> m_scale{1.0, 1.0};
  std::vector<double> m_percentiles{1.0, 99.0};
  std::vector<double> m_class_weights{1.0, 1.0, 1.0};
  std::int64_t m_seed = 1;
  std::int64_t m_risk_classes = 3;
  segmentation::TrainingDataOptions m_data;
  segmentation::TrainOptions m_train;
};

}  // namespace

std::unique_ptr<Step> make_train() {
  return std::make_unique<Train>();
}

}  // namespace furrow::workflow
