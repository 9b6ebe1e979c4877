// The end of a host's cgroups: everything in them is killed, and they are removed. Async-signal-safe: the watcher does it.
#pragma once

#include <string>

#include "protocol/transport/unique_fd.h"

namespace pons {

/// Where a host keeps its cgroups (pool/cgroup.h).
struct HostCgroups {
  UniqueFd parent;     ///< the cgroup in which the other two are, as a directory; none: there are no cgroups
  std::string name;    ///< the cgroup that holds those of the workers
  std::string leaf{};  ///< the one into which the host has moved itself, and the watcher with it; empty: it is still in `parent`
};

/// Kills all that is below `name`, with cgroup.kill where the kernel has it.
void kill_cgroups(int parent, const char* name);
/// Removes `name` and all below it, waiting up to a second for what was killed to be gone; then takes the caller out of `leaf` (null or
/// empty: it is in none), which undoes what had to be switched on for it, and removes that.
void remove_cgroups(int parent, const char* name, const char* leaf);

}  // namespace pons
