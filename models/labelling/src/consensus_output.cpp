#include <furrow/labelling/consensus_output.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include <tbb/blocked_range.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/log.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/raster/reader.h>

#include "consensus_rasters.h"
#include "file_stem.h"

namespace furrow::labelling {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kBlock = 512;  ///< block size of the rasters: a block is written once

/// Moves polygons to another CRS; keeps one transformation per thread.
class Mover {
 public:
  Mover(const geo::Crs& from, const geo::Crs& to)
      : m_same(from.same_as(to)), m_transforms([from, to] { return geo::CoordinateTransform(from, to); }) {}

  [[nodiscard]] geo::MultiPolygon move(const geo::MultiPolygon& shape) {
    return m_same ? shape : m_transforms.local().apply(shape);
  }

 private:
  bool m_same;
  tbb::enumerable_thread_specific<geo::CoordinateTransform> m_transforms;
};

/// One site with its voters' maps, in the CRS of the pixels.
struct LocalSite {
  Campaign campaign;
  SiteVoters voters;
};

LocalSite localise(const Campaign& campaign, const Site& site, const SiteVoters& voters, const geo::Crs& crs,
                   Mover& mover) {
  LocalSite local{{crs, {{site.name, mover.move(site.cell)}}, {}}, voters};
  const auto take = [&](std::vector<std::size_t>& assignments) {
    for (std::size_t& i : assignments) {
      local.campaign.assignments.push_back(campaign.assignments[i]);
      for (auto& polygon : local.campaign.assignments.back().polygons)
        polygon.shape = mover.move(polygon.shape);
      i = local.campaign.assignments.size() - 1;
    }
  };
  take(local.voters.assignments);
  take(local.voters.learners);
  return local;
}

/// What joint methods know between the two times that sites are rasterised.
class JointStep {
 public:
  JointStep(const Campaign& campaign, std::span<const SiteVoters> voters, const ConsensusOptions& options)
      : m_options(options),
        m_collected(campaign.sites.size()),
        m_votes(campaign, voters, options.fusion.classes) {}

  /// Keeps the votes of a site. Safe to call concurrently for different sites.
  void collect(std::size_t site, const LocalSite& local, const geo::Grid& grid) {
    m_collected[site] =
        collect_votes(local.campaign, local.campaign.sites.front(), local.voters, grid, m_options);
  }

  void learn() {
    for (std::size_t i = 0; i < m_collected.size(); ++i) {
      if (!m_collected[i]) continue;
      m_votes.add(i, *m_collected[i]);
      m_collected[i].reset();
    }
    m_fit = fuse_jointly(m_votes, m_options);
  }

  [[nodiscard]] std::vector<FusedVote> decide(std::size_t site) const {
    return decide_site(m_votes, m_fit, site, m_options.fusion);
  }

  /// Hands over what was learned and from what.
  void finish(ConsensusResult& result) {
    result.joint = std::move(m_fit);
    result.votes = std::move(m_votes);
  }

 private:
  const ConsensusOptions& m_options;
  std::vector<std::optional<SiteVotes>> m_collected;  ///< by site
  JointVotes m_votes;
  JointFit m_fit;
};

/// Fuses a site; an expert's map is the consensus whatever the method.
/// @param joint  nullptr with methods that fuse site by site
SiteConsensus fuse_local(std::size_t index, const LocalSite& local, const geo::Grid& grid,
                         const ConsensusOptions& options, const JointStep* joint) {
  const Site& site = local.campaign.sites.front();
  if (joint == nullptr || local.voters.from_expert)
    return fuse_site(local.campaign, site, local.voters, grid, options);
  SiteConsensus consensus = collect_patterns(local.campaign, site, local.voters, grid, options);
  consensus.fused = joint->decide(index);
  return consensus;
}

// ---------------------------------------------------------------------------------------------------------------
// One raster for all sites

/// A site that owns pixels of the grid.
struct PlacedSite {
  std::size_t index = 0;  ///< in the campaign
  geo::Window window;
  SiteConsensus consensus;
};

class Mosaic {
 public:
  Mosaic(const Campaign& campaign, std::span<const SiteVoters> voters, const ConsensusOptions& options,
         const geo::Grid& grid, geo::ExecContext& exec)
      : m_campaign(campaign),
        m_voters(voters),
        m_options(options),
        m_grid(grid),
        m_exec(exec),
        m_mover(campaign.crs, grid.crs) {
    if (is_joint(options.method)) m_joint.emplace(campaign, voters, options);
  }

