#include "host/host.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "host/host_impl.h"
#include "protocol/document.h"

namespace pons {

namespace {

constexpr Millis kCloseTimeout{2'000};  // for peers to take the last replies, once everything else has ended
constexpr std::size_t kOwnDescriptors = 64;
constexpr std::size_t kWorkerDescriptors = 8;

}  // namespace

// ---- Host is a handle on Impl ------------------------------------------------------------------------------------------------------

Host::Host(boost::asio::io_context& io, Config config, Log& log, std::string instance, Watcher& watcher, CgroupTree& cgroups,
           const StateDir* state)
    : impl_(std::make_unique<Impl>(io, std::move(config), log, std::move(instance), watcher, cgroups, state)) {}
Host::~Host() = default;
void Host::start() { impl_->start(); }
Result<void> Host::listen(const std::string& path) { return impl_->listen(path); }
void Host::serve_stdio() { impl_->serve_stdio(); }
void Host::attach(UniqueFd socket) { impl_->attach(std::move(socket)); }
void Host::shutdown() { impl_->shutdown(); }
void Host::on_stopped(std::function<void()> callback) { impl_->on_stopped(std::move(callback)); }
void Host::reload_with(std::function<Config()> reread) { impl_->reload_with(std::move(reread)); }
std::string Host::socket_path() const { return impl_->socket_path(); }

// ---- Life --------------------------------------------------------------------------------------------------------------------------

Host::Impl::Impl(boost::asio::io_context& io, Config config, Log& log, std::string instance, Watcher& watcher, CgroupTree& cgroups,
                 const StateDir* state)
    : io_(io),
      config_(std::move(config)),
      log_(log),
      instance_(std::move(instance)),
      reporter_(log, events_),
      launcher_(&watcher.groups()),
      preflighter_(io),
      shutdown_timer_(io.get_executor()),
      child_ended_(io, SIGCHLD),
      watcher_(watcher),
      cgroups_(cgroups),
      state_(state) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  await_orphans();
  reporter_.on_worker_gone = [this] { asio::post(io_, [this] { see_to_orphans(); }); };
  keep_watcher();
  for (auto& adapter : config_.adapters) {
    adapter.pool.max_frame = config_.host.max_frame;
    add_pool(adapter);
  }
}

Host::Impl::~Impl() {
  for (const auto& connection : connections_) connection->close();
  for (const auto& [key, caller] : worker_callers_) caller->leave();
}

void Host::Impl::await_orphans() {
  child_ended_.async_wait([this](error_code ec, int) {
    if (ec) return;
    see_to_orphans();
    await_orphans();
  });
}

bool Host::Impl::any_pool(const std::function<bool(const Pool&)>& has) const {
  return std::any_of(pools_.begin(), pools_.end(), [&](const auto& entry) { return has(*entry.second); }) ||
         std::any_of(leaving_.begin(), leaving_.end(), [&](const auto& entry) { return has(*entry.second.pool); });
}

/// What a worker has started does not outlive it, also where it has left the worker's process group.
void Host::Impl::see_to_orphans() {
  const auto ours = [this](pid_t pid) { return pid == watcher_.pid() || any_pool([&](const Pool& pool) { return pool.owns(pid); }); };
  const auto lost = [this](std::string_view environment) {
    std::string_view instance;
    std::string_view worker;
    while (!environment.empty()) {
      const auto variable = environment.substr(0, environment.find('\0'));
      environment.remove_prefix(std::min(environment.size(), variable.size() + 1));
      if (variable.starts_with("PONS_INSTANCE=")) instance = variable.substr(variable.find('=') + 1);
      if (variable.starts_with("PONS_WORKER_ID=")) worker = variable.substr(variable.find('=') + 1);
    }
    return instance == instance_ && !any_pool([&](const Pool& pool) { return pool.has_worker(worker); });
  };
  tend_orphans(ours, lost);
}

void Host::Impl::keep_watcher() {
  WatcherKeeper::Callbacks callbacks;
  callbacks.on_restart = [this](pid_t pid) { log_.warn("the watcher had ended: there is a new one", {{"pid", pid}}); };
  callbacks.on_failed = [this](const std::string& reason) { log_.error("there is no watcher", {{"reason", reason}}); };
  watcher_keeper_.emplace(io_.get_executor(), watcher_, std::move(callbacks));
}

void Host::Impl::start() {
  for (auto& [name, pool] : pools_) {
    if (!pool->options().lazy) pool->open([](const Result<void>&) {});  // what goes wrong is in the log
  }
}

Result<void> Host::Impl::listen(const std::string& path) {
  auto listener = UnixListener::open(io_.get_executor(), path);
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  listener_->start([this](UniqueFd socket) { accept(std::move(socket)); },
                   [this](const std::string& why) {
                     log_.warn("connection refused", {{"reason", why}});
                   });
  log_.info("listening", {{"socket", path}, {"pid", ::getpid()}});
  return {};
}

std::shared_ptr<Connection> Host::Impl::make_connection(UniqueFd in, UniqueFd out, bool stdio) {
  Connection::Limits limits;
  limits.stream.max_frame = config_.host.max_frame;
  limits.stream.output_limit = config_.host.output_limit;
  limits.stream.write_timeout = config_.host.write_timeout;
  limits.stream.watch_hangup = true;
  limits.stream_limit = config_.host.stream_limit;
  auto connection =
      std::make_shared<Connection>(io_.get_executor(), std::move(in), std::move(out), limits, static_cast<Connection::Service&>(*this));
  if (stdio) stdio_ = connection.get();
  connections_.insert(connection);
  return connection;
}

void Host::Impl::serve_stdio() {
  UniqueFd in(::dup(STDIN_FILENO));
  UniqueFd out(::dup(STDOUT_FILENO));
  make_connection(std::move(in), std::move(out), true)->start();
}

void Host::Impl::attach(UniqueFd socket) { make_connection(std::move(socket), {}, false)->start(); }

/// How many connections the limit of open files allows, with enough left for workers, files, and those who are told that it is enough.
std::size_t Host::Impl::connection_room() const {
  rlimit own{};
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0) return config_.host.max_connections;
  std::size_t reserve = kOwnDescriptors;
  for (const auto& adapter : config_.adapters) reserve += kWorkerDescriptors * (adapter.pool.size + adapter.pool.overflow + 1);
  return own.rlim_cur - std::min<std::size_t>(reserve, own.rlim_cur / 2);
}

