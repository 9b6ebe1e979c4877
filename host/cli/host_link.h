// The host that a command talks to: one that runs, or one started here for this command. Blocking; ends with close().
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clients/cpp/client.h"
#include "host/cli/cli.h"
#include "host/cli/embedded_host.h"
#include "host/cli/interrupts.h"
#include "host/cli/options.h"

namespace pons::cli {

class HostLink {
 public:
  enum class Embedding : unsigned char {
    allowed,    ///< where no host runs, unless the choice rules it out
    never,      ///< the command is about a host that runs
    no_connect  ///< not yet connected: for ping_until_answered()
  };

  /// `log_level`: of an embedded host. Throws Fault (no_host, usage) and ConfigError.
  HostLink(const HostChoice& choice, const Surroundings& surroundings, Embedding embedding, LogLevel log_level);
  ~HostLink();
  HostLink(const HostLink&) = delete;
  HostLink& operator=(const HostLink&) = delete;

  /// One request, to its end. The first SIGINT or SIGTERM cancels it, the second gives it up.
  Result<nlohmann::json> call(std::string_view command, nlohmann::json args = nullptr, CallOptions options = {});
  /// The running call's result is wanted no more.
  void cancel();

  /// Events that match one of the patterns go to `on_event` while a later call runs. Nothing comes from a host that refuses.
  void watch(std::vector<std::string> patterns, std::function<void(const Event&)> on_event);

  /// Pings until there is an answer, at most `limit`. Only a host that runs; connects again where needed.
  Result<nlohmann::json> ping_until_answered(const std::string& command, std::chrono::milliseconds limit);
  /// Waits until the process of the host has ended, so that its socket and its state are free; false if it has not by then.
  bool wait_until_gone(std::chrono::milliseconds limit);

  [[nodiscard]] const Interrupts& interrupts() const { return interrupts_; }
  [[nodiscard]] bool embedded() const { return embedded_.has_value(); }
  [[nodiscard]] const std::vector<ConfigIssue>& warnings() const;
  [[nodiscard]] const std::string& socket() const { return socket_; }
  /// No worker of an embedded host is left after it. `at_once`: without waiting for what still runs.
  void close(bool at_once);

 private:
  bool try_connect();
  [[nodiscard]] std::string_view origin() const;
  [[nodiscard]] std::string nobody_answers() const;
  [[nodiscard]] bool gone() const;
  void pause_for(std::chrono::milliseconds time);

  boost::asio::io_context io_{1};
  std::string socket_;
  bool from_variable_ = false;
  UniqueFd process_;  // a pidfd of the running host; none where it cannot be seen
  Error why_not_;     // of the last attempt to connect
  std::optional<EmbeddedHost> embedded_;
  Interrupts interrupts_{io_};
  std::optional<Client> client_;
  std::optional<Client::CallId> running_;
};

/// Where names are looked up: with the variables of `surroundings`.
ConfigContext context_of(const Surroundings& surroundings);

/// What `choice` says of a configuration: the adapter at --adapter, a file, or the built-in default. Throws ConfigError.
Config load_chosen(const HostChoice& choice, const Surroundings& surroundings);

}  // namespace pons::cli
