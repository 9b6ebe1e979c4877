// Which of the limits of a worker hold on this machine, and by what: for `host:get_info` and `pons info`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pons {

/// Whether a limit that is configured will hold.
struct LimitState {
  bool enforced = false;
  std::string how{};     ///< enforced by: "cgroup", "sampled", "rlimit", "setpriority", "sched_setaffinity"
  std::string reason{};  ///< why it is not, or to what extent only
};

struct LimitsReport {
  LimitState cgroup;     ///< workers are in cgroups of their own, which are killed whole
  LimitState memory;     ///< always enforced: by cgroup or sampled
  LimitState cpu;        ///< by cgroup only
  LimitState processes;  ///< likewise
  LimitState open_files;
  LimitState core;
  LimitState nice;
  LimitState cpu_affinity;

  /// {"cgroup": "not_available", "memory": "enforced", ..., "how": {"memory": "sampled", ...}, "reasons": {"cpu": "...", ...}}
  [[nodiscard]] nlohmann::json to_json() const;
};

}  // namespace pons
