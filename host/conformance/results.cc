#include "host/conformance/results.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <set>

#include "host/conformance/reply_ledger.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

struct Number {
  const char* name;
  bool whole;
};
constexpr std::array kCounts{Number{"requests_processed", true}, Number{"errors", true},   Number{"uptime_s", false},
                             Number{"active_resources", true},   Number{"sessions", true}, Number{"memory_rss_bytes", true}};
constexpr std::array kGrowing{"requests_processed", "errors", "uptime_s"};

/// Null where there is none, or `map` is no map.
const json& member(const json& map, const char* key) {
  static const json none;
  const auto at = map.is_object() ? map.find(key) : map.end();
  return at != map.end() && map.is_object() ? *at : none;
}

bool is_filled_string(const json& value) { return value.is_string() && !value.get_ref<const std::string&>().empty(); }

bool is_count(const json& value, bool whole) {
  if (whole && !value.is_number_integer()) return false;
  return value.is_number() && value.get<double>() >= 0;
}

bool is_list_of_strings(const json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const json& item) { return item.is_string(); });
}

bool holds(const json& list, std::string_view text) { return list.is_array() && std::find(list.begin(), list.end(), text) != list.end(); }

Wrong wrong_command(const json& command) {
  if (!command.is_object()) return "a command is no map: " + shown(command);
  const json& name = member(command, "name");
  if (!is_filled_string(name)) return "a command without a name: " + shown(command);
  if (command.contains("description") && !command["description"].is_string()) return "the description of " + shown(name) + " is no text";
  if (command.contains("idempotent") && !command["idempotent"].is_boolean()) return "idempotent of " + shown(name) + " is no bool";
  if (command.contains("args_schema") && !command["args_schema"].is_object()) return "args_schema of " + shown(name) + " is no map";
  return std::nullopt;
}

}  // namespace

Wrong wrong_status(const json& ping) {
  if (!ping.is_object()) return "the result of ping is no map: " + shown(ping);
  if (member(ping, "status") != "ok") return "status is " + shown(member(ping, "status")) + ", not \"ok\"";
  return std::nullopt;
}

Wrong wrong_protocol(const json& ping) {
  const json& protocol = member(ping, "protocol");
  const bool missing = !ping.is_object() || !ping.contains("protocol");
  if (missing || (protocol.is_number_integer() && protocol == 1)) return std::nullopt;
  return "protocol is " + shown(protocol) + ", and min and max are 1";
}

Wrong wrong_stack_signal(const json& ping) {
  if (!ping.is_object() || !ping.contains("stack_signal")) return std::nullopt;
  const json& number = ping["stack_signal"];
  if (number.is_number_integer() && number > 0 && number <= SIGRTMAX) return std::nullopt;
  return "stack_signal is " + shown(number);
}

int level_of(const json& ping) { return ping.is_object() && ping.contains("protocol") ? 1 : 0; }

Wrong wrong_info(const json& info) {
  if (!info.is_object()) return "the result of get_info is no map: " + shown(info);
  for (const char* key : {"name", "version"}) {
    if (!is_filled_string(member(info, key))) return std::string(key) + " is no text: " + shown(member(info, key));
  }
  if (!is_list_of_strings(member(info, "capabilities"))) return "capabilities is no list of texts: " + shown(member(info, "capabilities"));
  return std::nullopt;
}

Wrong wrong_commands(const json& info) {
  const json& commands = member(info, "commands");
  if (!commands.is_array()) return "commands is no list: " + shown(commands);
  std::set<std::string> names;
  for (const json& command : commands) {
    if (auto wrong = wrong_command(command)) return wrong;
    if (!names.insert(command["name"]).second) return "the command " + shown(command["name"]) + " is listed twice";
  }
  return std::nullopt;
}

Wrong wrong_codecs(const json& info) {
  if (!info.is_object() || !info.contains("codecs")) return std::nullopt;
  const json& codecs = info["codecs"];
  if (!is_list_of_strings(codecs)) return "codecs is no list of texts: " + shown(codecs);
  if (!holds(codecs, "json")) return "codecs lists no json: " + shown(codecs);
  for (const json& codec : codecs) {
    if (codec != "json" && codec != "msgpack") return "codecs lists " + shown(codec);
  }
  return std::nullopt;
}

