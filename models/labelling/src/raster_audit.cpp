#include <furrow/labelling/raster_audit.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include <tbb/combinable.h>
#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/label_raster.h>
#include <furrow/geo/raster/reader.h>
#include <furrow/geo/raster/writer.h>

#include "audit_pixels.h"

namespace furrow::labelling {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kStripPixels = 1 << 20;
constexpr std::int64_t kMostRows = 512;
constexpr std::size_t kHalf = std::size_t{1} << 16;  ///< values of half a float's bits
constexpr std::uint8_t kIssue = 1;

using Counts = std::vector<std::int64_t>;

/// What is summed over the pixels of a site.
struct SiteSums {
  double least = std::numeric_limits<double>::infinity();  ///< least probable label
  double sum = 0.0;                                        ///< of p exp((least - p) / t)
  double weights = 0.0;                                    ///< of exp((least - p) / t)
  std::int64_t pixels = 0;

  void add(const SiteSums& other, double temperature) {
    if (other.pixels == 0) return;
    const double lowest = std::min(least, other.least);
    const double mine = pixels == 0 ? 0.0 : std::exp((lowest - least) / temperature);
    const double theirs = std::exp((lowest - other.least) / temperature);
    sum = mine * sum + theirs * other.sum;
    weights = mine * weights + theirs * other.weights;
    least = lowest;
    pixels += other.pixels;
  }
};

/// What a strip of a raster adds. Sites are positions in AuditRasters::sites; 0 without sites.
struct StripSums {
  std::vector<double> given;  ///< per class: sum of the probabilities of pixels labelled so
  std::vector<double> pixels;
  std::map<std::size_t, SiteSums> sites;
  std::size_t ties = 0;  ///< pixels exactly at the cut
};

/// A strip in memory.
struct Strip {
  std::vector<std::uint8_t> labels;
  geo::Raster<float> scores;
  std::vector<std::uint32_t> sites;  ///< position + 1 of each pixel's site, 0 = none; empty = all in one

  [[nodiscard]] AuditImage image() const { return {labels, scores.data()}; }
  [[nodiscard]] std::size_t site_of(std::size_t pixel) const { return sites.empty() ? 0 : sites[pixel] - 1; }
};

/// One pair of rasters, opened.
class Pair {
 public:
  Pair(const AuditRasters& files, const RasterAuditOptions& options)
      : m_files(files),
        m_labels(files.labels, read_options(options.labels_crs, "--labels-crs")),
        m_scores(files.scores, read_options(options.scores_crs, "--scores-crs")) {
    check();
    if (files.sites.empty()) return;
    const geo::CoordinateTransform transform(options.sites_crs, grid().crs);
    std::vector<geo::MultiPolygon> cells;
    for (const Site& site : files.sites) cells.push_back(transform.apply(site.cell));
    m_cells.emplace(std::move(cells), grid());
  }

  [[nodiscard]] const geo::Grid& grid() const noexcept { return m_labels.grid(); }
  [[nodiscard]] int classes() const noexcept { return m_scores.bands(); }
  [[nodiscard]] std::size_t strips() const {
    return static_cast<std::size_t>((grid().height + rows() - 1) / rows());
  }
  [[nodiscard]] geo::Window window(std::size_t strip) const {
    const auto row = static_cast<std::int64_t>(strip) * rows();
    return {0, row, grid().width, std::min(rows(), grid().height - row)};
  }

  /// @throws IoError  also for labels that are no class and scores that are no probability
  [[nodiscard]] Strip read(std::size_t strip) const {
    const geo::Window at = window(strip);
    Strip result;
    if (m_cells) result.sites = m_cells->instances(at).data();
    read_labels(at, result);
    read_scores(at, result);
    return result;
  }

 private:
  static geo::RasterReadOptions read_options(const geo::Crs& crs, const char* name) {
    geo::RasterReadOptions options;
    options.override_crs = crs;
    options.crs_switch = name;
    return options;
  }

  [[nodiscard]] std::int64_t rows() const {
    return std::clamp<std::int64_t>(kStripPixels / std::max<std::int64_t>(1, grid().width), 1, kMostRows);
  }

