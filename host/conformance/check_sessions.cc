// What level 1 adds for sessions.
#include <array>
#include <string>

#include "host/conformance/groups.h"
#include "protocol/base64.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

constexpr const char* kSession = "pons-check";
constexpr const char* kNoFormat = "no-such-format/0";

/// Of the result of common:export_session.
Wrong wrong_export(const json& snapshot, Codec codec) {
  if (!snapshot.is_object()) return "the result is no map: " + shown(snapshot);
  const auto format = snapshot.value("format", json());
  if (!format.is_string() || format.get_ref<const std::string&>().empty()) return "format is no text: " + shown(format);
  const auto covers = snapshot.value("covers", json());
  if (!covers.is_number_integer() || covers < 0) return "covers is " + shown(covers);
  const auto state = snapshot.value("state", json());
  if (codec == Codec::msgpack) return state.is_binary() ? Wrong() : "over MessagePack state is no bin: " + shown(state);
  const bool is_base64 = state.is_string() && base64_decode(state.get_ref<const std::string&>());
  return is_base64 ? Wrong() : "over JSON state is no base64: " + shown(state);
}

/// A snapshot of a session that has answered requests: ping, and what can be called without harm. Throws NoReply.
json exported(Inspector& inspector, Codec codec) {
  inspector.ask_result({.command = "ping", .extra = {{"session_id", kSession}}});
  for (const auto& name : command_names(inspector.info(), true)) {
    inspector.ask({.command = name, .extra = {{"session_id", kSession}}});
  }
  const auto reply = inspector.ask({.command = "common:export_session", .args = {{"session_id", kSession}}, .codec = codec});
  if (reply["success"] != true)
    throw NoReply{not_tested("it exports no session that only its idempotent commands were called in: " + outcome_of(reply))};
  auto snapshot = reply.value("result", json());
  if (auto wrong = wrong_export(snapshot, codec)) throw NoReply{failed(*wrong)};
  return snapshot;
}

json import_args(const json& snapshot) {
  json args = snapshot;
  args["session_id"] = kSession;
  return args;
}

Finding round_trip(Inspector& inspector, Codec codec) {
  const auto snapshot = exported(inspector, codec);
  inspector.ask_result({.command = "common:end_session", .args = {{"session_id", kSession}}});
  const auto result = inspector.ask_result({.command = "common:import_session", .args = import_args(snapshot), .codec = codec});
  if (!result.is_object() || result.value("imported", json()) != true) return failed("imported is not true: " + shown(result));
  const auto again = exported(inspector, codec);
  if (again["format"] != snapshot["format"])
    return failed("the format was " + shown(snapshot["format"]) + ", then " + shown(again["format"]));
  return passed("format " + shown(snapshot["format"]));
}

Finding both_codecs(Inspector& inspector) {
  auto finding = round_trip(inspector, Codec::json);
  if (finding.outcome != Outcome::pass || !lists_codec(inspector.info(), "msgpack")) return finding;
  return round_trip(inspector, Codec::msgpack);
}

Finding unknown_format(Inspector& inspector) {
  auto args = import_args(exported(inspector, Codec::json));
  args["format"] = kNoFormat;
  const auto reply = inspector.ask({.command = "common:import_session", .args = args});
  return reply["success"] == true ? failed("it was imported") : passed(outcome_of(reply));
}

}  // namespace

void check_sessions(Inspector& inspector) {
  constexpr std::array kSnapshotRules{"session.snapshot", "session.format"};
  if (inspector.level() == 0) {
    for (const char* rule : {"session.end_unknown", kSnapshotRules[0], kSnapshotRules[1]})
      inspector.report().record(rule, not_tested("the worker is level 0"));
    return;
  }
  inspector.rule("session.end_unknown", [&] {
    inspector.ask_result({.command = "common:end_session", .args = {{"session_id", "no-such-session"}}});
    return passed({});
  });
  if (!has_capability(inspector.info(), "session_snapshot")) {
    for (const char* rule : kSnapshotRules) inspector.report().record(rule, not_tested("it has no capability session_snapshot"));
    return;
  }
  inspector.rule("session.snapshot", [&] { return both_codecs(inspector); });
  inspector.rule("session.format", [&] { return unknown_format(inspector); });
}

}  // namespace pons::conformance
