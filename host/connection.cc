#include "host/connection.h"

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

Connection::Connection(Executor executor, UniqueFd in, UniqueFd out, Limits limits, Service& service)
    : stream_(FrameStream::create(executor, std::move(in), std::move(out), limits.stream)), limits_(limits), service_(service) {}

Connection::~Connection() { close(); }

void Connection::start() { stream_->start(*this); }

// ---- In ----------------------------------------------------------------------------------------------------------------------------

void Connection::on_frame(Frame frame) {
  service_.note_frames(1, 0);
  auto parsed = Envelope::parse_request(frame.body);
  if (!parsed) {
    const auto failure = parsed.error();
    refuse(failure.codec, failure.id, failure.error);
    return;
  }
  auto& envelope = *parsed;
  if (envelope.kind != Envelope::Kind::request) {
    refuse(envelope.codec, envelope.id, Error{ErrorCode::bad_request, "A parent sends requests: this frame has no \"command\""});
    return;
  }
  if (const Error* refusal = service_.refusal(envelope, frame.body.size())) {
    refuse(envelope.codec, envelope.id, *refusal);
    return;
  }
  const auto now = Clock::now();
  const auto serial = ++last_serial_;
  if (!is_zero(envelope.id) && !ids_.emplace(envelope.id, serial).second) {
    refuse(envelope.codec, envelope.id, {});
    return;
  }
  auto& request = outstanding_[serial];
  request.received = now;
  request.bytes = frame.body.size();
  request.origin = Origin{envelope.id, {}, envelope.codec, envelope.idempotent.value_or(false)};
  if (service_.logs_requests()) request.origin.command = envelope.command;
  service_.note_bytes(static_cast<std::ptrdiff_t>(request.bytes));
  service_.serve(*this, serial, Message{std::move(frame), std::move(envelope)}, now);
}

/// Answers a frame that is not served. An id that is outstanding belongs to another request, which has its own answer to come.
void Connection::refuse(Codec codec, const RequestId& id, const Error& error) {
  if (ids_.contains(id)) {
    static const Error kTwice{ErrorCode::bad_request, "The id is still outstanding on this connection"};
    return send_body(error_body(codec, std::uint64_t{0}, kTwice));
  }
  send_body(error_body(codec, id, error));
}

void Connection::on_oversized(std::uint64_t length) {
  Error error{ErrorCode::frame_too_large, "A frame of " + std::to_string(length) + " bytes is above the limit of " +
                                              std::to_string(limits_.stream.max_frame) + "; it is skipped"};
  error.details = {{"length", length}, {"max_frame", limits_.stream.max_frame}};
  refuse(Codec::json, std::uint64_t{0}, error);
}

void Connection::on_end(FrameStream::End end, std::string text) {
  const auto self = shared_from_this();
  switch (end) {
    case FrameStream::End::not_a_frame:
      refuse(
          Codec::json, std::uint64_t{0},
          Error{ErrorCode::bad_frame, "This is no stream of length-prefixed frames; it begins with \"" + text + "\". The connection ends"});
      break;  // what came before is answered
    case FrameStream::End::half_closed:
    case FrameStream::End::cut:
      break;
    case FrameStream::End::gone:
    case FrameStream::End::stuck:
      if (gone_) return;
      gone_ = true;
      account();
      abandon_all();
      service_.gone(*this);
      return;
  }
  read_all_ = true;
  service_.half_closed(*this);
}

void Connection::handed_on(Serial serial, Handle handle) {
  const auto found = outstanding_.find(serial);
  if (found != outstanding_.end()) found->second.handle = handle;
}

void Connection::working_on(Serial serial) {
  const auto found = outstanding_.find(serial);
  if (found != outstanding_.end()) found->second.own = true;
}

// ---- Out ---------------------------------------------------------------------------------------------------------------------------

void Connection::send(OutFrame frame) {
  if (gone_) return;
  service_.note_frames(0, 1);
  sent_ += frame.size();
  stream_->send(std::move(frame));
  account();
}

void Connection::account() {
  const auto unsent = gone_ ? 0 : stream_->unsent();
  service_.note_bytes(static_cast<std::ptrdiff_t>(unsent) - static_cast<std::ptrdiff_t>(accounted_));
  accounted_ = unsent;
}