  void run(const fs::path& folder, ConsensusResult& result) {
    place(result);
    if (m_joint) learn();
    ConsensusRasters rasters(folder, raster_names("", m_options.fusion.classes), m_grid,
                             m_options.fusion.classes, m_options.cog, m_exec.threads());
    geo::Progress progress(m_exec, "fusing sites", static_cast<std::int64_t>(m_placed.size()));
    std::size_t next = 0;
    std::vector<PlacedSite*> active;
    for (std::int64_t row = 0; row < m_grid.height; row += kBlock) {
      const std::int64_t end = std::min(row + kBlock, m_grid.height);
      const std::size_t first = next;
      while (next < m_placed.size() && m_placed[next].window.row < end) active.push_back(&m_placed[next++]);
      fuse(first, next, progress, result);
      std::ranges::sort(active, {}, &PlacedSite::index);
      write_strip(row, end, active, rasters);
      std::erase_if(active, [end](PlacedSite* site) {
        if (site->window.end_row() > end) return false;
        site->consensus = {};
        return true;
      });
    }
    rasters.finish();
    if (m_joint) m_joint->finish(result);
  }

 private:
  [[nodiscard]] LocalSite local_site(const PlacedSite& placed) {
    return localise(m_campaign, m_campaign.sites[placed.index], m_voters[placed.index], m_grid.crs, m_mover);
  }

  void learn() {
    geo::Progress progress(m_exec, "reading votes", static_cast<std::int64_t>(m_placed.size()));
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, m_placed.size(), 1), [&](const auto& range) {
      for (std::size_t i = range.begin(); i != range.end(); ++i) {
        const PlacedSite& placed = m_placed[i];
        m_joint->collect(placed.index, local_site(placed), m_grid.subgrid(placed.window));
        progress.advance();
      }
    });
    m_joint->learn();
  }

  /// Finds the window of every site that has votes, in the order in which rows are written.
  void place(ConsensusResult& result) {
    geo::Box all;
    for (std::size_t i = 0; i < m_campaign.sites.size(); ++i) {
      const Site& site = m_campaign.sites[i];
      const geo::Box box = geo::bounds(m_mover.move(site.cell));
      all.expand(box);
      const geo::Window window = box.intersects(m_grid.bounds()) ? m_grid.window_of(box) : geo::Window{};
      if (window.empty()) {
        ++result.outside;
      } else if (m_voters[i].assignments.empty()) {
        ++result.without_vote;
      } else {
        m_placed.push_back({i, window, {}});
      }
    }
    if (result.outside == static_cast<std::int64_t>(m_campaign.sites.size())) throw no_common_area(all);
    std::ranges::stable_sort(m_placed, {}, [](const PlacedSite& site) { return site.window.row; });
  }

  [[nodiscard]] geo::IoError no_common_area(const geo::Box& sites) const {
    const auto text = [](const geo::Box& box) {
      return geo::concat("x ", box.min_x, " to ", box.max_x, ", y ", box.min_y, " to ", box.max_y);
    };
    return geo::IoError(geo::concat("the sites and the grid have no common area: sites ", text(sites),
                                    "; grid ", text(m_grid.bounds()), " (", m_grid.crs.name(),
                                    "); check the CRS of both"));
  }

  void fuse(std::size_t first, std::size_t last, geo::Progress& progress, ConsensusResult& result) {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(first, last, 1), [&](const auto& range) {
      for (std::size_t i = range.begin(); i != range.end(); ++i) {
        PlacedSite& placed = m_placed[i];
        placed.consensus = fuse_local(placed.index, local_site(placed), m_grid.subgrid(placed.window),
                                      m_options, m_joint ? &*m_joint : nullptr);
        measure_site(placed.consensus, m_options.risk_threshold, result.sites[placed.index]);
        progress.advance();
      }
    });
  }

  /// Writes rows [row, end) block by block; blocks without a site stay empty.
  void write_strip(std::int64_t row, std::int64_t end, const std::vector<PlacedSite*>& active,
                   ConsensusRasters& rasters) const {
    for (std::int64_t col = 0; col < m_grid.width; col += kBlock) {
      const geo::Window block{col, row, std::min(kBlock, m_grid.width - col), end - row};
      Decisions decisions;
      for (const PlacedSite* site : active) {
        const geo::Window common = geo::intersection(site->window, block);
        if (common.empty()) continue;
        if (decisions.empty()) decisions.assign(static_cast<std::size_t>(block.pixels()), nullptr);
        copy(*site, common, block, decisions);
      }
      if (!decisions.empty()) rasters.write(block, decisions);
    }
  }

  static void copy(const PlacedSite& site, const geo::Window& common, const geo::Window& block,
                   Decisions& decisions) {
    for (std::int64_t row = common.row; row < common.end_row(); ++row) {
      for (std::int64_t col = common.col; col < common.end_col(); ++col) {
        const auto from =
            static_cast<std::size_t>((row - site.window.row) * site.window.width + col - site.window.col);
        const auto to = static_cast<std::size_t>((row - block.row) * block.width + col - block.col);
        const FusedVote& fused = site.consensus.at(from);
        if (decisions[to] == nullptr && fused.label != geo::kIgnore) decisions[to] = &fused;
      }
    }
  }

  const Campaign& m_campaign;
  std::span<const SiteVoters> m_voters;
  const ConsensusOptions& m_options;
  const geo::Grid& m_grid;
  geo::ExecContext& m_exec;
  Mover m_mover;
  std::optional<JointStep> m_joint;
  std::vector<PlacedSite> m_placed;
};

