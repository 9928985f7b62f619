#include <furrow/geo/core/text.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>

#include <furrow/geo/core/error.h>

namespace furrow::geo {

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

std::string fixed(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 400> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
  return {buffer.data(), result.ptr};
}

std::string shortest(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer{};
  // 600000, not 6e+05: people read these.
  const double size = std::abs(value);
  const auto format =
      size == 0.0 || (size >= 1e-5 && size < 1e15) ? std::chars_format::fixed : std::chars_format::general;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format);
  return {buffer.data(), result.ptr};
}

std::string readable(double value) {
  return value == std::floor(value) && std::abs(value) < 1e12 ? fixed(value, 0) : shortest(value);
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const auto end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower;
}

namespace {
template <class T>
bool parse_all(std::string_view text, T& value) {
  text = trim(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && !text.empty();
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}
}  // namespace

bool parse_number(std::string_view text, double& value) {
  return parse_all(text, value);
}
bool parse_number(std::string_view text, long long& value) {
  return parse_all(text, value);
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  const std::string wanted = to_lower(name);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::string lower = to_lower(candidate);
    std::size_t distance = edit_distance(wanted, lower);
    // "min-pixel" for "min-pixel-count": a beginning counts as near.
    if (wanted.size() >= 4 && lower.starts_with(wanted)) distance = std::min<std::size_t>(distance, 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::string best = nearest_name(name, candidates);
  return best.empty() ? std::string{} : "; did you mean " + quoted(best) + "?";
}

std::string human_bytes(double bytes) {
  static constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024.0 && unit + 1 < kUnits.size()) {
    bytes /= 1024.0;
    ++unit;
  }
  return fixed(bytes, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

std::size_t parse_bytes(std::string_view text) {
  const std::string_view all = trim(text);
  const auto end = all.find_first_not_of("0123456789.");
  double number = 0.0;
  const std::string unit = to_lower(trim(end == std::string_view::npos ? "" : all.substr(end)));
  static const std::vector<std::pair<std::string, double>> kUnits{{"", 1.0},
                                                                  {"b", 1.0},
                                                                  {"k", 1024.0},
                                                                  {"kb", 1e3},
                                                                  {"kib", 1024.0},
                                                                  {"m", 1048576.0},
                                                                  {"mb", 1e6},
                                                                  {"mib", 1048576.0},
                                                                  {"g", 1073741824.0},
                                                                  {"gb", 1e9},
                                                                  {"gib", 1073741824.0},
                                                                  {"tb", 1e12},
                                                                  {"tib", 1099511627776.0}};
  const auto it = std::ranges::find(kUnits, unit, &std::pair<std::string, double>::first);
  if (!parse_number(all.substr(0, end), number) || it == kUnits.end()) {
    throw InvalidArgument(quoted(text) + " is not a size; write for example 2GiB or 500MB");
  }
  return static_cast<std::size_t>(number * it->second);
}

}  // namespace furrow::geo
