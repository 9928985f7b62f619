#pragma once

#include <string>
#include <vector>

#include <furrow/dataset/dataset.h>
#include <furrow/workflow/option_table.h>

namespace furrow::workflow {

/// The options of every command that takes a data set folder: which layout it has, and where a table's
/// relative paths start.
struct DatasetOptions {
  std::string layout = "auto";
  std::string data_root;
  bool strict = false;

  void declare(OptionTable& table, const std::string& group = "Data set") {
    std::vector<std::string> layouts{"auto"};
    layouts.insert(layouts.end(), dataset::layout_names().begin(), dataset::layout_names().end());
    table.add("dataset", &layout)
        .choices(layouts)
        .group(group)
        .help("Layout of a data set folder or table; auto = what its files look like");
    table.add("data-root", &data_root)
        .input("folder")
        .group(group)
        .help(
            "Folder that the relative paths of a data set's table start from; default: the folder of the "
            "table");
    table.add("strict", &strict)
        .group(group)
        .help("Stop at the first missing file of a data set instead of leaving its sample out");
  }

  [[nodiscard]] bool is_said() const { return layout != "auto"; }

  [[nodiscard]] dataset::ReadOptions read_options() const {
    dataset::ReadOptions options;
    if (is_said()) options.layout = dataset::layout_of_name(layout);
    options.data_root = data_root;
    options.strict = strict;
    return options;
  }
};

}  // namespace furrow::workflow
