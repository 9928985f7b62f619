#include <memory>
#include <ostream>
#include <string>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/step.h>
#include <furrow/workflow/workflow_file.h>

namespace furrow::workflow {
namespace {

class WorkflowSchema : public Step {
 public:
  StepInfo info() const override {
    return {"workflow schema",
            "A JSON Schema of workflow files, for editors",
            "Editors that understand TOML complete and check workflow files with it.",
            {{"Into a file", "furrow workflow schema --out furrow-workflow.schema.json"}}};
  }

  void declare(OptionTable& t) override {
    t.add("out", &m_out).short_name('o').output("file").help("File to write; default: standard output");
  }

  void run(StepContext& context) override {
    const std::string schema = workflow_schema(CommandSet(make_all_steps));
    if (m_out.empty()) {
      context.out() << schema;
    } else {
      geo::write_text_file(m_out, schema, context.overwrite());
    }
  }

 private:
  std::string m_out;
};

}  // namespace

std::unique_ptr<Step> make_workflow_schema() {
  return std::make_unique<WorkflowSchema>();
}

}  // namespace furrow::workflow
