// One parent: its frames come in, its replies go out.
//
// It keeps what is outstanding by the caller's ids (which are scoped to the connection), answers frames that are no requests, and
// cancels what is still running when the parent is gone. What a request means is the Service's business.
//
// Object lifetimes: held by shared_ptr, by the host until closed() was called. Thread safety: none; the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>

#include "host/stream_backlog.h"
#include "pool/pool.h"
#include "protocol/transport/channel.h"
#include "protocol/transport/frame_stream.h"

namespace pons {

class Connection final : public std::enable_shared_from_this<Connection>, private FrameStream::Handler {
 public:
  /// How to reach a request that was handed on.
  struct Handle {
    Pool* pool = nullptr;  ///< null: the host itself serves it
    RequestKey key = 0;
  };
  /// What is kept of a request for its reply and the log.
  struct Origin {
    RequestId id;
    std::string command;
    Codec codec = Codec::json;
    bool idempotent = false;
  };
  using Serial = std::uint64_t;  ///< a request within this connection, unlike its id never used twice

  class Service {
   public:
    /// Serves one request: sooner or later, exactly one terminal Connection::reply(serial, ...) or error.
    virtual void serve(Connection& connection, Serial serial, Message&& request, TimePoint now) = 0;
    /// Requests are refused, with this, before they are served (draining, too much memory held); null: served.
    virtual const Error* refusal(const Envelope& request, std::size_t bytes) = 0;
    virtual void note_bytes(std::ptrdiff_t change) = 0;  ///< of requests and replies held
    virtual void note_frames(std::uint64_t in, std::uint64_t out) = 0;
    virtual bool logs_requests() const = 0;
    virtual void log_request(const Origin& request, std::string_view outcome, Clock::duration took) = 0;
    /// The parent has said all it will, or is gone. Called at most once each.
    virtual void half_closed(Connection& connection) = 0;
    virtual void gone(Connection& connection) = 0;

   protected:
    ~Service() = default;
  };

  struct Limits {
    FrameStream::Options stream;
    std::size_t stream_limit = 8u << 20;  ///< bytes of one stream not yet taken, above which it is paused or cancelled; 0: none
  };

  Connection(Executor executor, UniqueFd in, UniqueFd out, Limits limits, Service& service);
  ~Connection();
  void start();

  /// Notes how to reach the request (not needed for what is answered at once).
  void handed_on(Serial serial, Handle handle);
  /// The host itself works on it and replies later: its caller may cancel it, which ends the waiting, not the work.
  void working_on(Serial serial);
  /// A reply as it came from a worker; partial ones too.
  void reply(Serial serial, Result<Message>&& reply);
  /// A reply made here.
  void reply_result(Serial serial, const nlohmann::json& result);
  void reply_error(Serial serial, Error error) { reply(serial, Result<Message>(std::move(error))); }
  /// Replies to all that is outstanding.
  void reply_to_all(const Error& error);

  /// Cancels a request by its caller's id: {found, state}.
  nlohmann::json cancel(const RequestId& id);
  void send_event(Codec codec, std::string_view event, std::uint64_t seq, const nlohmann::json& data);
  [[nodiscard]] std::size_t unsent() const { return stream_->unsent(); }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  [[nodiscard]] bool read_all() const { return read_all_; }

  /// What was queued still leaves; then `done`.
  void close_after_flush(std::function<void()> done);
  /// Cancels what is outstanding; nothing is sent any more.
  void close();

 private:
  struct Outstanding {
    Origin origin;
    TimePoint received;
    std::size_t bytes = 0;
    Handle handle;
    StreamBacklog backlog;
    bool paused = false;
    bool own = false;  ///< the host itself works on it
  };
  void on_frame(Frame frame) override;
  void on_oversized(std::uint64_t length) override;
  void on_end(FrameStream::End end, std::string text) override;
  void on_written(std::size_t unsent) override;
  void refuse(Codec codec, const RequestId& id, const Error& error);
  void send(OutFrame frame);
  void send_body(std::string body) { send(OutFrame::of(std::move(body))); }
  void partial(Serial serial, Outstanding& request, const Message& message);
  void finish(Serial serial, std::string_view outcome);
  void abandon_all();
  void account();

  std::shared_ptr<FrameStream> stream_;
  Limits limits_;
  Service& service_;
  std::unordered_map<Serial, Outstanding> outstanding_;
  std::unordered_map<RequestId, Serial> ids_;  ///< but for 0, which may be outstanding many times
  Serial last_serial_ = 0;
  std::uint64_t sent_ = 0;     ///< bytes ever given to the stream
  std::size_t accounted_ = 0;  ///< bytes of output told to the service
  std::size_t paused_streams_ = 0;
  bool read_all_ = false;
  bool gone_ = false;
};

}  // namespace pons
