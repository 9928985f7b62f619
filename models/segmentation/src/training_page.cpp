#include "training_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <string_view>

#include <furrow/geo/core/text.h>

namespace furrow::segmentation {
namespace {

using geo::concat;

// Colours that colour-blind readers can tell apart (Okabe and Ito 2008).
constexpr const char* kBlue = "#0072b2";
constexpr const char* kOrange = "#d55e00";
constexpr const char* kGreen = "#009e73";
constexpr const char* kPurple = "#aa4499";
constexpr const char* kGrey = "#777777";

constexpr double kWidth = 560.0;  // of a chart, in its own units
constexpr double kHeight = 260.0;
constexpr double kLeft = 58.0;
constexpr double kRight = 14.0;
constexpr double kTop = 14.0;
constexpr double kBottom = 40.0;

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:1180px;margin:2em "
    "auto;padding:0 "
    "1em}h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.1em;margin:1.6em 0 .4em}p{margin:.3em 0}\n"
    "table{border-collapse:collapse}td,th{padding:.15em 1.2em .15em "
    "0;text-align:left;vertical-align:top;border-bottom:"
    "1px solid #e4e4e4}td.n{text-align:right;font-variant-numeric:tabular-nums}td.w{overflow-wrap:anywhere}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:1em "
    "2em}figure{margin:"
    "0}figcaption{font-weight:600}svg{width:100%;height:auto;font:12px system-ui,sans-serif}\n"
    ".warn{border-left:4px solid #d55e00;background:#fff6ee;padding:.5em 1em;margin:1em 0}.warn "
    "p{margin:.2em "
    "0}.key{font-size:.9em}.key span{margin-right:1.2em;white-space:nowrap}.key "
    "i{display:inline-block;width:1.6em;height:.25em;margin-right:.4em;vertical-align:middle}\n"
    "@media print{body{margin:0;max-width:none}figure{break-inside:avoid}}\n";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

std::string percent(double value) {
  return std::isnan(value) ? std::string("not measured") : geo::fixed(100.0 * value, 1) + " %";
}

/// 1234567 as "1 234 567", with spaces that do not break.
std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), "&#8239;");
  return digits;
}

/// Whole steps of 1, 2 or 5 times a power of ten that give at most five intervals.
double tick_step(double range) {
  const double power = std::pow(10.0, std::floor(std::log10(range / 5.0)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (range / (step * power) <= 5.0 + 1e-9) return step * power;
  }
  return 10.0 * power;
}

/// Where numbers lie in a chart.
struct Axes {
  double min_x = 0.0, max_x = 1.0, min_y = 0.0, max_y = 1.0;

  [[nodiscard]] double x(double value) const {
    return kLeft + (value - min_x) / (max_x - min_x) * (kWidth - kLeft - kRight);
  }
  [[nodiscard]] double y(double value) const {
    return kHeight - kBottom - (value - min_y) / (max_y - min_y) * (kHeight - kTop - kBottom);
  }
};

std::string point(double x, double y) {
  return concat(geo::fixed(x, 1), ",", geo::fixed(y, 1));
}

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view rest) {
  return concat("<line x1=\"", geo::fixed(x1, 1), "\" y1=\"", geo::fixed(y1, 1), "\" x2=\"",
                geo::fixed(x2, 1), "\" y2=\"", geo::fixed(y2, 1), "\" ", rest, "/>\n");
}

std::string svg_text(double x, double y, std::string_view anchor, std::string_view text) {
  return concat("<text x=\"", geo::fixed(x, 1), "\" y=\"", geo::fixed(y, 1), "\" text-anchor=\"", anchor,
                "\" fill=\"#444\">", text, "</text>\n");
}

/// Of a number on an axis: without the digits that adding steps leaves behind.
std::string tick_text(double value, double step) {
  return geo::readable(std::abs(value) < 1e-9 * step ? 0.0 : std::stod(geo::fixed(value, 9)));
}

