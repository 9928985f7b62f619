#include "http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>

#include <furrow/geo/core/text.h>

#include "support.h"

namespace furrow::test {
namespace {

using Kind = HttpFault::Kind;
using geo::concat;

struct Request {
  std::string method;
  std::string name;
  std::string range;  ///< "0-99", "100-", "-8"; empty = none
};

Request parse_request(const std::string& head) {
  const auto lines = geo::split(head, '\n');
  const auto words = geo::split(lines.front(), ' ');
  Request request;
  if (words.size() < 2 || words[1].empty()) return request;
  request.method = words[0];
  request.name = words[1].substr(1, words[1].find('?') - 1);
  for (const auto& line : lines) {
    if (geo::to_lower(line).starts_with("range: bytes="))
      request.range = std::string(geo::trim(line.substr(13)));
  }
  return request;
}

/// First and one past the last byte of a range, or nothing when it lies outside.
std::optional<std::pair<std::size_t, std::size_t>> bytes_of_range(const std::string& range,
                                                                  std::size_t size) {
  const auto dash = range.find('-');
  long long first = 0;
  long long last = 0;
  const bool has_first = geo::parse_number(range.substr(0, dash), first);
  const bool has_last = geo::parse_number(range.substr(dash + 1), last);
  if (!has_first) return std::pair{size - std::min(size, static_cast<std::size_t>(last)), size};
  const auto start = static_cast<std::size_t>(first);
  if (start >= size) return std::nullopt;
  return std::pair{start, has_last ? std::min(size, static_cast<std::size_t>(last) + 1) : size};
}

}  // namespace

struct HttpServer::Impl {
  std::filesystem::path root;
  int listener = -1;
  int port = 0;
  std::atomic<bool> stop{false};
  mutable std::mutex mutex;
  std::map<std::string, HttpFault> faults;
  std::map<std::string, int> counts;
  std::thread acceptor;
  std::vector<std::thread> connections;

  void listen_on_any_port() {
    listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener, generic, length) != 0 || ::listen(listener, 64) != 0 ||
        ::getsockname(listener, generic, &length) != 0) {
      throw std::runtime_error("cannot listen on 127.0.0.1");
    }
    port = ntohs(address.sin_port);
  }

  /// Waits until the socket has something to read. @return false when the server stops
  [[nodiscard]] bool wait_for(int socket) const {
    while (!stop) {
      pollfd item{socket, POLLIN, 0};
      if (::poll(&item, 1, 20) > 0) return true;
    }
    return false;
  }

  void accept_all() {
    while (wait_for(listener)) {
      const int socket = ::accept(listener, nullptr, nullptr);
      if (socket >= 0) connections.emplace_back([this, socket] { serve(socket); });
    }
  }

  void serve(int socket) {
    std::string text;
    while (wait_for(socket)) {
      char buffer[4096];
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
      const auto end = text.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const Request request = parse_request(text.substr(0, end));
      text.erase(0, end + 4);
      if (!answer(socket, request)) break;
    }
    ::close(socket);
  }

  HttpFault fault_of(const std::string& name) {
    const std::lock_guard lock(mutex);
    const int number = counts[name]++;
    const auto it = faults.find(name);
    if (it == faults.end()) return {};
    const HttpFault& fault = it->second;
    return number >= fault.after && number - fault.after < fault.times ? fault : HttpFault{};
  }

  void pause(int milliseconds) const {
    for (int waited = 0; waited < milliseconds && !stop; waited += 10)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  bool send_all(int socket, std::string_view bytes, const HttpFault& fault) const {
    const std::size_t piece = fault.kind == Kind::kSlow ? 16384 : bytes.size();
    while (!bytes.empty() && !stop) {
      const ssize_t sent = ::send(socket, bytes.data(), std::min(piece, bytes.size()), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (fault.kind == Kind::kSlow) pause(fault.pause_ms);
    }
    return !stop;
  }

  static std::string head(const std::string& status, std::size_t length, const std::string& more = {}) {
    return concat("HTTP/1.1 ", status, "\r\nContent-Length: ", length, "\r\nAccept-Ranges: bytes\r\n", more,
                  "\r\n");
  }

  /// @return false = close the connection
  bool answer(int socket, const Request& request) {
    const HttpFault fault = fault_of(request.name);
    if (fault.kind == Kind::kHang) {
      while (!stop) pause(1000);
      return false;
    }
    if (fault.kind == Kind::kStatus) return send_all(socket, head(concat(fault.status, " Fault"), 0), {});
    const auto path = root / request.name;
    if (request.name.empty() || !std::filesystem::is_regular_file(path))
      return send_all(socket, head("404 Not Found", 0), {});
    const std::string bytes = bytes_of(path);
    std::pair<std::size_t, std::size_t> part{0, bytes.size()};
    std::string answer = head("200 OK", bytes.size());
    if (!request.range.empty() && fault.kind != Kind::kIgnoreRange) {
      const auto range = bytes_of_range(request.range, bytes.size());
      if (!range) return send_all(socket, head("416 Range Not Satisfiable", 0), {});
      part = *range;
      answer =
          head("206 Partial Content", part.second - part.first,
               concat("Content-Range: bytes ", part.first, "-", part.second - 1, "/", bytes.size(), "\r\n"));
    }
    if (!send_all(socket, answer, {})) return false;
    if (request.method == "HEAD") return true;
    const std::size_t length = part.second - part.first;
    const bool cut = fault.kind == Kind::kCut;
    return send_all(socket, std::string_view(bytes).substr(part.first, cut ? length / 2 : length), fault) &&
           !cut;
  }
};

HttpServer::HttpServer(std::filesystem::path root) : m_impl(std::make_unique<Impl>()) {
  m_impl->root = std::move(root);
  m_impl->listen_on_any_port();
  m_impl->acceptor = std::thread([this] { m_impl->accept_all(); });
}

HttpServer::~HttpServer() {
  m_impl->stop = true;
  m_impl->acceptor.join();
  for (auto& connection : m_impl->connections) connection.join();
  ::close(m_impl->listener);
}

std::string HttpServer::url(const std::string& name) const {
  return concat("http://127.0.0.1:", m_impl->port, "/", name);
}

void HttpServer::set_fault(const std::string& name, const HttpFault& fault) {
  const std::lock_guard lock(m_impl->mutex);
  m_impl->faults[name] = fault;
}

int HttpServer::requests(const std::string& name) const {
  const std::lock_guard lock(m_impl->mutex);
  const auto it = m_impl->counts.find(name);
  return it == m_impl->counts.end() ? 0 : it->second;
}

}  // namespace furrow::test
