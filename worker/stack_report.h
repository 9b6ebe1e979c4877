// The hang report (docs/protocol.md, section 6): while an object lives, a signal makes this process write the stack of the thread that
// made the object, the one that serves, to the descriptor that the host reads. What that thread does goes on as if nothing happened.
//
// The signal is SIGRTMIN+4. If the program handles or ignores it already, there is no report; a handler that it installs later
// replaces the report. One object at a time; after it the signal is ignored.
//
// Names of functions can be read if the program exports them: link it with -rdynamic (CMake: ENABLE_EXPORTS).
#pragma once

namespace pons {

/// The descriptor that PONS_DUMP_FD names, closed in the programs that an adapter starts, and never blocking; -1 if there is none. One
/// that is not open is said on stderr: a worker can do without.
int claim_dump();

class StackReport {
 public:
  /// `fd` of -1 makes an object that does nothing.
  explicit StackReport(int fd);
  ~StackReport();
  StackReport(const StackReport&) = delete;
  StackReport& operator=(const StackReport&) = delete;

  /// What a ping's reply says as `stack_signal`; 0: there is no report.
  [[nodiscard]] int signal() const { return signal_; }

 private:
  int signal_ = 0;
};

}  // namespace pons
