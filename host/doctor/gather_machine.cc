#include <linux/close_range.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <thread>

#include "host/doctor/gather.h"
#include "pool/cgroup.h"
#include "pool/process.h"
#include "pool/watcher.h"

namespace pons::doctor {

namespace {

/// errno in words; nothing if `done`.
std::string why_not(bool done) { return done ? std::string() : std::strerror(errno); }

std::string try_pidfd() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self) return why_not(false);
  if (::syscall(SYS_pidfd_send_signal, self.get(), 0, nullptr, 0) != 0) return why_not(false);
  siginfo_t info{};
  const int waited = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(self.get()), &info, WEXITED | WNOHANG);
  return why_not(waited == 0 || errno == ECHILD);  // it is no child of its own
}

std::string try_close_range() {
  constexpr auto kNone = std::numeric_limits<int>::max();  // above every descriptor
  return why_not(::syscall(SYS_close_range, kNone, kNone, CLOSE_RANGE_CLOEXEC) == 0);
}

std::string try_subreaper() {
  int is_one = 0;
  return why_not(::prctl(PR_GET_CHILD_SUBREAPER, &is_one) == 0);
}

std::string try_parent_death_signal() {
  int signal = 0;
  return why_not(::prctl(PR_GET_PDEATHSIG, &signal) == 0);
}

std::string try_unix_sockets() {
  std::array<int, 2> fds{-1, -1};
  const bool made = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0;
  auto why = why_not(made);
  const UniqueFd first(fds[0]);
  const UniqueFd second(fds[1]);
  return why;
}

std::string try_eventfd() { return why_not(static_cast<bool>(UniqueFd(::eventfd(0, EFD_CLOEXEC)))); }

/// By which the host finds what its workers have left behind.
std::string try_proc() {
  const auto path = "/proc/self/task/" + std::to_string(::gettid()) + "/children";
  for (const auto& file : {std::string("/proc/self/environ"), path}) {
    if (::access(file.c_str(), R_OK) != 0) return file + ": " + std::strerror(errno);
  }
  return {};
}

std::uint64_t limit_of(decltype(RLIMIT_NOFILE) resource, bool hard) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return std::numeric_limits<std::uint64_t>::max();
  return hard ? limit.rlim_max : limit.rlim_cur;  // RLIM_INFINITY is the largest
}

void read_memory(MachineFacts& facts) {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  for (std::string unit; file >> key >> kib; std::getline(file, unit)) {
    if (key == "MemTotal:") facts.memory_total = kib << 10;
    if (key == "MemAvailable:") facts.memory_available = kib << 10;
  }
}

/// As a host does it; the watcher takes away what was made.
LimitsReport try_limits() {
  const auto instance = random_token();
  SystemCgroupFiles files;
  const auto cgroups = CgroupTree::prepare(instance, files);
  auto report = cgroups->report();
  if (auto watcher = Watcher::start(instance, cgroups->for_watcher())) watcher->finish();
  return report;
}

}  // namespace

MachineFacts look_at_machine(const EnvLookup& env) {
  MachineFacts facts;
  facts.limits = try_limits();
  utsname names{};
  if (::uname(&names) == 0) facts.kernel = names.release;
  facts.cores = std::thread::hardware_concurrency();
  read_memory(facts);
  facts.open_files = limit_of(RLIMIT_NOFILE, true);
  facts.processes = limit_of(RLIMIT_NPROC, false);
  facts.features = {{"pidfd", "5.4", try_pidfd()},
                    {"close_range", "5.11", try_close_range()},
                    {"child subreaper", "3.4", try_subreaper()},
                    {"parent death signal", "2.6", try_parent_death_signal()},
                    {"unix sockets", "2.6", try_unix_sockets()},
                    {"eventfd", "2.6.27", try_eventfd()},
                    {"/proc", "3.5", try_proc()}};
  const auto path = env("PATH").value_or("");
  facts.python = find_on_path("python3", path);
  facts.uv = find_on_path("uv", path);
  return facts;
}

}  // namespace pons::doctor