void Host::Impl::accept(UniqueFd socket) {
  const auto open = connections_.size();
  const bool few = config_.host.max_connections == 0 || open < config_.host.max_connections;
  const auto descriptors = connection_room();
  if (few && open < descriptors) return attach(std::move(socket));
  const std::string reason =
      few ? "the limit of open files, less what workers need: " + std::to_string(descriptors) : "host.max_connections";
  log_.warn("connection refused", {{"reason", reason}});
  const Error error{ErrorCode::overloaded, "The host has as many connections as it takes (" + reason + ")"};
  const auto stream = FrameStream::create(io_.get_executor(), std::move(socket), {}, {});
  stream->send(OutFrame::of(error_body(Codec::json, std::uint64_t{0}, error)));
  stream->close_after_flush([stream] {});
}

void Host::Impl::half_closed(Connection& connection) {
  end_provider(connection,
               Error{ErrorCode::worker_crashed, "The parent that provides this can answer no more", {{"reason", "half_closed"}}});
  if (&connection == stdio_) {
    if (phase_ == Phase::serving) shutdown();
    return;
  }
  if (connection.outstanding() > 0) return;  // comes again with its last reply
  const auto self = std::static_pointer_cast<Connection>(connection.shared_from_this());
  asio::post(io_, [this, self] { self->close_after_flush([this, self] { remove(*self); }); });
}

void Host::Impl::gone(Connection& connection) {
  const bool parent = &connection == stdio_;
  remove(connection);
  if (parent) {
    log_.info("the parent is gone");
    stop_at_once();
  }
}

