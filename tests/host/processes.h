// Processes as /proc shows them: found, watched and counted without any help of the program under test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/transport/unique_fd.h"

namespace pons::test {

/// A process that cannot be mistaken for another that gets its pid later.
class ProcessHandle {
 public:
  /// Of a process that is there; one that is gone counts as ended.
  explicit ProcessHandle(pid_t pid);
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Sends it a signal; false if it has ended.
  bool signal(int number) const;
  /// Waits for its end (a zombie has ended); false after `limit`.
  [[nodiscard]] bool await_end(std::chrono::milliseconds limit) const;

 private:
  pid_t pid_;
  UniqueFd pidfd_;
};

/// The value of a variable in its environment, empty if it has none or is gone.
std::string environment_value(pid_t pid, std::string_view name);
/// Of all processes, those that carry this variable with this value.
std::vector<pid_t> processes_with(std::string_view name, std::string_view value);
/// Of all processes, those whose parent it is; zombies too.
std::vector<pid_t> children_of(pid_t pid);
/// Its children, their children, and so on.
std::vector<pid_t> descendants_of(pid_t pid);
/// `R`, `S`, `T`, `Z`, ... as in /proc/PID/stat; nothing if it is gone.
std::optional<char> state_of(pid_t pid);

/// What a process holds.
struct Holdings {
  std::size_t descriptors;
  std::size_t threads;
  std::size_t zombies;  ///< children that it has not waited for
  std::size_t resident_kib;
};
Holdings holdings_of(pid_t pid);

}  // namespace pons::test
