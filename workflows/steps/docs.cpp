#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <furrow/geo/core/atomic_output.h>
#include <furrow/geo/core/error.h>
#include <furrow/geo/core/text.h>
#include <furrow/workflow/common_options.h>
#include <furrow/workflow/docs.h>
#include <furrow/workflow/registry.h>
#include <furrow/workflow/step.h>

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

struct Page {
  fs::path file;
  std::string now;
  std::string fresh;
};

class Docs : public Step {
 public:
  StepInfo info() const override {
    return {"docs",
            "Write the generated parts of the command pages",
            "Synopsis and option table of every command come from the same declarations as --help. They "
            "stand in the "
            "pages between two marked lines; the rest of a page is written by hand.",
            {{"One command's part", "furrow docs info"},
             {"Refresh all pages", "furrow docs --write docs/commands"}}};
  }

  void declare(OptionTable& t) override {
    t.add("command", &m_command)
        .positional()
        .excludes("write")
        .excludes("check")
        .help("Print the part of this command");
    t.add("write", &m_write).input("folder").excludes("check").help("Refresh the pages in this folder");
    t.add("check", &m_check).input("folder").help("Fail when a page in this folder is stale");
  }

  void check() const override {
    const CommandSet commands(make_all_steps);
    const auto names = commands.names();
    if (m_command.empty() && m_write.empty() && m_check.empty()) {
      throw geo::UsageError("name a command, or give --write or --check with the folder of the pages");
    }
    if (!m_command.empty() && std::ranges::find(names, m_command) == names.end()) {
      throw geo::UsageError(
          geo::concat("unknown command ", geo::quoted(m_command), geo::did_you_mean(m_command, names)));
    }
  }

  void run(StepContext& context) override {
    const CommandSet commands(make_all_steps);
    if (!m_command.empty()) {
      const BoundStep bound(commands.make(m_command));
      context.out() << command_reference(bound.step->info(), bound.options);
      return;
    }
    const auto pages = read_pages(commands, m_write.empty() ? m_check : m_write);
    if (m_write.empty()) {
      fail_when_stale(pages);
      return;
    }
    for (const auto& page : pages) {
      if (page.now == page.fresh) continue;
      geo::write_text_file(page.file, page.fresh, true);
      context.out() << page.file.string() << '\n';
    }
  }

 private:
  static Page read_page(const fs::path& file, const std::string& generated) {
    const std::string now = geo::read_text_file(file);
    try {
      return {file, now, with_generated(now, generated)};
    } catch (const geo::InvalidArgument& e) {
      throw geo::IoError(geo::concat(geo::quoted(file.string()), ": ", e.what()));
    }
  }

  static std::vector<Page> read_pages(const CommandSet& commands, const std::string& folder) {
    std::vector<Page> pages;
    std::size_t with_command = 0;
    for (auto& step : commands.make_all()) {
      const BoundStep bound(std::move(step));
      const StepInfo info = bound.step->info();
      pages.push_back(
          read_page(fs::path(folder) / page_name(info.name), command_reference(info, bound.options)));
      ++with_command;
    }
    // A build without LibTorch lacks commands that the list of all commands has.
    const auto files = static_cast<std::size_t>(
        std::ranges::count_if(fs::directory_iterator(folder), [](const fs::directory_entry& entry) {
          return entry.path().extension() == ".md" && entry.path().filename() != "README.md";
        }));
    if (files == with_command) {
      CommonOptions common;
      OptionTable common_table;
      common.declare(common_table);
      pages.push_back(read_page(fs::path(folder) / "README.md", command_index(commands, common_table)));
    }
    return pages;
  }

  static void fail_when_stale(const std::vector<Page>& pages) {
    std::vector<std::string> stale;
    for (const auto& page : pages) {
      if (page.now != page.fresh) stale.push_back(page.file.filename().string());
    }
    if (stale.empty()) return;
    throw geo::Error(geo::concat("stale pages: ", geo::join(stale, ", "),
                                 "; refresh them with 'cmake --build BUILD --target docs'"));
  }

  std::string m_command;
  std::string m_write;
  std::string m_check;
};

}  // namespace

std::unique_ptr<Step> make_docs() {
  return std::make_unique<Docs>();
}

}  // namespace furrow::workflow
