#include "iso_date.h"

#include <chrono>

#include <furrow/geo/core/text.h>

namespace furrow::assessment {

std::string iso_date(std::string text) {
  if (text.size() < 10) return {};
  text = text.substr(0, 10);
  text[4] = '-';
  text[7] = '-';
  long long year = 0;
  long long month = 0;
  long long day = 0;
  const bool numbers = geo::parse_number(text.substr(0, 4), year) &&
                       geo::parse_number(text.substr(5, 2), month) &&
                       geo::parse_number(text.substr(8, 2), day);
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return numbers && date.ok() ? text : std::string{};
}

}  // namespace furrow::assessment
