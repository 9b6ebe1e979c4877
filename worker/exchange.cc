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
