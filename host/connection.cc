#include "host/connection.h"

#include "protocol/document.h"

namespace pons {

Connection::Connection(Executor executor, UniqueFd in, UniqueFd out, Limits limits, Service& service)
    : Caller(limits.stream_limit, service),
      stream_(FrameStream::create(executor, std::move(in), std::move(out), limits.stream)),
      max_frame_(limits.stream.max_frame),
      service_(service) {}

Connection::~Connection() { close(); }

void Connection::start() { stream_->start(*this); }

void Connection::on_frame(Frame frame) {
  service_.note_frames(1, 0);
  auto parsed = Envelope::parse_request(frame.body);
  if (!parsed) {
    const auto failure = parsed.error();
    refuse(failure.codec, failure.id, failure.error);
    return;
  }
  const auto size = frame.body.size();
  Message message{std::move(frame), std::move(*parsed)};
  const auto& envelope = message.envelope;
  if (envelope.kind != Envelope::Kind::request) {
    const Error error{ErrorCode::bad_request, "A parent sends requests: this frame has no \"command\""};
    const auto codec = envelope.codec;
    const auto id = envelope.id;
    if (envelope.kind != Envelope::Kind::reply || !service_.take_reply(*this, std::move(message))) refuse(codec, id, error);
    return;
  }
  if (const Error* refusal = service_.refusal(envelope, size)) {
    refuse(envelope.codec, envelope.id, *refusal);
    return;
  }
  const auto now = Clock::now();
  const auto serial = begin(message, now);
  if (serial != 0) service_.serve(*this, serial, std::move(message), now);
}

void Connection::on_oversized(std::uint64_t length) {
  Error error{ErrorCode::frame_too_large,
              "A frame of " + std::to_string(length) + " bytes is above the limit of " + std::to_string(max_frame_) + "; it is skipped"};
  error.details = {{"length", length}, {"max_frame", max_frame_}};
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
      if (gone()) return;
      leave();
      service_.gone(*this);
      return;
  }
  read_all_ = true;
  service_.half_closed(*this);
}

void Connection::on_last_reply() {
  if (read_all_) service_.half_closed(*this);
}

void Connection::send_event(Codec codec, std::string_view event, std::uint64_t seq, const nlohmann::json& data) {
  const nlohmann::json body{{"event", event}, {"seq", seq}, {"data", data}, {"timestamp", timestamp_now()}};
  send(OutFrame::of(encode_or_throw(codec, body)));
}

void Connection::close_after_flush(std::function<void()> done) { stream_->close_after_flush(std::move(done)); }

void Connection::close() {
  leave();
  stream_->close();
}

}  // namespace pons
