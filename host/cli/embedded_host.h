// A host in this same process, for one command: a client talks to it over a socket pair, on the same loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/cli/interrupts.h"
#include "host/config/config.h"
#include "host/host.h"
#include "host/log.h"
#include "pool/cgroup.h"
#include "pool/watcher.h"
#include "protocol/transport/unique_fd.h"

namespace pons::cli {

class EmbeddedHost {
 public:
  /// Make it before the process has threads: it forks the watcher. Every pool is lazy. It logs on `log_fd`. Throws Fault.
  EmbeddedHost(boost::asio::io_context& io, Config config, int log_fd, LogLevel log_level);
  /// After stop().
  ~EmbeddedHost();
  EmbeddedHost(const EmbeddedHost&) = delete;
  EmbeddedHost& operator=(const EmbeddedHost&) = delete;

  /// The client's end of a socket pair.
  UniqueFd connect();
  /// Runs the loop until no worker is left; `at_once`: without waiting for running requests. A signal meanwhile means at once.
  void stop(bool at_once, Interrupts& interrupts);
  /// Adapters that were left out, and why.
  [[nodiscard]] const std::vector<ConfigIssue>& warnings() const { return warnings_; }

 private:
  boost::asio::io_context& io_;
  std::string token_;
  SystemCgroupFiles cgroup_files_;
  std::unique_ptr<CgroupTree> cgroups_;
  std::optional<Watcher> watcher_;
  std::optional<Log> log_;
  std::vector<ConfigIssue> warnings_;
  std::optional<Host> host_;
};

}  // namespace pons::cli
