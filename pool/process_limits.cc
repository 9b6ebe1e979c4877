#include "pool/process_limits.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pons {

namespace {

constexpr int kLeastNice = 19;
constexpr int kMostUrgent = -20;

std::optional<rlimit> both(int resource, std::size_t wanted) {
  if (wanted == 0) return std::nullopt;
  const auto value = within_hard_limit(resource, wanted);
  return rlimit{value, value};
}

/// What raise_own_open_files() found.
std::optional<rlimit>& inherited_open_files() {
  static std::optional<rlimit> limit;
  return limit;
}

}  // namespace

void raise_own_open_files() {
  rlimit own{};
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0 || own.rlim_cur == own.rlim_max) return;
  const rlimit raised{own.rlim_max, own.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) inherited_open_files() = own;
}

rlim_t within_hard_limit(int resource, std::size_t wanted) {
  rlimit own{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &own) != 0) return wanted;
  return std::min<rlim_t>(wanted, own.rlim_max);  // RLIM_INFINITY is the largest
}

Result<LimitPlan> LimitPlan::prepare(const ProcessLimits& limits) {
  LimitPlan plan;
  plan.open_files_ = limits.open_files != 0 ? both(RLIMIT_NOFILE, limits.open_files) : inherited_open_files();
  plan.core_ = both(RLIMIT_CORE, limits.core);
  if (limits.nice != 0) {
    errno = 0;
    const int own = ::getpriority(PRIO_PROCESS, 0);
    if (own == -1 && errno != 0) {
      return Error{ErrorCode::worker_start_failed, std::string("limits.nice: getpriority: ") + std::strerror(errno)};
    }
    plan.niceness_ = std::clamp(own + limits.nice, kMostUrgent, kLeastNice);
  }
  if (!limits.cpus.empty()) {
    const auto cpus = available_cpus(limits.cpus);
    if (!cpus) return Error{ErrorCode::worker_start_failed, cpus.error().message};
    plan.cpus_ = *cpus;
  }
  return plan;
}

LimitPlan::Key LimitPlan::apply() const noexcept {
  if (niceness_ && ::setpriority(PRIO_PROCESS, 0, *niceness_) != 0) return Key::nice;
  if (cpus_) {
    if (::sched_setaffinity(0, sizeof(cpu_set_t), &cpus_->native()) != 0) return Key::cpu_affinity;
    // The kernel leaves out in silence what the cpuset of the host does not allow.
    cpu_set_t got;
    CPU_ZERO(&got);
    if (::sched_getaffinity(0, sizeof got, &got) != 0) return Key::cpu_affinity;
    if (!CPU_EQUAL(&got, &cpus_->native())) {
      errno = EPERM;
      return Key::cpu_affinity;
    }
  }
  if (core_ && ::setrlimit(RLIMIT_CORE, &*core_) != 0) return Key::core;
  if (open_files_ && ::setrlimit(RLIMIT_NOFILE, &*open_files_) != 0) return Key::open_files;
  return Key::none;
}

std::string explain_limit_failure(const ProcessLimits& limits, LimitPlan::Key key, int error) {
  const std::string why = std::string(" cannot be set: ") + std::strerror(error);
  switch (key) {
    case LimitPlan::Key::none:
      return {};
    case LimitPlan::Key::open_files:
      return "limits.open_files: " + std::to_string(limits.open_files) + why;
    case LimitPlan::Key::core:
      return "limits.core: " + std::to_string(limits.core) + why;
    case LimitPlan::Key::nice:
      return "limits.nice: " + std::to_string(limits.nice) + why + (error == EACCES ? " (below 0 takes the privilege to do so)" : "");
    case LimitPlan::Key::cpu_affinity:
      return "limits.cpu_affinity: \"" + limits.cpus + '"' + why +
             (error == EPERM ? " (the host itself may not use all of these CPUs)" : "");
  }
  return {};
}

}  // namespace pons
