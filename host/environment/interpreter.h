// What a Python interpreter that belongs to no environment of ours looks for packages in: asked once of itself, by a child of a moment.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "protocol/error.h"

namespace pons {

/// Answers stay until the interpreter's file changes. Thread safety: all; it is used where a loop must not wait.
class Interpreters {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  /// Once `stop_fd` is readable nobody is asked any more; -1: there is no such end.
  explicit Interpreters(int stop_fd = -1) : stop_fd_(stop_fd) {}

  struct About {
    std::string version;                      ///< "3.11.2"
    std::vector<std::filesystem::path> path;  ///< its sys.path, and where packages of the user are installed
  };

  /// `program` is absolute; `env` is the whole environment that it is run in. Takes ten seconds at most: worker_start_failed with what it
  /// wrote, or that it did not answer.
  Result<About> ask(const std::filesystem::path& program, const Environment& env);

 private:
  int stop_fd_;
  std::mutex mutex_;
  std::map<std::string, About> known_;
};

}  // namespace pons
