// All that a Worker is made of: what was declared, and what came about while it served.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/limits.h"
#include "worker/command_table.h"
#include "worker/ledger.h"
#include "worker/worker.h"

namespace pons {

class Server;

struct Worker::State {
  State(std::string worker_name, std::string worker_version, ChannelFds fds);
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// How a session leaves this worker and comes into another.
  struct Snapshot {
    std::string format;
    SaveSession save;
    RestoreSession restore;
  };

  // Declared
  std::string name;
  std::string version;
  ChannelFds channel;
  int dump_fd;  ///< for the report of a hang; -1: none
  CommandTable commands;
  std::vector<std::unique_ptr<ResourceStore>> stores;
  std::vector<std::string> capabilities;
  std::function<void(const nlohmann::json&)> configure;
  std::function<void(const std::string&)> end_session;
  std::function<void()> cleanup;
  std::function<nlohmann::json()> stats;
  std::function<nlohmann::json()> info;
  std::optional<Snapshot> snapshot{};
  std::size_t concurrency = 1;

  // While serving
  Server* server = nullptr;
  int stack_signal = 0;  ///< for ping; 0: none
  WorkerIdentity identity;
  Ledger ledger;
  std::size_t max_frame = kDefaultMaxFrame;  ///< of the host, as its handshake says
  bool is_first_request = true;              ///< the only one in which a handshake counts
  std::optional<int> exit_status{};          ///< set to end the worker after the reply under way
  std::string start_time;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  /// The commands that every worker has, and those of resources (once there is a type).
  void add_common_commands();
  void add_resource_commands();
  void add_session_commands();
  void add_snapshot_commands();  ///< once `snapshot` is set
  ResourceStore& store_of(std::string_view resource_id);

 private:
  void add_common(std::string command, CommandHandler handler);
  nlohmann::json answer_ping(const nlohmann::json& args);
  nlohmann::json answer_info() const;
  nlohmann::json answer_stats() const;
  nlohmann::json answer_cleanup();
  nlohmann::json answer_end_session(const nlohmann::json& args);
  nlohmann::json answer_export(const nlohmann::json& args, const Context& context) const;
  nlohmann::json answer_import(const nlohmann::json& args, const Context& context);
  void shake_hands(const nlohmann::json& args);
};

}  // namespace pons