void Host::Impl::remove(Connection& connection) {
  end_provider(connection, Error{ErrorCode::worker_crashed, "The parent that provides this is gone", {{"reason", "provider_gone"}}});
  if (&connection == stdio_) stdio_ = nullptr;
  if (const auto found = subscriptions_.find(&connection); found != subscriptions_.end()) {
    for (const auto subscription : found->second) events_.unsubscribe(subscription);
    subscriptions_.erase(found);
  }
  const auto self = std::static_pointer_cast<Connection>(connection.shared_from_this());
  self->close();
  connections_.erase(self);
  asio::post(io_, [this, self] {  // not destroyed while it is calling
    if (phase_ == Phase::closing && connections_.empty()) finish();
  });
}

// ---- Ends --------------------------------------------------------------------------------------------------------------------------

void Host::Impl::shutdown(std::optional<Millis> timeout) {
  if (phase_ != Phase::serving) {
    stop_at_once();
    return;
  }
  phase_ = Phase::draining;
  log_.info("draining");
  pools_running_ = pools_.size() + leaving_.size();
  await_shutdown(Clock::now() + drain_time(timeout));
  if (open_calls_ == 0) stop_pools();
}

/// Not before nobody waits any more: until then a worker may ask any of them for something.
void Host::Impl::stop_pools() {
  if (pools_stopping_ || open_calls_ > 0) return;
  pools_stopping_ = true;
  for (auto& [name, pool] : pools_) pool->stop([this] { pool_stopped(); });
  if (pools_running_ == 0) asio::post(io_, [this] { close_connections(); });
}

/// For running requests at an end: what was asked for, else host.shutdown_timeout.
Millis Host::Impl::drain_time(std::optional<Millis> asked) const {
  constexpr Millis kNoLimit{static_cast<std::int64_t>(kMaxTimeoutMs)};
  const auto configured = config_.host.shutdown_timeout;
  return asked.value_or(configured.count() > 0 ? configured : kNoLimit);
}

void Host::Impl::await_shutdown(TimePoint end) {
  shutdown_timer_.expires_at(end);
  shutdown_timer_.async_wait([this](error_code ec) {
    if (ec || phase_ != Phase::draining) return;
    log_.warn("running requests did not finish within shutdown_timeout");
    abort_all();
  });
}

void Host::Impl::abort_all() {
  const Error error{ErrorCode::shutting_down, "The host is shutting down"};
  for (auto& [name, pool] : pools_) pool->abort(error);
  for (auto& [name, leaving] : leaving_) leaving.pool->abort(error);
  for (auto& [connection, provider] : providers_) provider->end(error);
}

void Host::Impl::pool_stopped() {
  if (--pools_running_ == 0) asio::post(io_, [this] { close_connections(); });
}

void Host::Impl::close_connections() {
  if (phase_ == Phase::closing || phase_ == Phase::stopped) return;
  phase_ = Phase::closing;
  if (listener_) listener_->close();  // until now, so that a draining host can be asked
  shutdown_timer_.expires_after(kCloseTimeout);
  shutdown_timer_.async_wait([this](error_code ec) {
    if (!ec) finish();
  });
  const auto open = connections_;
  for (const auto& connection : open) {
    connection->reply_to_all(Error{ErrorCode::shutting_down, "The host is shutting down"});
    connection->close_after_flush([this, connection] { remove(*connection); });
  }
  if (open.empty()) finish();
}

void Host::Impl::stop_at_once() {
  if (phase_ == Phase::closing) return finish();  // the last replies are not waited for any more
  if (phase_ == Phase::stopped) return;
  if (phase_ == Phase::serving) shutdown();
  abort_all();
  stop_pools();
  for (auto& [name, pool] : pools_) pool->kill();
  for (auto& [name, leaving] : leaving_) leaving.pool->kill();
}

void Host::Impl::finish() {
  if (phase_ == Phase::stopped) return;
  phase_ = Phase::stopped;
  if (listener_) listener_->close();
  shutdown_timer_.cancel();
  child_ended_.cancel();
  watcher_keeper_.reset();
  const auto open = std::move(connections_);
  connections_.clear();
  for (const auto& connection : open) connection->close();
  log_.info("stopped");
  if (const auto stopped = std::move(stopped_)) stopped();
}

}  // namespace pons