  void check() const {
    if (m_labels.bands() != 1) {
      throw geo::IoError(geo::concat("label raster ", geo::quoted(m_files.labels), " has ", m_labels.bands(),
                                     " bands; labels are one band of classes"));
    }
    if (m_scores.bands() < 2 || m_scores.bands() > 254) {
      throw geo::IoError(geo::concat("score map ", geo::quoted(m_files.scores), " has ", m_scores.bands(),
                                     " bands; it needs one per class, as 'furrow predict' writes it"));
    }
    const geo::Grid& scores = m_scores.grid();
    if (grid().same_as(scores)) return;
    throw geo::IoError(geo::concat(geo::quoted(m_files.labels), " (", text_of(grid()), ") and ",
                                   geo::quoted(m_files.scores), " (", text_of(scores),
                                   ") are not on the same grid; predict and label the same pixels"));
  }

  static std::string text_of(const geo::Grid& grid) {
    const geo::Box box = grid.bounds();
    return geo::concat(grid.width, " x ", grid.height, " pixels from ", box.min_x, ", ", box.max_y, " in ",
                       grid.crs.name());
  }

  void read_labels(const geo::Window& at, Strip& strip) const {
    const auto values = m_labels.read<std::int32_t>(at);
    const auto valid = m_labels.read_valid(at);
    strip.labels.assign(values.data().size(), geo::kIgnore);
    for (std::size_t i = 0; i < strip.labels.size(); ++i) {
      const std::int32_t value = values.data()[i];
      const bool unknown = value == geo::kIgnore || (value == 3 && classes() == 3);
      if (valid.data()[i] == 0 || unknown || (!strip.sites.empty() && strip.sites[i] == 0)) continue;
      if (value < 0 || value >= classes()) {
        throw geo::IoError(geo::concat(geo::quoted(m_files.labels), " has the label ", value, "; with ",
                                       classes(), " score bands labels are 0 to ", classes() - 1,
                                       ", or 255 for none"));
      }
      strip.labels[i] = static_cast<std::uint8_t>(value);
    }
  }

  void read_scores(const geo::Window& at, Strip& strip) const {
    constexpr float kSlack = 1e-4F;
    strip.scores = m_scores.read<float>(at);
    const auto valid = m_scores.read_valid(at);
    for (int b = 0; b < classes(); ++b) {
      const geo::BandInfo& info = m_scores.band(b);
      const auto band = strip.scores.band(b);
      for (std::size_t i = 0; i < band.size(); ++i) {
        if (valid.data()[i] == 0) {
          band[i] = std::numeric_limits<float>::quiet_NaN();
          continue;
        }
        const auto p = static_cast<float>(double{band[i]} * info.scale + info.offset);
        if (p < -kSlack || p > 1.0F + kSlack) {
          throw geo::IoError(geo::concat(geo::quoted(m_files.scores), " has the value ", p,
                                         "; scores are probabilities from 0 to 1 (is its scale missing?)"));
        }
        band[i] = std::clamp(p, 0.0F, 1.0F);
      }
    }
  }

  const AuditRasters& m_files;
  geo::RasterReader m_labels;
  geo::RasterReader m_scores;
  std::optional<geo::WindowRasterizer> m_cells;
};

std::uint32_t bits_of(float p) {
  return std::bit_cast<std::uint32_t>(p + 0.0F);  // no negative zero; bits order non-negative floats
}

/// Position at which a running sum of counts reaches `wanted`, which is reduced by what lies before it.
std::size_t find_position(const Counts& counts, std::int64_t& wanted) {
  std::size_t at = 0;
  while (counts[at] < wanted) wanted -= counts[at++];
  return at;
}

Counts combined(tbb::combinable<Counts>& counts) {
  Counts total(kHalf, 0);
  counts.combine_each([&](const Counts& part) {
    for (std::size_t i = 0; i < part.size(); ++i) total[i] += part[i];
  });
  return total;
}

std::string mask_name(const std::string& labels) {
  return fs::path(labels).stem().string() + "_issues.tif";
}

/// All rasters, pass by pass.
class Audit {
 public:
  Audit(std::span<const AuditRasters> rasters, const RasterAuditOptions& options, const fs::path& folder,
        geo::ExecContext& exec)
      : m_rasters(rasters),
        m_options(options),
        m_folder(folder),
        m_exec(exec),
        m_strips(rasters.size()),
        m_usable(rasters.size(), 0) {}

  [[nodiscard]] RasterAudit run() {
    find_classes();
    sum_up();
    find_cut();
    write_masks();
    rank();
    return std::move(m_result);
  }

 private:
  [[nodiscard]] std::size_t classes() const { return static_cast<std::size_t>(m_result.classes); }
  [[nodiscard]] std::size_t usable() const {
    return static_cast<std::size_t>(std::ranges::count(m_usable, std::uint8_t{1}));
  }

