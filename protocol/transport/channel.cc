#include "protocol/transport/channel.h"

namespace pons {

Channel::Channel(Executor executor, UniqueFd in, UniqueFd out, FrameStream::Options options, Callbacks callbacks)
    : stream_(FrameStream::create(executor, std::move(in), std::move(out), options)),
      callbacks_(std::make_shared<const Callbacks>(std::move(callbacks))),
      max_frame_(options.max_frame) {
  stream_->start(*this);
}

Channel::~Channel() { close(); }

void Channel::close() {
  ended_ = true;
  outstanding_.clear();
  stream_->close();
}

void Channel::expect(std::uint64_t id, OnReply on_reply, bool want_resource, std::uint64_t tag) {
  const bool added = outstanding_.emplace(id, Entry{std::move(on_reply), want_resource, tag}).second;
  if (added && want_resource) ++wanting_resource_;
}

std::uint64_t Channel::tag_of(std::uint64_t id) const {
  const auto entry = outstanding_.find(id);
  return entry != outstanding_.end() ? entry->second.tag : 0;
}

void Channel::forget(std::uint64_t id) {
  const auto entry = outstanding_.find(id);
  if (entry != outstanding_.end()) (void)take(entry);
}

/// Removes the entry.
Channel::OnReply Channel::take(Outstanding::iterator entry) {
  auto on_reply = std::move(entry->second.on_reply);
  if (entry->second.want_resource) --wanting_resource_;
  outstanding_.erase(entry);
  return on_reply;
}

void Channel::on_frame(Frame frame) {
  if (ended_) return;
  auto envelope = Envelope::parse_reply(frame.body, wanting_resource_ > 0);
  if (!envelope) {
    fail("the peer sent a frame that is no valid envelope: " + envelope.error().error.message);
    return;
  }
  Result<Message> message(boost::system::in_place_value, Message{std::move(frame), std::move(*envelope)});
  const auto callbacks = callbacks_;  // the one that runs may destroy us
  switch (message->envelope.kind) {
    case Envelope::Kind::reply:
      take_reply(std::move(message));
      return;
    case Envelope::Kind::event:
      if (callbacks->on_event) callbacks->on_event(std::move(*message));
      return;
    case Envelope::Kind::request:
      if (callbacks->on_request) callbacks->on_request(std::move(*message));
      return;
  }
}

void Channel::take_reply(Result<Message>&& message) {
  const auto& envelope = message->envelope;
  // A reply without an id can only mean the one request that is outstanding.
  const auto* id = std::get_if<std::uint64_t>(&envelope.id);
  auto entry = outstanding_.end();
  if (!envelope.has_id) {
    if (outstanding_.size() == 1) entry = outstanding_.begin();
  } else if (id != nullptr) {
    entry = outstanding_.find(*id);
  }
  if (entry == outstanding_.end()) {
    const auto callbacks = callbacks_;
    if (callbacks->on_unmatched) callbacks->on_unmatched(*message);
    if (callbacks->on_late_reply) callbacks->on_late_reply();
    return;
  }
  if (envelope.partial) {
    const auto on_reply = entry->second.on_reply;  // the callee may forget() it
    on_reply(std::move(message));
    return;
  }
  const auto on_reply = take(entry);
  on_reply(std::move(message));
}

void Channel::on_oversized(std::uint64_t length) {
  if (ended_) return;
  if (outstanding_.size() != 1) {
    fail("the peer sent a frame of " + std::to_string(length) + " bytes, above the limit of " + std::to_string(max_frame_));
    return;
  }
  const auto on_reply = take(outstanding_.begin());
  Error error{ErrorCode::frame_too_large, "The reply is too large: " + std::to_string(length) + " bytes"};
  error.details = {{"length", length}, {"max_frame", max_frame_}};
  on_reply(std::move(error));
}

void Channel::on_end(FrameStream::End end, std::string text) {
  switch (end) {
    case FrameStream::End::half_closed:
    case FrameStream::End::gone:
      fail({});
      return;
    case FrameStream::End::cut:
      fail("the stream ended inside a frame");
      return;
    case FrameStream::End::stuck:
      fail("the peer does not read");
      return;
    case FrameStream::End::not_a_frame:
      fail("the peer printed on the channel: \"" + text + "\"");
      return;
  }
}

void Channel::on_written(std::size_t unsent) {
  const auto callbacks = callbacks_;
  if (callbacks->on_written) callbacks->on_written(unsent);
}

void Channel::fail(std::string reason) {
  if (ended_) return;
  ended_ = true;
  const auto stream = stream_;  // on_end may destroy us
  const auto callbacks = callbacks_;
  if (callbacks->on_end) callbacks->on_end(std::move(reason));
}

}  // namespace pons
