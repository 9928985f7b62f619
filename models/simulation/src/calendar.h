#pragma once

#include <chrono>
#include <string>

/// Internal to the simulation library.
namespace furrow::simulation::detail {

/// @throws InvalidArgument  the text is not a date written YYYY-MM-DD
[[nodiscard]] std::chrono::sys_days parse_date(const std::string& text);
/// 1 on the first of January.
[[nodiscard]] int day_of_year(std::chrono::sys_days date);
/// "2021-06-15T08:05:00Z"
[[nodiscard]] std::string iso_time(std::chrono::sys_days day, unsigned minute_of_day);

}  // namespace furrow::simulation::detail
