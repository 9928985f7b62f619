#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <furrow/assessment/fiboa.h>
#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/vector/layer.h>
#include <furrow/geo/vector/layer_writer.h>
#include <furrow/workflow/step.h>

#include "vector_options.h"
#include "vector_output.h"

namespace furrow::workflow {
namespace {

class VectorExport final : public Step {
 public:
  [[nodiscard]] StepInfo info() const override {
    return {
        "vector export",
        "Write fields for others: fiboa-valid GeoJSON, FlatGeobuf, GeoPackage, Shapefile, CSV",
        "Copies a polygon layer into the format of the extension of --out. GeoJSON follows RFC 7946: WGS 84 "
        "longitude and latitude with 7 decimals, polygons valid after rounding.\n\n"
        "With --profile fiboa the GeoJSON is valid by the Field Boundaries for Agriculture specification "
        "(fiboa 0.3.0): every field has a unique id, its area in m2 and perimeter in m, the day of its "
        "image, "
        "and the collection says how the fields were found.",
        {{"Fields of a map for other systems",
          "furrow vector export map.gpkg --profile fiboa --collection my_region --license CC-BY-4.0 --out "
          "fields.json"},
         {"One file that streams from a server", "furrow vector export map.gpkg --out fields.fgb"}}};
  }

  void declare(OptionTable& t) override {
    t.add("polygons", &m_polygons).positional().required().input("vector layer").help("Layer of fields");
    m_vector.declare(t, "polygons");
    t.add("out", &m_out)
        .required()
        .output("vector layer")
        .short_name('o')
        .help("Layer to write (.geojson, .json, .fgb, .gpkg, .shp; .csv for attributes only)");
    t.add("profile", &m_profile)
        .choices({"plain", "fiboa"})
        .help("plain keeps all attributes as they are; fiboa writes valid fiboa GeoJSON");
    const char* group = "With --profile fiboa";
    t.add("collection", &m_fiboa.collection)
        .group(group)
        .help("Name of the collection; default: the name of --out without its extension");
    t.add("method", &m_fiboa.method)
        .choices({"auto-imagery", "manual", "surveyed", "driven", "auto-operation", "unknown"})
        .group(group)
        .help("How the fields were found");
    t.add("image-date", &m_fiboa.image_date)
        .group(group)
        .help("Day of the last image, YYYY-MM-DD; default: attribute image_date");
    t.add("details", &m_fiboa.details).group(group).help("How the fields were found, in words");
    t.add("license", &m_fiboa.license).group(group).help("Licence, as its SPDX name or address");
    t.add("provider", &m_fiboa.provider).group(group).help("Who provides the fields");
  }

  void check() const override {
    check_layer_format("--out", m_out, true);
    const std::string extension = geo::to_lower(std::filesystem::path(m_out).extension().string());
    if (m_profile == "fiboa" && extension != ".geojson" && extension != ".json") {
      throw geo::UsageError(geo::concat("--profile fiboa writes GeoJSON; use .geojson or .json for --out ",
                                        geo::quoted(m_out)));
    }
  }

  void run(StepContext& context) override {
    geo::check_output_path(m_out, context.overwrite());
    geo::LayerReadOptions read = m_vector.read_options("--polygons-crs", false);
    read.usual_layer = "fields";
    geo::Layer layer = geo::read_layer(m_polygons, read);
    context.record("fields", static_cast<std::int64_t>(layer.features.size()));
    if (m_profile == "plain") return geo::write_layer(std::move(layer), m_out, context.overwrite());
    if (m_fiboa.collection.empty()) m_fiboa.collection = std::filesystem::path(m_out).stem().string();
    assessment::write_fiboa(std::move(layer), m_out, m_fiboa, context.overwrite());
  }

 private:
  std::string m_polygons;
  std::string m_out;
  std::string m_profile = "plain";
  VectorOptions m_vector;
  assessment::FiboaOptions m_fiboa;
};

}  // namespace

std::unique_ptr<Step> make_vector_export() {
  return std::make_unique<VectorExport>();
}

}  // namespace furrow::workflow
