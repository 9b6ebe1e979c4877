#include "host/config/settings.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>
#include <system_error>
#include <utility>

#include "host/config/worker_env.h"
#include "host/environment/pep440.h"
#include "host/units.h"
#include "pool/cpu_set.h"
#include "pool/process.h"

namespace pons {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Reads single keys out of layers into fields that hold their default.
class Reader {
 public:
  Reader(const Layers& layers, std::vector<ConfigIssue>& issues) : layers_(layers), issues_(issues) {}

  void time(const ConfigPath& path, Millis& field) { quantity(path, field, parse_duration); }
  void size(const ConfigPath& path, std::size_t& field) { quantity(path, field, parse_size); }

  template <std::integral T>
  void number(const ConfigPath& path, T& field) {
    const json value = layers_.at(path);
    if (value.is_number_integer()) field = static_cast<T>(value.get<std::int64_t>());
  }
  void number(const ConfigPath& path, double& field) {
    const json value = layers_.at(path);
    if (value.is_number()) field = value.get<double>();
  }
  void flag(const ConfigPath& path, bool& field) {
    const json value = layers_.at(path);
    if (value.is_boolean()) field = value.get<bool>();
  }
  void text(const ConfigPath& path, std::string& field) {
    const json value = layers_.at(path);
    if (value.is_string()) field = value.get<std::string>();
  }
  void texts(const ConfigPath& path, std::vector<std::string>& field) {
    const json value = layers_.at(path);
    if (value.is_array()) field = value.get<std::vector<std::string>>();
  }

  [[nodiscard]] ConfigIssue place(const ConfigPath& path) const { return layers_.issue(path, {}); }
  [[nodiscard]] bool says(const ConfigPath& path) const { return !layers_.at(path).is_null(); }
  void issue(const ConfigPath& path, std::string message) { issues_.push_back(layers_.issue(path, std::move(message))); }

 private:
  template <class T, class Parse>
  void quantity(const ConfigPath& path, T& field, Parse parse) {
    const json value = layers_.at(path);
    if (value.is_number_integer() && value == 0) field = T{};
    if (!value.is_string()) return;
    const auto parsed = parse(value.get<std::string>());
    if (parsed) {
      field = *parsed;
    } else {
      issue(path, parsed.error().message);
    }
  }

