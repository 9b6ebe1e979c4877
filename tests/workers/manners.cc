#include "tests/workers/manners.h"

#include <chrono>
#include <optional>

namespace bad {

using nlohmann::json;

namespace {

/// What the worker has counted, and the name under which the host knows it.
struct Self {
  std::string adapter = "bad";
  int requests = 0;
  int errors = 0;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

/// The command without a namespace that is this worker's; nothing with another one.
std::optional<std::string> plain_command(const std::string& command, const Self& self) {
  const auto colon = command.find(':');
  if (colon == std::string::npos) return command;
  const auto name_space = command.substr(0, colon);
  if (name_space == "common" || name_space == "bad" || name_space == self.adapter) return command.substr(colon + 1);
  return std::nullopt;
}

json common_result(const std::string& command, int level, const Self& self) {
  if (command == "ping") {
    json result{{"status", "ok"}, {"worker_id", "bad"}};
    if (level > 0) result["protocol"] = level;
    return result;
  }
  if (command == "get_info") {
    const json probe{{"name", "probe"}, {"description", "Misbehaves."}, {"idempotent", true}};
    return {{"name", "bad"}, {"version", "1"}, {"capabilities", json::array()}, {"commands", json::array({probe})}};
  }
  if (command == "get_stats") {
    const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - self.started;
    return {{"requests_processed", self.requests},
            {"errors", self.errors},
            {"start_time", 0},
            {"uptime_s", uptime.count()},
            {"active_resources", 0},
            {"sessions", 0},
            {"memory_rss_bytes", 0}};
  }
  if (command == "cleanup") return {{"status", "cleaned"}, {"resources_removed", 0}, {"sessions_removed", 0}};
  if (level > 0 && (command == "cancel" || command == "end_session")) return json::object();
  return nullptr;
}

}  // namespace

json common_result(const std::string& command, int level) { return common_result(command, level, Self()); }

void serve(const RawChannel& channel, const OnRequest& on_request, int level) {
  Self self;
  const auto refuse = [&](const json& request, const std::string& error, std::string_view code) {
    ++self.errors;
    channel.write_document(error_to(request, error, code));
  };
  while (const auto request = channel.read_request()) {
    ++self.requests;
    const auto said = request->value("command", "");
    const auto args = request->value("args", json::object());
    if (args.value("initialization", false)) self.adapter = args.value("adapter", self.adapter);
    const auto command = plain_command(said, self);
    if (!command) {
      refuse(*request, "Unknown namespace: " + said.substr(0, said.find(':')), "unknown_namespace");
    } else if (command->starts_with("no_such")) {
      refuse(*request, "Unknown command: " + *command, "unknown_command");
    } else if (auto result = common_result(*command, level, self); !result.is_null()) {
      channel.write_document(reply_to(*request, std::move(result)));
    } else {
      on_request(*request);
    }
  }
}

}  // namespace bad
