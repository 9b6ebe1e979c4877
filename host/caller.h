// Somebody who asks and is answered: a parent (Connection), or a worker that calls others while it serves (WorkerCaller).
//
// It keeps what is outstanding by the caller's own ids (which are scoped to its stream), puts them back into the replies, and cancels what
// is left when the caller has gone. What a request means is the business of whom it was handed on to.
//
// Object lifetimes: held by shared_ptr; replies to one that has gone are dropped. Thread safety: none; the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "host/stream_backlog.h"
#include "pool/callee.h"
#include "protocol/transport/channel.h"

namespace pons {

/// Refused for now: for who may try again soon.
inline Error overloaded(std::string what) { return {ErrorCode::overloaded, std::move(what), {{"retry_after_ms", 100}}}; }

class Caller : public std::enable_shared_from_this<Caller> {
 public:
  /// How to reach a request that was handed on.
  struct Handle {
    Callee* callee = nullptr;  ///< null: the host itself serves it
    RequestKey key = 0;
  };
  /// What is kept of a request for its reply and the log.
  struct Origin {
    RequestId id;
    std::string command;
    Codec codec = Codec::json;
    bool idempotent = false;
  };
  using Serial = std::uint64_t;  ///< a request of this caller, unlike its id never used twice

  /// The host's books.
  class Books {
   public:
    virtual void note_bytes(std::ptrdiff_t change) = 0;  ///< of requests and replies held
    virtual void note_frames(std::uint64_t in, std::uint64_t out) = 0;
    virtual bool logs_requests() const = 0;
    virtual void log_request(const Origin& request, std::string_view outcome, Clock::duration took) = 0;

   protected:
    ~Books() = default;
  };

  virtual ~Caller() = default;
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

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
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  [[nodiscard]] virtual std::size_t unsent() const = 0;

 protected:
  /// `stream_limit`: bytes of one stream not yet taken, above which it is paused or cancelled; 0: none.
  Caller(std::size_t stream_limit, Books& books) : stream_limit_(stream_limit), books_(books) {}

  /// Takes a request up; 0: its id is outstanding, and that was answered. `parent`: the one that it was made for.
  Serial begin(const Message& message, TimePoint now, RequestKey parent = 0);
  /// Answers a frame that is not served. An id that is outstanding belongs to another request, which has its own answer to come.
  void refuse(Codec codec, const RequestId& id, const Error& error);
  void send(OutFrame frame);
  /// Output has shrunk to so many bytes.
  void note_written(std::size_t unsent);
  /// What was made for `parent`, which has ended, is cancelled, and answered so.
  void end_calls_of(RequestKey parent, CancelBy by);
  /// The caller is gone: nothing is sent any more, and what is outstanding is cancelled. Once.
  void leave();
  [[nodiscard]] bool gone() const { return gone_; }

 private:
  struct Outstanding {
    Origin origin;
    TimePoint received;
    std::size_t bytes = 0;
    Handle handle;
    RequestKey parent = 0;
    StreamBacklog backlog;
    bool paused = false;
    bool own = false;  ///< the host itself works on it
  };
  virtual void write(OutFrame frame) = 0;
  [[nodiscard]] virtual std::uint64_t given() const = 0;  ///< bytes ever written to the stream
  virtual void on_last_reply() {}                         ///< nothing is outstanding any more
  void send_body(std::string body) { send(OutFrame::of(std::move(body))); }
  void partial(Serial serial, Outstanding& request, const Message& message);
  void finish(Serial serial, std::string_view outcome);
  void account();

  std::size_t stream_limit_;
  Books& books_;
  std::unordered_map<Serial, Outstanding> outstanding_;
  std::unordered_map<RequestId, Serial> ids_;  ///< but for 0, which may be outstanding many times
  Serial last_serial_ = 0;
  std::size_t accounted_ = 0;  ///< bytes of output in the books
  std::size_t paused_streams_ = 0;
  bool gone_ = false;
};

}  // namespace pons
