// "Did you mean ...?" for a mistyped namespace:command.
#pragma once

#include <string>
#include <vector>

#include "host/cli/host_link.h"

namespace pons::cli {

/// Commands that are like the one that failed with `error`; asks the host what there is. Empty for other errors.
std::vector<std::string> suggest_commands(HostLink& link, const std::string& command, const Error& error);

}  // namespace pons::cli
