// A file that one living process at a time holds, and that says which. The kernel gives it back when the holder ends, however that is.
#pragma once

#include <string>

#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class LockFile {
 public:
  LockFile() = default;  ///< holds nothing
  /// Takes it at once (or moments after its holder was killed), or fails with invalid_configuration: a host holds it (its pid in the
  /// message, and in details.pid), or the file cannot be made or written.
  static Result<LockFile> take(const std::string& path);
  LockFile(LockFile&& other) noexcept = default;
  LockFile& operator=(LockFile&& other) noexcept;
  ~LockFile() { release(); }

  /// Removes the file and gives it back.
  void release();

 private:
  LockFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace pons
