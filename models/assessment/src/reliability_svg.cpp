#include <array>
#include <cmath>
#include <string>

#include <furrow/assessment/reliability.h>
#include <furrow/geo/core/text.h>

namespace furrow::assessment {
namespace {

// Colours that colour-blind readers can tell apart (Okabe and Ito 2008).
constexpr std::array kColours{"#0072b2", "#d55e00", "#009e73"};
constexpr double kSide = 400.0;  // of the square, in the picture's units
constexpr double kLeft = 60.0;
constexpr double kTop = 20.0;

std::string x_of(double share) {
  return geo::fixed(kLeft + share * kSide, 1);
}
std::string y_of(double share) {
  return geo::fixed(kTop + (1.0 - share) * kSide, 1);
}

std::string line(double x0, double y0, double x1, double y1, const char* stroke) {
  return geo::concat("<line x1='", x_of(x0), "' y1='", y_of(y0), "' x2='", x_of(x1), "' y2='", y_of(y1),
                     "' stroke='", stroke, "'/>\n");
}

std::string label(const std::string& x, const std::string& y, const char* anchor, const std::string& text) {
  return geo::concat("<text x='", x, "' y='", y, "' text-anchor='", anchor, "'>", text, "</text>\n");
}

std::string axes() {
  std::string text;
  for (int tick = 0; tick <= 5; ++tick) {
    const double share = 0.2 * tick;
    text += line(share, 0.0, share, 1.0, "#e4e4e4") + line(0.0, share, 1.0, share, "#e4e4e4");
    text += label(x_of(share), geo::fixed(kTop + kSide + 18.0, 1), "middle", geo::fixed(share, 1));
    text += label(geo::fixed(kLeft - 8.0, 1), y_of(share - 0.01), "end", geo::fixed(share, 1));
  }
  text += label(x_of(0.5), geo::fixed(kTop + kSide + 40.0, 1), "middle", "predicted probability of a match");
  text += geo::concat("<g transform='rotate(-90 16 ", y_of(0.5), ")'>",
                      label("16", y_of(0.5), "middle", "share that matched"), "</g>\n");
  return text + line(0.0, 0.0, 1.0, 1.0, "#777777");
}

std::string points(const Reliability& reliability, const char* colour) {
  std::string text;
  for (const ReliabilityBin& bin : reliability.bins) {
    text += line(bin.predicted, bin.observed_range.low, bin.predicted, bin.observed_range.high, colour);
    const double share = static_cast<double>(bin.fields) / static_cast<double>(reliability.fields);
    text += geo::concat("<circle cx='", x_of(bin.predicted), "' cy='", y_of(bin.observed), "' r='",
                        geo::fixed(3.0 + 12.0 * std::sqrt(share), 1), "' fill='", colour,
                        "' fill-opacity='0.7'><title>", bin.fields, " fields: predicted ",
                        geo::fixed(bin.predicted, 2), ", observed ", geo::fixed(bin.observed, 2), " [",
                        geo::fixed(bin.observed_range.low, 2), ", ", geo::fixed(bin.observed_range.high, 2),
                        "]</title></circle>\n");
  }
  return text;
}

}  // namespace

std::string reliability_svg(std::span<const NamedReliability> all) {
  const double height = kTop + kSide + 60.0 + 20.0 * static_cast<double>(all.size());
  std::string text = geo::concat("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ",
                                 geo::fixed(kLeft + kSide + 20.0, 0), " ", geo::fixed(height, 0),
                                 "' font-family='sans-serif' font-size='12' fill='#222'>\n"
                                 "<rect width='100%' height='100%' fill='#fff'/>\n",
                                 axes());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Reliability& r = all[i].reliability;
    const char* colour = kColours[i % kColours.size()];
    const double y = kTop + kSide + 62.0 + 20.0 * static_cast<double>(i);
    text += points(r, colour);
    text += geo::concat("<circle cx='", x_of(0.0), "' cy='", geo::fixed(y - 4.0, 1), "' r='5' fill='", colour,
                        "'/>\n");
    text +=
        label(geo::fixed(kLeft + 12.0, 1), geo::fixed(y, 1), "start",
              geo::concat(all[i].of, ": ", r.fields, " fields, Brier ", geo::fixed(r.brier, 3),
                          " (one for all: ", geo::fixed(r.base_brier, 3), "), ECE ", geo::fixed(r.ece, 3)));
  }
  return text + "</svg>\n";
}

}  // namespace furrow::assessment
