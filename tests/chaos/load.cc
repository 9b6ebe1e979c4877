#include "tests/chaos/load.h"

namespace pons::chaos {

using test::json;

/// Everything but the constructor runs in its thread.
class Load::Client {
 public:
  Client(Load& load, Connect connect, const std::string& name, std::uint64_t seed)
      : load_(load), options_(load.options_), connect_(std::move(connect)), random_(seed), log_(name) {}

  void run() {
    try {
      connection_ = connect_();
      while (!load_.stopping_ && connection_) {
        while (log_.open() < options_.depth && connection_) send();
        if (connection_) receive();
      }
      while (log_.open() > 0 && connection_) receive();
    } catch (const std::exception& problem) {
      lost(problem.what());
    }
    connection_.reset();
  }

  ClientLog take() { return std::move(log_); }

 private:
  void send() {
    const auto id = ++last_id_;
    const bool idempotent = random_.chance(options_.idempotent);
    const auto execution = log_.client() + "." + std::to_string(id);
    json args{{"execution", execution}};
    if (random_.chance(50)) args["ms"] = random_.between(1, options_.most_ms);
    const auto& pool = random_.one_of(options_.pools);
    const int timeout = random_.chance(options_.short_deadline) ? random_.between(1, options_.most_ms) : options_.deadline_ms;
    json request{{"id", id}, {"command", pool.name + (idempotent ? ":run_again" : ":run")}, {"timeout_ms", timeout}};
    if (random_.chance(options_.streamed)) {
      request["stream"] = true;
      args["partials"] = random_.between(1, 3);
    }
    request["args"] = std::move(args);
    log_.sent(id, {execution, idempotent ? pool.most_runs : 1});
    connection_->send(request);
    if (random_.chance(options_.cancelled)) cancel();
    if (random_.chance(options_.left)) leave();
  }

  void cancel() {
    const auto wanted = log_.oldest_open();
    const auto id = ++last_id_;
    log_.sent(id, {});
    connection_->send({{"id", id}, {"command", "host:cancel"}, {"args", {{"id", *wanted}}}});
  }

  void leave() {
    log_.disconnected();
    connection_ = connect_();
  }

  void receive() {
    const auto frame = connection_->receive();
    const auto id = frame.value("id", std::int64_t{-1});
    if (frame.contains("partial")) {
      if (frame.contains("seq")) log_.partial(id, frame["seq"].get<std::int64_t>());
      return;
    }
    const auto& result = frame.contains("result") ? frame["result"] : json();
    log_.replied(id, {test::code_of(frame), result.is_object() ? result.value("execution", "") : ""});
    load_.answered();
  }

  void lost(const std::string& why) {
    if (options_.host_may_die) return log_.disconnected();
    log_.note(why + " (" + std::to_string(log_.open()) + " requests open)");
  }

  Load& load_;
  const LoadOptions& options_;
  Connect connect_;
  Random random_;
  ClientLog log_;
  std::optional<test::RawClient> connection_;
  ClientLog::Id last_id_ = 0;
};

Load::Load(const Connect& connect, const LoadOptions& options, Random& random) : options_(options) {
  for (int i = 0; i < options_.clients; ++i) {
    clients_.push_back(std::make_unique<Client>(*this, connect, "c" + std::to_string(i), random.seed()));
  }
  for (auto& client : clients_) threads_.emplace_back([&client] { client->run(); });
}

Load::~Load() { stopping_ = true; }

void Load::answered() {
  ++replies_;
  const std::lock_guard lock(mutex_);
  more_.notify_all();
}

bool Load::await_replies(std::uint64_t count) {
  const auto wanted = replies_ + count;
  std::unique_lock lock(mutex_);
  return more_.wait_for(lock, test::kLimit, [&] { return replies_ >= wanted; });
}

std::vector<ClientLog> Load::stop() {
  stopping_ = true;
  threads_.clear();  // joins them
  std::vector<ClientLog> logs;
  for (auto& client : clients_) logs.push_back(client->take());
  return logs;
}

}  // namespace pons::chaos
