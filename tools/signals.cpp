#include "signals.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace furrow::tools {
namespace {

std::atomic<geo::CancelToken*> g_token{nullptr};
static_assert(std::atomic<geo::CancelToken*>::is_always_lock_free, "used in a signal handler");

void on_signal(int number) {
  const int error = errno;       // of the call that was interrupted
  std::signal(number, SIG_DFL);  // the next one kills
  geo::CancelToken* token = g_token.load();
  if (token != nullptr) token->cancel();
  if (token != nullptr && isatty(STDERR_FILENO) == 1) {
    constexpr std::string_view kText = "\nstopping; press Ctrl-C again to stop at once\n";
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kText.data(), kText.size());
  }
  errno = error;
}

}  // namespace

InterruptGuard::InterruptGuard(geo::CancelToken& token) {
  g_token.store(&token);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  g_token.store(nullptr);
}

}  // namespace furrow::tools
