// The Python packages that are installed somewhere, read from the disk without running Python.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pons {

/// The version of a package (its name in normal form) in the first of the `folders` (of sys.path) that has it; nothing: none has. As
/// its metadata says: *.dist-info/METADATA, *.egg-info/PKG-INFO or *.egg-info.
std::optional<std::string> installed_version(const std::vector<std::filesystem::path>& folders, std::string_view package);

}  // namespace pons
