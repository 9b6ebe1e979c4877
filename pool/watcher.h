// The small process that cleans up when the host is killed. Workers themselves die with the host (PR_SET_PDEATHSIG, end of file); what
// they started need not. The watcher holds a pipe to the host; at its end of file it kills, by pidfd, every process that carries the
// host's PONS_INSTANCE token in its environment or is in the process group of a worker, and what is in the workers' cgroups, again and
// again until none is left; removes the socket and the locks that the host had; then it ends.
//
// It may be forked at any time, also by a process that has threads: after fork it allocates nothing and makes only async-signal-safe
// calls. It gives back the memory that it shares with the host, holds no descriptor of the host's but the pipe, is in a session of its
// own, ignores every signal that can be ignored, and carries no environment: it is no target of another host's watcher.
//
// Limits. Where there is no cgroup (pool/cgroup.h), a process that has cleared its environment *and* left the process group of its worker
// is not found. Processes of another user (a setuid program) cannot be killed. Between the death of a watcher and its restart (some
// milliseconds) nobody watches. One that somebody stops with SIGSTOP does its work when it is continued (finish() does that).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "pool/cgroup_cleanup.h"
#include "pool/group_table.h"
#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// What a host that is killed leaves in the file system: a lock file (protocol/transport/lock_file.h) and what it stands for. Empty:
/// nothing.
struct Leftover {
  std::string lock;    ///< absolute; removed with the other, unless another host has taken it meanwhile
  std::string socket;  ///< absolute, or empty
  std::string folder;  ///< absolute, or empty; removed if nothing is in it
};

/// Thread safety: none; the thread that lives as long as the host.
class Watcher {
 public:
  /// Forks the watcher. `token` is the value of PONS_INSTANCE, at most 64 bytes. At most kMostLeftovers are removed, of those whose
  /// paths are shorter than kLongestPath.
  static Result<Watcher> start(std::string token, HostCgroups cgroups = {}, std::vector<Leftover> leftovers = {});
  static constexpr std::size_t kMostLeftovers = 2;
  static constexpr std::size_t kLongestPath = 1024;
  Watcher(Watcher&&) = default;
  Watcher& operator=(Watcher&&) = default;

  /// Forks another one in place of one that has ended; without effect while it runs.
  Result<void> restart();
  /// Lets the watcher do its work and waits until it has ended: at the host's own end, so that nothing of ours stays behind. If there is
  /// none, or it takes longer than any work can, the caller does the work itself.
  void finish();
  /// The process groups of workers, from start to end, are to be entered here: PosixLauncher does it.
  [[nodiscard]] GroupTable& groups() { return groups_; }
  /// Of the one that runs; 0 if it has ended and been reaped. Whoever reaps children spares it.
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Readable when it has ended; -1 if there is none.
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }

 private:
  Watcher(std::string token, HostCgroups cgroups, std::vector<Leftover> leftovers, GroupTable groups)
      : token_(std::move(token)), cgroups_(std::move(cgroups)), leftovers_(std::move(leftovers)), groups_(std::move(groups)) {}
  Result<void> fork();

  std::string token_;
  HostCgroups cgroups_;
  std::vector<Leftover> leftovers_;
  GroupTable groups_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd pipe_;
};

/// 128 random bits as hex.
std::string random_token();

/// Kills every process whose environment holds PONS_INSTANCE=token, again and again until none is found. The caller's own is spared.
void kill_instance(std::string_view token);
/// The processes whose environment holds PONS_INSTANCE=token.
std::vector<pid_t> find_instance(std::string_view token);

}  // namespace pons
