// The limits that the kernel enforces for one process and all that it starts, without a cgroup: set by the child itself between fork
// and exec.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pool/cpu_set.h"
#include "protocol/error.h"

namespace pons {

/// 0 and empty: as the host's own.
struct ProcessLimits {
  std::size_t open_files = 0;  ///< RLIMIT_NOFILE, soft and hard. Above the host's own hard limit: that one holds
  std::size_t core = 0;        ///< RLIMIT_CORE in bytes, likewise
  int nice = 0;                ///< added to the host's; below 0 only with the privilege
  std::string cpus{};          ///< "0-3,5"
  friend bool operator==(const ProcessLimits&, const ProcessLimits&) = default;
};

/// What of `wanted` a resource limit can be: never above the hard limit of this process.
rlim_t within_hard_limit(int resource, std::size_t wanted);

/// Raises this process' own limit of open files to the hard one. What it starts is given the limit that it had before, unless
/// limits.open_files says otherwise: programs that use select() count on a low one. Once, before other threads are there.
void raise_own_open_files();

/// The limits, made ready before fork.
class LimitPlan {
 public:
  /// What cannot hold, as far as that is known beforehand: worker_start_failed, with the key.
  static Result<LimitPlan> prepare(const ProcessLimits& limits);

  /// The key of a limit, as it is reported through the pipe of a child.
  enum class Key : std::uint8_t { none, open_files, core, nice, cpu_affinity };
  /// In the child; async-signal-safe. Key::none: all hold. Else what could not be set, with errno.
  [[nodiscard]] Key apply() const noexcept;

 private:
  std::optional<rlimit> open_files_;
  std::optional<rlimit> core_;
  std::optional<int> niceness_;
  std::optional<CpuSet> cpus_;
};

/// "limits.nice: -5 cannot be set: Permission denied (...)"
std::string explain_limit_failure(const ProcessLimits& limits, LimitPlan::Key key, int error);

}  // namespace pons
