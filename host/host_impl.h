// The parts of a Host and how they hold together. host.cc: life and connections; router.cc: where requests go; reverse.cc: those of
// workers, and namespaces of parents; host_commands.cc: what the host answers itself; control.cc: the commands that change what it serves.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/connection.h"
#include "host/event_bus.h"
#include "host/host.h"
#include "host/pool_reporter.h"
#include "host/preflighter.h"
#include "host/provider.h"
#include "host/worker_caller.h"
#include "pool/pool.h"
#include "pool/watcher_keeper.h"
#include "protocol/transport/unix_listener.h"

namespace pons {

inline constexpr std::string_view kOwnNamespace = "host";

class Host::Impl final : private Connection::Service, private ReverseService {
 public:
  Impl(boost::asio::io_context& io, Config config, Log& log, std::string instance, Watcher& watcher, CgroupTree& cgroups,
       const StateDir* state);
  ~Impl();

  void start();
  Result<void> listen(const std::string& path);
  void serve_stdio();
  void attach(UniqueFd socket);
  void shutdown(std::optional<Millis> timeout = std::nullopt);
  void on_stopped(std::function<void()> callback) { stopped_ = std::move(callback); }
  void reload_with(std::function<Config()> reread) { reread_ = std::move(reread); }
  [[nodiscard]] std::string socket_path() const { return listener_ ? listener_->path() : std::string(); }

 private:
  enum class Phase : std::uint8_t { serving, draining, closing, stopped };
  using Serial = Caller::Serial;

  // Connection::Service
  void serve(Connection& connection, Serial serial, Message&& request, TimePoint now) override;
  const Error* refusal(const Envelope& request, std::size_t bytes) override;
  void note_bytes(std::ptrdiff_t change) override {
    held_bytes_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(held_bytes_) + change);
  }
  void note_frames(std::uint64_t in, std::uint64_t out) override;
  bool logs_requests() const override { return log_.enabled(LogLevel::debug); }
  void log_request(const Caller::Origin& request, std::string_view outcome, Clock::duration took) override;
  bool take_reply(Connection& connection, Message&& reply) override;
  void half_closed(Connection& connection) override;
  void gone(Connection& connection) override;

  // ReverseService
  void serve_worker(Pool& pool, WorkerProcess& worker, Message&& request, const ReverseOrigin& origin) override;
  void end_calls(const Pool& pool, WorkerKey worker, RequestKey parent, CancelBy by) override;
  void worker_gone(const Pool& pool, WorkerKey worker) override;
  void worker_written(const Pool& pool, WorkerKey worker, std::size_t unsent) override;

  // Router
  void route(Caller& caller, Serial serial, Message&& request, TimePoint now, const ReverseOrigin& origin = {});
  void forward(Caller& caller, Serial serial, Message&& request, Pool& pool, TimePoint now, const ReverseOrigin& origin);
  void forward(Caller& caller, Serial serial, Message&& request, Provider& provider, TimePoint now, const ReverseOrigin& origin);
  Pool::Reply reply_to(Caller& caller, Serial serial);
  Pool::Reply counted(Pool::Reply reply);
  [[nodiscard]] std::optional<Error> too_much(std::size_t bytes) const;
  Pool* pool_named(std::string_view adapter);
  Provider* provider_of(std::string_view name);
  [[nodiscard]] Error unknown_namespace(std::string_view name) const;

  // The host's own commands
  struct OwnCall {
    Caller& caller;
    Serial serial;
    const Envelope& request;
    const nlohmann::json& args;
    Connection* connection;  ///< null: a worker's
    void reply(const nlohmann::json& result) const { caller.reply_result(serial, result); }
  };
  struct OwnCommand {
    std::string_view name;
    void (*serve)(Impl& host, const OwnCall& call);  ///< throws Exception
    bool starts = false;                             ///< something that a draining host does not begin any more
    bool for_workers = false;                        ///< a worker may use it too
  };
  static const std::vector<OwnCommand>& own_commands();
  static const OwnCommand* own_command(std::string_view name);
  static bool starts_something(std::string_view name);
  void serve_own(Caller& caller, Connection* connection, Serial serial, const Message& request);
  void serve_common(Caller& caller, Serial serial, const Message& request);  ///< where there is no default adapter
  nlohmann::json ping() const;
  nlohmann::json get_info() const;
  nlohmann::json limits() const;  ///< which limits of workers hold on this machine
  nlohmann::json get_stats() const;
  nlohmann::json list_frameworks() const;
  nlohmann::json workers() const;
  nlohmann::json sessions() const;
  nlohmann::json end_session(const nlohmann::json& args);
  nlohmann::json subscribe(const OwnCall& call);
  nlohmann::json provide(const OwnCall& call);
  void end_provider(const Connection& connection, const Error& error);
  void framework_info(const OwnCall& call);
  void shutdown_command(const OwnCall& call);

