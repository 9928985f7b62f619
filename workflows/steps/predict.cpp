#include <algorithm>
#include <exception>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/raster_list.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/ensemble.h>
#include <furrow/segmentation/network.h>
#include <furrow/segmentation/predict_scenes.h>
#include <furrow/segmentation/score_passes.h>
#include <furrow/workflow/step.h>

#include "box_option.h"
#include "shift_record.h"

namespace furrow::workflow {
namespace {

namespace fs = std::filesystem;

class Predict final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "predict",
        "Score images: how likely each pixel is background, field interior or boundary",
        "Runs a model folder, as 'train' writes it, over images of any size: reads, normalises, scores, "
        "blends "
        "and writes tile by tile, so that memory does not grow with the image. The result is a "
        "cloud-optimised GeoTIFF with one band per class (score = value x 0.005, nodata 255) and, when asked "
        "for, the entropy of the scores.\n\n"
        "Every tile is read with a halo as wide as the model looks (its measured receptive radius), so the "
        "scores do not depend on the tiles. A narrower halo is faster; blending then hides the seams. "
        "Statistics for the normalisation come from the whole image before the first tile. Images whose "
        "pixels are much larger or smaller than the model's are resampled; those with other bands are "
        "refused.",
        {{"Score map and entropy of one image",
          "furrow predict sample_data/scene.tif --model out/model --out out/scores.tif --entropy "
          "out/entropy.tif"},
         {"Where turned images are scored otherwise, the model does not know",
          "furrow predict sample_data/scene.tif --model out/model --turns --out out/scores.tif "
          "--mutual-information out/doubt.tif"},
         {"A model of two dates",
          "furrow predict may.tif --second-date july.tif --model model --out scores.tif"},
         {"Larger tiles, into a folder",
          "furrow predict sample_data/scene.tif --model out/model --tile-px 512 --out out/scores"}}};
  }

  void declare(OptionTable& t) override {
    t.add("images", &m_images)
        .positional()
        .required()
        .input("raster")
        .help(
            "Images to score, with the model's bands: files, folders, patterns, lists (.txt, .csv), tile "
            "indexes or "
            "STAC");
    t.add("model", &m_models)
        .required()
        .input("model folder")
        .help("Model folder with model.json and weights; several score as an ensemble, by their mean");
    t.add("out", &m_out)
        .required()
        .output("raster or folder")
        .may_exist()
        .short_name('o')
        .help("Score raster (.tif) for one image, or a folder; files in it are named as the images");
    t.add("asset", &m_asset).help("STAC: key of the asset to read; default: the only raster asset");
    t.add("path-column", &m_path_column)
        .help("CSV: column with the images' paths; default: path, location, image and the like");
    t.add("bands", &m_bands)
        .range(1, 65535)
        .help("Bands of the images, counted from 1, in the model's order; default: all as they stand");
    t.add("second-date", &m_second_date)
        .input("raster")
        .help(
            "Images of a second date of the same places, as many as images and in their order: their bands "
            "follow those of the images, resampled where their pixels lie elsewhere");
    t.add("entropy", &m_entropy)
        .output("raster or folder")
        .may_exist()
        .help("Also write the entropy of the scores (nats); a raster or a folder, as --out");
    t.add("mutual-information", &m_mutual_information)
        .output("raster or folder")
        .may_exist()
        .group("Uncertainty")
        .help(
            "Also write how much the passes differ (nats): what the model does not know; needs several "
            "passes");
    t.add("disagreement", &m_disagreement)
        .output("raster or folder")
        .may_exist()
        .group("Uncertainty")
        .help("Also write how much overlapping tiles differ along their seams");
    t.add("turns", &m_turns)
        .group("Uncertainty")
        .help("Score eight times, turned and mirrored, and take the mean (test-time augmentation)");
    t.add("dropout-passes", &m_dropout_passes)
        .range(0, 1000)
        .group("Uncertainty")
        .help(
            "Score so many times with channels dropped at random, as in training, and take the mean (Monte "
            "Carlo dropout); 0 = no");
    t.add("seed", &m_seed).range(0, 9007199254740992).group("Uncertainty").help("Seed of the dropout");
    t.add("resume", &m_options.resume)
        .help(
            "Keep finished rows of tiles in OUT.partial until OUT is there, and go on from them after an "
            "interruption; "
            "finished images are skipped");
    t.add("window", &m_window)
        .count(4)
        .unit("px")
        .group("Part of the images")
        .excludes("bbox")
        .help("Score only this part: col,row,width,height in pixels of each image");
    t.add("bbox", &m_bbox)
        .count(4)
        .group("Part of the images")
        .help("Score only xmin,ymin,xmax,ymax, in the CRS of each image or --bbox-crs");
    t.add("bbox-crs", &m_bbox_crs).group("Part of the images").help("CRS of --bbox, for example EPSG:4326");
    t.add("cutline", &m_cutline)
        .input("vector layer")
        .group("Part of the images")
        .help("Score only inside these polygons; the rest of their box becomes nodata");
    t.add("cutline-layer", &m_cutline_layer)
        .group("Part of the images")
        .help("Layer of the cutline; default: its only polygon layer");
    t.add("tile-px", &m_options.tile_px)
        .unit("px")
        .range(16, 65536)
        .group("Tiles")
        .help(
            "Side of a tile's core; default: 512 to 2048, less where the memory does not hold a tile "
            "for each processor");
    t.add("halo-px", &m_options.halo_px)
        .unit("px")
        .range(0, 65536)
        .group("Tiles")
        .help("What the network sees around a core; default: the model's receptive radius, at least 16");
    t.add("blend", &m_blend)
        .choices({"hann", "crop"})
        .group("Tiles")
        .help("How tiles meet: weighted overlap, or cut at the core");
    t.add("precision", &m_precision)
        .choices({"auto", "fp32", "bf16"})
        .help(
            "Precision of the convolutions. auto: bf16 where the processor has it and its scores agree with "
            "fp32 to "
            "1/200 on 99.9 % of the pixels of sample windows of a scene; bf16: in any case");
    t.add("device", &m_device)
        .choices({"cpu", "cuda"})
        .help("Where the network computes; cuda needs a LibTorch with CUDA and a GPU");
    t.add("shift-quantile", &m_options.shift_quantile)
        .range(0.0, 1.0)
        .group("Dataset shift")
        .help(
            "Warn of an image that lies farther from the training images than this share of their own "
            "samples; "
            "0 = do not measure");
    t.add("resample", &m_resample)
        .choices({"needed", "never", "always"})
        .help(
            "Images whose pixels differ from the model's: needed resamples those more than a factor 2 apart "
            "(up to 8), "
            "always all of them; never refuses the former");
    t.add("image-crs", &m_image_crs).help("CRS of the images whatever they say, for example EPSG:32632");
  }

  void check() const override {
    // What a folder or a list holds is looked at when the command runs.
    std::vector<geo::RasterInput> files;
    for (const std::string& image : m_images) {
      if (geo::has_raster_extension(image)) files.push_back({image, geo::raster_stem(image), ""});
    }
    (void)output_names(files, m_out, "--out");
    (void)quality_outputs(files);
    if (files.size() == m_images.size() && std::ranges::all_of(m_second_date, geo::has_raster_extension))
      check_second_dates(m_second_date.size(), m_images.size());
    check_bbox(m_bbox);
    if (!m_bbox_crs.empty() && m_bbox.empty()) throw geo::UsageError("--bbox-crs is for --bbox");
    if (!m_cutline_layer.empty() && m_cutline.empty())
      throw geo::UsageError("--cutline-layer is for --cutline");
    if (!m_window.empty() && (m_window[0] < 0 || m_window[1] < 0 || m_window[2] < 1 || m_window[3] < 1))
      throw geo::UsageError("--window must be col,row,width,height with a width and height of 1 or more");
    if (!m_mutual_information.empty() && !m_turns && m_dropout_passes < 2 && m_models.size() < 2) {
      throw geo::UsageError(
          "--mutual-information compares several passes: give --turns, --dropout-passes or several models");
    }
  }

  void run(StepContext& context) override {
    const std::vector<geo::RasterInput> images = list_images(m_images);
    const std::vector<geo::RasterInput> second = second_date(images);
    const auto outputs = output_names(images, m_out, "--out");
    const auto quality = quality_outputs(images);
    const auto device = m_device == "cuda" ? segmentation::Device::kCuda : segmentation::Device::kCpu;
    for (const std::string& model : m_models) m_networks.emplace_back(model, device);
    const segmentation::ModelSpec spec = common_spec();
    const auto passes =
        make_passes(m_precision == "bf16" ? segmentation::Precision::kBf16 : segmentation::Precision::kFp32);
    const auto shift = m_options.shift_quantile > 0.0 ? m_networks.front().shift_check()
                                                      : std::optional<segmentation::ShiftCheck>();
    m_options.shift = shift ? &*shift : nullptr;
    m_options.overwrite = context.overwrite();
    complete_options();
    Totals totals{ShiftRecord(m_options.shift_quantile)};
    std::vector<segmentation::SceneTask> tasks;
    for (std::size_t i = 0; i < images.size(); ++i) {
      tasks.push_back({images[i].path, outputs[i], quality[i]});
      if (!second.empty()) tasks.back().other_dates = {second[i].path};
    }
    const auto outcomes = segmentation::predict_scenes(tasks, spec, passes, m_options, context.exec());
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].failure) totals.add(images[i].path, outcomes[i].report);
    }
    fail_images(images, outcomes, totals.images, context);
    const auto count = static_cast<std::int64_t>(images.size());
    if (totals.outside > 0 && totals.outside == count) {
      throw geo::IoError(
          "no image reaches into the part to score; check --window, --bbox with its CRS, or --cutline");
    }
    // Where an image failed, the run can be repeated: those that are finished are known then.
    if (m_options.resume && totals.images + totals.outside == count)
      std::ranges::for_each(outputs, segmentation::forget_finished);
    context.record("passes", static_cast<std::int64_t>(passes.size()));
    context.record("images_in_bf16", m_precision == "bf16" ? totals.images : totals.quicker);
    totals.record(context);
  }

 private:
  /// Of all images.
  struct Totals {
    ShiftRecord shifts;
    std::int64_t images = 0;  ///< scored, now or before
    std::int64_t outside = 0;
    std::int64_t resampled = 0;
    std::int64_t quicker = 0;
    std::int64_t finished_before = 0;
    std::int64_t tiles = 0;
    std::int64_t empty_tiles = 0;
    std::int64_t valid_pixels = 0;

    void add(const std::string& image, const segmentation::PredictReport& report) {
      if (report.is_outside) {
        geo::log_info(geo::concat("image ", geo::quoted(image), " lies outside the part to score: skipped"));
        ++outside;
        return;
      }
      ++images;
      resampled += report.was_resampled ? 1 : 0;
      quicker += report.used_quicker ? 1 : 0;
      finished_before += report.was_finished ? 1 : 0;
      tiles += report.tiles;
      empty_tiles += report.empty_tiles;
      valid_pixels += report.valid_pixels;
      shifts.add(report.shift);
    }

    void record(StepContext& context) const {
      context.record("images", images);
      context.record("images_outside", outside);
      context.record("images_resampled", resampled);
      context.record("images_finished_before", finished_before);
      context.record("tiles", tiles);
      context.record("empty_tiles", empty_tiles);
      context.record("valid_pixels", valid_pixels);
      shifts.record(context);
    }
  };

  /// @param scored  images that were
  static void fail_images(const std::vector<geo::RasterInput>& images,
                          const std::vector<segmentation::SceneOutcome>& outcomes, std::int64_t scored,
                          StepContext& context) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      if (!outcomes[i].failure) continue;
      try {
        std::rethrow_exception(outcomes[i].failure);
      } catch (const geo::Error& error) {
        // Nothing at all came of it: that is a failure of the command, not of an input.
        if (scored == 0 && i + 1 == outcomes.size()) throw;
        context.fail(images[i].path, error.what());
      }
    }
  }

  void complete_options() {
    if (m_precision == "auto" && have_bf16()) m_options.quicker = make_passes(segmentation::Precision::kBf16);
    m_options.precision = m_device == "cpu" ? m_precision : geo::concat(m_precision, " on ", m_device);
    m_options.passes = geo::concat(m_turns ? "turned; " : "", m_dropout_passes, " with dropout of seed ",
                                   m_dropout_passes > 0 ? m_seed : 0);
    m_options.area = area();
    m_options.resample = m_resample == "never"    ? segmentation::Resample::kNever
                         : m_resample == "always" ? segmentation::Resample::kAlways
                                                  : segmentation::Resample::kNeeded;
    m_options.blend = m_blend == "hann";
    for (const std::int64_t band : m_bands) m_options.bands.push_back(static_cast<int>(band) - 1);
    if (!m_image_crs.empty()) m_options.image_crs = geo::Crs::from_user_input(m_image_crs);
  }

  [[nodiscard]] std::vector<geo::RasterInput> list_images(const std::vector<std::string>& images) const {
    geo::RasterListOptions listing;
    listing.asset = m_asset;
    listing.path_column = m_path_column;
    listing.unique_names = false;  // output_names says it in terms of the outputs
    return geo::list_rasters(images, listing);
  }

  /// The second date of each image; empty without.
  [[nodiscard]] std::vector<geo::RasterInput> second_date(const std::vector<geo::RasterInput>& images) const {
    if (m_second_date.empty()) return {};
    std::vector<geo::RasterInput> second = list_images(m_second_date);
    check_second_dates(second.size(), images.size());
    return second;
  }

  static void check_second_dates(std::size_t second, std::size_t images) {
    if (second == 0 || second == images) return;
    throw geo::UsageError(geo::concat("--second-date gives ", second, " images for ", images,
                                      images == 1 ? " image" : " images",
                                      "; each needs one, in the same order"));
  }

  [[nodiscard]] segmentation::ModelSpec common_spec() const {
    std::vector<segmentation::ModelSpec> specs;
    for (const auto& network : m_networks) specs.push_back(network.spec());
    return segmentation::ensemble_spec(specs);
  }

  [[nodiscard]] bool have_bf16() const {
    return (m_device == "cuda" || segmentation::processor_has_bf16()) &&
           std::ranges::all_of(m_networks, &segmentation::TrainedNetwork::has_bf16);
  }

  [[nodiscard]] segmentation::SceneArea area() const {
    segmentation::SceneArea area;
    if (!m_window.empty()) area.window = geo::Window{m_window[0], m_window[1], m_window[2], m_window[3]};
    if (!m_bbox.empty()) area.bbox = bbox_of(m_bbox);
    if (!m_bbox_crs.empty()) area.bbox_crs = geo::Crs::from_user_input(m_bbox_crs);
    if (m_cutline.empty()) return area;
    geo::LayerReadOptions reading;
    reading.layer = m_cutline_layer;
    reading.invalid = geo::InvalidGeometry::kRepair;
    geo::Layer layer = geo::read_layer(m_cutline, reading);
    area.cutline_crs = layer.crs;
    for (geo::Feature& feature : layer.features) {
      if (!feature.geometry.empty()) area.cutline.push_back(std::move(feature.geometry));
    }
    return area;
  }

  /// Every model, with dropout as often as asked, turned when asked.
  [[nodiscard]] std::vector<segmentation::PartScoreFunction> make_passes(
      segmentation::Precision precision) const {
    std::vector<segmentation::PartScoreFunction> passes;
    for (const auto& network : m_networks) {
      const auto functions = m_dropout_passes > 0
                                 ? network.dropout_passes(static_cast<int>(m_dropout_passes),
                                                          static_cast<std::uint64_t>(m_seed), precision)
                                 : std::vector{network.part_score_function(precision)};
      for (const auto& function : functions) {
        if (m_turns) {
          std::ranges::move(segmentation::turned_passes(function), std::back_inserter(passes));
        } else {
          passes.push_back(function);
        }
      }
    }
    return passes;
  }

  /// The layers asked for, of each image.
  [[nodiscard]] std::vector<std::vector<segmentation::QualityOutput>> quality_outputs(
      const std::vector<geo::RasterInput>& images) const {
    using segmentation::QualityLayer;
    std::vector<std::vector<segmentation::QualityOutput>> outputs(images.size());
    const auto add = [&](QualityLayer layer, const std::string& out, const std::string& option) {
      if (out.empty()) return;
      const std::vector<std::string> names = output_names(images, out, option);
      for (std::size_t i = 0; i < images.size(); ++i) outputs[i].push_back({layer, names[i]});
    };
    add(QualityLayer::kEntropy, m_entropy, "--entropy");
    add(QualityLayer::kMutualInformation, m_mutual_information, "--mutual-information");
    add(QualityLayer::kDisagreement, m_disagreement, "--disagreement");
    return outputs;
  }

  /// The file of each image: `out` itself, or <name>.tif in the folder `out`.
  /// @throws geo::UsageError when several images would share a file
  [[nodiscard]] std::vector<std::string> output_names(const std::vector<geo::RasterInput>& images,
                                                      const std::string& out,
                                                      const std::string& option) const {
    const std::string extension = geo::to_lower(fs::path(out).extension().string());
    const bool is_file = extension == ".tif" || extension == ".tiff";
    if (is_file && images.size() <= 1) return {out};
    if (is_file) {
      throw geo::UsageError(
          geo::concat("several images need a folder: ", option, " ", geo::quoted(out), " is one raster"));
    }
    std::vector<std::string> names;
    std::map<std::string, std::string> image_of;
    for (const geo::RasterInput& image : images) {
      names.push_back((fs::path(out) / (image.name + ".tif")).string());
      const auto [other, is_new] = image_of.emplace(names.back(), image.path);
      if (!is_new) {
        throw geo::UsageError(geo::concat(
            "images ", geo::quoted(other->second), " and ", geo::quoted(image.path), " would both go to ",
            geo::quoted(names.back()), "; give them different names or run them apart"));
      }
    }
    return names;
  }

  std::vector<std::string> m_images;
  std::vector<std::string> m_second_date;
  std::vector<std::string> m_models;
  std::vector<segmentation::TrainedNetwork> m_networks;
  std::string m_asset;
  std::string m_path_column;
  std::string m_out;
  std::string m_entropy;
  std::string m_mutual_information;
  std::string m_disagreement;
  std::vector<std::int64_t> m_window;
  std::vector<double> m_bbox;
  std::string m_bbox_crs;
  std::string m_cutline;
  std::string m_cutline_layer;
  bool m_turns = false;
  std::int64_t m_dropout_passes = 0;
  std::int64_t m_seed = 1;
  std::string m_blend = "hann";
  std::string m_precision = "auto";
  std::string m_device = "cpu";
  std::string m_resample = "needed";
  std::vector<std::int64_t> m_bands;
  std::string m_image_crs;
  segmentation::PredictOptions m_options;
};

}  // namespace

std::unique_ptr<Step> make_predict() {
  return std::make_unique<Predict>();
}

}  // namespace furrow::workflow
