// How many pixels a second the votes of several labellers are fused, from votes in memory to labels and
// risks: distinct combinations of votes, the fit to them, and the two arrays. Beside it a plain read of the
// same bytes (what the memory gives) and the published weighted vote pixel by pixel.
//   fuse_votes [sites] [labellers] [pixels a side] [threads] [runs] [file for the votes]
// With a file the votes are left there for benchmarks/fuse_votes_numpy.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include <furrow/geo/core/exec_context.h>
#include <furrow/geo/core/random.h>
#include <furrow/labelling/bayes_consensus.h>
#include <furrow/labelling/consensus.h>

namespace {

using namespace furrow;
using labelling::Vote;

std::size_t argument(int argc, char** argv, int index, std::size_t fallback) {
  return index < argc ? static_cast<std::size_t>(std::atoll(argv[index])) : fallback;
}

/// Votes of field or not: shape [sites, labellers, px, px].
struct Votes {
  std::size_t sites = 0;
  std::size_t labellers = 0;
  std::size_t px = 0;
  std::vector<Vote> data;

  [[nodiscard]] std::size_t pixels() const { return px * px; }
  [[nodiscard]] std::span<const Vote> layer(std::size_t site, std::size_t labeller) const {
    return {data.data() + (site * labellers + labeller) * pixels(), pixels()};
  }
};

/// Rectangular fields; every labeller shifts each outline by up to 2 px and misses one field in ten, so that
/// votes come in runs, as those of polygons do.
void draw_layer(std::size_t site, geo::Random& random, std::size_t px, Vote* out) {
  const std::size_t side = 18 + site % 17;
  const std::size_t across = (px + side - 1) / side;
  for (std::size_t field = 0; field < across * across; ++field) {
    if ((field * 2654435761U + site) % 3 == 0 || random.chance(0.1)) continue;
    const auto edge = [&](std::size_t place) {
      const auto moved = static_cast<std::int64_t>(place) + static_cast<std::int64_t>(random.below(5)) - 2;
      return static_cast<std::size_t>(std::clamp<std::int64_t>(moved, 0, static_cast<std::int64_t>(px)));
    };
    const std::size_t top = edge(field / across * side + 2);
    const std::size_t left = edge(field % across * side + 2);
    const std::size_t bottom = std::min(px, edge((field / across + 1) * side - 2));
    const std::size_t right = std::min(px, edge((field % across + 1) * side - 2));
    for (std::size_t row = top; row < bottom; ++row)
      if (left < right) std::memset(out + row * px + left, 1, right - left);
  }
}

Votes draw(std::size_t sites, std::size_t labellers, std::size_t px) {
  Votes votes{sites, labellers, px, std::vector<Vote>(sites * labellers * px * px, 0)};
  tbb::parallel_for(std::size_t{0}, sites, [&](std::size_t s) {
    geo::Random random(1, s);
    for (std::size_t l = 0; l < labellers; ++l)
      draw_layer(s, random, px, votes.data.data() + (s * labellers + l) * px * px);
  });
  return votes;
}

struct Output {
  std::vector<std::uint8_t> label;
  std::vector<float> risk;
};

void paint(const labelling::VotePatterns& patterns, std::span<const labelling::FusedVote> fused,
           std::size_t first, Output& out) {
  std::vector<std::uint8_t> label;
  std::vector<float> risk;
  for (const auto& f : fused) {
    label.push_back(f.label);
    risk.push_back(static_cast<float>(f.risk));
  }
  for (std::size_t p = 0; p < patterns.of_pixel.size(); ++p) {
    out.label[first + p] = label[patterns.of_pixel[p]];
    out.risk[first + p] = risk[patterns.of_pixel[p]];
  }
}

labelling::VotePatterns patterns_of(const Votes& votes, std::size_t site) {
  labelling::PatternBuilder builder(votes.pixels());
  for (std::size_t l = 0; l < votes.labellers; ++l) builder.add(votes.layer(site, l));
  return std::move(builder).finish();
}

labelling::FusionOptions two_classes() {
  labelling::FusionOptions options;
  options.classes = 2;
  return options;
}

void fuse_by_weight(const Votes& votes, std::span<const labelling::VoterWeight> weights, Output& out) {
  tbb::parallel_for(std::size_t{0}, votes.sites, [&](std::size_t s) {
    const auto patterns = patterns_of(votes, s);
    paint(patterns, labelling::fuse_patterns(patterns, weights, two_classes()), s * votes.pixels(), out);
  });
}

void fuse_by_bayes(const Votes& votes, Output& out) {
  std::vector<labelling::VotePatterns> all(votes.sites);
  tbb::parallel_for(std::size_t{0}, votes.sites, [&](std::size_t s) { all[s] = patterns_of(votes, s); });
  labelling::VoteTable table(2, 2, votes.labellers);
  std::vector<std::size_t> first;
  std::vector<labelling::VoteEntry> entries(votes.labellers);
  for (std::size_t s = 0; s < votes.sites; ++s) {
    first.push_back(table.rows());
    for (std::size_t i = 0; i < all[s].size(); ++i) {
      for (std::size_t l = 0; l < votes.labellers; ++l)
        entries[l] = {static_cast<std::uint32_t>(l), all[s].pattern(i)[l], 1};
      table.add(entries, static_cast<double>(all[s].counts[i]), -1, static_cast<std::uint32_t>(s));
    }
  }
  const auto fit = labelling::fuse_bayes(table).fusion;
  tbb::parallel_for(std::size_t{0}, votes.sites, [&](std::size_t s) {
    std::vector<labelling::FusedVote> fused;
    for (std::size_t i = 0; i < all[s].size(); ++i)
      fused.push_back(labelling::decide_posterior(fit.posterior_of(first[s] + i), two_classes()));
    paint(all[s], fused, s * votes.pixels(), out);
  });
}

/// The published formula for every pixel, as plainly as it can be written.
void fuse_by_pixel(const Votes& votes, std::span<const labelling::VoterWeight> weights, Output& out) {
  tbb::parallel_for(std::size_t{0}, votes.sites, [&](std::size_t s) {
    for (std::size_t p = 0; p < votes.pixels(); ++p) {
      double field = 0.0;
      double total = 0.0;
      for (std::size_t l = 0; l < votes.labellers; ++l) {
        const bool says = votes.layer(s, l)[p] != 0;
        const double w = weights[l].score * (says ? weights[l].field_skill : weights[l].nofield_skill);
        total += w;
        if (says) field += w;
      }
      const double heat = field / total;
      const bool label = heat > 0.5000001;
      out.label[s * votes.pixels() + p] = label ? 1 : 0;
      out.risk[s * votes.pixels() + p] = static_cast<float>(label ? 1.0 - heat : heat);
    }
  });
}

/// Sum of all bytes, eight at a time: what reading them costs at least.
std::uint64_t read_all(const Votes& votes) {
  const std::size_t words = votes.data.size() / sizeof(std::uint64_t);
  return tbb::parallel_reduce(
      tbb::blocked_range<std::size_t>(0, words, 1U << 16U), std::uint64_t{0},
      [&](const auto& range, std::uint64_t sum) {
        std::uint64_t parts[4] = {sum, 0, 0, 0};
        for (std::size_t i = range.begin(); i + 4 <= range.end(); i += 4) {
          std::uint64_t four[4];
          std::memcpy(four, votes.data.data() + i * sizeof(std::uint64_t), sizeof four);
          for (std::size_t k = 0; k < 4; ++k) parts[k] += four[k];
        }
        return parts[0] + parts[1] + parts[2] + parts[3];
      },
      std::plus<>());
}

struct Timing {
  double median = 0.0;
  double low = 0.0;
  double high = 0.0;
};

Timing seconds_of(std::size_t runs, const std::function<void()>& work) {
  std::vector<double> seconds;
  work();
  for (std::size_t i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  return {seconds[runs / 2], seconds.front(), seconds.back()};
}

double mean_risk(const Output& out) {
  double sum = 0.0;
  for (const float risk : out.risk) sum += static_cast<double>(risk);
  return sum / static_cast<double>(out.risk.size());
}

void measure(const Votes& votes, std::size_t runs) {
  const double megapixels = static_cast<double>(votes.sites * votes.pixels()) / 1e6;
  const double bytes = static_cast<double>(votes.data.size());
  std::vector<labelling::VoterWeight> weights;
  for (std::size_t l = 0; l < votes.labellers; ++l) {
    const double skill = 0.95 - 0.05 * static_cast<double>(l % 5);
    weights.push_back({skill - 0.1, skill, 0.98});
  }
  const std::vector<labelling::VoterWeight> one_voice(votes.labellers);
  Output out{std::vector<std::uint8_t>(votes.sites * votes.pixels()),
             std::vector<float>(votes.sites * votes.pixels())};
  std::uint64_t sum = 0;
  const Timing read = seconds_of(runs, [&] { sum += read_all(votes); });
  const auto tell = [&](const char* what, const Timing& t, bool fused) {
    std::cout << what << megapixels / t.median << " Mpx/s [" << megapixels / t.high << " to "
              << megapixels / t.low << "], " << bytes / t.median / 1e9 << " GB/s of votes, "
              << 100.0 * read.median / t.median << " % of a plain read";
    if (fused) std::cout << "; mean risk " << mean_risk(out);
    std::cout << '\n';
  };
  tell("plain read          ", read, false);
  std::vector<std::size_t> n_patterns(votes.sites);
  tell("patterns            ",
       seconds_of(runs,
                  [&] {
                    tbb::parallel_for(std::size_t{0}, votes.sites,
                                      [&](std::size_t s) { n_patterns[s] = patterns_of(votes, s).size(); });
                  }),
       false);
  tell("majority            ", seconds_of(runs, [&] { fuse_by_weight(votes, one_voice, out); }), true);
  tell("weighted            ", seconds_of(runs, [&] { fuse_by_weight(votes, weights, out); }), true);
  tell("weighted, by pixel  ", seconds_of(runs, [&] { fuse_by_pixel(votes, weights, out); }), true);
  tell("bayes               ", seconds_of(runs, [&] { fuse_by_bayes(votes, out); }), true);
  std::size_t total = 0;
  for (const std::size_t n : n_patterns) total += n;
  std::cout << total << " patterns; sum of the votes " << sum % 997 << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t threads = argument(argc, argv, 4, 4);
  geo::ExecOptions options;
  options.threads = static_cast<int>(threads);
  geo::ExecContext exec(options);
  exec.execute([&] {
    const Votes votes =
        draw(argument(argc, argv, 1, 1000), argument(argc, argv, 2, 5), argument(argc, argv, 3, 224));
    std::cout << votes.sites << " sites of " << votes.px << " px, " << votes.labellers << " labellers, "
              << threads << " threads\n";
    measure(votes, argument(argc, argv, 5, 7));
    if (argc > 6) {
      std::ofstream file(argv[6], std::ios::binary);
      file.write(reinterpret_cast<const char*>(votes.data.data()),
                 static_cast<std::streamsize>(votes.data.size()));
    }
  });
}
