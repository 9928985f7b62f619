#include <memory>
#include <ostream>
#include <string>

#include <furrow/workflow/common_options.h>
#include <furrow/workflow/completion.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/step.h>

namespace furrow::workflow {
namespace {

class Completion : public Step {
 public:
  StepInfo info() const override {
    return {"completion",
            "Print a script that completes furrow's commands and options in a shell",
            "Completes commands, options, fixed values and file names.",
            {{"For this bash", "source <(furrow completion bash)"},
             {"For every bash of this user",
              "furrow completion bash > ~/.local/share/bash-completion/completions/furrow"}}};
  }

  void declare(OptionTable& t) override {
    t.add("shell", &m_shell).positional().required().choices(completion_shells()).help("Which shell");
  }

  void run(StepContext& context) override {
    CommonOptions common;
    OptionTable common_table;
    common.declare(common_table);
    context.out() << completion_script(m_shell, CommandSet(make_all_steps), common_table);
  }

 private:
  std::string m_shell;
};

}  // namespace

std::unique_ptr<Step> make_completion() {
  return std::make_unique<Completion>();
}

}  // namespace furrow::workflow