  const Layers& layers_;
  std::vector<ConfigIssue>& issues_;
};

void read_pool(Reader& reader, PoolOptions& pool) {
  reader.number({"pool", "size"}, pool.size);
  reader.number({"pool", "overflow"}, pool.overflow);
  reader.time({"pool", "overflow_after"}, pool.overflow_after);
  reader.time({"pool", "overflow_linger"}, pool.overflow_linger);
  reader.number({"pool", "in_flight"}, pool.in_flight);
  reader.number({"pool", "queue"}, pool.queue);
  reader.size({"pool", "queue_bytes"}, pool.queue_bytes);
  std::string selection;
  reader.text({"pool", "selection"}, selection);
  pool.selection = selection == "lifo" ? Selection::lifo : Selection::least_loaded;
  reader.flag({"pool", "lazy"}, pool.lazy);
  reader.number({"pool", "min_ready"}, pool.min_ready);
  reader.number({"pool", "start_concurrency"}, pool.start_concurrency);
  reader.number({"log_rate"}, pool.log_rate);
  if (pool.min_ready > pool.size) {
    reader.issue({"pool", "min_ready"},
                 "expected at most pool.size (" + std::to_string(pool.size) + "), got " + std::to_string(pool.min_ready));
  }
}

void read_timeouts(Reader& reader, Timeouts& timeouts) {
  reader.time({"timeouts", "request"}, timeouts.request);
  reader.time({"timeouts", "max"}, timeouts.max);
  reader.time({"timeouts", "queue"}, timeouts.queue);
  reader.time({"timeouts", "startup"}, timeouts.startup);
  reader.time({"timeouts", "stop"}, timeouts.stop);
  reader.time({"timeouts", "cancel_grace"}, timeouts.cancel_grace);
  timeouts.request = std::min(timeouts.request, timeouts.max);
}

void read_sessions(Reader& reader, SessionOptions& sessions) {
  reader.time({"sessions", "ttl"}, sessions.ttl);
  reader.number({"sessions", "max"}, sessions.max);
  reader.number({"sessions", "max_per_worker"}, sessions.max_per_worker);
  std::string on_loss;
  reader.text({"sessions", "on_loss"}, on_loss);
  sessions.on_loss = on_loss == "restart" ? OnLoss::restart : OnLoss::fail;
  SnapshotOptions& snapshot = sessions.snapshot;
  const ConfigPath max_bytes{"sessions", "snapshot", "max_bytes"};
  reader.number({"sessions", "snapshot", "every"}, snapshot.every);
  reader.time({"sessions", "snapshot", "after"}, snapshot.after);
  reader.size(max_bytes, snapshot.max_bytes);
  reader.size({"sessions", "snapshot", "max_total"}, snapshot.max_total);
  std::string stale;
  reader.text({"sessions", "snapshot", "stale"}, stale);
  snapshot.stale = stale == "allow" ? Stale::allow : Stale::refuse;
  if (snapshot.max_total == 0 || snapshot.max_bytes <= snapshot.max_total) return;
  if (reader.says(max_bytes)) {
    reader.issue(max_bytes, "expected at most sessions.snapshot.max_total (" + format_size(snapshot.max_total) + "), got " +
                                format_size(snapshot.max_bytes));
  }
  snapshot.max_bytes = snapshot.max_total;
}

void read_upkeep(Reader& reader, PoolOptions& pool) {
  reader.time({"health", "interval"}, pool.health.interval);
  reader.time({"health", "timeout"}, pool.health.timeout);
  reader.number({"health", "misses"}, pool.health.misses);
  RestartOptions& restart = pool.restart;
  reader.number({"restart", "max"}, restart.max);
  reader.time({"restart", "window"}, restart.window);
  reader.time({"restart", "backoff"}, restart.backoff);
  reader.time({"restart", "backoff_max"}, restart.backoff_max);
  reader.time({"restart", "reset_after"}, restart.reset_after);
  reader.time({"restart", "min_uptime"}, restart.min_uptime);
  reader.time({"restart", "trial"}, restart.trial);
  reader.number({"retry", "max_attempts"}, pool.retry.max_attempts);
}

void read_recycle(Reader& reader, RecycleOptions& recycle, const LimitOptions& limits) {
  reader.number({"recycle", "max_requests"}, recycle.max_requests);
  reader.time({"recycle", "max_age"}, recycle.max_age);
  reader.size({"recycle", "max_memory"}, recycle.max_memory);
  reader.time({"recycle", "idle_timeout"}, recycle.idle_timeout);
  reader.time({"recycle", "max_drain"}, recycle.max_drain);
  if (limits.memory != 0 && recycle.max_memory >= limits.memory) {
    reader.issue({"recycle", "max_memory"}, "expected less than limits.memory (" + format_size(limits.memory) +
                                                "), at which a worker is killed, got " + format_size(recycle.max_memory));
  }
}

void read_limits(Reader& reader, const Layers& layers, LimitOptions& limits) {
  reader.size({"limits", "memory"}, limits.memory);
  reader.number({"limits", "cpu"}, limits.cpu);
  reader.number({"limits", "processes"}, limits.processes);
  reader.number({"limits", "open_files"}, limits.open_files);
  reader.size({"limits", "core"}, limits.core);
  reader.number({"limits", "nice"}, limits.nice);
  const json sets = layers.at({"limits", "cpu_affinity"});
  for (const json& said : sets) {
    const std::string set = said.is_string() ? said.get<std::string>() : said.dump();
    if (!CpuSet::parse(set)) {
      reader.issue({"limits", "cpu_affinity", std::to_string(limits.cpu_affinity.size())},
                   "expected a set of CPUs, the smaller number first and none above 1023, got " + set);
    }
    limits.cpu_affinity.push_back(set);
  }
}

void read_devices(Reader& reader, LaunchOptions& launch) {
  const ConfigPath variable{"devices", "variable"};
  const ConfigPath values{"devices", "values"};
  reader.text(variable, launch.device_variable);
  reader.texts(values, launch.device_values);
  if (is_reserved_variable(launch.device_variable)) reader.issue(variable, "only the host sets " + launch.device_variable);
  if (launch.device_variable.empty() && !launch.device_values.empty()) {
    reader.issue(values, "expected `devices.variable` too, the variable that is set to one of these");
  }
  if (!launch.device_variable.empty() && launch.device_values.empty()) {
    reader.issue(variable, "expected `devices.values` too, the values of " + launch.device_variable);
  }
}

void check_program(Reader& reader, const std::string& program) {
  if (program.empty()) return reader.issue({"command", "0"}, "expected the name or path of a program");
  if (program.find('/') == std::string::npos) return;  // that waits for the worker's PATH
  std::error_code failed;
  const fs::file_status status = fs::status(program, failed);
  if (!fs::exists(status)) return reader.issue({"command", "0"}, "expected a program, but there is no file " + program);
  if (fs::is_directory(status)) return reader.issue({"command", "0"}, "expected a program, but " + program + " is a folder");
  if (::access(program.c_str(), X_OK) != 0) reader.issue({"command", "0"}, "expected a program, but " + program + " is not executable");
}

/// A bare program name is looked up as it will be when a worker starts; where PATH is not known, only then.
void check_bare_program(Reader& reader, const LaunchOptions& launch) {
  if (launch.command.empty() || launch.command.front().empty() || launch.command.front().find('/') != std::string::npos) return;
  const auto path = std::find_if(launch.env.begin(), launch.env.end(), [](const auto& variable) { return variable.first == "PATH"; });
  if (path == launch.env.end()) return;
  if (find_on_path(launch.command.front(), path->second)) return;
  reader.issue({"command", "0"},
               "expected a program, but there is no " + launch.command.front() + " on the worker's PATH (" + path->second + ")");
}

/// `python3 /x/worker.py`: the script of an interpreter, if it was given by a path. Other arguments mean what only their program knows.
void check_script(Reader& reader, const std::vector<std::string>& command) {
  constexpr std::array<std::string_view, 7> kInterpreters{"python", "python3", "node", "ruby", "perl", "sh", "bash"};
  if (command.size() < 2 || !command[1].starts_with('/')) return;
  const std::string program = fs::path(command[0]).filename().string();
  if (std::find(kInterpreters.begin(), kInterpreters.end(), program) == kInterpreters.end()) return;
  std::error_code failed;
  if (!fs::exists(command[1], failed)) reader.issue({"command", "1"}, "expected a script, but there is no file " + command[1]);
}

void read_launch(Reader& reader, const Layers& layers, const fs::path& made, LaunchOptions& launch) {
  reader.texts({"command"}, launch.command);
  if (!launch.command.empty() && launch.command.front() != made) check_program(reader, launch.command.front());
  check_script(reader, launch.command);
  launch.working_dir = layers.folder_of({"command"}).string();
  reader.text({"working_dir"}, launch.working_dir);
  std::error_code failed;
  if (!fs::is_directory(launch.working_dir, failed)) {
    reader.issue({"working_dir"}, "expected a folder, but there is none at " + launch.working_dir);
  }
  std::string channel;
  reader.text({"channel"}, channel);
  launch.channel = channel == "stdio" ? ChannelKind::stdio : ChannelKind::fd;
  const json options = layers.at({"options"});
  if (options.is_object()) launch.options = options;
}

void read_packages(Reader& reader, AdapterConfig& adapter) {
  reader.texts({"required_packages"}, adapter.required_packages);
  for (std::size_t i = 0; i < adapter.required_packages.size(); ++i) {
    const ConfigPath path{"required_packages", std::to_string(i)};
    const std::string& text = adapter.required_packages[i];
    if (!PackageRequirement::parse(text)) {
      reader.issue(path, "expected a package with or without versions, such as \"numpy\" or \"dspy>=3.0,<4\", got \"" + text + "\"");
    }
    adapter.places["required_packages[" + std::to_string(i) + "]"] = reader.place(path);
  }
}

void read_environment(Reader& reader, const Layers& layers, const EnvLookup& host, AdapterConfig& adapter) {
  const json own = layers.at({"env"});
  for (const auto& [name, value] : own.items()) {
    if (value.is_string()) adapter.env.emplace_back(name, value.get<std::string>());
    if (is_reserved_variable(name)) reader.issue({"env", name}, "only the host sets this variable");
  }
  reader.texts({"env_passthrough"}, adapter.env_passthrough);
  reader.texts({"required_env"}, adapter.required_env);
  for (std::size_t i = 0; i < adapter.env_passthrough.size(); ++i) {
    if (is_reserved_variable(adapter.env_passthrough[i])) {
      reader.issue({"env_passthrough", std::to_string(i)}, "only the host sets " + adapter.env_passthrough[i]);
    }
  }
  auto& env = adapter.pool.launch.env;
  const std::string& device = adapter.pool.launch.device_variable;
  env = worker_environment(host, adapter.env_passthrough, adapter.env);
  std::erase_if(env, [&](const auto& variable) { return variable.first == device; });  // each worker gets its own
  for (std::size_t i = 0; i < adapter.required_env.size(); ++i) {
    const std::string& name = adapter.required_env[i];
    if (name == device || std::any_of(env.begin(), env.end(), [&](const auto& variable) { return variable.first == name; })) continue;
    const bool set = host(name).has_value();
    const bool passed = std::find(adapter.env_passthrough.begin(), adapter.env_passthrough.end(), name) != adapter.env_passthrough.end();
    const std::string hand_on = "name it in env_passthrough";
    Finding finding{"variable", name, "", "expected the environment variable " + name + ", which is not set",
                    "run: export " + name + "=..."};
    if (!set && !passed) finding.remedy += " and " + hand_on;
    if (set) {
      finding.message = "the environment variable " + name + " is set, but not handed on to the worker";
      finding.remedy = hand_on;
    }
    finding.place = reader.place({"required_env", std::to_string(i)});
    adapter.missing_variables.push_back(std::move(finding));
  }
  read_packages(reader, adapter);
}

std::vector<ErrorRule> error_rules(const json& rules) {
  std::vector<ErrorRule> out;
  for (const auto& [pattern, rule] : rules.items()) {
    if (!rule.is_object() || !rule.contains("code")) continue;
    ErrorRule& added = out.emplace_back(ErrorRule{pattern, rule["code"].get<std::string>(), std::nullopt});
    if (rule.contains("retryable")) added.retryable = rule["retryable"].get<bool>();
  }
  std::stable_sort(out.begin(), out.end(), [](const ErrorRule& a, const ErrorRule& b) { return a.pattern.size() > b.pattern.size(); });
  return out;
}

// A path, or nothing for "auto".
std::string path_or_auto(Reader& reader, const char* key, const fs::path& folder) {
  std::string text = "auto";
  reader.text({key}, text);
  return text == "auto" ? std::string() : absolute_from(folder, text).string();
}

}  // namespace

