#pragma once

#include <string>

namespace furrow::assessment {

/// "2016:05:15 10:00:00" (TIFF) or ISO text to an ISO date; empty when it is neither.
[[nodiscard]] std::string iso_date(std::string text);

}  // namespace furrow::assessment
