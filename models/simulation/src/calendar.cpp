#include "calendar.h"

#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>

namespace furrow::simulation::detail {
namespace {

std::string two_digits(unsigned value) {
  return (value < 10 ? "0" : "") + std::to_string(value);
}

}  // namespace

std::chrono::sys_days parse_date(const std::string& text) {
  const auto parts = geo::split(text, '-');
  long long year = 0, month = 0, day = 0;
  const bool numbers = parts.size() == 3 && text.size() == 10 && geo::parse_number(parts[0], year) &&
                       geo::parse_number(parts[1], month) && geo::parse_number(parts[2], day) && month > 0 &&
                       day > 0;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!numbers || !date.ok())
    throw geo::InvalidArgument(geo::concat(geo::quoted(text), " is not a date; write YYYY-MM-DD"));
  return date;
}

int day_of_year(std::chrono::sys_days date) {
  const std::chrono::year_month_day parts(date);
  const std::chrono::sys_days january_first = parts.year() / std::chrono::January / 1;
  return static_cast<int>((date - january_first).count()) + 1;
}

std::string iso_time(std::chrono::sys_days day, unsigned minute_of_day) {
  const std::chrono::year_month_day date(day);
  return geo::concat(static_cast<int>(date.year()), "-", two_digits(static_cast<unsigned>(date.month())), "-",
                     two_digits(static_cast<unsigned>(date.day())), "T", two_digits(minute_of_day / 60), ":",
                     two_digits(minute_of_day % 60), ":00Z");
}

}  // namespace furrow::simulation::detail