// ---------------------------------------------------------------------------------------------------------------
// One set of rasters per site

geo::Grid grid_over(const geo::Box& cell, std::int64_t site_px, const geo::Crs& crs) {
  const auto pixels = static_cast<double>(site_px);
  return {site_px,
          site_px,
          {cell.min_x, cell.width() / pixels, 0.0, cell.max_y, 0.0, -cell.height() / pixels},
          crs};
}

void check_stems(const Campaign& campaign) {
  std::map<std::string, std::string> seen;
  for (const auto& site : campaign.sites) {
    const auto [it, added] = seen.emplace(file_stem(site.name), site.name);
    if (added) continue;
    throw geo::IoError(geo::concat("sites ", geo::quoted(it->second), " and ", geo::quoted(site.name),
                                   " would write the same files; rename one of them"));
  }
}

class SiteWriter {
 public:
  SiteWriter(const Campaign& campaign, std::span<const SiteVoters> voters, const ConsensusOptions& options,
             const ConsensusTarget& target, const fs::path& folder)
      : m_campaign(campaign), m_voters(voters), m_options(options), m_target(target), m_folder(folder) {}

  /// Keeps the votes of a site; a site without a usable grid is left to `run`.
  void collect(std::size_t index, JointStep& joint) const {
    const Site& site = m_campaign.sites[index];
    geo::Grid grid;
    std::string image;
    if (m_voters[index].assignments.empty() || !choose_grid(site, grid, image).empty()) return;
    Mover mover(m_campaign.crs, grid.crs);
    joint.collect(index, localise(m_campaign, site, m_voters[index], grid.crs, mover), grid);
  }

  /// @param joint     nullptr with methods that fuse site by site
  /// @param files     filled when rasters were written
  /// @return what was wrong with the site, or empty
  std::string run(std::size_t index, const JointStep* joint, SiteStatistics& statistics,
                  SiteFiles& files) const {
    const Site& site = m_campaign.sites[index];
    const SiteVoters& voters = m_voters[index];
    if (voters.assignments.empty()) return {};
    geo::Grid grid;
    std::string image;
    const std::string problem = choose_grid(site, grid, image);
    if (!problem.empty()) return problem;
    Mover mover(m_campaign.crs, grid.crs);
    const LocalSite local = localise(m_campaign, site, voters, grid.crs, mover);
    const SiteConsensus consensus = fuse_local(index, local, grid, m_options, joint);
    if (std::ranges::none_of(consensus.inside, [](std::uint8_t v) { return v != 0; }))
      return geo::concat("image ", geo::quoted(image),
                         " does not cover the site; check its CRS and the catalogue");
    measure_site(consensus, m_options.risk_threshold, statistics);
    files = write(site, image, consensus);
    return {};
  }

