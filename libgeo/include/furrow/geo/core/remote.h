#pragma once

#include <string>

namespace furrow::geo {

/// GDAL's name of a remote path: http(s)://, s3://, gs:// and az:// (any case) become /vsicurl/, /vsis3/,
/// /vsigs/ and /vsiaz/. Anything else comes back unchanged, /vsi paths too. All readers of this library call
/// it, so every command takes both spellings.
[[nodiscard]] std::string remote_path(const std::string& path);

/// True for what lies on a server, in either spelling, also inside another /vsi path
/// (/vsizip//vsicurl/http://...). Whether it exists is only known after asking the server.
[[nodiscard]] bool is_remote(const std::string& path);

}  // namespace furrow::geo
