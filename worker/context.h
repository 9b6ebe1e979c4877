// What a handler may know of the request that it serves, and do while it serves it.
//
// A Context lives as long as the handler's call, or as the Request that it came from (request.h), and belongs to the thread that runs
// the worker. It is neither copied nor kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "protocol/buffer.h"
#include "protocol/codec.h"
#include "protocol/envelope.h"
#include "protocol/error.h"

namespace pons {

/// What the host said in the handshake. All empty until then, and with a host that sends no handshake.
struct WorkerIdentity {
  std::string worker_id;                              ///< such as `echo#0.1`
  std::string adapter;                                ///< the namespace that this worker serves
  nlohmann::json options = nlohmann::json::object();  ///< the adapter's `options`, an object
};

/// Why nobody waits for a result any more.
enum class Cancellation : std::uint8_t {
  none,       ///< somebody does
  by_caller,  ///< the host cancelled the request: its caller gave up
  deadline,   ///< it passed
  host_gone,  ///< end of file on the channel: the process is about to end
};

class Context {
 public:
  using Duration = std::chrono::milliseconds;

  /// What goes with a request that a handler makes (call). Nothing set: the session of the request being served, if another adapter
  /// is asked, and the time that is left.
  struct CallOptions {
    std::optional<std::chrono::milliseconds> timeout{};  ///< queue and execution together; the caller's deadline bounds it anyway
    std::optional<std::string> session_id{};
    bool no_session = false;  ///< inherits none
    std::optional<std::string> resource_id{};
    std::optional<bool> idempotent{};                          ///< may be run again after a worker was lost
    nlohmann::json meta = nullptr;                             ///< an object; null: that of the request being served
    std::function<void(const nlohmann::json&)> on_partial{};   ///< asks for partial results, which come in order before the call ends
    std::function<void(const nlohmann::json&)> on_progress{};  ///< {done?, total?, message?}
  };

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] virtual const RequestId& id() const = 0;
  [[nodiscard]] virtual std::string_view command() const = 0;  ///< without namespace
  [[nodiscard]] virtual Codec codec() const = 0;               ///< of the request, and so of its reply
  [[nodiscard]] virtual const std::optional<std::string>& session_id() const = 0;
  /// The caller's `meta`, an object; decoded when asked for.
  [[nodiscard]] virtual nlohmann::json meta() const = 0;
  /// Whether the caller accepts partial replies. Without it they are not sent.
  [[nodiscard]] virtual bool stream() const = 0;
  [[nodiscard]] virtual const WorkerIdentity& worker() const = 0;

  /// Time left, never negative; Duration::max() without a deadline. It counts from the moment the request was read.
  [[nodiscard]] virtual Duration remaining() const = 0;
  /// Whether nobody waits for the result any more, and why. A cancellation and the end of the host are seen while the handler runs, at
  /// the latest a few milliseconds after it began. Cheap enough for an inner loop. What is not `none` never becomes so again.
  [[nodiscard]] virtual Cancellation cancellation() const = 0;
  [[nodiscard]] bool cancelled() const { return cancellation() != Cancellation::none; }
  /// Throws Exception if cancelled(), with the code `cancelled` or `deadline_exceeded`: the simplest way out of a long handler.
  void throw_if_cancelled() const;
  /// Sleeps for `duration`, but no longer than until cancelled(); returns cancelled().
  virtual bool sleep(Duration duration) = 0;

  /// Sends one chunk ahead of the result; nothing happens unless stream(). Blocks while the host does not read.
  /// Throws Exception if the chunk cannot be said in the request's codec (`bin` or NaN over JSON).
  virtual void send_partial(const nlohmann::json& chunk) = 0;
  /// Says how far the work is; nothing happens unless stream(). At most ten a second are sent, the others are dropped.
  virtual void progress(double done, double total, std::string_view message = {}) = 0;

  /// Asks another adapter, a parent that provides a namespace, or the host, such as `llama:chat`, and waits for the result.
  /// Throws Exception: the error that it was answered with (a code of its own as worker_error with the name in details.code); or
  /// `cancelled`, `deadline_exceeded` as throw_if_cancelled() does. What is still asked for when the request being served ends is
  /// cancelled by the host. `args` is an object, or null for none.
  virtual nlohmann::json call(std::string_view command, const nlohmann::json& args, const CallOptions& options) = 0;
  nlohmann::json call(std::string_view command, const nlohmann::json& args = nullptr) { return call(command, args, CallOptions{}); }

 protected:
  Context() = default;
  ~Context() = default;
};

/// A request's `args` as they came: one well-formed map in `codec`, `{}` if the request had none. The bytes may be kept by copying
/// `bytes`, which shares them.
struct RawArgs {
  Codec codec = Codec::json;
  Frame bytes;
  [[nodiscard]] std::string_view view() const { return bytes.body; }
};

/// A result as one well-formed value in the codec of the request. Nobody checks it but the caller's parser.
struct RawResult {
  Frame bytes;
  explicit RawResult(std::string text) : bytes(Frame::of(std::move(text))) {}
  explicit RawResult(Frame frame) : bytes(std::move(frame)) {}
};

template <class Signature>
class Handler;

/// A function that takes Args, and a Context& after them if it wants one. `Handler<json(const json&)>` is made from
/// `[](const json& args) -> json` and from `[](const json& args, Context& context) -> json` alike.
template <class R, class... Args>
class Handler<R(Args...)> {
 public:
  Handler() = default;

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Handler> && std::is_invocable_r_v<R, F&, Args..., Context&>) Handler(F function)
      : function_(std::move(function)) {}  // NOLINT(google-explicit-constructor): a lambda is meant to convert

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Handler> && !std::is_invocable_r_v<R, F&, Args..., Context&> &&
           std::is_invocable_r_v<R, F&, Args...>) Handler(F function)  // NOLINT(google-explicit-constructor)
      : function_([function = std::move(function)](Args... args, Context& /*context*/) mutable -> R {
          return function(std::forward<Args>(args)...);
        }) {}

  explicit operator bool() const { return static_cast<bool>(function_); }
  R operator()(Args... args, Context& context) const { return function_(std::forward<Args>(args)..., context); }

 private:
  std::function<R(Args..., Context&)> function_;
};

}  // namespace pons