/// Frame, grid, numbers and the name of the x axis.
std::string draw_axes(const Axes& axes, const std::string& x_name, bool whole_x) {
  std::string svg;
  const double step_y = tick_step(axes.max_y - axes.min_y);
  for (double v = std::ceil(axes.min_y / step_y - 1e-9) * step_y; v <= axes.max_y + 1e-9 * step_y;
       v += step_y) {
    svg += svg_line(kLeft, axes.y(v), kWidth - kRight, axes.y(v), "stroke=\"#e4e4e4\"");
    svg += svg_text(kLeft - 6.0, axes.y(v) + 4.0, "end", tick_text(v, step_y));
  }
  double step_x = tick_step(axes.max_x - axes.min_x);
  if (whole_x) step_x = std::max(1.0, step_x);
  for (double v = std::ceil(axes.min_x / step_x - 1e-9) * step_x; v <= axes.max_x + 1e-9 * step_x;
       v += step_x) {
    svg += svg_line(axes.x(v), kHeight - kBottom, axes.x(v), kHeight - kBottom + 4.0, "stroke=\"#888\"");
    svg += svg_text(axes.x(v), kHeight - kBottom + 17.0, "middle", tick_text(v, step_x));
  }
  svg += svg_line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "stroke=\"#888\"");
  return svg + svg_text(0.5 * (kLeft + kWidth - kRight), kHeight - 6.0, "middle", x_name);
}

struct Series {
  std::string name;
  const char* colour;
  std::function<double(const EpochMetrics&)> value;
};

std::string key_of(const std::vector<std::pair<std::string, const char*>>& entries) {
  std::string html = "<div class=\"key\">";
  for (const auto& [name, colour] : entries)
    html += concat("<span><i style=\"background:", colour, "\"></i>", name, "</span>");
  return html + "</div>";
}

std::string figure(const std::string& title, const std::string& key, const std::string& drawing) {
  return concat("<figure><figcaption>", title, "</figcaption>", key, "\n<svg viewBox=\"0 0 ", kWidth, " ",
                kHeight, "\" role=\"img\" aria-label=\"", title, "\">\n", drawing, "</svg></figure>\n");
}

/// One value per epoch as a line that breaks where there is none, with a dot where it stands alone.
std::string draw_series(const Series& series, const std::vector<EpochMetrics>& epochs, const Axes& axes) {
  std::string svg;
  std::vector<std::string> run;
  const auto flush = [&] {
    if (run.size() == 1) {
      const std::vector<std::string> xy = geo::split(run.front(), ',');
      svg += concat("<circle cx=\"", xy[0], "\" cy=\"", xy[1], "\" r=\"3\" fill=\"", series.colour, "\"/>\n");
    } else if (run.size() > 1) {
      svg += concat("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"", series.colour, "\" points=\"",
                    geo::join(run, " "), "\"/>\n");
    }
    run.clear();
  };
  for (const EpochMetrics& epoch : epochs) {
    const double value = series.value(epoch);
    if (std::isnan(value)) {
      flush();
    } else {
      run.push_back(point(axes.x(static_cast<double>(epoch.epoch)), axes.y(value)));
    }
  }
  flush();
  return svg;
}

/// A chart of some figures over epochs; a dashed line marks the kept epoch. Empty when there is no figure.
std::string epoch_chart(const std::string& title, const TrainReport& report, const std::vector<Series>& all,
                        bool shares) {
  Axes axes;
  axes.min_x = static_cast<double>(report.epochs.front().epoch);
  axes.max_x = std::max(axes.min_x + 1.0, static_cast<double>(report.epochs.back().epoch));
  double largest = 0.0;
  std::vector<std::pair<std::string, const char*>> keys;
  for (const Series& series : all) {
    double most = -1.0;
    for (const EpochMetrics& epoch : report.epochs)
      if (const double v = series.value(epoch); !std::isnan(v)) most = std::max(most, v);
    if (most < 0.0) continue;
    largest = std::max(largest, most);
    keys.emplace_back(series.name, series.colour);
  }
  if (keys.empty()) return {};
  if (!shares && largest > 0.0) axes.max_y = 1.05 * largest;
  const double best = axes.x(static_cast<double>(report.best_epoch));
  std::string drawing =
      draw_axes(axes, "epoch", true) +
      svg_line(best, kTop, best, kHeight - kBottom, "stroke=\"#777777\" stroke-dasharray=\"4 3\"");
  for (const Series& series : all) drawing += draw_series(series, report.epochs, axes);
  keys.emplace_back("kept epoch", kGrey);
  return figure(title, key_of(keys), drawing);
}

