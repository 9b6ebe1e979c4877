// SIGTERM as something that poll() can wait for. While an object lives, SIGTERM only sets it; SIGINT (the terminal's, sent to the whole
// group: the host decides) and SIGPIPE (a failed write says it) do nothing. Handlers and not SIG_IGN, because programs that an adapter
// starts would inherit the latter. One object at a time; the destructor puts back what was there.
#pragma once

#include <csignal>

namespace pons {

class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  [[nodiscard]] bool requested() const;
  [[nodiscard]] int fd() const { return fd_; }  ///< readable once requested

 private:
  int fd_;
  struct sigaction old_term_ {};
  struct sigaction old_int_ {};
  struct sigaction old_pipe_ {};
};

}  // namespace pons
