#include <furrow/geo/core/remote.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <furrow/geo/core/text.h>

namespace furrow::geo {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kStores{
    {{"s3://", "/vsis3/"}, {"gs://", "/vsigs/"}, {"az://", "/vsiaz/"}}};

constexpr std::array<std::string_view, 8> kNetworkSystems{"/vsicurl/", "/vsicurl?", "/vsis3/",  "/vsigs/",
                                                          "/vsiaz/",   "/vsiadls/", "/vsioss/", "/vsiswift/"};

}  // namespace

std::string remote_path(const std::string& path) {
  const auto scheme_end = path.find("://");
  if (scheme_end == std::string::npos) return path;
  const std::string scheme = to_lower(path.substr(0, scheme_end + 3));
  const std::string rest = path.substr(scheme_end + 3);
  for (const auto& [prefix, replacement] : kStores) {
    if (scheme == prefix) return concat(replacement, rest);
  }
  if (scheme == "http://" || scheme == "https://") return concat("/vsicurl/", scheme, rest);
  return path;
}

bool is_remote(const std::string& path) {
  const std::string name = remote_path(path);
  return name.starts_with("/vsi") && std::ranges::any_of(kNetworkSystems, [&](std::string_view system) {
           return name.find(system) != std::string::npos;
         });
}

}  // namespace furrow::geo
