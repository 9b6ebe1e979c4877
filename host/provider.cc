#include "host/provider.h"

#include <cmath>

#include "protocol/document.h"

namespace pons {

namespace {

constexpr std::size_t kMostOutstanding = 1'024;
constexpr std::size_t kMostUnsent = 64u << 20;  // bytes that it has not taken yet

constexpr RequestKey kInterrupts = RequestKey{1} << 62;  // in the ids of cancellations

}  // namespace

RequestKey Provider::submit(Message&& request, Reply reply, TimePoint now, TimePoint deadline) {
  const auto key = ++last_key_;
  const auto refuse = [&](Error error) {
    reply(Result<Message>(std::move(error)));
    return key;
  };
  const std::string name(request.envelope.name_space().value_or(""));
  if (pending_.size() >= kMostOutstanding) return refuse(overloaded("The parent that provides " + name + " has enough to do"));
  if (connection_.unsent() > kMostUnsent) return refuse(overloaded("The parent that provides " + name + " does not read"));
  const Timeouts timeouts;
  const auto asked = request.envelope.timeout_ms.value_or(static_cast<double>(timeouts.request.count()));
  const auto timeout = std::min(asked, static_cast<double>(timeouts.max.count()));
  deadline = std::min(deadline, now + std::chrono::microseconds(static_cast<std::int64_t>(timeout * 1000)));
  if (deadline <= now) return refuse(Error{ErrorCode::deadline_exceeded, "Out of time before it was asked"});
  const auto left = std::chrono::duration<double, std::milli>(deadline - now).count();
  RequestPatch patch{key, request.envelope.command,  // whole: it may provide several namespaces
                     std::max(1.0, std::floor(left))};
  if (request.envelope.session_id && request.envelope.session_range.empty()) patch.session_id = *request.envelope.session_id;
  auto frame = forwarded(request, patch, codec_, "The parent that provides " + name);
  if (!frame) return refuse(frame.error());
  pending_.emplace(key, Pending{std::move(request.envelope), std::move(reply), deadline});
  deadlines_.emplace(deadline, key);
  arm_timer();
  connection_.ask(std::move(*frame));
  return key;
}

bool Provider::take_reply(Message&& reply) {
  const auto* id = std::get_if<std::uint64_t>(&reply.envelope.id);
  const auto found = id != nullptr && reply.envelope.has_id ? pending_.find(*id) : pending_.end();
  if (found == pending_.end()) return id != nullptr && *id >= kInterrupts;
  const auto& request = found->second.request;
  const bool partial = reply.envelope.partial;
  if (partial && !request.stream) return true;
  Result<Message> adapted(std::move(reply));
  adapt_reply(adapted, request.codec, request.idempotent.value_or(false), {});
  if (!partial) {
    finish(found, std::move(adapted));
  } else if (adapted) {
    const auto forward = found->second.reply;  // it may be cancelled meanwhile
    forward(std::move(adapted));
  }
  return true;
}

void Provider::finish(std::map<RequestKey, Pending>::iterator pending, Result<Message>&& reply) {
  deadlines_.erase({pending->second.deadline, pending->first});
  const auto callback = std::move(pending->second.reply);
  pending_.erase(pending);
  callback(std::move(reply));
}

bool Provider::cancel(RequestKey key, CancelBy by) {
  const auto found = pending_.find(key);
  if (found == pending_.end()) return false;
  interrupt(key);
  finish(found, Error{ErrorCode::cancelled, by == CancelBy::caller ? "Cancelled by the caller" : "The caller is gone"});
  return true;
}

/// Tells it that nobody waits any more; what it still says to that is dropped.
void Provider::interrupt(RequestKey key) {
  const nlohmann::json body{{"id", kInterrupts + key}, {"command", "common:cancel"}, {"args", {{"id", key}}}};
  connection_.ask(OutFrame::of(encode_or_throw(codec_, body)));
}

void Provider::end(const Error& error) {
  while (!pending_.empty()) finish(pending_.begin(), Error(error));
}

void Provider::arm_timer() {
  if (deadlines_.empty() || timer_.expiry() == deadlines_.begin()->first) return;
  timer_.expires_at(deadlines_.begin()->first);
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](error_code ec) {
    if (!ec && !alive.expired()) on_timer();  // its connection's end may have come in this same turn
  });
}

void Provider::on_timer() {
  const auto now = Clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto key = deadlines_.begin()->second;
    interrupt(key);
    finish(pending_.find(key), Error{ErrorCode::deadline_exceeded, "The parent that provides this did not answer in time"});
  }
  arm_timer();
}

}  // namespace pons