Wrong wrong_concurrency(const json& info) {
  if (!info.is_object() || !info.contains("concurrency")) return std::nullopt;
  const json& concurrency = info["concurrency"];
  if (concurrency.is_number_integer() && concurrency >= 1) return std::nullopt;
  return "concurrency is " + shown(concurrency);
}

bool lists_codec(const json& info, std::string_view codec) {
  if (!info.is_object() || !info.contains("codecs")) return codec == "json";
  return holds(info["codecs"], codec);
}

bool has_capability(const json& info, std::string_view capability) { return holds(member(info, "capabilities"), capability); }

std::vector<std::string> command_names(const json& info, bool only_idempotent) {
  std::vector<std::string> names;
  const json& commands = member(info, "commands");
  if (!commands.is_array()) return names;
  for (const json& command : commands) {
    const bool wanted = !only_idempotent || member(command, "idempotent") == true;
    if (wanted && is_filled_string(member(command, "name"))) names.push_back(command["name"]);
  }
  return names;
}

Wrong wrong_stats(const json& stats, int level) {
  if (!stats.is_object()) return "the result of get_stats is no map: " + shown(stats);
  for (const auto& [name, whole] : kCounts) {
    if (!stats.contains(name)) {
      if (level > 0) return std::string(name) + " is missing";
      continue;
    }
    if (!is_count(stats[name], whole)) return std::string(name) + " is " + shown(stats[name]);
  }
  if (level > 0 && !stats.contains("start_time")) return "start_time is missing";
  const json& start = member(stats, "start_time");
  if (stats.contains("start_time") && !start.is_string() && !is_count(start, false)) return "start_time is " + shown(start);
  return std::nullopt;
}

Wrong wrong_growth(const json& before, const json& after, int requests, int errors) {
  for (const char* name : kGrowing) {
    const json& first = member(before, name);
    const json& second = member(after, name);
    if (!first.is_number() || !second.is_number()) continue;
    const int least = name == kGrowing[0] ? requests : name == kGrowing[1] ? errors : 0;
    if (second.get<double>() - first.get<double>() >= least) continue;
    const auto what = least == 0 ? " shrank" : " did not grow by " + std::to_string(least);
    return name + what + ": " + shown(first) + ", then " + shown(second);
  }
  return std::nullopt;
}

Wrong wrong_cleanup(const json& cleanup) {
  if (!cleanup.is_object()) return "the result of cleanup is no map: " + shown(cleanup);
  if (member(cleanup, "status") != "cleaned") return "status is " + shown(member(cleanup, "status")) + ", not \"cleaned\"";
  for (const char* key : {"resources_removed", "sessions_removed"}) {
    if (!is_count(member(cleanup, key), true)) return std::string(key) + " is " + shown(member(cleanup, key));
  }
  return std::nullopt;
}

Wrong wrong_refusal(const json& reply, std::string_view code, std::string_view sentence, int level) {
  if (member(reply, "success") != false) return "it was not refused: " + shown(reply);
  const json& error = member(reply, "error");
  if (error != sentence) return "the error is " + shown(error) + ", not \"" + std::string(sentence) + "\"";
  const bool missing = !reply.contains("code");
  if ((missing && level == 0) || member(reply, "code") == code) return std::nullopt;
  return "the code is " + shown(member(reply, "code")) + ", not \"" + std::string(code) + "\"";
}

Wrong first_difference(const json& wanted, const json& got, const std::string& path) {
  const auto differs = [&] { return (path.empty() ? "args" : path) + " was " + shown(wanted) + " and came back as " + shown(got); };
  const bool integers = wanted.is_number_integer() && got.is_number_integer();
  if (wanted.type() != got.type() && !integers) return differs();
  if (wanted.is_object()) {
    for (const auto& [key, value] : wanted.items()) {
      std::string inner = path;
      inner.append("/").append(key);
      if (!got.contains(key)) return inner + " was lost";
      if (auto difference = first_difference(value, got[key], inner)) return difference;
    }
    if (got.size() != wanted.size()) return differs();
    return std::nullopt;
  }
  if (wanted.is_array()) {
    if (got.size() != wanted.size()) return differs();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (auto difference = first_difference(wanted[i], got[i], path + "/" + std::to_string(i))) return difference;
    }
    return std::nullopt;
  }
  if (wanted.is_number_float() && std::isnan(wanted.get<double>()) && std::isnan(got.get<double>())) return std::nullopt;
  if (wanted != got) return differs();
  return std::nullopt;
}

}  // namespace pons::conformance
