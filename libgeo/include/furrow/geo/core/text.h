#pragma once

#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::geo {

/// Joins its arguments into one string, each written as operator<< writes it (doubles with 15 digits at
/// most).
template <class... Ts>
[[nodiscard]] std::string concat(const Ts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(15);
  (out << ... << parts);
  return out.str();
}

/// `text` between single quotes, as names appear in messages.
[[nodiscard]] std::string quoted(std::string_view text);
/// Exact matches: otherwise the unqualified call on a std::string would find std::quoted.
[[nodiscard]] inline std::string quoted(const std::string& text) {
  return quoted(std::string_view(text));
}
[[nodiscard]] inline std::string quoted(const char* text) {
  return quoted(std::string_view(text));
}
[[nodiscard]] inline std::string quoted(std::string& text) {
  return quoted(std::string_view(text));
}

/// `value` with exactly `digits` digits after the point, independent of the locale; "nan" for NaN.
[[nodiscard]] std::string fixed(double value, int digits);

/// The shortest text that reads back as exactly `value`, independent of the locale.
[[nodiscard]] std::string shortest(double value);
/// The same for people: whole numbers below 1e12 without an exponent (200000, not 2e+05).
[[nodiscard]] std::string readable(double value);

[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string to_lower(std::string_view text);

/// Reads a whole string as a number (decimal point, no locale).
/// @return false when anything but the number is there
[[nodiscard]] bool parse_number(std::string_view text, double& value);
[[nodiscard]] bool parse_number(std::string_view text, long long& value);

/// The candidate nearest to `name` by edit distance when it is near enough to be a typing error, else empty.
[[nodiscard]] std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean 'x'?" for the nearest candidate, or an empty string.
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// Bytes as people write them: "512 B", "1.5 GiB".
[[nodiscard]] std::string human_bytes(double bytes);

/// Reads "2 GiB", "500MB", "1073741824" (bytes; KB/MB/GB are powers of 1000, KiB/MiB/GiB of 1024).
/// @throws InvalidArgument when it is not a size
[[nodiscard]] std::size_t parse_bytes(std::string_view text);

}  // namespace furrow::geo
