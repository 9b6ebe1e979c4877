// Starting and ending a worker's process. Everything is prepared before fork; between fork and exec the child makes only
// async-signal-safe calls; the process is known by a pidfd from its first moment, and no signal ever goes to a bare pid.
//
// The child: leader of its own process group; killed by the kernel when the thread that started it ends (so it is started from the
// thread that lives as long as the host); stdin is /dev/null and stdout and stderr are captured (ChannelKind::fd), or stdin and stdout
// are the channel and only stderr is captured (ChannelKind::stdio); every other descriptor of ours is closed on exec. It enters its
// cgroup and takes its limits before exec, so nothing that the program does or starts escapes them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/group_table.h"
#include "pool/options.h"
#include "pool/process_limits.h"
#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// How a process ended.
struct ExitStatus {
  int status = -1;  ///< exit status, -1 if a signal ended it
  int signal = 0;   ///< the signal, 0 if it exited
  bool core = false;
  bool ours = false;         ///< the signal was sent by the host
  bool over_memory = false;  ///< its cgroup counts a process that the kernel killed for limits.memory
  /// "exited with status 3", "was killed by SIGSEGV (core dumped)"; of a SIGKILL that is not ours also what it may mean
  [[nodiscard]] std::string words() const;
};

/// The file of a program that is named without a slash, as a worker with that PATH has it; none: there is none to be run.
std::optional<std::string> find_on_path(std::string_view program, std::string_view path);

struct SpawnSpec {
  std::vector<std::string> command;
  std::string working_dir;
  std::vector<std::pair<std::string, std::string>> env;  ///< complete; a PONS_FD or PONS_DUMP_FD in it does not count
  ChannelKind channel = ChannelKind::fd;
  ProcessLimits limits{};
  int cgroup = -1;  ///< the cgroup.procs of the cgroup that it enters, open for writing (WorkerCgroup::procs); -1: it stays in ours
};

/// A started process and our ends of its pipes.
struct Spawned {
  pid_t pid = 0;
  UniqueFd pidfd;        ///< readable when it has ended
  UniqueFd exec_status;  ///< end of file: exec succeeded; else a SpawnFailure as bytes
  UniqueFd channel_in;
  UniqueFd channel_out;  ///< empty if channel_in serves both directions
  UniqueFd out;          ///< captured stdout; empty with ChannelKind::stdio
  UniqueFd err;          ///< captured stderr
  /// Its group's place in the table of the watcher. To be given up before the process is reaped: then the number is free for others.
  GroupTable::Entry group;
  UniqueFd dump;  ///< what it writes to PONS_DUMP_FD, non-blocking; empty with ChannelKind::stdio
};

/// Where the child failed before exec, and errno.
struct SpawnFailure {
  int step = 0;
  int error = 0;
};

/// The seam to the operating system, for tests that need no processes.
class ProcessLauncher {
 public:
  virtual ~ProcessLauncher() = default;
  /// worker_start_failed with what is wrong with the file or a limit, where that can be known beforehand.
  virtual Result<Spawned> spawn(const SpawnSpec& spec) = 0;
};

class PosixLauncher final : public ProcessLauncher {
 public:
  /// Enters the process groups that it starts into `groups` (Watcher::groups), which outlives them; null: nobody looks after them.
  explicit PosixLauncher(GroupTable* groups = nullptr) : groups_(groups) {}
  Result<Spawned> spawn(const SpawnSpec& spec) override;

 private:
  GroupTable* groups_;
};

/// One sentence on why `spec` could not be executed: missing, not executable, wrong architecture, missing interpreter, a limit that
/// could not be set (with its key).
std::string explain_exec_failure(const SpawnSpec& spec, const SpawnFailure& failure);

/// Sends a signal to the process of `pidfd` (at most; nothing if it has been reaped).
void send_signal(int pidfd, int signal);
/// Sends a signal to every process of the group whose leader is behind `pidfd` and not yet reaped: so the number cannot have been
/// given to somebody else. The leader gets it also if it has left the group.
void signal_group(int pidfd, pid_t group, int signal);
/// Reaps the process behind `pidfd`, which must have ended.
ExitStatus reap(int pidfd);
/// Children that are not `ours`: what workers left behind and the kernel gave to us, their subreaper. Reaps those that have ended, and
/// kills those for whose environment (NAME=VALUE, each ended by a zero byte) `lost` holds. They cannot be mistaken: nobody else reaps.
void tend_orphans(const std::function<bool(pid_t)>& ours, const std::function<bool(std::string_view environment)>& lost);
/// Looks whether it has ended, without reaping it.
bool has_ended(int pidfd);

}  // namespace pons
