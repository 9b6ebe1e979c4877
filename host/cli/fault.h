// How a command can end, and what is thrown when it ends early.
#pragma once

#include <stdexcept>
#include <string>

#include "protocol/error.h"

namespace pons::cli {

enum class ExitStatus : int {
  done = 0,
  failed = 1,
  usage = 2,  ///< also a configuration that cannot be used
  no_host = 3,
  timed_out = 4,      ///< deadline_exceeded or queue_timeout
  interrupted = 130,  ///< by SIGINT; SIGTERM is 143
};

/// The status of a failed command.
ExitStatus exit_status_of(ErrorCode code);

/// A command that cannot be begun. Thrown before anything was sent, caught by run().
class Fault : public std::runtime_error {
 public:
  Fault(ExitStatus status, const std::string& message) : std::runtime_error(message), status_(status) {}
  [[nodiscard]] ExitStatus status() const noexcept { return status_; }

 private:
  ExitStatus status_;
};

}  // namespace pons::cli
