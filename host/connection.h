// One parent: its frames come in, its replies go out. It may also answer, for namespaces that it provides.
//
// What a request means is the Service's business.
//
// Object lifetimes: held by shared_ptr, by the host until gone() was called, or close(). Thread safety: none; the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "host/caller.h"
#include "protocol/transport/frame_stream.h"

namespace pons {

class Connection final : public Caller, private FrameStream::Handler {
 public:
  class Service : public Books {
   public:
    /// Serves one request: sooner or later, exactly one terminal reply(serial, ...) or error.
    virtual void serve(Connection& connection, Serial serial, Message&& request, TimePoint now) = 0;
    /// Requests are refused, with this, before they are served (draining, too much memory held); null: served.
    virtual const Error* refusal(const Envelope& request, std::size_t bytes) = 0;
    /// A reply of the parent's. False: it provides nothing.
    virtual bool take_reply(Connection& connection, Message&& reply) = 0;
    /// The parent has said all it will: told at once, and again with the last reply after that.
    virtual void half_closed(Connection& connection) = 0;
    /// It is gone; once.
    virtual void gone(Connection& connection) = 0;

   protected:
    ~Service() = default;
  };

  struct Limits {
    FrameStream::Options stream;
    std::size_t stream_limit = 8u << 20;  ///< as Caller's
  };

  Connection(Executor executor, UniqueFd in, UniqueFd out, Limits limits, Service& service);
  ~Connection() override;
  void start();

  void send_event(Codec codec, std::string_view event, std::uint64_t seq, const nlohmann::json& data);
  /// A request to the parent, for a namespace that it provides.
  void ask(OutFrame request) { send(std::move(request)); }
  [[nodiscard]] std::size_t unsent() const override { return stream_->unsent(); }
  [[nodiscard]] bool read_all() const { return read_all_; }

  /// What was queued still leaves; then `done`.
  void close_after_flush(std::function<void()> done);
  /// Cancels what is outstanding; nothing is sent any more.
  void close();

 private:
  // Caller
  void write(OutFrame frame) override { stream_->send(std::move(frame)); }
  [[nodiscard]] std::uint64_t given() const override { return stream_->given(); }
  void on_last_reply() override;
  // FrameStream::Handler
  void on_frame(Frame frame) override;
  void on_oversized(std::uint64_t length) override;
  void on_end(FrameStream::End end, std::string text) override;
  void on_written(std::size_t unsent) override { note_written(unsent); }

  std::shared_ptr<FrameStream> stream_;
  std::size_t max_frame_;
  Service& service_;
  bool read_all_ = false;
};

}  // namespace pons
