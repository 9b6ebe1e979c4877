// Finds the processes of one host instance in /proc, by the token in their environment or by their process group. Allocates nothing and
// makes only async-signal-safe calls: the watcher uses it between fork and its end.
#pragma once

#include <sys/types.h>

#include <array>
#include <string_view>

#include "pool/group_table.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// The zero-terminated name of a process's folder below /proc.
using ProcessName = std::array<char, 24>;

class InstanceScan {
 public:
  static constexpr std::size_t kLongestToken = 64;

  /// Processes with PONS_INSTANCE=token (cut at kLongestToken), the caller's own excepted.
  explicit InstanceScan(std::string_view token);
  /// Also those of these groups that have started by now: whoever joins a group of that number later need not be ours.
  void add_groups(const GroupTable::Slot* groups);

  /// Calls visit(pid, proc, name) for each; `proc` is a descriptor of /proc.
  template <class Visit>
  void each(Visit visit) const;
  /// Kills each by pidfd, again and again until none is found, for some two seconds at most.
  void kill_all() const;

 private:
  /// Entries of /proc that are processes, a buffer full at a time.
  class Folder {
   public:
    Folder();
    [[nodiscard]] int fd() const { return fd_.get(); }
    /// 0: there are no more, or /proc cannot be read.
    pid_t next(ProcessName& name);

   private:
    UniqueFd fd_;
    alignas(8) std::array<char, 16384> entries_;
    std::size_t at_ = 0;
    std::size_t end_ = 0;
  };
  [[nodiscard]] bool is_ours(int proc, const ProcessName& name) const;
  [[nodiscard]] bool carries(int proc, const ProcessName& name) const;
  bool kill_one(int proc, pid_t pid, const ProcessName& name) const;

  std::array<char, kLongestToken + 16> needle_{};  // between the zero bytes of its neighbours
  std::size_t needle_size_ = 0;
  const GroupTable::Slot* groups_ = nullptr;
  unsigned long long before_ = 0;  // clock ticks since the machine started
};

template <class Visit>
void InstanceScan::each(Visit visit) const {
  Folder proc;
  const pid_t self = ::getpid();
  ProcessName name;
  for (pid_t pid = 0; (pid = proc.next(name)) != 0;) {
    if (pid > 1 && pid != self && is_ours(proc.fd(), name)) visit(pid, proc.fd(), name);
  }
}

}  // namespace pons