  /// Classes of the first raster that can be opened; masks must not meet.
  void find_classes() {
    std::map<std::string, std::string> names;
    for (const AuditRasters& r : m_rasters) {
      const auto [it, added] = names.emplace(mask_name(r.labels), r.labels);
      if (!added) {
        throw geo::IoError(geo::concat("label rasters ", geo::quoted(it->second), " and ",
                                       geo::quoted(r.labels), " would write the same mask; rename one"));
      }
    }
    std::vector<int> bands(m_rasters.size(), 0);
    std::vector<std::string> problems(m_rasters.size());
    tbb::parallel_for(std::size_t{0}, m_rasters.size(), [&](std::size_t r) {
      try {
        const Pair pair(m_rasters[r], m_options);
        bands[r] = pair.classes();
        m_strips[r].resize(pair.strips());
      } catch (const geo::Error& error) {
        problems[r] = error.what();
      }
    });
    for (std::size_t r = 0; r < m_rasters.size(); ++r) {
      if (problems[r].empty() && m_result.classes == 0) m_result.classes = bands[r];
      if (problems[r].empty() && bands[r] != m_result.classes)
        problems[r] = geo::concat("score map ", geo::quoted(m_rasters[r].scores), " has ", bands[r],
                                  " classes, others have ", m_result.classes);
      m_usable[r] = problems[r].empty() ? 1 : 0;
    }
    tell(problems);
  }

  /// Notes problems of rasters.
  /// @throws IoError when no raster is left
  void tell(const std::vector<std::string>& problems) {
    for (std::size_t r = 0; r < problems.size(); ++r) {
      if (!problems[r].empty()) m_result.problems.push_back({name_of(m_rasters[r]), problems[r]});
    }
    if (usable() == 0 && !m_result.problems.empty())
      throw geo::IoError(geo::concat("no label raster can be audited; the first problem: ",
                                     m_result.problems.front().message));
  }

  static std::string name_of(const AuditRasters& r) { return r.name.empty() ? r.labels : r.name; }

  /// Calls work(raster, strip number, strip) for every strip of the usable rasters, in parallel.
  template <class TWork>
  void for_each_strip(const char* what, const TWork& work) {
    geo::Progress progress(m_exec, what, static_cast<std::int64_t>(usable()));
    tbb::parallel_for(std::size_t{0}, m_rasters.size(), [&](std::size_t r) {
      if (m_usable[r] == 0) return;
      const Pair pair(m_rasters[r], m_options);
      tbb::parallel_for(std::size_t{0}, pair.strips(), [&](std::size_t s) { work(r, s, pair.read(s)); });
      progress.advance();
    });
  }

  /// First pass: class thresholds and what the sites' scores are made of. Rasters that cannot be read drop
  /// out.
  void sum_up() {
    std::vector<std::string> problems(m_rasters.size());
    geo::Progress progress(m_exec, "reading labels and scores", static_cast<std::int64_t>(usable()));
    tbb::parallel_for(std::size_t{0}, m_rasters.size(), [&](std::size_t r) {
      if (m_usable[r] == 0) return;
      try {
        const Pair pair(m_rasters[r], m_options);
        tbb::parallel_for(std::size_t{0}, pair.strips(),
                          [&](std::size_t s) { m_strips[r][s] = sums_of(pair.read(s)); });
      } catch (const geo::Cancelled&) {
        throw;
      } catch (const geo::Error& error) {
        problems[r] = error.what();
      }
      progress.advance();
    });
    for (std::size_t r = 0; r < problems.size(); ++r) {
      if (!problems[r].empty()) m_usable[r] = 0;
    }
    tell(problems);
    std::vector<double> given(classes(), 0.0);
    std::vector<double> pixels(classes(), 0.0);
    for (std::size_t r = 0; r < m_rasters.size(); ++r) {
      if (m_usable[r] == 0) continue;
      for (const StripSums& strip : m_strips[r]) {
        for (std::size_t c = 0; c < classes(); ++c) {
          given[c] += strip.given[c];
          pixels[c] += strip.pixels[c];
        }
      }
    }
    for (std::size_t c = 0; c < classes(); ++c) {
      m_result.class_threshold.push_back(pixels[c] > 0.0 ? given[c] / pixels[c]
                                                         : std::numeric_limits<double>::quiet_NaN());
    }
  }

