#pragma once

#include <filesystem>
#include <string>

#include <furrow/dataset/dataset.h>

namespace furrow::dataset {

/// The reader of each layout fills `samples` with everything that is listed, whether the files are there or
/// not.
void read_lacuna(const std::filesystem::path& root, Dataset& dataset);
void read_lacuna_256(const std::filesystem::path& root, Dataset& dataset);
void read_ftw(const std::filesystem::path& root, Dataset& dataset);
/// @param data_root  where relative paths start; empty = the folder of the table
void read_combined_csv(const std::filesystem::path& path, const std::filesystem::path& data_root,
                       Dataset& dataset);
void read_generic(const std::filesystem::path& path, const std::filesystem::path& data_root,
                  Dataset& dataset);

/// The file or folder by which a layout is recognised; empty = the path does not fit.
[[nodiscard]] std::string evidence_of_lacuna(const std::filesystem::path& root);
[[nodiscard]] std::string evidence_of_lacuna_256(const std::filesystem::path& root);
[[nodiscard]] std::string evidence_of_ftw(const std::filesystem::path& root);
[[nodiscard]] std::string evidence_of_combined_csv(const std::filesystem::path& path);
[[nodiscard]] std::string evidence_of_generic(const std::filesystem::path& path);

}  // namespace furrow::dataset