 private:
  std::string choose_grid(const Site& site, geo::Grid& grid, std::string& image) const {
    if (m_target.images.empty()) {
      grid = grid_over(geo::bounds(site.cell), m_target.site_px, m_campaign.crs);
      return {};
    }
    const auto it = m_target.images.find(site.name);
    if (it == m_target.images.end()) return "the table of images has no row for this site";
    image = it->second;
    try {
      grid = geo::RasterReader(image).grid();
    } catch (const geo::Error& error) {
      return error.what();
    }
    return {};
  }

  SiteFiles write(const Site& site, const std::string& image, const SiteConsensus& consensus) const {
    const RasterNames names = raster_names(file_stem(site.name) + "_", m_options.fusion.classes);
    ConsensusRasters rasters(m_folder, names, consensus.grid, m_options.fusion.classes, false, 1);
    Decisions decisions(consensus.inside.size());
    for (std::size_t p = 0; p < decisions.size(); ++p) decisions[p] = &consensus.at(p);
    rasters.write(consensus.grid.window(), decisions);
    rasters.finish();
    return {site.name, image, names.label, names.posterior, names.risk};
  }

  const Campaign& m_campaign;
  std::span<const SiteVoters> m_voters;
  const ConsensusOptions& m_options;
  const ConsensusTarget& m_target;
  const fs::path& m_folder;
};

void write_sites(const Campaign& campaign, std::span<const SiteVoters> voters,
                 const ConsensusOptions& options, const ConsensusTarget& target, const fs::path& folder,
                 geo::ExecContext& exec, ConsensusResult& result) {
  check_stems(campaign);
  const SiteWriter writer(campaign, voters, options, target, folder);
  const std::size_t n = campaign.sites.size();
  std::vector<SiteFiles> files(n);
  std::vector<std::string> problems(n);
  const auto for_all = [&](const char* what, const auto& work) {
    geo::Progress progress(exec, what, static_cast<std::int64_t>(n));
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, n, 1), [&](const auto& range) {
      for (std::size_t i = range.begin(); i != range.end(); ++i) {
        work(i);
        progress.advance();
      }
    });
  };
  std::optional<JointStep> joint;
  if (is_joint(options.method)) {
    joint.emplace(campaign, voters, options);
    for_all("reading votes", [&](std::size_t i) { writer.collect(i, *joint); });
    joint->learn();
  }
  for_all("fusing sites", [&](std::size_t i) {
    problems[i] = writer.run(i, joint ? &*joint : nullptr, result.sites[i], files[i]);
  });
  if (joint) joint->finish(result);
  for (std::size_t i = 0; i < n; ++i) {
    if (voters[i].assignments.empty()) ++result.without_vote;
    if (!problems[i].empty()) result.problems.push_back({"site " + campaign.sites[i].name, problems[i]});
    if (!files[i].labels.empty()) result.files.push_back(std::move(files[i]));
  }
}

// ---------------------------------------------------------------------------------------------------------------
// Tables

/// One column of the site statistics.
struct Column {
  const char* name;
  geo::FieldType type;
  const char* alias;
  std::function<geo::Value(const SiteStatistics&)> value;
};

geo::Value number(double value) {
  if (std::isnan(value)) return {};
  return value;
}

std::string source_of(const SiteStatistics& s) {
  return s.from_expert ? "expert" : s.n_labellers > 0 ? "labellers" : "none";
}

const std::vector<Column>& columns() {
  using geo::FieldType;
  using S = SiteStatistics;
  static const std::vector<Column> kColumns{
      {"name", FieldType::kString, "Site", [](const S& s) { return geo::Value(s.name); }},
      {"x", FieldType::kReal, "Longitude (degrees)", [](const S& s) { return number(s.lonlat.x); }},
      {"y", FieldType::kReal, "Latitude (degrees)", [](const S& s) { return number(s.lonlat.y); }},
      {"n_labellers", FieldType::kInteger, "Maps fused",
       [](const S& s) { return geo::Value(s.n_labellers); }},
      {"source", FieldType::kString, "Who mapped", [](const S& s) { return geo::Value(source_of(s)); }},
      {"n_pixels", FieldType::kInteger, "Pixels", [](const S& s) { return geo::Value(s.n_pixels); }},
      {"area_m2", FieldType::kReal, "Area (m2)", [](const S& s) { return number(s.area_m2); }},
      {"Risk", FieldType::kReal, "Mean risk", [](const S& s) { return number(s.mean_risk); }},
      {"Riskprop", FieldType::kReal, "Share of risky pixels",
       [](const S& s) { return number(s.risky_share); }},
      {"wrong_area_m2", FieldType::kReal, "Area expected wrong (m2)",
       [](const S& s) { return number(s.wrong_area_m2); }},
      {"field_share", FieldType::kReal, "Share of field", [](const S& s) { return number(s.field_share); }},
      {"interior_share", FieldType::kReal, "Share of field interior",
       [](const S& s) { return number(s.interior_share); }},
      {"band_share", FieldType::kReal, "Share of boundary band",
       [](const S& s) { return number(s.band_share); }},
      {"risk_band", FieldType::kReal, "Mean risk in the boundary band",
       [](const S& s) { return number(s.risk_band); }},
      {"risk_inside", FieldType::kReal, "Mean risk inside fields",
       [](const S& s) { return number(s.risk_inside); }},
      {"risk_outside", FieldType::kReal, "Mean risk outside fields",
       [](const S& s) { return number(s.risk_outside); }}};
  return kColumns;
}

