// Looks at the machine and at what lies on its disks, without changing anything. What cannot be read is left at "unknown".
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/doctor/facts.h"

namespace pons::doctor {

/// Makes cgroups for a moment, to see whether that can be done. Before the process has threads.
MachineFacts look_at_machine(const EnvLookup& env);

/// Those of the configuration, then those that only lie on the search path. Interpreters may be asked, by children of a moment.
std::vector<AdapterFacts> look_at_adapters(const Config& config, const ConfigContext& context);

/// The sockets in these folders.
std::vector<SocketFacts> look_at_sockets(const std::vector<std::filesystem::path>& folders);

/// `path` empty: there is none to look at.
StateDirFacts look_at_state(const std::string& path);

}  // namespace pons::doctor
