#include "host/cli/listings.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "host/cli/json_text.h"
#include "host/cli/table.h"

namespace pons::cli {

using nlohmann::json;

namespace {

constexpr auto kRight = Table::Align::right;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

const json& member(const json& object, const char* name) {
  static const json none = nullptr;
  if (!object.is_object()) return none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

std::string cell(const json& value) {
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : one_line(value);
}
std::string cell(const json& object, const char* name) { return cell(member(object, name)); }
std::string time_cell(const json& object, const char* name) {
  const auto& value = member(object, name);
  return value.is_number() ? short_time(value.get<double>()) : std::string();
}
std::string size_cell(const json& object, const char* name) {
  const auto& value = member(object, name);
  return value.is_number() && value.get<double>() > 0 ? short_size(value.get<double>()) : std::string();
}
std::string millis_cell(const json& object, const char* name) {
  const auto& value = member(object, name);
  return value.is_number() ? format(value.get<double>() < 10 ? "%.2f" : "%.0f", value.get<double>()) : std::string();
}

std::string exit_cell(const json& worker) {
  const auto& exit = member(worker, "last_exit");
  return exit.is_object() && exit.contains("reason") ? cell(exit, "reason") : cell(exit);
}

std::string errors_cell(const json& errors) {
  std::string text;
  if (!errors.is_object()) return cell(errors);
  for (const auto& [code, count] : errors.items()) text += (text.empty() ? "" : ", ") + cell(count) + " " + code;
  return text;
}

}  // namespace

std::string short_time(double seconds) {
  if (seconds < 0) seconds = 0;
  if (seconds < 9.95) return format("%.1fs", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  if (whole < 60) return format("%llds", whole);
  if (whole < 3600) return format("%lldm%02llds", whole / 60, whole % 60);
  if (whole < 86400) return format("%lldh%02lldm", whole / 3600, whole % 3600 / 60);
  return format("%lldd%02lldh", whole / 86400, whole % 86400 / 3600);
}

std::string short_size(double bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return format(unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
}

std::string list_text(const json& result) {
  const auto& frameworks = member(result, "frameworks");
  if (!frameworks.is_array() || frameworks.empty()) return "no adapters\n";
  Table table({{"NAME"}, {"STATE"}, {"ADAPTER"}, {"VERSION"}, {"COMMANDS", kRight}, {"DESCRIPTION"}});
  for (const auto& entry : frameworks) {
    const auto& commands = member(entry, "commands");
    const bool is_default = member(entry, "name") == member(result, "default");
    table.add({cell(entry, "name") + (is_default ? " (default)" : ""), cell(entry, "state"), cell(entry, "adapter"), cell(entry, "version"),
               commands.is_array() ? std::to_string(commands.size()) : std::string(), cell(entry, "description")});
  }
  return table.text();
}

std::string workers_text(const json& result) {
  const auto& workers = member(result, "workers");
  if (!workers.is_array() || workers.empty()) return "no workers\n";
  Table table({{"WORKER"},
               {"STATE"},
               {"PID", kRight},
               {"UPTIME", kRight},
               {"IN FLIGHT", kRight},
               {"SESSIONS", kRight},
               {"RESOURCES", kRight},
               {"REQUESTS", kRight},
               {"ERRORS", kRight},
               {"RESTARTS", kRight},
               {"MEMORY", kRight},
               {"LAST EXIT"}});
  for (const auto& w : workers) {
    table.add({cell(w, "worker_id"), cell(w, "state"), cell(w, "pid"), time_cell(w, "uptime_s"), cell(w, "in_flight"), cell(w, "sessions"),
               cell(w, "resources"), cell(w, "requests"), cell(w, "errors"), cell(w, "restarts"), size_cell(w, "memory_rss_bytes"),
               exit_cell(w)});
  }
  return table.text();
}

std::string sessions_text(const json& result) {
  const auto& sessions = member(result, "sessions");
  if (!sessions.is_array() || sessions.empty()) return "no sessions\n";
  Table table({{"SESSION"},
               {"ADAPTER"},
               {"WORKER"},
               {"STATE"},
               {"REQUESTS", kRight},
               {"IDLE", kRight},
               {"EXPIRES IN", kRight},
               {"SNAPSHOT AGE", kRight}});
  for (const auto& s : sessions) {
    table.add({cell(s, "session_id"), cell(s, "adapter"), cell(s, "worker_id"), cell(s, "state"), cell(s, "requests"),
               time_cell(s, "idle_s"), time_cell(s, "expires_in_s"), time_cell(s, "snapshot_age_s")});
  }
  return table.text();
}

std::string stats_text(const json& result) {
  const auto& host = member(result, "host");
  std::string text = "host: up " + time_cell(host, "uptime_s") + ", pid " + cell(host, "pid") + ", memory " +
                     size_cell(host, "memory_rss_bytes") + ", " + cell(host, "connections") + " connections, " + cell(host, "frames_in") +
                     " frames in, " + cell(host, "frames_out") + " out, " + cell(host, "late_replies") + " late replies\n\n";
  const auto& adapters = member(result, "adapters");
  if (!adapters.is_object() || adapters.empty()) return text + "no adapters\n";
  Table table({{"ADAPTER"},
               {"STATE"},
               {"WORKERS", kRight},
               {"READY", kRight},
               {"BUSY", kRight},
               {"QUEUED", kRight},
               {"SESSIONS", kRight},
               {"RESOURCES", kRight},
               {"REQUESTS", kRight},
               {"RESTARTS", kRight},
               {"P50 MS", kRight},
               {"P90 MS", kRight},
               {"P99 MS", kRight},
               {"MAX MS", kRight},
               {"ERRORS"}});
  for (const auto& [name, a] : adapters.items()) {
    const auto& latency = member(a, "latency_ms");
    const auto size = cell(a, "size");
    table.add({name, cell(a, "state"), cell(a, "workers") + (size.empty() ? "" : "/" + size), cell(a, "ready"), cell(a, "busy"),
               cell(a, "queued"), cell(a, "sessions"), cell(a, "resources"), cell(a, "requests"), cell(a, "restarts"),
               millis_cell(latency, "p50"), millis_cell(latency, "p90"), millis_cell(latency, "p99"), millis_cell(latency, "max"),
               errors_cell(member(a, "errors"))});
  }
  return text + table.text();
}

}  // namespace pons::cli
