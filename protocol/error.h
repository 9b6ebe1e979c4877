// Errors as values: the codes of the protocol (docs/protocol.md, section 7), an error with its message, and Result<T>.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pons {

enum class ErrorCode : std::uint8_t {
  bad_frame,
  bad_request,
  frame_too_large,
  invalid_args,
  unsupported_codec,
  unknown_namespace,
  unknown_command,
  resource_not_found,
  unauthenticated,
  forbidden,
  rate_limited,
  overloaded,
  queue_timeout,
  deadline_exceeded,
  cancelled,
  worker_start_failed,
  pool_failed,
  circuit_open,
  worker_crashed,
  session_lost,
  session_limit,
  call_cycle,
  shutting_down,
  invalid_configuration,
  model_error,
  rate_limit,
  worker_error,
  internal,
};

/// What the protocol's table says of retrying after a code. `if_idempotent`: only a request that may run twice.
enum class Retry : std::uint8_t { no, yes, if_idempotent, per_adapter };

std::string_view to_string(ErrorCode code);
/// The code with that name, or nothing. An adapter may use names of its own; the host passes them through as text.
std::optional<ErrorCode> error_code_from(std::string_view name);
Retry retry_of(ErrorCode code);

/// An error on its way to a caller. `message` is one human sentence; `details` is null or an object (section 4).
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  nlohmann::json details = nullptr;
  std::optional<bool> retryable{};  ///< set only where it differs from the table's answer

  /// What goes on the wire as `retryable`.
  [[nodiscard]] bool may_retry(bool idempotent) const;
};

/// The exception form of Error: for start-up, the worker SDK's handlers and the client library; never thrown on the data path.
class Exception : public std::runtime_error {
 public:
  explicit Exception(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  Exception(ErrorCode code, std::string message) : Exception(Error{code, std::move(message)}) {}
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

template <class T>
using Result = boost::system::result<T, Error>;

/// Makes Result<T>::value() throw Exception (found by argument-dependent look-up).
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) { throw Exception(error); }

}  // namespace pons
