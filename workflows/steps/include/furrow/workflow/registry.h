#pragma once

#include <memory>
#include <vector>

#include <furrow/workflow/step.h>

namespace furrow::workflow {

/// A fresh object of every command that this build has, sorted by file name. Written by CMake from
/// FURROW_STEPS.
[[nodiscard]] std::vector<std::unique_ptr<Step>> make_all_steps();

}  // namespace furrow::workflow
