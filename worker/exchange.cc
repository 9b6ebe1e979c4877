#include "worker/exchange.h"

#include <algorithm>

#include "protocol/document.h"
#include "worker/reply.h"

namespace pons {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kProgressInterval = std::chrono::milliseconds(100);
constexpr Context::Duration kLongestSleep = std::chrono::hours(24 * 365);  // what is longer would overflow the clock

}  // namespace

json Exchange::meta() const {
  if (envelope().meta_range.empty()) return json::object();
  return decode(codec(), envelope().meta_range.in(request_.frame.body)).value();
}

Context::Duration Exchange::remaining() const {
  if (request_.deadline == SteadyTime::max()) return Duration::max();
  return std::max(Duration::zero(), std::chrono::duration_cast<Duration>(request_.deadline - Clock::now()));
}

Cancellation Exchange::cancellation() const {
  if (link_.state() != HostLink::State::open) return Cancellation::host_gone;
  // Before `cancelled`: at a missed deadline the host cancels, too.
  if (request_.deadline != SteadyTime::max() && Clock::now() >= request_.deadline) return Cancellation::deadline;
  return request_.cancelled.load() ? Cancellation::by_caller : Cancellation::none;
}

bool Exchange::sleep(Duration duration) {
  const SteadyTime end = Clock::now() + std::min(duration, kLongestSleep);
  while (!cancelled()) {
    if (Clock::now() >= end) return false;
    link_.wait_cancelled(request_, std::min(end, request_.deadline));
  }
  return true;
}

void Exchange::send_partial(const json& chunk) {
  if (!stream()) return;
  const auto around = partial_around(codec(), id(), next_seq_);
  std::string bytes;
  encode(codec(), chunk, bytes).value();
  const std::size_t size = around.before.size() + bytes.size() + around.after.size();
  if (size > link_.max_frame()) throw Exception(too_large(size, link_.max_frame()));
  ++next_seq_;
  link_.send({around.before, bytes, around.after});
  link_.flush();  // a chunk is sent early so that it arrives early
}

void Exchange::progress(double done, double total, std::string_view message) {
  const auto now = Clock::now();
  if (!stream() || now < next_progress_) return;
  json amount{{"done", done}, {"total", total}};
  if (!message.empty()) amount["message"] = message;
  const json body{{"id", to_json(id())}, {"success", true}, {"partial", true}, {"progress", std::move(amount)}};
  std::string bytes;
  encode(codec(), body, bytes).value();
  next_progress_ = now + kProgressInterval;
  link_.send(bytes);
  link_.flush();
}

// ---- Asking others -----------------------------------------------------------------------------------------------------------------

std::string Exchange::call_body(std::uint64_t call, std::string_view command, const json& args, const CallOptions& options) const {
  if (!args.is_null() && !args.is_object()) throw Exception(ErrorCode::invalid_args, "The args of a call are an object");
  json request{{"id", call}, {"parent_id", to_json(id())}, {"command", command}};
  request["args"] = args.is_null() ? json::object() : args;
  if (options.timeout) request["timeout_ms"] = std::max<std::int64_t>(1, options.timeout->count());
  if (options.session_id) request["session_id"] = *options.session_id;
  if (options.no_session) request["session_id"] = nullptr;
  if (options.resource_id) request["resource_id"] = *options.resource_id;
  if (options.idempotent) request["idempotent"] = *options.idempotent;
  if (options.on_partial || options.on_progress) request["stream"] = true;
  request["meta"] = options.meta.is_null() ? meta() : options.meta;
  return encode_or_throw(Codec::msgpack, request);
}

json Exchange::call(std::string_view command, const json& args, const CallOptions& options) {
  throw_if_cancelled();
  const HostLink::Call call(link_);
  const auto body = call_body(call.id(), command, args, options);
  if (body.size() > link_.max_frame()) throw Exception(too_large(body.size(), link_.max_frame()));
  link_.send(body);
  link_.flush();
  for (;;) {
    const auto reply = call.wait(request_);
    if (!reply) {
      throw_if_cancelled();
      continue;
    }
    const auto document = decode(reply->envelope.codec, reply->frame.body).value();
    if (reply->envelope.has_progress) {
      if (options.on_progress) options.on_progress(document["progress"]);
    } else if (reply->envelope.partial) {
      if (options.on_partial) options.on_partial(document.value("result", json()));
    } else if (reply->envelope.success) {
      return document.value("result", json());
    } else {
      throw Exception(error_in(document));
    }
  }
}

json Exchange::args() const {
  auto args = decode(codec(), raw_args().view());
  json document = std::move(args.value());
  // A caller may name the resource in the envelope instead; handlers need to look in one place only.
  if (!envelope().resource_range.empty() && !document.contains("resource_id")) document["resource_id"] = *envelope().resource_id;
  return document;
}

RawArgs Exchange::raw_args() const { return {codec(), args_of(request_.frame, envelope())}; }

void Exchange::reply(const json& result) {
  std::string bytes;
  encode(codec(), result, bytes).value();
  send_result(bytes);
}

void Exchange::reply(const RawResult& result) { send_result(result.bytes.body); }

void Exchange::send_result(std::string_view result) {
  const auto around = success_around(codec(), id());
  const std::size_t size = around.before.size() + result.size() + around.after.size();
  if (size > link_.max_frame()) throw Exception(too_large(size, link_.max_frame()));
  link_.send({around.before, result, around.after});
  finish(true);
}

void Exchange::fail(const Error& error) {
  link_.send(error_reply(codec(), id(), error, is_idempotent_));
  finish(false);
}

void Exchange::finish(bool success) {
  state_.ledger.answer(envelope(), success);
  link_.finish(request_);
}

}  // namespace pons
