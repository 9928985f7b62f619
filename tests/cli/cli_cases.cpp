// Runs the cases of one cases.toml. Fields of a [[case]]:
//   name              what the case shows (needed)
//   args              arguments of furrow; or `command`, a whole shell command line
//   setup             shell command that runs before; it must succeed
//   exit              exit code, default 0
//   stdout_contains, stdout_lacks, stderr_contains, stderr_lacks   lists of texts
//   stderr_empty      default true when exit is 0 and stderr_contains is not given
//   exists, absent    paths that must, or must not, be there afterwards
//   same_files        pairs of files that must hold the same bytes
//   needs_shared, needs_torch   the case is skipped, and said so, without them; needs_torch also at the top
//   of the file
//   needs_prompt_signals   skipped with the thread sanitizer, which holds signals back until a call returns
// In every text {tmp} is a fresh folder (and the working folder), {source} the project, {shared} the folder
// with real data, {furrow} the program.
#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <toml++/toml.h>

#include <furrow/geo/core/text.h>

#include "support.h"

namespace fs = std::filesystem;
using furrow::geo::concat;

namespace {

constexpr int kSkipped = 77;
#ifdef __SANITIZE_THREAD__
constexpr bool kSignalsWait = true;
#else
constexpr bool kSignalsWait = false;
#endif

constexpr std::array kFields{"name",         "args",
                             "command",      "setup",
                             "exit",         "stdout_contains",
                             "stdout_lacks", "stderr_contains",
                             "stderr_lacks", "stderr_empty",
                             "exists",       "absent",
                             "same_files",   "needs_shared",
                             "needs_torch",  "needs_prompt_signals"};

class Case {
 public:
  Case(const toml::table& table, std::string folder) : m_table(table), m_folder(std::move(folder)) {}

  [[nodiscard]] std::string text(const char* key, const char* fallback = "") const {
    return expanded(m_table[key].value_or(std::string(fallback)));
  }
  [[nodiscard]] bool flag(const char* key, bool fallback) const { return m_table[key].value_or(fallback); }
  [[nodiscard]] bool has(const char* key) const { return m_table.contains(key); }
  [[nodiscard]] int exit_code() const { return static_cast<int>(m_table["exit"].value_or(std::int64_t{0})); }

  [[nodiscard]] std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    const toml::array* array = m_table[key].as_array();
    if (array == nullptr) return result;
    for (const auto& item : *array) result.push_back(expanded(item.value_or(std::string())));
    return result;
  }

  [[nodiscard]] std::vector<std::array<std::string, 2>> pairs(const char* key) const {
    std::vector<std::array<std::string, 2>> result;
    const toml::array* array = m_table[key].as_array();
    if (array == nullptr) return result;
    for (const auto& item : *array) {
      const toml::array& pair = *item.as_array();
      result.push_back(
          {expanded(pair.at(0).value_or(std::string())), expanded(pair.at(1).value_or(std::string()))});
    }
    return result;
  }

  /// A field that is misspelt would otherwise check nothing.
  [[nodiscard]] std::vector<std::string> unknown_fields() const {
    std::vector<std::string> unknown;
    for (const auto& [key, value] : m_table) {
      if (std::ranges::find(kFields, key.str()) == kFields.end()) unknown.emplace_back(key.str());
    }
    return unknown;
  }

 private:
  [[nodiscard]] std::string expanded(std::string text) const {
    const std::array<std::array<std::string, 2>, 4> words{{{"{tmp}", m_folder},
                                                           {"{source}", FURROW_TEST_SOURCE_DIR},
                                                           {"{shared}", FURROW_TEST_SHARED_DIR},
                                                           {"{furrow}", furrow::test::furrow_program()}}};
    for (const auto& [word, value] : words) {
      for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size())) {
        text.replace(at, word.size(), value);
      }
    }
    return text;
  }

  const toml::table& m_table;
  std::string m_folder;
};

using Failures = std::vector<std::string>;

void check_stream(const Case& test, const std::string& stream, const std::string& text, Failures& failures) {
  for (const auto& part : test.texts((stream + "_contains").c_str())) {
    if (text.find(part) == std::string::npos) failures.push_back(concat(stream, " lacks \"", part, '"'));
  }
  for (const auto& part : test.texts((stream + "_lacks").c_str())) {
    if (text.find(part) != std::string::npos) failures.push_back(concat(stream, " holds \"", part, '"'));
  }
}

