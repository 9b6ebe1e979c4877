// The host: pools of workers, the connections of parents, and the straight line between them.
//
// A frame comes in at a Connection, is parsed once, is answered here (`host:` commands) or handed by the router to a pool, and its reply
// comes back the same way. Everything runs on the one io_context, on the thread that runs it.
//
// Object lifetimes: the Host must outlive the io_context's last turn; destroy it after run() has returned. Thread safety: none.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "host/config/config.h"
#include "host/log.h"
#include "host/state_dir.h"
#include "pool/watcher.h"
#include "protocol/error.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class CgroupTree;

class Host {
 public:
  /// `instance` is the PONS_INSTANCE token of all its workers, `watcher` looks after them and outlives the host, which starts it again if
  /// it dies. `cgroups` gives each worker its own, and outlives the host too. `state` is where it keeps what shall outlive it, and itself
  /// outlives the host; null: nothing is kept. Nothing is started yet. The process becomes the subreaper of what its workers leave behind.
  Host(boost::asio::io_context& io, Config config, Log& log, std::string instance, Watcher& watcher, CgroupTree& cgroups,
       const StateDir* state = nullptr);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// Starts the pools that are not lazy.
  void start();
  /// Listens on a unix socket. invalid_configuration with the reason if that cannot be.
  Result<void> listen(const std::string& path);
  /// Serves stdin and stdout: its half-close drains the host, a parent that is gone stops it at once.
  void serve_stdio();
  /// Serves one end of a socket pair (a client in this same process).
  void attach(UniqueFd socket);

  /// No new requests; running ones finish within shutdown_timeout; then workers are stopped. A second call stops at once.
  void shutdown();
  /// Called once when everything has ended and the io_context may stop.
  void on_stopped(std::function<void()> callback);
  /// How host:reload reads the configuration again; throws ConfigError. Without it there is nothing to reload.
  void reload_with(std::function<Config()> reread);
  /// The socket listened on, empty if none.
  [[nodiscard]] std::string socket_path() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pons