/// Share of right answers by probability, one bar per bin; the line is where both are the same.
std::string reliability_chart(const std::string& title, const std::vector<ReliabilityBin>& bins) {
  const Axes axes;
  std::string drawing = draw_axes(axes, "mean probability of the likeliest class", false);
  const double step = 1.0 / static_cast<double>(bins.size());
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i].pixels == 0) continue;
    const double left = axes.x(static_cast<double>(i) * step);
    const double right = axes.x(static_cast<double>(i + 1) * step);
    const double top = axes.y(bins[i].correct);
    drawing +=
        concat("<rect x=\"", geo::fixed(left + 1.0, 1), "\" y=\"", geo::fixed(top, 1), "\" width=\"",
               geo::fixed(right - left - 2.0, 1), "\" height=\"", geo::fixed(axes.y(0.0) - top, 1),
               "\" fill=\"", kBlue, "\" fill-opacity=\"0.75\"><title>", bins[i].pixels, " pixels, ",
               percent(bins[i].correct), " right at ", percent(bins[i].probability), "</title></rect>\n");
    drawing += concat("<circle cx=\"", geo::fixed(axes.x(bins[i].probability), 1), "\" cy=\"",
                      geo::fixed(top, 1), "\" r=\"3\" fill=\"", kOrange, "\"/>\n");
  }
  drawing += svg_line(axes.x(0.0), axes.y(0.0), axes.x(1.0), axes.y(1.0),
                      "stroke=\"#444\" stroke-dasharray=\"5 4\"");
  return figure(title, key_of({{"share of right pixels", kBlue}, {"at their mean probability", kOrange}}),
                drawing);
}

std::string row(std::string_view name, std::string_view value, bool number = true) {
  return concat("<tr><th>", name, "</th><td class=\"", number ? "n" : "w", "\">", value, "</td></tr>\n");
}

const EpochMetrics& best_epoch(const TrainReport& report) {
  return report.epochs[static_cast<std::size_t>(report.best_epoch - 1)];
}

std::string figures(const TrainReport& report) {
  const EpochMetrics& best = best_epoch(report);
  return concat(
      "<h2>The kept epoch, on validation blocks</h2>\n<table>\n",
      row("epoch", concat(report.best_epoch, " of ", report.epochs.size())),
      row("F1 of fields at IoU 0.5", percent(best.val_object_f1)),
      row("IoU of fields (interior and boundary)", percent(best.val_iou_extent)),
      row("IoU of interior", percent(best.val_iou[1])), row("IoU of boundary", percent(best.val_iou[2])),
      row("calibration error before, after",
          concat(percent(report.ece_before), ", ", percent(report.ece_after))),
      row("temperature", geo::fixed(report.temperature, 3)), row("parameters", grouped(report.parameters)),
      row("receptive radius", concat(report.receptive_radius_px, " px")), "</table>\n");
}

std::string data_table(const TrainingDataSummary& data) {
  const std::int64_t labelled = data.labelled_px[0] + data.labelled_px[1] + data.labelled_px[2];
  const auto share = [&](std::size_t c) {
    const double part =
        static_cast<double>(data.labelled_px[c]) / static_cast<double>(std::max<std::int64_t>(1, labelled));
    return concat(grouped(data.labelled_px[c]), " (", percent(part), ")");
  };
  return concat("<h2>Data</h2>\n<table>\n", row("training blocks", grouped(data.train_blocks)),
                row("validation blocks", grouped(data.val_blocks)),
                row("training windows per epoch", grouped(data.train_chips)),
                row("validation windows", grouped(data.val_chips)), row("background pixels", share(0)),
                row("interior pixels", share(1)), row("boundary pixels", share(2)),
                row("labelled, but without image", grouped(data.labelled_without_image_px)),
                row("labelled, but without risk", grouped(data.labelled_without_risk_px)), "</table>\n");
}

std::string options_table(const ModelSpec& spec) {
  std::string html = "<h2>Options</h2>\n<table>\n";
  for (const auto& [name, value] : spec.training) html += row(escaped(name), escaped(value), false);
  return html + "</table>\n";
}

