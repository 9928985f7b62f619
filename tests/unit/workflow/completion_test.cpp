#include <furrow/workflow/completion.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/text.h>

#include "support.h"

namespace furrow::workflow {
namespace {

using testing::HasSubstr;
using testing::Not;

class NamedStep final : public Step {
 public:
  explicit NamedStep(std::string name) : m_name(std::move(name)) {}
  [[nodiscard]] StepInfo info() const override { return {m_name, "Does it", "", {}}; }
  void declare(OptionTable& table) override {
    std::string option = m_name;
    std::ranges::replace(option, ' ', '-');
    table.add("of-" + option, &m_value).help("What").choices({m_name == "grow" ? "alone" : "second"});
  }
  void run(StepContext&) override {}

 private:
  std::string m_name;
  std::string m_value;
};

/// "grow" is a command, and the first word of "grow wheat"; "mow" only the first word of "mow grass".
CommandSet commands() {
  return CommandSet([] {
    std::vector<std::unique_ptr<Step>> steps;
    for (const char* name : {"grow", "grow wheat", "mow grass"})
      steps.push_back(std::make_unique<NamedStep>(name));
    return steps;
  });
}

/// What bash offers after these words, the last of which is being typed.
std::string offered(const std::string& words, int count) {
  const test::TemporaryFolder folder;
  const OptionTable common;
  geo::write_text_file(folder / "seeds", completion_script("bash", commands(), common), false);
  const auto result = test::run_command(
      geo::concat("bash -c 'cd ", folder.path().string(), "; source ./seeds; COMP_WORDS=(furrow ", words,
                  "); COMP_CWORD=", count, "; _furrow; echo \"${COMPREPLY[@]}\"'"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return std::string(geo::trim(result.out));
}

TEST(Completion, FirstWordsAreOfferedOnce) {
  EXPECT_EQ(offered("gro", 1), "grow");
  EXPECT_EQ(offered("mow \"\"", 2), "grass");
}

TEST(Completion, ACommandMayBeTheFirstWordOfAnother) {
  EXPECT_EQ(offered("grow w", 2), "wheat");
  EXPECT_EQ(offered("grow --of", 2), "--of-grow");
  EXPECT_EQ(offered("grow --of-grow \"\"", 3), "alone");
  EXPECT_EQ(offered("grow wheat --of", 3), "--of-grow-wheat");
  EXPECT_EQ(offered("grow wheat --of-grow-wheat \"\"", 4), "second");
  EXPECT_EQ(offered("grow file --of", 3), "--of-grow");
  EXPECT_EQ(offered("grow s", 2), "seeds");
}

TEST(Completion, FishKeepsTheOptionsOfBothApart) {
  const OptionTable common;
  const std::string text = completion_script("fish", commands(), common);
  EXPECT_THAT(text, HasSubstr("-n '__fish_seen_subcommand_from grow; and not __fish_seen_subcommand_from "
                              "wheat' -l of-grow -r"));
  EXPECT_THAT(text, HasSubstr("-n '__fish_seen_subcommand_from grow; and __fish_seen_subcommand_from wheat' "
                              "-l of-grow-wheat -r"));
  EXPECT_THAT(text, Not(HasSubstr("-n '__fish_seen_subcommand_from grow' -l")));
}

}  // namespace
}  // namespace furrow::workflow
