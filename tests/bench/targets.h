// What the load generator talks to: the host, the bare relay, and workers without anything between.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/bench/connection.h"
#include "tests/bench/process.h"

namespace pons::bench {

struct Paths {
  std::string pons;
  std::string relay;
  std::string echo_worker;
  std::string sources;  ///< of the workers in Python
  std::string folder;   ///< for sockets, configurations and the programs' stderr
};

/// A running program and the connection to it.
struct Target {
  std::unique_ptr<Process> process;
  Connection connection;
  std::string socket;  ///< where others may connect; empty: nowhere
};

/// Writes a configuration with these adapters (the YAML below `adapters:`) and returns its path.
std::string write_config(const Paths& paths, const std::string& adapters);

/// `pons serve --socket` with these adapters. `core`: the only core for it and its workers.
Target start_host(const Paths& paths, const std::string& adapters, std::optional<int> core);
/// Asks a host to end. Throws unless it ends with status 0 within 30 s.
void end_host(Target& host);
/// `pons serve --stdio` over a socket pair, not waiting for anything.
Target start_stdio_host(const Paths& paths, const std::string& config);

/// bare_relay.c in one of its modes.
Target start_relay(const Paths& paths, const std::string& mode, int workers, std::optional<int> core);
/// The blocking relay before a worker in Python that knows nothing but to answer.
Target start_relay_to_python(const Paths& paths, std::optional<int> core);
/// The relay over a socket pair, not waiting for anything.
Target start_relay_on_pair(const Paths& paths, const std::string& mode, int workers, std::optional<int> core);

/// The echo adapter's worker, started and shaken hands with as a host does. Its commands have no namespace.
Target start_echo_worker(const Paths& paths, std::optional<int> core);

}  // namespace pons::bench
