// What /proc says of processes: one look at all of them gives the memory and the number of processes of each process group.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pons {

/// One process as /proc/PID/stat has it.
struct ProcessStat {
  pid_t pid = 0;
  char state = '?';  ///< R running, S D asleep, T stopped by a signal, t by a debugger, Z X dead
  pid_t parent = 0;
  pid_t group = 0;
  std::size_t resident_pages = 0;
  unsigned long long started = 0;  ///< clock ticks since the machine started

  /// The line of /proc/PID/stat; nothing if it is none. The name of the program in it may hold anything, also spaces and parentheses.
  static std::optional<ProcessStat> parse(std::string_view line);
  /// Of a living or dead but not yet reaped process; nothing if there is none.
  static std::optional<ProcessStat> of(pid_t pid);
  /// The same for the folder `name` below `proc`, a descriptor of /proc. It and parse() are async-signal-safe.
  static std::optional<ProcessStat> read(int proc, const char* name);
  [[nodiscard]] bool alive() const { return state != 'Z' && state != 'X'; }
  [[nodiscard]] bool stopped() const { return state == 'T' || state == 't'; }
};

/// A snapshot of all processes, summed by process group. It takes two system calls and a half for each process of the machine (some 10
/// microseconds): ProcessSampler reads it once for all pools. Thread safety: a value; read() may run on any thread.
class ProcessTable {
 public:
  static ProcessTable read();
  void add(const ProcessStat& process);

  /// Bytes resident of all processes of the group. Pages that several of them share count for each. 0 if there is no such group.
  [[nodiscard]] std::size_t resident_bytes(pid_t group) const { return of(group).resident_pages * page_size_; }
  /// Living processes of the group (the dead that wait for being reaped do not count).
  [[nodiscard]] std::size_t processes(pid_t group) const { return of(group).processes; }

 private:
  struct Group {
    std::size_t resident_pages = 0;
    std::size_t processes = 0;
  };
  [[nodiscard]] Group of(pid_t group) const;

  std::size_t page_size_ = 4096;
  std::unordered_map<pid_t, Group> groups_;
};

/// Whether the process is stopped (by SIGSTOP, or by a debugger). False if there is no such process. One file is read.
bool is_stopped(pid_t pid);

}  // namespace pons