  // Commands that change what is served (control.cc)
  struct Reload;
  struct Leaving {
    std::unique_ptr<Pool> pool;
    Timer limit;
  };
  void register_bridge(const OwnCall& call);
  void start_bridge(const OwnCall& call);
  void stop_bridge(const OwnCall& call);
  void restart(const OwnCall& call);
  void drain(const OwnCall& call);
  void scale(const OwnCall& call);
  void update_config(const OwnCall& call);
  void reload(const OwnCall& call);
  Pool::Done answer_when_done(const OwnCall& call, std::function<nlohmann::json()> result);
  Pool::Done answer_with_state(const OwnCall& call, const std::string& name);
  Pool& pool_arg(const nlohmann::json& args);
  Pool& add_pool(const AdapterConfig& adapter);
  void if_nothing_is_missing(std::shared_ptr<const AdapterConfig> adapter, Pool::Done done);
  void enroll(AdapterConfig adapter, const Pool::Done& answer);
  AdapterConfig& config_of(const std::string& name);  ///< of a pool that there is
  void keep_config(AdapterConfig adapter);
  void retire(const std::string& name, Millis timeout, std::function<void()> gone);
  void reconfigure(Pool& pool, std::shared_ptr<const AdapterConfig> adapter, Pool::Done done);
  std::vector<std::string> take_host_settings(const Config& next);
  void take_adapters(const Config& next);
  Pool::Done reload_step(const std::string& name);
  void end_reload_step();
  [[nodiscard]] const char* state() const;

  void add_connection(std::shared_ptr<Connection> connection);
  std::shared_ptr<Connection> make_connection(UniqueFd in, UniqueFd out, bool stdio);
  void accept(UniqueFd socket);
  [[nodiscard]] std::size_t connection_room() const;
  void remove(Connection& connection);
  void await_shutdown(TimePoint end);
  void stop_pools();
  [[nodiscard]] Millis drain_time(std::optional<Millis> asked) const;
  void pool_stopped();
  void close_connections();
  void finish();
  void stop_at_once();
  void abort_all();
  void await_orphans();
  void see_to_orphans();
  [[nodiscard]] bool any_pool(const std::function<bool(const Pool&)>& has) const;
  void keep_watcher();

  boost::asio::io_context& io_;
  Config config_;
  Log& log_;
  std::string instance_;
  TimePoint started_ = Clock::now();
  EventBus events_;
  PoolReporter reporter_;
  PosixLauncher launcher_;
  Preflighter preflighter_;
  ProcessSampler sampler_;
  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools_;
  std::map<std::string, Leaving, std::less<>> leaving_;  ///< removed: unknown to callers, until their last worker is gone
  std::map<std::pair<const Pool*, WorkerKey>, std::shared_ptr<WorkerCaller>> worker_callers_;
  std::map<const Connection*, std::unique_ptr<Provider>> providers_;
  std::size_t open_calls_ = 0;  ///< requests handed on and not yet answered
  std::function<Config()> reread_;
  std::shared_ptr<Reload> reload_;  ///< the one that is under way
  std::unique_ptr<UnixListener> listener_;
  std::set<std::shared_ptr<Connection>> connections_;
  Connection* stdio_ = nullptr;
  std::map<const Connection*, std::vector<std::uint64_t>> subscriptions_;
  Phase phase_ = Phase::serving;
  Error refusal_;
  Timer shutdown_timer_;
  boost::asio::signal_set child_ended_;
  Watcher& watcher_;
  std::optional<WatcherKeeper> watcher_keeper_;
  CgroupTree& cgroups_;
  const StateDir* state_;  ///< null: nothing outlives this host
  std::size_t pools_running_ = 0;
  bool pools_stopping_ = false;
  std::function<void()> stopped_;
  // Statistics
  std::size_t held_bytes_ = 0;
  std::uint64_t frames_in_ = 0;
  std::uint64_t frames_out_ = 0;
  std::uint64_t late_replies_ = 0;  ///< of pools that are gone
};

}  // namespace pons
