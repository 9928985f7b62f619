#include "gdal_support.h"

#include <algorithm>
#include <mutex>

#include <cpl_error.h>
#include <gdal.h>

#include <furrow/geo/core/log.h>

namespace furrow::geo {
namespace {
void CPL_STDCALL collect(CPLErr level, CPLErrorNum /*number*/, const char* text) {
  auto* scope = static_cast<GdalErrorScope*>(CPLGetErrorHandlerUserData());
  if (scope != nullptr) scope->add(level == CE_Failure || level == CE_Fatal, text);
}
}  // namespace

GdalErrorScope::GdalErrorScope() {
  CPLPushErrorHandlerEx(collect, this);
}
GdalErrorScope::~GdalErrorScope() {
  CPLPopErrorHandler();
}

void GdalErrorScope::add(bool is_error, const char* text) {
  std::string line = text;
  std::ranges::replace(line, '\n', ' ');
  if (is_error) {
    m_error = std::move(line);
  } else {
    log_debug("GDAL: " + line);
  }
}

void register_gdal() {
  static std::once_flag once;
  std::call_once(once, [] { GDALAllRegister(); });
}

}  // namespace furrow::geo
