#include "pool/watcher.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "pool/fork.h"
#include "pool/instance_scan.h"
#include "pool/own_memory.h"
#include "pool/process.h"

namespace pons {

namespace {

constexpr unsigned kFirstFreeFd = 10;  // copies lie above all that is closed one by one
constexpr int kFinishMillis = 10'000;  // longer than all rounds of all its work
constexpr char kTitle[] = "pons-watcher";

using Path = std::array<char, Watcher::kLongestPath>;

/// A Leftover by value.
struct LeftoverPaths {
  Path lock{}, socket{}, folder{};  // empty: none
};

/// What the child needs, by value: it gives the heap back.
struct Orders {
  int pipe = -1;
  int cgroup_parent = -1;  // -1: there are no cgroups
  std::array<char, 256> cgroup{};
  std::array<char, 256> leaf{};
  std::array<LeftoverPaths, Watcher::kMostLeftovers> leftovers{};
  const GroupTable::Slot* groups = nullptr;
  InstanceScan scan;
};

Orders make_orders(const std::string& token, const HostCgroups& cgroups, const std::vector<Leftover>& leftovers, const GroupTable& groups) {
  Orders orders{.groups = groups.slots(), .scan = InstanceScan(token)};
  const auto copy = [](const std::string& from, Path& to) {
    if (from.size() < to.size()) from.copy(to.data(), from.size());
  };
  for (std::size_t i = 0; i < std::min(leftovers.size(), orders.leftovers.size()); ++i) {
    copy(leftovers[i].lock, orders.leftovers[i].lock);
    copy(leftovers[i].socket, orders.leftovers[i].socket);
    copy(leftovers[i].folder, orders.leftovers[i].folder);
  }
  orders.cgroup_parent = cgroups.parent.get();
  cgroups.name.copy(orders.cgroup.data(), orders.cgroup.size() - 1);
  cgroups.leaf.copy(orders.leaf.data(), orders.leaf.size() - 1);
  return orders;
}

/// As the host would have done it. Another that starts there now finds the lock taken for a moment by one that is dead, and waits.
void remove(const LeftoverPaths& paths) {
  const int lock = paths.lock[0] != 0 ? ::open(paths.lock.data(), O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
  if (lock < 0) return;  // the host has done it, or has never got so far
  struct stat ours {};
  struct stat there {};
  const bool taken = ::flock(lock, LOCK_EX | LOCK_NB) == 0 && ::fstat(lock, &ours) == 0 && ::lstat(paths.lock.data(), &there) == 0 &&
                     ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
  if (taken) {
    if (paths.socket[0] != 0) ::unlink(paths.socket.data());
    ::unlink(paths.lock.data());
    if (paths.folder[0] != 0) ::rmdir(paths.folder.data());
  }
  ::close(lock);
}

/// All that the watcher is there for, once its host is no more.
void clean_up(Orders& orders) {
  orders.scan.add_groups(orders.groups);
  if (orders.cgroup_parent >= 0) kill_cgroups(orders.cgroup_parent, orders.cgroup.data());
  orders.scan.kill_all();
  if (orders.cgroup_parent >= 0) remove_cgroups(orders.cgroup_parent, orders.cgroup.data(), orders.leaf.data());
  for (const auto& leftover : orders.leftovers) remove(leftover);
}

/// Moves the descriptors that are kept out of the way, closes all others, and puts them where nothing else is.
void keep_only(int& first, int& second) {
  int* const kept[] = {&first, &second};
  int number = 0;
  for (int* const fd : kept) *fd = *fd < 0 ? -1 : ::fcntl(*fd, F_DUPFD_CLOEXEC, kFirstFreeFd);
  for (int* const fd : kept) {
    if (*fd >= 0) *fd = ::dup2(*fd, number++);
  }
  ::syscall(SYS_close_range, static_cast<unsigned>(number), ~0u, 0u);
}

/// After fork, all signals blocked, perhaps in a process that had threads: async-signal-safe calls only, and no allocation.
[[noreturn]] void watch(Orders orders) {
  ::setsid();
  ::prctl(PR_SET_NAME, kTitle);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
  keep_only(orders.pipe, orders.cgroup_parent);
  if (::chdir("/") != 0) ::_exit(1);
  clear_environment(kTitle);
  give_back_memory();
  char byte = 0;
  while (::read(orders.pipe, &byte, 1) < 0 && errno == EINTR) {
  }
  clean_up(orders);
  ::_exit(0);
}

}  // namespace

std::string random_token() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw Exception(ErrorCode::internal, "getrandom failed");
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

std::vector<pid_t> find_instance(std::string_view token) {
  std::vector<pid_t> found;
  InstanceScan(token).each([&](pid_t pid, int, const ProcessName&) { found.push_back(pid); });
  return found;
}

void kill_instance(std::string_view token) { InstanceScan(token).kill_all(); }

Result<Watcher> Watcher::start(std::string token, HostCgroups cgroups, std::vector<Leftover> leftovers) {
  auto groups = GroupTable::make();
  if (!groups) return groups.error();
  Watcher watcher(std::move(token), std::move(cgroups), std::move(leftovers), std::move(*groups));
  if (auto forked = watcher.fork(); !forked) return forked.error();
  return watcher;
}

Result<void> Watcher::fork() {
  const auto failed = [](const char* call) {
    return Error{ErrorCode::internal, std::string("cannot start the watcher: ") + call + ": " + std::strerror(errno)};
  };
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return failed("pipe2");
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  auto orders = make_orders(token_, cgroups_, leftovers_, groups_);
  orders.pipe = read_end.get();
  const pid_t pid = fork_with_signals_blocked();
  if (pid < 0) return failed("fork");
  if (pid == 0) watch(orders);
  pid_ = pid;
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pipe_ = std::move(write_end);
  if (!pidfd_) {
    const auto error = failed("pidfd_open");
    pipe_.reset();  // it finds nothing of ours to do, and ends
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    return error;
  }
  return {};
}

Result<void> Watcher::restart() {
  if (pidfd_) {
    if (!has_ended(pidfd_.get())) return {};
    reap(pidfd_.get());
    pidfd_.reset();
    pipe_.reset();
    pid_ = 0;
  }
  return fork();
}

void Watcher::finish() {
  pipe_.reset();
  bool done = false;
  if (pidfd_) {
    send_signal(pidfd_.get(), SIGCONT);  // if somebody has stopped it
    pollfd end{pidfd_.get(), POLLIN, 0};
    while (::poll(&end, 1, kFinishMillis) < 0 && errno == EINTR) {
    }
    send_signal(pidfd_.get(), SIGKILL);
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 && errno == EINTR) {
    }
    done = info.si_code == CLD_EXITED && info.si_status == 0;
    pidfd_.reset();
    pid_ = 0;
  }
  auto orders = make_orders(token_, cgroups_, leftovers_, groups_);
  if (!done) return clean_up(orders);
  // The caller, too, is in the leaf, and leaves it last.
  if (orders.cgroup_parent >= 0) remove_cgroups(orders.cgroup_parent, orders.cgroup.data(), orders.leaf.data());
}

}  // namespace pons
