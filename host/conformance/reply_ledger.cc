#include "host/conformance/reply_ledger.h"

#include <algorithm>
#include <utility>

#include "protocol/document.h"
#include "protocol/envelope.h"
#include "protocol/utf8.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

constexpr std::size_t kLongest = 100;         // bytes of a value in a sentence
constexpr std::size_t kRememberedIds = 4096;  // of requests that were answered

/// 5 is not 5.0, and not "5".
bool same_id(const json& a, const json& b) {
  if (a.is_string() || b.is_string()) return a.is_string() && b.is_string() && a == b;
  return a.is_number_integer() && b.is_number_integer() && a == b;
}

ReplyLedger::Judged faulty(std::string_view rule, std::string seen) {
  return {ReplyLedger::Judged::Kind::fault, {}, {}, {rule, std::move(seen)}};
}

bool is_or_missing(const json& document, const char* key, bool (json::*is)() const) {
  const auto at = document.find(key);
  return at == document.end() || ((*at).*is)();
}

}  // namespace

std::string shown_bytes(std::string_view bytes) {
  auto text = repaired_utf8(std::string(bytes.substr(0, kLongest)));
  return bytes.size() > kLongest ? text + "..." : text;
}

std::string shown(const json& value) { return shown_bytes(value.dump(-1, ' ', false, json::error_handler_t::replace)); }

void ReplyLedger::sent(Request request) { outstanding_.push_back({std::move(request)}); }

std::vector<ReplyLedger::Open>::iterator ReplyLedger::find(const json& id) {
  return std::find_if(outstanding_.begin(), outstanding_.end(), [&](const Open& open) { return same_id(open.request.id, id); });
}

ReplyLedger::Judged ReplyLedger::judge(std::string_view body) {
  const auto envelope = Envelope::parse_reply(body, false);
  if (!envelope) {
    const auto& error = envelope.error().error;
    const bool malformed = error.code == ErrorCode::bad_frame;
    return faulty(malformed ? "frame.body" : "reply.envelope", error.message + " It is: " + shown_bytes(body));
  }
  const auto decoded = decode(envelope->codec, body);
  if (!decoded) return faulty("frame.body", decoded.error().message + " It is: " + shown_bytes(body));
  const json& document = *decoded;
  if (envelope->kind == Envelope::Kind::event) return faulty("reply.envelope", "it sent an event: " + shown(document));
  if (envelope->kind == Envelope::Kind::request) return judge_reverse(document);
  const auto id = document.find("id");
  if (id == document.end()) return faulty("reply.id", "a reply without id: " + shown(document));
  const auto open = find(*id);
  if (open == outstanding_.end()) return judge_unknown_id(*id);
  if (envelope->codec != open->request.codec) {
    return faulty("reply.codec", open->request.command + " was asked in " + std::string(pons::to_string(open->request.codec)) +
                                     " and answered in " + std::string(pons::to_string(envelope->codec)));
  }
  if (envelope->partial) {
    ++partials_;
    if (auto fault = judge_partial(*open, document)) return {Judged::Kind::fault, {}, {}, std::move(*fault)};
    return {Judged::Kind::partial, open->request.id, document, {}};
  }
  if (auto fault = judge_terminal(document)) return {Judged::Kind::fault, {}, {}, std::move(*fault)};
  answered_.push_back(open->request);
  if (answered_.size() > kRememberedIds) answered_.erase(answered_.begin());
  outstanding_.erase(open);
  return {Judged::Kind::terminal, answered_.back().id, document, {}};
}

ReplyLedger::Judged ReplyLedger::judge_unknown_id(const json& id) const {
  const auto again = std::find_if(answered_.begin(), answered_.end(), [&](const Request& request) { return same_id(request.id, id); });
  if (again != answered_.end()) return faulty("reply.one", "a second reply to " + again->command + " (id " + shown(id) + ")");
  std::string asked;
  for (const auto& open : outstanding_) asked += (asked.empty() ? "" : ", ") + shown(open.request.id);
  return faulty("reply.id", "a reply with the id " + shown(id) + (asked.empty() ? ", and nothing was asked" : "; asked was " + asked));
}

ReplyLedger::Judged ReplyLedger::judge_reverse(const json& document) {
  ++reverse_requests_;
  const auto parent = document.find("parent_id");
  if (level_ == 0) return faulty("reverse.parent", "a request of a level-0 worker: " + shown(document));
  if (!document.contains("id")) return faulty("reverse.parent", "a request without id: " + shown(document));
  if (parent == document.end()) return faulty("reverse.parent", "a request without parent_id: " + shown(document));
  if (find(*parent) == outstanding_.end()) return faulty("reverse.parent", "its parent_id is not outstanding: " + shown(document));
  return {Judged::Kind::reverse_request, document["id"], document, {}};
}

std::optional<ReplyLedger::Fault> ReplyLedger::judge_partial(Open& open, const json& document) const {
  const auto fault = [&](const std::string& what) { return Fault{"reply.partial", what + ": " + shown(document)}; };
  if (level_ == 0) return fault("a partial reply of a level-0 worker");
  if (!open.request.stream) return fault("a partial reply to " + open.request.command + ", which did not ask for a stream");
  if (document["success"] != true) return fault("a partial reply without success");
  const auto seq = document.find("seq");
  if (document.contains("progress")) {
    if (!document["progress"].is_object()) return fault("progress is no map");
    if (seq != document.end() || document.contains("result")) return fault("progress beside seq or result");
    return std::nullopt;
  }
  if (seq == document.end() || !seq->is_number_integer() || *seq != open.next_seq) {
    return fault("seq is not " + std::to_string(open.next_seq));
  }
  ++open.next_seq;
  return std::nullopt;
}

std::optional<ReplyLedger::Fault> ReplyLedger::judge_terminal(const json& document) const {
  const auto fault = [&](const std::string& what) { return Fault{"reply.envelope", what + ": " + shown(document)}; };
  if (document["success"] == true) return std::nullopt;
  const auto error = document.find("error");
  if (error == document.end() || !error->is_string() || error->get_ref<const std::string&>().empty()) {
    return fault("an error without a sentence in `error`");
  }
  const auto code = document.find("code");
  const bool named = code != document.end() && code->is_string() && !code->get_ref<const std::string&>().empty();
  if (code != document.end() && !named) return fault("`code` is no text");
  if (!named && level_ > 0) return fault("an error without `code`");
  if (!is_or_missing(document, "retryable", &json::is_boolean)) return fault("`retryable` is no bool");
  if (!is_or_missing(document, "details", &json::is_object)) return fault("`details` is no map");
  return std::nullopt;
}

}  // namespace pons::conformance
