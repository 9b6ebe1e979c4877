// The commands that every worker has, those that it lists, and those that nobody has.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "host/conformance/groups.h"
#include "protocol/envelope.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

constexpr std::array kCommon{"ping", "get_info", "get_stats", "cleanup"};
constexpr const char* kNoCommand = "no_such_command";
constexpr const char* kNoNamespace = "no_such_namespace";
constexpr int kDepth = 50;  // with the envelope and the map around it less than the 64 that a frame may have
constexpr int kManyItems = 1'000;

Finding all_four(Inspector& inspector, const std::string& prefix) {
  for (const char* command : kCommon) inspector.ask_result({.command = prefix + command});
  return passed(prefix.empty() ? "4 commands" : "4 commands under " + prefix);
}

/// What a worker goes by: the name that it gives itself, where that can be a namespace.
std::string own_namespace(const Inspector& inspector) {
  const auto name = inspector.info().is_object() ? inspector.info().value("name", json()) : json();
  if (name.is_string() && valid_namespace(name.get_ref<const std::string&>())) return name;
  return inspector.options().adapter;
}

json odd_args() {
  json deep = 1;
  for (int level = 0; level < kDepth; ++level) deep = json::array({std::move(deep)});
  json many = json::array();
  for (int i = 0; i < kManyItems; ++i) many.push_back(i);
  return {{"", nullptr},
          {"deep", std::move(deep)},
          {"many", std::move(many)},
          {"largest", std::numeric_limits<std::int64_t>::max()},
          {"smallest", std::numeric_limits<std::int64_t>::min()},
          {"float", 1e300},
          {"text", std::string("a\0b \xc3\xa4 \xf0\x9f\x99\x82", 11)},
          {"worker_id", json::array()}};
}

Finding growth(Inspector& inspector) {
  const auto before = inspector.ask_result({.command = "get_stats"});
  inspector.ask_result({.command = "ping"});
  inspector.ask({.command = kNoCommand});
  const auto after = inspector.ask_result({.command = "get_stats"});
  if (!before.is_object() || !before.contains("requests_processed")) return not_tested("get_stats has no requests_processed");
  return verdict(wrong_growth(before, after, 1, 1), "requests_processed " + shown(before["requests_processed"]) + ", then " +
                                                        shown(after.value("requests_processed", json())));
}

/// Those that may be called without harm.
std::vector<std::string> harmless_commands(const Inspector& inspector) {
  auto names = command_names(inspector.info(), true);
  std::erase_if(names, [](const std::string& name) { return std::find(kCommon.begin(), kCommon.end(), name) != kCommon.end(); });
  return names;
}

Finding listed(Inspector& inspector) {
  const auto names = harmless_commands(inspector);
  if (names.empty()) return not_tested("it lists no command that is idempotent");
  for (const auto& name : names) {
    inspector.ask({.command = name, .args = nullptr});
    inspector.ask({.command = name, .stream = true});
    inspector.ask({.command = name, .args = odd_args()});
  }
  return passed(std::to_string(names.size()) + (names.size() == 1 ? " command" : " commands"));
}

/// A command whose result is its args.
std::string find_echo(Inspector& inspector) {
  const json args{{"pons_check", json::array({"unlikely", 1})}};
  for (const auto& name : harmless_commands(inspector)) {
    const auto reply = inspector.ask({.command = name, .args = args});
    if (reply.value("result", json()) == args) return name;
  }
  return {};
}

Finding args_unchanged(Inspector& inspector) {
  if (inspector.report().failed("commands.listed")) return not_tested("a listed command was not answered");
  const auto echo = find_echo(inspector);
  if (echo.empty()) return not_tested("no idempotent command returns its args");
  json args = odd_args();
  args.update({{"null", nullptr}, {"bool", true}, {"fraction", 0.1}, {"empty", json::object()}, {"none", json::array()}});
  if (auto wrong = first_difference(args, inspector.ask_result({.command = echo, .args = args}))) return failed("json: " + *wrong);
  if (!lists_codec(inspector.info(), "msgpack")) return passed("by " + echo + ", json");
  args.update({{"bin", json::binary({0, 1, 255})}, {"nan", std::nan("")}, {"whole", 2.0}});
  const auto result = inspector.ask_result({.command = echo, .args = args, .codec = Codec::msgpack});
  if (auto wrong = first_difference(args, result)) return failed("msgpack: " + *wrong);
  return passed("by " + echo + ", json and msgpack");
}

Finding cleaned_again(Inspector& inspector) {
  inspector.ask_result({.command = "cleanup"});
  const auto again = inspector.ask_result({.command = "cleanup"});
  if (auto wrong = wrong_cleanup(again)) return failed(*wrong);
  const bool nothing = again["resources_removed"] == 0 && again["sessions_removed"] == 0;
  return nothing ? passed({}) : failed("the second says " + shown(again));
}

}  // namespace

void check_commands(Inspector& inspector) {
  inspector.rule("commands.plain", [&] { return all_four(inspector, ""); });
  inspector.rule("commands.own_namespace", [&] { return all_four(inspector, own_namespace(inspector) + ":"); });
  inspector.rule("commands.common_namespace", [&] { return all_four(inspector, "common:"); });
  inspector.rule("commands.again", [&] {
    const json args{
        {"initialization", true}, {"worker_id", "another"}, {"protocol", {{"min", 1}, {"max", 1}}}, {"options", json::object()}};
    return verdict(wrong_status(inspector.ask_result({.command = "ping", .args = args})));
  });
  inspector.rule("commands.unknown", [&] {
    const auto reply = inspector.ask({.command = kNoCommand});
    return verdict(wrong_refusal(reply, "unknown_command", std::string("Unknown command: ") + kNoCommand, inspector.level()), kNoCommand);
  });
  inspector.rule("commands.unknown_namespace", [&] {
    const auto reply = inspector.ask({.command = std::string(kNoNamespace) + ":ping"});
    return verdict(wrong_refusal(reply, "unknown_namespace", std::string("Unknown namespace: ") + kNoNamespace, inspector.level()),
                   kNoNamespace);
  });
  inspector.rule("commands.no_args", [&] {
    for (const char* command : kCommon) inspector.ask_result({.command = command, .args = nullptr});
    return passed("4 commands");
  });
  inspector.rule("commands.odd_args", [&] {
    for (const char* command : kCommon) inspector.ask_result({.command = command, .args = odd_args()});
    return passed("4 commands");
  });
  inspector.rule("commands.listed", [&] { return listed(inspector); });
  inspector.rule("commands.args_unchanged", [&] { return args_unchanged(inspector); });
  inspector.rule("stats.shape", [&] { return verdict(wrong_stats(inspector.ask_result({.command = "get_stats"}), inspector.level())); });
  inspector.rule("stats.growth", [&] { return growth(inspector); });
  inspector.rule("cleanup.shape", [&] { return verdict(wrong_cleanup(inspector.ask_result({.command = "cleanup"}))); });
  inspector.rule("cleanup.again", [&] { return cleaned_again(inspector); });
}

}  // namespace pons::conformance
