// Forms that a request may have: its id, its keys, its size, its bytes, its codec.
#include <array>
#include <limits>
#include <string>

#include "host/conformance/groups.h"
#include "protocol/frame_decoder.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

constexpr std::size_t kLarge = 1u << 20;
constexpr int kJoined = 20;
constexpr std::string_view kAllPlanes = "A \xc3\xa4 \xe2\x82\xac \xe2\x80\xa8 \xf0\x9f\x99\x82 \xf4\x8f\xbf\xbf \x7f";

std::string framed(std::string_view body) {
  const auto header = frame_header(static_cast<std::uint32_t>(body.size()));
  return std::string(header.bytes, sizeof header.bytes).append(body);
}

Finding ids(Inspector& inspector) {
  const std::array<json, 8> all{0,   1,  (std::int64_t{1} << 53) + 1, std::numeric_limits<std::int64_t>::max(),
                                "7", "", "\xc3\xa4 \"quoted\"",       std::string(128, 'x')};
  for (const auto& id : all) inspector.ask({.command = "ping", .id = id});
  return passed(std::to_string(all.size()) + " ids");
}

/// Written by hand.
Finding ping_in(Inspector& inspector, const json& id, std::string_view body, Codec codec = Codec::json) {
  inspector.send({id, "ping", codec, false}, body);
  return verdict(wrong_status(inspector.reply_to(id, "ping").value("result", json())));
}

Finding utf8(Inspector& inspector) {
  const json request{{"id", 81}, {"command", "ping"}, {"args", {{"text", kAllPlanes}}}, {"meta", {{"user_id", kAllPlanes}}}};
  auto plain = ping_in(inspector, 81, request.dump());
  if (plain.outcome != Outcome::pass) return plain;
  return ping_in(inspector, 81, request.dump(-1, ' ', true));  // the same with escapes only
}

Finding split(Inspector& inspector) {
  Ask request{.command = "ping"};
  const auto bytes = framed(inspector.body_of(request));
  inspector.expect({request.id, request.command});
  for (const char& byte : bytes) inspector.send_bytes({&byte, 1});
  inspector.reply_to(request.id, "ping");
  return passed(std::to_string(bytes.size()) + " writes");
}

Finding joined(Inspector& inspector) {
  std::string bytes;
  std::vector<json> asked;
  for (int i = 0; i < kJoined; ++i) {
    Ask request{.command = i % 2 == 0 ? "ping" : "get_stats"};
    bytes += framed(inspector.body_of(request));
    inspector.expect({request.id, request.command});
    asked.push_back(request.id);
  }
  inspector.send_bytes(bytes);
  for (const auto& id : asked) inspector.reply_to(id, "a request of those that came in one piece");
  return passed(std::to_string(kJoined) + " requests");
}

Finding msgpack(Inspector& inspector) {
  for (const char* command : {"ping", "get_info", "get_stats", "cleanup"})
    inspector.ask_result({.command = command, .codec = Codec::msgpack});
  return passed("4 commands");
}

Finding msgpack_forms(Inspector& inspector) {
  const std::array<std::string_view, 9> forms{std::string_view("\x05", 1),   {"\xcc\x06", 2}, {"\xcd\0\x07", 3}, {"\xce\0\0\0\x08", 5},
                                              {"\xcf\0\0\0\0\0\0\0\x09", 9}, {"\xd0\x0a", 2}, {"\xd1\0\x0b", 3}, {"\xd2\0\0\0\x0c", 5},
                                              {"\xd3\0\0\0\0\0\0\0\x0d", 9}};
  for (const auto& form : forms) {
    const auto body = std::string("\x82\xa2id")
                          .append(form)
                          .append(
                              "\xa7"
                              "command\xa4ping");
    auto finding = ping_in(inspector, form.back(), body, Codec::msgpack);
    if (finding.outcome != Outcome::pass) return finding;
  }
  return passed(std::to_string(forms.size()) + " formats");
}

}  // namespace

void check_requests(Inspector& inspector) {
  inspector.rule("request.ids", [&] { return ids(inspector); });
  inspector.rule("request.unknown_keys", [&] {
    const json extra{{"x_unknown", {{"command", "none"}}},
                     {"y_unknown", nullptr},
                     {"timestamp", json::array()},
                     {"timeout_ms", 30000.5},
                     {"session_id", "pons-check-keys"},
                     {"idempotent", true},
                     {"meta", {{"correlation_id", "pons-check"}, {"traceparent", 1}}}};
    return verdict(wrong_status(inspector.ask_result({.command = "ping", .extra = extra})));
  });
  inspector.rule("request.form", [&] {
    return ping_in(inspector, 82, " \t\r\n{ \"args\" : { } ,\"meta\":{},\n\"\\u0063ommand\":\"p\\u0069ng\" , \"id\" : 82 }\n ");
  });
  inspector.rule("request.utf8", [&] { return utf8(inspector); });
  inspector.rule("request.large", [&] {
    const json args{{"padding", std::string(kLarge, 'x')}};
    return verdict(wrong_status(inspector.ask_result({.command = "ping", .args = args})));
  });
  inspector.rule("request.split", [&] { return split(inspector); });
  inspector.rule("request.joined", [&] { return joined(inspector); });
  if (!lists_codec(inspector.info(), "msgpack")) {
    for (const char* rule : {"codec.msgpack", "codec.msgpack_forms"}) inspector.report().record(rule, not_tested("it reads JSON only"));
    return;
  }
  inspector.rule("codec.msgpack", [&] { return msgpack(inspector); });
  inspector.rule("codec.msgpack_forms", [&] { return msgpack_forms(inspector); });
}

}  // namespace pons::conformance
