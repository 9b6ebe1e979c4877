// Whole files, in and out, with errors that say which path and why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace pons::xgb {

/// The folder `data` beside this program's own file.
std::filesystem::path data_folder();

/// All bytes of a regular file. A path that cannot be read is invalid_args with `argument` as its path; so is a file above `most` bytes.
std::string read_file(const std::string& path, const std::string& argument, std::uint64_t most);

/// Writes to a new file beside `path`, then renames it: a reader sees the old file or the whole new one. Errors as above; a write that
/// fails half-way (a full disk) is worker_error, and leaves what was there.
void write_file(const std::string& path, const std::string& argument, std::string_view bytes);

}  // namespace pons::xgb