HostConfig host_settings(const Document& document, const fs::path& folder, std::vector<ConfigIssue>& issues) {
  HostConfig host;
  const json* const said = find_at(document.value, {"host"});
  Layers layers;
  layers.add(document, {"host"}, said == nullptr ? json::object() : *said, folder);
  Reader reader(layers, issues);
  reader.text({"name"}, host.name);
  host.socket = path_or_auto(reader, "socket", folder);
  host.state_dir = path_or_auto(reader, "state_dir", folder);
  reader.time({"shutdown_timeout"}, host.shutdown_timeout);
  std::string level;
  std::string format;
  reader.text({"log", "level"}, level);
  reader.text({"log", "format"}, format);
  host.log_level = log_level_from(level).value_or(host.log_level);
  host.log_format = log_format_from(format).value_or(host.log_format);
  reader.size({"max_frame"}, host.max_frame);
  reader.number({"max_connections"}, host.max_connections);
  reader.size({"buffer_limit"}, host.buffer_limit);
  reader.size({"output_limit"}, host.output_limit);
  reader.size({"stream_limit"}, host.stream_limit);
  reader.time({"write_timeout"}, host.write_timeout);
  const bool frame_said = layers.at({"max_frame"}).is_string();  // else the schema has spoken
  if (frame_said && (host.max_frame < 1024 || host.max_frame > std::numeric_limits<std::uint32_t>::max())) {
    reader.issue({"max_frame"}, "expected a size from 1KiB to below 4GiB, got " + format_size(host.max_frame));
  }
  return host;
}

AdapterConfig adapter_settings(const std::string& name, const Layers& layers, const HostConfig& host, const EnvLookup& env,
                               const fs::path& made, std::vector<ConfigIssue>& issues) {
  AdapterConfig adapter;
  adapter.pool.adapter = name;
  adapter.pool.max_frame = host.max_frame;
  Reader reader(layers, issues);
  read_launch(reader, layers, made, adapter.pool.launch);
  read_devices(reader, adapter.pool.launch);
  read_environment(reader, layers, env, adapter);
  check_bare_program(reader, adapter.pool.launch);
  read_pool(reader, adapter.pool);
  read_timeouts(reader, adapter.pool.timeouts);
  read_sessions(reader, adapter.pool.sessions);
  read_upkeep(reader, adapter.pool);
  read_limits(reader, layers, adapter.pool.limits);
  read_recycle(reader, adapter.pool.recycle, adapter.pool.limits);
  const json statuses = layers.at({"restart", "no_restart_on"});
  if (statuses.is_array()) adapter.pool.restart.no_restart_on = statuses.get<std::vector<int>>();
  adapter.errors = error_rules(layers.at({"errors"}));
  return adapter;
}

}  // namespace pons