std::string charts(const TrainReport& report) {
  std::string html = "<h2>Course</h2>\n<div class=\"charts\">\n";
  html += epoch_chart("Loss", report,
                      {{"training", kBlue, [](const EpochMetrics& e) { return e.train_loss; }},
                       {"validation", kOrange, [](const EpochMetrics& e) { return e.val_loss; }}},
                      false);
  html += epoch_chart("Fields and pixels found (validation)", report,
                      {{"F1 of fields", kOrange, [](const EpochMetrics& e) { return e.val_object_f1; }},
                       {"IoU extent", kBlue, [](const EpochMetrics& e) { return e.val_iou_extent; }},
                       {"IoU interior", kGreen, [](const EpochMetrics& e) { return e.val_iou[1]; }},
                       {"IoU boundary", kPurple, [](const EpochMetrics& e) { return e.val_iou[2]; }}},
                      true);
  html +=
      epoch_chart("Learning rate at the end of the epoch", report,
                  {{"learning rate", kBlue, [](const EpochMetrics& e) { return e.learning_rate; }}}, false);
  html += "</div>\n";
  if (std::isnan(report.ece_before)) return html;
  return concat(
      html,
      "<h2>Calibration</h2>\n<p>Bars on the dashed line mean: of the pixels said to be right with 80 %, "
      "80 % are. Measured on the pixels that the temperature was fitted on.</p>\n<div class=\"charts\">\n",
      reliability_chart(concat("Before: error ", percent(report.ece_before)), report.reliability_before),
      reliability_chart(concat("After: error ", percent(report.ece_after)), report.reliability_after),
      "</div>\n");
}

}  // namespace

std::vector<std::string> training_warnings(const TrainReport& report, const TrainingDataSummary& data) {
  std::vector<std::string> all;
  const EpochMetrics& best = best_epoch(report);
  static constexpr std::array kClassNames{"background", "interior", "boundary"};
  for (std::size_t c = 0; c < kClassNames.size(); ++c) {
    if (data.labelled_px[c] == 0) all.push_back(concat("No pixel is labelled ", kClassNames[c], "."));
  }
  if (data.val_chips == 0) {
    all.emplace_back("No validation: the last epoch was kept and nothing was calibrated.");
    return all;
  }
  if (data.val_blocks < 10) {
    all.push_back(concat("Only ", data.val_blocks,
                         data.val_blocks == 1 ? " validation block" : " validation blocks",
                         ": the figures are rough."));
  }
  if (std::isnan(best.val_object_f1))
    all.emplace_back("The validation labels tell no fields apart, so there is no F1 of fields.");
  if (report.epochs.size() > 1 && report.best_epoch == report.epochs.back().epoch) {
    all.emplace_back("The last epoch was the best one: longer training may help (--epochs).");
  }
  if (report.ece_after > report.ece_before + 0.01)
    all.emplace_back("The temperature with the smallest log loss has a larger calibration error than none.");
  if (data.labelled_without_image_px > 0)
    all.push_back(
        concat(data.labelled_without_image_px, " labelled pixels lie where the image has no data; ignored."));
  if (data.labelled_without_posterior_px > 0)
    all.push_back(concat(data.labelled_without_posterior_px, " labelled pixels have no posterior; ignored."));
  if (data.labelled_without_risk_px > 0)
    all.push_back(
        concat(data.labelled_without_risk_px, " labelled pixels have no risk; they weigh as the riskiest."));
  return all;
}

std::string training_page(const ModelSpec& spec, const TrainReport& report, const TrainingDataSummary& data) {
  std::string warnings;
  for (const std::string& text : training_warnings(report, data))
    warnings += concat("<p>", escaped(text), "</p>\n");
  if (!warnings.empty()) warnings = concat("<div class=\"warn\">\n", warnings, "</div>\n");
  std::vector<std::string> bands;
  for (const ModelBand& band : spec.bands) bands.push_back(escaped(band.name));
  return concat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>Training of model ",
      escaped(spec.id), "</title>\n<style>\n", kStyle, "</style>\n</head>\n<body>\n<h1>Training of model ",
      escaped(spec.id), "</h1>\n<p>", escaped(spec.architecture), ", ", escaped(spec.created), "; bands ",
      geo::join(bands, ", "), "; pixels of ", geo::fixed(spec.pixel_size_m, 2), " m</p>\n", warnings,
      figures(report), charts(report), data_table(data), options_table(spec), "</body>\n</html>\n");
}

}  // namespace furrow::segmentation
