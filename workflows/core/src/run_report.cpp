#include <algorithm>

#include <nlohmann/json.hpp>

#include <furrow/geo/core/sha256.h>
#include <furrow/geo/core/text.h>
#include <furrow/geo/core/version.h>
#include <furrow/workflow/runner.h>

namespace fs = std::filesystem;

namespace furrow::workflow {
namespace {

using Json = nlohmann::ordered_json;

Json value_json(const Option& option) {
  Json list = Json::array();
  for (const auto& value : option.values()) std::visit([&](const auto& v) { list.push_back(v); }, value);
  if (option.is_list()) return list;
  return list.empty() ? Json(nullptr) : list.front();
}

Json files_json(const std::vector<FileRecord>& files) {
  Json list = Json::array();
  for (const auto& file : files) {
    Json json{{"path", file.path}, {"bytes", file.bytes}, {"files", file.files}};
    if (!file.sha256.empty()) json["sha256"] = file.sha256;
    list.push_back(std::move(json));
  }
  return list;
}

Json step_json(const WorkflowStep& step, const StepResult& result) {
  Json options = Json::object();
  Json seeds = Json::object();
  for (const auto& option : step.bound->options.options()) {
    options[option->name()] = value_json(*option);
    if (option->name() == "seed" || option->name().ends_with("-seed"))
      seeds[option->name()] = value_json(*option);
  }
  Json records = Json::object();
  for (const auto& [key, value] : result.records) std::visit([&](const auto& v) { records[key] = v; }, value);
  Json failures = Json::array();
  for (const auto& failure : result.failures) {
    failures.push_back({{"input", failure.input}, {"message", failure.message}});
  }
  Json json{{"id", step.id}, {"use", step.command}, {"status", status_name(result.status)}};
  if (!result.error.empty()) json["error"] = result.error;
  json["seconds"] = result.seconds;
  json["options"] = std::move(options);
  if (!seeds.empty()) json["seeds"] = std::move(seeds);
  json["inputs"] = files_json(result.inputs);
  json["outputs"] = files_json(result.outputs);
  json["records"] = std::move(records);
  json["failures"] = std::move(failures);
  return json;
}

FileRecord record_folder(const std::string& path, bool checksum) {
  FileRecord record{path, 0, 0, ""};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  geo::Sha256 hash;
  for (const auto& file : files) {
    record.bytes += fs::file_size(file);
    ++record.files;
    if (!checksum) continue;
    hash.update(file.lexically_relative(path).string());
    hash.update(std::string_view("\0", 1));
    hash.update(geo::sha256_of_file(file));
  }
  if (checksum) record.sha256 = hash.hex_digest();
  return record;
}

}  // namespace

FileRecord record_file(const std::string& path, bool checksum) {
  try {
    if (fs::is_directory(path)) return record_folder(path, checksum);
    // A pipe or a device has no size, and reading it would take away what the step is to read.
    if (!fs::is_regular_file(path) && fs::exists(path)) return {path, 0, 1, ""};
    FileRecord record{path, fs::file_size(path), 1, ""};
    if (checksum) record.sha256 = geo::sha256_of_file(path);
    return record;
  } catch (const fs::filesystem_error& e) {
    throw geo::IoError(geo::concat("cannot read ", geo::quoted(path), ": ", e.code().message()));
  }
}

std::string run_report(const Workflow& workflow, const WorkflowResult& result, const geo::ExecContext& exec) {
  Json versions{{"furrow", geo::furrow_version()}};
  for (const auto& [name, version] : geo::library_versions()) versions[name] = version;
  Json steps = Json::array();
  for (std::size_t i = 0; i < workflow.steps.size(); ++i) {
    steps.push_back(step_json(workflow.steps[i], result.steps[i]));
  }
  const Json report{{"schema", "furrow/run/1"},        {"workflow", workflow.file.string()},
                    {"started", result.started},       {"finished", result.finished},
                    {"seconds", result.seconds},       {"exit_code", static_cast<int>(result.exit_code())},
                    {"threads", exec.threads()},       {"memory_bytes", exec.memory_bytes()},
                    {"versions", std::move(versions)}, {"steps", std::move(steps)}};
  return report.dump(2) + '\n';
}

}  // namespace furrow::workflow
