// A control group (cgroup v2) for each worker, where the host may make them: what is above its memory is killed, its processor time and
// its processes are limited, and it is killed whole, also what has left its process group and cleared its environment.
//
// The host looks for its own cgroup, P. If it may make cgroups in it, workers get P/pons-TOKEN/ID each. Limits take controllers that P
// hands down, and a cgroup that does so holds no processes: so the host first moves itself into P/pons-TOKEN-host, but only if it is
// alone in P. Otherwise it leaves P as it is: workers are killed whole, but have no limits by cgroup. A user gives the host a P of its
// own with `systemd-run --user --scope -p Delegate=yes pons serve` or `Delegate=yes` in a service; in a container P is what it sees as
// the root. Root may write everywhere, but what systemd manages is not root's to change: there P must be marked as delegated.
//
// Everything is removed at the end by the watcher (cgroup_cleanup.h), also after the host was killed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/cgroup_cleanup.h"
#include "pool/cgroup_files.h"
#include "pool/limits_report.h"
#include "pool/options.h"
#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class CgroupTree;

/// The cgroup of one worker, or none. Object lifetimes: its CgroupTree outlives it. The destructor kills what is in it, and removes it as
/// soon as that is gone.
class WorkerCgroup {
 public:
  WorkerCgroup() = default;
  WorkerCgroup(WorkerCgroup&& other) noexcept
      : tree_(std::exchange(other.tree_, nullptr)), path_(std::move(other.path_)), procs_(std::move(other.procs_)) {}
  WorkerCgroup& operator=(WorkerCgroup&& other) noexcept;
  ~WorkerCgroup();

  /// For SpawnSpec::cgroup. -1: there is none.
  [[nodiscard]] int procs() const { return procs_.get(); }
  /// Kills every process in it, wherever it has gone and whatever it has started. False if there is none, or this kernel cannot (before
  /// 5.14).
  bool kill();
  /// Whether the kernel has killed a process in it for limits.memory.
  [[nodiscard]] bool over_memory() const;
  /// Whether limits.memory is enforced by it; else it is to be sampled.
  [[nodiscard]] bool limits_memory() const;

 private:
  friend class CgroupTree;
  WorkerCgroup(CgroupTree& tree, std::string path) : tree_(&tree), path_(std::move(path)) {}
  CgroupTree* tree_ = nullptr;  // null: there is none
  std::string path_;
  UniqueFd procs_;
};

/// The cgroups of one host. Thread safety: none.
class CgroupTree {
 public:
  /// Finds out what is possible, and makes it so. Call it before the watcher is started, which is then in the right cgroup and removes
  /// everything. Never fails: report() says what there is. `files` outlives it.
  static std::unique_ptr<CgroupTree> prepare(const std::string& instance, CgroupFiles& files);
  CgroupTree(const CgroupTree&) = delete;
  CgroupTree& operator=(const CgroupTree&) = delete;

  /// Whether workers get cgroups.
  [[nodiscard]] bool available() const { return !root_.empty(); }
  /// One for a worker, with those of its limits that are enforced by cgroup; without effect if they are not available. worker_start_failed
  /// if it cannot be made, or a limit cannot be set, which is then named with its key.
  Result<WorkerCgroup> make(const std::string& worker_id, const LimitOptions& limits);
  /// For Watcher::start.
  [[nodiscard]] HostCgroups for_watcher() const;
  [[nodiscard]] LimitsReport report() const;

 private:
  friend class WorkerCgroup;
  using Names = std::vector<std::string>;

  explicit CgroupTree(CgroupFiles& files) : files_(files) {}
  void prepare(const std::string& instance);
  Result<void> make_root(const std::string& instance);
  /// Makes P hand controllers down to workers; the reason if it does not hand down all.
  std::string enable_controllers();
  Result<void> enter_leaf();
  void leave_leaf();
  [[nodiscard]] Names words_of(const std::string& path) const;
  [[nodiscard]] bool has(std::string_view controller) const;
  Result<void> set_limits(const std::string& path, const LimitOptions& limits);
  void remove(const std::string& path);

  CgroupFiles& files_;
  std::string parent_;         // P, a path
  std::string root_;           // P/pons-TOKEN; empty: there are none
  std::string leaf_;           // P/pons-TOKEN-host; empty: the host is where it was
  bool kills_whole_ = false;   // there is cgroup.kill
  bool machine_root_ = false;  // P is the root of the machine: no cgroup like the others
  Names controllers_;          // that workers have
  std::string reason_;         // why there are no cgroups
  std::string limits_reason_;  // why they have not all controllers
  Names leftover_;             // cgroups of workers that could not be removed yet
};

}  // namespace pons
