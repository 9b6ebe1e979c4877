// The parent's side in C++: calls to a host over its unix socket, or over a socket pair to a host in this same process.
//
//   #include "clients/cpp/client.h"
//
//   int main() {
//     auto client = pons::Client::connect("/run/user/1000/pons/default.sock").value();
//     auto model = client.call("xgboost:create_model", {{"dataset", "iris"}}).value();
//     auto answer = client.call("xgboost:execute_resource", {{"resource_id", model["resource_id"]}, {"inputs", {{"rows", {{5.1, 3.5, 1.4,
//     0.2}}}}}}); if (!answer) std::cerr << answer.error().message << "\n"; else std::cout << answer->dump() << "\n";
//   }
//
// Blocking calls run the io_context until their reply is there; so a Host on the same io_context (Host::attach) is served by the calling
// thread meanwhile. Whoever runs the io_context himself uses call_async() alone.
//
// Errors: a failed reply of the host is an Error with its code, message, details and `retryable`. A code that this version does not
// know (adapters may have their own) becomes worker_error with the name in details.code. Two errors are the client's own, both with
// details.reason: internal, "connection_lost" (the outcome of the request is unknown), and deadline_exceeded, "no_reply" (the host did
// not even say that the time was up). So no call waits for ever.
//
// Object lifetimes: the io_context must outlive the client. Destroying the client drops what is outstanding without a call of its
// callbacks, and the host cancels it. Thread safety: none. A blocking call must not be made from one of the client's callbacks.
// The process must not die of a broken pipe: the first client sets SIGPIPE to be ignored if it had its default action.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/limits.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

/// What goes with one request (docs/protocol.md, section 3). Nothing set: the adapter's defaults.
struct CallOptions {
  std::optional<std::string> session_id{};
  std::optional<std::string> resource_id{};
  std::optional<std::chrono::milliseconds> timeout{};  ///< queue and execution together, at least 1 ms
  std::optional<bool> idempotent{};                    ///< may be run again after a worker was lost
  nlohmann::json meta = nullptr;                       ///< an object, or null
  std::optional<Codec> codec{};                        ///< instead of the client's
  /// Asks for partial replies. Both are called in the order of arrival, before the call ends.
  std::function<void(nlohmann::json chunk)> on_partial{};
  std::function<void(const nlohmann::json& progress)> on_progress{};  ///< {done?, total?, message?}
};

/// Of a subscription (docs/protocol.md, section 8).
struct Event {
  std::string name;       ///< "worker.exited"
  std::uint64_t seq = 0;  ///< a gap means that events were lost
  nlohmann::json data;
};

/// A request of others to a namespace that a client provides (Client::provide). Whoever holds it answers it, once, from the io_context's
/// thread; one that is destroyed unanswered is answered with worker_error.
class Inquiry {
 public:
  Inquiry(Inquiry&&) noexcept;
  Inquiry& operator=(Inquiry&&) noexcept;
  ~Inquiry();

  [[nodiscard]] const std::string& command() const;  ///< with the namespace: `tools:add`
  [[nodiscard]] const nlohmann::json& args() const;  ///< an object
  [[nodiscard]] const std::optional<std::string>& session_id() const;
  [[nodiscard]] const nlohmann::json& meta() const;                        ///< an object
  [[nodiscard]] std::optional<std::chrono::milliseconds> timeout() const;  ///< that was left when it was sent
  [[nodiscard]] bool stream() const;                                       ///< whether partial results are wanted
  /// Nobody waits any more: the caller gave up, or its deadline has passed.
  [[nodiscard]] bool cancelled() const;

  /// One chunk ahead of the result; nothing happens unless stream().
  void send_partial(const nlohmann::json& chunk);
  /// A result that the codec cannot carry becomes the error that says so.
  void reply(const nlohmann::json& result);
  void fail(const Error& error);

  class Impl;
  explicit Inquiry(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

class Client {
 public:
  struct Options {
    Codec codec = Codec::json;
    std::size_t max_frame = kDefaultMaxFrame;  ///< bytes of one reply; a larger one fails its call with frame_too_large
    std::chrono::milliseconds margin{2'000};   ///< beyond its timeout, before a call gives up on a silent host
    /// For a call without a timeout. The host has its own limit for each adapter; this is the longest that the protocol knows.
    std::chrono::milliseconds longest_wait{static_cast<std::int64_t>(kMaxTimeoutMs)};
  };
  using CallId = std::uint64_t;
  using OnDone = std::function<void(Result<nlohmann::json>)>;

  /// With an io_context of its own. invalid_configuration if nobody listens there, with details.errno.
  static Result<Client> connect(const std::string& path);
  static Result<Client> connect(const std::string& path, const Options& options);
  /// Over a connected stream socket.
  Client(boost::asio::io_context& io, UniqueFd socket);
  Client(boost::asio::io_context& io, UniqueFd socket, const Options& options);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Sends a request and waits for its reply: the `result` of a successful one. `args` is an object, or null for none.
  /// invalid_args, unsupported_codec, frame_too_large: the request cannot be sent, and was not.
  Result<nlohmann::json> call(std::string_view command, nlohmann::json args = nullptr, CallOptions options = {});

  /// The same in two steps, so that several requests are under way at once. Every start() needs its wait().
  CallId start(std::string_view command, nlohmann::json args = nullptr, CallOptions options = {});
  Result<nlohmann::json> wait(CallId id);

  /// The same without blocking: `done` is called by the io_context, never before this returns.
  CallId call_async(std::string_view command, nlohmann::json args, CallOptions options, OnDone done);

  /// Asks the host to stop a request. It still ends with its own reply, at the latest `Options::margin` later.
  void cancel(CallId id);

  /// Events that match one of the patterns ("worker.*") go to `on_event` from now on, whenever the io_context runs. Blocks for the answer.
  Result<void> subscribe(std::vector<std::string> patterns, std::function<void(Event)> on_event);
  /// Where events go, for who sends `host:subscribe` without blocking.
  void on_event(std::function<void(Event)> on_event);
  /// Serves a namespace until the connection ends: requests `name:...` of parents and workers go to `serve` from now on, whenever the
  /// io_context runs. Blocks for the answer; bad_request if the namespace is in use. `serve` must not make blocking calls.
  Result<void> provide(const std::string& name, std::function<void(Inquiry)> serve);
  /// Runs the io_context until `done` says true, the connection is lost or the time is up; returns what `done` says then.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds timeout);

  /// False once the connection was lost; every call then fails at once.
  [[nodiscard]] bool connected() const;
  /// Requests without a terminal reply.
  [[nodiscard]] std::size_t outstanding() const;
  /// The loop that callbacks are called from.
  [[nodiscard]] boost::asio::io_context& io();

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pons
