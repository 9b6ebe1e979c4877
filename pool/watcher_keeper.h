// Sees to it that the host has a watcher: awaits its end on the loop, and forks another.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pool/watcher.h"
#include "protocol/transport/task.h"

namespace pons {

/// Object lifetimes: the Watcher outlives it. Destroy it before Watcher::finish(). Thread safety: none; the loop's thread, which must be
/// the one that lives as long as the host.
class WatcherKeeper {
 public:
  struct Callbacks {
    std::function<void(pid_t pid)> on_restart;                 ///< there is a new one
    std::function<void(const std::string& reason)> on_failed;  ///< there is none: the next try comes after the back-off
  };
  WatcherKeeper(Executor executor, Watcher& watcher, Callbacks callbacks);
  ~WatcherKeeper();
  WatcherKeeper(const WatcherKeeper&) = delete;
  WatcherKeeper& operator=(const WatcherKeeper&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pons