  [[nodiscard]] StripSums sums_of(const Strip& strip) const {
    StripSums sums;
    sums.given.assign(classes(), 0.0);
    sums.pixels.assign(classes(), 0.0);
    for_each_pixel(strip.image(), classes(), [&](const AuditPixel& pixel, std::size_t i) {
      sums.given[pixel.label] += double{pixel.given};
      sums.pixels[pixel.label] += 1.0;
      SiteSums& site = sums.sites[strip.site_of(i)];
      site.least = std::min(site.least, double{pixel.given});
      ++site.pixels;
    });
    for_each_pixel(strip.image(), classes(), [&](const AuditPixel& pixel, std::size_t i) {
      SiteSums& site = sums.sites[strip.site_of(i)];
      const double weight = std::exp((site.least - double{pixel.given}) / m_options.temperature);
      site.sum += weight * double{pixel.given};
      site.weights += weight;
    });
    return sums;
  }

  /// Passes two to four: the probability below which labels are doubtful, and where ties lie.
  void find_cut() {
    tbb::combinable<Counts> upper([] { return Counts(kHalf, 0); });
    tbb::combinable<std::int64_t> expected([] { return std::int64_t{0}; });
    for_each_strip("counting doubtful labels", [&](std::size_t, std::size_t, const Strip& strip) {
      Counts& counts = upper.local();
      std::int64_t& contradicted = expected.local();
      for_each_pixel(strip.image(), classes(), [&](const AuditPixel& pixel, std::size_t) {
        ++counts[bits_of(pixel.given) >> 16];
        if (contradicts(pixel, m_result.class_threshold)) ++contradicted;
      });
    });
    std::int64_t wanted = expected.combine(std::plus<>());
    if (wanted == 0) return;
    const std::size_t high = find_position(combined(upper), wanted);
    tbb::combinable<Counts> lower([] { return Counts(kHalf, 0); });
    for_each_strip("finding the cut", [&](std::size_t, std::size_t, const Strip& strip) {
      Counts& counts = lower.local();
      for_each_pixel(strip.image(), classes(), [&](const AuditPixel& pixel, std::size_t) {
        const std::uint32_t bits = bits_of(pixel.given);
        if (bits >> 16 == high) ++counts[bits & (kHalf - 1)];
      });
    });
    const std::size_t low = find_position(combined(lower), wanted);
    m_cut = static_cast<std::uint32_t>(high << 16 | low);
    m_ties = static_cast<std::size_t>(wanted);
    for_each_strip("finding the cut", [&](std::size_t r, std::size_t s, const Strip& strip) {
      for_each_pixel(strip.image(), classes(), [&](const AuditPixel& pixel, std::size_t) {
        if (bits_of(pixel.given) == m_cut) ++m_strips[r][s].ties;
      });
    });
  }

  /// Last pass. Strips of a raster are written in order, a batch of them made in parallel.
  void write_masks() {
    const auto first_ties = deal_ties();
    std::vector<std::vector<AuditedSite>> sites(m_rasters.size());
    geo::Progress progress(m_exec, "writing masks", static_cast<std::int64_t>(usable()));
    tbb::parallel_for(std::size_t{0}, m_rasters.size(), [&](std::size_t r) {
      if (m_usable[r] == 0) return;
      sites[r] = write_mask(r, first_ties[r]);
      progress.advance();
    });
    for (auto& of_raster : sites) {
      for (AuditedSite& site : of_raster) m_result.sites.push_back(std::move(site));
    }
  }

  /// How many of the pixels at the cut are doubtful, for every strip.
  [[nodiscard]] std::vector<std::vector<std::size_t>> deal_ties() const {
    std::vector<std::vector<std::size_t>> dealt(m_rasters.size());
    std::size_t left = m_ties;
    for (std::size_t r = 0; r < m_rasters.size(); ++r) {
      if (m_usable[r] == 0) continue;
      for (const StripSums& strip : m_strips[r]) {
        dealt[r].push_back(std::min(left, strip.ties));
        left -= dealt[r].back();
      }
    }
    return dealt;
  }

  using Kinds = std::map<std::size_t, Counts>;  ///< per site: issues by label x predicted

