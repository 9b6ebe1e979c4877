// Where the host of a command is looked for, and whether one may be started here instead.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "host/cli/options.h"
#include "host/config/config.h"

namespace pons::cli {

struct Target {
  std::string socket;  ///< empty: no running host is asked, only the adapter that was named
  bool may_embed = true;
  bool from_variable = false;  ///< PONS_SOCKET has decided
};

/// --adapter, --socket, --name, PONS_SOCKET, the configuration's socket, the default socket: the first that is given. An embedded host is
/// ruled out by --no-embedded, and by a socket that was named. `config` reads what the chosen configuration says of the host, and is called
/// only if needed.
Target choose_target(const HostChoice& choice, const EnvLookup& env, const std::function<std::optional<HostConfig>()>& config);

/// Where `pons serve` listens: --socket; nothing for --stdio without --name; PONS_SOCKET; the configuration's; the default of the name.
std::optional<std::string> choose_listener(const Options& options, const EnvLookup& env, const Config& config);

/// Behind a socket in a message, for those who have forgotten the variable.
inline constexpr std::string_view kFromVariable = " (from PONS_SOCKET)";

/// What people call the host at `socket` that says its name is `name`: its socket, where it has no name of its own.
std::string host_title(const std::string& name, const std::string& socket, const EnvLookup& env);

/// The folder for what outlives a host that listens at `socket`; nothing without one. The configuration's; else the default one of its
/// name; else, for a host without a name of its own at a socket of its own, one named after that socket.
std::optional<std::string> choose_state_dir(const Options& options, const EnvLookup& env, const Config& config,
                                            const std::optional<std::string>& socket);

/// The file that -c or PONS_CONFIG names.
std::optional<std::string> chosen_config_file(const HostChoice& choice, const EnvLookup& env);

/// An environment variable, where an empty one counts as not set.
std::optional<std::string> lookup(const EnvLookup& env, const std::string& name);

}  // namespace pons::cli
