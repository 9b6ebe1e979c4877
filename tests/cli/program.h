// The real program as a child process, as somebody at a shell would run it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "protocol/transport/unique_fd.h"

namespace pons::test {

struct Ended {
  int status = -1;  ///< exit status, or 128 + the signal
  std::string out;
  std::string err;
};

struct Start {
  std::vector<std::string> arguments{};
  std::map<std::string, std::string> env{};  ///< beside PATH, TMPDIR, XDG_RUNTIME_DIR and XDG_STATE_HOME
  std::string in{};
  std::string out_path{};  ///< instead of a pipe, as "/dev/full"
  bool terminal = false;   ///< stdout and stderr are one terminal; its text is in `out`
  bool close_out = false;  ///< stdout is closed
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A folder for one test, with the program's runtime and state directories in it. Processes that it started end with it.
class Sandbox {
 public:
  Sandbox();
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  /// Runs the program to its end; a test failure (and SIGKILL) if that takes a minute.
  Ended run(const Start& start);
  Ended run(const std::vector<std::string>& arguments) { return run(Start{.arguments = arguments}); }

  /// Starts it and returns at once; then one of these, once.
  pid_t begin(const Start& start);
  void wait_for_output(pid_t pid, const std::string& text);  ///< until it has written that to stdout
  Ended end(pid_t pid);                                      ///< waits until it has ended by itself
  void close_output(pid_t pid);                              ///< as `head` does

  /// `pons serve` in the background, ready when this returns.
  pid_t serve(std::vector<std::string> arguments = {}, const std::map<std::string, std::string>& env = {});

  std::string write_file(const std::string& name, const std::string& text) const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// Processes whose environment names this sandbox: what a command has left behind.
  [[nodiscard]] std::vector<pid_t> left_behind() const;

 private:
  struct Child {
    UniqueFd pidfd;
    UniqueFd out;
    UniqueFd err;
    Ended ended;
  };
  void pump(Child& child, const std::string* until);

  std::filesystem::path folder_;
  std::map<pid_t, Child> children_;
};

}  // namespace pons::test
