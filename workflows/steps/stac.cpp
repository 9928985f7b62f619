#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <furrow/assessment/map_item.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {
namespace {

class Stac final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {"stac",
            "List the outputs of a run as a STAC item, for catalogues",
            "Writes a SpatioTemporal Asset Catalog item (STAC 1.0.0) that tells where and when the map is "
            "from, and "
            "lists the files of the run with type, size, checksum, CRS, and for rasters size, transform, "
            "bands and "
            "classes. Links are relative to the item's folder. The files stay as they are.",
            {{"The fields of a run, the scores they came from, and the report",
              "furrow stac map.gpkg scores.tif report.html --out item.json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("files", &m_files)
        .positional()
        .required()
        .input("file")
        .help("Rasters, polygon layers, reports and tables to list");
    t.add("out", &m_out).required().output("file").short_name('o').help("Item to write (.json)");
    t.add("id", &m_options.id).help("Id of the item; default: the name of --out without its extension");
    t.add("title", &m_options.title).help("Title for people");
    t.add("image-date", &m_options.image_date)
        .help("Day of the image, YYYY-MM-DD; default: what rasters and fields say");
  }

  void run(StepContext& context) override {
    geo::check_output_path(m_out, context.overwrite());
    if (m_options.id.empty()) m_options.id = std::filesystem::path(m_out).stem().string();
    geo::write_text_file(m_out, assessment::map_item(m_files, m_out, m_options), context.overwrite());
    context.record("assets", static_cast<std::int64_t>(m_files.size()));
  }

 private:
  std::vector<std::string> m_files;
  std::string m_out;
  assessment::MapItemOptions m_options;
};

}  // namespace

std::unique_ptr<Step> make_stac() {
  return std::make_unique<Stac>();
}

}  // namespace furrow::workflow
