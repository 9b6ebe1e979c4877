#include "pool/cgroup.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>

#include "pool/process_limits.h"

namespace pons {

namespace {

constexpr char kMemory[] = "memory";
constexpr char kCpu[] = "cpu";
constexpr char kPids[] = "pids";
constexpr std::size_t kTokenLetters = 12;  // of the instance, in the names of cgroups: enough to tell hosts apart
constexpr long kCpuPeriod = 100'000;       // microseconds
constexpr long kLeastCpu = 1'000;          // of them: the kernel takes no less

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// `0.5` cores are half of each period.
std::string cpu_max(double cores) {
  const auto quota = std::max(kLeastCpu, std::lround(cores * kCpuPeriod));
  return std::to_string(quota) + ' ' + std::to_string(kCpuPeriod);
}

LimitState by_rlimit(int resource) {
  const auto most = within_hard_limit(resource, RLIM_INFINITY);
  LimitState state{true, "rlimit"};
  if (most != RLIM_INFINITY) state.reason = "at most " + std::to_string(most) + ", the host's own hard limit";
  return state;
}

}  // namespace

// ---- The cgroup of a worker --------------------------------------------------------------------------------------------------------

WorkerCgroup& WorkerCgroup::operator=(WorkerCgroup&& other) noexcept {
  std::swap(tree_, other.tree_);
  std::swap(path_, other.path_);
  std::swap(procs_, other.procs_);
  return *this;
}

WorkerCgroup::~WorkerCgroup() {
  if (tree_ == nullptr) return;
  kill();
  tree_->remove(path_);
}

bool WorkerCgroup::kill() { return tree_ != nullptr && tree_->files_.write(path_ + "/cgroup.kill", "1").has_value(); }

bool WorkerCgroup::limits_memory() const { return tree_ != nullptr && tree_->has(kMemory); }

bool WorkerCgroup::over_memory() const {
  if (!limits_memory()) return false;
  const auto events = tree_->words_of(path_ + "/memory.events");
  const auto kills = std::find(events.begin(), events.end(), "oom_kill");
  return events.end() - kills > 1 && *(kills + 1) != "0";
}

// ---- All of them -------------------------------------------------------------------------------------------------------------------

std::unique_ptr<CgroupTree> CgroupTree::prepare(const std::string& instance, CgroupFiles& files) {
  std::unique_ptr<CgroupTree> tree(new CgroupTree(files));
  tree->prepare(instance);
  return tree;
}

void CgroupTree::prepare(const std::string& instance) {
  if (const auto made = make_root(instance); !made) {
    reason_ = made.error().message;
    limits_reason_ = "there is no cgroup for it: " + reason_;
    return;
  }
  const auto missing = enable_controllers();
  if (!missing.empty()) limits_reason_ = missing;
}

Result<void> CgroupTree::make_root(const std::string& instance) {
  const auto proc_cgroup = files_.read("/proc/self/cgroup");
  if (!proc_cgroup) return proc_cgroup.error();
  const auto mountinfo = files_.read("/proc/self/mountinfo");
  if (!mountinfo) return mountinfo.error();
  const auto own = find_own_cgroup(*proc_cgroup, *mountinfo);
  if (!own) return own.error();
  parent_ = own->path;
  if (files_.is_root() && !own->top_of_mount && !files_.is_delegated(parent_)) {
    return Error{ErrorCode::invalid_configuration, parent_ + " is not delegated to the host (Delegate=yes)"};
  }
  const auto type = files_.read(parent_ + "/cgroup.type");
  machine_root_ = !type;
  if (type && *type != "domain\n") return Error{ErrorCode::invalid_configuration, parent_ + " is a threaded cgroup"};
  // Nobody may move a process who may not write here.
  if (const auto procs = files_.open_for_writing(parent_ + "/cgroup.procs"); !procs) return procs.error();
  const auto path = parent_ + "/pons-" + instance.substr(0, kTokenLetters);
  if (const auto made = files_.make_folder(path); !made) return made;
  root_ = path;
  kills_whole_ = files_.open_for_writing(root_ + "/cgroup.kill").has_value();
  return {};
}

std::string CgroupTree::enable_controllers() {
  const auto there = words_of(parent_ + "/cgroup.controllers");
  const auto handed_down = words_of(parent_ + "/cgroup.subtree_control");
  Names wanted;
  Names missing;
  for (const char* const name : {kMemory, kCpu, kPids}) {
    // The root of the machine is not ours to change; of it workers have what it hands down anyway.
    (contains(machine_root_ ? handed_down : there, name) ? wanted : missing).emplace_back(name);
  }
  if (!machine_root_ && !wanted.empty()) {
    if (const auto entered = enter_leaf(); !entered) return entered.error().message;
    for (const auto& name : wanted) {
      if (const auto done = files_.write(parent_ + "/cgroup.subtree_control", '+' + name); !done) missing.push_back(name);
    }
  }
  for (const auto& name : wanted) {
    if (contains(missing, name)) continue;
    if (files_.write(root_ + "/cgroup.subtree_control", '+' + name)) controllers_.push_back(name);
  }
  if (controllers_.empty()) leave_leaf();
  return missing.empty() ? std::string() : parent_ + " does not hand down: " + list(missing);
}

Result<void> CgroupTree::enter_leaf() {
  const auto own = std::to_string(::getpid());
  auto others = words_of(parent_ + "/cgroup.procs");
  others.erase(std::remove(others.begin(), others.end(), own), others.end());
  if (!others.empty()) {
    return Error{ErrorCode::invalid_configuration,
                 parent_ + " holds " + std::to_string(others.size()) + " other processes (one is " + others.front() +
                     "): the host needs a cgroup of its own (systemd-run --user --scope -p Delegate=yes)"};
  }
  const auto leaf = root_ + "-host";
  if (const auto made = files_.make_folder(leaf); !made) return made;
  if (const auto moved = files_.write(leaf + "/cgroup.procs", "0"); !moved) {
    files_.remove_folder(leaf);
    return moved;
  }
  leaf_ = leaf;
  return {};
}

void CgroupTree::leave_leaf() {
  if (leaf_.empty()) return;
  if (const auto moved = files_.write(parent_ + "/cgroup.procs", "0"); !moved) return;
  files_.remove_folder(leaf_);
  leaf_.clear();
}

CgroupTree::Names CgroupTree::words_of(const std::string& path) const {
  const auto read = files_.read(path);
  std::istringstream text(read ? *read : std::string());
  return {std::istream_iterator<std::string>(text), {}};
}

bool CgroupTree::has(std::string_view controller) const { return contains(controllers_, controller); }

Result<WorkerCgroup> CgroupTree::make(const std::string& worker_id, const LimitOptions& limits) {
  if (!available()) return WorkerCgroup();
  const auto failed = [](const Error& error) {
    return Error{ErrorCode::worker_start_failed, "the worker's cgroup cannot be made: " + error.message};
  };
  for (const auto& path : std::exchange(leftover_, {})) remove(path);
  const auto path = root_ + '/' + worker_id;
  if (const auto made = files_.make_folder(path); !made) return failed(made.error());
  WorkerCgroup cgroup(*this, path);  // removed with it from here on
  if (const auto set = set_limits(path, limits); !set) return set.error();
  auto procs = files_.open_for_writing(path + "/cgroup.procs");
  if (!procs) return failed(procs.error());
  cgroup.procs_ = std::move(*procs);
  return cgroup;
}

Result<void> CgroupTree::set_limits(const std::string& path, const LimitOptions& limits) {
  const auto set = [&](const char* key, const char* file, const std::string& value) -> Result<void> {
    const auto written = files_.write(path + '/' + file, value);
    if (written) return {};
    return Error{ErrorCode::worker_start_failed, std::string(key) + ": " + written.error().message};
  };
  Result<void> done;
  if (limits.memory > 0 && has(kMemory)) {
    done = set("limits.memory", "memory.max", std::to_string(limits.memory));
    if (done) done = set("limits.memory", "memory.oom.group", "1");  // half a worker is of no use
    // Without this it would swap instead; the file is missing where there is no swap.
    if (done) (void)files_.write(path + "/memory.swap.max", "0");
  }
  if (done && limits.cpu > 0 && has(kCpu)) done = set("limits.cpu", "cpu.max", cpu_max(limits.cpu));
  if (done && limits.processes > 0 && has(kPids)) done = set("limits.processes", "pids.max", std::to_string(limits.processes));
  return done;
}

void CgroupTree::remove(const std::string& path) {
  if (!files_.remove_folder(path)) leftover_.push_back(path);
}

HostCgroups CgroupTree::for_watcher() const {
  if (!available()) return {};
  auto parent = files_.open_folder(parent_);
  if (!parent) return {};
  const auto name_of = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  return {std::move(*parent), name_of(root_), leaf_.empty() ? std::string() : name_of(leaf_)};
}

LimitsReport CgroupTree::report() const {
  const auto by_cgroup = [&](const char* controller) {
    return has(controller) ? LimitState{true, "cgroup"} : LimitState{false, {}, limits_reason_};
  };
  LimitsReport report;
  report.cgroup = available() && kills_whole_ ? LimitState{true, "cgroup"} : LimitState{false, {}, reason_};
  if (available() && !kills_whole_) report.cgroup.reason = "this kernel cannot kill a cgroup whole (it takes 5.14)";
  report.memory = by_cgroup(kMemory);
  if (!report.memory.enforced) report.memory = {true, "sampled", limits_reason_};
  report.cpu = by_cgroup(kCpu);
  report.processes = by_cgroup(kPids);
  report.open_files = by_rlimit(RLIMIT_NOFILE);
  report.core = by_rlimit(RLIMIT_CORE);
  report.nice = {true, "setpriority"};
  report.cpu_affinity = {true, "sched_setaffinity"};
  return report;
}

}  // namespace pons
