// What `pons doctor` looks at, as plain values: gathered from the machine in one place, judged in another.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/config/error.h"
#include "pool/limits_report.h"

namespace pons::doctor {

/// Something of the kernel that the host cannot do without.
struct KernelFeature {
  std::string name;
  std::string since;  ///< version of the kernel
  std::string error;  ///< why it cannot be used; empty: it can
};

struct MachineFacts {
  std::string kernel;  ///< its version
  unsigned cores = 0;
  std::uint64_t memory_total = 0;      ///< bytes; 0: unknown
  std::uint64_t memory_available = 0;  ///< bytes
  std::uint64_t open_files = 0;        ///< hard limit, to which the host raises its own; UINT64_MAX: none
  std::uint64_t processes = 0;         ///< of this user; UINT64_MAX: no limit
  std::vector<KernelFeature> features;
  LimitsReport limits;
  std::optional<std::string> python;  ///< the file of `python3` on PATH
  std::optional<std::string> uv;
};

/// Something that a worker needs and that is not there.
struct MissingPiece {
  std::string what;
  std::string remedy;
};

struct AdapterFacts {
  std::string name;
  std::string folder;       ///< of its adapter.yaml; empty: it has none
  bool configured = false;  ///< the configuration names it; else it only lies on the search path
  std::vector<ConfigIssue> faults;
  std::vector<MissingPiece> missing;
  bool wants_cpu_limit = false;
  bool wants_process_limit = false;
};

struct ConfigFacts {
  std::string file;  ///< empty: the built-in one
  std::vector<ConfigIssue> faults;
  std::size_t adapters = 0;
};

struct SocketFacts {
  enum class State : std::uint8_t { alive, dead, unreachable };
  std::string path;
  State state = State::dead;
  std::string reason;  ///< of `unreachable`
};

struct StateDirFacts {
  std::string path;          ///< empty: a host would have none
  std::string unusable;      ///< why; empty: it can be used
  std::uint64_t free = 0;    ///< bytes on its file system; UINT64_MAX: unknown
  pid_t holder = 0;          ///< the living host that uses it; 0: none
  std::size_t sessions = 0;  ///< snapshots that lie in it
  std::uint64_t bytes = 0;   ///< of these
};

struct Facts {
  MachineFacts machine;
  ConfigFacts config;
  std::vector<AdapterFacts> adapters;
  std::vector<SocketFacts> sockets;
  StateDirFacts state;
};

}  // namespace pons::doctor
