#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/workflow/command_set.h>

namespace furrow::workflow::fake {

/// What the fake steps did, in the order of time.
struct Journal {
  std::mutex mutex;
  std::vector<std::string> lines;
  std::atomic<int> running{0};
  std::atomic<int> most_running{0};

  void add(const std::string& line) {
    const std::scoped_lock lock(mutex);
    lines.push_back(line);
  }
  [[nodiscard]] std::ptrdiff_t position(const std::string& line) const {
    return std::ranges::find(lines, line) - lines.begin();
  }
};

/// Reads `in` (a list), writes `out`; fails, gives failed inputs, waits for others or cancels as its options
/// say.
class CopyStep : public Step {
 public:
  explicit CopyStep(Journal& journal) : m_journal(journal) {}

  StepInfo info() const override { return {"copy files", "Copies a text", "", {}}; }

  void declare(OptionTable& t) override {
    t.add("in", &m_in).positional().input("file").help("What is read");
    t.add("out", &m_out).output("file").help("What is written");
    t.add("mode", &m_mode)
        .choices({"good", "fail", "memory", "partial", "cancel", "meet"})
        .help("How it goes");
    t.add("size", &m_size).range(1, 10).unit("px").help("A number");
    t.add("name", &m_name).help("What it says");
    t.add("seed", &m_seed).help("Seed");
  }

  void check() const override {
    if (m_mode == "fail" && m_size == 7) throw geo::UsageError("7 is not allowed with fail");
  }

  void run(StepContext& context) override {
    m_journal.add("begin " + m_name);
    const int now = ++m_journal.running;
    for (int most = m_journal.most_running;
         now > most && !m_journal.most_running.compare_exchange_weak(most, now);) {
    }
    if (m_mode == "meet") meet();
    --m_journal.running;
    m_journal.add("end " + m_name);
    if (m_mode == "fail") throw geo::IoError("it was to fail");
    if (m_mode == "memory") throw std::bad_alloc();
    if (m_mode == "cancel") context.exec().cancel_token().cancel();
    context.exec().check_cancelled();
    if (m_mode == "partial") context.fail("input 3", "is broken");
    context.record("size", m_size);
    context.out() << "said " << m_name << '\n';
    if (!m_out.empty()) geo::write_text_file(m_out, m_name, context.overwrite());
  }

 private:
  /// Waits until two steps are here at the same time, for ten seconds at most.
  void meet() const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (m_journal.most_running < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  }

  Journal& m_journal;
  std::vector<std::string> m_in;
  std::string m_out;
  std::string m_mode = "good";
  std::int64_t m_size = 1;
  std::string m_name;
  std::int64_t m_seed = 4;
};

class FolderStep : public Step {
 public:
  StepInfo info() const override { return {"folder", "Writes a folder", "", {}}; }
  void declare(OptionTable& t) override {
    t.add("out", &m_out).required().output("folder").help("Folder");
    t.add("in", &m_in).input("folder").help("Folder");
  }
  void run(StepContext&) override { std::filesystem::create_directories(m_out); }

 private:
  std::string m_out;
  std::string m_in;
};

inline CommandSet fake_commands(Journal& journal) {
  return CommandSet([&journal] {
    std::vector<std::unique_ptr<Step>> steps;
    steps.push_back(std::make_unique<CopyStep>(journal));
    steps.push_back(std::make_unique<FolderStep>());
    return steps;
  });
}

}  // namespace furrow::workflow::fake