std::string cell_text(const geo::Value& value) {
  return std::holds_alternative<std::monostate>(value) ? "NA" : geo::as_text(value);
}

}  // namespace

ConsensusResult write_consensus(const Campaign& campaign, std::span<const SiteVoters> voters,
                                const ConsensusOptions& options, const ConsensusTarget& target,
                                const fs::path& folder, geo::ExecContext& exec) {
  if (voters.size() != campaign.sites.size())
    throw geo::InvalidArgument("there must be one set of voters per site");
  if (target.site_px < 1)
    throw geo::InvalidArgument(geo::concat("site_px must be at least 1, got ", target.site_px));
  ConsensusResult result;
  result.sites = describe_sites(campaign, voters);
  if (target.grid) {
    Mosaic(campaign, voters, options, *target.grid, exec).run(folder, result);
  } else {
    write_sites(campaign, voters, options, target, folder, exec, result);
  }
  return result;
}

geo::CsvTable site_table(std::span<const SiteStatistics> sites) {
  geo::CsvTable table;
  for (const auto& column : columns()) table.columns.emplace_back(column.name);
  for (const auto& site : sites) {
    std::vector<std::string> row;
    for (const auto& column : columns()) row.push_back(cell_text(column.value(site)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

geo::Layer site_layer(const Campaign& campaign, std::span<const SiteStatistics> sites) {
  geo::Layer layer;
  layer.name = "sites";
  layer.crs = campaign.crs;
  for (const auto& column : columns()) layer.fields.push_back({column.name, column.type, column.alias});
  for (std::size_t i = 0; i < sites.size(); ++i) {
    geo::Feature feature;
    feature.geometry = campaign.sites[i].cell;
    for (const auto& column : columns()) feature.values.push_back(column.value(sites[i]));
    layer.features.push_back(std::move(feature));
  }
  return layer;
}

geo::CsvTable chip_table(std::span<const SiteFiles> files) {
  const bool images = std::ranges::any_of(files, [](const SiteFiles& f) { return !f.image.empty(); });
  geo::CsvTable table;
  table.columns = {"name"};
  if (images) table.columns.emplace_back("image");
  table.columns.insert(table.columns.end(), {"labels", "posterior", "risk"});
  for (const auto& f : files) {
    std::vector<std::string> row{f.name};
    if (images) row.push_back(f.image);
    row.insert(row.end(), {f.labels, f.posterior, f.risk});
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::map<std::string, std::string> read_site_images(const fs::path& path) {
  const geo::CsvTable table = geo::read_csv(path);
  const std::size_t name = table.column("name");
  const std::size_t image = table.column("image");
  std::map<std::string, std::string> images;
  std::set<std::string> repeated;
  for (const auto& row : table.rows) {
    if (geo::is_missing(row[name]) || geo::is_missing(row[image])) continue;
    const fs::path file = row[image];
    const bool absolute = file.is_absolute() || row[image].starts_with("/vsi");
    const auto [it, added] =
        images.emplace(row[name], absolute ? row[image] : (fs::absolute(path).parent_path() / file).string());
    if (!added) repeated.insert(row[name]);
  }
  if (!repeated.empty()) {
    geo::log_warning(geo::concat(geo::quoted(path.string()), " has several images for ", repeated.size(),
                                 " sites, for example ", geo::quoted(*repeated.begin()),
                                 "; the first of each is used"));
  }
  return images;
}

}  // namespace furrow::labelling
