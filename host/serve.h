// `pons serve`: a Host with its signals, its watcher and its io_context, until it has stopped.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "host/config/config.h"

namespace pons {

struct ServeOptions {
  Config config;
  bool stdio = false;
  /// Where to listen; nothing: no socket (stdio alone).
  std::optional<std::string> socket;
  /// Behind the socket in a message: what has named it, if that is easily forgotten.
  std::string socket_origin{};
  /// The folder for what outlives this run; nothing: none is kept.
  std::optional<std::string> state_dir;
  /// Reads the configuration again, for host:reload; throws ConfigError.
  std::function<Config()> reread;
};

/// The exit status: 0 after an orderly end, 2 if the socket or the state directory cannot be used (said on stderr).
int serve(ServeOptions options);

}  // namespace pons
