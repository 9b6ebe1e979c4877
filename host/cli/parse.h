// Arguments to Options. Pure: looks at nothing but the arguments.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "host/cli/options.h"

namespace pons::cli {

/// Text that was asked for instead of a command: --help, --version.
struct Notice {
  std::string text;
};

/// Throws Fault (usage), with the nearest known name for a mistyped command or option.
std::variant<Options, Notice> parse(const std::vector<std::string>& arguments);

}  // namespace pons::cli
