// A program that is run to its end, with what it writes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace pons {

struct ChildSpec {
  std::vector<std::string> command;  ///< the program first; looked up on the PATH of `env` if it has no slash
  std::vector<std::pair<std::string, std::string>> env;
  std::filesystem::path folder;        ///< where it runs
  std::chrono::milliseconds limit{0};  ///< 0: none
};

struct ChildEnd {
  int status = -1;  ///< its exit status, 128 + the signal, or -1: unknown, as somebody else has reaped it
  bool timed_out = false;
  bool interrupted = false;  ///< SIGINT, SIGTERM or SIGHUP came here; its whole group was told, and has ended
};

/// Runs it in a process group of its own, with no input, and hands what it writes to stdout and stderr to `on_output` as it comes. After
/// `limit` its group is killed. `stop_fd`, if not -1, becomes readable when it is to be stopped: its group gets SIGINT, and after five
/// seconds SIGKILL. The error says why it could not be started. Any thread.
Result<ChildEnd> run_child(const ChildSpec& spec, int stop_fd, const std::function<void(std::string_view output)>& on_output);

}  // namespace pons
