// A stream of frames on which we send requests under ids of our own and match the replies: the host's side of a worker, and the client's
// side of a host.
//
// Object lifetimes: owned by whoever talks to the peer; close() or destruction ends it, and callbacks of outstanding requests are then
// dropped without a call (the owner knows what was outstanding). Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "protocol/envelope.h"
#include "protocol/transport/frame_stream.h"

namespace pons {

/// A frame together with its parsed envelope.
struct Message {
  Frame frame;
  Envelope envelope;
};

class Channel final : private FrameStream::Handler {
 public:
  /// Called for every reply, partial ones too; the entry is removed before the call of the terminal one. An Error stands for a reply
  /// that could not be taken (too large).
  using OnReply = std::function<void(Result<Message>&&)>;

  struct Callbacks {
    std::function<void(Message&&)> on_event;    ///< an event; may be empty
    std::function<void(Message&&)> on_request;  ///< a request of the peer; may be empty
    std::function<void()> on_late_reply;        ///< a reply that nobody waits for: dropped
    /// The stream has ended, or cannot be used any more; called once. `reason` is empty for a plain end of file.
    std::function<void(std::string reason)> on_end;
    std::function<void(std::size_t unsent)> on_written;  ///< may be empty
    /// That late reply itself, called before on_late_reply; may be empty. With id 0 it can be the peer's complaint about a frame.
    std::function<void(const Message&)> on_unmatched{};
  };

  Channel(Executor executor, UniqueFd in, UniqueFd out, FrameStream::Options options, Callbacks callbacks);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// The id that the next request carries; then expect() it and send() it.
  std::uint64_t next_id() { return ++last_id_; }
  /// `want_resource`: look for `result.resource_id` in the terminal reply. `tag`: what tag_of() says of it while it is outstanding.
  void expect(std::uint64_t id, OnReply on_reply, bool want_resource = false, std::uint64_t tag = 0);
  /// 0: it has none, or is not outstanding.
  [[nodiscard]] std::uint64_t tag_of(std::uint64_t id) const;
  void forget(std::uint64_t id);
  void send(OutFrame frame) { stream_->send(std::move(frame)); }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  [[nodiscard]] std::size_t unsent() const { return stream_->unsent(); }
  [[nodiscard]] std::uint64_t given() const { return stream_->given(); }
  void pause(bool paused) { stream_->pause(paused); }
  /// More can be read at once: bytes, or the end of the file.
  [[nodiscard]] bool has_input() { return !ended_ && stream_->has_input(); }
  void close();

 private:
  struct Entry {
    OnReply on_reply;
    bool want_resource;
    std::uint64_t tag;
  };
  using Outstanding = std::unordered_map<std::uint64_t, Entry>;
  OnReply take(Outstanding::iterator entry);
  void on_frame(Frame frame) override;
  void on_oversized(std::uint64_t length) override;
  void on_end(FrameStream::End end, std::string text) override;
  void on_written(std::size_t unsent) override;
  void take_reply(Result<Message>&& message);
  void fail(std::string reason);

  std::shared_ptr<FrameStream> stream_;
  std::shared_ptr<const Callbacks> callbacks_;
  Outstanding outstanding_;
  std::size_t wanting_resource_ = 0;
  std::size_t max_frame_;
  std::uint64_t last_id_ = 0;
  bool ended_ = false;
};

}  // namespace pons
