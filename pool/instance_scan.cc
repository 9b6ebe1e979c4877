#include "pool/instance_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "pool/process_table.h"

namespace pons {

namespace {

constexpr int kRounds = 200;      // looks at all processes, at most
constexpr int kRoundMillis = 10;  // between two looks, for the killed to go
constexpr std::string_view kVariable{"\0PONS_INSTANCE=", 15};

unsigned long long ticks_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto per_second = static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK));
  return static_cast<unsigned long long>(now.tv_sec) * per_second +
         static_cast<unsigned long long>(now.tv_nsec) * per_second / 1'000'000'000;
}

}  // namespace

InstanceScan::InstanceScan(std::string_view token) {
  kVariable.copy(needle_.data(), kVariable.size());
  const auto length = token.copy(needle_.data() + kVariable.size(), kLongestToken);
  needle_size_ = kVariable.size() + length + 1;  // and the zero byte
}

void InstanceScan::add_groups(const GroupTable::Slot* groups) {
  groups_ = groups;
  before_ = ticks_now();
}

InstanceScan::Folder::Folder() : fd_(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

pid_t InstanceScan::Folder::next(ProcessName& name) {
  while (true) {
    if (at_ >= end_) {
      const auto n = ::getdents64(fd_.get(), entries_.data(), entries_.size());
      if (n <= 0) return 0;
      at_ = 0;
      end_ = static_cast<std::size_t>(n);
    }
    dirent64 head;  // the name, at its end, is as long as it is
    std::memcpy(&head, entries_.data() + at_, offsetof(dirent64, d_name));
    const char* const text = entries_.data() + at_ + offsetof(dirent64, d_name);
    at_ += head.d_reclen;
    const auto length = std::strlen(text);
    pid_t pid = 0;
    if (length >= name.size() || std::from_chars(text, text + length, pid).ptr != text + length || pid <= 0) continue;
    std::memcpy(name.data(), text, length + 1);
    return pid;
  }
}

bool InstanceScan::carries(int proc, const ProcessName& name) const {
  std::array<char, 40> path{};
  const std::string_view folder(name.data());
  folder.copy(path.data(), folder.size());
  std::string_view("/environ").copy(path.data() + folder.size(), 8);
  const UniqueFd file(::openat(proc, path.data(), O_RDONLY | O_CLOEXEC));
  if (!file) return false;
  std::array<char, 8192> buffer;
  buffer[0] = '\0';  // every entry begins after a zero byte
  std::size_t kept = 1;
  while (true) {
    const auto n = ::read(file.get(), buffer.data() + kept, buffer.size() - kept);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    const auto have = kept + static_cast<std::size_t>(n);
    if (::memmem(buffer.data(), have, needle_.data(), needle_size_) != nullptr) return true;
    kept = std::min(have, needle_size_ - 1);
    std::memmove(buffer.data(), buffer.data() + have - kept, kept);
  }
}

bool InstanceScan::is_ours(int proc, const ProcessName& name) const {
  if (groups_ != nullptr) {
    const auto stat = ProcessStat::read(proc, name.data());
    if (stat && stat->alive() && stat->started <= before_ && GroupTable::contains(groups_, stat->group)) return true;
  }
  return carries(proc, name);
}

/// By pidfd: the process is looked at again after it was opened, so that a pid given to somebody else is never hit.
bool InstanceScan::kill_one(int proc, pid_t pid, const ProcessName& name) const {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return pidfd && is_ours(proc, name) && ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
}

void InstanceScan::kill_all() const {
  for (int round = 0; round < kRounds; ++round) {
    bool any = false;
    each([&](pid_t pid, int proc, const ProcessName& name) { any = kill_one(proc, pid, name) || any; });
    if (!any) return;
    ::poll(nullptr, 0, kRoundMillis);
  }
}

}  // namespace pons
