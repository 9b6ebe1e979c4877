// The effective configuration in the form of the file.
#include <nlohmann/json.hpp>

#include "host/config/config.h"
#include "host/units.h"

namespace pons {
namespace {

using nlohmann::json;

json host_json(const HostConfig& host) {
  return {
      {"name", host.name},
      {"socket", host.socket.empty() ? "auto" : host.socket},
      {"state_dir", host.state_dir.empty() ? "auto" : host.state_dir},
      {"shutdown_timeout", format_duration(host.shutdown_timeout)},
      {"log", {{"level", to_string(host.log_level)}, {"format", to_string(host.log_format)}}},
      {"max_frame", format_size(host.max_frame)},
      {"max_connections", host.max_connections},
      {"buffer_limit", format_size(host.buffer_limit)},
      {"output_limit", format_size(host.output_limit)},
      {"stream_limit", format_size(host.stream_limit)},
      {"write_timeout", format_duration(host.write_timeout)},
  };
}

std::string_view name_of(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::fd:
      return "fd";
    case ChannelKind::stdio:
      return "stdio";
  }
  return {};
}

std::string_view name_of(Selection selection) {
  switch (selection) {
    case Selection::least_loaded:
      return "least_loaded";
    case Selection::lifo:
      return "lifo";
  }
  return {};
}

json pool_json(const PoolOptions& pool) {
  return {
      {"size", pool.size},
      {"overflow", pool.overflow},
      {"overflow_after", format_duration(pool.overflow_after)},
      {"overflow_linger", format_duration(pool.overflow_linger)},
      {"in_flight", pool.in_flight},
      {"queue", pool.queue},
      {"queue_bytes", format_size(pool.queue_bytes)},
      {"selection", name_of(pool.selection)},
      {"lazy", pool.lazy},
      {"min_ready", pool.min_ready},
      {"start_concurrency", pool.start_concurrency},
  };
}

json timeouts_json(const Timeouts& timeouts) {
  return {
      {"request", format_duration(timeouts.request)}, {"max", format_duration(timeouts.max)},
      {"queue", format_duration(timeouts.queue)},     {"startup", format_duration(timeouts.startup)},
      {"stop", format_duration(timeouts.stop)},       {"cancel_grace", format_duration(timeouts.cancel_grace)},
  };
}

json sessions_json(const SessionOptions& sessions) {
  const SnapshotOptions& snapshot = sessions.snapshot;
  return {
      {"ttl", format_duration(sessions.ttl)},
      {"max", sessions.max},
      {"max_per_worker", sessions.max_per_worker},
      {"on_loss", sessions.on_loss == OnLoss::restart ? "restart" : "fail"},
      {"snapshot",
       {{"every", snapshot.every},
        {"after", format_duration(snapshot.after)},
        {"max_bytes", format_size(snapshot.max_bytes)},
        {"max_total", format_size(snapshot.max_total)},
        {"stale", snapshot.stale == Stale::allow ? "allow" : "refuse"}}},
  };
}

json restart_json(const RestartOptions& restart) {
  return {
      {"max", restart.max},
      {"window", format_duration(restart.window)},
      {"backoff", format_duration(restart.backoff)},
      {"backoff_max", format_duration(restart.backoff_max)},
      {"reset_after", format_duration(restart.reset_after)},
      {"min_uptime", format_duration(restart.min_uptime)},
      {"trial", format_duration(restart.trial)},
      {"no_restart_on", restart.no_restart_on},
  };
}

json recycle_json(const RecycleOptions& recycle) {
  return {
      {"max_requests", recycle.max_requests},
      {"max_age", format_duration(recycle.max_age)},
      {"max_memory", format_size(recycle.max_memory)},
      {"idle_timeout", format_duration(recycle.idle_timeout)},
      {"max_drain", format_duration(recycle.max_drain)},
  };
}

json limits_json(const LimitOptions& limits) {
  return {
      {"memory", format_size(limits.memory)}, {"cpu", limits.cpu},
      {"processes", limits.processes},        {"open_files", limits.open_files},
      {"core", format_size(limits.core)},     {"nice", limits.nice},
      {"cpu_affinity", limits.cpu_affinity},
  };
}

json errors_json(const std::vector<ErrorRule>& rules) {
  json out = json::object();
  for (const ErrorRule& rule : rules) {
    out[rule.pattern] = {{"code", rule.code}};
    if (rule.retryable) out[rule.pattern]["retryable"] = *rule.retryable;
  }
  return out;
}

}  // namespace

json to_json(const AdapterConfig& adapter) {
  const PoolOptions& pool = adapter.pool;
  json env = json::object();
  for (const auto& [name, value] : adapter.env) env[name] = value;
  json out = {
      {"command", pool.launch.command},
      {"channel", name_of(pool.launch.channel)},
      {"working_dir", pool.launch.working_dir},
      {"env", env},
      {"env_passthrough", adapter.env_passthrough},
      {"required_env", adapter.required_env},
      {"required_packages", adapter.required_packages},
      {"options", pool.launch.options},
      {"pool", pool_json(pool)},
      {"timeouts", timeouts_json(pool.timeouts)},
      {"sessions", sessions_json(pool.sessions)},
      {"health",
       {{"interval", format_duration(pool.health.interval)},
        {"timeout", format_duration(pool.health.timeout)},
        {"misses", pool.health.misses}}},
      {"restart", restart_json(pool.restart)},
      {"retry", {{"max_attempts", pool.retry.max_attempts}}},
      {"recycle", recycle_json(pool.recycle)},
      {"limits", limits_json(pool.limits)},
      {"log_rate", pool.log_rate},
      {"errors", errors_json(adapter.errors)},
  };
  if (!adapter.folder.empty()) out["adapter"] = adapter.folder;
  if (!pool.launch.device_variable.empty()) {
    out["devices"] = {{"variable", pool.launch.device_variable}, {"values", pool.launch.device_values}};
  }
  return out;
}

json to_json(const Config& config) {
  json adapters = json::object();
  for (const AdapterConfig& adapter : config.adapters) adapters[adapter.pool.adapter] = to_json(adapter);
  json out = {{"host", host_json(config.host)}, {"adapters", adapters}};
  if (config.default_adapter) out["default"] = *config.default_adapter;
  return out;
}

}  // namespace pons
