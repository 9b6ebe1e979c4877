// Directories that hold what is this user's alone.
#pragma once

#include <cstdint>
#include <filesystem>

#include "protocol/error.h"

namespace pons {

/// Who else may put files into a directory.
enum class Sharing : std::uint8_t {
  none,
  sticky,  ///< anybody, as in /tmp, where nobody can rename or remove what belongs to somebody else
};

/// Makes the directory, and what is missing above it, 0700. It must be ours or root's, and nobody else may write to it but as `sharing`
/// says. invalid_configuration with the reason.
Result<void> make_private_directory(const std::filesystem::path& directory, Sharing sharing);

}  // namespace pons