  [[nodiscard]] std::vector<AuditedSite> write_mask(std::size_t r, const std::vector<std::size_t>& ties) {
    constexpr std::size_t kBatch = 16;
    const Pair pair(m_rasters[r], m_options);
    geo::RasterSpec spec;
    spec.nodata = geo::kIgnore;
    spec.descriptions = {"doubtful label"};
    spec.classes = {{0, "not doubtful", {220, 220, 220, 255}}, {kIssue, "doubtful", {215, 48, 39, 255}}};
    spec.overview = geo::Overview::kMode;
    spec.flush = geo::Flush::kLater;
    geo::RasterWriter writer(m_folder / mask_name(m_rasters[r].labels), pair.grid(), spec, false);
    std::vector<Kinds> kinds(pair.strips());
    for (std::size_t first = 0; first < pair.strips(); first += kBatch) {
      const std::size_t last = std::min(first + kBatch, pair.strips());
      std::vector<geo::Raster<std::uint8_t>> masks(last - first);
      tbb::parallel_for(first, last, [&](std::size_t s) {
        masks[s - first] = mask_of(pair.read(s), pair.window(s), ties[s], kinds[s]);
      });
      for (std::size_t s = first; s < last; ++s) writer.write(pair.window(s), masks[s - first]);
    }
    writer.finish();
    return describe(r, pair, kinds);
  }

  [[nodiscard]] geo::Raster<std::uint8_t> mask_of(const Strip& strip, const geo::Window& window,
                                                  std::size_t ties, Kinds& kinds) const {
    geo::Raster<std::uint8_t> mask(window.width, window.height, 1, geo::kIgnore);
    for_each_pixel(strip.image(), classes(), [&](const AuditPixel& pixel, std::size_t i) {
      mask.data()[i] = 0;
      const std::uint32_t bits = bits_of(pixel.given);
      if (m_ties == 0 || bits > m_cut || (bits == m_cut && ties == 0)) return;
      if (bits == m_cut) --ties;
      if (pixel.predicted == pixel.label) return;
      mask.data()[i] = kIssue;
      auto& of_site = kinds[strip.site_of(i)];
      of_site.resize(classes() * classes(), 0);
      ++of_site[pixel.label * classes() + pixel.predicted];
    });
    return mask;
  }

  [[nodiscard]] std::vector<AuditedSite> describe(std::size_t r, const Pair& pair,
                                                  const std::vector<Kinds>& kinds) const {
    const AuditRasters& files = m_rasters[r];
    std::vector<AuditedSite> sites(std::max<std::size_t>(1, files.sites.size()));
    for (std::size_t i = 0; i < sites.size(); ++i) {
      AuditedSite& site = sites[i];
      site.name = files.sites.empty() ? name_of(files) : files.sites[i].name;
      site.labels = files.labels;
      site.mask = mask_name(files.labels);
      site.cell = files.sites.empty() ? bounds_of(pair.grid()) : files.sites[i].cell;
      SiteSums sums;
      Counts issues(classes() * classes(), 0);
      for (std::size_t s = 0; s < kinds.size(); ++s) {
        const auto of_strip = m_strips[r][s].sites.find(i);
        if (of_strip != m_strips[r][s].sites.end()) sums.add(of_strip->second, m_options.temperature);
        const auto found = kinds[s].find(i);
        for (std::size_t k = 0; found != kinds[s].end() && k < issues.size(); ++k)
          issues[k] += found->second[k];
      }
      fill(sums, issues, site);
    }
    return sites;
  }

  void fill(const SiteSums& sums, const Counts& issues, AuditedSite& site) const {
    site.n_pixels = sums.pixels;
    if (sums.weights > 0.0) site.score = sums.sum / sums.weights;
    for (const std::int64_t n : issues) site.n_issues += n;
    if (site.n_issues == 0) return;
    const auto most = static_cast<std::size_t>(std::ranges::max_element(issues) - issues.begin());
    site.labelled = static_cast<std::int32_t>(most / classes());
    site.predicted = static_cast<std::int32_t>(most % classes());
  }

  [[nodiscard]] geo::MultiPolygon bounds_of(const geo::Grid& grid) const {
    const geo::Crs target =
        m_options.sites_crs.empty() ? geo::Crs::from_user_input("EPSG:4326") : m_options.sites_crs;
    return geo::CoordinateTransform(grid.crs, target).apply({geo::to_polygon(grid.bounds())});
  }

