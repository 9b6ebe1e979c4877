#include "host/conformance/inspector.h"

#include <algorithm>
#include <array>
#include <utility>

#include "host/conformance/results.h"
#include "pool/watcher.h"
#include "pool/worker_launch.h"
#include "pool/worker_life.h"
#include "protocol/document.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

constexpr std::size_t kMostReverse = 64;  // requests of a worker that are answered, in one exchange
constexpr std::array kFrameRules{"frame.stream", "frame.body", "reply.envelope", "reply.codec", "reply.id", "reply.one"};

std::string seconds(Millis time) {
  const auto count = time.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + " s" : std::to_string(count) + " ms";
}

}  // namespace

std::string outcome_of(const json& reply) {
  if (reply.value("success", false)) return "it succeeded";
  return "the error " + shown(reply.value("error", json())) + (reply.contains("code") ? ", code " + shown(reply["code"]) : "");
}

Inspector::Inspector(const PoolOptions& options, std::string instance, ProcessLauncher& launcher, Millis patience)
    : options_(options), instance_(std::move(instance)), launcher_(launcher), patience_(patience) {}

Inspector::~Inspector() { drop_worker(); }

void Inspector::drop_worker() {
  if (!worker_) return;
  worker_.reset();
  kill_instance(instance_);
  partials_ += ledger_.partials();
  reverse_requests_ += ledger_.reverse_requests();
  ledger_ = ReplyLedger();
  early_.clear();
  well_ = false;
}

void Inspector::start() {
  drop_worker();
  const WorkerKey key{0, ++incarnation_};
  startup_deadline_ = Clock::now() + options_.timeouts.startup;
  auto started = WorkerProbe::start(launcher_, worker_spawn_spec(options_, key, instance_), options_.max_frame, startup_deadline_);
  if (!started) throw NoReply{failed(started.error().message)};
  worker_ = std::move(*started);
  shaking_hands_ = true;
  well_ = true;
}

void Inspector::shake_hands(const std::function<void()>& after_ping) {
  const auto wait_for = [&](Ask request) {
    const auto body = body_of(request);
    expect({request.id, request.command, request.codec, false});
    worker_->write_frame(body, startup_deadline_);
    return receive_until(request.id, request.command, startup_deadline_);
  };
  const auto result_of = [](const json& reply, const char* command) {
    if (reply["success"] != true) throw NoReply{failed(std::string(command) + ": " + outcome_of(reply))};
    return reply.value("result", json());
  };
  Ask ping{.command = "ping", .args = handshake_args(options_, worker_id(options_.adapter, {0, incarnation_}))};
  ping_ = result_of(wait_for(std::move(ping)), "ping");
  level_ = level_of(ping_);
  ledger_.set_level(level_);
  if (after_ping) after_ping();
  info_ = result_of(wait_for({.command = "get_info"}), "get_info");
  shaking_hands_ = false;
}

void Inspector::ready() {
  if (worker_ && well_) return;
  try {
    start();
    shake_hands();
  } catch (const NoReply& no_reply) {
    throw NoReply{not_tested("the worker did not get ready again: " + no_reply.finding.seen)};
  }
}

void Inspector::rule(std::string_view id, const Test& test) {
  Finding finding;
  try {
    ready();
    finding = settle(test());
  } catch (const NoReply& no_reply) {
    finding = no_reply.finding;
  }
  report_.record(id, std::move(finding));
}

void Inspector::last_rule(std::string_view id, const Test& test) {
  Finding finding;
  try {
    ready();
    finding = test();
  } catch (const NoReply& no_reply) {
    finding = no_reply.finding;
  }
  well_ = false;
  report_.record(id, std::move(finding));
}

/// Whether the worker still answers, and has said nothing more to what it was asked.
Finding Inspector::settle(Finding finding) {
  if (!well_) return finding;
  try {
    ask({.command = "ping"});
  } catch (const NoReply& no_reply) {
    if (no_reply.finding.outcome == Outcome::fail && finding.outcome != Outcome::fail) {
      return failed("afterwards, " + no_reply.finding.seen);
    }
  }
  return finding;
}

