// The bodies that a worker sends (docs/protocol.md, section 4), and the error that an exception stands for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/buffer.h"
#include "protocol/codec.h"
#include "protocol/document.h"
#include "protocol/envelope.h"
#include "protocol/error.h"
#include "worker/context.h"

namespace pons {

/// The bytes around a result that is encoded already: `before`, the result, `after` are one body.
struct ResultFrame {
  std::string before;
  std::string_view after;
};
ResultFrame success_around(Codec codec, const RequestId& id);
ResultFrame partial_around(Codec codec, const RequestId& id, std::uint64_t seq);

/// The error that a failed reply says; a code that is not the protocol's becomes worker_error with its name in details.code.
Error error_in(const nlohmann::json& reply);

/// error_body() for errors of any origin: text that is not UTF-8 is repaired, details that cannot be said are left out.
std::string error_reply(Codec codec, const RequestId& id, const Error& error, bool idempotent = false);

/// What a request is answered that nobody waits for any more. `why` is not `none`.
Error error_of(Cancellation why);

/// Call inside a catch clause: what the exception under way becomes in a reply (worker.h says which).
Error error_of_current_exception();
/// A body of `length` bytes is above the limit.
Error too_large(std::uint64_t length, std::size_t max_frame);

/// The request's `args` as bytes that keep the frame alive; an empty map if there are none.
Frame args_of(const Frame& frame, const Envelope& envelope);
/// A request id in a document, if it is one.
std::optional<RequestId> request_id_from(const nlohmann::json& document, std::string_view key);

}  // namespace pons
