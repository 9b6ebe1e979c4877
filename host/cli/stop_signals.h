// SIGINT, SIGTERM and SIGHUP as a descriptor, for a command that waits in its own way.
#pragma once

#include <signal.h>

#include "protocol/transport/unique_fd.h"

namespace pons::cli {

class StopSignals {
 public:
  /// Blocked from now on, as long as this object lives.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Readable once one has come.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// 128 + the first that has come; 0: none has.
  [[nodiscard]] int exit_status() const;

 private:
  sigset_t before_{};
  UniqueFd fd_;
};

}  // namespace pons::cli
