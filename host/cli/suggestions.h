// "Did you mean ...?" for a mistyped namespace:command.
#pragma once

#include <string>
#include <vector>

#include "host/cli/host_link.h"

namespace pons::cli {

/// Commands that are like the one that failed with `error`; asks the host what there is. Empty for other errors.
std::vector<std::string> suggest_commands(HostLink& link, const std::string& command, const Error& error);

/// Adapters that the host names as near to the one that is not there.
std::vector<std::string> nearest_adapters(const Error& error);

/// A line with the adapters there are, for a name that is like none of them; asks the host.
std::string known_adapters(HostLink& link);

}  // namespace pons::cli
