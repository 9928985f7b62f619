#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/segmentation/network.h>
#include <furrow/segmentation/robustness.h>
#include <furrow/workflow/step.h>

#include "vector_options.h"

namespace furrow::workflow {
namespace {

class AssessRobustness final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "assess robustness",
        "How much a model's map of your own image changes when the image changes a little",
        "Scores windows of an image as 'predict' does, then again after changes that leave the fields where "
        "they are: other offsets on the grid of pooling cells, turned and mirrored views, surroundings on "
        "two sides only, brightness, gain of one band, noise, another pixel size, a missing band. Tells for "
        "each how many pixels change class, how far the scores move, and how well extent and delineated "
        "fields agree with those of the unchanged image. Needs no truth; with --reference also the change "
        "of the accuracy.\n\n"
        "Statistics for the normalisation are those of the changed scene where the model takes them from the "
        "scene: brightness must not matter then. Method: after the deployment metrics of PRUE (Muhawenayo et "
        "al. "
        "2026).",
        {{"On 16 windows of an image",
          "furrow assess robustness sample_data/scene.tif --model out/model --out out/robustness.json"},
         {"Fewer and smaller windows, with the truth",
          "furrow assess robustness sample_data/scene.tif --model out/model --reference "
          "sample_data/truth.gpkg --windows 4 --window-px 128 --out out/robustness.json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("image", &m_image).positional().required().input("raster").help("Image with the model's bands");
    t.add("model", &m_model)
        .required()
        .input("model folder")
        .help("Model folder with model.json and weights");
    t.add("reference", &m_reference)
        .input("vector layer")
        .help("True field polygons: also tell how the accuracy changes; windows lie where they are");
    m_vector.declare(t, "reference", true);
    t.add("bands", &m_bands)
        .range(1, 65535)
        .help("Bands of the image, counted from 1, in the model's order; default: all as they stand");
    t.add("image-crs", &m_image_crs).help("CRS of the image whatever it says, for example EPSG:32632");
    t.add("windows", &m_options.windows)
        .range(1, 100000)
        .group("Windows")
        .help("At most so many windows, spread over the image; all of it when it has no more");
    t.add("window-px", &m_options.window_px)
        .unit("px")
        .range(16, 65536)
        .group("Windows")
        .help("Side of a window; default: 256, or what the image has");
    t.add("seed", &m_seed)
        .at_least(0)
        .group("Windows")
        .help("Seed of the choice of windows and of the noise");
    t.add("out", &m_out)
        .required()
        .output("file")
        .short_name('o')
        .help("JSON file to write; the table goes to the screen");
  }

  void run(StepContext& context) override {
    const segmentation::TrainedNetwork network(m_model);
    m_options.seed = static_cast<std::uint64_t>(m_seed);
    for (const std::int64_t band : m_bands) m_options.bands.push_back(static_cast<int>(band) - 1);
    if (!m_image_crs.empty()) m_options.image_crs = geo::Crs::from_user_input(m_image_crs);
    const auto report = segmentation::assess_robustness(m_image, network.spec(), network.score_function(),
                                                        segmentation::standard_perturbations(network.spec()),
                                                        read_reference(), m_options, context.exec());
    geo::write_text_file(m_out, segmentation::robustness_json(report, network.spec()), context.overwrite());
    context.out() << segmentation::robustness_table(report, network.spec());
    context.record("windows", static_cast<std::int64_t>(report.windows.size()));
    context.record("perturbations", static_cast<std::int64_t>(report.results.size()));
    if (const auto* worst = report.most_sensitive(); worst != nullptr) {
      context.record("most_sensitive_to", segmentation::describe(worst->perturbation, network.spec()));
      context.record("flip_share", worst->agreement.flip_share());
    }
  }

 private:
  /// In the image's CRS; empty without --reference.
  [[nodiscard]] std::vector<geo::MultiPolygon> read_reference() const {
    if (m_reference.empty()) return {};
    geo::RasterReadOptions image;
    image.override_crs = m_options.image_crs;
    image.crs_switch = m_options.crs_switch;
    geo::LayerReadOptions read = m_vector.read_options("--reference-crs");
    read.target_crs = geo::RasterReader(m_image, image).grid().crs;
    std::vector<geo::MultiPolygon> fields;
    for (auto& feature : geo::read_layer(m_reference, read).features) {
      if (!feature.geometry.empty()) fields.push_back(std::move(feature.geometry));
    }
    return fields;
  }

  segmentation::RobustnessOptions m_options;
  VectorOptions m_vector;
  std::string m_image, m_model, m_reference, m_image_crs, m_out;
  std::vector<std::int64_t> m_bands;
  std::int64_t m_seed = 1;
};

}  // namespace

std::unique_ptr<Step> make_assess_robustness() {
  return std::make_unique<AssessRobustness>();
}

}  // namespace furrow::workflow
