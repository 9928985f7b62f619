#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <furrow/workflow/registry.h>
#include <furrow/workflow/step.h>
#include <furrow/workflow/workflow_file.h>

namespace furrow::workflow {
namespace {

class Check : public Step {
 public:
  StepInfo info() const override {
    return {
        "check",
        "Check a workflow file without running it",
        "Tells everything that is wrong with a workflow file: syntax, unknown commands and options, values "
        "of the "
        "wrong type or out of range, missing options, steps that wait for each other, two steps that write "
        "the "
        "same file, inputs that are missing and that no step makes, outputs that exist or cannot be "
        "written.\n\n"
        "With --no-files it says nothing about files, so that a workflow can be checked on another machine.",
        {{"Before a long run", "furrow check workflow.toml"}}};
  }

  void declare(OptionTable& t) override {
    t.add("workflow", &m_file)
        .positional()
        .required()
        .input("workflow file")
        .help("TOML file with the steps");
    t.add("set", &m_set).help("Replace a value: step.option=value, vars.name=value or run.threads=2");
    t.add("files", &m_files).help("Also check that inputs are there and outputs can be written");
  }

  void run(StepContext& context) override {
    const CommandSet commands(make_all_steps);
    const Workflow workflow = read_workflow(m_file, commands, {m_set, context.overwrite(), m_files});
    context.out() << m_file << ": " << workflow.steps.size() << " steps, no problem\n";
  }

 private:
  std::string m_file;
  std::vector<std::string> m_set;
  bool m_files = true;
};

}  // namespace

std::unique_ptr<Step> make_check() {
  return std::make_unique<Check>();
}

}  // namespace furrow::workflow
