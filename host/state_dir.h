// The folder in which a host keeps what shall outlive it, and its lock: one living host at a time uses it.
//
//   DIR/lock                  who holds it
//   DIR/snapshots/ADAPTER/    snapshots of the sessions of one adapter
//
// Object lifetimes: held by whoever runs the host, longer than the host. What was made for nothing (no snapshot is left in it) is removed
// at its end. Thread safety: none; the paths may be used from any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "protocol/error.h"
#include "protocol/transport/lock_file.h"

namespace pons {

class StateDir {
 public:
  /// Makes the folder (0700) where it is missing, and locks it. `path` is absolute. invalid_configuration with the reason: another host
  /// holds it (the message names its pid, so does details.pid), others can write to it or replace it, it cannot be made or written.
  static Result<StateDir> open(const std::string& path);
  StateDir(StateDir&& other) noexcept : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)), made_(other.made_) {}
  StateDir& operator=(StateDir&&) = delete;
  ~StateDir();

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Where the snapshots of sessions belong; not made here.
  [[nodiscard]] std::string snapshots() const;

 private:
  StateDir(std::string path, LockFile lock, bool made) : path_(std::move(path)), lock_(std::move(lock)), made_(made) {}

  std::string path_;  ///< empty: moved from
  LockFile lock_;
  bool made_;  ///< by this process
};

}  // namespace pons