void check_files(const Case& test, Failures& failures) {
  for (const auto& path : test.texts("exists")) {
    if (!fs::exists(path)) failures.push_back(concat("missing afterwards: ", path));
  }
  for (const auto& path : test.texts("absent")) {
    if (fs::exists(path)) failures.push_back(concat("must not be there: ", path));
  }
  for (const auto& [a, b] : test.pairs("same_files")) {
    if (!fs::exists(a) || !fs::exists(b)) {
      failures.push_back(concat("cannot compare ", a, " and ", b, ": one is missing"));
    } else if (furrow::test::bytes_of(a) != furrow::test::bytes_of(b)) {
      failures.push_back(concat("files differ: ", a, " and ", b));
    }
  }
}

Failures run(const Case& test, const std::string& folder) {
  Failures failures;
  for (const auto& field : test.unknown_fields()) failures.push_back("unknown field " + field);
  if (test.has("args") == test.has("command")) failures.emplace_back("give either args or command");
  const std::string enter = concat("cd ", folder, " || exit 99\n");
  if (test.has("setup")) {
    const auto setup = furrow::test::run_command(concat(enter, "{ ", test.text("setup"), "\n}"));
    if (setup.exit_code != 0)
      return {concat("setup failed with ", setup.exit_code, ": ", setup.out, setup.err)};
  }
  const std::string command = test.has("args")
                                  ? concat(furrow::test::furrow_program(), ' ', test.text("args"))
                                  : test.text("command");
  const auto result = furrow::test::run_command(concat(enter, command));
  if (result.exit_code != test.exit_code()) {
    failures.push_back(concat("exit code ", result.exit_code, " instead of ", test.exit_code()));
  }
  check_stream(test, "stdout", result.out, failures);
  check_stream(test, "stderr", result.err, failures);
  const bool empty_by_default = test.exit_code() == 0 && !test.has("stderr_contains");
  if (test.flag("stderr_empty", empty_by_default) && !result.err.empty()) {
    failures.emplace_back("stderr is not empty");
  }
  check_files(test, failures);
  if (!failures.empty()) {
    failures.push_back(
        concat("command: ", command, "\n--- stdout\n", result.out, "--- stderr\n", result.err));
  }
  return failures;
}

/// Why a case cannot run here, or empty.
std::string reason_to_skip(const Case& test, bool needs_torch, bool without_torch) {
  if (without_torch && (needs_torch || test.flag("needs_torch", false))) return "built without LibTorch";
  if (test.flag("needs_shared", false) && !furrow::test::shared_exists()) return "real data is not here";
  if (kSignalsWait && test.flag("needs_prompt_signals", false))
    return "the thread sanitizer holds signals back";
  return {};
}

int run_file(const std::string& file, bool without_torch) {
  const toml::table document = toml::parse_file(file);
  const toml::array* cases = document["case"].as_array();
  if (cases == nullptr || cases->empty()) {
    std::cerr << file << ": no [[case]]\n";
    return 1;
  }
  const bool needs_torch = document["needs_torch"].value_or(false);
  int failed = 0;
  std::size_t skipped = 0;
  for (const auto& item : *cases) {
    const furrow::test::TemporaryFolder folder;
    const Case test(*item.as_table(), folder.path().string());
    const std::string skip = reason_to_skip(test, needs_torch, without_torch);
    if (!skip.empty()) {
      std::cout << "SKIPPED  " << test.text("name") << " (" << skip << ")\n";
      ++skipped;
      continue;
    }
    const Failures failures = run(test, folder.path().string());
    std::cout << (failures.empty() ? "ok       " : "FAILED   ") << test.text("name") << '\n';
    for (const auto& failure : failures) std::cout << "         " << failure << '\n';
    failed += failures.empty() ? 0 : 1;
  }
  std::cout << cases->size() << " cases, " << failed << " failed, " << skipped << " skipped\n";
  if (failed > 0) return 1;
  return skipped == cases->size() ? kSkipped : 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto torch = std::ranges::find(arguments, "--without-torch");
  const bool without_torch = torch != arguments.end();
  if (without_torch) arguments.erase(torch);
  if (arguments.size() != 1) {
    std::cerr << "usage: cli_cases [--without-torch] FILE/cases.toml\n";
    return 2;
  }
  try {
    return run_file(arguments.front(), without_torch);
  } catch (const toml::parse_error& e) {
    std::cerr << arguments.front() << ": " << e << '\n';
  } catch (const std::exception& e) {
    std::cerr << arguments.front() << ": " << e.what() << '\n';
  }
  return 1;
}
