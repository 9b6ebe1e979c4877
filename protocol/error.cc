#include "protocol/error.h"

#include <array>

namespace pons {
namespace {

struct Row {
  ErrorCode code;
  std::string_view name;
  Retry retry;
};

constexpr std::array kTable{
    Row{ErrorCode::bad_frame, "bad_frame", Retry::no},
    Row{ErrorCode::bad_request, "bad_request", Retry::no},
    Row{ErrorCode::frame_too_large, "frame_too_large", Retry::no},
    Row{ErrorCode::invalid_args, "invalid_args", Retry::no},
    Row{ErrorCode::unsupported_codec, "unsupported_codec", Retry::no},
    Row{ErrorCode::unknown_namespace, "unknown_namespace", Retry::no},
    Row{ErrorCode::unknown_command, "unknown_command", Retry::no},
    Row{ErrorCode::resource_not_found, "resource_not_found", Retry::no},
    Row{ErrorCode::unauthenticated, "unauthenticated", Retry::no},
    Row{ErrorCode::forbidden, "forbidden", Retry::no},
    Row{ErrorCode::rate_limited, "rate_limited", Retry::yes},
    Row{ErrorCode::overloaded, "overloaded", Retry::yes},
    Row{ErrorCode::queue_timeout, "queue_timeout", Retry::yes},
    Row{ErrorCode::deadline_exceeded, "deadline_exceeded", Retry::if_idempotent},
    Row{ErrorCode::cancelled, "cancelled", Retry::no},
    Row{ErrorCode::worker_start_failed, "worker_start_failed", Retry::yes},
    Row{ErrorCode::pool_failed, "pool_failed", Retry::yes},
    Row{ErrorCode::circuit_open, "circuit_open", Retry::yes},
    Row{ErrorCode::worker_crashed, "worker_crashed", Retry::if_idempotent},
    Row{ErrorCode::session_lost, "session_lost", Retry::no},
    Row{ErrorCode::session_limit, "session_limit", Retry::yes},
    Row{ErrorCode::call_cycle, "call_cycle", Retry::no},
    Row{ErrorCode::shutting_down, "shutting_down", Retry::yes},
    Row{ErrorCode::invalid_configuration, "invalid_configuration", Retry::per_adapter},
    Row{ErrorCode::model_error, "model_error", Retry::per_adapter},
    Row{ErrorCode::rate_limit, "rate_limit", Retry::per_adapter},
    Row{ErrorCode::worker_error, "worker_error", Retry::per_adapter},
    Row{ErrorCode::internal, "internal", Retry::no},
};

constexpr bool in_order_of_the_enum() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].code) != i) return false;
  }
  return static_cast<std::size_t>(ErrorCode::internal) + 1 == kTable.size();
}
static_assert(in_order_of_the_enum());

const Row& row_of(ErrorCode code) { return kTable.at(static_cast<std::size_t>(code)); }

}  // namespace

std::string_view to_string(ErrorCode code) { return row_of(code).name; }

std::optional<ErrorCode> error_code_from(std::string_view name) {
  for (const Row& row : kTable) {
    if (row.name == name) return row.code;
  }
  return std::nullopt;
}

Retry retry_of(ErrorCode code) { return row_of(code).retry; }

bool Error::may_retry(bool idempotent) const {
  if (retryable) return *retryable;
  switch (retry_of(code)) {
    case Retry::yes:
      return true;
    case Retry::if_idempotent:
      return idempotent;
    case Retry::no:
    case Retry::per_adapter:
      return false;
  }
  return false;
}

}  // namespace pons
