#include "host/caller.h"

#include <algorithm>
#include <vector>

#include "protocol/document.h"
#include "protocol/splice.h"

namespace pons {

namespace {

bool is_zero(const RequestId& id) {
  const auto* number = std::get_if<std::uint64_t>(&id);
  return number != nullptr && *number == 0;
}

}  // namespace

Caller::Serial Caller::begin(const Message& message, TimePoint now, RequestKey parent) {
  const auto& envelope = message.envelope;
  const auto serial = ++last_serial_;
  if (!is_zero(envelope.id) && !ids_.emplace(envelope.id, serial).second) {
    refuse(envelope.codec, envelope.id, {});
    return 0;
  }
  auto& request = outstanding_[serial];
  request.received = now;
  request.bytes = message.frame.body.size();
  request.origin = Origin{envelope.id, {}, envelope.codec, envelope.idempotent.value_or(false)};
  request.parent = parent;
  if (books_.logs_requests()) request.origin.command = envelope.command;
  books_.note_bytes(static_cast<std::ptrdiff_t>(request.bytes));
  return serial;
}

void Caller::refuse(Codec codec, const RequestId& id, const Error& error) {
  if (ids_.contains(id)) {
    static const Error kTwice{ErrorCode::bad_request, "The id is still outstanding here"};
    return send_body(error_body(codec, std::uint64_t{0}, kTwice));
  }
  send_body(error_body(codec, id, error));
}

void Caller::handed_on(Serial serial, Handle handle) {
  const auto found = outstanding_.find(serial);
  if (found != outstanding_.end()) found->second.handle = handle;
}

void Caller::working_on(Serial serial) {
  const auto found = outstanding_.find(serial);
  if (found != outstanding_.end()) found->second.own = true;
}

void Caller::send(OutFrame frame) {
  if (gone_) return;
  books_.note_frames(0, 1);
  write(std::move(frame));
  account();
}

void Caller::account() {
  const auto held = gone_ ? 0 : unsent();
  books_.note_bytes(static_cast<std::ptrdiff_t>(held) - static_cast<std::ptrdiff_t>(accounted_));
  accounted_ = held;
}

void Caller::reply(Serial serial, Result<Message>&& reply) {
  const auto found = outstanding_.find(serial);
  if (found == outstanding_.end()) return;
  auto& request = found->second;
  const auto& origin = request.origin;
  if (!reply) {
    const auto error = reply.error();
    send_body(error_body(origin.codec, origin.id, error, origin.idempotent));
    finish(serial, to_string(error.code));
    return;
  }
  if (reply->envelope.partial) {
    partial(serial, request, *reply);
    return;
  }
  send(splice_reply(reply->frame, reply->envelope, origin.id));
  finish(serial, reply->envelope.success ? std::string_view("ok") : std::string_view(reply->envelope.code));
}

void Caller::partial(Serial serial, Outstanding& request, const Message& message) {
  const auto before = given();
  send(splice_reply(message.frame, message.envelope, request.origin.id));
  if (stream_limit_ == 0) return;
  request.backlog.delivered(given() - unsent());
  const bool first = request.backlog.bytes() == 0;  // however large: it has not been waited for yet
  request.backlog.add(given() - before, given(), stream_limit_ / 16);
  if (first || request.backlog.bytes() <= stream_limit_) return;
  const auto handle = request.handle;
  // Also where it is paused already: another request on the same worker ends the pause.
  if (handle.callee != nullptr && handle.callee->pause_stream(handle.key, true)) {
    if (!request.paused) ++paused_streams_;
    request.paused = true;
    return;
  }
  // Its worker also serves others: this stream cannot wait.
  Error error{ErrorCode::cancelled, "The caller does not read its stream fast enough"};
  error.details = {{"reason", "slow_consumer"}};
  reply_error(serial, std::move(error));
  if (handle.callee != nullptr) handle.callee->cancel(handle.key, CancelBy::disconnection);
}

void Caller::note_written(std::size_t unsent) {
  account();
  if (paused_streams_ == 0) return;
  for (auto& [serial, request] : outstanding_) {
    if (!request.paused) continue;
    request.backlog.delivered(given() - unsent);
    if (request.backlog.bytes() > stream_limit_ / 2) continue;
    request.paused = false;
    --paused_streams_;
    request.handle.callee->pause_stream(request.handle.key, false);
  }
}

void Caller::reply_result(Serial serial, const nlohmann::json& result) {
  const auto found = outstanding_.find(serial);
  if (found == outstanding_.end()) return;
  const auto& origin = found->second.origin;
  send_body(result_body(origin.codec, origin.id, result));
  finish(serial, "ok");
}

void Caller::reply_to_all(const Error& error) {
  std::vector<Serial> serials;
  for (const auto& [serial, request] : outstanding_) serials.push_back(serial);
  std::sort(serials.begin(), serials.end());
  for (const auto serial : serials) reply_error(serial, error);
}

void Caller::finish(Serial serial, std::string_view outcome) {
  auto node = outstanding_.extract(serial);
  const auto& request = node.mapped();
  if (request.paused) {
    --paused_streams_;
    request.handle.callee->pause_stream(request.handle.key, false);
  }
  if (!is_zero(request.origin.id)) ids_.erase(request.origin.id);
  books_.note_bytes(-static_cast<std::ptrdiff_t>(request.bytes));
  if (books_.logs_requests()) books_.log_request(request.origin, outcome, Clock::now() - request.received);
  if (outstanding_.empty()) on_last_reply();
}

nlohmann::json Caller::cancel(const RequestId& id) {
  const auto found = ids_.find(id);
  if (found == ids_.end()) return {{"found", false}, {"state", "unknown"}};
  const auto serial = found->second;
  const auto& request = outstanding_.at(serial);
  if (request.own) {
    reply_error(serial, Error{ErrorCode::cancelled, "Cancelled by the caller; the host goes on with what it has begun"});
    return {{"found", true}, {"state", "running"}};
  }
  const auto handle = request.handle;  // the request is gone when cancel() returns
  if (handle.callee == nullptr) return {{"found", false}, {"state", "unknown"}};
  const bool running = handle.callee->is_running(handle.key);
  if (!handle.callee->cancel(handle.key, CancelBy::caller)) return {{"found", false}, {"state", "unknown"}};
  return {{"found", true}, {"state", running ? "running" : "queued"}};
}

void Caller::end_calls_of(RequestKey parent, CancelBy by) {
  std::vector<std::pair<Serial, Handle>> calls;
  for (const auto& [serial, request] : outstanding_) {
    if (request.parent == parent) calls.emplace_back(serial, request.handle);
  }
  for (const auto& [serial, handle] : calls) {
    if (!outstanding_.contains(serial)) continue;
    if (handle.callee == nullptr) {
      reply_error(serial, Error{ErrorCode::cancelled, "The request that it was made for has ended"});
    } else {
      handle.callee->cancel(handle.key, by);
    }
  }
}

void Caller::leave() {
  if (gone_) return;
  gone_ = true;
  account();
  std::vector<Handle> handles;
  for (auto& [serial, request] : outstanding_) {
    if (request.paused) request.handle.callee->pause_stream(request.handle.key, false);
    if (request.handle.callee != nullptr) handles.push_back(request.handle);
    books_.note_bytes(-static_cast<std::ptrdiff_t>(request.bytes));
  }
  outstanding_.clear();
  ids_.clear();
  paused_streams_ = 0;
  for (const auto& handle : handles) handle.callee->cancel(handle.key, CancelBy::disconnection);
}

}  // namespace pons