void Connection::reply(Serial serial, Result<Message>&& reply) {
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

void Connection::partial(Serial serial, Outstanding& request, const Message& message) {
  const auto before = sent_;
  send(splice_reply(message.frame, message.envelope, request.origin.id));
  if (limits_.stream_limit == 0) return;
  request.backlog.delivered(sent_ - stream_->unsent());
  const bool first = request.backlog.bytes() == 0;  // however large: it has not been waited for yet
  request.backlog.add(sent_ - before, sent_, limits_.stream_limit / 16);
  if (first || request.backlog.bytes() <= limits_.stream_limit) return;
  const auto handle = request.handle;
  // Also where it is paused already: another request on the same worker ends the pause.
  if (handle.pool != nullptr && handle.pool->pause_stream(handle.key, true)) {
    if (!request.paused) ++paused_streams_;
    request.paused = true;
    return;
  }
  // Its worker also serves others: this stream cannot wait.
  Error error{ErrorCode::cancelled, "The caller does not read its stream fast enough"};
  error.details = {{"reason", "slow_consumer"}};
  reply_error(serial, std::move(error));
  if (handle.pool != nullptr) handle.pool->cancel(handle.key, CancelBy::disconnection);
}

void Connection::on_written(std::size_t unsent) {
  account();
  if (paused_streams_ == 0) return;
  for (auto& [serial, request] : outstanding_) {
    if (!request.paused) continue;
    request.backlog.delivered(sent_ - unsent);
    if (request.backlog.bytes() > limits_.stream_limit / 2) continue;
    request.paused = false;
    --paused_streams_;
    request.handle.pool->pause_stream(request.handle.key, false);
  }
}

void Connection::reply_result(Serial serial, const nlohmann::json& result) {
  const auto found = outstanding_.find(serial);
  if (found == outstanding_.end()) return;
  const auto& origin = found->second.origin;
  send_body(result_body(origin.codec, origin.id, result));
  finish(serial, "ok");
}

void Connection::reply_to_all(const Error& error) {
  std::vector<Serial> serials;
  for (const auto& [serial, request] : outstanding_) serials.push_back(serial);
  std::sort(serials.begin(), serials.end());
  for (const auto serial : serials) reply_error(serial, error);
}

void Connection::finish(Serial serial, std::string_view outcome) {
  auto node = outstanding_.extract(serial);
  const auto& request = node.mapped();
  if (request.paused) {
    --paused_streams_;
    request.handle.pool->pause_stream(request.handle.key, false);
  }
  if (!is_zero(request.origin.id)) ids_.erase(request.origin.id);
  service_.note_bytes(-static_cast<std::ptrdiff_t>(request.bytes));
  if (service_.logs_requests()) service_.log_request(request.origin, outcome, Clock::now() - request.received);
  if (read_all_ && outstanding_.empty()) service_.half_closed(*this);
}

void Connection::send_event(Codec codec, std::string_view event, std::uint64_t seq, const nlohmann::json& data) {
  const nlohmann::json body{{"event", event}, {"seq", seq}, {"data", data}, {"timestamp", timestamp_now()}};
  send_body(encode_or_throw(codec, body));
}

// ---- Ends --------------------------------------------------------------------------------------------------------------------------

nlohmann::json Connection::cancel(const RequestId& id) {
  const auto found = ids_.find(id);
  if (found == ids_.end()) return {{"found", false}, {"state", "unknown"}};
  const auto serial = found->second;
  const auto& request = outstanding_.at(serial);
  if (request.own) {
    reply_error(serial, Error{ErrorCode::cancelled, "Cancelled by the caller; the host goes on with what it has begun"});
    return {{"found", true}, {"state", "running"}};
  }
  const auto handle = request.handle;  // the request is gone when cancel() returns
  if (handle.pool == nullptr) return {{"found", false}, {"state", "unknown"}};
  const bool running = handle.pool->is_running(handle.key);
  if (!handle.pool->cancel(handle.key, CancelBy::caller)) return {{"found", false}, {"state", "unknown"}};
  return {{"found", true}, {"state", running ? "running" : "queued"}};
}

void Connection::abandon_all() {
  std::vector<Handle> handles;
  for (auto& [serial, request] : outstanding_) {
    if (request.paused) request.handle.pool->pause_stream(request.handle.key, false);
    if (request.handle.pool != nullptr) handles.push_back(request.handle);
    service_.note_bytes(-static_cast<std::ptrdiff_t>(request.bytes));
  }
  outstanding_.clear();
  ids_.clear();
  paused_streams_ = 0;
  for (const auto& handle : handles) handle.pool->cancel(handle.key, CancelBy::disconnection);
}

void Connection::close_after_flush(std::function<void()> done) { stream_->close_after_flush(std::move(done)); }

void Connection::close() {
  if (!gone_) {
    gone_ = true;
    account();
    abandon_all();
  }
  stream_->close();
}

}  // namespace pons
