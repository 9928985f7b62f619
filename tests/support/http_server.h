#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace furrow::test {

/// How the server answers for one file, from its request number `after` (from 0) on, `times` times.
struct HttpFault {
  enum class Kind {
    kNone,
    kStatus,       ///< answers `status` without a file
    kHang,         ///< reads the request and never answers
    kCut,          ///< closes the connection after half of the body
    kSlow,         ///< sends 16 KiB every `pause_ms`
    kIgnoreRange,  ///< the whole file with 200, whatever range was asked for
  };
  Kind kind = Kind::kNone;
  int status = 500;
  int pause_ms = 20;
  int after = 0;
  int times = 1'000'000;
};

/// An HTTP/1.1 server on 127.0.0.1 for the files of one folder: GET and HEAD, ranges, connections that stay
/// open. One thread per connection. Stops, with all its connections, when it is destroyed.
class HttpServer {
 public:
  explicit HttpServer(std::filesystem::path root);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// "http://127.0.0.1:<port>/<name>"
  [[nodiscard]] std::string url(const std::string& name) const;
  void set_fault(const std::string& name, const HttpFault& fault);
  /// Requests for a file so far.
  [[nodiscard]] int requests(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace furrow::test
