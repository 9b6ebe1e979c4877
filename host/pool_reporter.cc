#include "host/pool_reporter.h"

namespace pons {

namespace {

nlohmann::json about(const std::string& adapter, const WorkerProcess& worker) {
  return {{"adapter", adapter},
          {"worker_id", worker.id()},
          {"slot", worker.key().slot},
          {"incarnation", worker.key().incarnation},
          {"pid", worker.pid()}};
}

}  // namespace

void PoolReporter::worker_started(const std::string& adapter, const WorkerProcess& worker) {
  log_.debug("worker started", {{"adapter", adapter}, {"worker", worker.id()}, {"pid", worker.pid()}});
  events_.publish("worker.started", about(adapter, worker));
}

void PoolReporter::worker_ready(const std::string& adapter, const WorkerProcess& worker) {
  log_.info("worker ready",
            {{"adapter", adapter}, {"worker", worker.id()}, {"pid", worker.pid()}, {"protocol_level", worker.info().level}});
  auto data = about(adapter, worker);
  data["level"] = worker.info().level;
  events_.publish("worker.ready", data);
}

void PoolReporter::worker_exited(const std::string& adapter, const WorkerProcess& worker, const WorkerProcess::Exit& exit,
                                 const std::string& what) {
  const auto level = exit.asked ? LogLevel::info : LogLevel::warn;
  log_.write(level, "worker ended", {{"adapter", adapter}, {"worker", worker.id()}, {"pid", worker.pid()}, {"what", what}});
  auto data = about(adapter, worker);
  data["asked"] = exit.asked;
  data["was_ready"] = exit.was_ready;
  data["what"] = what;
  if (exit.status.status >= 0) data["exit_status"] = exit.status.status;
  if (exit.status.signal != 0) data["signal"] = exit.status.signal;
  events_.publish("worker.exited", data);
  if (on_worker_gone) on_worker_gone();
}

void PoolReporter::worker_recycled(const std::string& adapter, const WorkerProcess& worker, std::string_view reason) {
  log_.info("worker recycled", {{"adapter", adapter}, {"worker", worker.id()}, {"pid", worker.pid()}, {"reason", reason}});
  auto data = about(adapter, worker);
  data["reason"] = reason;
  events_.publish("worker.recycled", data);
}

void PoolReporter::request_retried(const std::string& adapter, int attempt, const std::string& worker) {
  log_.info("request retried", {{"adapter", adapter}, {"attempt", attempt}, {"worker", worker}});
  events_.publish("request.retried", {{"adapter", adapter}, {"attempt", attempt}, {"worker_id", worker}});
}

void PoolReporter::worker_line(const std::string& adapter, const WorkerProcess& worker, std::string_view stream, const std::string& line,
                               bool cut) {
  log_.worker_line({adapter, worker.id(), worker.pid(), stream}, line, cut);
}

void PoolReporter::warning(const std::string& adapter, const std::string& text) { log_.warn(text, {{"adapter", adapter}}); }

void PoolReporter::pool_state(const std::string& adapter, PoolState state, const std::string& reason) {
  const auto level = state == PoolState::failed ? LogLevel::error : LogLevel::debug;
  log_.write(level, "pool state", {{"adapter", adapter}, {"state", to_string(state)}, {"reason", reason}});
  events_.publish("pool.state", {{"adapter", adapter}, {"state", to_string(state)}, {"reason", reason}});
}

void PoolReporter::session(const std::string& adapter, std::string_view event, const std::string& session, const std::string& worker) {
  const auto name = "session." + std::string(event);
  log_.debug(name, {{"adapter", adapter}, {"session", session}, {"worker", worker}});
  if (!events_.empty()) events_.publish(name, {{"adapter", adapter}, {"session_id", session}, {"worker_id", worker}});
}

}  // namespace pons