std::string Inspector::body_of(Ask& request) {
  if (request.id.is_null()) request.id = ++last_id_;
  json body{{"id", request.id}, {"command", request.command}};
  if (!request.args.is_null()) body["args"] = request.args;
  if (request.stream) body["stream"] = true;
  body.update(request.extra);
  return encode_or_throw(request.codec, body);
}

json Inspector::ask(const Ask& asked) {
  Ask request = asked;
  const auto body = body_of(request);
  send({request.id, request.command, request.codec, request.stream}, body);
  return reply_to(request.id, request.command);
}

json Inspector::ask_result(const Ask& request) {
  const auto reply = ask(request);
  if (reply["success"] != true) throw NoReply{failed(request.command + ": " + outcome_of(reply))};
  return reply.value("result", json());
}

void Inspector::send(ReplyLedger::Request request, std::string_view body) {
  expect(std::move(request));
  worker_->write_frame(body, deadline());  // a worker that does not take it does not answer it
}

void Inspector::send_bytes(std::string_view bytes) { worker_->write(bytes, deadline()); }

json Inspector::reply_to(const json& id, std::string_view command) { return receive_until(id, command, deadline()); }

json Inspector::receive_until(const json& id, std::string_view command, TimePoint deadline) {
  const auto early = std::find_if(early_.begin(), early_.end(), [&](const json& reply) { return reply["id"] == id; });
  if (early != early_.end()) {
    auto reply = std::move(*early);
    early_.erase(early);
    return reply;
  }
  const auto name = std::string(command);
  while (true) {
    auto incoming = worker_->receive(deadline);
    switch (incoming.kind) {
      case WorkerProbe::Incoming::Kind::broken:
        broken({"frame.stream", incoming.text});
      case WorkerProbe::Incoming::Kind::ended:
        worker_->wait_end(Clock::now() + WorkerLife::kSettle);
        unanswered("no reply to " + name + ": " + (worker_->end_words().empty() ? "its channel ended" : "it " + worker_->end_words()));
      case WorkerProbe::Incoming::Kind::timed_out:
        unanswered("no reply to " + name + " within " + seconds(shaking_hands_ ? options_.timeouts.startup : patience_));
      case WorkerProbe::Incoming::Kind::frame:
        break;
    }
    ++frames_;
    auto judged = ledger_.judge(incoming.text);
    if (judged.kind == ReplyLedger::Judged::Kind::fault) broken(judged.fault);
    if (judged.kind == ReplyLedger::Judged::Kind::reverse_request) refuse_reverse(judged.document);
    if (judged.kind != ReplyLedger::Judged::Kind::terminal) continue;
    if (judged.id == id) return std::move(judged.document);
    early_.push_back(std::move(judged.document));
  }
}

void Inspector::refuse_reverse(const json& request) {
  if (ledger_.reverse_requests() > kMostReverse) broken({"reverse.parent", "more than 64 requests of its own for one of ours"});
  const json error{
      {"id", request["id"]}, {"success", false}, {"error", "Unknown command"}, {"code", "unknown_command"}, {"retryable", false}};
  worker_->write_frame(encode_or_throw(Codec::json, error), deadline());
}

std::string Inspector::with_circumstances(std::string text) {
  const auto words = worker_->last_words();
  return words.empty() ? text : text + " (its last line: " + words + ")";
}

void Inspector::broken(const ReplyLedger::Fault& fault) {
  well_ = false;
  report_.record(fault.rule, failed(with_circumstances(fault.seen)));
  throw NoReply{not_tested("the worker broke " + std::string(fault.rule))};
}

void Inspector::unanswered(const std::string& what) {
  well_ = false;
  const auto seen = with_circumstances(what);
  if (!shaking_hands_) report_.record("reply.one", failed(seen));
  throw NoReply{failed(seen)};
}

void Inspector::conclude() {
  drop_worker();
  if (frames_ == 0) return;
  const auto seen = std::to_string(frames_) + " frames";
  for (const char* rule : kFrameRules) report_.record(rule, passed(seen));
  report_.record("reply.partial", passed(partials_ == 0 ? "it sent none" : std::to_string(partials_) + " partial replies"));
  if (reverse_requests_ == 0) return report_.record("reverse.parent", not_tested("it sent no request"));
  report_.record("reverse.parent", passed(std::to_string(reverse_requests_) + " requests"));
}

}  // namespace pons::conformance
