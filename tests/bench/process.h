// A child process of the benchmark: started with chosen descriptors and core, ended with the object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pons::bench {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_ = -1;
};

struct ProcessOptions {
  std::vector<std::string> command;                              ///< program (a path) and arguments
  std::vector<std::pair<int, int>> descriptors;                  ///< {ours, the child's}; its 0 and 1 are /dev/null unless named here
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours
  std::string stderr_path;                                       ///< appended to
  std::optional<int> core;                                       ///< the only core that it and its children may use
};

class Process {
 public:
  /// Throws std::system_error if it cannot be started.
  explicit Process(const ProcessOptions& options);
  /// Gives it a second to end by itself, as it does when its connection has been closed; then kills it.
  ~Process();
  Process(Process&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits at most so long for its end: the exit status, 128 + the signal's number, or nothing if it still runs.
  std::optional<int> wait(std::chrono::milliseconds timeout);

 private:
  pid_t pid_ = -1;
  Descriptor pidfd_;
  std::optional<int> status_;
};

/// Two connected stream sockets that no child inherits unless told to.
std::pair<Descriptor, Descriptor> socket_pair();

struct Memory {
  double resident_mib = 0;      ///< VmRSS
  double proportional_mib = 0;  ///< PSS: shared pages divided among those who share them
};

/// From /proc. Throws std::runtime_error if it cannot be read.
Memory memory_of(pid_t pid);

/// What the main thread of a process has had of the processor, in milliseconds. Throws std::runtime_error if it cannot be read.
double processor_ms_of(pid_t pid);

/// The last of the cores that this process may use.
int last_core();

/// Confines the calling thread to one core while it lives.
class PinnedTo {
 public:
  explicit PinnedTo(std::optional<int> core);
  ~PinnedTo();
  PinnedTo(PinnedTo&&) = delete;

 private:
  bool pinned_;
  std::vector<char> before_;
};

}  // namespace pons::bench
