#include "tests/bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace pons::bench {
namespace {

constexpr int kGraceMs = 1000;  // between the end of a connection and SIGKILL

[[noreturn]] void throw_errno(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

cpu_set_t only(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  return set;
}

std::vector<std::string> environment_of(const ProcessOptions& options) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) entries.emplace_back(*entry);
  for (const auto& [name, value] : options.environment) {
    std::erase_if(entries, [&name = name](const std::string& e) { return e.starts_with(name + "="); });
    entries.push_back(name + "=" + value);
  }
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

/// Puts the descriptors in their places: first copies above all places, so that none overwrites another.
bool place(const std::vector<std::pair<int, int>>& descriptors) {
  constexpr int kAbove = 100;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    if (dup2(descriptors[i].first, kAbove + static_cast<int>(i)) < 0) return false;
  }
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    if (dup2(kAbove + static_cast<int>(i), descriptors[i].second) < 0) return false;
    close(kAbove + static_cast<int>(i));
  }
  return true;
}

double field_mib(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::stod(line.substr(name.size())) / 1024;
  }
  throw std::runtime_error("no " + std::string(name) + " in " + path);
}

}  // namespace

Descriptor::~Descriptor() {
  if (value_ >= 0) close(value_);
}

Process::Process(const ProcessOptions& options) {
  auto arguments = options.command;
  auto environment = environment_of(options);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  const Descriptor nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Descriptor log(open(options.stderr_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (nothing.get() < 0 || log.get() < 0) throw_errno(options.stderr_path);
  std::vector<std::pair<int, int>> descriptors{{nothing.get(), 0}, {nothing.get(), 1}, {log.get(), 2}};
  descriptors.insert(descriptors.end(), options.descriptors.begin(), options.descriptors.end());
  const pid_t parent = getpid();

  pid_ = fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    if (options.core) {
      const cpu_set_t set = only(*options.core);
      sched_setaffinity(0, sizeof set, &set);
    }
    if (place(descriptors)) execve(argv[0], argv.data(), envp.data());
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
  }
  pidfd_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (pidfd_.get() < 0) throw_errno("pidfd_open");
}

Process::~Process() {
  if (status_) return;
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, kGraceMs) <= 0) kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::optional<int> Process::wait(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, static_cast<int>(timeout.count())) <= 0) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, 0) < 0) throw_errno("waitpid");
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

std::pair<Descriptor, Descriptor> socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_errno("socketpair");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Memory memory_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  return {field_mib(folder + "/status", "VmRSS:"), field_mib(folder + "/smaps_rollup", "Pss:")};
}

double processor_ms_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
  double nanoseconds = 0;
  if (!(file >> nanoseconds)) throw std::runtime_error("no schedstat of process " + std::to_string(pid));
  return nanoseconds / 1e6;
}

int last_core() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) throw_errno("sched_getaffinity");
  for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
    if (CPU_ISSET(static_cast<std::size_t>(core), &set)) return core;
  }
  throw std::runtime_error("no core to run on");
}

PinnedTo::PinnedTo(std::optional<int> core) : pinned_(core.has_value()) {
  if (!pinned_) return;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) throw_errno("sched_getaffinity");
  before_.resize(sizeof set);
  std::memcpy(before_.data(), &set, sizeof set);
  set = only(*core);
  if (sched_setaffinity(0, sizeof set, &set) != 0) throw_errno("sched_setaffinity");
}

PinnedTo::~PinnedTo() {
  if (!pinned_) return;
  cpu_set_t set;
  std::memcpy(&set, before_.data(), sizeof set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace pons::bench