  /// Worst first.
  void rank() {
    m_result.crs = m_options.sites_crs.empty() ? geo::Crs::from_user_input("EPSG:4326") : m_options.sites_crs;
    std::ranges::stable_sort(m_result.sites, [](const AuditedSite& a, const AuditedSite& b) {
      const bool a_empty = std::isnan(a.score);
      const bool b_empty = std::isnan(b.score);
      if (a_empty || b_empty) return a_empty == b_empty ? a.name < b.name : b_empty;
      return a.score != b.score ? a.score < b.score : a.name < b.name;
    });
  }

  std::span<const AuditRasters> m_rasters;
  const RasterAuditOptions& m_options;
  const fs::path& m_folder;
  geo::ExecContext& m_exec;
  std::vector<std::vector<StripSums>> m_strips;
  std::vector<std::uint8_t> m_usable;
  std::uint32_t m_cut = 0;
  std::size_t m_ties = 0;  ///< doubtful pixels at the cut; 0 = nothing is doubtful
  RasterAudit m_result;
};

std::string class_name(std::int32_t value, int classes) {
  static const std::array<const char*, 3> kNames{"background", "interior", "boundary"};
  if (classes == 2 && value == 1) return "field";
  return value < 3 ? kNames[static_cast<std::size_t>(value)] : geo::concat("class ", value);
}

/// One column of the result.
struct AuditColumn {
  const char* name;
  geo::FieldType type;
  const char* alias;
  std::function<geo::Value(const AuditedSite&)> value;
};

std::vector<AuditColumn> columns(int classes) {
  using geo::FieldType;
  using S = AuditedSite;
  const auto share = [](const S& s) -> geo::Value {
    if (s.n_pixels == 0) return {};
    return static_cast<double>(s.n_issues) / static_cast<double>(s.n_pixels);
  };
  const auto kind = [classes](const S& s) -> geo::Value {
    if (s.labelled < 0) return {};
    return geo::concat(class_name(s.labelled, classes), " should be ", class_name(s.predicted, classes));
  };
  const auto score = [](const S& s) -> geo::Value {
    if (std::isnan(s.score)) return {};
    return s.score;
  };
  return {
      {"site", FieldType::kString, "Site", [](const S& s) { return geo::Value(s.name); }},
      {"score", FieldType::kReal, "Label score (low = doubtful)", score},
      {"n_pixels", FieldType::kInteger, "Labelled pixels", [](const S& s) { return geo::Value(s.n_pixels); }},
      {"n_issues", FieldType::kInteger, "Doubtful pixels", [](const S& s) { return geo::Value(s.n_issues); }},
      {"issue_share", FieldType::kReal, "Share of doubtful pixels", share},
      {"main_issue", FieldType::kString, "Most frequent doubt", kind},
      {"labels", FieldType::kString, "Label raster", [](const S& s) { return geo::Value(s.labels); }},
      {"mask", FieldType::kString, "Mask of doubtful pixels", [](const S& s) { return geo::Value(s.mask); }}};
}

}  // namespace

RasterAudit audit_rasters(std::span<const AuditRasters> rasters, const RasterAuditOptions& options,
                          const fs::path& folder, geo::ExecContext& exec) {
  if (!(options.temperature > 0.0))
    throw geo::InvalidArgument("label audit: the temperature must be above 0");
  return Audit(rasters, options, folder, exec).run();
}

geo::CsvTable audit_table(const RasterAudit& audit) {
  const auto all = columns(audit.classes);
  geo::CsvTable table;
  table.columns = {"rank"};
  for (const auto& column : all) table.columns.emplace_back(column.name);
  for (const AuditedSite& site : audit.sites) {
    auto& row = table.rows.emplace_back();
    row.push_back(std::to_string(table.rows.size()));
    for (const auto& column : all) {
      const geo::Value value = column.value(site);
      row.push_back(std::holds_alternative<std::monostate>(value) ? "NA" : geo::as_text(value));
    }
  }
  return table;
}

geo::Layer audit_layer(const RasterAudit& audit) {
  const auto all = columns(audit.classes);
  geo::Layer layer;
  layer.name = "label_audit";
  layer.crs = audit.crs;
  layer.fields.push_back({"rank", geo::FieldType::kInteger, "Rank (1 = most doubtful)"});
  for (const auto& column : all) layer.fields.push_back({column.name, column.type, column.alias});
  for (const AuditedSite& site : audit.sites) {
    geo::Feature feature;
    feature.geometry = site.cell;
    feature.values.emplace_back(static_cast<std::int64_t>(layer.features.size()) + 1);
    for (const auto& column : all) feature.values.push_back(column.value(site));
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

}  // namespace furrow::labelling
