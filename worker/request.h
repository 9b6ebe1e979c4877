// A request that Worker::poll() has handed out, until it is answered. See worker.h for the loop that it is used in.
//
// Exactly one terminal reply: reply() and fail() are called once, and a request that is destroyed without either answers
// `worker_error` with `details.reason: dropped`. It belongs to the thread that polls. It may outlive run(), even
// the Worker: then there is nobody left to answer, and nothing happens.
#pragma once

#include <exception>
#include <memory>
#include <nlohmann/json.hpp>

#include "protocol/error.h"
#include "worker/context.h"

namespace pons {

class Request {
 public:
  Request(Request&&) noexcept;
  Request& operator=(Request&&) noexcept;
  ~Request();

  /// Whether it still waits for its reply. False also for one that was moved from. All that follows needs it to be true, and throws
  /// std::logic_error otherwise.
  explicit operator bool() const { return held_ != nullptr; }

  /// Who asks, what, until when, and whether they still want it; sends partial replies and progress. Valid until the reply.
  [[nodiscard]] Context& context() const;
  [[nodiscard]] std::string_view command() const { return context().command(); }
  /// `common:cancel` came for it, its deadline passed, or the host is gone. It still needs its reply.
  [[nodiscard]] bool cancelled() const { return context().cancelled(); }

  /// As a handler gets them.
  [[nodiscard]] nlohmann::json args() const;
  [[nodiscard]] RawArgs raw_args() const;

  /// A result that cannot be said in the request's codec, or is too large, becomes an error, as with handlers.
  void reply(const nlohmann::json& result);
  void reply_raw(const RawResult& result);
  void fail(const Error& error);
  /// With the error that Context::throw_if_cancelled() throws; needs cancelled().
  void fail_cancelled();
  /// With what became of an exception: worker.h says which error that is.
  void fail(const std::exception_ptr& exception);

  class Held;  ///< of the SDK's own files
  explicit Request(std::unique_ptr<Held> held);

 private:
  Held& held() const;
  template <class Result>
  void reply_with(const Result& result);

  std::unique_ptr<Held> held_;
};

}  // namespace pons
